"""What fills a form from the board: looked up among what is the visitor's, and told."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import pytest_asyncio
from starlette.requests import Request

from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import InvalidRequest
from qwen_demo.api.requests import TextToImage
from qwen_demo.axes import Axes
from qwen_demo.call import Photo
from qwen_demo.images import Reference
from qwen_demo.inpaint import Region
from qwen_demo.library import Entry, Library
from qwen_demo.orders import Orders
from qwen_demo.recipe import Recipe, embed
from qwen_demo.service import Service
from qwen_demo.strokes import mask_of
from qwen_demo.ui.edit import edit_tab
from qwen_demo.ui.files import fresh_folder
from qwen_demo.ui.filling import Filling
from qwen_demo.ui.form import Form
from qwen_demo.ui.fusion import fusion_tab
from qwen_demo.ui.photos import rows_of
from qwen_demo.ui.text_to_image import text_to_image_tab
from qwen_demo.visitors import Visitor
from qwen_demo.web import VISITOR
from tests.conftest import KEY, Backend, ask_for, off_the_loop
from tests.test_library import aside, picture
from tests.test_recipe import with_text

CAT = Recipe(
    kind="text_to_image",
    prompt="a cat",
    model="qwen-image",
    size="928x1664",
    seed=7,
    negative_prompt="blurry",
    watermark=True,
    optimize_prompt=False,
)
EDIT = Recipe(kind="edit", prompt="warmer", model="qwen-image-edit", seed=3)
FUSION = Recipe(kind="fusion", prompt="图1 and 图2", model="qwen-image-edit-plus", n=2, seed=4, size="1328x1328")
ADDRESS = "https://pictures.example/cat.png"
GONE = "This picture is not there any more."
FULL = "All three places are taken. Empty one first."


def asks(name: str, language: str = "en") -> gr.Request:
    """A request of that visitor's."""
    headers = [(b"accept-language", language.encode())]
    return gr.Request(Request({"type": "http", "headers": headers, VISITOR: Visitor(name, (f"cookie {name}",))}))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[gr.Tabs, list[Form]]:
    """The three forms in their tabs."""
    service = Service(QwenClient(KEY), Orders(1), Library(tmp_path_factory.mktemp("drawn")))
    forms = []
    with gr.Blocks() as demo, gr.Tabs() as tabs:
        for id, draw in (("text", text_to_image_tab), ("edit", edit_tab), ("fusion", fusion_tab)):
            with gr.Tab(id, id=id):
                forms.append(draw(demo, service))
    return tabs, forms


class Page:
    """The three forms, and what fills them."""

    def __init__(self, root: Path, tabs: gr.Tabs, forms: list[Form]) -> None:
        client = QwenClient(KEY, "http://offline/v1", transport=Backend())
        self.service = Service(client, Orders(8), Library(root), public=True)
        _, self.edit, self.fusion = forms
        self.tabs = tabs
        self.parts = {part: f"{form.tab} {name}" for form in forms for name, part in form.controls().items()}
        for form in forms:
            for at, slot in enumerate(form.slots):
                names = ["image", "address", "note", "original", *["painted"] * bool(slot.painter)]
                names += ["several"] * bool(slot.photos)
                for name, part in zip(names, slot.outputs(), strict=True):
                    self.parts[part] = f"{form.tab} {name} {at}"
            self.parts |= {part: f"{form.tab} several {name}" for name, part in form.compare.parts().items()}
        self._filling = Filling(self.service, forms, tabs)
        self.saved = 0

    def put(self, recipe: Recipe = CAT, owner: str = "ann") -> Entry:
        self.saved += 1
        library = self.service.library(owner)
        at = datetime(2026, 11, 22, 15, 30) + timedelta(seconds=self.saved)
        entry = library.entry_of(aside(library.save, picture(), recipe, 1, at))
        assert entry
        return entry

    async def fill(
        self, wanted: object, *, name: str = "ann", language: str = "en", held: dict[str, object] | None = None
    ) -> tuple[dict[str, Any], str]:
        """What is filled in, by form and control, `open` for the tab that is opened; and what is said.

        That nothing is asked in several ways, and of no more than one photo, goes without saying.
        """
        given: dict[str, object] = dict.fromkeys(self.fusion.inputs())
        given |= {"background": "#ffffff", **(held or {})}
        with pytest.MonkeyPatch.context() as patch:  # from another disk it would be a copy, and everyone would wait
            patch.setattr("qwen_demo.ui.files.os.link", off_the_loop(os.link))
            updates, said = await self._filling.fill(wanted, given, asks(name, language))
        names: dict[Any, str] = {self.tabs: "open", **self.parts}
        filled = {}
        for part, value in updates.items():
            if isinstance(value, dict) and value.get("__type__") == "update":
                if len(value) == 1:  # stays as it is
                    continue
                value = value.get("selected", value.get("value"))
            if value or "several" not in names[part]:
                filled[names[part]] = value
        return filled, said

    async def refused(self, wanted: object, **more: Any) -> str:
        with pytest.raises(gr.Error) as error:
            await self.fill(wanted, **more)
        return str(error.value.message)


