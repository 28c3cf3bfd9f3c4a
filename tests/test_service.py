"""From an order to pictures on disk, through the client and the offline backend."""

import asyncio
import errno
import hashlib
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from qwen_demo import __version__
from qwen_demo.api.client import QwenClient
from qwen_demo.api.requests import ImageEdit, TextToImage
from qwen_demo.library import Entry, Library
from qwen_demo.order import NotSaved
from qwen_demo.orders import Orders
from qwen_demo.recipe import Recipe, read
from qwen_demo.service import Service
from qwen_demo.visitors import Visitor
from tests.conftest import KEY, Backend, ask_for


@pytest_asyncio.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    client = QwenClient(KEY, "http://offline/v1", transport=Backend())
    service = Service(client, Orders(8), Library(tmp_path / "outputs"))
    yield service
    await service.aclose()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    Image.linear_gradient("L").resize((500, 400)).convert("RGB").save(path)
    return path


async def test_every_picture_of_an_order_is_kept_with_its_recipe(service: Service) -> None:
    request = TextToImage(prompt="海边的灯塔", seed=7, negative_prompt="模糊", watermark=True, size="1664x928")
    order = await (await ask_for(service, request, 2, Visitor("visitor"))).finish()
    assert order.problems == []
    assert [(picture.seed, picture.width, picture.height) for picture in order.pictures] == [
        (7, 1664, 928),
        (8, 1664, 928),
    ]
    recipes = [read(picture.path) for picture in order.pictures]
    assert [recipe.seed for recipe in recipes] == [7, 8]
    first = recipes[0]
    assert (first.kind, first.prompt, first.negative_prompt, first.size, first.watermark, first.n) == (
        "text_to_image",
        "海边的灯塔",
        "模糊",
        "1664x928",
        True,
        1,
    )
    assert (first.request_id, first.app_version) == (order.pictures[0].request_id, __version__)
    assert first.usage == {"total_tokens": 1, "output_tokens": 1, "input_tokens_details": {}}
    assert all(KEY.encode() not in picture.path.read_bytes() for picture in order.pictures)


async def test_on_a_full_disk_the_picture_is_still_there_and_the_problem_is_told(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, write = service.everything.root, Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.is_relative_to(root):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    order = await (await ask_for(service, TextToImage(prompt="a hill", seed=1), 1, Visitor("visitor"))).finish()
    (picture,) = order.pictures
    with Image.open(picture.path) as image:
        assert image.size == (1328, 1328)
    assert service.everything.entry_of(picture.path) is None
    assert [(type(problem), str(problem)) for problem in order.problems] == [(NotSaved, "No space left on device")]


def pictures_of(service: Service, recipe: Recipe, owner: str = "visitor") -> list[Entry | str | None]:
    return service.pictures_of(recipe.references, recipe.sources, owner)


async def test_a_recipe_finds_its_reference_pictures_again(service: Service, photo: Path) -> None:
    request = ImageEdit(prompt="warmer", image=await service.uploads.reference(photo, Visitor("visitor")), seed=1)
    order = await (await ask_for(service, request, 1, Visitor("visitor"))).finish()
    recipe = read(order.pictures[0].path)
    (kept,) = pictures_of(service, recipe)
    assert isinstance(kept, Entry)
    assert recipe.references == (hashlib.sha256(kept.path.read_bytes()).hexdigest(),)
    assert (kept.id, kept.size, recipe.sources) == (f"reference-{recipe.references[0]}", (500, 400), ("",))
    # What was made ready once goes as it is: no second loss, the same bytes, the same hash.
    assert await service.uploads.reference(kept.path, Visitor("visitor")) == request.image
    kept.path.unlink()
    assert pictures_of(service, recipe) == [None]


async def test_an_address_in_a_recipe_stays_an_address(service: Service) -> None:
    request = ImageEdit(prompt="warmer", image="https://pictures.example/cat.png", seed=1)
    order = await (await ask_for(service, request, 1, Visitor("visitor"))).finish()
    assert pictures_of(service, read(order.pictures[0].path)) == ["https://pictures.example/cat.png"]


async def test_a_picture_that_was_made_here_is_found_by_its_id_and_else_as_it_was_sent(service: Service) -> None:
    visitor = Visitor("visitor")
    drawn = await (await ask_for(service, TextToImage(prompt="a hill", seed=1), 1, visitor)).finish()
    (source,) = service.everything.newest_first()
    fields: dict[str, Any] = {"prompt": "warmer", "model": "qwen-image-edit-plus", "seed": 1}
    edit = await (await service.order_from("edit", [drawn.pictures[0].path], 1, visitor, **fields)).finish()
    recipe = read(edit.pictures[0].path)
    assert recipe.sources == (source.id,)
    assert pictures_of(service, recipe) == [source]
    service.everything.delete(source)
    assert pictures_of(service, recipe) == [service.everything.reference(recipe.references[0])]


async def test_previews_for_history_are_made_off_the_way(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    there, preview = threading.Event(), Library.preview

    def watched(library: Library, entry: Entry, side: int) -> Path:
        made.append(preview(library, entry, side))
        there.set()
        return made[0]

    monkeypatch.setattr("qwen_demo.upkeep.LEISURE", 0)
    monkeypatch.setattr(Library, "preview", watched)
    order = await (await ask_for(service, TextToImage(prompt="a hill", seed=1), 1, Visitor("visitor"))).finish()
    entry = service.everything.entry_of(order.pictures[0].path)
    assert entry is not None
    assert await asyncio.to_thread(there.wait, 20)
    assert [path.stem for path in made] == [entry.path.stem]
    assert made[0].stat().st_size < entry.path.stat().st_size / 10
