"""Serves the offline backend: `python -m qwen_demo.offline --port 8100`."""

import argparse

import uvicorn

from . import create_app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m qwen_demo.offline", description="The image API, offline.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8100, help="port to listen on (8100)")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long a call takes at least (0.5)")
    options = parser.parse_args()
    uvicorn.run(create_app(options.seconds), host=options.host, port=options.port)


if __name__ == "__main__":
    main()
