"""Start the app: `python app.py`. Reads the environment, builds, launches. `gradio app.py` finds `demo` here."""

import gc
import logging
import os
import signal
import sys
import time

import httpx
from dotenv import find_dotenv, load_dotenv

from qwen_demo import environment, logs
from qwen_demo.api.client import QwenClient
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.quota import Quota
from qwen_demo.service import Service
from qwen_demo.settings import Settings, WrongSetting
from qwen_demo.usage import Prices

log = logging.getLogger(__name__)


def make_service(settings: Settings) -> Service:
    """Put the parts together. Without a key, the offline backend answers in the API's place, by the same code path."""
    if settings.offline:
        from qwen_demo.offline import create_app

        backend = httpx.ASGITransport(create_app())
        client = QwenClient("offline", "http://offline/v1", timeout=settings.timeout, transport=backend)
    else:
        client = _client(settings, settings.api_key)
    quota = Quota(settings.visitor_quota, settings.total_quota, settings.quota_storage)
    return Service(
        client,
        Orders(settings.max_in_flight, each=settings.visitor_in_flight),
        Library(settings.outputs, embed_recipe=settings.embed_recipe),
        prices=Prices(settings.prices, settings.currency),
        base_url=settings.base_url,
        quota=quota if settings.visitor_quota or settings.total_quota else None,
        attempts=settings.visitor_attempts,
        keyed=_client(settings, "") if settings.own_keys else None,
        public=settings.public,
    )


def _client(settings: Settings, key: str) -> QwenClient:
    return QwenClient(key, settings.base_url, timeout=settings.timeout, trusted_hosts=settings.trusted_hosts)


def serve() -> None:
    """Run until SIGINT or SIGTERM, then let orders under way finish: they are paid for. A second one ends at once."""

    def drain(number: int, _: object) -> None:
        if service.orders.draining:
            os._exit(128 + number)
        service.orders.draining = True

    os.environ["FORWARDED_ALLOW_IPS"] = ""  # or uvicorn believes a local proxy's word about addresses before we count
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, drain)
    gc.freeze()  # what was loaded stays: to look through it for garbage again and again would stop everyone for 0.1 s
    port = os.environ.get("GRADIO_SERVER_PORT")  # a chosen one is meant: Gradio by itself would go on to the next
    try:
        demo.launch(
            prevent_thread_lock=True, server_port=int(port) if port else None, **launch_options(service, settings)
        )
    except OSError:
        host = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
        sys.exit(
            f"GRADIO_SERVER_NAME and GRADIO_SERVER_PORT must be a free address of this computer, which "
            f"{host}:{port or '7860'} is not: another program listens there, maybe this app itself, or it is elsewhere."
        )
    while not service.orders.draining:
        time.sleep(0.1)
    log.info("draining", extra={logs.FACTS: {"orders": service.orders.running, "seconds": settings.drain}})
    deadline = time.monotonic() + settings.drain
    while service.orders.running and time.monotonic() < deadline:
        time.sleep(0.1)
    log.info("ended", extra={logs.FACTS: {"orders": service.orders.running}})
    demo.close(verbose=False)


try:
    load_dotenv(stream=environment.env_file(find_dotenv()))
    environment.put_right(os.environ)
    settings = Settings.from_env(os.environ)
    environment.check_folders(settings.outputs, os.environ)
except WrongSetting as error:
    sys.exit(str(error))

# Not before: Gradio reads the environment when it is imported.
from qwen_demo.ui import build_app, launch_options  # noqa: E402

logs.set_up(as_json=settings.log_json, key=settings.api_key)
service = make_service(settings)
demo = build_app(service, settings)

if __name__ == "__main__":
    serve()
