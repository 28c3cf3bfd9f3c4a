"""Networks as people really have them: proxies, several addresses, relative ones, fake-IP DNS."""

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from qwen_demo.api import resending
from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import BadResponse, ConnectionFailed
from qwen_demo.api.responses import ResultImage
from tests.faults.server import FaultyServer, close, faulty_server, http

KEY = "sk-test-4f1c9a2b"
PNG = b"\x89PNG\r\n\x1a\n of sorts"
NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir", "request_method")


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No proxy but the test's own, and no waiting between tries."""
    for name in (*NAMES, *map(str.upper, NAMES)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(resending, "pause", lambda _: asyncio.sleep(0))
    return monkeypatch


@pytest.fixture
def certify(environ: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], ssl.SSLContext]:
    """Certificates of an authority that clients of this test trust."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    environ.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))

    def certified(name: str) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(name).configure_cert(context)
        return context

    return certified


@dataclass
class Proxy:
    """Takes every name for one server's on 127.0.0.1, as a proxy that resolves by itself may."""

    port: int
    asked: list[str] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    url: str = ""

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        self.asked.append(head.split()[1].decode())
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await self._join(reader, writer)

    async def socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        *_, kind, length = await reader.readexactly(5)
        assert kind == 3, "a name, and not an address"
        name, port = await reader.readexactly(length), await reader.readexactly(2)
        self.asked.append(f"{name.decode()}:{int.from_bytes(port, 'big')}")
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        await self._join(reader, writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(_pass_on(reader, to), _pass_on(there, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # one side went away, which is its right
    finally:
        writer.close()


@asynccontextmanager
async def proxy_to(server: FaultyServer, kind: str = "http") -> AsyncIterator[Proxy]:
    proxy = Proxy(httpx.URL(server.url).port or 0)
    listening = await asyncio.start_server(getattr(proxy, kind), "127.0.0.1", 0)
    proxy.url = f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        listening.close()


def picture_server(certificate: ssl.SSLContext | None = None) -> Any:
    return faulty_server(close, http(200, PNG, "image/png"), certificate)


async def nowhere(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} is not to be looked up here")


async def fetched(url: str, **parts: Any) -> bytes:
    async with QwenClient(KEY, "https://api.example/v1", **parts) as client:
        return await client.fetch(ResultImage(url=url))


@pytest.mark.parametrize(
    ("variable", "scheme", "kind"),
    [
        ("HTTPS_PROXY", "http://", "http"),
        ("https_proxy", "http://", "http"),
        ("ALL_PROXY", "http://", "http"),
        ("HTTPS_PROXY", "", "http"),
        ("HTTPS_PROXY", "http://name:password@", "http"),
        ("ALL_PROXY", "socks5://", "socks"),
        ("all_proxy", "socks5h://", "socks"),
    ],
)
async def test_through_a_proxy_a_result_is_asked_for_by_its_name(
    environ: pytest.MonkeyPatch, certify: Callable[[str], ssl.SSLContext], variable: str, scheme: str, kind: str
) -> None:
    async with picture_server(certify("results.example")) as server, proxy_to(server, kind) as proxy:
        environ.setenv(variable, scheme + proxy.url)
        assert await fetched("https://results.example/a.png?Signature=x%3D", resolve=nowhere) == PNG
        assert proxy.asked == ["results.example:443"]
        assert not any(KEY.encode() in head for head in proxy.heads)
        assert server.keys_beside_posts == []


async def test_through_a_proxy_the_certificate_is_still_that_of_the_name(
    environ: pytest.MonkeyPatch, certify: Callable[[str], ssl.SSLContext]
) -> None:
    async with picture_server(certify("elsewhere.example")) as server, proxy_to(server) as proxy:
        environ.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(ConnectionFailed, match="certificate verify failed"):
            await fetched("https://results.example/a.png", resolve=nowhere)
        assert server.gets == 0


@pytest.mark.parametrize(
    "named", ["results.example", ".example", "results.example:{port}", "a.example, results.example", "*"]
)
async def test_past_the_proxy_the_address_is_fixed_as_ever(
    environ: pytest.MonkeyPatch, certify: Callable[[str], ssl.SSLContext], named: str
) -> None:
    looked_up = []

    async def here(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    async with picture_server(certify("results.example")) as server, proxy_to(server) as proxy:
        port = httpx.URL(server.url).port
        environ.setenv("HTTPS_PROXY", proxy.url)
        environ.setenv("NO_PROXY", named.format(port=port))
        assert await fetched(f"https://results.example:{port}/a.png", resolve=here) == PNG
        assert (looked_up, proxy.asked) == (["results.example"], [])


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "169.254.169.254",
        "[::1]",
        "[fec0::1]",
        "[::127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "2130706433",
        "0x7f.1",
        "127.1",
        "0x7f000001",
        "metadata",
        "localhost",
        "localhost.",
        "printer.local",
        "metadata.google.internal",
    ],
)
async def test_a_proxy_is_not_asked_for_what_is_not_public(environ: pytest.MonkeyPatch, host: str) -> None:
    async with picture_server() as server, proxy_to(server) as proxy:
        environ.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(BadResponse, match="not a public one"):
            await fetched(f"https://{host}/a.png", resolve=nowhere)
        assert proxy.asked == []


class Dead(httpx.AsyncBaseTransport):
    """Some addresses can't be reached."""

    def __init__(self, *dead: str, error: type[httpx.TransportError] = httpx.ConnectError) -> None:
        self.dead, self.error = dead, error
        self.tried: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.tried.append(str(request.url))
        if request.url.host in self.dead or "http" in self.dead:
            raise self.error("unreachable")
        return httpx.Response(200, content=PNG)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout])
