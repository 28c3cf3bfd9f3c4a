"""Who asks, and the keys that visitors bring along."""

import hashlib
import logging
import os
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from .api.errors import QwenDemoError

log = logging.getLogger(__name__)

MOST_KEYS = 10_000  # held at once; who was not seen for longest goes first


@dataclass(frozen=True)
class Visitor:
    """Who asks.

    Attributes:
        name: of the browser or the signed-in user: whose orders, pictures and key these are.
        counted: the names under which quotas count, such as the cookie's and the address's: all of them must have some
            left, so that a new cookie brings no new quota.
        key: the own key that came with the request, or "".
        known: whether the browser brought its cookie along.
    """

    name: str
    counted: tuple[str, ...] = ()
    key: str = field(default="", repr=False)
    known: bool = True

    def in_page(self, session: str) -> "Visitor":
        """The same request, from a page whose browser keeps no cookies: a visitor for as long as that page is open."""
        name = f"page {hashlib.sha256(session.encode()).hexdigest()[:32]}"
        return replace(self, name=name, counted=(name, *self.counted[1:]))

    def signed_in(self, user: str) -> "Visitor":
        """The same request, from whoever gave that name and a password: one visitor, in every browser."""
        return replace(self, name=f"user {user}", counted=(f"user {user}",))


class NoOwnKeys(QwenDemoError):
    """A key came with the request, and this app takes none."""


class BadKey(QwenDemoError):
    """What was given as a key can't be one."""


class OwnKeys:
    """The visitors' own keys, in memory alone.

    Args:
        keep: seconds until a key is dropped that was not used.
    """

    def __init__(self, keep: float = 12 * 3600.0) -> None:
        self._keep = keep
        self._keys: dict[str, tuple[str, float]] = {}

    def put(self, name: str, key: str) -> None:
        """Hold a visitor's key, in place of the one before.

        Raises:
            BadKey: it can't be one.
        """
        key = check_key(key)
        self._keys.pop(name, None)
        if len(self._keys) >= MOST_KEYS:
            del self._keys[next(iter(self._keys))]
        self._keys[name] = key, time.monotonic()

    def find(self, name: str) -> str:
        """A visitor's key, or ""."""
        key, used = self._keys.pop(name, ("", 0.0))
        if not key or time.monotonic() - used > self._keep:
            return ""
        self._keys[name] = key, time.monotonic()
        return key

    def forget(self, name: str) -> None:
        """Drop a visitor's key."""
        self._keys.pop(name, None)


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
