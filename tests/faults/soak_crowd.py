"""What a visitor feels of strangers at full speed: orders and pages take no more than three times as long.

Slow, and so beside the other tests: `python -m pytest -s tests/faults/soak_crowd.py`.
"""

import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from qwen_demo.offline import create_app
from tests.conftest import free_port, serve
from tests.faults.attackers import KINDS
from tests.test_app import ROOT, start, wait_for

SLOWER, MEMORY, LOG = 3.0, 500_000_000, 1_000_000  # times, bytes, bytes a minute
NOISE = 0.2  # seconds that a calm machine may be late too
TIMES = 5
FULL_SPEED = 1.0  # seconds until they have begun; what they may do in advance is not used up then


class Visitor:
    """Comes from a new address each time, so that no quota is in the way."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.number = 0

    def times(self) -> tuple[float, float]:
        """Seconds for an order and for a page, the middle of several."""
        both = [(self._order(), self._page()) for _ in range(TIMES)]
        orders, pages = zip(*both, strict=True)
        return statistics.median(orders), statistics.median(pages)

    def _http(self) -> httpx.Client:
        self.number += 1
        return httpx.Client(base_url=self.url, headers={"X-Forwarded-For": f"198.51.100.{self.number}"}, timeout=120)

    def _order(self) -> float:
        with self._http() as http:
            began = time.perf_counter()
            begun = http.post("/gradio_api/call/v2/text_to_image", json={"prompt": "a hill"}).json()
            told = http.get(f"/gradio_api/call/text_to_image/{begun['event_id']}").text
            assert "event: complete" in told
            return time.perf_counter() - began

    def _page(self) -> float:
        with self._http() as http:
            began = time.perf_counter()
            page = http.get("/").text
            for path in [*re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page), "theme.css", "config"]:
                assert http.get(path).status_code == 200
            return time.perf_counter() - began


class App:
    """The app as its owner shows it to strangers, and how much it has written to its log."""

    def __init__(self, folder: Path, api: str) -> None:
        port = free_port()
        environ = {"QWEN_API_KEY": "sk-soak-0123456789abcdef", "QWEN_BASE_URL": api, "QWEN_DEMO_OWN_KEYS": "1"}
        environ |= {"QWEN_DEMO_PUBLIC": "1", "QWEN_DEMO_TRUSTED_PROXIES": "1", "QWEN_DEMO_TOTAL_QUOTA": "none"}
        self.url = f"http://127.0.0.1:{port}"
        self.process = start(folder, GRADIO_SERVER_PORT=str(port), **environ)
        self.log = 0
        threading.Thread(target=self._read, daemon=True).start()
        wait_for(self.url, self.process)

    def memory(self) -> int:
        """Bytes that it and its children hold."""
        listed = subprocess.run(["ps", "-eo", "pid,ppid,rss"], capture_output=True, text=True, check=True)
        rows = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()[1:]]
        return sum(rss for pid, parent, rss in rows if self.process.pid in (pid, parent)) * 1024

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.log += len(line)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with serve(create_app(seconds=0.3)) as address:
        app = App(tmp_path_factory.mktemp("crowd"), f"{address}/v1")
        yield app
        app.process.kill()
        app.process.wait()


@pytest.fixture(scope="module")
def visitor(app: App) -> Visitor:
    return Visitor(app.url)


@pytest.fixture(scope="module")
def calm(app: App, visitor: Visitor) -> tuple[float, float, int]:
    visitor.times()  # what is loaded at first use is loaded
    return (*visitor.times(), app.memory())


@pytest.mark.parametrize("kind", KINDS)
def test_a_visitor_hardly_feels_them(app: App, visitor: Visitor, calm: tuple[float, float, int], kind: str) -> None:
    order, page, held = calm
    written, began = app.log, time.monotonic()
    attackers = subprocess.Popen([sys.executable, "-m", "tests.faults.attackers", app.url, kind], cwd=ROOT)
    most = Most(app.memory)
    try:
        time.sleep(FULL_SPEED)
        now = visitor.times()
    finally:
        attackers.kill()
        attackers.wait()
    grown, a_minute = most.end() - held, 60 * (app.log - written) / (time.monotonic() - began)
    print(  # noqa: T201
        f"\n{kind}: order {order:.2f} → {now[0]:.2f} s, page {page:.2f} → {now[1]:.2f} s, "
        f"memory +{grown / 1e6:.0f} MB, log {a_minute / 1e3:.0f} kB a minute"
    )
    assert now[0] <= SLOWER * order + NOISE
    assert now[1] <= SLOWER * page + NOISE
    assert grown <= MEMORY
    assert a_minute <= LOG


class Most:
    """The highest of a value that is looked at again and again, until the end."""

    def __init__(self, look: Callable[[], int]) -> None:
        self._look, self._ended, self._most = look, threading.Event(), look()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def end(self) -> int:
        self._ended.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            self._most = max(self._most, self._look())
