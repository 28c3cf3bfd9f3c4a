"""The running app as an attacker meets it: raw HTTP, by someone who has read the code. The table is in SECURITY.md."""

import asyncio
import json
import re
import secrets
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import gradio
import httpx
import pytest
from gradio.routes import App

from qwen_demo.api.client import QwenClient
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.quota import Quota
from qwen_demo.service import Service
from qwen_demo.ui import gradio_patch
from tests.conftest import KEY, Backend, RunningApp, launched

UPLOAD_MB = 12
HTML = b"<html><script>alert(1)</script></html>"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients on loopback: by itself each of them would read all certificates first."""


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningApp, Service]]:
    """The app with the limits of a public one, behind one proxy, so that a test can come from any address."""
    backend = Backend()
    client = QwenClient(KEY, "http://offline/v1", transport=backend)
    library = Library(tmp_path_factory.mktemp("public"))
    service = Service(client, Orders(32, each=2), library, quota=Quota("20/day", "300/day"), public=True)
    with launched(service, QWEN_DEMO_PUBLIC="1", QWEN_DEMO_TRUSTED_PROXIES="1", QWEN_API_KEY=KEY) as url:
        yield RunningApp(url, backend), service


@pytest.fixture
def app(public: tuple[RunningApp, Service]) -> RunningApp:
    app, _ = public
    app.orders.clear()
    return app


def someone(app: RunningApp) -> httpx.Client:
    """A visitor from an address of their own, with a cookie jar."""
    address = ".".join(str(secrets.randbelow(200) + 20) for _ in range(4))
    return httpx.Client(base_url=app.url, headers={"X-Forwarded-For": address}, timeout=120, verify=NO_TLS)


async def draw(http: httpx.AsyncClient, prompt: str, **headers: str) -> str:
    """Call the endpoint for programs. The stream with its outcome as it came."""
    begun = await http.post("/gradio_api/call/v2/text_to_image", json={"prompt": prompt}, headers=headers)
    if begun.status_code != 200:
        return begun.text
    return (await http.get(f"/gradio_api/call/text_to_image/{begun.json()['event_id']}", headers=headers)).text


def join(
    http: httpx.Client, fn_index: int, data: list[Any], session: str = "", event_data: object = None
) -> list[dict[str, Any]]:
    """Run an event of the page by its number, as its own script does, in a page of its own unless told otherwise.

    Returns what the app tells about it.
    """
    session = session or secrets.token_hex(5)
    body = {"fn_index": fn_index, "data": data, "session_hash": session, "event_data": event_data, "trigger_id": 1}
    answer = http.post("/gradio_api/queue/join", json=body)
    if answer.status_code != 200:
        return []
    told = []
    with http.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                told.append(json.loads(line[6:]))
                if told[-1]["msg"] in ("process_completed", "close_stream", "unexpected_error"):
                    break
    return told


def events(http: httpx.Client) -> list[dict[str, Any]]:
    """All events of the page, private ones too."""
    dependencies: list[dict[str, Any]] = http.get("/config").json()["dependencies"]
    return dependencies


def event_on(http: httpx.Client, element: str, trigger: str = "click") -> dict[str, Any]:
    """The first event that an element's click, or another trigger, starts on the server."""
    config = http.get("/config").json()
    (target,) = (part["id"] for part in config["components"] if part["props"].get("elem_id") == element)
    return next(
        event for event in config["dependencies"] if [target, trigger] in event["targets"] and event["backend_fn"]
    )


def cards(http: httpx.Client) -> dict[str, Any]:
    """The visitor's orders as the board is told of them, by their ids."""
    told: dict[str, Any] = http.get("/board/orders", params={"once": "1"}).json()["cards"]
    return told


def ended(http: httpx.Client) -> dict[str, Any]:
    """The same, once none of them runs."""
    with http.stream("GET", "/board/orders") as stream:
        for line in stream.iter_lines():
            told = cards(http) if line.startswith("data: ") else {"": {"state": "running"}}
            if all(card["state"] != "running" for card in told.values()):
                return told
    raise AssertionError("the stream has ended")


