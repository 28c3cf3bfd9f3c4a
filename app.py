"""Start the app: `python app.py`. Reads the environment, builds, launches. `gradio app.py` finds `demo` here."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
from dotenv import find_dotenv, load_dotenv

from qwen_demo import environment, logs
from qwen_demo.api.client import QwenClient
from qwen_demo.api.dialects import Dialect, spoken_at
from qwen_demo.api.engine import Engine, EngineAway, find, of_dialect
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.quota import Quota
from qwen_demo.service import Service
from qwen_demo.settings import PRICES_RULE, Settings, WrongSetting
from qwen_demo.usage import Prices
from qwen_demo.web import serve_until

log = logging.getLogger(__name__)
OFFLINE, OFFLINE_KEY = "http://offline", "offline"


async def find_engine(settings: Settings) -> Engine:
    """What answers at the address that is set; without a key for one that needs it, the offline backend in its place.

    Raises:
        EngineAway: nothing answers yet.
    """
    dialect = settings.dialect or spoken_at(settings.base_url)
    if not settings.offline or not dialect:
        own = settings.own_keys
        return await find(settings.base_url, settings.api_key, dialect, settings.models, keys_come=own)
    shown = of_dialect(dialect, settings.base_url)
    found = await find(_offline(dialect), OFFLINE_KEY, dialect, settings.models, _offline_backend())
    return replace(found, base_url=shown.base_url, title="offline", wants_key=True)


def wait_for_engine(settings: Settings) -> Engine:
    """The engine, as soon as it is there. Until then a page says so, at the address of the app's own."""
    try:
        engine = asyncio.run(find_engine(settings))
    except EngineAway as away:
        log.warning("waiting for the engine", extra={logs.FACTS: {"host": away.host, "reason": away.reason}})
        told = not settings.public and not settings.auth
        engine = asyncio.run(serve_until(lambda: find_engine(settings), _listening(), told=told))
    return engine


def _listening() -> socket.socket:
    """Where the app will be served: at the port that is set, else at the first that is free, as Gradio has it."""
    host, port = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"), os.environ.get("GRADIO_SERVER_PORT")
    for candidate in [int(port)] if port else range(7860, 7960):
        with suppress(OSError):
            return socket.create_server((host, candidate))
    sys.exit(_no_address(host, port))


def _no_address(host: str, port: str | None) -> str:
    return (
        f"GRADIO_SERVER_NAME and GRADIO_SERVER_PORT must be a free address of this computer, which "
        f"{host}:{port or '7860'} is not: another program listens there, maybe this app itself, or it is elsewhere."
    )


def make_service(settings: Settings, engine: Engine) -> Service:
    """Put the parts together. Without a key, the offline backend answers in the API's place, by the same code path.

    Raises:
        WrongSetting: there is a price for a model that the engine doesn't have, or a host of another API.
    """
    models = engine.catalog.models
    if unknown := settings.prices.keys() - {model.name for model in models}:
        raise WrongSetting(f"QWEN_DEMO_PRICES must be {PRICES_RULE}, and {min(unknown)!r} is none of them.")
    for url in settings.own_hosts:
        if spoken_at(url) not in (None, engine.dialect):
            raise WrongSetting(
                f"QWEN_DEMO_OWN_HOSTS must be hosts of the same API as QWEN_BASE_URL, which {url} is not."
            )
    listed = {model.name: model.price for model in models if model.price is not None}
    if settings.offline:
        here = replace(engine, base_url=_offline(engine.dialect))
        client = _client(settings, OFFLINE_KEY, here, _offline_backend())
    else:
        client = _client(settings, settings.api_key, engine)
    quota = Quota(settings.visitor_quota, settings.total_quota, settings.quota_storage)
    keyed = replace(engine, billed=True)  # whose key it is pays
    return Service(
        client,
        Orders(
            settings.max_in_flight,
            each=settings.visitor_in_flight,
            rate=settings.max_rate,
            storage=settings.quota_storage,
        ),
        Library(settings.outputs, embed_recipe=settings.embed_recipe),
        prices=Prices({**listed, **settings.prices}, settings.currency),
        engine=engine.for_strangers() if settings.public else engine,
        quota=quota if settings.visitor_quota or settings.total_quota else None,
        attempts=settings.visitor_attempts,
        keyed=_client(settings, "", keyed) if settings.own_keys else None,
        other_hosts={
            urlsplit(url).netloc: _client(settings, "", replace(keyed, base_url=engine.dialect.at(url)))
            for url in settings.own_hosts
        },
        public=settings.public,
    )


def _client(
    settings: Settings, key: str, engine: Engine, transport: httpx.AsyncBaseTransport | None = None
) -> QwenClient:
    return QwenClient(
        key,
        engine.base_url,
        engine.dialect,
        billed=engine.billed,
        timeout=settings.timeout,
        transport=transport,
        trusted_hosts=settings.trusted_hosts,
        shown_as=engine.for_strangers().host if settings.public else "",
    )


def _offline(dialect: Dialect) -> str:
    return OFFLINE + urlsplit(dialect.base_url).path


def _offline_backend() -> httpx.ASGITransport:
    from qwen_demo.offline import create_app

    return httpx.ASGITransport(create_app())


def serve() -> None:
    """Run until SIGINT or SIGTERM, then let orders under way finish: they are paid for. A second one ends at once."""

    def drain(number: int, _: object) -> None:
        if service.orders.draining:
            os._exit(128 + number)
        service.orders.draining = True
        service.orders.hold()

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
        sys.exit(_no_address(os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"), port))
    facts = {"engine": engine.title or engine.host, "host": engine.host, "api": engine.dialect.name}
    log.info("started", extra={logs.FACTS: facts | {"models": len(engine.catalog.models)}})
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
engine = wait_for_engine(settings)
try:
    service = make_service(settings, engine)
except WrongSetting as error:
    sys.exit(str(error))
demo = build_app(service, settings)

if __name__ == "__main__":
    serve()
