"""What is old goes, whatever wrote it."""

import asyncio
import os
import tempfile
import time
from pathlib import Path

import pytest

from qwen_demo.api.client import QwenClient
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from qwen_demo.upkeep import sweep

HOUR = 3600


def age(path: Path, hours: float) -> None:
    """Have a file or folder look as if it had been changed so long ago."""
    os.utime(path, (time.time() - hours * HOUR,) * 2, follow_symlinks=False)


def write(path: Path, hours: float) -> Path:
    """A file of that age in folders of that age."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    age(path, hours)
    age(path.parent, hours)
    return path


def test_whatever_is_older_than_a_day_goes_however_deep_and_nothing_else(tmp_path: Path) -> None:
    root = tmp_path / "root"
    sweep(root)  # nothing was written yet
    for number, hours in enumerate((25, 23)):
        for name in ("part", "upload/photo.jpg", "parts/elsewhere/2026-11-22/picture.png", "links/deep/state.json"):
            write(root / Path(name).with_stem(f"{Path(name).stem}-{number}"), hours)
    (root / "empty").mkdir()
    (root / "made-just-now").mkdir()
    age(root / "empty", 25)
    sweep(root)
    left = {path.relative_to(root).as_posix() for path in root.rglob("*")}
    assert {name for name in left if not (root / name).is_dir()} == {
        *("part-1", "upload/photo-1.jpg", "parts/elsewhere/2026-11-22/picture-1.png", "links/deep/state-1.json")
    }
    assert "made-just-now" in left
    assert "empty" not in left


def test_links_lead_nowhere(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", write(tmp_path / "outside" / "file", 100)
    root.mkdir()
    for name, target in (("folder", outside.parent), ("file", outside), ("nowhere", tmp_path / "gone")):
        (root / name).symlink_to(target)
        age(root / name, 25)
    sweep(root)
    assert list(root.iterdir()) == []
    assert outside.read_bytes() == b"x"


@pytest.mark.parametrize(("second_names", "left"), [(True, {"new"}), (False, set())])
def test_a_second_name_of_a_picture_is_as_old_as_its_folder_where_pictures_stay(
    second_names: bool, left: set[str], tmp_path: Path
) -> None:
    root, picture = tmp_path / "root", write(tmp_path / "picture.png", 100)
    for name, hours in (("old", 25), ("new", 23), ("its-picture-is-gone", 23)):
        (root / name).mkdir(parents=True)
        os.link(picture if name in ("old", "new") else write(tmp_path / "gone.png", 100), root / name / "second.png")
        age(root / name, hours)
    (tmp_path / "gone.png").unlink()
    sweep(root, second_names=second_names)
    assert {path.parent.name for path in root.rglob("*.png")} == left
    assert picture.read_bytes() == b"x"


def test_one_that_cant_be_deleted_keeps_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path / "root" / name, 25)
    unlink = Path.unlink

    def held(path: Path) -> None:
        if path.name == "b":
            raise PermissionError(13, "a scanner holds it")
        unlink(path)

    monkeypatch.setattr(Path, "unlink", held)
    sweep(tmp_path / "root")
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["b"]


def test_the_folder_of_temporary_files_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "uploads" / "parts"))
    (tmp_path / "uploads" / "parts").mkdir(parents=True)
    age(tmp_path / "uploads" / "parts", 100)
    sweep(tmp_path / "uploads")
    assert Path(tempfile.mkdtemp()).parent == tmp_path / "uploads" / "parts"


@pytest.mark.parametrize("public", [True, False])
async def test_strangers_pictures_go_and_the_owners_and_what_is_unread_stay(
    public: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, uploads = tmp_path / "outputs", tmp_path / "uploads"
    strangers = write(Library(root).of("someone").root / "2026-11-22" / "a.png", 25)
    upload = write(uploads / "c" / "photo.jpg", 25)
    stay = [root / ".secret", root / "2026-11-22" / "b.png", root / ".orders" / "1.0.answer"]
    for path in stay:
        write(path, 25)
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def told(folder: Path, **named: bool) -> None:
        sweep(folder, **named)
        if folder == uploads:  # the last
            loop.call_soon_threadsafe(done.set)

    monkeypatch.setattr("qwen_demo.upkeep.sweep", told)
    service = Service(QwenClient("sk-1"), Orders(1), Library(root), public=public)
    sweeping = asyncio.create_task(service.upkeep.sweep(uploads))
    await asyncio.wait_for(done.wait(), 60)
    sweeping.cancel()
    assert (strangers.exists(), upload.exists()) == (not public, False)
    assert all(path.exists() for path in stay)


@pytest.mark.parametrize("public", [True, False])
async def test_what_was_deleted_before_the_app_was_ended_is_gone_with_its_other_names(
    public: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(tmp_path / "outputs")
    deleted, kept, back = "2026-11-22/deleted.png", "2026-11-22/kept.png", "2026-11-22/just-now.png"
    ids = []
    for part in (library, library.of("someone")):
        for name in (deleted, kept, back):
            write(part.root / name, 0)
            entry = part.entry_of(part.root / name)
            assert entry
            if name != kept:
                part.delete(entry)
            if name == deleted:
                age(part.root / ".deleted" / name, 1)
                ids.append(entry.id)
    assert len(ids) == 2
    withdrawn: list[list[str]] = []
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def withdraw(_: Path, ids: list[str]) -> None:
        withdrawn.append(ids)
        if len(withdrawn) == 2:
            loop.call_soon_threadsafe(done.set)

    service = Service(QwenClient("sk-1"), Orders(1), library, public=public)
    monkeypatch.setattr("qwen_demo.upkeep.withdraw", withdraw)
    sweeping = asyncio.create_task(service.upkeep.sweep(tmp_path / "uploads"))
    await asyncio.wait_for(done.wait(), 60)
    sweeping.cancel()
    assert withdrawn == [[id] for id in ids]
    for part in (library, library.of("someone")):
        found = {path.relative_to(part.root).as_posix() for path in (part.root / ".deleted").rglob("*.png")}
        assert found == {f".deleted/{back}"}
        assert (part.root / kept).exists()
        assert [path.name for path in (part.root / "2026-11-22").iterdir()] == ["kept.png"]