def draw_on_the_page(http: httpx.Client, prompt: str, n: int = 1) -> list[str]:
    """Order with the run button. The ids of the pictures that came of it."""
    run = event_on(http, "text-run")
    before = cards(http).keys()
    data = [prompt, "", "qwen-image-plus", "1328x1328", n, 1, False, False, True, "url"]
    assert join(http, run["id"], data + [None] * (len(run["inputs"]) - len(data)))[-1]["success"]
    (card,) = (card for id, card in ended(http).items() if id not in before)
    return [card["slots"][str(place)]["id"] for place in range(n)]


async def test_of_many_calls_from_one_address_exactly_the_quota_is_ordered(app: RunningApp) -> None:
    # A new cookie each, since none is kept, and each with another forged address in front of the proxy's.
    async def attack(http: httpx.AsyncClient, number: int) -> str:
        forged = {"X-Forwarded-For": f"10.0.{number // 250}.{number % 250}, 203.0.113.7", "Cookie": ""}
        return await draw(http, f"attack {number}", **forged)

    fresh = httpx.Limits(max_keepalive_connections=0)  # one kept open may be closed by the server as we write
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(base_url=app.url, timeout=120, limits=fresh, verify=NO_TLS)
            )
            for _ in range(25)
        ]
        answers = await asyncio.gather(*(attack(clients[number % 25], number) for number in range(150)))
        delivered = sum("event: complete" in answer for answer in answers)
        last = ""
        while "used up" not in last:  # what was refused as too many at once tries again
            last = await attack(clients[0], 150)
            delivered += "event: complete" in last
    assert (delivered, len(app.orders)) == (20, 20)


def test_no_way_past_the_queue_or_by_a_private_name_passes_the_quota(app: RunningApp) -> None:
    with someone(app) as http:
        run = event_on(http, "text-run")
        data = ["hill", "", "qwen-image-plus", "1328x1328", 6, 1, False, False, True, "url"]
        data += [None] * (len(run["inputs"]) - len(data))
        for _ in range(4):
            join(http, run["id"], data)
            ended(http)
        assert len(app.orders) == 18
        for route in ("run/text_to_image", "api/text_to_image", "api/predict", "run/predict"):
            body = {"data": data, "fn_index": run["id"], "session_hash": "x"}
            assert http.post(f"/gradio_api/{route}", json=body).status_code != 200
        for n in (2, 1):
            join(http, run["id"], [*data[:4], n, *data[5:]])
            ended(http)
        (card,) = (card for card in cards(http).values() if card["n"] == 2)
        order = next(id for id, card in cards(http).items() if card["n"] == 2)
        again = {"act": "again", "order": order, "place": 0}
        assert card["state"] == "done"
        assert "used up" in http.post("/board/act", json=again).json()["detail"]
        assert len(app.orders) == 20


def test_every_event_of_the_page_survives_nonsense(app: RunningApp) -> None:
    def told(event: dict[str, Any]) -> str:
        with someone(app) as stranger:  # one alone would be slowed
            values: list[Any] = [{"path": "/etc/passwd"}, ["<img src=x onerror=alert(1)>"]]
            return json.dumps(
                [join(stranger, event["id"], [value] * len(event["inputs"]), event_data=value) for value in values]
            )

    with someone(app) as http, ThreadPoolExecutor(8) as strangers:
        asked = [event for event in events(http) if event["backend_fn"] and event["queue"] is not False]
        for words in strangers.map(told, asked):
            assert "root:x:" not in words
            assert "Traceback" not in words
        assert http.get("/healthz").text == "ok"
    assert app.orders == []


