"""The thin middle: an order becomes calls, answers become pictures that are kept."""

import asyncio
import secrets
import tempfile
from datetime import datetime
from pathlib import Path

from . import images
from .api import catalog
from .api.client import DEFAULT_BASE_URL, QwenClient
from .api.requests import ImageRequest, split
from .api.responses import ImagesResponse
from .images import Reference, Verified
from .jobs import Call, Job, Jobs, NotSaved, Picture
from .library import FULL_SIDE, GRID_SIDE, Entry, Library
from .recipe import Recipe, check_foreign, read


class Service:
    """What the page and the endpoints call. One for the app.

    Args:
        client: the API.
        jobs: what holds the orders under way.
        library: where their pictures go, and where they are found again.
        base_url: the API's, as code that people copy shall name it.
        light_previews: show previews in place of the originals, for slow lines. Downloads stay the originals.
    """

    def __init__(
        self,
        client: QwenClient,
        jobs: Jobs,
        library: Library,
        *,
        base_url: str = DEFAULT_BASE_URL,
        light_previews: bool = False,
    ) -> None:
        self._client = client
        self.jobs = jobs
        self.library = library
        self.base_url = base_url
        self.light_previews = light_previews
        self._background: set[asyncio.Task[Path]] = set()

    async def prepare(self, upload: Path, background: str = "white") -> tuple[Reference, Path]:
        """An upload made ready for the API, and the file in which that is kept.

        Args:
            upload: the file as it came.
            background: the colour behind what is transparent.

        Raises:
            InvalidRequest: it can't be used; the error says why.
        """

        def work() -> tuple[Reference, Path]:
            reference = images.prepare(upload, background)
            try:
                return reference, self.library.keep_reference(reference)
            except OSError:  # it can't be found again later, and can be used all the same
                return reference, _elsewhere().keep_reference(reference)

        return await asyncio.to_thread(work)

    async def reference(self, upload: Path, background: str = "white") -> str:
        """An upload as the text that a request takes. One that was prepared before goes as it is.

        Raises:
            InvalidRequest: it can't be used; the error says why.
        """
        if known := await asyncio.to_thread(self.library.known_reference, upload):
            return await asyncio.to_thread(images.data_url, known)
        reference, _ = await self.prepare(upload, background)
        return reference.url

    def order(self, request: ImageRequest, n: int, visitor: str) -> Job:
        """Order `n` pictures (1 to 6) of a request, in as many calls as its model needs.

        The job goes on whoever watches it. Its pictures are in the library when they are in its progress.

        Raises:
            InvalidRequest: n is not a whole number from 1 to 6.
            ShuttingDown: the app takes no new orders.
        """
        return self.jobs.start(split(request, n), visitor, self._deliver)

    async def shown(self, entry: Entry) -> Path:
        """The file to show for a picture: itself, or a light preview of it.

        Raises:
            OSError: it is gone.
        """
        if not self.light_previews:
            return entry.path
        return await asyncio.to_thread(self.library.preview, entry, FULL_SIDE)

    async def shape(self, request: ImageRequest) -> tuple[int, int]:
        """The width and height that its pictures will have, as far as that is known; else a square."""
        if request.size:
            width, _, height = request.size.partition("x")
            return int(width), int(height)
        return await asyncio.to_thread(images.shape, request.references[-1]) or (1, 1)

    def restore(self, file: Path) -> Recipe:
        """The recipe in a picture from anywhere.

        Raises:
            BadRecipe: there is none, or it is broken or hostile.
            OSError: the file can't be read.
        """
        recipe = read(file)
        check_foreign(recipe)
        return recipe

    def references(self, recipe: Recipe) -> list[Path | str | None]:
        """The reference pictures of a recipe: the kept file, the https:// address, or None for one that is gone."""
        return [
            reference if reference.startswith("https://") else self.library.find_reference(reference)
            for reference in recipe.references
        ]

    async def settle(self) -> None:
        """Wait for what runs beside the orders, such as previews in the making."""
        await asyncio.gather(*self._background, return_exceptions=True)

    async def aclose(self) -> None:
        """Finish what runs beside the orders, and close the connections."""
        await self.settle()
        await self._client.aclose()

    async def _deliver(self, job: Job, call: Call) -> None:
        async with job.turn(call):
            response = await self._client.send(call.request)
        job.answered(response)
        fetching = (self._keep(job, call, response, index) for index in range(len(response.images)))
        for outcome in await asyncio.gather(*fetching, return_exceptions=True):
            if isinstance(outcome, BaseException):
                job.fail(outcome)

    async def _keep(self, job: Job, call: Call, response: ImagesResponse, index: int) -> None:
        data = await self._client.fetch(response.images[index])
        picture = await asyncio.to_thread(images.verify, data)
        number = call.first + index
        path, problem = await asyncio.to_thread(self._save, picture, call.request, response, number)
        if problem:
            job.fail(problem)
        job.add(number, Picture(path, picture.width, picture.height, call.request.seed, response.request_id))
        self._make_preview(path)

    def _make_preview(self, path: Path) -> None:
        """For History's grid, off the way of the picture itself."""
        if entry := self.library.entry_of(path):
            task = asyncio.create_task(asyncio.to_thread(self.library.preview, entry, GRID_SIDE))
            self._background.add(task)  # the loop itself keeps only weak references
            task.add_done_callback(self._background.discard)

    def _save(
        self, picture: Verified, request: ImageRequest, response: ImagesResponse, number: int
    ) -> tuple[Path, NotSaved | None]:
        now = datetime.now()
        recipe = Recipe.of(request, response, now)
        try:
            return self.library.save(picture, recipe, number + 1, now), None
        except OSError as error:
            # It was paid for: show it from elsewhere, and say that it is not kept.
            return _elsewhere().save(picture, recipe, number + 1, now), NotSaved(error.strerror or str(error))


def _elsewhere() -> Library:
    """A library for what the real one can't take."""
    return Library(Path(tempfile.mkdtemp(prefix="qwen-image-demo-")))


def draw_seed() -> int:
    """A random seed, 0 to 2147483647. Drawn here and sent, so that every picture can be made again."""
    return secrets.randbelow(catalog.MAX_SEED + 1)
