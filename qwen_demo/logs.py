"""What the log says and how: a line of `name=value` for people, a line of JSON for machines, never a secret."""

import json
import logging
import re
import secrets
import time
from pathlib import Path
from typing import Any

from uvicorn.config import LOGGING_CONFIG

from .api.errors import QwenDemoError
from .api.masking import hidden_text

log = logging.getLogger(__name__)

FACTS = "facts"
"""`log.info("request", extra={FACTS: {…}})` adds values to a line."""
MOST_FAULTS = 1000  # remembered
LONGEST = 2000  # characters of a message
_QUERY = re.compile(r"(?<=\?)[^\s'\"]*=[^\s'\"]*")


def set_up(*, as_json: bool, key: str) -> None:
    """Log from INFO on to the error output.

    Args:
        as_json: a line of JSON each, for machines.
        key: what must never be written, should a library put it into one of its texts.
    """
    handler = logging.StreamHandler()
    handler.addFilter(lambda record: "mcp" not in Path(record.pathname).parts)  # repeats what agents send, prompts too
    handler.addFilter(OnceASecond())
    handler.setFormatter(Formatter(as_json=as_json, key=key))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    LOGGING_CONFIG["loggers"] = {}  # the server would write past this one
    # Their lines hold whole URLs with signatures, and headers with the key.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


class OnceASecond(logging.Filter):
    """Lets the same fault through once a second, with how many were left out: strangers can cause any number."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[object, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        kind, _, trace = record.exc_info or (None, None, None)
        while trace and trace.tb_next:
            trace = trace.tb_next
        where = trace and (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
        fault = record.name, record.pathname, record.lineno, kind, where  # texts may hold what strangers sent
        last, left_out = self._seen.get(fault, (0.0, 0))
        if record.created < last + 1:
            self._seen[fault] = last, left_out + 1
            return False
        if len(self._seen) > MOST_FAULTS:
            self._seen.clear()
        self._seen[fault] = record.created, 0
        if left_out:
            setattr(record, FACTS, {**getattr(record, FACTS, {}), "left_out": left_out})
        return True


class Formatter(logging.Formatter):
    """Time, level, logger, message, facts, and the trace of an error; without keys and query strings."""

    def __init__(self, *, as_json: bool, key: str) -> None:
        super().__init__()
        self._as_json = as_json
        self._key = key

    def format(self, record: logging.LogRecord) -> str:
        write = self._json if self._as_json else self._line
        return hidden_text(_QUERY.sub("…", write(record, getattr(record, FACTS, {}))), self._key)

    def _line(self, record: logging.LogRecord, facts: dict[str, Any]) -> str:
        at = self.formatTime(record, "%Y-%m-%d %H:%M:%S")
        values = (f"{name}={'-' if value is None else value}" for name, value in facts.items())
        line = " ".join([at, record.levelname, f"{record.name}:", _one_line(record), *values])
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line

    def _json(self, record: logging.LogRecord, facts: dict[str, Any]) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line = {"time": at, "level": record.levelname, "logger": record.name, "message": _one_line(record)}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps({**line, **facts}, ensure_ascii=False)


def _one_line(record: logging.LogRecord) -> str:
    """What is told, in a line and not without end, whoever had a word in it."""
    return record.getMessage()[:LONGEST].replace("\n", "\\n").replace("\r", "\\r")


class InternalError(QwenDemoError):
    """A fault of this app. `id` stands in the log beside its cause.

    Args:
        cause: what was raised.
        may_be_billed: whether something may have been sent before; None where nobody pays.
    """

    def __init__(self, cause: BaseException, *, may_be_billed: bool | None = False) -> None:
        self.id, self.may_be_billed = secrets.token_hex(4), may_be_billed
        super().__init__(f"internal error {self.id}")
        log.error("internal error %s", self.id, exc_info=cause)
