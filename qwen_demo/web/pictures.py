"""Pictures, each served to whom it belongs, and to whoever was handed an address with a good token."""

import hmac
import re
import time
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..library import FULL_SIDE, GRID_SIDE, Entry, Library

_DAY = 24 * 3600
_TOKEN = re.compile(r"([0-9a-f]{1,12})\.((?:visitor-[0-9a-f]{32})?)\.([0-9a-f]{32})")


class Addresses:
    """The addresses of pictures, and what opens them.

    Args:
        library: everybody's pictures.
        secret: signs the tokens. With another one, all that were given out are void.
    """

    def __init__(self, library: Library, secret: bytes) -> None:
        self._library = library
        self._secret = secret

    def token(self, library: Library, id: str) -> str:
        """What opens one picture of a library, everybody's or a part of it, for a day or two and without a cookie.

        It is the same all day: what a browser is told of a picture, and has loaded, stays as it is.
        """
        part = "" if library.root == self._library.root else library.root.name
        until = f"{(int(time.time()) // _DAY + 2) * _DAY:x}"
        return f"{until}.{part}.{self._sign(until, part, id)}"

    def opened(self, token: str, id: str) -> Library | None:
        """The library in which that token opens the picture; None where it doesn't."""
        found = _TOKEN.fullmatch(token)
        if not found or int(found[1], 16) < time.time():
            return None
        until, part, signature = found.groups()
        return self._library.within(part) if hmac.compare_digest(signature, self._sign(until, part, id)) else None

    def _sign(self, until: str, part: str, id: str) -> str:
        return hmac.digest(self._secret, f"picture {until} {part} {id}".encode(), "sha256").hex()[:32]

    def route(self, library_of: Callable[[Request], Library]) -> Route:
        """`GET /picture/<id>`: the file, or with `?w=` a light preview of at most that side; 404 for all others'.

        Args:
            library_of: the pictures that who asks may see.
        """

        def picture(request: Request) -> Response:  # in a thread: previews are made here
            id, query = request.path_params["id"], request.query_params
            library = self.opened(query["t"], id) if "t" in query else library_of(request)
            entry = library.find(id) if library else None
            try:
                path = _file(library, entry, query.get("w")) if library and entry else None
            except OSError:  # gone meanwhile, or no picture
                path = None
            if path is None:
                return PlainTextResponse("not found", 404)
            # A picture never changes under its name.
            headers = {"Cache-Control": "private, max-age=31536000, immutable"}
            return FileResponse(path, headers=headers, content_disposition_type="inline")

        return Route("/picture/{id}", picture)


def _file(library: Library, entry: Entry, side: str | None) -> Path | None:
    """The picture, or its preview of that side; None for a side that there is none of."""
    if side is None:
        return entry.path
    return library.preview(entry, int(side)) if side in (str(GRID_SIDE), str(FULL_SIDE)) else None