def slots(form: Form, *pictures: str) -> dict[str, str | None]:
    """How a form's slots are filled: with pictures of the library by their ids, with addresses, or emptied."""
    filled: dict[str, str | None] = {}
    for at, _ in enumerate(form.slots):
        what = pictures[at] if at < len(pictures) else ""
        filled |= {f"{form.tab} image {at}": what if what and "/" not in what else None}
        filled |= {f"{form.tab} address {at}": what if "/" in what else "", f"{form.tab} original {at}": ""}
    return filled


def plain(filled: dict[str, Any]) -> dict[str, Any]:
    """With the names of published pictures in place of their paths, and without what is beside them."""
    stems = {
        name: Path(value).stem if " image " in name and value else value
        for name, value in filled.items()
        if not {"note", "painted"} & set(name.split())
    }
    return {name: value for name, value in stems.items() if name != "open"}


def of_cat(**changes: Any) -> dict[str, Any]:
    fields = {"prompt": "a cat", "negative_prompt": "blurry", "model": "qwen-image", "size": "928x1664", "n": 1}
    fields |= {"seed": 7, "random_seed": False, "watermark": True, "optimize_prompt": False, "response_format": "url"}
    return {f"text {name}": value for name, value in (fields | changes).items() if value is not ...}


@pytest_asyncio.fixture
async def page(
    drawn: tuple[gr.Tabs, list[Form]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Page]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    page = Page(tmp_path / "outputs", *drawn)
    yield page
    await page.service.aclose()


def upload(data: bytes, name: str = "photo.png") -> str:
    path = fresh_folder() / name
    path.write_bytes(data)
    return str(path)


def data_of(path: str) -> bytes:
    return Path(path).read_bytes()


async def test_settings_are_used_with_the_seed_or_without_it(page: Page) -> None:
    id = page.put().id
    filled, said = await page.fill({"act": "settings", "id": id, "seed": True})
    assert (filled.pop("open"), filled) == ("text", of_cat())
    assert said == "Filled in: Prompt, Negative prompt, Model, Size, Pictures, Seed."
    filled, said = await page.fill({"act": "settings", "id": id, "seed": False})
    assert (filled.pop("open"), filled) == ("text", of_cat(seed=..., random_seed=...))
    assert said == "Filled in: Prompt, Negative prompt, Model, Size, Pictures."
    assert await page.fill({"act": "settings", "id": id}) == ({**filled, "open": "text"}, said)
    _, said = await page.fill({"act": "settings", "id": id}, language="zh-CN")
    assert not said.isascii()


async def test_settings_bring_their_pictures_back_and_tell_how_many_are_gone(page: Page) -> None:
    data = picture("JPEG").data
    kept = page.service.library("ann").keep_reference(Reference(data, "image/jpeg", (9, 9), "JPEG", (9, 9), False))
    source = page.put()
    recipe = replace(
        FUSION, references=("f" * 64, kept.stem, ADDRESS), sources=(source.id, "", ""), negative_prompt=None, n=1
    )
    id = page.put(recipe).id
    filled, said = await page.fill({"act": "settings", "id": id, "seed": True})
    assert filled["open"] == "fusion"
    shown = {name: value for name, value in plain(filled).items() if name in slots(page.fusion)}
    assert shown == slots(page.fusion, source.id, f"reference-{kept.stem}", ADDRESS)
    assert data_of(filled["fusion image 0"]) == source.path.read_bytes()
    assert said == "Filled in: Image 1, Image 2, Image 3, Prompt, Model, Size, Pictures, Seed."
    page.service.library("ann").delete(source)
    kept.unlink()
    filled, said = await page.fill({"act": "settings", "id": id, "seed": False})
    shown = {name: value for name, value in plain(filled).items() if name in slots(page.fusion)}
    assert shown == slots(page.fusion, "", "", ADDRESS)
    assert said == "Filled in: Image 3, Prompt, Model, Size, Pictures. Reference pictures no longer here: 2."


async def test_of_more_pictures_than_there_are_places_the_first_are_used(page: Page) -> None:
    ids = [page.put().id for _ in range(4)]
    for recipe, places, names in ((FUSION, 3, "Image 1, Image 2, Image 3"), (EDIT, 1, "Picture"), (CAT, 0, "Prompt")):
        entry = page.put(replace(recipe, references=("f" * 64,) * 4, sources=tuple(ids)))
        filled, said = await page.fill({"act": "settings", "id": entry.id})
        found = [Path(value).stem for name, value in filled.items() if " image " in name]
        assert (found, said.startswith(f"Filled in: {names}, ")) == (ids[:places], True)


async def test_an_order_is_used_again_with_all_its_pictures_and_no_seed(page: Page) -> None:
    ann = Visitor("ann", ("cookie ann",))
    request = TextToImage(**{name: getattr(CAT, name) for name in ("prompt", "model", "size", "seed")})
    order = await ask_for(page.service, request, 3, ann)
    filled, said = await page.fill({"act": "order", "order": order.id})
    assert filled.pop("open") == "text"
    assert filled == of_cat(negative_prompt="", n=3, seed=..., random_seed=..., watermark=False, optimize_prompt=True)
    assert said == "Filled in: Prompt, Model, Size, Pictures."
    assert await page.refused({"act": "order", "order": order.id}, name="bob") == GONE
    await order.finish()
    source = page.put()
    edit = await page.service.order_from("edit", [source.path], 1, ann, prompt="warmer", model=EDIT.model, seed=1)
    filled, said = await page.fill({"act": "order", "order": edit.id})
    assert (filled["open"], Path(filled["edit image 0"]).stem) == ("edit", source.id)
    assert said == "Filled in: Picture, Prompt, Model, Pictures."
    await edit.finish()


async def test_what_a_program_ordered_is_used_again_as_far_as_a_form_can_ask_for_it(page: Page) -> None:
    ann = Visitor("ann", ("cookie ann",))
    seeds = Axes(model=("qwen-image", "qwen-image-plus"), seed=tuple(range(100, 110)))
    varied = await page.service.order_from("text_to_image", [], 1, ann, axes=seeds, prompt="a cat")
    filled, said = await page.fill({"act": "order", "order": varied.id})
    assert (filled["text n"], "text seed" in filled) == (6, False)
    assert said.endswith("Pictures, Several at once. There were 10 pictures of each, and here it is 6 at most.")
    await varied.finish()

    data = picture("JPEG").data
    kept = page.service.library("ann").keep_reference(Reference(data, "image/jpeg", (9, 9), "JPEG", (9, 9), False))
    photos = [Photo("beach.jpg", kept.stem), Photo("cat.png", ADDRESS)]
    batch = await page.service.order_from("edit", [], 1, ann, photos=photos, prompt="warmer")
    filled, said = await page.fill({"act": "order", "order": batch.id})
    assert filled["edit several 0"] == rows_of(photos[:1])
    assert said.endswith("Pictures, Photos. Photos left out, as they were given by their addresses: 1.")
    await batch.finish()


async def test_a_rewritten_prompt_is_put_into_its_tab_and_nothing_else(page: Page) -> None:
    for kind, tab in (("text_to_image", "text"), ("edit", "edit"), ("fusion", "fusion")):
        wanted = {"act": "prompt", "kind": kind, "text": "a finer <b>cat</b>"}
        filled, said = await page.fill(wanted)
        assert (filled, said) == ({f"{tab} prompt": "a finer <b>cat</b>", "open": tab}, "Filled in: Prompt.")


async def test_an_example_fills_its_tab(page: Page) -> None:
    filled, said = await page.fill({"act": "example", "key": "fusion_pets"}, language="zh-CN")
    assert (filled["open"], said) == ("fusion", "")
    assert "猫" in filled["fusion prompt"]
    assert [Path(filled[f"fusion image {at}"] or "").suffix for at in range(3)] == [".png", ".png", ""]


async def test_a_picture_is_edited_in_the_edit_tab(page: Page) -> None:
    entry = page.put()
    filled, said = await page.fill({"act": "edit", "id": entry.id})
    assert (filled.pop("open"), said) == ("edit", "The picture is in the Edit tab now.")
    assert plain(filled) == slots(page.edit, entry.id)
    assert data_of(filled["edit image 0"]) == entry.path.read_bytes()
    data = picture("JPEG").data
    kept = page.service.library("ann").keep_reference(Reference(data, "image/jpeg", (9, 9), "JPEG", (9, 9), False))
    filled, _ = await page.fill({"act": "edit", "id": f"reference-{kept.stem}"})
    assert data_of(filled["edit image 0"]) == data


HELD = {"path": "/somewhere/else.png"}


@pytest.mark.parametrize(
    ("held", "places", "names"),
    [
        ({}, {0: 0}, "image 1"),
        ({"image_0": HELD}, {1: 0}, "image 2"),
        ({"address_0": ADDRESS, "image_2": HELD}, {1: 0}, "image 2"),
        ({"image_1": HELD, "address_0": ADDRESS}, {2: 0}, "image 3"),
    ],
)
async def test_one_picture_goes_into_the_first_free_place_of_the_fusion(
    page: Page, held: dict[str, object], places: dict[int, int], names: str
) -> None:
    id = page.put().id
    filled, said = await page.fill({"act": "fuse", "ids": [id]}, held=held)
    assert (filled.pop("open"), said) == ("fusion", f"Added to the fusion as {names}.")
    everything = slots(page.fusion, *(id if at in places else "" for at in range(3)))
    (place,) = places
    assert plain(filled) == {name: value for name, value in everything.items() if name.endswith(str(place))}


async def test_several_go_beside_what_is_there_if_they_fit(page: Page) -> None:
    one, other = page.put().id, page.put().id
    filled, said = await page.fill({"act": "fuse", "ids": [one, other]}, held={"address_1": ADDRESS})
    assert said == "Added to the fusion as image 1, image 3."
    assert {name: value for name, value in plain(filled).items() if "image" in name} == {
        "fusion image 0": one,
        "fusion image 2": other,
    }


@pytest.mark.parametrize(
    "held", [{"image_0": HELD, "image_1": HELD}, dict.fromkeys(("image_0", "image_1", "image_2"), HELD)]
)
async def test_several_that_do_not_fit_are_a_fusion_of_their_own(page: Page, held: dict[str, object]) -> None:
    one, other = page.put().id, page.put().id
    filled, said = await page.fill({"act": "fuse", "ids": [one, other]}, held=held)
    assert (filled.pop("open"), said) == ("fusion", "Added to the fusion as image 1, image 2.")
    assert plain(filled) == slots(page.fusion, one, other)


async def test_of_more_than_three_the_first_three_are_fused(page: Page) -> None:
    ids = [page.put().id for _ in range(4)]
    filled, said = await page.fill({"act": "fuse", "ids": ids})
    filled.pop("open")
    assert (plain(filled), said) == (
        slots(page.fusion, *ids[:3]),
        "Added to the fusion as image 1, image 2, image 3.",
    )


async def test_a_full_fusion_takes_no_single_one(page: Page) -> None:
    held = {"image_0": HELD, "address_1": ADDRESS, "image_2": HELD}
    assert await page.refused({"act": "fuse", "ids": [page.put().id]}, held=held) == FULL


async def test_a_dropped_picture_of_ours_brings_its_settings_and_its_seed(page: Page) -> None:
    source = page.put()
    mine = replace(EDIT, references=("f" * 64,), sources=(source.id,))
    wanted = {"act": "drop", "path": upload(page.put(mine).path.read_bytes()), "tab": "text"}
    filled, said = await page.fill(wanted)
    assert (filled["open"], filled["edit prompt"], filled["edit seed"]) == ("edit", "warmer", 3)
    assert Path(filled["edit image 0"]).stem == source.id
    assert said == "Filled in: Picture, Prompt, Model, Pictures, Seed."
    filled, said = await page.fill(wanted, name="bob")  # who has the picture has its words, and nobody's others
    assert (filled["edit prompt"], filled["edit image 0"]) == ("warmer", None)
    assert said == "Filled in: Prompt, Model, Pictures, Seed. Reference pictures no longer here: 1."


@pytest.mark.parametrize("tab", ["text", "edit", "history", "nonsense", ""])
async def test_a_dropped_picture_of_elsewhere_goes_into_the_edit_tab(page: Page, tab: str) -> None:
    filled, said = await page.fill({"act": "drop", "path": upload(picture("JPEG").data), "tab": tab})
    assert (filled.pop("open"), said, sorted(filled)) == (
        "edit",
        "",
        ["edit address 0", "edit image 0", "edit note 0", "edit original 0", "edit painted 0"],
    )
    assert "256×256 JPEG → 384×384" in filled["edit note 0"]
    assert data_of(filled["edit image 0"])


async def test_in_the_fusion_it_takes_a_free_place_or_is_refused(page: Page) -> None:
    wanted = {"act": "drop", "path": upload(picture().data), "tab": "fusion"}
    filled, _ = await page.fill(wanted, held={"image_0": HELD})
    assert filled.pop("open") == "fusion"
    assert {name[-1] for name in filled} == {"1"}
    held = {"image_0": HELD, "address_1": ADDRESS, "image_2": HELD}
    assert await page.refused(wanted, held=held) == FULL


async def test_a_file_that_is_no_picture_is_told_at_its_place(page: Page) -> None:
    filled, said = await page.fill({"act": "drop", "path": upload(b"no picture"), "tab": "edit"})
    assert (filled["edit image 0"], said) == (None, "")
    assert "can&#x27;t be read as a picture" in filled["edit note 0"]


MARKUP = '{"kind": "text_to_image", "prompt": "<script>", "model": "qwen-image-plus", "size": "1328x1328"}'


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (with_text(b"{"), "The settings in this picture are broken. Nothing was restored."),
        (with_text(MARKUP.encode()), "The settings in this picture hold HTML. Nothing was restored."),
        (with_text(b" " * 200_000), "The settings in this picture are too large to be true. Nothing was restored."),
        (
            embed(picture().data, replace(CAT, size="wide")),
            "The settings in this picture are broken. Nothing was restored.",
        ),
    ],
    ids=["broken", "markup", "large", "unorderable"],
)
async def test_a_broken_recipe_is_told_and_nothing_is_filled(page: Page, data: bytes, told: str) -> None:
    assert await page.refused({"act": "drop", "path": upload(data), "tab": "text"}) == told


