"""A server that misbehaves on purpose: raw asyncio, so that nothing repairs what it does."""

import asyncio
import gzip
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.client import responses
from typing import Any

Behaviour = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request that came, and the line to answer on."""

    server: "FaultyServer"
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter

    @property
    def order(self) -> dict[str, Any]:
        """What was ordered."""
        order: dict[str, Any] = json.loads(self.body)
        return order

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reset(self) -> None:
        """Break the line without a word."""
        # Closing with a linger time of 0 sends RST in place of FIN.
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@dataclass
class FaultyServer:
    """Answers POSTs and GETs as told, and counts them."""

    on_post: Behaviour
    on_get: Behaviour
    url: str = ""
    posts: int = 0
    gets: int = 0
    keys_beside_posts: list[str] = field(default_factory=list)
    """Keys that came with anything but a POST: there must be none."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a POST came."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            exchange = await self._read(reader, writer)
            if exchange.method == "POST":
                self.posts += 1
                self.arrived.set()
                await self.on_post(exchange)
            else:
                self.gets += 1
                if "authorization" in exchange.headers:
                    self.keys_beside_posts.append(exchange.headers["authorization"])
                await self.on_get(exchange)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, which is its right
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Exchange(self, method, path, headers, body, writer)


@asynccontextmanager
async def faulty_server(
    on_post: Behaviour, on_get: Behaviour, certificate: ssl.SSLContext | None = None
) -> AsyncIterator[FaultyServer]:
    """Serve on a free port of 127.0.0.1."""
    faulty = FaultyServer(on_post, on_get)
    server = await asyncio.start_server(faulty.handle, "127.0.0.1", 0, ssl=certificate)
    port = server.sockets[0].getsockname()[1]
    faulty.url = f"{'https' if certificate else 'http'}://127.0.0.1:{port}"
    try:
        yield faulty
    finally:
        server.close()


def raw(data: bytes) -> Behaviour:
    """These bytes, and then the end of the line."""

    async def behave(exchange: Exchange) -> None:
        await exchange.write(data)

    return behave


def http(status: int, body: bytes = b"", kind: str = "application/json", **headers: str) -> Behaviour:
    """A whole answer; `retry_after="1"` becomes the header `retry-after`."""
    named = {"content-type": kind, "content-length": str(len(body)), "connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return raw(f"HTTP/1.1 {status} {responses[status]}\r\n{head}\r\n".encode("latin-1") + body)


def told(status: int, body: object, **headers: str) -> Behaviour:
    """A whole answer in JSON."""
    return http(status, json.dumps(body).encode(), **headers)


def refusal(status: int, code: str, message: str = "no") -> Behaviour:
    """An error in the form that the API documents."""
    return told(status, {"error": {"message": message, "type": "error", "code": code}})


def results(*addresses: str) -> Behaviour:
    """Pictures at these addresses; one that begins with / is on this server."""

    async def behave(exchange: Exchange) -> None:
        urls = [exchange.server.url + address if address.startswith("/") else address for address in addresses]
        await told(200, {"data": [{"url": url} for url in urls]})(exchange)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One after the other; the last again and again."""
    left = list(behaviours)

    async def behave(exchange: Exchange) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(exchange)

    return behave


async def close(exchange: Exchange) -> None:
    """Not a word."""


async def reset(exchange: Exchange) -> None:
    await exchange.reset()


async def hang(exchange: Exchange) -> None:
    """No answer, for longer than anyone here waits."""
    await asyncio.sleep(60)


async def drip(exchange: Exchange) -> None:
    """An answer that never stands still for long, and never comes to its end."""
    await exchange.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    while True:
        await exchange.write(b" ")
        await asyncio.sleep(0.02)


async def endless(exchange: Exchange) -> None:
    """A body without end, as fast as it is read."""
    await exchange.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await exchange.write(b"\0" * 1_000_000)


def zipped(body: bytes) -> Behaviour:
    return http(200, gzip.compress(body), content_encoding="gzip")
