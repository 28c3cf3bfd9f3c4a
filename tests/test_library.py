"""The folder of finished pictures: names, whole files or none, and finding things again."""

import errno
import hashlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image

from qwen_demo import library as module
from qwen_demo.images import Reference, Verified, verify
from qwen_demo.library import FULL_SIDE, GRID_SIDE, Library, slug
from qwen_demo.recipe import Recipe, read

T = TypeVar("T")
AT = datetime(2026, 11, 22, 15, 30, 12)
CAT = Recipe(kind="text_to_image", prompt="a cute cat", model="qwen-image-plus", seed=12345)
NAME = "2026-11-22/153012-a-cute-cat-qwen-image-plus-12345-1.png"


def id_of(name: str) -> str:
    return f"{name[:10]}-{hashlib.sha256(name.encode()).hexdigest()[:24]}"


ID = id_of(NAME)


def picture(format: str = "PNG") -> Verified:
    buffer = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(buffer, format)
    return verify(buffer.getvalue())


def aside(work: Callable[..., T], *args: Any) -> T:
    """Do what is not for the event loop, where one is running."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work, *args).result()


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "outputs")


def fill(library: Library, *recipes: Recipe) -> list[str]:
    """A picture a minute; their names, newest first."""
    paths = [library.save(picture(), recipe, 1, AT + timedelta(minutes=m)) for m, recipe in enumerate(recipes)]
    return [path.relative_to(library.root).as_posix() for path in reversed(paths)]


SLUGS = {
    "A cute  cat!": "a-cute-cat",
    "水墨画，一只猫 Ｆｕｌｌ": "水墨画-一只猫-full",
    "🐱": "",
    'a/b\\c:d*e?f"g<h>i|j\n\0k_l': "a-b-c-d-e-f-g-h-i-j-k-l",
    "../../etc/passwd": "etc-passwd",
    "a" * 39 + " " + "b" * 200: "a" * 39,
    "CON": "con",
    "trailing dots...": "trailing-dots",
    "a\ud83d": "a",
}


@pytest.mark.parametrize("text", SLUGS)
def test_a_prompt_becomes_words_that_any_file_system_takes(text: str, library: Library) -> None:
    path = library.save(picture(), replace(CAT, prompt=text, seed=None), 1, AT)
    words = "-".join(word for word in ("153012", SLUGS[text], "qwen-image-plus-1") if word)
    assert (slug(text), path) == (SLUGS[text], library.root / "2026-11-22" / f"{words}.png")


@pytest.mark.parametrize("links", [True, False])
def test_the_same_name_twice_is_counted_on_and_nothing_is_overwritten(
    links: bool, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "no links here")))
    recipes = [replace(CAT, request_id=f"r-{number}") for number in range(3)]
    paths = [library.save(picture(), recipe, 1, AT) for recipe in recipes]
    names = [NAME.replace("-1.png", f"-1{again}.png") for again in ("", "-2", "-3")]
    assert [path.relative_to(library.root).as_posix() for path in paths] == names
    assert [read(path) for path in paths] == recipes
    assert files(library.root) == sorted(names)


def test_the_bytes_that_came_stand_in_front_of_the_recipe_or_alone(tmp_path: Path) -> None:
    data, plain = picture().data, Library(tmp_path / "plain", embed_recipe=False)
    path = Library(tmp_path).save(picture(), CAT, 1, AT)
    assert (path.read_bytes()[: len(data) - 12], read(path)) == (data[:-12], CAT)
    assert plain.save(picture(), CAT, 1, AT).read_bytes() == data


def test_a_jpeg_is_kept_as_a_png_of_the_same_pixels(library: Library) -> None:
    jpeg = picture("JPEG")
    kept = Image.open(library.save(jpeg, CAT, 1, AT))
    assert (kept.format, kept.tobytes()) == ("PNG", Image.open(io.BytesIO(jpeg.data)).tobytes())


def test_days_come_newest_first_and_what_is_no_picture_is_passed_over(library: Library) -> None:
    assert (list(library.newest_first()), library.count()) == ([], 0)
    paths = [library.save(picture(), CAT, 1, AT + timedelta(days=days)) for days in (0, 30, -400)]
    for name in ("2026-11-22/.half.png", "2026-11-22/notes.txt", "other/a.png", "a.png", ".deleted/2026-11-22/a.png"):
        (library.root / name).parent.mkdir(parents=True, exist_ok=True)
        (library.root / name).write_bytes(picture().data)
    (library.root / "2026-11-22" / "foreign.png").write_bytes(picture().data)
    found = [(entry.path.name, entry.size, entry.recipe) for entry in library.newest_first()]
    assert found == [
        (paths[1].name, (256, 256), CAT),
        ("foreign.png", (256, 256), None),
        (paths[0].name, (256, 256), CAT),
        (paths[2].name, (256, 256), CAT),
    ]
    assert library.count() == 4


def test_of_10_000_files_no_more_are_opened_than_are_asked_for(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = library.root / "2026-11-22"
    day.mkdir(parents=True)
    head = picture().data[:24]
    for number in range(10_000):
        (day / f"{number:06}.png").write_bytes(head)
    opened: list[str] = []
    monkeypatch.setattr(module, "read", lambda path: opened.append(path.name))
    first = [f"{9_999 - n:06}.png" for n in range(24)]
    assert [entry.path.name for entry in islice(library.newest_first(), 24)] == opened == first
    assert [entry.path.name for entry in islice(library.newest_first(), 25)] == opened  # what was read stays read
    assert library.count() == 10_000
    assert len(opened) == 25


def test_a_broken_png_is_left_out_and_seen_again_when_it_is_whole(library: Library) -> None:
    path = library.save(picture(), CAT, 1, AT)
    data = path.read_bytes()
    for broken in (b"", data[:20]):  # as while it is copied in
        path.write_bytes(broken)
        assert (list(library.newest_first()), library.count()) == ([], 1)
        assert library.find(ID) == module.Entry(NAME, path, (0, 0), None)
    path.write_bytes(data)
    assert list(library.newest_first()) == [module.Entry(NAME, path, (256, 256), CAT)]


def test_what_is_no_png_is_left_out(library: Library) -> None:
    path = library.save(picture(), CAT, 1, AT)
    path.write_bytes(picture("JPEG").data)
    assert list(library.newest_first()) == []
    assert library.find(ID) == module.Entry(NAME, path, (0, 0), None)


def test_the_size_is_read_from_the_file_and_not_from_the_recipe(library: Library) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (7, 5)).save(buffer, "PNG")
    library.save(verify(buffer.getvalue()), replace(CAT, size="1328x1328"), 1, AT)
    assert [entry.size for entry in library.newest_first()] == [(7, 5)]


def test_an_id_has_a_day_and_no_word_of_a_prompt(library: Library) -> None:
    fill(library, *(replace(CAT, prompt=prompt) for prompt in ("a cute cat", "水墨画，一只猫", "cafe 2026 dead beef")))
    ids = [entry.id for entry in library.newest_first()]
    assert len(set(ids)) == 3
    for id in ids:
        assert re.fullmatch(r"2026-11-22-[0-9a-f]{24}", id)
    assert [entry.id for entry in Library(library.root).newest_first()] == ids


def test_find_takes_only_ids_of_pictures_in_the_library(library: Library, tmp_path: Path) -> None:
    assert fill(library, CAT) == [NAME]
    entry = library.find(ID)
    assert entry == library.entry_of(library.root / NAME) == module.Entry(NAME, library.root / NAME, (256, 256), CAT)
    assert (entry.id, entry.day) == (ID, "2026-11-22")
    for name in ("x.png", "outputs/x.png", "outputs/2026-11-22/.x.png", "outputs/2026-11-22/x.jpg"):
        (tmp_path / name).write_bytes(picture().data)
    wrong = [NAME, "../x.png", "2026-11-22/../x.png", "x.png", "", str(library.root / NAME), "/" + ID, "./" + ID]
    wrong += [id_of("2026-11-22/.x.png"), id_of("2026-11-22/x.jpg"), id_of("2026-11-22/gone.png"), id_of("../x.png")]
    wrong += [ID.upper(), ID[:-1], ID + "0", ID + "\n", ID + "\0", "\n" + ID, "2026-11-23" + ID[10:], "2026-11-22-*"]
    wrong += ["2026-11-22", "2026-11-22-", "reference-", "reference-" + "f" * 64, "reference-../../x", "reference-*"]
    assert [id for id in wrong if library.find(id)] == []
    assert library.entry_of(tmp_path / "x.png") is None


def test_a_picture_that_was_saved_this_moment_is_found(library: Library) -> None:
    for number in range(3):
        path = library.save(picture(), replace(CAT, request_id=str(number)), number, AT)
        os.utime(path.parent, (1, 1))  # a clock too coarse to tell the folder's changes apart
        entry = library.entry_of(path)
        assert entry
        assert library.find(entry.id) == entry


def test_what_is_deleted_can_be_restored_with_the_same_bytes_its_previews_and_its_star(library: Library) -> None:
    fill(library, CAT)
    (entry,) = library.newest_first()
    data, previews = entry.path.read_bytes(), [library.preview(entry, side) for side in (GRID_SIDE, FULL_SIDE)]
    library.star([entry], True)
    for _ in range(2):  # what is gone already is no error
        library.delete(entry)
    assert (library.find(ID), list(library.newest_first()), entry.path.exists()) == (None, [], False)
    assert library.restore(ID)
    assert (library.find(ID), entry.path.read_bytes()) == (entry, data)
    assert [path.exists() for path in previews] == [True, True]
    assert library.starred() == {NAME}
    assert files(library.root) == sorted(
        [".stars", NAME, *(path.relative_to(library.root).as_posix() for path in previews)]
    )
    assert not library.restore(ID)  # it is there


def test_what_is_purged_is_gone_with_its_previews_and_nothing_else(library: Library) -> None:
    fill(library, CAT, CAT)
    newer, older = library.newest_first()
    previews = [library.preview(entry, side) for entry in (newer, older) for side in (GRID_SIDE, FULL_SIDE)]
    assert [path.read_bytes()[8:12] for path in previews] == [b"WEBP"] * 4
    assert library.files(newer) == [newer.path, *previews[:2], library.map_path(newer)]
    library.delete(newer)
    assert (library.purge(), newer.path.exists(), previews[0].exists()) == ([], False, True)  # not yet
    assert library.purge(older=0) == [newer.id]
    webp = older.name.replace(".png", ".webp")
    assert {*files(library.root)} == {f".previews/{GRID_SIDE}/{webp}", f".previews/{FULL_SIDE}/{webp}", older.name}
    assert (library.restore(newer.id), library.purge(older=0)) == (False, [])


def test_a_preview_that_cannot_be_removed_hides_no_purged_picture(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(library, CAT)
    (entry,) = library.newest_first()
    library.delete(entry)
    unlink = Path.unlink

    def held(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".webp":
            raise PermissionError(13, "a scanner holds it")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", held)
    assert library.purge(older=0) == [entry.id]
    assert files(library.root) == []


@pytest.mark.parametrize("links", [True, False])
def test_restoring_overwrites_nothing(links: bool, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "no links here")))
    fill(library, CAT)
    (entry,) = library.newest_first()
    library.delete(entry)
    path = library.save(picture(), replace(CAT, request_id="another"), 1, AT)
    assert path == entry.path
    assert not library.restore(ID)
    assert read(path).request_id == "another"
    path.unlink()
    assert library.restore(ID)
    assert read(path) == CAT
    assert not library.restore(ID)


def test_only_own_pictures_are_restored_and_purged(library: Library) -> None:
    alice, bob = (library.of(name) for name in ("alice", "bob"))
    alice.save(picture(), CAT, 1, AT)
    (entry,) = alice.newest_first()
    alice.delete(entry)
    wrong = ["", "../" + ID, ".deleted/" + ID, NAME, "2026-11-22/../../x.png", "reference-" + "f" * 64, ID + "\n"]
    assert [alice.restore(id) for id in wrong] == [False] * len(wrong)
    assert (bob.restore(ID), library.restore(ID), bob.purge(older=0), library.purge(older=0)) == (False, False, [], [])
    assert alice.restore(ID)


def test_stars_stand_in_a_small_file_and_outlive_the_folders_move(library: Library, tmp_path: Path) -> None:
    names = fill(library, *(replace(CAT, seed=seed) for seed in range(5)))
    entries = list(library.newest_first())
    assert library.starred() == frozenset()
    library.star(entries[:4], True)
    library.star(entries[1:3], False)
    library.star(entries[4:], False)  # had none
    assert library.starred() == {names[0], names[3]}
    assert (library.root / ".stars").read_text(encoding="utf-8") == f"{names[3]}\n{names[0]}\n"
    library.root.rename(tmp_path / "moved")
    moved = Library(tmp_path / "moved")
    assert moved.starred() == {names[0], names[3]}
    moved.star(moved.newest_first(), True)
    assert moved.starred() == {*names}
    assert sorted(path.name for path in moved.root.iterdir()) == [".stars", "2026-11-22"]


def test_stars_of_two_threads_at_once_are_all_there(library: Library) -> None:
    parts = [library.of("ann"), library.of("ann")]  # as two requests have it
    entries = [module.Entry(f"2026-11-22/{number}.png", library.root, (1, 1), None) for number in range(60)]

    def star(at: int) -> None:
        for entry in entries[at::2]:
            parts[at].star([entry], True)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(star, range(2)))
    assert parts[0].starred() == parts[1].starred() == {entry.name for entry in entries}


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_a_reference_is_kept_once_by_its_hash_and_found_again(kind: str, library: Library, tmp_path: Path) -> None:
    data = picture(kind.upper()).data
    reference = Reference(data, f"image/{kind}", (256, 256), "PNG", (256, 256), False)
    assert library.find_reference(reference.sha256) is None
    kept = library.keep_reference(reference)
    os.utime(kept, (0, 0))
    assert kept == library.keep_reference(reference) == library.root / ".references" / f"{reference.sha256}.{kind}"
    assert (files(library.root), kept.read_bytes()) == ([f".references/{kept.name}"], data)
    assert kept.stat().st_mtime > 0
    (tmp_path / "same").write_bytes(data)
    (tmp_path / "other").write_bytes(data + b"x")
    assert library.find_reference(reference.sha256) == library.known_reference(tmp_path / "same") == kept
    assert library.known_reference(tmp_path / "other") is None
    entry = library.reference(reference.sha256)
    assert entry == library.find(f"reference-{reference.sha256}")
    assert entry == module.Entry(f"reference-{reference.sha256}", kept, (256, 256), None)
    assert entry.id == entry.name
    assert [library.find_reference(no) for no in ("", "../a", "f" * 64, reference.sha256.upper())] == [None] * 4


def test_owners_have_parts_of_their_own(library: Library) -> None:
    assert list(library.parts()) == []
    alice, bob = (library.of(name) for name in ("alice", "bob"))
    paths = [part.save(picture(), CAT, 1, AT) for part in (alice, bob)]
    assert sorted(library.parts()) == sorted([alice.root, bob.root])
    assert [path.parent.parent for path in paths] == [alice.root, bob.root]
    assert (alice.find(ID), bob.entry_of(paths[0])) == (alice.entry_of(paths[0]), None)
    assert (bob.find(ID), library.find(ID)) == (bob.entry_of(paths[1]), None)


def test_a_full_disk_is_an_error_and_leaves_no_file(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(path: Path, data: bytes) -> int:
        path.open("wb").close()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="No space left"):
        library.save(picture(), CAT, 1, AT)
    assert files(library.root) == []


CHILD = """
import sys
from pathlib import Path
from tests.test_library import AT, CAT, Library, picture