async def test_a_path_that_was_not_uploaded_is_no_file(page: Page) -> None:
    mine = page.put()
    for path in ("/etc/passwd", str(mine.path), "", None, ["a"], "a\0b", "../../etc/passwd"):
        with pytest.raises(InvalidRequest):
            await page.fill({"act": "drop", "path": path, "tab": "edit"})


async def test_a_strangers_pictures_and_orders_are_not_there(page: Page) -> None:
    theirs = page.put(owner="bob").id
    for wanted in ({"act": "settings", "id": theirs}, {"act": "edit", "id": theirs}, {"act": "fuse", "ids": [theirs]}):
        assert await page.refused(wanted) == GONE
    assert await page.refused({"act": "fuse", "ids": [page.put().id, theirs]}) == GONE
    assert await page.refused({"act": "edit", "id": theirs}, language="zh-CN") != GONE


async def test_a_picture_without_settings_of_ours_has_none_to_use(page: Page) -> None:
    library = page.service.library("ann")
    foreign = library.root / "2026-11-22" / "foreign.png"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(picture().data)
    entry = library.entry_of(foreign)
    assert entry
    told = "This picture carries no settings of this app."
    assert await page.refused({"act": "settings", "id": entry.id}) == told
    assert await page.refused({"act": "settings", "id": page.put(replace(CAT, kind="video")).id}) == told
    filled, _ = await page.fill({"act": "edit", "id": entry.id})  # it can be edited all the same
    assert Path(filled["edit image 0"]).stem == entry.id


