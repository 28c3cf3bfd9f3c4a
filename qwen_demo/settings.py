"""The settings: every environment variable in one table, read once, checked, frozen."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
        public: whether strangers look at the page over slow lines: results show as light previews first.
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

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the variables; an absent or empty one has its default.

        Raises:
            WrongSetting: a value can't be used. Its text never holds a secret.
        """
        values = {}
        if environ.get("SPACE_ID") or environ.get("GRADIO_SHARE", "").lower() == "true":
            environ = {"QWEN_DEMO_PUBLIC": "1", **environ}
        for variable in fields(cls):
            name, default, read = (variable.metadata[key] for key in ("name", "default", "read"))
            text = environ.get(name, "").strip() or default
            try:
                values[variable.name] = read(text)
            except ValueError as error:
                shown = "what it is" if variable.metadata["secret"] else repr(text)
                raise WrongSetting(f"{name} must be {error}, not {shown}.") from None
        return cls(**values)

    @property
    def offline(self) -> bool:
        """Whether the embedded offline backend stands in for the API."""
        return not self.api_key