def test_a_picture_is_for_its_visitor_alone(app: RunningApp, public: tuple[RunningApp, Service]) -> None:
    _, service = public
    with someone(app) as owner, someone(app) as thief:
        thief.get("/")
        (id,) = draw_on_the_page(owner, "a private wish")
        (order,) = cards(owner)
        (path,) = service.everything.root.glob("visitor-*/20*/*a-private-wish*.png")
        name = path.relative_to(path.parents[1]).as_posix()
        asked = [
            f"file={path}",
            f"file={path.parent}/../{name}",
            f"file/{path}",
            f"file={name}",
            f"file=outputs/{name}",
        ]
        assert [thief.get(f"/gradio_api/{address}").status_code for address in asked] == [403, 403, 404, 403, 403]
        own = [f"/picture/{id}", f"/picture/{id}?w=512", f"/picture/{id}?w=3072", f"/board/picture?id={id}"]
        own += [f"/board/code?order={order}", f"/board/answers.zip?order={order}"]
        assert [owner.get(address).status_code for address in own] == [200] * 6
        assert [thief.get(address).status_code for address in own] == [404] * 6
        part = path.parents[1].name
        other = [f"/picture/{part}/{id}", f"/picture/..%2f{part}%2f{id}", f"/picture/{path.name}", f"/picture/{name}"]
        assert [thief.get(address).status_code for address in other] == [404] * 4
        for act in ("delete", "star", "zip"):
            assert thief.post("/board/act", json={"act": act, "ids": [id]}).status_code == 404
        for act in ("stop", "fetch", "again", "forget"):
            assert thief.post("/board/act", json={"act": act, "order": order, "place": 0}).status_code == 404
        assert (cards(thief), thief.get("/board/library").json()) == ({}, {"pictures": [], "total": 0})
        assert [row[0] for row in owner.get("/board/library").json()["pictures"]] == [id]
        # The page looks up what is asked of it, each visitor's among the own pictures and orders.
        fill = event_on(owner, "feed", "fill")
        wishes: list[dict[str, object]] = [
            {"act": "settings", "id": id},
            {"act": "edit", "id": id},
            {"act": "fuse", "ids": [id]},
            {"act": "order", "order": order},
        ]
        for http, found in ((owner, True), (thief, False)):
            for wish in wishes:
                told = join(http, fill["id"], [None] * len(fill["inputs"]), event_data=wish)
                assert (told[-1]["success"], "a private wish" in json.dumps(told)) == (
                    found,
                    found and wish["act"] in ("settings", "order"),
                )
        assert owner.post("/board/act", json={"act": "delete", "ids": [id]}).json() == {"count": 1}
        assert thief.post("/board/act", json={"act": "restore", "ids": [id]}).json() == {"count": 0}
        assert owner.post("/board/act", json={"act": "restore", "ids": [id]}).json() == {"count": 1}


@pytest.mark.parametrize(
    "address",
    [
        "file=/etc/passwd",
        "file=../../../etc/passwd",
        "file=%2e%2e/%2e%2e/etc/passwd",
        "file=app.py",
        "file=.env",
        "file=http://127.0.0.1:1/",
        "file=http://169.254.169.254/latest/meta-data/",
        "file=https://example.com/a.png",
        "file=http:/127.0.0.1/",
        "proxy=http://127.0.0.1:1/",
        "proxy=https://huggingface.co/",
    ],
)
def test_no_file_and_no_address_is_served_that_was_not_published(app: RunningApp, address: str) -> None:
    with someone(app) as http:
        answer = http.get(f"/gradio_api/{address}")
        assert answer.status_code in (403, 404)
        assert "root:" not in answer.text


def test_a_forged_upload_path_is_no_picture(app: RunningApp, public: tuple[RunningApp, Service]) -> None:
    _, service = public
    kept = service.everything.root / "kept.png"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(b"not yours")
    forged: list[Any] = [
        {"path": str(kept), "meta": {"_type": "gradio.FileData"}},
        {"path": "/etc/passwd", "url": f"{app.url}/healthz", "meta": {"_type": "gradio.FileData"}},
        {"path": "http://127.0.0.1:1/a.png", "meta": {"_type": "gradio.FileData"}},
        {"path": "a\0b"},
        {"path": None},
    ]
    with someone(app) as http:
        for image in forged:
            begun = http.post("/gradio_api/call/v2/edit_image", json={"prompt": "x", "image": image})
            told = http.get(f"/gradio_api/call/edit_image/{begun.json()['event_id']}").text if begun.is_success else ""
            assert "event: complete" not in told
            assert "not yours" not in told
    assert app.orders == []