NO_IDS: list[object] = ["abc", [], [None], [[]], {}, 7, ["../x"]]


@pytest.mark.parametrize(
    "wanted",
    [
        *(None, "settings", 7, [], ["settings"], {}, {"act": None}, {"act": "nonsense"}, {"act": ["settings"]}),
        *({"act": act} for act in ("settings", "edit", "fuse", "order", "prompt", "example")),
        *(
            {"act": act, "id": id}
            for act in ("settings", "edit")
            for id in ("", "../x", 7, None, ["a"], {"a": 1}, "a\0")
        ),
        *({"act": "fuse", "ids": ids} for ids in NO_IDS),
        *({"act": "order", "order": order} for order in ("", None, 7, ["a"])),
        *({"act": "prompt", "kind": kind, "text": "a"} for kind in ("", None, "video", ["edit"])),
        *({"act": "prompt", "kind": "edit", "text": text} for text in (None, 7, ["a"], {"a": 1})),
        *({"act": "example", "key": key} for key in ("", None, "nonsense", ["text_cat"])),
    ],
    ids=repr,
)
async def test_nonsense_is_refused_in_words(page: Page, wanted: object) -> None:
    assert await page.refused(wanted) == GONE


PAINT = ((60.0, 0.0, 500.0, 400.0),)


