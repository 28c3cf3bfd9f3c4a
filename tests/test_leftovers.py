"""Files that go: whatever was written for a while, and all names of a picture that was deleted."""

import errno
import json
import os
import re
import shutil
import socket
import tempfile
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
from qwen_demo.library import Library, elsewhere
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from qwen_demo.ui.files import address_name, publish, withdraw
from qwen_demo.upkeep import sweep
from tests.conftest import KEY, Backend, launched, off_the_loop
from tests.test_attacks import event_on, join

WISH = "a private wish"


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
        patch.setattr("qwen_demo.ui.tools.withdraw", off_the_loop(withdraw))
        with launched(service, QWEN_DEMO_PUBLIC="1") as url:
            yield url, folder


@pytest.fixture
def http(running: tuple[str, Path]) -> Iterator[httpx.Client]:
    """A visitor of the app whom it doesn't know yet."""
    with httpx.Client(base_url=running[0], timeout=60) as http:
        yield http


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


def on_the_page(http: httpx.Client, session: str) -> str:
    """Order two pictures on a page. What it was told, as text."""
    run = event_on(http, "text-run")
    given = [WISH, "", "qwen-image-plus", "1328x1328", 2, 1, False, False, True, "url"]
    told = join(http, run["id"], given + [None] * (len(run["inputs"]) - len(given)), session)
    assert told[-1]["success"]
    return json.dumps(told)


def by_program(http: httpx.Client) -> str:
    """Order a picture with the endpoint for programs. What it was told, as text."""
    begun = http.post("/gradio_api/call/v2/text_to_image", json={"prompt": WISH})
    return http.get(f"/gradio_api/call/text_to_image/{begun.json()['event_id']}").text


def addresses(told: str) -> set[str]:
    """Those of the files that somebody was told of, without the placeholders'."""
    return {
        f"/gradio_api/file={path}" for path in re.findall(r'"(/[^"]+\.(?:png|webp))"', told) if "waiting" not in path
    }


def saved_as(told: str) -> set[str]:
    """The names under which those are saved."""
    return set(re.findall(r'"orig_name": ?"(\d{6}-a-private-wish-[\w-]+\.png)"', told))


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
    page, program = on_the_page(http, "bobs"), by_program(http)
    assert len({Path(address).name for address in addresses(page)}) >= 3  # two previews, the original of the first
    assert len(saved_as(page)) == 2
    assert (len(addresses(program)), len(saved_as(program))) == (1, 1)
    assert [address for address in addresses(page + program) if "private" in address] == []


def test_after_delete_none_of_its_addresses_is_answered(http: httpx.Client, running: tuple[str, Path]) -> None:
    told = on_the_page(http, "alices")
    found, names = addresses(told), sorted(saved_as(told), key=lambda name: name[-6:])
    first, second = (next(running[1].glob(f"visitor-*/20*/{name}")) for name in names)
    # By another program of the visitor's, and by another process whose outputs are on another disk.
    copy = Path(publish(second)).with_name(address_name(first))
    shutil.copyfile(first, copy)
    found |= {f"/gradio_api/file={publish(first)}", f"/gradio_api/file={copy}"}
    assert {http.get(address).status_code for address in found} == {200}
    assert join(http, event_on(http, "text-delete-yes")["id"], ["", []], "alices")[-1]["success"]
    assert (first.exists(), second.exists()) == (False, True)
    own = Library(first.parents[1])
    entry = own.entry_of(first)
    assert entry
    gone = {address_name(path) for path in own.files(entry)}
    assert {http.get(address).status_code for address in found if Path(address).name in gone} == {403}
    assert {http.get(address).status_code for address in found if Path(address).name not in gone} == {200}


@pytest.mark.parametrize("links", [True, False])
def test_published_names_are_found_again_wherever_they_were_given(
    links: bool, uploads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", another_disk)
    mine, other = tmp_path / "mine.png", tmp_path / "other" / "mine.png"
    for path in (mine, other):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    first = publish(mine)
    names = [first, publish(mine), publish(Path(first)), publish(other)]
    assert len(set(names)) == 4
    (uploads / "a-part-of-an-upload").touch()
    withdraw([mine, tmp_path / "never-published.webp"])
    assert [Path(name).exists() for name in names] == [False, False, False, True]
    withdraw([mine])


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