def say(line):  # and wait to be told to go on, or to be killed
    print(line, flush=True)
    sys.stdin.readline()

def in_halves(path, data):
    with path.open("wb") as file:
        for half in (data[:len(data) // 2], data[len(data) // 2:]):
            file.write(half)
            file.flush()
            say("half")

Path.write_bytes = in_halves
for _ in range(10):
    Library(Path(sys.argv[1])).save(picture(), CAT, 1, AT)
    say("saved")
"""


@pytest.mark.parametrize("lines", [1, 2, 3, 13, 29])
def test_a_kill_at_any_moment_leaves_only_whole_pictures(lines: int, library: Library) -> None:
    command, root = [sys.executable, "-c", CHILD, str(library.root)], Path(__file__).parents[1]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin
        assert child.stdout
        said = [child.stdout.readline()]
        while len(said) < lines:
            child.stdin.write("\n")
            child.stdin.flush()
            said.append(child.stdout.readline())
        child.kill()
    assert said == ["half\n", "half\n", "saved\n"] * (lines // 3) + ["half\n"] * (lines % 3)
    kept = list(library.newest_first())
    assert [entry.recipe for entry in kept] == [CAT] * (lines // 3)
    assert [verify(entry.path.read_bytes()).width for entry in kept] == [256] * (lines // 3)