def retouched(page: Page, prompt: str, *, source: Entry | None = None, strokes: Any = PAINT) -> Entry:
    """A picture of which only a part was to change: of that one, or of a photo that is kept."""
    library = page.service.library("ann")
    data = picture("JPEG").data
    photo = library.keep_reference(Reference(data, "image/jpeg", (9, 9), "JPEG", (9, 9), False))
    region = Region(strokes=strokes, edge=2, box=(0, 0, 5, 4), size=(1024, 1024), sent="a" * 64, answer="b" * 64)
    sources = (source.id if source else "",)
    return page.put(replace(EDIT, prompt=prompt, references=(photo.stem,), sources=sources, region=region))


async def test_settings_bring_the_paint_back(page: Page) -> None:
    filled, _ = await page.fill({"act": "settings", "id": retouched(page, "a hat").id})
    painted = filled["edit painted 0"]
    assert painted["regions"] == [{"strokes": [[60.0, 0.0, 500.0, 400.0]], "words": ""}]
    assert (painted["sees"], painted["edge"], painted["of"], painted["box"]) == ("part", 2, "", None)
    assert filled["edit prompt"] == "a hat"
    filled, _ = await page.fill({"act": "settings", "id": page.put(EDIT).id})
    assert filled["edit painted 0"]["regions"] == []