def test_a_forged_cookie_is_nobody(app: RunningApp) -> None:
    with someone(app) as http:
        real = http.get("/healthz").headers["set-cookie"].partition(";")[0]
        name, _, value = real.partition("=")
        forged = ["x", value[:-1] + ("0" if value[-1] != "0" else "1"), value.partition(".")[0], "." + value]
        with someone(app) as other:
            for text in forged:
                assert "set-cookie" in other.get("/healthz", headers={"Cookie": f"{name}={text}"}).headers
            assert "set-cookie" not in other.get("/healthz", headers={"Cookie": real}).headers


def test_uploads_without_end_end(app: RunningApp) -> None:
    def endless() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        for _ in range(200):
            yield bytes(1_000_000)

    form = {"Content-Type": "multipart/form-data; boundary=x"}
    with someone(app) as http:
        announced = b"POST /gradio_api/upload HTTP/1.1\r\nHost: a\r\nContent-Length: 200000000\r\n\r\n"
        with socket.create_connection(("127.0.0.1", httpx.URL(app.url).port or 0)) as raw:
            raw.sendall(announced)
            assert raw.recv(100).startswith(b"HTTP/1.1 413")
        try:
            status = http.post("/gradio_api/upload", headers=form, content=endless()).status_code
        except httpx.TransportError:  # it hung up while we were still sending
            status = 413
        assert status == 413
        within, beyond = (bytes(megabytes * 1_000_000) for megabytes in (UPLOAD_MB - 1, UPLOAD_MB + 2))
        assert http.post("/gradio_api/upload", files={"files": ("a.png", within)}).status_code == 200
        assert http.post("/gradio_api/upload", files={"files": ("a.png", beyond)}).status_code == 413
        assert http.post("/gradio_api/queue/join", content=b"[" * 3_000_000).status_code == 413


def test_an_upload_that_is_broken_off_is_no_fault(app: RunningApp, caplog: pytest.LogCaptureFixture) -> None:
    head = b"POST /gradio_api/upload HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    begun = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\nbegun'
    with someone(app) as http:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", httpx.URL(app.url).port or 0)) as raw:
                raw.sendall(head + b"Content-Length: 1000000\r\n\r\n" + begun)
        assert http.get("/healthz").text == "ok"
    assert not [record for record in caplog.records if record.exc_info]


def test_what_is_uploaded_runs_in_no_browser(app: RunningApp) -> None:
    with someone(app) as http:
        for name in ("a.png", "a.html", "a.svg"):
            (path,) = http.post("/gradio_api/upload", files={"files": (name, HTML)}).json()
            headers = http.get(f"/gradio_api/file={path}").headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_the_page_runs_only_its_own_scripts_and_only_spaces_may_frame_it(app: RunningApp) -> None:
    with someone(app) as http:
        first, second = (http.get("/").headers["content-security-policy"] for _ in range(2))
    assert first != second
    assert "script-src 'self' 'unsafe-eval' 'nonce-" in first
    assert "frame-ancestors 'self' https://huggingface.co https://*.hf.space" in first


async def test_a_key_that_is_not_taken_is_neither_used_nor_repeated(app: RunningApp) -> None:
    key = "sk-stranger-0123456789"
    async with httpx.AsyncClient(base_url=app.url, timeout=60) as http:
        told = await draw(http, "a", **{"X-Qwen-Api-Key": key})
    assert "takes no keys" in told
    assert key not in told
    assert app.orders == []


def test_other_pages_cant_drive_a_local_app(running_app: RunningApp) -> None:
    running_app.orders.clear()
    with httpx.Client(base_url=running_app.url) as http:
        own = {"Origin": running_app.url}
        body = {"prompt": "a"}
        foreign: list[dict[str, str]] = [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
            {"Host": "evil.example"},
            {"Host": "evil.example:7860", "Origin": "http://evil.example:7860"},
        ]
        for headers in foreign:
            assert http.post("/gradio_api/call/v2/text_to_image", json=body, headers=headers).status_code == 403
        assert http.get("/", headers={"Host": "evil.example"}).status_code == 403
        assert running_app.orders == []
        for headers in ({}, own, {"Host": "localhost:7860"}):
            assert http.get("/config", headers=headers).status_code == 200
        begun = http.post("/gradio_api/call/v2/text_to_image", json=body, headers=own)
        assert "event: complete" in http.get(f"/gradio_api/call/text_to_image/{begun.json()['event_id']}").text


