"""What answers at an address: which dialect it speaks, and which models it has. Hosts that aren't known are asked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import httpx

from .addresses import check_for_proxy
from .answer import as_json
from .catalog import Catalog, OwnRows
from .client import QwenClient
from .dialects import DEFAULT, DIALECTS, SELF_TELLING, Dialect, spoken_at
from .errors import APIError, BadResponse, ConnectionFailed, QwenDemoError, Unauthorized

HIDDEN_URL = "https://your-api.example/v1"
"""What code for strangers names in place of an address in the owner's network."""
NO_ROWS: OwnRows = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An API, or an engine of one's own, with all that it can do.

    Attributes:
        dialect: how it is spoken to.
        base_url: where.
        catalog: its models.
        title: its name, for people; "" where only its host is known.
        billed: whether somebody is paid for what it does.
        wants_key: whether it asks for a key.
    """

    dialect: Dialect
    base_url: str
    catalog: Catalog
    title: str = ""
    billed: bool = True
    wants_key: bool = True

    def for_strangers(self) -> "Engine":
        """The same as strangers may know it: not where it stands, unless that is a known host.

        An engine of the owner's own fetches no address for them: it would reach what they don't.
        """
        models = tuple(model if self.billed else replace(model, addresses=False) for model in self.catalog.models)
        known = replace(self, catalog=Catalog(models))
        if spoken_at(self.base_url):
            return known
        return replace(known, base_url=HIDDEN_URL)

    @property
    def host(self) -> str:
        """Its host, with a port that isn't the usual one."""
        return httpx.URL(self.base_url).netloc.decode("ascii")


class EngineAway(QwenDemoError):
    """Nothing answers at that address yet, or it wants another key. It can be asked again.

    Attributes:
        host: where.
        reason: why, in English.
        locked: whether it is the key.
    """

    def __init__(self, host: str, error: QwenDemoError) -> None:
        self.host = host
        self.reason = str(error)
        self.locked = isinstance(error, Unauthorized)
        super().__init__(f"{host}: {self.reason}")


def of_dialect(dialect: Dialect, base_url: str = "", rows: OwnRows = NO_ROWS) -> Engine:
    """The engine at an address that needs no asking. `rows` are the owner's own, as for `Catalog.with_rows`."""
    address = dialect.at(base_url) if base_url else dialect.base_url
    catalog = dialect.catalog.with_rows(rows, dialect.row)
    return Engine(dialect=dialect, base_url=address, catalog=catalog)


PROVIDER_ENGINE = of_dialect(DEFAULT)
"""This provider's own."""


async def find(
    base_url: str,
    key: str,
    dialect: Dialect | None = None,
    rows: OwnRows = NO_ROWS,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    keys_come: bool = False,
) -> Engine:
    """What answers at an address. A host that isn't known is asked for its models; without any it speaks the default.

    Args:
        base_url: where, as people write it.
        key: goes along with the question; "" for none.
        dialect: where it is known how it is spoken to.
        rows: the owner's own, as for `Catalog.with_rows`.
        transport: carries the question in place of the network.
        keys_come: visitors bring keys, so that one needn't be there.

    Raises:
        EngineAway: nothing answers yet, or the key is refused.
    """
    dialect = dialect or spoken_at(base_url)
    asked = dialect or SELF_TELLING
    if not asked.served:
        return of_dialect(asked, base_url, rows)
    address = asked.at(base_url)
    told = await _models(address, key, transport, keys_come=keys_come and not dialect)
    if not dialect and isinstance(told, Mapping) and (named := DIALECTS.get(str(told.get("api")))) and named != asked:
        return of_dialect(named, base_url, rows)
    served = asked.served(told)
    if not served:
        return replace(of_dialect(dialect or DEFAULT, base_url, rows), wants_key=bool(key))
    return Engine(
        dialect=asked,
        base_url=address,
        catalog=Catalog(served.models).with_rows(rows, served.row),
        title=served.title,
        billed=not served.own or (bool(key) and _may_be_public(httpx.URL(address).host)),
        wants_key=bool(key),
    )


def _may_be_public(host: str) -> bool:
    """Whether a host may be somebody else's, who sends a bill, for all that its name tells."""
    try:
        check_for_proxy(host)
    except BadResponse:
        return False
    return True


async def _models(base_url: str, key: str, transport: httpx.AsyncBaseTransport | None, *, keys_come: bool) -> object:
    """What it answers to `GET /models`; None where it knows no such question."""
    host = httpx.URL(base_url).netloc.decode("ascii")
    async with QwenClient(key, base_url, transport=transport) as client:
        try:
            return as_json(await client.get("models"))
        except ConnectionFailed as error:
            raise EngineAway(host, error) from error
        except APIError as error:
            if isinstance(error, Unauthorized) and (key or not keys_come):
                raise EngineAway(host, error) from error
            if error.status in (500, 502, 503, 504):
                raise EngineAway(host, error) from error
            return None
        except BadResponse:
            return None