async def test_the_paint_of_a_picture_is_adjusted_within_what_was_sent(page: Page) -> None:
    entry = retouched(page, "a hat")
    filled, said = await page.fill({"act": "repaint", "id": entry.id})
    unit = 1000 / max(entry.size)
    painted = filled["edit painted 0"]
    assert (painted["of"], painted["box"]) == (entry.id, [round(edge * unit, 1) for edge in (0, 0, 5, 4)])
    assert painted["regions"][0]["strokes"] == [[60.0, 0.0, 500.0, 400.0]]
    assert (filled["open"], said) == (
        "edit",
        "Change the paint or its edge, then apply again. The words go into a new order only.",
    )
    assert await page.refused({"act": "repaint", "id": page.put(EDIT).id})
    assert await page.refused({"act": "repaint", "id": entry.id}, name="bob") == GONE


async def test_all_steps_are_asked_at_once_of_the_original(page: Page) -> None:
    original = page.put()
    edit = replace(EDIT, references=("f" * 64,))
    first = page.put(replace(edit, prompt="warmer", sources=(original.id,)))
    second = page.put(replace(edit, prompt="add fog", sources=(first.id,)))
    filled, said = await page.fill({"act": "all_at_once", "id": second.id})
    assert filled["edit prompt"] == "1. warmer\n2. add fog"
    assert Path(filled["edit image 0"]).stem == original.id
    assert filled["edit painted 0"]["regions"] == []
    assert said == "The words of 2 steps, for the original. Read them once more, then edit."