BOARD = ("orders", "library", "picture", "code", "answers.zip", "usage.csv")
FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "https://neighbour.hf.space"},
    {"Origin": "https://huggingface.co"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_pages_elsewhere_neither_order_nor_read(app: RunningApp, headers: dict[str, str]) -> None:
    with someone(app) as http:
        http.get("/")  # a visitor with a cookie
        preflight = {**headers, "Access-Control-Request-Method": "POST"}
        answers = [
            http.post("/gradio_api/call/v2/text_to_image", json={"prompt": "a"}, headers=headers),
            http.post("/gradio_api/queue/join", json={"fn_index": 1, "data": []}, headers=headers),
            http.post("/gradio_api/upload", files={"files": ("a.png", b"x")}, headers=headers),
            http.post("/gradio_api/mcp/", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, headers=headers),
            http.post("/board/act", json={"act": "restore", "ids": ["a"]}, headers=headers),
            http.get("/pictures.zip", params={"ticket": "a"}, headers=headers),
            *(http.get(path, headers=headers) for path in ("/config", "/gradio_api/queue/data", "/gradio_api/info")),
            *(http.get(f"/board/{name}", headers=headers) for name in BOARD),
            http.get("/picture/2026-11-22-0123456789abcdef01234567", headers=headers),
            *(http.options(path, headers=preflight) for path in ("/config", "/gradio_api/queue/join")),
        ]
    assert {answer.status_code for answer in answers} == {403}
    assert not [name for answer in answers for name in answer.headers if name.startswith("access-control")]
    assert app.orders == []


def test_the_own_page_and_programs_order_behind_a_proxy(app: RunningApp) -> None:
    own = {"Host": "backend:7860", "X-Forwarded-Host": "demo.example", "Origin": "https://demo.example"}
    with someone(app) as http:
        for headers in (own, {"Sec-Fetch-Site": "same-origin", "Origin": "https://demo.example"}, {}):
            answer = http.post("/gradio_api/call/v2/text_to_image", json={"prompt": "a"}, headers=headers)
            assert answer.status_code == 200
            assert not [name for name in answer.headers if name.startswith("access-control")]


GRADIO_OPEN = {
    *("GET /", "HEAD /", "GET /assets/x", "GET /config", "GET /favicon.ico", "POST /login", "GET /manifest.json"),
    *("GET /robots.txt", "GET /static/x", "GET /svelte/x", "GET /theme.css", "GET /gradio_api/theme.css"),
    *("GET /gradio_api/app_id", "GET /gradio_api/startup-events", "GET /gradio_api/heartbeat/x"),
    *("POST /gradio_api/queue/join", "GET /gradio_api/queue/data", "POST /gradio_api/upload"),
    *("GET /gradio_api/upload_progress", "POST /gradio_api/cancel", "POST /gradio_api/reset"),
    *("GET /gradio_api/file=x", "HEAD /gradio_api/file=x", "GET /gradio_api/info"),
}
"""What of Gradio's own is open, with x for what stands in for anything; its endpoints are known by their names."""
GRADIO_CLOSED = {
    *("GET /config/", "POST /login/", "GET /logout", "GET /openapi.json", "HEAD /openapi.json", "GET /monitoring"),
    *("GET /monitoring/summary", "GET /monitoring/x", "GET /pwa_icon", "GET /pwa_icon/x", "GET /gradio_api/deep_link"),
    *("GET /gradio_api/user", "GET /gradio_api/user/", "GET /gradio_api/login_check", "GET /gradio_api/login_check/"),
    *("GET /gradio_api/token", "GET /gradio_api/token/", "GET /gradio_api/app_id/", "GET /gradio_api/dev/reload"),
    *("GET /gradio_api/runs", "GET /gradio_api/runs/", "GET /gradio_api/info/", "GET /gradio_api/openapi.json"),
    *("GET /gradio_api/custom_component/x/x/x/x", "GET /gradio_api/proxy=x", "HEAD /gradio_api/proxy=x"),
    *("POST /gradio_api/stream/x", "POST /gradio_api/stream/x/close", "GET /gradio_api/stream/x/x/x/playlist.m3u8"),
    *("GET /gradio_api/stream/x/x/x/x.x", "GET /gradio_api/stream/x/x/x/playlist-file", "GET /gradio_api/file/x"),
    *("POST /gradio_api/reset/", "POST /gradio_api/run/x", "POST /gradio_api/run/x/", "POST /gradio_api/api/x"),
    *("POST /gradio_api/api/x/", "POST /gradio_api/call/x", "POST /gradio_api/call/x/", "POST /gradio_api/call/v2/x"),
    *("POST /gradio_api/call/v2/x/", "GET /gradio_api/call/x/x", "GET /gradio_api/call/v2/x/x"),
    *("POST /gradio_api/component_server", "POST /gradio_api/component_server/", "GET /gradio_api/queue/status"),
    *("POST /gradio_api/process_recording", "POST /gradio_api/vibe-edit", "POST /gradio_api/vibe-edit/"),
    *("POST /gradio_api/undo-vibe-edit", "POST /gradio_api/undo-vibe-edit/", "GET /gradio_api/vibe-code"),
    *("GET /gradio_api/vibe-code/", "POST /gradio_api/vibe-code", "POST /gradio_api/vibe-code/"),
    *("POST /gradio_api/vibe-starter-queries", "POST /gradio_api/vibe-starter-queries/"),
    *("GET /gradio_api/run-history/buckets", "GET /gradio_api/run-history/records"),
    *("POST /gradio_api/run-history/connect", "GET /gradio_api/run-history/records/x/x/assets/x"),
}


OWN_CLOSED = {
    *("GET /board/", "GET /board/act", "POST /board/orders", "GET /board/orders/", "GET /board/usageXcsv"),
    *("GET /board/0123456789ab/", "GET /board/0123456789ab/a/b", "GET /board/0123456789ab/..", "POST /picture/x"),
    *("GET /board/0123456789AB/board.css", "GET /picture/", "GET /picture/a/b", "PUT /board/act", "GET /pictures"),
}
"""What would be beside the page's own routes."""


def gradios_routes() -> set[str]:
    """All that the installed Gradio would answer, such as `GET /gradio_api/call/x/x`."""
    app = App.create_app(gradio.Blocks())
    found = set()
    for route in app.routes:
        for inner in getattr(getattr(route, "original_router", None), "routes", [route]):
            path = re.sub(r"\{[^}]*\}", "x", inner.path)
            found |= {f"{method} {path}" for method in inner.methods}
    return found


def test_every_door_of_this_gradio_is_known() -> None:
    assert gradios_routes() == GRADIO_OPEN | GRADIO_CLOSED


def test_only_the_listed_routes_are_open(app: RunningApp) -> None:
    def status(route: str) -> int:
        method, path = route.split()
        with someone(app) as http, http.stream(method, path) as answer:
            return answer.status_code

    assert {route: status(route) for route in GRADIO_CLOSED} == dict.fromkeys(GRADIO_CLOSED, 404)
    # What is open may still say that this or that is not there.
    needed = GRADIO_OPEN - {"GET /gradio_api/queue/data", "GET /gradio_api/upload_progress"}
    files = {route for route in needed if route.endswith("x") and "heartbeat" not in route}
    assert {route: status(route) for route in needed - files if status(route) == 404} == {}
    for odd in ("POST /", "PUT /config", "GET /docs", "GET /gradio_api/file=https://a/b", *OWN_CLOSED):
        assert status(odd) == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/gradio_api/call/v2/nothing", {}),
        ("POST", "/gradio_api/call/nothing", {"data": []}),
        ("POST", "/gradio_api/queue/join", {"fn_index": 9999, "data": [], "session_hash": "a"}),
        ("POST", "/gradio_api/queue/join", {"fn_index": -1, "data": [], "session_hash": "a"}),
        ("GET", "/gradio_api/queue/data?session_hash=nobody", None),
        ("GET", "/gradio_api/queue/data?session_hash=", None),
        ("GET", "/gradio_api/call/text_to_image/nothing", None),
        ("GET", "/gradio_api/call/v2/edit_image/nothing", None),
    ],
)
def test_what_is_not_known_is_told_in_a_line(
    app: RunningApp, method: str, path: str, body: object, caplog: pytest.LogCaptureFixture
) -> None:
    with someone(app) as http:
        assert http.request(method, path, json=body).status_code == 404
    assert not [record for record in caplog.records if record.exc_info]


