"""The folder of finished pictures: names, whole files or none, and finding things again."""

import errno
import io
import os
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from qwen_demo import library as module
from qwen_demo.images import Reference, Verified, verify
from qwen_demo.library import FULL_SIDE, GRID_SIDE, Library, slug
from qwen_demo.recipe import Recipe, read

AT = datetime(2026, 11, 22, 15, 30, 12)
CAT = Recipe(kind="text_to_image", prompt="a cute cat", model="qwen-image-plus", seed=12345)
NAME = "2026-11-22/153012-a-cute-cat-qwen-image-plus-12345-1.png"


def picture(format: str = "PNG") -> Verified:
    buffer = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").save(buffer, format)
    return verify(buffer.getvalue())


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


def test_search_finds_by_words_kind_and_model_newest_first_in_pages(library: Library) -> None:
    edit = replace(CAT, kind="edit", prompt="A cat with a HAT", model="qwen-image-edit")
    names = fill(library, CAT, edit, replace(CAT, prompt="一只猫"), replace(CAT, prompt="hat"))
    hat, chinese, cat_with_hat, cute_cat = names

    def found(*wanted: str, skip: int = 0, limit: int = 24) -> list[str]:
        return [entry.name for entry in library.search(*wanted, skip=skip, limit=limit)]

    assert [entry.recipe for entry in library.search(limit=2)] == [replace(CAT, prompt=p) for p in ("hat", "一只猫")]
    assert found() == names
    assert found("CAT") == [cat_with_hat, cute_cat]
    assert found("hat cat") == [cat_with_hat]
    assert found("猫") == [chinese]
    assert found("dog") == []
    assert found("", "edit") == [cat_with_hat]
    assert found("", "", "qwen-image-plus") == [hat, chinese, cute_cat]
    assert [found(skip=skip, limit=3) for skip in (0, 3, 6)] == [names[:3], names[3:], []]
    assert [found("cat", skip=skip, limit=1) for skip in (0, 1, 2)] == [[cat_with_hat], [cute_cat], []]


def test_days_come_newest_first_and_what_is_no_picture_is_passed_over(library: Library) -> None:
    assert library.search() == []
    paths = [library.save(picture(), CAT, 1, AT + timedelta(days=days)) for days in (0, 30, -400)]
    for name in ("2026-11-22/.half.png", "2026-11-22/notes.txt", "other/a.png", "a.png"):
        (library.root / name).parent.mkdir(exist_ok=True)
        (library.root / name).write_bytes(picture().data)
    (library.root / "2026-11-22" / "foreign.png").write_bytes(picture().data)
    found = [(entry.path.name, entry.recipe) for entry in library.search()]
    assert found == [(paths[1].name, CAT), ("foreign.png", None), (paths[0].name, CAT), (paths[2].name, CAT)]


def test_a_page_of_10_000_files_opens_no_more_than_it_shows(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    day = library.root / "2026-11-22"
    day.mkdir(parents=True)
    for number in range(10_000):
        (day / f"{number:06}.png").touch()
    opened: list[str] = []
    monkeypatch.setattr(module, "read", lambda path: opened.append(path.name))
    first, last = [f"{9_999 - n:06}.png" for n in range(24)], [f"{n:06}.png" for n in range(3, -1, -1)]
    assert [entry.path.name for entry in library.search()] == opened == first
    assert [entry.path.name for entry in library.search(skip=9_996)] == last
    assert opened == first + last


def test_find_takes_only_names_of_pictures_in_the_library(library: Library, tmp_path: Path) -> None:
    assert fill(library, CAT) == [NAME]
    entry = library.find(NAME)
    assert entry == library.entry_of(library.root / NAME) == module.Entry(NAME, library.root / NAME, CAT)
    for name in ("x.png", "outputs/x.png", "outputs/2026-11-22/.x.png", "outputs/2026-11-22/x.jpg"):
        (tmp_path / name).write_bytes(picture().data)
    wrong = ["../x.png", "2026-11-22/../x.png", "2026-11-22/../../x.png", "2026-11-22/..\\x.png", "x.png", ""]
    wrong += ["2026-11-22/.x.png", "2026-11-22/x.jpg", str(tmp_path / "x.png"), str(library.root / NAME), "/" + NAME]
    wrong += ["2026-11-22/gone.png", NAME + "\n", NAME + "\0.png", "2026-11-22", "2026-11-22/"]
    assert [name for name in wrong if library.find(name)] == []
    assert library.entry_of(tmp_path / "x.png") is None


def test_delete_takes_the_previews_along_and_nothing_else(library: Library) -> None:
    fill(library, CAT, CAT)
    newer, older = library.search()
    previews = [library.preview(entry, side) for entry in (newer, older) for side in (GRID_SIDE, FULL_SIDE)]
    assert [path.read_bytes()[8:12] for path in previews] == [b"WEBP"] * 4
    assert library.files(newer) == [newer.path, *previews[:2]]
    for _ in range(2):  # what is gone already is no error
        library.delete(newer)
    webp = older.name.replace(".png", ".webp")
    assert {*files(library.root)} == {f".previews/{GRID_SIDE}/{webp}", f".previews/{FULL_SIDE}/{webp}", older.name}


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
    assert [library.find_reference(no) for no in ("", "../a", "f" * 64, reference.sha256.upper())] == [None] * 4


def test_owners_have_parts_of_their_own(library: Library) -> None:
    assert list(library.parts()) == []
    alice, bob = (library.of(name) for name in ("alice", "bob"))
    paths = [part.save(picture(), CAT, 1, AT) for part in (alice, bob)]
    assert sorted(library.parts()) == sorted([alice.root, bob.root])
    assert [path.parent.parent for path in paths] == [alice.root, bob.root]
    assert (alice.find(NAME), bob.entry_of(paths[0])) == (alice.entry_of(paths[0]), None)


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
    kept = library.search()
    assert [entry.recipe for entry in kept] == [CAT] * (lines // 3)
    assert [verify(entry.path.read_bytes()).width for entry in kept] == [256] * (lines // 3)
