"""Where a picture comes from and what was made of it, as recipes tell."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from qwen_demo.api.client import QwenClient
from qwen_demo.images import Reference
from qwen_demo.library import Entry, Library
from qwen_demo.lineage import MOST, after, before
from qwen_demo.order import Order
from qwen_demo.orders import Orders
from qwen_demo.recipe import Recipe, embed, parse, read
from qwen_demo.service import Service
from qwen_demo.ui.files import publish_entry
from qwen_demo.visitors import Visitor
from tests.conftest import KEY, Backend
from tests.test_library import aside, picture

AT = datetime(2026, 11, 22, 15, 30, 12)
DRAWN = Recipe(kind="text_to_image", prompt="a cat", model="qwen-image-plus", seed=1)
EDIT = Recipe(kind="edit", prompt="warmer", model="qwen-image-edit-plus", seed=2)
ADDRESS = "https://pictures.example/cat.png"
ANN = Visitor("ann", ("cookie ann", "address 1"))


class Shelf:
    """A library that is filled by hand, a picture a day."""

    def __init__(self, root: Path) -> None:
        self.library = Library(root)
        self.days = 0

    def put(self, recipe: Recipe = DRAWN, *sources: Entry | str) -> Entry:
        """A picture that was made from these: pictures, or names of references that the library doesn't know."""
        self.days += 1
        references = [name_of(source) if isinstance(source, Entry) else source for source in sources]
        ids = [source.id if isinstance(source, Entry) and source.recipe else "" for source in sources]
        made = replace(recipe, references=tuple(references), sources=tuple(ids))
        path = self.library.save(picture(), made, 1, AT + timedelta(days=self.days))
        entry = self.library.entry_of(path)
        assert entry
        return entry

    def bring(self, word: bytes) -> Entry:
        """A reference picture that somebody brought; a word for its bytes, which make its name."""
        data = picture().data + word
        reference = Reference(data, "image/png", (256, 256), "PNG", (256, 256), False)
        self.library.keep_reference(reference)
        entry = self.library.reference(reference.sha256)
        assert entry
        return entry

    def before(self, entry: Entry) -> list[Entry]:
        return before(self.library, entry.recipe)

    def after(self, entry: Entry) -> list[Entry]:
        return after(self.library, entry)


def name_of(entry: Entry) -> str:
    return entry.name.removeprefix("reference-") if not entry.recipe else hashlib.sha256(entry.id.encode()).hexdigest()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "outputs")


def test_a_chain_of_edits_is_told_the_oldest_first_up_and_down(shelf: Shelf) -> None:
    first = shelf.put()
    second = shelf.put(EDIT, first)
    third = shelf.put(EDIT, second)
    shelf.put()
    assert (shelf.before(first), shelf.after(third)) == ([], [])
    assert [shelf.before(entry) for entry in (second, third)] == [[first], [first, second]]
    assert [shelf.after(entry) for entry in (first, second)] == [[second], [third]]


def test_a_fusion_shows_its_pictures_in_their_order_and_not_what_those_were_made_from(shelf: Shelf) -> None:
    one, other = shelf.put(), shelf.put()
    edited = shelf.put(EDIT, one)
    fused = shelf.put(replace(EDIT, kind="fusion"), other, edited)
    assert shelf.before(fused) == [other, edited]
    again = shelf.put(EDIT, fused)
    assert shelf.before(again) == [other, edited, fused]
    assert [shelf.after(entry) for entry in (one, other, edited, fused)] == [[edited], [fused], [fused], [again]]


def test_of_one_picture_all_that_was_made_is_told_the_oldest_first(shelf: Shelf) -> None:
    source = shelf.put()
    made = [shelf.put(EDIT, source) for _ in range(3)]
    twice = shelf.put(replace(EDIT, kind="fusion"), source, source)
    assert shelf.after(source) == [*made, twice]
    assert shelf.before(twice) == [source, source]


def test_a_picture_that_somebody_brought_is_told_and_has_what_was_made_of_it(shelf: Shelf) -> None:
    brought = shelf.bring(b"a photo")
    assert (brought.recipe, brought.size) == (None, (256, 256))
    made = [shelf.put(EDIT, brought), shelf.put(replace(EDIT, kind="fusion"), brought, ADDRESS)]
    last = shelf.put(EDIT, made[0])
    assert [shelf.before(entry) for entry in (*made, last)] == [[brought], [brought], [brought, made[0]]]
    assert shelf.after(brought) == made


def test_an_address_is_no_picture_of_the_library(shelf: Shelf) -> None:
    assert shelf.before(shelf.put(EDIT, ADDRESS)) == []