@pytest.mark.parametrize(
    ("dead", "tries"),
    [
        ((), 1),
        (("2400:3200::1",), 2),
        (("2400:3200::1", "47.110.1.1"), 3),
    ],
)
async def test_the_next_address_is_tried(dead: tuple[str, ...], tries: int, error: type[httpx.TransportError]) -> None:
    async def several(host: str, port: int) -> list[str]:
        return ["2400:3200::1", "47.110.1.1", "47.110.1.2"]

    line = Dead(*dead, error=error)
    assert await fetched("https://results.example/a.png", transport=line, resolve=several) == PNG
    assert [httpx.URL(url).host for url in line.tried] == ["2400:3200::1", "47.110.1.1", "47.110.1.2"][:tries]


async def test_when_none_can_be_reached_it_is_a_failed_connection() -> None:
    async def several(host: str, port: int) -> list[str]:
        return ["47.110.1.1", "47.110.1.2"]

    line = Dead("47.110.1.1", "47.110.1.2")
    with pytest.raises(ConnectionFailed):
        await fetched("https://results.example/a.png", transport=line, resolve=several)
    assert len(line.tried) == 6  # three tries of both


async def somewhere(host: str, port: int) -> list[str]:
    return ["47.110.1.1"]


@pytest.mark.parametrize(
    ("base", "address", "asked"),
    [
        (
            "https://api.example/v1",
            "/v1/images/x/content?variant=0",
            "https://api.example/v1/images/x/content?variant=0",
        ),
        ("http://127.0.0.1:8000/v1", "/files/a.png", "http://127.0.0.1:8000/files/a.png"),
        ("https://api.example/v1", "./files/a.png", "https://api.example/v1/files/a.png"),
        ("https://api.example/v1", "../a.png", "https://api.example/a.png"),
        ("https://api.example/v1", "//results.example/a.png", "https://47.110.1.1/a.png"),
        ("http://127.0.0.1:8000/v1", "//results.example/a.png", "https://47.110.1.1/a.png"),
        ("https://api.example/v1", "http://results.example/a.png", "https://47.110.1.1/a.png"),
        ("https://api.example/v1", "http://results.example:80/a.png", "https://47.110.1.1/a.png"),
        ("https://api.example/v1", "http://results.example:8443/a.png", "https://47.110.1.1:8443/a.png"),
        ("https://api.example/v1", "http://api.example/a.png", "http://api.example/a.png"),
    ],
)
async def test_an_address_without_a_host_or_by_http_is_understood(base: str, address: str, asked: str) -> None:
    line = Dead()
    async with QwenClient(KEY, base, transport=line, resolve=somewhere) as client:
        assert await client.fetch(ResultImage(url=address)) == PNG
    assert line.tried == [asked]


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout])
async def test_a_host_without_https_is_refused_in_words(error: type[httpx.TransportError]) -> None:
    line = Dead("http", error=error)
    with pytest.raises(BadResponse, match="address is http, not https"):
        await fetched("http://results.example/a.png", transport=line, resolve=somewhere)
    assert {httpx.URL(url).scheme for url in line.tried} == {"https"}


