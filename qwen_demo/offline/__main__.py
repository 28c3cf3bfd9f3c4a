"""Serves the offline backend: `python -m qwen_demo.offline --port 8100`. Takes uvicorn's options."""

import sys

from uvicorn.main import main

if __name__ == "__main__":
    main(["--factory", "qwen_demo.offline:create_app", "--port", "8100", *sys.argv[1:]])
