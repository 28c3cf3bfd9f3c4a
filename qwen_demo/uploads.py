"""Reference pictures on their way in: made ready in their turn, and kept, so that a recipe finds them again."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from . import decoding, images, preparing
from .api.errors import BadResponse, InvalidRequest, QwenDemoError
from .api.responses import decode
from .call import Photo
from .images import Reference
from .library import Library, elsewhere
from .line import Line
from .lineage import ids_of
from .quota import Limit, TooMuchKept
from .visitors import Visitor

AT_ONCE = 2  # made ready, and where strangers come one of each
MOST_BEGUN = 200  # originals that are remembered, of all visitors
MOST_KEPT = "300000000/day"  # bytes of references that are kept for a visitor, where strangers come


class Original(NamedTuple):
    """A photo as it is kept: its SHA-256, width and height, and what of its colours is lost, as for a `Reference`."""

    name: str
    size: tuple[int, int]
    lost: str = ""


class Uploads:
    """Makes pictures ready for the API, whatever door they come through.

    Args:
        library_of: the name of a visitor → where that one's references are kept.
        public: strangers bring them. Then each has a share of the line and of the disk.
    """

    def __init__(self, library_of: Callable[[str], Library], *, public: bool = False) -> None:
        self._library_of = library_of
        self._line = Line(AT_ONCE, each=1 if public else 0)
        self.kept = Limit(MOST_KEPT if public else "", TooMuchKept)
        self._begun: dict[tuple[str, Path, int], asyncio.Task[Original]] = {}

    async def prepare(self, upload: Path, visitor: Visitor, background: str = "white") -> tuple[Reference, Path]:
        """An upload made ready for the API, and the file in which that is kept.

        Args:
            upload: the file as it came.
            visitor: whose it is.
            background: the colour behind what is transparent.

        Raises:
            InvalidRequest: it can't be used; the error says why.
            TooMuchKept: the visitor had enough of them kept.
        """
        return await self._keep(upload, visitor, "prepare", background)

    async def original(self, source: Path | str, visitor: Visitor) -> Original:
        """An upload at its full size, see `preparing.original`, kept as a reference picture.

        Raises:
            InvalidRequest: it can't be used, or is an address; the error says why.
            TooMuchKept: as for `prepare`.
        """
        if not isinstance(source, Path):
            return await self._original(source, visitor)
        begun = self.begin_original(source, visitor)
        try:
            original = await asyncio.shield(begun)
        except QwenDemoError:
            self._begun = {key: task for key, task in self._begun.items() if task is not begun}
            raise
        here = await asyncio.to_thread(self._library_of(visitor.name).find_reference, original.name)
        return original if here else await self._original(source, visitor)

    def begin_original(self, upload: Path, visitor: Visitor) -> "asyncio.Task[Original]":
        """Begin with it once it is likely to be needed: a large photo takes seconds. Each is made ready once."""
        key = visitor.name, upload, upload.stat().st_mtime_ns
        if key not in self._begun:
            self._begun[key] = task = asyncio.create_task(self._original(upload, visitor))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # whoever orders hears of it
            while len(self._begun) > MOST_BEGUN:
                del self._begun[next(iter(self._begun))]
        return self._begun[key]

    async def _original(self, source: Path | str, visitor: Visitor) -> Original:
        library = self._library_of(visitor.name)
        if isinstance(source, Path) and (known := await asyncio.to_thread(library.known_reference, source)):
            return Original(known.stem, await asyncio.to_thread(images.size_of, known))
        reference, kept = await self._whole(source, visitor, "original")
        return Original(kept.stem, reference.size, reference.lost)

    async def mask(self, source: Path | str, visitor: Visitor) -> str:
        """A mask, see `preparing.mask`, kept as a reference picture. Returns its SHA-256.

        Raises:
            InvalidRequest, TooMuchKept: as for `original`; the error names the mask.
        """
        try:
            _, kept = await self._whole(source, visitor, "mask")
        except InvalidRequest as error:
            raise InvalidRequest("mask", error.problem, Path(source).name[:40], **error.facts) from error
        return kept.stem

    async def _whole(self, source: Path | str, visitor: Visitor, work: decoding.Work) -> tuple[Reference, Path]:
        """A picture that is never sent as it is, and so has to be here."""
        if not holds_picture(source):
            raise InvalidRequest("image", "picture_here" if source else "picture_missing", source)
        async with _as_file(source) as path:
            return await self._keep(path, visitor, work)

    async def _keep(self, upload: Path, visitor: Visitor, work: decoding.Work, how: str = "") -> tuple[Reference, Path]:
        """What is made of an upload, and the file in which that is kept."""
        library = self._library_of(visitor.name)

        def keep() -> Path:
            try:
                return library.keep_reference(reference)
            except OSError:  # it can't be found again later, and can be used all the same
                return elsewhere().keep_reference(reference)

        await self.kept.check(visitor, preparing.MAX_SENT_BYTES)
        reference = await self._made_ready(upload, visitor, work, how)
        if not await asyncio.to_thread(lambda: library.find_reference(reference.sha256)):
            await self.kept.charge(visitor, len(reference.data))
        return reference, await asyncio.to_thread(keep)

    async def crop(self, upload: Path, place: str, visitor: Visitor) -> bytes:
        """The part of an upload that can be used, where the whole is too long: see `preparing.crop`.

        Raises:
            InvalidRequest: it can't be used; the error says why.
            TooMuchKept: as for `prepare`.
        """
        await self.kept.check(visitor, preparing.MAX_SENT_BYTES)
        async with self._line.turn(upload, visitor.counted):
            part = await decoding.crop(upload, place)
        await self.kept.charge(visitor, len(part))
        return part

    async def reference(self, source: Path | str, visitor: Visitor, background: str = "white") -> str:
        """A reference picture as the text that a request takes, whatever door it came through.

        An upload, or the picture in a `data:` text, is made ready; one that was prepared before goes as it is. Any
        other text is an address, which the request checks.

        Raises:
            InvalidRequest: it can't be used; the error says why.
        """
        if isinstance(source, Path):
            if known := await asyncio.to_thread(self._library_of(visitor.name).known_reference, source):
                return await asyncio.to_thread(images.data_url, known)
            reference, _ = await self.prepare(source, visitor, background)
            return reference.url
        if not holds_picture(source):
            return stand_in(source)
        async with _as_file(source) as upload:
            return (await self._made_ready(upload, visitor, "prepare", background)).url

    async def photo(self, source: Path | str, name: str, visitor: Visitor) -> Photo:
        """One of the photos of an order, made ready and kept, or the address of one, which goes as it is.

        Raises:
            InvalidRequest: it can't be used; the error says why.
            TooMuchKept: as for `prepare`.
        """
        if not holds_picture(source):
            address = stand_in(source)
            if not address.startswith("https://"):
                raise InvalidRequest("image", "picture_form" if address else "picture_missing", address)
            return Photo(name, address)
        library = self._library_of(visitor.name)
        (id,) = await asyncio.to_thread(ids_of, library, [source])
        async with _as_file(source) as upload:
            known = await asyncio.to_thread(library.known_reference, upload)
            kept = known or (await self.prepare(upload, visitor))[1]
            return Photo(name, kept.stem, id)

    async def _made_ready(self, upload: Path, visitor: Visitor, work: decoding.Work, how: str = "") -> Reference:
        async with self._line.turn(upload, visitor.counted):
            return await decoding.reference(work, upload, how)


@asynccontextmanager
async def _as_file(source: Path | str) -> AsyncIterator[Path]:
    """A picture as a file, which one in a `data:` text is for as long as the block runs."""
    if isinstance(source, Path):
        yield source
        return
    with tempfile.TemporaryDirectory() as folder:
        yield await asyncio.to_thread(_unpacked, source, Path(folder))


def holds_picture(source: Path | str) -> bool:
    """Whether it is a picture, in a file or a `data:` text, and not an address."""
    return isinstance(source, Path) or source.lstrip()[:5].lower() == "data:"


def stand_in(source: Path | str) -> str:
    """What a request has in a picture's place before that is made ready. An address is ready."""
    return "data:image/" if holds_picture(source) else str(source).strip()


def _unpacked(text: str, folder: Path) -> Path:
    """A file in that folder of the picture in a `data:` text. Its padding may be missing, or lines be in it."""
    try:
        data = decode(text)
    except BadResponse as error:
        raise InvalidRequest("image", "not_a_picture", text) from error
    path = folder / "picture"
    path.write_bytes(data)
    return path
