"""The settings: every environment variable in one table, read once, checked, frozen."""

import importlib.util
import json
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from limits import parse

from .api import catalog
from .api.client import DEFAULT_BASE_URL


class WrongSetting(ValueError):
    """A variable has a value that can't be used; the text names the variable, the rule and the value."""


def _key(text: str) -> str:
    # It goes into a header as it is; a pasted line break or curly quote would fail there, with the key in the error.
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("a key without spaces, in plain ASCII")
    return text


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("an http:// or https:// address such as https://host/v1")
    return text.rstrip("/")


def _switch(text: str) -> bool:
    if text.lower() not in ("1", "0", "true", "false"):
        raise ValueError("1 or 0")
    return text.lower() in ("1", "true")


def _log_form(text: str) -> bool:
    if text not in ("text", "json"):
        raise ValueError("text or json")
    return text == "json"


def _quota(text: str) -> str:
    if text == "none":
        return ""
    try:
        parse(text)
    except ValueError:
        raise ValueError("a number of pictures in a time such as 20/day or 5/hour, or none") from None
    return text


def _storage(text: str) -> str:
    if urlsplit(text).scheme not in ("memory", "redis", "rediss"):
        raise ValueError("memory:// or an address such as redis://host:6379")
    if urlsplit(text).scheme != "memory" and not importlib.util.find_spec("redis"):
        raise ValueError("memory:// until its package is there: pip install redis")
    return text


def _mcp(text: str) -> bool:
    on = _switch(text)
    if on and not importlib.util.find_spec("mcp"):
        raise ValueError('0 until its package is there: pip install "gradio[mcp]"')
    return on


def _login(text: str) -> tuple[str, str] | None:
    name, _, password = text.partition(":")
    if text and not (name and password):
        raise ValueError("name:password")
    return (name, password) if text else None


def _secret(text: str) -> bytes:
    if text and len(text) < 16:
        raise ValueError("at least 16 characters that nobody can guess")
    return text.encode()


def _prices(text: str) -> Mapping[str, float]:
    problem = 'JSON such as {"qwen-image-plus": 0.2}, with models of this API and prices from 0 on'
    try:
        prices = json.loads(text)
    except ValueError:
        raise ValueError(problem) from None
    models = {model.name for model in catalog.MODELS}
    if not isinstance(prices, dict) or not prices.keys() <= models:
        raise ValueError(problem)
    if not all(isinstance(price, int | float) and 0 <= price < math.inf for price in prices.values()):
        raise ValueError(problem)
    return prices


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read


