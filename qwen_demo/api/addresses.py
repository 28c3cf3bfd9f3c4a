"""Where a result may be fetched from: public addresses, so that no answer can point this app at its own network."""

import asyncio
import ipaddress
import socket

from .errors import BadResponse, ConnectionFailed

_HIDING_IPV4 = tuple(map(ipaddress.ip_network, ("2002::/16", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32")))
"""IPv6 that leads to an IPv4 address inside it: 6to4, NAT64, Teredo."""


def is_public(address: str) -> bool:
    """Whether an IP address is one that everyone reaches: not loopback, private, link-local, shared, nor a disguise."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return is_public(str(ip.ipv4_mapped))
        if any(ip in network for network in _HIDING_IPV4):
            return False
    return ip.is_global and not ip.is_multicast


async def public_address(host: str, port: int) -> str:
    """The address of a host, resolved once; whoever connects uses this one, so that the name can't change its mind.

    Raises:
        ConnectionFailed: there is no such host.
        BadResponse: one of its addresses is not public.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectionFailed(f"{host} is not known", may_be_billed=True) from error
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(map(is_public, addresses)):
        raise BadResponse("not_public")
    return addresses[0]
