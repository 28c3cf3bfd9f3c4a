"""How each kind of API is spoken to. A request becomes what is sent; answers are read by one reader for all.

A dialect is a file here with a `Dialect`, and a place in `DIALECTS`.
"""

from urllib.parse import urlsplit

from ..addresses import is_named
from .dashscope import DASHSCOPE
from .dialect import Dialect as Dialect
from .dialect import Prepared as Prepared
from .dialect import Served as Served
from .gateway import GATEWAY
from .openai import OPENAI
from .siliconflow import SILICONFLOW

DIALECTS = {dialect.name: dialect for dialect in (GATEWAY, OPENAI, DASHSCOPE, SILICONFLOW)}
"""By their names, as `QWEN_API` spells them."""
DEFAULT = GATEWAY
SELF_TELLING = OPENAI
"""What an address that isn't known may turn out to speak, if it names its models."""


def spoken_at(url: str) -> Dialect | None:
    """The dialect of a known host; None where that has to be found out."""
    host = urlsplit(url).hostname or ""
    return next((dialect for dialect in DIALECTS.values() if is_named(host, dialect.hosts)), None)
