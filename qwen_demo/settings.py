"""The settings: every environment variable in one table, read once, checked, frozen."""

import importlib.util
import ipaddress
import os
import re
import string
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from limits import parse
from pydantic import Field, TypeAdapter

from .api.catalog import OwnRows
from .api.dialects import DEFAULT, DIALECTS, Dialect, spoken_at
from .models import read_models

STORAGE = Path("/data")
"""Where a Space has what outlives it: the bucket or the disk that is mounted there, if any."""


class WrongSetting(ValueError):
    """A variable has a value that can't be used; the text names the variable, the rule and the value."""


_AROUND = string.whitespace + "\xa0\xad\u3000\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u2060\ufeff"


def tidy(text: str) -> str:
    """A value without what clings to it from where it was copied: blanks, line ends, what no one sees, its quotes."""
    text = text.strip(_AROUND)
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1].strip(_AROUND) if quoted else text


def _like(pattern: str, rule: str, read: Callable[[str], Any] = str) -> Callable[[str], Any]:
    """A reader of texts that match a pattern as a whole; `rule` is the pattern in words."""

    def checked(text: str) -> Any:
        if not re.fullmatch(pattern, text, re.DOTALL):
            raise ValueError(rule)
        return read(text)

    return checked


# It goes into a header as it is; a pasted line break or curly quote would fail there, with the key in the error.
_key = _like(
    r"(?i)((authorization:\s*)?bearer(\s+|$))?[!-~]*",
    "a key without spaces, in plain ASCII",
    lambda text: tidy(re.sub(r"(?i)^(authorization:\s*)?bearer(\s+|$)", "", text)),
)
_switch = _like("(?i)1|0|true|false", "1 or 0", lambda text: text.lower() in ("1", "true"))
_log_form = _like("text|json", "text or json", lambda text: text == "json")
_login = _like("([^:]+:.+)?", "name:password", lambda text: tuple(text.split(":", 1)) if text else None)
_secret = _like("(.{16,})?", "at least 16 characters that nobody can guess", str.encode)


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read


_ENDPOINT = re.compile(r"(?i)/(images/(generations|edits)|chat/completions|models|services/aigc/.*)$")


def host_name(name: str) -> str:
    """A host's name or IP address, as requests spell it.

    Raises:
        ValueError: it can be neither.
    """
    with suppress(ValueError):
        return str(ipaddress.ip_address(name.strip("[]")))
    name = name.rstrip(".").encode("idna").decode("ascii")
    if not re.fullmatch(r"[\w-]+(\.[\w-]+)*", name) or name in ("http", "https"):  # one address pasted into another
        raise ValueError(name)
    return name


def _url(text: str) -> str:
    if "?" in text or "#" in text:
        raise ValueError("the API's address such as https://host/v1, without ? and #, which web pages have")
    with suppress(ValueError):  # of a port that is no number, of brackets that don't close, of an odd name
        parts, path = urlsplit(text), re.sub("/+", "/", urlsplit(text).path).rstrip("/")
        plain = re.fullmatch(r"(?a)[\w/.~%+-]*", path) and "@" not in text and not re.search(r"\s", text)
        if plain and parts.scheme in ("http", "https") and parts.port != 0 and host_name(parts.hostname or ""):
            return f"{parts.scheme}://{parts.netloc}{_ENDPOINT.sub('', path)}"
    raise ValueError("an http:// or https:// address such as https://host/v1")


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_host, _listed(text))))


def _host(entry: str) -> str:
    """A host or a suffix; people paste whole addresses, and write `*.` in front of a suffix."""
    plain = entry.lower().removeprefix("*")
    suffix = "." if plain.startswith(".") else ""
    plain = plain.removeprefix(".")
    with suppress(ValueError):
        return str(ipaddress.IPv6Address(plain))  # its colons are not those before a port
    with suppress(ValueError):
        parts = urlsplit(plain if "://" in plain else f"//{plain}")
        if parts.path in ("", "/") and not parts.query and "@" not in plain:
            return suffix + host_name(parts.hostname or "")
    raise ValueError("names of hosts, or suffixes such as .example.com, with commas between them")