async def test_a_server_of_plain_http_gets_no_request() -> None:
    came = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.read(4))
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(BadResponse, match="address is http, not https"):
            await fetched(f"http://localhost:{port}/a.png", trusted_hosts=("localhost",))
    assert came
    assert not [beginning for beginning in came if beginning.startswith(b"GET")]


@pytest.mark.parametrize(
    ("b64", "content"),
    [
        (base64.b64encode(b"\xff\xd8\xff in line").decode(), b"\xff\xd8\xff in line"),
        (base64.b64encode(b"RIFF1234WEBP").decode(), b"RIFF1234WEBP"),
        (base64.b64encode(b"\0\0\0\x18ftypheic").decode(), b"\0\0\0\x18ftypheic"),
        ("not base64!", PNG),
        ("null", PNG),
        ("None", PNG),
        (base64.b64encode(b'{"error": "expired"}').decode(), PNG),
    ],
)
async def test_of_a_picture_and_its_address_the_picture_comes_first_if_it_is_one(b64: str, content: bytes) -> None:
    async with QwenClient(KEY, "https://api.example/v1", transport=Dead(), resolve=somewhere) as client:
        assert await client.fetch(ResultImage(b64=b64, url="https://results.example/a.png")) == content


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names resolve to."""
    known: dict[str, list[str]] = {}

    def answer(host: str, port: int, *_: object, **__: object) -> list[Any]:
        kinds = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(kinds[":" in ip], socket.SOCK_STREAM, 6, "", (ip, port)) for ip in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return known


@pytest.mark.parametrize(
    "addresses", [["198.18.0.7"], ["198.19.255.1"], ["fdfe:dcba:9876::7", "198.18.0.7"], ["64:ff9b::c612:7"]]
)
async def test_a_fake_address_is_refused_with_the_way_out(dns: dict[str, list[str]], addresses: list[str]) -> None:
    dns["oss.aliyuncs.com"] = addresses
    with pytest.raises(BadResponse, match=r"set QWEN_DEMO_TRUSTED_RESULT_HOSTS=oss\.aliyuncs\.com"):
        await fetched("https://oss.aliyuncs.com/a.png", transport=Dead())
    line = Dead()
    assert await fetched("https://oss.aliyuncs.com/a.png", transport=line, trusted_hosts=(".aliyuncs.com",)) == PNG
    assert line.tried == ["https://oss.aliyuncs.com/a.png"]


@pytest.mark.parametrize("address", ["64:ff9b::2f6e:101", "2002:2f6e:101::1", "::ffff:47.110.1.1", "47.110.1.1"])
async def test_what_leads_to_a_public_address_is_public(dns: dict[str, list[str]], address: str) -> None:
    dns["results.example"] = [address]
    assert await fetched("https://results.example/a.png", transport=Dead()) == PNG


@pytest.mark.parametrize(
    "address", ["fec0::1", "::127.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "2001:0:2f6e:101::", "::ffff:0:10.0.0.1"]
)
async def test_what_leads_home_is_not(dns: dict[str, list[str]], address: str) -> None:
    dns["results.example"] = ["47.110.1.1", address]
    with pytest.raises(BadResponse, match="not a public one"):
        await fetched("https://results.example/a.png", transport=Dead())


async def test_a_trusted_host_may_be_here_and_still_needs_its_certificate(
    certify: Callable[[str], ssl.SSLContext],
) -> None:
    async with picture_server(certify("localhost")) as server:
        port = httpx.URL(server.url).port
        assert await fetched(f"https://localhost:{port}/a.png", trusted_hosts=("localhost",)) == PNG
        with pytest.raises(BadResponse, match="not a public one"):
            await fetched(f"https://localhost:{port}/a.png")
    async with picture_server(certify("other.example")) as server:
        port = httpx.URL(server.url).port
        with pytest.raises(ConnectionFailed, match="certificate verify failed"):
            await fetched(f"https://localhost:{port}/a.png", trusted_hosts=("localhost",))
