"""`python app.py` as a newcomer starts it: against the API that is set, or not at all."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from qwen_demo.offline import create_app
from tests.conftest import serve

ROOT = Path(__file__).parents[1]
KEY = "sk-test-77d0c1e5"


def start(tmp_path: Path, **environ: str) -> "subprocess.Popen[str]":
    # The tests' own folder for Gradio's files, and no .env of the developer's.
    settings = {"QWEN_DEMO_OUTPUTS": str(tmp_path / "outputs"), "GRADIO_TEMP_DIR": str(tmp_path / "gradio"), **environ}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("QWEN_", "GRADIO_"))}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "app.py")],
        cwd=tmp_path,
        env={**clean, "GRADIO_ANALYTICS_ENABLED": "False", "PYTHON_DOTENV_DISABLED": "1", **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@dataclass
class Started:
    """The app as a process of its own, with a key, in front of a server that takes any."""

    url: str
    folder: Path
    process: "subprocess.Popen[str]"

    def saved(self) -> list[Path]:
        return list((self.folder / "outputs").glob("20*/*.png"))

    def end(self) -> str:
        """Wait for its end. Returns what it wrote."""
        output, _ = self.process.communicate(timeout=60)
        return output


@contextmanager
def started(api: str, folder: Path) -> Iterator[Started]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start(folder, QWEN_API_KEY=KEY, QWEN_BASE_URL=api, GRADIO_SERVER_PORT=str(port))
    app = Started(f"http://127.0.0.1:{port}", folder, process)
    try:
        wait_for(app.url, process)
        yield app
    finally:
        process.kill()
        process.communicate(timeout=30)


def wait_for(url: str, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} did not answer")


def test_with_a_key_and_a_base_url_the_orders_go_to_that_server(offline_server: str, tmp_path: Path) -> None:
    with started(offline_server, tmp_path) as app:
        assert '"elem_id":"notice"' not in httpx.get(app.url).text.replace(" ", "")
        client = Client(app.url, verbose=False, download_files=str(tmp_path))
        files, details = client.predict(prompt="a lighthouse", size="1472x1140", api_name="/text_to_image")
        client.close()
        assert (details["pictures"][0]["width"], details["pictures"][0]["height"]) == (1472, 1140)
        (saved,) = app.saved()
        assert saved.read_bytes() == Path(files[0]).read_bytes()
        assert KEY.encode() not in saved.read_bytes()
        app.process.send_signal(signal.SIGINT)
        output = app.end()
        assert app.process.returncode == 0
        assert " request id=" in output
        assert KEY not in output


class Gate:
    """The offline backend, which answers no order until it is let."""

    def __init__(self) -> None:
        self.app = create_app(seconds=0)
        self.arrived, self.open = threading.Event(), threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "POST":
            self.arrived.set()
            await asyncio.to_thread(self.open.wait, 60)
        await self.app(scope, receive, send)


def tell_to_end(app: Started) -> None:
    """Signal, and wait until it was heard."""
    app.process.terminate()
    deadline = time.monotonic() + 60
    while httpx.get(f"{app.url}/readyz").status_code != 503:
        assert time.monotonic() < deadline, "it goes on as if nothing had been said"
        time.sleep(0.05)


def test_told_to_end_it_takes_nothing_new_and_brings_home_what_is_ordered(tmp_path: Path) -> None:
    gate = Gate()
    with serve(gate) as api, started(f"{api}/v1", tmp_path) as app:
        client = Client(app.url, verbose=False, download_files=str(tmp_path))
        client.submit(prompt="a lighthouse", api_name="/text_to_image")
        assert gate.arrived.wait(60)
        tell_to_end(app)
        assert httpx.get(f"{app.url}/healthz").status_code == 200
        with pytest.raises(AppError, match=r"about to stop and takes no new orders. .* Nothing was billed"):
            client.predict(prompt="one more", api_name="/text_to_image")
        assert app.saved() == []
        gate.open.set()
        output = app.end()
        assert app.process.returncode == 0
        assert len(app.saved()) == 1
        assert "draining orders=1" in output
        assert KEY not in output


def test_told_to_end_it_sends_no_more_of_a_batch_and_what_is_sent_comes_home(tmp_path: Path) -> None:
    gate = Gate()
    with serve(gate) as api, started(f"{api}/v1", tmp_path) as app:
        prompt = "{" + "|".join(map(str, range(40))) + "} cats"
        Client(app.url, verbose=False).submit(prompt=prompt, api_name="/vary")
        assert gate.arrived.wait(60)
        tell_to_end(app)
        gate.open.set()
        app.end()
        assert app.process.returncode == 0
        (file,) = app.folder.glob("outputs/.orders/*.json")
        states = Counter(call["state"] for call in json.loads(file.read_bytes())["calls"])
        assert states == {"done": len(app.saved()), "waiting": 40 - len(app.saved())}
        assert 0 < states["done"] < 40


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    gate = Gate()
    with serve(gate) as api, started(f"{api}/v1", tmp_path) as app:
        Client(app.url, verbose=False).submit(prompt="a lighthouse", api_name="/text_to_image")
        assert gate.arrived.wait(60)
        tell_to_end(app)
        app.process.terminate()
        app.end()
        assert app.process.returncode == 128 + signal.SIGTERM
        gate.open.set()


def test_a_wrong_value_stops_the_start_with_one_clear_line(tmp_path: Path) -> None:
    process = start(tmp_path, QWEN_API_KEY="sk 1")
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 1
    assert output.splitlines() == ["QWEN_API_KEY must be a key without spaces, in plain ASCII, not what it is."]


def test_while_its_engine_is_away_it_waits_and_told_to_end_it_ends(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone, port = free.getsockname()[1], 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base_url = f"http://127.0.0.1:{gone}/v1"
    process = start(tmp_path, QWEN_BASE_URL=base_url, GRADIO_SERVER_PORT=str(port), QWEN_API_KEY=KEY)
    try:
        wait_for(f"http://127.0.0.1:{port}", process)
        assert httpx.get(f"http://127.0.0.1:{port}/readyz").text == "the engine is away"
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "waiting for the engine" in output
    assert KEY not in output


@pytest.mark.parametrize(
    ("environ", "model"),
    [
        ({"QWEN_BASE_URL": "https://model-api.skyengine.com.cn"}, "qwen-image-plus"),
        ({"QWEN_BASE_URL": "https://dashscope-intl.aliyuncs.com"}, "qwen-image-max"),
        ({"QWEN_API": "openai"}, "Qwen/Qwen-Image"),
    ],
)
def test_without_a_key_it_draws_whatever_is_set(environ: dict[str, str], model: str, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start(tmp_path, GRADIO_SERVER_PORT=str(port), **environ)
    try:
        wait_for(f"http://127.0.0.1:{port}", process)
        client = Client(f"http://127.0.0.1:{port}", verbose=False, download_files=str(tmp_path))
        files, details = client.predict(prompt="a hill", model=model, api_name="/text_to_image")
        client.close()
    finally:
        process.kill()
        process.communicate(timeout=30)
    assert (len(files), details["model"], details["problems"]) == (1, model, [])