def _rate(rule: str) -> Callable[[str], str]:
    """A reader of numbers in a time, and of `none`."""

    def read(text: str) -> str:
        if text == "none":
            return ""
        with suppress(ValueError):
            parse(text)
            return text
        raise ValueError(f"a number of {rule}, or none")

    return read


_quota = _rate("pictures in a time such as 20/day or 5/hour")
_attempts = _rate("calls in a time such as 60/minute")


def _calls_a_second(text: str) -> float | None:
    if text == "none":
        return None
    if not re.fullmatch(r"(?a)\d{1,4}(\.\d+)?", text) or not 0.01 <= float(text) <= 1000:
        raise ValueError("calls a second from 0.01 to 1000 such as 2 or 0.5, or none")
    return float(text)


def _storage(text: str) -> str:
    if urlsplit(text).scheme not in ("memory", "redis", "rediss"):
        raise ValueError("memory:// or an address such as redis://host:6379")
    if urlsplit(text).scheme != "memory" and not importlib.util.find_spec("redis"):
        raise ValueError("memory:// until its package is there: pip install redis")
    return text


def _mcp(text: str) -> bool:
    on: bool = _switch(text)
    if on and not importlib.util.find_spec("mcp"):
        raise ValueError('0 until its package is there: pip install "gradio[mcp]"')
    return on


def _prices(text: str) -> Mapping[str, float]:
    with suppress(ValueError):
        return _PRICES.validate_json(text)
    raise ValueError(PRICES_RULE)


PRICES_RULE = 'JSON such as {"qwen-image-plus": 0.2}, with models of this API and prices from 0 on'
_PRICES = TypeAdapter(dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]])


def _dialect(text: str) -> Dialect | None:
    if text and text.lower() not in DIALECTS:
        raise ValueError(f"one of {', '.join(DIALECTS)}, or nothing for what the address tells")
    return DIALECTS.get(text.lower())


def _own_hosts(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_url(entry if "://" in entry else f"https://{entry}") for entry in _listed(text)))


def _listed(text: str) -> list[str]:
    return [entry for entry in re.split(r"[,;，；\s]+", text) if entry]


