"""Try the shipped nginx.conf for real: nginx, Redis and two processes of the app, all on this machine.

`python deploy/two_processes.py` needs nginx, redis-server and the Python package redis. It says what it saw, and
ends with 1 if that was not as it should be.
"""

import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

HERE = Path(__file__).parent
QUOTA = 10
PATIENCE = 180  # seconds for a program to start


@dataclass
class Hosted:
    """The app as it is hosted: where nginx and Redis answer, the processes by their ports, and what nginx logs."""

    url: str
    redis: str
    apps: "dict[int, subprocess.Popen[bytes]]"
    log: Path


def hosted(stack: ExitStack, folder: Path, processes: int, **environ: str) -> Hosted:
    """Start so many processes of the app with these variables, and Redis and nginx; all end with the stack."""
    redis, front, *ports = (free_port() for _ in range(processes + 2))
    run(stack, folder, ["redis-server", "--port", str(redis), "--save", "", "--dir", str(folder)])
    shared = {
        **os.environ,
        "QWEN_API_KEY": "",
        "QWEN_DEMO_PUBLIC": "1",
        "QWEN_DEMO_QUOTA_STORAGE": f"redis://127.0.0.1:{redis}",
        "QWEN_DEMO_SECRET": "the same in all processes",
        "QWEN_DEMO_TRUSTED_PROXIES": "1",
        "QWEN_DEMO_OUTPUTS": str(folder / "outputs"),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        **environ,
    }
    app = [sys.executable, str(HERE.parent / "app.py")]
    apps = {port: run(stack, folder, app, {**shared, "GRADIO_SERVER_PORT": str(port)}) for port in ports}
    log = folder / "access.log"
    run(stack, folder, ["nginx", "-e", "stderr", "-p", str(folder), "-c", adapted(folder, log, ports, front)])
    for port in (redis, *ports, front):
        wait_for(port)
    return Hosted(f"http://127.0.0.1:{front}", f"redis://127.0.0.1:{redis}", apps, log)


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        host = hosted(stack, folder, 2, QWEN_DEMO_VISITOR_QUOTA=f"{QUOTA}/day")
        url, log = host.url, host.log

        stays, spread = where_visitors_go(url, log)
        say(f"one visitor, eight requests: all at {stays}", len(stays) == 1)
        say(f"thirty visitors: spread over {len(spread)} processes", len(spread) == 2)

        with httpx.Client(base_url=url, timeout=60) as http:
            (path,) = http.post("/gradio_api/upload", files={"files": ("my-holiday.jpg", b"x")}).json()
            http.get(f"/gradio_api/file={path}").raise_for_status()
            served(http, log)
        logged = log.read_text()
        named = "GET /gradio_api/file=\n" not in logged or "holiday" in logged
        say("an upload is fetched: the log has no file's name", not named)

        delivered = asyncio.run(ask_for_more_than_the_quota([*host.apps]))
        say(f"a quota of {QUOTA}, thirty pictures asked for at both: {delivered} delivered", delivered == QUOTA)

        with httpx.Client(base_url=url, timeout=60) as http:
            at = served(http, log)
            killed = host.apps[int(at.rpartition(":")[2])]
            killed.kill()
            killed.wait()
            other = served(http, log)
            begun = http.post("/gradio_api/call/v2/text_to_image", json={"prompt": "a hill"}).json()
            came = "event: complete" in http.get(f"/gradio_api/call/text_to_image/{begun['event_id']}").text
            page = http.get("/").status_code
        say(f"{at} killed: {other} serves the page ({page}), and a picture came", other != at and page == 200 and came)


def say(what: str, right: bool) -> None:
    print(("ok    " if right else "WRONG ") + what, flush=True)  # noqa: T201
    if not right:
        sys.exit(1)


def run(
    stack: ExitStack, folder: Path, command: list[str], environ: dict[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a program, to be ended with the stack. What it prints goes to a file."""
    output = stack.enter_context((folder / f"{Path(command[0]).name}-{free_port()}.log").open("wb"))
    process = subprocess.Popen(command, env=environ, stdout=output, stderr=output, cwd=HERE.parent)  # noqa: S603

    def end() -> None:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()

    stack.callback(end)
    return process


def adapted(folder: Path, log: Path, ports: list[int], front: int) -> str:
    """The shipped configuration with other ports, and with files where anyone may write. Its path."""
    text = (HERE / "nginx.conf").read_text(encoding="utf-8")
    first, second = re.findall(r"server 127\.0\.0\.1:\d+ .*;", text)
    servers = (re.sub(r":\d+", f":{port}", first) for port in ports)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    writable = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in kinds)
    user = "user root; " if os.geteuid() == 0 else ""
    for old, new in {
        first: "\n".join(servers),
        second: "",
        "listen 8080": f"listen 127.0.0.1:{front}",
        "/var/log/nginx/qwen-image-demo.log": str(log),
        "/var/log/nginx/qwen-image-demo.error.log": str(folder / "error.log"),
        "worker_processes auto;": f"daemon off; pid {folder}/nginx.pid; {user}worker_processes 1;",
        "http {": f"http {{ {writable}",
    }.items():
        if text.count(old) != 1:
            sys.exit(f"nginx.conf has no single {old!r} any more")
        text = text.replace(old, new)
    path = folder / "nginx.conf"
    path.write_text(text, encoding="utf-8")
    return str(path)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"nothing answers at port {port}")


def served(http: httpx.Client, log: Path) -> str:
    """Ask once. The process that answered, by nginx's log; the last one, where others were tried before."""
    before = len(log.read_text().splitlines())
    http.get("/healthz").raise_for_status()
    deadline = time.monotonic() + PATIENCE
    while len(lines := log.read_text().splitlines()) == before and time.monotonic() < deadline:
        time.sleep(0.01)
    addresses: list[str] = re.findall(r"127\.0\.0\.1:\d+", lines[-1])
    return addresses[-1]


def where_visitors_go(url: str, log: Path) -> tuple[set[str], set[str]]:
    """The processes that one visitor met, and those that thirty met. The first answer brings the cookie."""
    with httpx.Client(base_url=url) as http:
        http.get("/healthz")
        one = {served(http, log) for _ in range(8)}
    thirty = set()
    for _ in range(30):
        with httpx.Client(base_url=url) as http:
            http.get("/healthz")
            thirty.add(served(http, log))
    return one, thirty


async def ask_for_more_than_the_quota(ports: list[int]) -> int:
    """Thirty orders at once from one address, past nginx, until each is delivered or refused for good."""

    async def ask(port: int) -> str:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"X-Forwarded-For": "203.0.113.7"}, timeout=120
        ) as http:
            begun = await http.post("/gradio_api/call/v2/text_to_image", json={"prompt": "a hill"})
            return (await http.get(f"/gradio_api/call/text_to_image/{begun.json()['event_id']}")).text

    delivered = 0
    while True:
        answers = await asyncio.gather(*(ask(ports[number % 2]) for number in range(30)))
        delivered += sum("event: complete" in answer for answer in answers)
        if all("used up" in answer for answer in answers):
            return delivered


if __name__ == "__main__":
    main()
