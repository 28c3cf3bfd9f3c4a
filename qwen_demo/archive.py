"""Pictures as one ZIP, made while it is sent: nothing of it is stored, and little of it is in memory."""

import io
import re
import secrets
import unicodedata
import zipfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from itertools import count

from .axes import differences, grid_of
from .library import Entry, Library, slug
from .order import Order

PIECE = 1_000_000  # bytes that are read and sent at once
MOST_BYTES = 230  # of a name without its end and its number: file systems take 255
MOST = 1_000  # offers that nobody has taken yet; the oldest goes first


class NotOffered(Exception):
    """The ticket was used, or never given out."""


class UnderWay(Exception):
    """This visitor is being sent a ZIP already."""


class Archives:
    """ZIPs that visitors were offered: each goes once, to whoever has its ticket, and to a visitor one at a time."""

    def __init__(self) -> None:
        self._offered: dict[str, tuple[str, Mapping[str, Entry]]] = {}
        self._under_way: set[str] = set()

    def offer(self, owner: str, entries: Mapping[str, Entry]) -> str:
        """A ticket for these pictures of that visitor's, by what they are called in the ZIP.

        Raises:
            UnderWay: one is being sent.
        """
        if owner in self._under_way:
            raise UnderWay
        if len(self._offered) >= MOST:
            del self._offered[next(iter(self._offered))]
        ticket = secrets.token_urlsafe(16)
        self._offered[ticket] = owner, entries
        return ticket

    @contextmanager
    def sent(self, ticket: str) -> Iterator[Iterator[bytes]]:
        """The ZIP for that ticket, piece by piece, while the block runs.

        Raises:
            NotOffered: there is none.
            UnderWay: another one is being sent; the ticket stays good.
        """
        owner, entries = self._offered.get(ticket, ("", {}))
        if owner in self._under_way:
            raise UnderWay
        if self._offered.pop(ticket, None) is None:
            raise NotOffered
        self._under_way.add(owner)
        try:
            with closing(zipped(entries)) as pieces:
                yield pieces
        finally:
            self._under_way.remove(owner)


def of_order(order: Order, library: Library) -> dict[str, Entry]:
    """The pictures of an order that are there, by what they are called in its ZIP.

    What was made of a file bears its name, and what tells it from others of that file: `beach.jpg` becomes
    `beach-edited.png`, or `beach-edited-qwen-image-edit.png`, and the next of the same name `beach-edited-2.png`.
    """
    entries: dict[str, Entry] = {}
    taken: set[str] = set()
    grid = grid_of(order)
    short = dict(zip(prompts := grid.axes.get("prompt", ()), differences(prompts), strict=True))
    for call in order.calls:
        for place in call.places:
            if not (picture := order.numbered.get(place)):
                continue
            aside = Entry(picture.path.name, picture.path, (picture.width, picture.height), None)  # not in the library
            entry = library.entry_of(picture.path) or aside
            name = entry.name
            if call.photo:
                key = zip(grid.axes, grid.keys[place], strict=True)
                told = [_told(axis, short[value] if axis == "prompt" else value) for axis, value in key]
                stem = "-".join([f"{_file_name(call.photo.name)}-edited", *filter(None, told)])
                stem = _short(stem, MOST_BYTES)
                numbered = (f"{stem}-{number}.png" if number > 1 else f"{stem}.png" for number in count(1))
                name = next(name for name in numbered if name.lower() not in taken)
            taken.add(name.lower())
            entries[name] = entry
    return entries


def _told(axis: str, value: object) -> str:
    """What a value adds to a file's name."""
    if axis in ("photo", "number"):
        return ""
    if axis == "size":
        return str(value or "auto")
    words = {True: "rewritten", False: "as-written"} if axis == "optimize_prompt" else {}
    return slug(str(words.get(bool(value), value)))


def _file_name(name: str) -> str:
    """A file's name without its end, as any system takes it: browsers and programs can say anything."""
    own = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    stem = re.sub(r"\.[A-Za-z]\w{1,4}$", "", own)
    safe = "".join("_" if letter in '<>:"|?*' or not letter.isprintable() else letter for letter in stem)
    return _short(safe, MOST_BYTES // 2).strip(" .") or "picture"


def _short(text: str, size: int) -> str:
    """As much of a text as fits into so many bytes."""
    return text.encode()[:size].decode(errors="ignore")


def zipped(entries: Mapping[str, Entry]) -> Generator[bytes, None, None]:
    """A ZIP of the originals, as they are: PNGs don't get smaller. One that is gone is left out."""
    written = _Written()
    with zipfile.ZipFile(written, "w") as archive:
        for name, entry in entries.items():
            with suppress(FileNotFoundError), entry.path.open("rb") as file:
                about = zipfile.ZipInfo.from_file(entry.path, name, strict_timestamps=False)
                with archive.open(about, "w") as part:
                    while piece := file.read(PIECE):
                        part.write(piece)
                        yield written.taken()
    yield written.taken()


class _Written(io.RawIOBase):
    """What was written since somebody took it."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        data = bytes(self._held)
        self._held.clear()
        return data
