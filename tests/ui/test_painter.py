"""What the painter's value says, and what of it is believed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from PIL import Image

from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import InvalidRequest
from qwen_demo.inpaint import regions_of
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.recipe import Recipe
from qwen_demo.service import Service
from qwen_demo.ui.edit import edit_tab
from qwen_demo.ui.files import fresh_folder
from qwen_demo.ui.form import Form
from qwen_demo.ui.painter import kept_paint, painted_in, photo_value, regions_in, repainted, sharpnesses
from tests.conftest import KEY

DOT = [30, 0, 500, 300]
ERASER = [60, 1, 500, 300]
HAT = {"strokes": [DOT], "words": "a red hat"}
EMPTY = {"strokes": [], "words": ""}
WRONG: list[Any] = [None, 5, "x", [], {}, {"regions": 5, "photo": "x"}, {"regions": [[DOT]], "photo": "x"}]

Uploaded = Callable[[tuple[int, int]], str]


@pytest.fixture
def uploaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Uploaded:
    """A picture of that size where Gradio puts uploads."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))

    def make(size: tuple[int, int]) -> str:
        path = fresh_folder() / "photo #1.png"
        Image.new("RGB", size).save(path)
        return str(path)

    return make


@pytest.fixture(scope="module")
def form(tmp_path_factory: pytest.TempPathFactory) -> Form:
    service = Service(QwenClient(KEY), Orders(1), Library(tmp_path_factory.mktemp("painter")))
    with gr.Blocks() as demo:
        return edit_tab(demo, service)


def value(*regions: Any, size: Any = (4000, 3000), **more: Any) -> dict[str, Any]:
    return {**photo_value("/photo.png", (1, 1)), "size": list(size), "regions": list(regions), **more}


def given(form: Form, **values: Any) -> dict[str, Any]:
    return {**dict.fromkeys(form.inputs()), "model": form.model_names[0], "size": "1328x1328", **values}


def test_a_photo_comes_with_its_address_its_upload_and_its_size() -> None:
    assert photo_value("/files/ü #1.png", (4000, 3000), "/files/upload.heic") == {
        "photo": "gradio_api/file=/files/%C3%BC%20%231.png",
        "original": "/files/upload.heic",
        "size": [4000, 3000],
        "address": False,
        "of": "",
        "box": None,
    }
    assert photo_value(None, address=True)["photo"] == ""


def test_what_is_painted_is_what_an_order_takes() -> None:
    painted = painted_in(value(HAT, EMPTY, sees="whole", edge=2, of="x", box=[0, 0, 500, 500]))
    assert painted == {"regions": [HAT, EMPTY], "sees": "whole", "edge": 2}
    (region,) = regions_of(painted)
    assert (region.words, region.everything, region.edge) == ("a red hat", True, 2)


@pytest.mark.parametrize("held", [*WRONG[:5], value(), value(HAT, photo=""), photo_value("/photo.png")])
def test_without_a_photo_or_with_the_switch_off_nothing_is(held: Any) -> None:
    assert painted_in(held) is None


@pytest.mark.parametrize(
    ("held", "number"),
    [*((held, 1) for held in WRONG), (value(HAT), 1), (value(HAT, EMPTY), 1), (value(HAT, HAT, EMPTY, HAT), 3)],
)
def test_each_region_with_paint_is_a_call(held: Any, number: int) -> None:
    assert regions_in(held) == number


def test_the_sharpness_is_that_of_the_least_sharp_region() -> None:
    wide = {"strokes": [[30, 0, 400, 300, 600, 300]], "words": ""}
    small, large, both = (sharpnesses(value(*regions)) for regions in ([HAT], [wide], [HAT, wide]))
    assert small["part"] == 1
    assert 0.29 < large["whole"] < large["part"] < 1
    assert both == large
    assert sharpnesses(value(HAT, size=(640, 427))) == {"part": 1, "whole": 1, "all": False, "apart": False}


def test_paint_that_leaves_next_to_nothing_covers_all_even_in_several_regions() -> None:
    left, right = ({"strokes": [[200, 0, x, 0, x, 750] for x in at]} for at in ((100, 400), (700, 1000)))
    assert [sharpnesses(value(*regions))["all"] for regions in ([left], [right], [left, right])] == [False, False, True]
    corner = {"strokes": [*left["strokes"], *right["strokes"], [60, 1, 0, 0]]}
    assert sharpnesses(value(corner))["all"] is True
    assert sharpnesses(value({"strokes": [*corner["strokes"], [150, 1, 500, 375]]}))["all"] is False


