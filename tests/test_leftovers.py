"""Files that go: whatever was written for a while, and all names of a picture that was deleted."""

import errno
import os
import re
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from gradio.utils import get_upload_folder

from qwen_demo import environment
from qwen_demo.api.client import QwenClient
from qwen_demo.environment import PARTS
from qwen_demo.library import Entry, Library, elsewhere
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from qwen_demo.ui.files import publish, publish_entry
from qwen_demo.upkeep import purge, sweep, withdraw
from tests.conftest import KEY, Backend, launched, off_the_loop
from tests.test_attacks import draw_on_the_page

WISH = "a private wish"


class Clock:
    """Whoever looks at it believes that a minute has passed."""

    @staticmethod
    def time() -> float:
        return time.time() + 60


@contextmanager
def started(folder: Path) -> Iterator[Path]:
    """The folders as they are after a start of the app. Yields that of uploads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", tempfile.gettempdir())
        environ = {"GRADIO_TEMP_DIR": str(folder / "gradio")}
        environment.check_folders(folder / "outputs", environ)
        patch.setenv("GRADIO_TEMP_DIR", environ["GRADIO_TEMP_DIR"])
        yield folder / "gradio"


@pytest.fixture
def uploads(tmp_path: Path) -> Iterator[Path]:
    with started(tmp_path) as uploads:
        yield uploads


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A public app with folders of its own, in which no file gets or loses its name on the event loop."""
    folder, backend = tmp_path_factory.mktemp("leftovers"), Backend()
    service = Service(QwenClient(KEY, "http://offline/v1", transport=backend), Orders(8), Library(folder), public=True)
    with started(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr("qwen_demo.ui.files.os.link", off_the_loop(os.link))
        patch.setattr("qwen_demo.ui.acts.purge", off_the_loop(purge))
        with launched(service, QWEN_DEMO_PUBLIC="1") as url:
            yield url, folder


@pytest.fixture
def http(running: tuple[str, Path]) -> Iterator[httpx.Client]:
    """A visitor of the app whom it doesn't know yet."""
    with httpx.Client(base_url=running[0], timeout=60) as http:
        yield http


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def by_program(http: httpx.Client) -> str:
    """Order a picture with the endpoint for programs. What it was told, as text."""
    begun = http.post("/gradio_api/call/v2/text_to_image", json={"prompt": WISH})
    return http.get(f"/gradio_api/call/text_to_image/{begun.json()['event_id']}").text


def addresses(told: str) -> set[str]:
    """Those of the files that a program was told of."""
    return {f"/gradio_api/file={path}" for path in re.findall(r'"(/[^"]+\.png)"', told)}


def looks(id: str) -> set[str]:
    """The addresses of a picture of the library: itself and its previews."""
    return {f"/picture/{id}{query}" for query in ("", "?w=512", "?w=3072")}


def test_all_that_is_temporary_is_written_to_one_place(
    uploads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (uploads / PARTS).stat().st_mode & 0o777 == 0o700
    assert get_upload_folder() == str(uploads)
    assert elsewhere().root.parent == Path(tempfile.mkdtemp()).parent == uploads / PARTS
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for told, folder in (
        ("~/own", tmp_path / "own"),
        ("here", tmp_path / "here"),
        ("", tmp_path / "here/parts/gradio"),
    ):
        environ = {"GRADIO_TEMP_DIR": told}
        environment.check_folders(tmp_path / "outputs", environ)
        assert (environ["GRADIO_TEMP_DIR"], tempfile.gettempdir()) == (str(folder), str(folder / PARTS))


def test_it_is_not_served(http: httpx.Client) -> None:
    shown, part = Path(get_upload_folder(), "published", "a.png"), Path(get_upload_folder(), PARTS, "a.png")
    for path in (shown, part):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    assert [http.get(f"/gradio_api/file={path}").status_code for path in (shown, part)] == [200, 403]


def test_whatever_was_sent_or_made_is_gone_after_a_day(http: httpx.Client) -> None:
    uploads = Path(get_upload_folder())
    for field in ("files", "other"):
        http.post("/gradio_api/upload", files={field: ("me.jpg", b"x" * 1000)})
    break_off_an_upload(http, uploads)
    elsewhere().root.joinpath("picture.png").write_bytes(b"x")
    assert addresses(by_program(http))
    written = files(uploads)
    assert len(written) >= 5
    for hours, left in ((23, written), (25, [])):
        for path in written:
            os.utime(path, (time.time() - hours * 3600,) * 2)
        sweep(uploads)
        assert files(uploads) == left


def break_off_an_upload(http: httpx.Client, uploads: Path) -> None:
    """Send the front of a file, wait until it is on the disk, and hang up."""
    host, port, before = http.base_url.host, http.base_url.port or 80, len(files(uploads))
    head = 'Content-Disposition: form-data; name="files"; filename="me.jpg"\r\n\r\n'
    request = (
        f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 100000\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n{head}{'x' * 1000}"
    )
    with socket.create_connection((host, port), 10) as broken:
        broken.sendall(request.encode())
        deadline = time.monotonic() + 60
        while len(files(uploads)) == before:
            assert time.monotonic() < deadline


def test_addresses_tell_no_prompt_and_what_is_saved_has_a_name(http: httpx.Client) -> None:
    ids, program = draw_on_the_page(http, WISH, 2), by_program(http)
    told = [http.get("/board/picture", params={"id": id}) for id in ids]
    assert all(re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9a-f]{24}", id) for id in ids)
    assert all(re.fullmatch(r"\d{6}-a-private-wish-[\w-]+\.png", detail.json()["name"]) for detail in told)
    assert len({detail.json()["name"] for detail in told}) == 2
    assert len(re.findall(r'"orig_name": ?"\d{6}-a-private-wish-[\w-]+\.png"', program)) == len(addresses(program)) == 1
    assert [address for address in addresses(program) if "wish" in address] == []
    answers = [http.get(address) for id in ids for address in looks(id)]
    assert {answer.status_code for answer in answers} == {200}
    assert [answer.headers for answer in answers if "wish" in str(answer.headers)] == []


def test_after_delete_none_of_its_addresses_is_answered(
    http: httpx.Client, running: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = draw_on_the_page(http, WISH, 2)
    (entry, other) = (entry_of(http, running[1], id) for id in (first, second))
    # By a program and a form of the visitor's, and by another process whose outputs are on another disk.
    copy = Path(publish(Path(publish_entry(other)))).with_name(f"{first}.png")
    shutil.copyfile(entry.path, copy)
    gone = {*looks(first), f"/gradio_api/file={publish_entry(entry)}", f"/gradio_api/file={copy}"}
    stay = {*looks(second), f"/gradio_api/file={publish_entry(other)}"}
    assert {http.get(address).status_code for address in gone | stay} == {200}

    purged = threading.Event()

    def told(library: Library, uploads: Path) -> None:
        purge(library, uploads)
        purged.set()

    monkeypatch.setattr("qwen_demo.ui.acts.UNDO", -1.0)  # there is no wait,
    monkeypatch.setattr("qwen_demo.library.time", Clock)  # and it was long enough
    monkeypatch.setattr("qwen_demo.ui.acts.purge", off_the_loop(told))
    assert http.post("/board/act", json={"act": "delete", "ids": [first]}).json() == {"count": 1}
    assert {http.get(address).status_code for address in looks(first)} == {404}
    assert purged.wait(60)
    assert {http.get(address).status_code for address in gone - looks(first)} == {403}
    assert {http.get(address).status_code for address in stay} == {200}
    assert [path for path in Library(running[1]).within(entry.path.parents[1].name).files(entry) if path.exists()] == []
    assert http.post("/board/act", json={"act": "restore", "ids": [first]}).json() == {"count": 0}
    assert {http.get(address).status_code for address in looks(first)} == {404}


def test_what_is_restored_in_time_has_all_its_addresses_again(http: httpx.Client, running: tuple[str, Path]) -> None:
    (id,) = draw_on_the_page(http, WISH)
    program = f"/gradio_api/file={publish_entry(entry_of(http, running[1], id))}"
    before = http.get(f"/picture/{id}").content
    assert http.post("/board/act", json={"act": "delete", "ids": [id]}).json() == {"count": 1}
    assert {http.get(address).status_code for address in looks(id)} == {404}
    assert http.post("/board/act", json={"act": "restore", "ids": [id]}).json() == {"count": 1}
    assert {http.get(address).status_code for address in (*looks(id), program)} == {200}
    assert http.get(f"/picture/{id}").content == before


def entry_of(http: httpx.Client, outputs: Path, id: str) -> Entry:
    """The visitor's picture of that id."""
    entry = Library(outputs).of(http.cookies["qwen-image-demo"].partition(".")[0]).find(id)
    assert entry
    return entry


@pytest.mark.parametrize("links", [True, False])
def test_published_names_are_found_again_wherever_they_were_given(
    links: bool, uploads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", another_disk)
    mine, other = (Entry(f"2026-11-22/{name}-a-wish.png", tmp_path / f"{name}.png", (1, 1), None) for name in "ab")
    for entry in (mine, other):
        entry.path.write_bytes(b"x")
    first = publish_entry(mine)
    names = [first, publish_entry(mine), publish(Path(first)), publish_entry(other), publish(mine.path)]
    assert len(set(names)) == 5
    assert not [name for name in names if "wish" in name]
    assert [Path(name).stem == entry.id for name, entry in zip(names, (mine, mine, mine, other), strict=False)] == [
        True
    ] * 4
    (uploads / "a-part-of-an-upload").touch()
    withdraw(uploads, [mine.id, "2026-11-22-of-what-was-never-published"])
    assert [Path(name).exists() for name in names] == [False, False, False, True, True]
    withdraw(uploads, [mine.id])
    withdraw(uploads, [])


def test_what_is_deleted_while_it_is_copied_gets_no_name(
    uploads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, copyfile = tmp_path / "picture.png", shutil.copyfile
    picture.write_bytes(b"x")

    def copied(source: Path, target: Path) -> None:
        copyfile(source, target)
        picture.unlink()

    monkeypatch.setattr(os, "link", another_disk)
    monkeypatch.setattr(shutil, "copyfile", copied)
    publish(picture)
    assert files(uploads) == []


def another_disk(*_: Path) -> None:
    raise OSError(errno.EXDEV, "Invalid cross-device link")
