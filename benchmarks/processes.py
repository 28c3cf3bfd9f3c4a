"""Programs that are measured, each a process of its own on a free port."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
PATIENCE = 120  # seconds for a program to start
QUIET = 2.5  # seconds: longer than the app waits for a quiet moment itself


@contextmanager
def started(*command: str, port: int, **environ: str) -> Iterator["Program"]:
    """Run Python with these arguments until the block ends. Entered as soon as the program answers at its port."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "GRADIO_ANALYTICS_ENABLED": "False", **environ}
    environ["GRADIO_SERVER_PORT"] = str(port)
    began = time.perf_counter()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, *command], env=environ, stdout=quiet, stderr=quiet)  # noqa: S603
    program = Program(process.pid, f"http://127.0.0.1:{port}")
    try:
        program.start = program.wait() - began
        yield program
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


class Program:
    """A running program: its address, and the seconds that it took to answer."""

    start = 0.0

    def __init__(self, pid: int, url: str) -> None:
        self.pid = pid
        self.url = url

    def wait(self) -> float:
        """When the page answered, on the clock of `time.perf_counter`."""
        deadline = time.perf_counter() + PATIENCE
        while time.perf_counter() < deadline:
            try:
                httpx.get(self.url, timeout=10)
            except httpx.TransportError:
                time.sleep(0.02)
            else:
                return time.perf_counter()
        raise TimeoutError(f"nothing answers at {self.url}")

    def settle(self) -> None:
        """Wait until it does nothing more, such as previews for which nobody waits."""
        deadline = time.perf_counter() + PATIENCE
        used = -1.0
        while (now := self._processor_seconds()) - used > 0.1 * QUIET and time.perf_counter() < deadline:
            used = now
            time.sleep(QUIET)

    def memory(self) -> float:
        """Resident memory in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1000

    def _processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
