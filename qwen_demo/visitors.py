"""Who asks, and the keys that visitors bring along."""

import hashlib
import logging
import os
import secrets
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from .api.errors import QwenDemoError, Unauthorized

log = logging.getLogger(__name__)

H = TypeVar("H")
T = TypeVar("T")

MOST_KEYS = 10_000  # held at once; who was not seen for longest goes first
REFUSED = 3600.0  # seconds for which a refused key is not tried again


@dataclass(frozen=True)
class Visitor:
    """Who asks.

    Attributes:
        name: of the browser or the signed-in user: whose orders, pictures and key these are.
        counted: the names under which quotas count, such as the cookie's and the address's: all of them must have some
            left, so that a new cookie brings no new quota.
        key: the own key that came with the request, or "".
        host: where that key belongs, as far as the request says.
        known: whether the browser brought its cookie along.
    """

    name: str
    counted: tuple[str, ...] = ()
    key: str = field(default="", repr=False)
    known: bool = True
    host: str = ""

    def in_page(self, session: str) -> "Visitor":
        """The same request, from a page whose browser keeps no cookies: a visitor for as long as that page is open."""
        name = f"page {hashlib.sha256(session.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
        return replace(self, name=name, counted=(name, *self.counted[1:]))

    def signed_in(self, user: str) -> "Visitor":
        """The same request, from whoever gave that name and a password: one visitor, in every browser."""
        return replace(self, name=f"user {user}", counted=(f"user {user}",))


class NoOwnKeys(QwenDemoError):
    """A key came with the request, and this app takes none."""


class BadKey(QwenDemoError):
    """What was given as a key can't be one."""


class UnknownHost(QwenDemoError):
    """A key came for a host that isn't on the owner's list: keys go nowhere else."""


class OwnKeys:
    """The visitors' own keys, in memory alone.

    Args:
        hosts: where keys may go besides the usual host, by the names that visitors choose from.
        keep: seconds until a key is dropped that was not used.
    """

    def __init__(self, hosts: Iterable[str] = (), keep: float = 12 * 3600.0) -> None:
        self.hosts = tuple(hosts)
        self._keep = keep
        self._keys: dict[str, tuple[str, str, float]] = {}
        self._refused: dict[bytes, tuple[set[str], float]] = {}

    def put(self, name: str, key: str, host: str = "") -> None:
        """Hold a visitor's key and where it belongs, "" for the usual host, in place of the one before. One that was
        refused may be tried again.

        Raises:
            BadKey: it can't be one.
            UnknownHost: it may not go there.
        """
        key = check_key(key)
        self._refused.pop(_hash(key, self.check_host(host)), None)
        _put(self._keys, name, (key, host, time.monotonic()))

    def find(self, name: str) -> str:
        """A visitor's key, or ""."""
        return self.held(name)[0]

    def held(self, name: str) -> tuple[str, str]:
        """A visitor's key and where it belongs, "" for the usual host; two "" where there is none."""
        key, host, used = self._keys.pop(name, ("", "", 0.0))
        if not key or time.monotonic() - used > self._keep:
            return "", ""
        self._keys[name] = key, host, time.monotonic()
        return key, host

    def check_host(self, host: str) -> str:
        """The host, if it is one of the owner's list, or "".

        Raises:
            UnknownHost: it isn't.
        """
        if host and host not in self.hosts:
            raise UnknownHost(f"{host[:100]} is not one of {', '.join(self.hosts) or 'none'}")
        return host

    def forget(self, name: str) -> None:
        """Drop a visitor's key."""
        self._keys.pop(name, None)

    def refuse(self, names: Iterable[str], key: str, host: str = "") -> None:
        """The API at that host refused a key: it isn't tried again for the visitor of these names, for an hour."""
        before, _ = self._refused.get(_hash(key, host), ((), 0.0))
        _put(self._refused, _hash(key, host), ({*before, *names}, time.monotonic()))

    def check(self, names: Iterable[str], key: str, host: str = "") -> None:
        """Whether a key is worth a try at that host.

        Raises:
            Unauthorized: it was refused to one of these names.
        """
        whose, at = self._refused.get(_hash(key, host), (set[str](), 0.0))
        if not whose.isdisjoint(names) and time.monotonic() - at < REFUSED:
            raise Unauthorized(401, None, "this key was refused before")


def _put(held: dict[H, T], name: H, what: T) -> None:
    """Hold one thing more, as the newest, and no more than there may be."""
    held.pop(name, None)
    if len(held) >= MOST_KEYS:
        del held[next(iter(held))]
    held[name] = what


def _hash(key: str, host: str) -> bytes:
    return hashlib.sha256(f"{host} {key}".encode()).digest()


def kept_secret(folder: Path) -> bytes:
    """What signs the cookies, out of a file of the owner's alone in that folder: visitors are known after a restart.

    Where it can't be kept there is a new one at each start.
    """
    path = folder.expanduser() / ".secret"
    try:
        folder.expanduser().mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        if len(kept := path.read_bytes()) == 32:
            return kept
    except OSError as error:
        log.warning("the cookies' secret can't be kept: %s", error.strerror)
    return secrets.token_bytes(32)


def check_key(key: str) -> str:
    """The key without spaces around it.

    Raises:
        BadKey: it can't be one: it goes into a header as it is, where a line break or a curly quote would fail.
    """
    key = key.strip()
    if not 8 <= len(key) <= 256 or not key.isascii() or not key.isprintable() or " " in key:
        raise BadKey
    return key


def masked(key: str) -> str:
    """Enough of a key to know it again: `sk-…1234`."""
    return f"{key[:3]}…{key[-4:]}" if len(key) >= 16 else "…"