def test_no_header_of_a_request_comes_back(app: RunningApp) -> None:
    secret = {
        "Cookie": "session=secret-1",
        "X-Qwen-Api-Key": "sk-secret-2-0123456789",
        "Authorization": "Basic secret3",
    }
    with someone(app) as http:
        (path,) = http.post("/gradio_api/upload", files={"files": ("a.png", b"0123456789")}).json()
        for asked in ("bytes=0-4", "bytes=0-1,2-3", "bytes=--", "Bytes=0-4", "bytes=²-³".encode().decode("latin-1")):
            sent = {**secret, "Range": asked, "Access-Control-Allow-Origin": "*", "Content-Security-Policy": "none"}
            answer = http.get(
                f"/gradio_api/file={path}", headers=[(k.encode(), v.encode("latin-1")) for k, v in sent.items()]
            )
            assert answer.status_code in (200, 206, 400, 416)
            told = str(answer.headers)
            assert not [word for word in ("secret", "access-control", "'none'}") if word in told.lower()]
            assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("queue/join", b"NaN"),
        ("queue/join", b'{"data": NaN, "fn_index": 1}'),
        ("queue/join", b'{"fn_index": 1e400}'),
        ("queue/join", b'{"data": "x"}'),
        ("call/text_to_image", b'{"prompt": "\\ud800"}'),
        ("call/v2/text_to_image", b"{}"),
        ("call/v2/text_to_image", b'{"prompt": "a", "nope": 1}'),
        ("cancel", b"[" * 5_000),
    ],
)
def test_what_cannot_be_read_is_told_briefly(
    app: RunningApp, path: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with someone(app) as http:
        answer = http.post(f"/gradio_api/{path}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 404, 413, 422)
    assert len(answer.content) < 1000
    assert not [record for record in caplog.records if record.exc_info]


def test_odd_names_and_paths_are_no_fault(app: RunningApp, caplog: pytest.LogCaptureFixture) -> None:
    with someone(app) as http:
        assert http.get("/static/" + "a" * 300).status_code == 404
        for name in (b"a:b:c", b"xn--\x80", b"<b>"):
            assert http.get("/", headers=[(b"X-Forwarded-Host", name)]).status_code == 400
        assert http.post("/gradio_api/upload", files={"files": (None, b"x")}).status_code in (400, 422)
        many = [("files", (f"{number}.png", b"x")) for number in range(30)]
        assert http.post("/gradio_api/upload", files=many).status_code == 429
        assert http.post("/gradio_api/cancel", json=[[]] * 600_000).status_code == 413
    assert not [record for record in caplog.records if record.exc_info]


def test_what_is_a_visitors_is_kept_by_no_proxy(app: RunningApp) -> None:
    with someone(app) as http:
        for path in ("/", "/config", "/gradio_api/info"):
            answer = httpx.get(app.url + path)
            assert ("set-cookie" in answer.headers, answer.headers["cache-control"]) == (True, "private")
        for path in ("/board/library", "/board/orders?once=1", "/board/usage.csv", "/picture/x"):
            answer = httpx.get(app.url + path)
            assert "set-cookie" in answer.headers
            assert {"private", "no-store"} & {*answer.headers["cache-control"].split(", ")}
        # What is the same for everyone brings nobody's cookie.
        assert "set-cookie" not in http.get("/theme.css").headers
        (version,) = set(re.findall(r"board/([0-9a-f]{12})/", http.get("/config").text))
        for name in ("board.css", "feed.js", "words.en.json", "example-text_cat.webp"):
            answer = httpx.get(f"{app.url}/board/{version}/{name}")
            assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
            assert "set-cookie" not in answer.headers
        for path in (f"/board/{version}/nothing.js", "/board/0123456789ab/feed.js", f"/board/{version}/..%2fboard.py"):
            assert httpx.get(app.url + path).status_code == 404


def test_a_forged_name_is_told_to_nobody_else(app: RunningApp) -> None:
    with someone(app) as forger, someone(app) as other:
        for path in ("/gradio_api/info", "/config", "/", "/gradio_api/info?all_endpoints=True"):
            forged = {"Host": "forged.example", "X-Forwarded-Host": "forged.example"}
            assert forger.get(path, headers=forged).status_code == 200
            assert "forged.example" not in other.get(path).text


def test_events_that_nobody_reads_have_an_end(app: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradio_patch, "MOST_UNREAD", 5)
    with someone(app) as http:
        colours = next(event for event in events(http) if event["backend_fn"] and not event["inputs"])
        sessions = [secrets.token_hex(5) for _ in range(12)]
        for session in sessions:
            body = {"fn_index": colours["id"], "data": [], "session_hash": session}
            assert http.post("/gradio_api/queue/join", json=body).status_code == 200
        known = []
        for session in sessions:
            with http.stream("GET", "/gradio_api/queue/data", params={"session_hash": session}) as answer:
                known.append(answer.status_code == 200)
    assert known == [False] * 7 + [True] * 5


def test_a_login_is_asked_for_and_guessing_is_slow(tmp_path: Path) -> None:
    client = QwenClient(KEY, "http://offline/v1", transport=Backend())
    service = Service(client, Orders(8), Library(tmp_path))
    with launched(service, QWEN_DEMO_AUTH="ann:right:word", QWEN_DEMO_TRUSTED_PROXIES="1") as url:
        app = RunningApp(url, Backend())

        def tried(http: httpx.Client, password: str) -> int:
            return http.post("/login", data={"username": "ann", "password": password}).status_code

        with someone(app) as guesser, someone(app) as owner:
            closed = ["/gradio_api/info", "/gradio_api/file=/etc/passwd", "/gradio_api/heartbeat/x", "/pictures.zip"]
            closed += [f"/board/{name}" for name in BOARD] + [
                "/board/orders?once=1&page=x",
                "/board/0123456789ab/feed.js",
            ]
            closed += ["/picture/2026-11-22-0123456789abcdef01234567", "/picture/x?w=512", "/picture/x?t=0..0"]
            for path in closed:
                answer = guesser.get(path, headers={"X-Page": "x"})
                assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})
            assert guesser.post("/board/act", json={"act": "restore", "ids": []}).status_code == 401
            assert guesser.post("/gradio_api/call/text_to_image", json={"data": ["a"]}).status_code == 401
            assert [tried(guesser, "wrong") for _ in range(4)] == [400] * 4
            assert tried(guesser, "right:word") == 200
            assert [tried(guesser, "wrong") for _ in range(7)] == [400] * 5 + [429] * 2
            assert tried(guesser, "right:word") == 429
            assert tried(owner, "right:word") == 200
            assert owner.get("/gradio_api/info").status_code == 200
            assert owner.get("/board/library", headers={"X-Page": "x"}).json() == {"pictures": [], "total": 0}
            assert owner.get("/board/orders?once=1").status_code == 200


def test_a_logout_ends_the_own_session_and_at_no_links_bidding(tmp_path: Path) -> None:
    client = QwenClient(KEY, "http://offline/v1", transport=Backend())
    service = Service(client, Orders(8), Library(tmp_path))
    with launched(service, QWEN_DEMO_AUTH="ann:word") as url, ExitStack() as stack:
        one, other = (stack.enter_context(httpx.Client(base_url=url)) for _ in range(2))
        for http in (one, other):
            assert http.post("/login", data={"username": "ann", "password": "word"}).status_code == 200
        assert one.get("/logout").status_code == 404
        assert one.post("/logout", headers={"Origin": "https://evil.example"}).status_code == 403
        assert [http.get("/config").status_code for http in (one, other)] == [200, 200]
        cookies = dict(one.cookies)
        assert one.post("/logout").status_code == 204
        one.cookies.update(cookies)  # who kept them has nothing
        assert [http.get("/config").status_code for http in (one, other)] == [401, 200]
