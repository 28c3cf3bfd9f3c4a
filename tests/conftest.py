"""What many tests need: servers on loopback, and one running app for the whole session."""

import asyncio
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest
import uvicorn

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["FORWARDED_ALLOW_IPS"] = ""  # as in app.py

from qwen_demo.api.catalog import PROVIDER, Catalog, Model
from qwen_demo.api.client import QwenClient
from qwen_demo.api.dialects import DEFAULT
from qwen_demo.api.engine import PROVIDER_ENGINE, Engine
from qwen_demo.api.requests import ImageRequest, asked
from qwen_demo.api.responses import ImagesResponse, ResultImage, parse
from qwen_demo.library import Library
from qwen_demo.offline import create_app
from qwen_demo.order import Order
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from qwen_demo.settings import Settings
from qwen_demo.ui import build_app, launch_options
from qwen_demo.usage import Prices
from qwen_demo.visitors import Visitor

KEY = "sk-test-4f1c9a2b"


class Hurry:
    """A time for lines that passes at once, whenever somebody waits for it."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.Handle:
        self.now += delay
        return asyncio.get_running_loop().call_soon(callback)


def payload(request: ImageRequest) -> dict[str, Any]:
    """The JSON body that this provider gets for a request."""
    return dict(DEFAULT.prepare(request).json or {})


@contextmanager
def serve(app: Any) -> Iterator[str]:
    """An ASGI app on a free port of 127.0.0.1, for as long as the block runs. Yields its address."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listening.close()


@pytest.fixture(scope="session")
def offline_server() -> Iterator[str]:
    """The base URL of the offline backend, over a real socket."""
    with serve(create_app(seconds=0)) as address:
        yield f"{address}/v1"


def images_of(body: object) -> tuple[ResultImage, ...]:
    """The pictures in an answer's body."""
    understood = parse(body, {})
    assert isinstance(understood, ImagesResponse)
    return understood.images


def with_models(*models: Model) -> Engine:
    """The provider's engine with more models."""
    return replace(PROVIDER_ENGINE, catalog=Catalog((*PROVIDER.models, *models)))


class Backend(httpx.ASGITransport):
    """The offline backend, with every order written down, and a gate that holds orders back while it is shut."""

    def __init__(self, provider: Catalog = PROVIDER) -> None:
        super().__init__(create_app(seconds=0, provider=provider))
        self.orders: list[dict[str, Any]] = []
        self.open = threading.Event()
        self.open.set()
        self.refusal: Callable[[httpx.Request], httpx.Response] | None = None
        """Answers orders in the backend's place, when set."""
        self._arrived = threading.Condition()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            with self._arrived:
                body = await request.aread()
                in_json = request.headers.get("content-type") == "application/json"
                self.orders.append(json.loads(body) if in_json else {"form": body})
                self._arrived.notify_all()
            await asyncio.to_thread(self.open.wait, 60)
            if self.refusal:
                return self.refusal(request)
        return await super().handle_async_request(request)

    def wait_for_orders(self, number: int) -> bool:
        """Whether so many orders came within a minute."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.orders) >= number, timeout=60)


@dataclass
class RunningApp:
    """The app as it runs, and what it asked of the API since the test began."""

    url: str
    backend: Backend = field(repr=False)

    @property
    def orders(self) -> list[dict[str, Any]]:
        return self.backend.orders


@contextmanager
def launched(service: Service, **environ: str) -> Iterator[str]:
    """The app around a service, on a free port, with these variables set. Yields its address."""
    settings = Settings.from_env({"QWEN_DEMO_MCP": "0", **environ})
    demo = build_app(service, settings)
    options = launch_options(service, settings)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_port=free_port(), **options)
    yield url.rstrip("/")
    demo.close(verbose=False)


def off_the_loop(work: Callable[..., Any]) -> Callable[..., Any]:
    """The same work, refused on an event loop: on another disk it would be a copy, and everyone would wait."""

    def watched(*args: Any, **named: Any) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return work(*args, **named)
        raise AssertionError("a file gets its name on the event loop")

    return watched


@pytest.fixture(scope="session")
def running_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    folder = tmp_path_factory.mktemp("app")
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "gradio")
    backend = Backend()
    client = QwenClient(KEY, "http://offline/v1", transport=backend)
    patch = pytest.MonkeyPatch()
    patch.setattr("qwen_demo.ui.files.os.link", off_the_loop(os.link))
    prices = Prices({"qwen-image": 0.25}, "¥")  # and the default model is free of a price
    with launched(Service(client, Orders(32), Library(folder / "outputs"), prices=prices)) as url:
        yield RunningApp(url, backend)
    patch.undo()


@pytest.fixture
def app(running_app: RunningApp) -> RunningApp:
    running_app.orders.clear()
    running_app.backend.open.set()
    running_app.backend.refusal = None
    return running_app


def free_port() -> int:
    """Of 127.0.0.1, one that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def ask_for(service: Service, request: ImageRequest, n: int, visitor: Visitor) -> Order:
    """Order pictures through the door that the page and programs use."""
    fields = {name: value for name, value in asked(request).items() if name != "n"}
    return await service.order_from(request.kind, request.references, n, visitor, **fields)


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once an order is cancelled: whoever placed it has gone away."""
    gone, cancel = threading.Event(), Order.cancel

    def cancelled(order: Order) -> int:
        left = cancel(order)
        gone.set()
        return left

    monkeypatch.setattr(Order, "cancel", cancelled)
    return gone
