"""Strangers at full speed, an address for each kind: `python -m tests.faults.attackers URL KIND`, until it is ended."""

import asyncio
import itertools
import json
import secrets
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from io import BytesIO

import httpx
from PIL import Image

TOGETHER = 8


async def pages(http: httpx.AsyncClient) -> None:
    await http.get("/")


async def nowhere(http: httpx.AsyncClient) -> None:
    await http.get(f"/{secrets.token_hex(4)}")


async def events(http: httpx.AsyncClient) -> None:
    body = {"fn_index": secrets.randbelow(80), "data": [{"path": "/etc/passwd"}] * 12}
    await http.post("/gradio_api/queue/join", json={**body, "session_hash": secrets.token_hex(5)})


async def one_session(http: httpx.AsyncClient) -> None:
    body = {"fn_index": secrets.randbelow(80), "data": [], "session_hash": "always the same"}
    await http.post("/gradio_api/queue/join", json=body)


async def orders(http: httpx.AsyncClient) -> None:
    await call(http, "text_to_image", {"prompt": "a"})


async def keys(http: httpx.AsyncClient) -> None:
    http.headers["X-Qwen-Api-Key"] = f"sk-{secrets.token_hex(16)}"
    await call(http, "text_to_image", {"prompt": "a", "n": 6})


async def pictures(http: httpx.AsyncClient) -> None:
    """Small uploads that take long to read and much memory, for orders that can be and for others."""
    for upload in (large("JPEG", progressive=True), large("PNG")):
        (path,) = (await http.post("/gradio_api/upload", files={"files": ("a", upload)})).json()
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        for model in ("nothing", "qwen-image-edit-plus") * 5:
            await call(http, "edit_image", {"prompt": "a", "image": file, "model": model})


async def half(http: httpx.AsyncClient) -> None:
    """Sixty connections that never say what they want."""
    lines = []
    for _ in range(60):
        lines.append(await asyncio.open_connection(http.base_url.host, http.base_url.port))
        lines[-1][1].write(b"GET / HTTP/1.1\r\nX: ")
    for reader, writer in lines:
        await reader.read()
        writer.close()


async def garbage(http: httpx.AsyncClient) -> None:
    reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
    writer.write(b"\x16\x03\x01\x02\0\1\0\r\n\r\n")
    await reader.read()
    writer.close()


KINDS: dict[str, Callable[[httpx.AsyncClient], Awaitable[None]]] = {
    one.__name__: one for one in (pages, nowhere, events, one_session, orders, keys, pictures, half, garbage)
}


async def call(http: httpx.AsyncClient, name: str, body: dict[str, object]) -> None:
    begun = await http.post(f"/gradio_api/call/v2/{name}", json=body)
    if begun.status_code == 200:
        await http.get(f"/gradio_api/call/{name}/{begun.json()['event_id']}")


@cache
def large(format: str, **options: bool) -> bytes:
    """Forty megapixels in a small file."""
    file = BytesIO()
    Image.new("RGB", (8000, 5000)).save(file, format, **options)
    return file.getvalue()


async def attack(url: str, kind: str) -> None:
    address = f"203.0.113.{[*KINDS].index(kind)}"

    async def one() -> None:
        async with httpx.AsyncClient(base_url=url, headers={"X-Forwarded-For": address}, timeout=60) as http:
            for _ in itertools.count():
                with suppress(httpx.TransportError, OSError, json.JSONDecodeError, ValueError):
                    await KINDS[kind](http)

    await asyncio.gather(*(one() for _ in range(TOGETHER)))


if __name__ == "__main__":
    asyncio.run(attack(*sys.argv[1:3]))
