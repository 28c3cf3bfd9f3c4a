"""Where a result may be fetched from: public addresses, so that no answer can point this app at its own network."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from contextlib import suppress
from urllib.request import getproxies, proxy_bypass

from .errors import BadResponse, ConnectionFailed

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_FAKE = ipaddress.IPv4Network("198.18.0.0/15")
"""For tests of networks; proxy programs such as Clash answer with it in place of every host's own address."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_UNICAST = ipaddress.IPv6Network("2000::/3")
"""All that is given out of IPv6; what leads to an IPv4 address in other ways stands outside of it."""
_RESERVED = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20")))
"""Teredo and other protocols' own, documentation: Python takes some of it for global, each version another part."""
_LOCAL_NAMES = (".localhost", ".local", ".lan", ".internal", ".home.arpa", ".localdomain")


def is_public(address: str) -> bool:
    """Whether an IP address is one that everyone reaches: not loopback, private, link-local, shared, nor a disguise.

    IPv6 that carries an IPv4 address (mapped, 6to4, NAT64) is what that one is.
    """
    ip = _inner(address)
    if ip.version == 6 and ip not in _UNICAST:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _RESERVED)


async def public_addresses(host: str, port: int) -> list[str]:
    """The addresses of a host, resolved once; whoever connects uses these, so that the name can't change its mind.

    Raises:
        ConnectionFailed: there is no such host.
        BadResponse: one of its addresses is not public.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectionFailed(f"{host} is not known", may_be_billed=True) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if any(_inner(address) in _FAKE for address in addresses):
        raise BadResponse("fake_address", host=host)
    if not addresses or not all(map(is_public, addresses)):
        raise BadResponse("not_public")
    return addresses


def check_for_proxy(host: str) -> None:
    """See that a host can be a public one, as far as that shows before a proxy resolves its name.

    Raises:
        BadResponse: it is an address that is not public, or a name of someone's own network.
    """
    name = host.lower().rstrip(".")
    if address := _written_address(name):
        allowed = is_public(address)
    else:
        allowed = "." in name and not name.endswith(_LOCAL_NAMES)
    if not allowed:
        raise BadResponse("not_public")


def is_named(host: str, names: Iterable[str]) -> bool:
    """Whether a host is one of these names, or stands below one of the suffixes among them, such as `.aliyuncs.com`."""
    host = host.lower().rstrip(".")
    return any(host == name.lstrip(".") or (name.startswith(".") and host.endswith(name)) for name in names)


def proxies() -> dict[str, str]:
    """The proxy of http and of https, by the environment's word, or the system's: the ones that httpx uses too."""
    told = getproxies()
    found = {scheme: told.get(scheme) or told.get("all") for scheme in ("http", "https")}
    return {scheme: url if "://" in url else f"http://{url}" for scheme, url in found.items() if url}


def is_past_proxies(host: str, port: int) -> bool:
    """Whether a host is reached without a proxy: `NO_PROXY` names it, or the system does."""
    return bool(proxy_bypass(host) or proxy_bypass(f"{host}:{port}"))


def _inner(address: str) -> IPAddress:
    """An IP address, freed of the IPv6 that wraps it."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        nat64 = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in _NAT64 else None
        return ip.ipv4_mapped or ip.sixtofour or nat64 or ip
    return ip


def _written_address(name: str) -> str | None:
    """The IP address that a host's name is, in any way of writing it that is understood: 127.1, 0x7f000001, ::1."""
    with suppress(ValueError):
        return str(ipaddress.ip_address(name.partition("%")[0]))
    with suppress(OSError, UnicodeError):
        return socket.inet_ntoa(socket.inet_aton(name))
    return None