@pytest.mark.parametrize(
    ("strokes", "apart"),
    [
        ([[30, 0, 100, 300], [30, 0, 900, 300]], True),
        ([[30, 0, 300, 100], [30, 0, 300, 700]], True),
        ([[30, 0, 100, 100], [30, 0, 900, 700]], True),
        ([[30, 0, 100, 300, 900, 300]], False),
        ([[30, 0, 100, 300, 900, 300], [60, 1, 300, 300, 700, 300]], True),
        ([[30, 0, 100, 300], [30, 0, 500, 300], [30, 0, 900, 300]], False),
        ([[30, 0, 450, 300], [30, 0, 600, 300]], False),  # sharp enough as they are
    ],
)
def test_two_lumps_far_apart_would_each_be_sharper(strokes: Any, apart: bool) -> None:
    assert sharpnesses(value({"strokes": strokes}))["apart"] == apart


@pytest.mark.parametrize(
    "held",
    [
        *WRONG,
        value(),
        value(EMPTY),
        value({"strokes": [DOT, ERASER]}),
        value({"strokes": [[float("nan")] * 4]}),
        value(*[HAT] * 5),
        *(value(HAT, size=size) for size in ([], [0, 0], [4000], ["a", "b"], [1e9, 1], [10**9, 1], [-4, -3])),
    ],
)
def test_what_can_not_be_read_has_no_sharpness(held: Any) -> None:
    assert sharpnesses(held) == {}


def test_what_this_browser_kept_is_there_again_while_the_upload_is(uploaded: Uploaded) -> None:
    upload = uploaded((40, 30))
    kept = value(HAT, sees="whole", edge=0, original=upload, of="x")
    told = {"regions": [HAT], "sees": "whole", "edge": 0, "original": upload, "size": (4000, 3000)}
    assert kept_paint(json.dumps(kept)) == told
    assert kept_paint(json.dumps({**kept, "regions": [EMPTY]})) == {**told, "regions": []}
    assert kept_paint(json.dumps({**kept, "original": ""})) == {"regions": [HAT], "sees": "whole", "edge": 0}
    Path(upload).unlink()
    assert kept_paint(json.dumps(kept)) is None


@pytest.mark.parametrize("text", ["", "null", "5", "[]", "{", "[" * 100_000, '{"original": "/etc/passwd"}'])
def test_what_was_kept_otherwise_is_left_out(text: str) -> None:
    assert (kept_paint(text) or {"regions": []})["regions"] == []


def test_a_form_gives_the_paint_and_the_upload_and_no_size(form: Form, uploaded: Uploaded) -> None:
    upload, shown = uploaded((40, 30)), uploaded((20, 15))
    held = given(form, image_0={"path": shown}, painted=value(HAT, original=upload))
    assert form.given(held).painted == {"regions": [HAT]}
    assert form.given(held).original == Path(upload)
    assert form.given(held).fields["size"] is None
    off = {**held, "painted": value(original=upload)}
    assert (form.given(off).painted, form.given(off).fields["size"]) == (None, "1328x1328")
    assert form.given({**held, "painted": value(HAT)}).original == Path(shown)
    assert form.given({**held, "address_0": "https://pictures.example/cat.png"}).original is None
    assert form.given(given(form, painted=value(HAT))).original is None


@pytest.mark.parametrize("path", ["/etc/passwd", "", "\0", "..", 5, ["x"]])
def test_only_an_upload_is_an_original(form: Form, uploaded: Uploaded, path: Any) -> None:
    shown = uploaded((20, 15))
    held = given(form, image_0={"path": shown}, painted=value(HAT, original=path))
    if path:
        with pytest.raises(InvalidRequest):
            _ = form.given(held).original
    else:
        assert form.given(held).original == Path(shown)


def test_settings_bring_their_paint_back_and_others_clear_it(form: Form, uploaded: Uploaded) -> None:
    assert form.painter
    recipe = Recipe(kind="edit", prompt="warmer", model=form.model_names[0])
    paint = {"regions": [HAT], "sees": "whole", "edge": 0, "of": "2026-11-22-1f3a", "box": [0, 0, 500, 400]}
    filled = form.fill(recipe, [Path(uploaded((640, 427)))], painted=paint)[form.painter.part]
    assert filled.pop("photo").startswith("gradio_api/file=/")
    assert filled == {**paint, "original": "", "size": [640, 427], "address": False}
    assert form.fill(recipe, [None], painted=paint)[form.painter.part] == repainted(photo_value(None), paint)
    assert form.fill(recipe, [None])[form.painter.part] == {**photo_value(None), "regions": []}
    assert form.fill(recipe, ["https://a.example/b.png"])[form.painter.part]["address"] is True
