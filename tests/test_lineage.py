"""Where a picture comes from and what was made of it, as recipes tell."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from qwen_demo.api.client import QwenClient
from qwen_demo.images import Reference
from qwen_demo.inpaint import Region
from qwen_demo.library import Entry, Library
from qwen_demo.lineage import MOST, fades, family, steps
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

    def keep(self, entry: Entry, recipe: Recipe) -> Entry:
        """Give a picture another recipe. Gives it as a library that never saw it before finds it."""
        entry.path.write_bytes(embed(picture().data, recipe))
        self.library = Library(self.library.root)
        found = self.library.find(entry.id)
        assert found
        return found

    def family(self, entry: Entry) -> list[tuple[int, Entry]]:
        return [(step.depth, step.entry) for step in family(self.library, entry)]

    def again(self, entry: Entry) -> list[Entry]:
        """The members of its family that were made again."""
        return [step.entry for step in family(self.library, entry) if step.again]

    def steps(self, entry: Entry) -> list[Entry]:
        return steps(self.library, entry)


def name_of(entry: Entry) -> str:
    return entry.name.removeprefix("reference-") if not entry.recipe else hashlib.sha256(entry.id.encode()).hexdigest()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "outputs")


def test_a_chain_of_edits_is_one_family_wherever_it_is_looked_at(shelf: Shelf) -> None:
    first = shelf.put()
    second = shelf.put(EDIT, first)
    third = shelf.put(EDIT, second)
    stranger = shelf.put()
    told = [(0, first), (1, second), (2, third)]
    assert [shelf.family(entry) for entry in (first, second, third)] == [told] * 3
    assert shelf.family(stranger) == [(0, stranger)]
    assert [shelf.steps(entry) for entry in (first, second, third)] == [[], [second], [second, third]]


def test_branches_stand_under_what_they_grew_from_the_oldest_first(shelf: Shelf) -> None:
    photo = shelf.bring(b"a photo")
    warmer, colder = shelf.put(EDIT, photo), shelf.put(EDIT, photo)
    late = shelf.put(EDIT, warmer)
    later = shelf.put(EDIT, late)
    other = shelf.put(EDIT, warmer)
    told = [(0, photo), (1, warmer), (2, late), (3, later), (2, other), (1, colder)]
    assert [shelf.family(entry) for _, entry in told] == [told] * 6
    assert (shelf.steps(later), shelf.steps(other)) == ([warmer, late, later], [warmer, other])


def test_a_fusions_pictures_stand_above_it_in_their_order_without_what_those_were_made_from(shelf: Shelf) -> None:
    one, other = shelf.put(), shelf.put()
    edited = shelf.put(EDIT, one)
    fused = shelf.put(replace(EDIT, kind="fusion"), other, edited)
    again = shelf.put(EDIT, fused)
    told = [(0, other), (0, edited), (1, fused), (2, again)]
    assert [shelf.family(entry) for entry in (fused, again)] == [told] * 2
    assert shelf.family(edited) == [(0, one), (1, edited), (2, fused), (3, again)]
    assert shelf.family(other) == [(0, other), (1, fused), (2, again)]
    assert [shelf.steps(entry) for entry in (fused, again)] == [[], [again]]  # no edit leads over a fusion


def test_what_was_put_into_another_one_of_the_same_photo_stands_under_that(shelf: Shelf) -> None:
    photo = shelf.bring(b"a photo")
    hat = shelf.put(EDIT, photo)
    lamp = shelf.keep(shelf.put(), replace(EDIT, references=(name_of(photo),), sources=(hat.id,)))
    told = [(0, photo), (1, hat), (2, lamp)]
    assert [shelf.family(entry) for entry in (photo, hat, lamp)] == [told] * 3
    assert shelf.steps(lamp) == [hat, lamp]


def test_of_a_picture_that_was_fused_with_itself_one_stands_above(shelf: Shelf) -> None:
    source = shelf.put()
    twice = shelf.put(replace(EDIT, kind="fusion"), source, source)
    assert shelf.family(twice) == [(0, source), (1, twice)]
    assert shelf.family(source) == [(0, source), (1, twice)]


def test_what_was_made_of_a_photo_and_an_address_has_the_photo_above(shelf: Shelf) -> None:
    brought = shelf.bring(b"a photo")
    assert (brought.recipe, brought.size) == (None, (256, 256))
    edited, fused = shelf.put(EDIT, brought), shelf.put(replace(EDIT, kind="fusion"), brought, ADDRESS)
    assert shelf.family(brought) == [(0, brought), (1, edited), (1, fused)]
    assert shelf.family(fused) == [(0, brought), (1, fused)]


def test_an_address_is_no_picture_of_the_library_but_an_original_that_is_still_there(shelf: Shelf) -> None:
    first = shelf.put(EDIT, ADDRESS)
    second = shelf.put(EDIT, first)
    assert shelf.family(first) == [(0, first), (1, second)]
    assert shelf.steps(second) == [first, second]


def test_where_a_source_was_deleted_the_kept_reference_stands_for_it(shelf: Shelf) -> None:
    source, kept = shelf.put(), shelf.bring(b"as it was sent")
    recipe = replace(EDIT, references=(name_of(kept),), sources=(source.id,))
    made = shelf.keep(shelf.put(), recipe)
    last = shelf.put(EDIT, made)
    assert shelf.family(last) == [(0, source), (1, made), (2, last)]
    shelf.library.delete(source)
    assert shelf.family(last) == [(0, kept), (1, made), (2, last)]
    assert shelf.steps(last) == [made, last]
    assert shelf.library.restore(source.id)
    assert shelf.family(made) == [(0, source), (1, made), (2, last)]
    shelf.library.delete(source)
    kept.path.unlink()
    assert shelf.family(last) == [(0, made), (1, last)]
    assert shelf.steps(last) == [last]  # the edit whose source is gone is the original now
    shelf.library.delete(last)
    assert shelf.family(made) == [(0, made)]
    assert shelf.steps(made) == []


def test_a_circle_of_recipes_ends(shelf: Shelf) -> None:
    one = shelf.put()
    other = shelf.put(EDIT, one)
    one = shelf.keep(one, replace(EDIT, references=(name_of(other),), sources=(other.id,)))
    assert shelf.family(one) == [(0, other), (1, one)]
    assert shelf.family(other) == [(0, one), (1, other)]
    assert shelf.steps(one) == [other, one]
    itself = shelf.keep(one, replace(EDIT, references=("f" * 64,), sources=(one.id,)))
    assert shelf.family(itself) == [(0, itself), (1, other)]
    fused = shelf.keep(one, replace(EDIT, kind="fusion", references=("f" * 64,) * 2, sources=(one.id, other.id)))
    assert shelf.family(fused) == [(0, other), (1, fused)]


def test_of_a_chain_without_end_the_last_ones_are_told(shelf: Shelf) -> None:
    chain = [shelf.put()]
    for _ in range(MOST + 2):
        chain.append(shelf.put(EDIT, chain[-1]))
    assert shelf.family(chain[-1]) == list(enumerate(chain[-MOST:]))
    assert shelf.family(chain[0]) == list(enumerate(chain[:MOST]))
    assert shelf.steps(chain[-1]) == chain[-MOST:]


def test_of_a_large_family_what_led_to_the_picture_is_told_then_its_nearest_relatives(shelf: Shelf) -> None:
    photo = shelf.bring(b"a photo")
    first = shelf.put(EDIT, photo)
    cousins = [shelf.put(EDIT, photo) for _ in range(MOST)]
    child = shelf.put(EDIT, first)
    assert shelf.family(first) == [(0, photo), (1, first), (2, child), *((1, cousin) for cousin in cousins[3:])]
    assert len(shelf.family(first)) == MOST


def test_what_was_made_from_an_answer_once_more_is_told_from_what_came_with_it(shelf: Shelf) -> None:
    photo = shelf.bring(b"a photo")
    painted = replace(EDIT, request_id="r-1", region=Region(words="hat", edge=1, answer="a" * 64))
    hat = shelf.put(painted, photo)
    softer = shelf.put(replace(painted, region=Region(words="hat", edge=3, answer="a" * 64)), photo)
    other = shelf.put(replace(painted, region=Region(words="hat", edge=1, answer="b" * 64)), photo)
    whole = shelf.put(replace(EDIT, request_id="r-2"), photo)
    shelf.days -= 1
    beside = shelf.put(replace(EDIT, request_id="r-2"), photo)  # of one request, in the same second
    aligned = shelf.put(replace(EDIT, request_id="r-2"), photo)
    later = shelf.put(replace(EDIT, request_id="r-3"), photo)
    made = [photo, hat, softer, other, whole, beside, aligned, later]
    assert [shelf.again(entry) for entry in made] == [[softer, aligned]] * len(made)


def test_edits_of_edits_fade_unless_all_are_painted(shelf: Shelf) -> None:
    whole, painted = EDIT, replace(EDIT, region=Region(words="hat"))
    photo = shelf.bring(b"a photo")

    def fading(*recipes: Recipe) -> bool:
        last = photo
        for recipe in recipes:
            last = shelf.put(recipe, last)
        return fades(shelf.steps(last))

    assert [fading(), fading(whole), fading(painted), fading(painted, painted)] == [False] * 4
    assert [fading(whole, whole), fading(whole, painted), fading(painted, painted, whole)] == [True] * 3


@pytest.mark.parametrize("sources", [("../../etc/passwd",), ("2026-11-22-" + "f" * 24,), ("",), (), ("a", "b", "c")])
def test_what_a_foreign_recipe_names_is_looked_for_here_alone(shelf: Shelf, sources: tuple[str, ...]) -> None:
    theirs = Shelf(shelf.library.root / "visitor-other").put(replace(DRAWN, prompt="theirs"))
    for named in (sources, (theirs.id,)):
        made = shelf.keep(shelf.put(), replace(EDIT, references=("f" * 64,), sources=named))
        assert shelf.family(made) == [(0, made)]
        assert shelf.steps(made) == []


# With an order


@pytest_asyncio.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    client = QwenClient(KEY, "http://offline/v1", transport=Backend())
    service = Service(client, Orders(8), Library(tmp_path / "outputs"), public=True)
    yield service
    await service.aclose()


async def ordered(service: Service, kind: str, *sources: Path | str) -> Order:
    small: dict[str, Any] = {} if sources else {"size": "1328x1328"}
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
    assert [(step.depth, step.entry) for step in family(library, made)] == [(0, first), (0, brought), (1, made)]
    assert [(step.depth, step.entry) for step in family(library, first)] == [(0, first), (1, made)]
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
    library = service.library("ann")
    made = library.entry_of(order.pictures[0].path)
    assert made
    told = [(step.depth, step.entry) for step in family(library, made)]
    assert told == [(0, library.reference(order.terms.references[0])), (1, made)]


def test_recipes_of_before_have_no_sources_and_are_read(tmp_path: Path) -> None:
    facts = {name: value for name, value in asdict(replace(EDIT, references=("f" * 64,))).items() if name != "sources"}
    old = parse(json.dumps(facts).encode())
    assert old == replace(EDIT, references=("f" * 64,), sources=())
    (tmp_path / "a.png").write_bytes(embed(picture().data, replace(old, sources=("2026-11-22-" + "a" * 24,))))
    assert read(tmp_path / "a.png").sources == ("2026-11-22-" + "a" * 24,)
