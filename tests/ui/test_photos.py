"""Many photos for one order: what of the part's value is believed, and what the route makes of each."""

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from qwen_demo.api.client import QwenClient
from qwen_demo.api.errors import InvalidRequest
from qwen_demo.axes import MOST
from qwen_demo.call import Photo
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from qwen_demo.ui import photos as module
from qwen_demo.ui.files import fresh_folder
from qwen_demo.ui.photos import Row, kept_photos, photos_in, photos_of
from qwen_demo.ui.slot import colour
from qwen_demo.visitors import Visitor
from tests.conftest import KEY, Backend, launched

ANN, BEN = Visitor("ann"), Visitor("ben")
ROW = {"name": "beach.jpg", "path": "/uploads/beach.jpg", "background": "#ffffff", "id": "reference-1"}


def red(size: tuple[int, int] = (600, 500), mode: str = "RGB", colour: Any = "red") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Each visitor has a library of their own."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    return Service(QwenClient(KEY), Orders(1), Library(tmp_path / "outputs"), public=True)


def upload(data: bytes, name: str = "beach.png") -> dict[str, Any]:
    """A row of the part's value whose upload is there, and that is not ready yet."""
    path = fresh_folder() / name
    path.write_bytes(data)
    return {"name": name, "path": str(path), "background": "#ffffff", "id": ""}


def ready(service: Service, *rows: dict[str, Any], visitor: Visitor = ANN, background: str = "#ffffff") -> list[Photo]:
    return asyncio.run(photos_of(service, list(rows), visitor, background))


def test_a_row_says_what_the_browser_knows_of_a_photo() -> None:
    assert photos_in([ROW]) == [Row("beach.jpg", "/uploads/beach.jpg", "#ffffff", "reference-1")]
    assert photos_in([]) == []


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "x",
        {},
        {"name": "x"},
        [None],
        [5],
        [[]],
        [{}],
        [{"name": 5}],
        [{**ROW, "path": ["x"]}],
        [{**ROW, "id": 1}],
    ],
)
def test_what_is_no_row_is_none(value: object) -> None:
    assert photos_in(value) == []


def test_a_row_that_cant_be_read_costs_none_of_the_others() -> None:
    assert [row.name for row in photos_in([{}, ROW, {"name": None}])] == ["beach.jpg"]


def test_of_ten_thousand_rows_no_more_are_read_than_one_order_takes() -> None:
    assert len(photos_in([{**ROW, "id": f"reference-{number}"} for number in range(10_000)])) == MOST


def test_the_same_picture_is_one_photo() -> None:
    assert [row.name for row in photos_in([ROW, {**ROW, "name": "copy.jpg"}])] == ["beach.jpg"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../x.png", "x.png"),
        ("C:\\Users\\ann\\x.png", "x.png"),
        ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>.png"),
        ("a\u202egnp.exe\0\n\x1b[31m.png", "a gnp.exe [31m.png"),
        ("海滩\u3000一.jpg", "海滩 一.jpg"),
        ("שלום.png", "שלום.png"),
        ("x" * 300, "x" * 120),
    ],
)
def test_a_name_is_what_can_be_shown_of_it(name: str, shown: str) -> None:
    assert [row.name for row in photos_in([{**ROW, "name": name}])] == [shown]


def test_a_draft_holds_the_rows_as_they_were() -> None:
    assert kept_photos(json.dumps([ROW])) == [ROW]


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "5", '[{"name": 1}]'])
def test_a_draft_that_cant_be_read_holds_none(text: str) -> None:
    assert kept_photos(text) == []