async def test_painted_steps_keep_their_paint_when_all_are_asked_at_once(page: Page) -> None:
    first = retouched(page, "a hat")
    second = retouched(page, "no lamp", source=first, strokes=((20.0, 0.0, 100.0, 100.0),))
    filled, _ = await page.fill({"act": "all_at_once", "id": second.id})
    assert filled["edit painted 0"]["regions"] == [
        {"strokes": [[60.0, 0.0, 500.0, 400.0]], "words": "a hat"},
        {"strokes": [[20.0, 0.0, 100.0, 100.0]], "words": "no lamp"},
    ]
    assert Path(filled["edit image 0"]).stem.startswith("reference-")


async def test_unpainted_steps_go_first_over_the_whole_photo(page: Page) -> None:
    first = retouched(page, "a hat")
    plain = page.put(replace(EDIT, prompt="warmer", references=("f" * 64,), sources=(first.id,)))
    filled, _ = await page.fill({"act": "all_at_once", "id": plain.id})
    whole, part = filled["edit painted 0"]["regions"]
    assert (whole["words"], part["words"]) == ("warmer", "a hat")
    assert mask_of(whole["strokes"], (4, 3)).getextrema() == (255, 255)
    assert mask_of(whole["strokes"], (3, 4)).getextrema() == (255, 255)


async def test_more_painted_steps_than_an_order_has_regions_are_not_asked_at_once(page: Page) -> None:
    step = None
    for number in range(5):
        step = retouched(page, f"step {number}", source=step)
    assert step is not None
    told = await page.refused({"act": "all_at_once", "id": step.id})
    assert told == "More than 4 of these steps are painted. Go on from a later one."
    assert await page.refused({"act": "all_at_once", "id": page.put().id}) == "The original is not here any more."