def _variable(name: str, default: str, read: Callable[[str], Any], *, secret: bool = False) -> Any:
    return field(repr=not secret, metadata={"name": name, "default": default, "read": read})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the operator decides, a variable each. The README's table says what they mean, their units and ranges."""

    api_key: str = _variable("QWEN_API_KEY", "", _key, secret=True)
    base_url: str = _variable("QWEN_BASE_URL", DEFAULT.base_url, _url)
    dialect: Dialect | None = _variable("QWEN_API", "", _dialect)
    models: OwnRows = _variable("QWEN_MODELS", "[]", read_models)
    max_in_flight: int = _variable("QWEN_MAX_IN_FLIGHT", "32", _whole(1, 1000))
    max_rate: float | None = _variable("QWEN_MAX_RATE", "none", _calls_a_second)
    timeout: int = _variable("QWEN_TIMEOUT", "300", _whole(1, 3600))
    trusted_hosts: tuple[str, ...] = _variable("QWEN_DEMO_TRUSTED_RESULT_HOSTS", "", _hosts)
    outputs: Path = _variable("QWEN_DEMO_OUTPUTS", "outputs", Path)
    embed_recipe: bool = _variable("QWEN_DEMO_EMBED_RECIPE", "1", _switch)
    drain: int = _variable("QWEN_DEMO_DRAIN", "60", _whole(0, 3600))
    log_json: bool = _variable("QWEN_DEMO_LOG", "text", _log_form)
    prices: Mapping[str, float] = _variable("QWEN_DEMO_PRICES", "{}", _prices)
    currency: str = _variable("QWEN_DEMO_CURRENCY", "", str)
    public: bool = _variable("QWEN_DEMO_PUBLIC", "0", _switch)
    own_keys: bool = _variable("QWEN_DEMO_OWN_KEYS", "0", _switch)
    own_hosts: tuple[str, ...] = _variable("QWEN_DEMO_OWN_HOSTS", "", _own_hosts)
    visitor_quota: str = _variable("QWEN_DEMO_VISITOR_QUOTA", "none", _quota)
    total_quota: str = _variable("QWEN_DEMO_TOTAL_QUOTA", "none", _quota)
    visitor_attempts: str = _variable("QWEN_DEMO_VISITOR_ATTEMPTS", "none", _attempts)
    visitor_in_flight: int = _variable("QWEN_DEMO_VISITOR_IN_FLIGHT", "0", _whole(0, 1000))
    quota_storage: str = _variable("QWEN_DEMO_QUOTA_STORAGE", "memory://", _storage, secret=True)
    trusted_proxies: int = _variable("QWEN_DEMO_TRUSTED_PROXIES", "0", _whole(0, 9))
    allowed_hosts: tuple[str, ...] = _variable("QWEN_DEMO_ALLOWED_HOSTS", "", _hosts)
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
        given = {tidy(name): tidy(text) for name, text in environ.items() if tidy(text)}
        given = {**_defaults(given), **given}
        for variable in fields(cls):
            name, default, read = (variable.metadata[key] for key in ("name", "default", "read"))
            text = given.get(name, default)
            try:
                values[variable.name] = read(text)
            except ValueError as error:
                shown = _shown(text, given) if variable.repr else "what it is"
                raise WrongSetting(f"{name} must be {error}, not {shown}.") from None
        if values["mcp"] and values["auth"]:
            raise WrongSetting("QWEN_DEMO_MCP must be 0 with QWEN_DEMO_AUTH: agents can't log in.")
        return cls(**values)

    @property
    def offline(self) -> bool:
        """Whether the offline backend stands in for an API that needs a key. An engine of one's own needs none."""
        known = spoken_at(self.base_url)
        return not self.api_key and known is not None and (self.dialect or known).offline

    @property
    def max_upload_mb(self) -> int:
        """The largest file that is taken, in MB."""
        return 12 if self.public else 30


def _needs_key(url: str) -> bool:
    with suppress(ValueError):  # told by its own variable
        return not url or spoken_at(url) is not None
    return False


def _shown(text: str, given: Mapping[str, str]) -> str:
    """A wrong value, unless a secret may have come into it: a key in the wrong place, a password in an address."""
    key = given.get("QWEN_API_KEY", "")
    if (key and key in text) or re.search(r"(?i)sk-|bearer|@", text) or re.fullmatch(r"[\w-]{24,}", text):
        return "what it is"
    return repr(re.sub(r"(?s)(?<=[?#]).*", "…", text))


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
            "QWEN_DEMO_VISITOR_ATTEMPTS": "60/minute",
            "QWEN_DEMO_VISITOR_IN_FLIGHT": "2",
            "QWEN_DEMO_OUTPUTS": str(Path(tempfile.gettempdir()) / "qwen-image-demo"),
        }
    elif importlib.util.find_spec("mcp") and "QWEN_DEMO_AUTH" not in given:
        defaults["QWEN_DEMO_MCP"] = "1"
    if given.get("SPACE_ID") and os.access(STORAGE, os.W_OK | os.X_OK):
        defaults["QWEN_DEMO_OUTPUTS"] = str(STORAGE / "outputs")
    if dialect := DIALECTS.get(given.get("QWEN_API", "").lower()):
        defaults["QWEN_BASE_URL"] = dialect.base_url
    without_key = "QWEN_API_KEY" not in given and _needs_key(given.get("QWEN_BASE_URL", ""))
    if without_key or "QWEN_DEMO_OWN_HOSTS" in given:
        defaults["QWEN_DEMO_OWN_KEYS"] = "1"
    return defaults