def test_photos_are_made_ready_once_and_found_again_by_their_ids(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = upload(red())
    (photo,) = ready(service, row)
    kept = service.library(ANN.name).reference(photo.reference)
    assert kept
    assert photo == Photo("beach.png", photo.reference)
    assert kept.size == (600, 500)
    monkeypatch.setattr(service.uploads, "prepare", None)
    Path(row["path"]).unlink()
    assert ready(service, {**row, "id": kept.id}) == [photo]


def test_another_background_makes_what_is_transparent_anew(service: Service) -> None:
    row = upload(red(mode="RGBA", colour=(0, 0, 0, 0)))
    (white,) = ready(service, row)
    row["id"] = f"reference-{white.reference}"
    (green,) = ready(service, row, background="#00ff00")
    kept = service.library(ANN.name).find_reference(green.reference)
    assert kept
    assert Image.open(kept).convert("RGB").getpixel((0, 0)) == (0, 255, 0)
    assert ready(service, row) == [white]
    # Without its upload it is what it has become.
    assert ready(service, {**row, "path": ""}, background="#00ff00") == [white]


def test_a_reference_that_is_gone_is_made_of_its_upload_again(service: Service) -> None:
    row = upload(red())
    (photo,) = ready(service, row)
    kept = service.library(ANN.name).find_reference(photo.reference)
    assert kept
    kept.unlink()
    assert ready(service, {**row, "id": f"reference-{photo.reference}"}) == [photo]
    assert kept.exists()


def test_what_is_another_visitors_is_not_found(service: Service) -> None:
    row = upload(red())
    (photo,) = ready(service, row)
    with pytest.raises(InvalidRequest) as refused:
        ready(service, {**row, "path": "", "id": f"reference-{photo.reference}"}, visitor=BEN)
    assert (refused.value.problem, refused.value.value) == ("photo_gone", "'beach.png'")


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "", "\0", "x" * 4000])
def test_a_path_outside_of_the_uploads_is_no_photo(service: Service, path: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        ready(service, {**ROW, "path": path})
    assert (refused.value.problem, refused.value.value) == ("photo_gone", "'beach.jpg'")


def test_a_finished_picture_is_no_reference(service: Service) -> None:
    with pytest.raises(InvalidRequest, match="beach"):
        ready(service, {**ROW, "path": "", "id": "2026-11-22-0123456789abcdef01234567"})


def test_one_that_cant_be_read_is_named_as_the_visitor_calls_it(service: Service) -> None:
    with pytest.raises(InvalidRequest) as refused:
        ready(service, {**upload(b"no picture", "stored.png"), "name": "my beach.png"})
    assert (refused.value.problem, refused.value.value) == ("not_a_picture", "'my beach.png'")


def test_the_browser_counts_as_far_as_an_order_goes() -> None:
    script = Path(module.__file__).parent / "board" / "photos.js"
    assert f"const MOST = {MOST};" in script.read_text(encoding="utf-8")


Asking = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An app whose visitors have libraries of their own."""
    folder, backend = tmp_path_factory.mktemp("photos"), Backend()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "gradio"))
        client = QwenClient(KEY, "http://offline/v1", transport=backend)
        with launched(Service(client, Orders(2), Library(folder / "outputs"), public=True)) as url:
            yield url


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60) as http:
        http.get("/healthz")
        yield http


def sent(http: httpx.Client, data: bytes) -> str:
    """The path of an upload."""
    (path,) = http.post("/gradio_api/upload", files={"files": ("a.png", data)}).json()
    return str(path)


def test_the_route_makes_a_photo_ready_and_shows_it_to_its_visitor_alone(http: httpx.Client, url: str) -> None:
    row = {"name": "beach.png", "path": sent(http, red()), "background": "#ffffff"}
    told = http.post("/board/photo", json=row).json()
    assert (told["w"], told["h"]) == (600, 500)
    assert told["id"].startswith("reference-")
    assert http.get(f"/picture/{told['id']}?w=512").headers["content-type"] == "image/webp"
    assert http.post("/board/photo", json={"name": "beach.png", "id": told["id"]}).json()["id"] == told["id"]
    with httpx.Client(base_url=url) as other:
        other.get("/healthz")
        assert other.get(f"/picture/{told['id']}").status_code == 404
        refused = other.post("/board/photo", json={"name": "beach.png", "id": told["id"]}).json()
        assert refused == {"refused": "Picture: 'beach.png' is not here any more. Add it again."}


def test_the_route_refuses_in_words_that_name_the_file(http: httpx.Client) -> None:
    row = {"name": "../notes.txt", "path": sent(http, b"no picture"), "background": "#ffffff"}
    told = http.post("/board/photo", json=row).json()
    use = "Use a JPG, PNG, WEBP, BMP, TIFF, GIF, HEIC or AVIF."
    assert told == {"refused": f"Picture: 'notes.txt' can't be read as a picture. {use}"}
    http.cookies.set("language", "zh-CN")
    told = http.post("/board/photo", json={"name": "a.png", "path": "/etc/passwd"}).json()
    assert told == {"refused": "图片：'a.png' 已不在这里。请重新添加。"}


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"name": 5}', '{"name": "a", "path": []}', "[" * 5000])
def test_the_route_reads_rows_and_nothing_else(http: httpx.Client, body: str) -> None:
    assert http.post("/board/photo", content=body).status_code == 422


@pytest.mark.parametrize("field", ["path", "background", "id"])
def test_the_route_reads_nothing_long(http: httpx.Client, field: str) -> None:
    told = {"name": "a.png", field: "9" * 4096}
    assert http.post("/board/photo", json=told).json()["refused"].startswith("Picture: 'a.png' is not here")
    assert http.post("/board/photo", json={**told, field: "9" * 4097}).status_code == 422


@pytest.mark.parametrize(
    ("picked", "read"),
    [
        ("#0a0B0c", "#0a0B0c"),
        ("rgba(10, 11.4, 12, 0.5)", "#0a0b0c"),
        ("rgb(256, 1e3, 0)", "#ff0103"),
        (f"rgb({'9' * 400}, 1, 1)", "#ff0101"),
        ("rgb(1, 2)", "white"),
        ("red", "white"),
        (None, "white"),
    ],
)
def test_a_background_is_a_colour_whatever_is_sent(picked: str | None, read: str) -> None:
    assert colour(picked) == read
