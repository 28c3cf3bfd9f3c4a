"""Files arrive whole, in few pieces, whatever stands around them."""

import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse
from starlette.routing import Route
from starlette.types import Message

from qwen_demo.web.files import PIECE, Files


def serving(path: Path) -> Starlette:
    """An app with one file, and a middleware in front that compresses."""

    def get(_: Request) -> FileResponse:
        return FileResponse(path)

    return Starlette(
        routes=[Route("/", get), Route("/text", lambda _: PlainTextResponse("text"))],
        middleware=[Middleware(GZipMiddleware), Middleware(Files)],
    )


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("name", ["a.png", "a.js"])
@pytest.mark.parametrize("size", [0, 1, PIECE, 2 * PIECE + 1])
async def test_a_file_arrives_whole(tmp_path: Path, size: int, name: str, encoding: str) -> None:
    path = tmp_path / name
    path.write_bytes(data := os.urandom(size))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(serving(path)), base_url="http://app") as http:
        answer = await http.get("/", headers={"Accept-Encoding": encoding})
        assert answer.content == data
        head = await http.head("/", headers={"Accept-Encoding": encoding})
        assert (head.content, head.headers["content-length"]) == (b"", str(size))
        assert (await http.get("/text")).text == "text"


async def test_a_part_of_a_file_arrives(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data := os.urandom(3 * PIECE))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(serving(path)), base_url="http://app") as http:
        part = await http.get("/", headers={"Range": f"bytes=5-{2 * PIECE}"})
        assert (part.status_code, part.content) == (206, data[5 : 2 * PIECE + 1])
        parts = await http.get("/", headers={"Range": "bytes=0-1,5-6"})
        assert parts.status_code == 206
        assert data[5:7] in parts.content
        assert (await http.get("/", headers={"Range": f"bytes={3 * PIECE}-"})).status_code == 416


@pytest.mark.parametrize(("kind", "said"), [("inline", None), ("attachment", 'attachment; filename="a.png"')])
async def test_only_what_is_saved_at_once_brings_a_name(tmp_path: Path, kind: str, said: str | None) -> None:
    (tmp_path / "a.png").touch()
    app = Files(FileResponse(tmp_path / "a.png", filename="a.png", content_disposition_type=kind))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as http:
        assert (await http.get("/")).headers.get("content-disposition") == said


@pytest.mark.parametrize("extensions", [{}, {"extensions": None}, {"extensions": {"tls": {}}}])
async def test_pieces_are_large_with_any_server(tmp_path: Path, extensions: dict[str, Any]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(bytes(PIECE + 1))
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "headers": [], **extensions}
    before = dict(extensions.get("extensions") or {})
    await Files(FileResponse(path))(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", *["http.response.body"] * 2]
    assert [(len(message["body"]), message["more_body"]) for message in sent[1:]] == [(PIECE, True), (1, False)]
    assert (extensions.get("extensions") or {}) == before