def test_where_a_source_was_deleted_the_kept_reference_stands_for_it(shelf: Shelf) -> None:
    source, kept = shelf.put(), shelf.bring(b"as it was sent")
    made = shelf.put(replace(EDIT, sources=(source.id,)), kept)
    recipe = replace(EDIT, references=(name_of(kept),), sources=(source.id,))
    assert before(shelf.library, recipe) == [source]
    shelf.library.delete(source)
    assert before(shelf.library, recipe) == [kept]
    assert shelf.library.restore(source.id)
    assert before(shelf.library, recipe) == [source]
    shelf.library.delete(source)
    kept.path.unlink()
    assert before(shelf.library, recipe) == []
    assert shelf.before(made) == []


def test_a_circle_of_recipes_ends(shelf: Shelf) -> None:
    one = shelf.put()
    other = shelf.put(EDIT, one)
    circle = replace(EDIT, references=(name_of(other),), sources=(other.id,))
    one.path.write_bytes(embed(picture().data, circle))
    anew = Library(shelf.library.root)
    found = anew.find(one.id)
    assert found
    assert found.recipe == circle
    assert before(anew, circle) == [found, other]
    itself = replace(EDIT, references=("f" * 64,), sources=(one.id,))
    one.path.write_bytes(embed(picture().data, itself))
    anew = Library(shelf.library.root)
    assert before(anew, itself) == [anew.find(one.id)]


def test_a_chain_without_end_is_followed_for_a_while(shelf: Shelf) -> None:
    chain = [shelf.put()]
    for _ in range(MOST + 2):
        chain.append(shelf.put(EDIT, chain[-1]))
    assert shelf.before(chain[-1]) == chain[-MOST - 1 : -1]


@pytest.mark.parametrize("sources", [("../../etc/passwd",), ("2026-11-22-" + "f" * 24,), ("",), (), ("a", "b", "c")])
def test_what_a_foreign_recipe_names_is_looked_for_here_alone(shelf: Shelf, sources: tuple[str, ...]) -> None:
    other = Shelf(shelf.library.root / "visitor-other")
    theirs = other.put()
    recipe = replace(EDIT, references=("f" * 64,), sources=sources)
    assert before(shelf.library, recipe) == []
    assert before(shelf.library, replace(recipe, sources=(theirs.id,))) == []


# With an order


@pytest_asyncio.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    client = QwenClient(KEY, "http://offline/v1", transport=Backend())
    service = Service(client, Orders(8), Library(tmp_path / "outputs"), public=True)
    yield service
    await service.aclose()


async def ordered(service: Service, kind: str, *sources: Path | str) -> Order:
    small = {} if sources else {"size": "1328x1328"}
    model = "qwen-image-edit-plus" if sources else "qwen-image-plus"
    order = await service.order_from(kind, sources, 1, ANN, prompt="a hill", model=model, seed=1, **small)
    return await order.finish()


async def test_an_order_writes_down_which_pictures_it_was_made_from(service: Service, tmp_path: Path) -> None:
    library, photo = service.library("ann"), tmp_path / "photo.png"
    Image.linear_gradient("L").resize((400, 400)).convert("RGB").save(photo)
    first = library.entry_of((await ordered(service, "text_to_image")).pictures[0].path)
    assert first
    fusion = await ordered(service, "fusion", Path(aside(publish_entry, first)), photo)
    assert fusion.terms.sources == (first.id, "")
    recipe = read(fusion.pictures[0].path)
    assert recipe.sources == (first.id, "")
    made = library.entry_of(fusion.pictures[0].path)
    brought = library.reference(recipe.references[1])
    assert made
    assert brought
    assert (before(library, recipe), after(library, first)) == ([first, brought], [made])
    # The file itself, as an order that is placed again names it, and a link nowhere.
    edit = await ordered(service, "edit", made.path)
    assert read(edit.pictures[0].path).sources == (made.id,)
    assert read((await ordered(service, "edit", ADDRESS)).pictures[0].path).sources == ("",)


async def test_nobody_elses_picture_is_named_as_a_source(service: Service, tmp_path: Path) -> None:
    path = aside(service.library("bob").save, picture(), DRAWN, 1, AT)
    theirs = service.library("bob").entry_of(path)
    assert theirs
    order = await ordered(service, "edit", Path(aside(publish_entry, theirs)))  # whoever has the file may use it
    assert order.terms.sources == ("",)
    assert before(service.library("ann"), read(order.pictures[0].path)) == [
        service.library("ann").reference(order.terms.references[0])
    ]


def test_recipes_of_before_have_no_sources_and_are_read(tmp_path: Path) -> None:
    facts = {name: value for name, value in asdict(replace(EDIT, references=("f" * 64,))).items() if name != "sources"}
    old = parse(json.dumps(facts).encode())
    assert old == replace(EDIT, references=("f" * 64,), sources=())
    (tmp_path / "a.png").write_bytes(embed(picture().data, replace(old, sources=("2026-11-22-" + "a" * 24,))))
    assert read(tmp_path / "a.png").sources == ("2026-11-22-" + "a" * 24,)
