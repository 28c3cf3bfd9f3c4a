"""Start the app: `python app.py`. Reads the environment, builds, launches. `gradio app.py` finds `demo` here."""

import logging
import os
import sys

import httpx
from dotenv import load_dotenv

from qwen_demo.api.client import QwenClient
from qwen_demo.jobs import Jobs
from qwen_demo.library import Library
from qwen_demo.service import Service
from qwen_demo.settings import Settings, WrongSetting
from qwen_demo.ui import build_app, launch_options


def make_service(settings: Settings) -> Service:
    """Put the parts together. Without a key, the offline backend answers in the API's place, by the same code path."""
    if settings.offline:
        from qwen_demo.offline import create_app

        backend = httpx.ASGITransport(create_app())
        client = QwenClient("offline", "http://offline/v1", timeout=settings.timeout, transport=backend)
    else:
        client = QwenClient(settings.api_key, settings.base_url, timeout=settings.timeout)
    library = Library(settings.outputs, embed_recipe=settings.embed_recipe)
    return Service(client, Jobs(settings.max_in_flight), library, light_previews=settings.public)


load_dotenv()
try:
    settings = Settings.from_env(os.environ)
except WrongSetting as error:
    sys.exit(str(error))
logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines hold whole result URLs, signatures included
service = make_service(settings)
demo = build_app(service, settings)

if __name__ == "__main__":
    demo.launch(**launch_options(service))