def _variable(name: str, default: str, read: Callable[[str], Any], *, secret: bool = False) -> Any:
    return field(repr=not secret, metadata={"name": name, "default": default, "read": read, "secret": secret})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the operator decides. `from_env` reads it; the README's table says it in words.

    Attributes:
        api_key: the owner's key; empty for the offline backend.
        base_url: the API, up to and with its version.
        max_in_flight: calls under way at once in the whole app, 1 to 1000.
        timeout: seconds until a call is given up, 1 to 3600.
        outputs: the folder where finished pictures are kept.
        embed_recipe: whether a picture carries what it was asked with.
        drain: seconds that jobs under way get to finish when the app is told to end, 0 to 3600.
        log_json: whether the log is JSON, a line each.
        prices: what a delivered picture costs, by model.
        currency: of the prices, such as `¥` or `USD`.
        public: whether strangers look at the page: each sees only own pictures, and they are gone after a day.
        own_keys: whether visitors may bring a key of their own.
        visitor_quota: what one visitor may spend, such as `20/day`; "" for as much as they like.
        total_quota: the same for all together.
        visitor_in_flight: calls under way at once for one visitor, 0 for no limit.
        quota_storage: where is counted: `memory://`, or Redis for several processes.
        trusted_proxies: how many proxies in front add the address they see to `X-Forwarded-For`, 0 to 9.
        auth: name and password of the login; None for none.
        secret: signs the visitors' cookies, the same in all processes; empty for a new one at each start.
        mcp: whether agents find the app's tools at `/gradio_api/mcp/`.
    """

    api_key: str = _variable("QWEN_API_KEY", "", _key, secret=True)
    base_url: str = _variable("QWEN_BASE_URL", DEFAULT_BASE_URL, _url)
    max_in_flight: int = _variable("QWEN_MAX_IN_FLIGHT", "32", _whole(1, 1000))
    timeout: int = _variable("QWEN_TIMEOUT", "300", _whole(1, 3600))
    outputs: Path = _variable("QWEN_DEMO_OUTPUTS", "outputs", Path)
    embed_recipe: bool = _variable("QWEN_DEMO_EMBED_RECIPE", "1", _switch)
    drain: int = _variable("QWEN_DEMO_DRAIN", "60", _whole(0, 3600))
    log_json: bool = _variable("QWEN_DEMO_LOG", "text", _log_form)
    prices: Mapping[str, float] = _variable("QWEN_DEMO_PRICES", "{}", _prices)
    currency: str = _variable("QWEN_DEMO_CURRENCY", "", str)
    public: bool = _variable("QWEN_DEMO_PUBLIC", "0", _switch)
    own_keys: bool = _variable("QWEN_DEMO_OWN_KEYS", "0", _switch)
    visitor_quota: str = _variable("QWEN_DEMO_VISITOR_QUOTA", "none", _quota)
    total_quota: str = _variable("QWEN_DEMO_TOTAL_QUOTA", "none", _quota)
    visitor_in_flight: int = _variable("QWEN_DEMO_VISITOR_IN_FLIGHT", "0", _whole(0, 1000))
    quota_storage: str = _variable("QWEN_DEMO_QUOTA_STORAGE", "memory://", _storage, secret=True)
    trusted_proxies: int = _variable("QWEN_DEMO_TRUSTED_PROXIES", "0", _whole(0, 9))
    auth: tuple[str, str] | None = _variable("QWEN_DEMO_AUTH", "", _login, secret=True)
    secret: bytes = _variable("QWEN_DEMO_SECRET", "", _secret, secret=True)
    mcp: bool = _variable("QWEN_DEMO_MCP", "0", _mcp)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the variables; an absent or empty one has its default.

        Raises:
            WrongSetting: a value can't be used. Its text never holds a secret.
        """
        values = {}
        given = {name: text.strip() for name, text in environ.items() if text.strip()}
        given = {**_defaults(given), **given}
        for variable in fields(cls):
            name, default, read = (variable.metadata[key] for key in ("name", "default", "read"))
            text = given.get(name, default)
            try:
                values[variable.name] = read(text)
            except ValueError as error:
                shown = "what it is" if variable.metadata["secret"] else repr(text)
                raise WrongSetting(f"{name} must be {error}, not {shown}.") from None
        if values["mcp"] and values["auth"]:
            raise WrongSetting("QWEN_DEMO_MCP must be 0 with QWEN_DEMO_AUTH: agents can't log in.")
        return cls(**values)

    @property
    def offline(self) -> bool:
        """Whether the embedded offline backend stands in for the API."""
        return not self.api_key

    @property
    def max_upload_mb(self) -> int:
        """The largest file that is taken, in MB."""
        return 12 if self.public else 30


def _defaults(given: Mapping[str, str]) -> dict[str, str]:
    """What follows from where the app runs and from what else is set."""
    defaults: dict[str, str] = {}
    if given.get("SPACE_ID") or given.get("GRADIO_SHARE", "").lower() == "true":
        # A Space's gateway and a share link's tunnel add the visitor's address.
        defaults |= {"QWEN_DEMO_PUBLIC": "1", "QWEN_DEMO_TRUSTED_PROXIES": "1"}
    if {**defaults, **given}.get("QWEN_DEMO_PUBLIC", "").lower() in ("1", "true"):
        defaults |= {
            "QWEN_DEMO_VISITOR_QUOTA": "20/day",
            "QWEN_DEMO_TOTAL_QUOTA": "300/day",
            "QWEN_DEMO_VISITOR_IN_FLIGHT": "2",
            "QWEN_DEMO_OUTPUTS": str(Path(tempfile.gettempdir()) / "qwen-image-demo"),
        }
    elif importlib.util.find_spec("mcp") and "QWEN_DEMO_AUTH" not in given:
        defaults["QWEN_DEMO_MCP"] = "1"
    if "QWEN_API_KEY" not in given:
        defaults["QWEN_DEMO_OWN_KEYS"] = "1"
    return defaults
