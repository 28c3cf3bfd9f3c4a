"""The environment as people have it, put right before anyone reads it: a `.env` of any editor, proxies of any spelling.

Gradio and httpx read variables of their own, when they are imported or a client is made, and what they can't read ends
the start with a traceback. So what is surely meant is written as they take it; what is not is refused in one line.
"""

import importlib.util
import io
import ipaddress
import os
import re
import ssl
import tempfile
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from .settings import WrongSetting, host_name, tidy

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OURS = re.compile(r"(?i)GRADIO_\w+|(http|https|all|no)_proxy|SSL_CERT_(FILE|DIR)")
PARTS = "parts"
"""The folder of temporary files, in Gradio's folder of uploads."""
_NO_PROXY_AT_ALL = ("none", "off", "no", "false", "null", "direct", "disabled", "0", "-")


def env_file(path: str) -> io.StringIO:
    """The text of a `.env` in the encoding it was saved in: UTF-8, UTF-16 (PowerShell), or GBK (Notepad in China).

    Args:
        path: of the file; empty where there is none.

    Raises:
        WrongSetting: it can't be read; the text says how to save it.
    """
    try:
        content = Path(path).read_bytes() if path else b""
    except OSError as error:
        raise WrongSetting(f"{path} can't be read: {error.strerror}.") from None
    for encoding in _encodings(content):
        with suppress(UnicodeError):
            text = content.decode(encoding)
            if "\0" not in text:
                return io.StringIO(text)
    raise WrongSetting(f"{path} is not plain text: save it again as UTF-8 (in Notepad: Save as, Encoding: UTF-8).")


def _encodings(content: bytes) -> Iterable[str]:
    if content.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return ("utf-32",)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    if b"\0" in content[:2000]:  # no mark at its front, but every other byte of plain words is 0
        return ("utf-16-le",) if content.find(b"\0") % 2 else ("utf-16-be",)
    return ("utf-8-sig", "gb18030")


def put_right(environ: MutableMapping[str, str]) -> None:
    """Write the variables of Gradio, of proxies and of certificates as those take them who read them.

    Raises:
        WrongSetting: one can't be used, and nobody knows what is meant. The text never holds a password.
    """
    for name in [name for name in environ if _OURS.fullmatch(name)]:
        environ[name] = tidy(environ[name])
        if not environ[name] and name.lower() not in (*PROXIES, "no_proxy"):  # an empty proxy takes back another one
            del environ[name]
    _check_certificates(environ)
    _check_port(environ.get("GRADIO_SERVER_PORT", ""))
    for name in [name for name in environ if name.lower() in PROXIES]:
        environ[name] = _proxy(name, environ[name])
    if any(environ[name] for name in environ if name.lower() in PROXIES):
        # Not without a proxy here: where one variable is set, Python no longer asks Windows or macOS for theirs.
        told = [environ.get(name, "") for name in ("no_proxy", "NO_PROXY")]
        own = environ.get("GRADIO_SERVER_NAME", "")
        past = dict.fromkeys((*_past_proxies(",".join(told)), *LOOPBACK, *_past_proxies(own)))
        environ["no_proxy"] = environ["NO_PROXY"] = "*" if "*" in past else ",".join(past)


def _proxy(name: str, value: str) -> str:
    """A proxy's address as httpx takes it; empty where none is meant."""
    if value.lower() in _NO_PROXY_AT_ALL:
        return ""
    # The desktop of Linux says `socks`; the others say `socks5`, and mean the same.
    address = re.sub(r"(?i)^socks(?=://)", "socks5", value if not value or "://" in value else f"http://{value}")
    with suppress(ValueError):  # of a port that is no number
        parts = urlsplit(address)
        known = parts.scheme in ("http", "https", "socks5", "socks5h")
        if not address or (known and parts.port != 0 and host_name(parts.hostname or "") and parts.path in ("", "/")):
            if parts.scheme.startswith("socks") and not importlib.util.find_spec("socksio"):
                raise WrongSetting(f'{name} is a SOCKS proxy, which needs a package: pip install "httpx[socks]"')
            return address
    shown = "what it is" if "@" in value else repr(value)
    raise WrongSetting(f"{name} must be a proxy's address such as http://127.0.0.1:7890 or socks5://…, not {shown}.")


def _past_proxies(told: str) -> Iterator[str]:
    """What is reached without a proxy, as Python and httpx take it: not in brackets, no `*.`, no range of IPv6."""
    for entry in re.split(r"[,;，；\s]+", told):
        with suppress(ValueError):
            plain = entry.removeprefix("*") if entry.startswith("*.") else entry
            if plain.startswith("[") and plain.endswith("]"):
                plain = plain[1:-1]
            if ":" in plain and not re.fullmatch(r"[^:\[\]]+:\d{1,5}|\w+://[\w.:-]+", plain):
                plain = str(ipaddress.IPv6Address(plain))
            if not plain.isascii():
                plain = plain.encode("idna").decode("ascii")
            if plain:
                yield plain


def _check_certificates(environ: MutableMapping[str, str]) -> None:
    file, folder = environ.get("SSL_CERT_FILE", ""), environ.get("SSL_CERT_DIR", "")
    if file:
        try:
            ssl.create_default_context(cafile=file)
        except OSError as error:
            reason = "holds no certificates" if isinstance(error, ssl.SSLError) else "can't be read"
            raise WrongSetting(f"SSL_CERT_FILE must be a file of certificates, and {file!r} {reason}.") from None
    elif folder and not any(map(os.path.isdir, folder.split(os.pathsep))):
        raise WrongSetting(f"SSL_CERT_DIR must be a folder of certificates, and {folder!r} is none.")


def _check_port(port: str) -> None:
    if port and not (port.isdecimal() and 0 < int(port) < 65536):
        raise WrongSetting(f"GRADIO_SERVER_PORT must be a whole number from 1 to 65535, not {port!r}.")


def check_folders(outputs: Path, environ: MutableMapping[str, str]) -> None:
    """See that pictures and uploads can be written; the folders are made.

    All temporary files go below Gradio's folder from here on: what a crash leaves there is swept. For that
    GRADIO_TEMP_DIR is written out, which Gradio would look for among them otherwise.

    Raises:
        WrongSetting: one can't be.
    """
    uploads = Path(environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir(), "gradio"))  # Gradio's default
    for name, path in {"QWEN_DEMO_OUTPUTS": outputs, "GRADIO_TEMP_DIR": uploads}.items():
        try:
            folder = path.expanduser()
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except (OSError, ValueError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise WrongSetting(f"{name} must be a folder that can be written, not {str(path)!r}: {reason}.") from None
    uploads = uploads.expanduser().resolve()
    environ["GRADIO_TEMP_DIR"] = str(uploads)
    (uploads / PARTS).mkdir(mode=0o700, exist_ok=True)
    tempfile.tempdir = str(uploads / PARTS)
