"""Imports point one way, from the page down to the API. Every module has its layer."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_demo.api.dialects import DIALECTS

PACKAGE = Path(__file__).parents[1] / "qwen_demo"
LAYERS = [
    {"__init__"},
    {"api", "containers", "colour", "inflight", "life", "strokes", "registration", "rounds"},
    {"i18n", "line", "visitors", "images", "region", "snippets", "logs", "disk", "models"},
    {"inpaint", "preparing"},
    {"recipe", "decoding", "quota", "offline", "settings", "call"},
    {"order"},
    {"orders", "library", "environment", "axes", "entries"},
    {"usage", "journal", "archive", "search", "lineage"},
    {"upkeep", "uploads"},
    {"retouching"},
    {"delivery"},
    {"running"},
    {"service"},
    {"web"},
    {"ui"},
]
"""From the bottom up. A module may import what stands below it, and what is of its own name."""
OUTSIDE = {"gradio": {"ui"}, "httpx": {"api"}, "starlette": {"offline", "web", "ui"}}
"""Who alone may import a library."""
MODULES = sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """The full names of the modules a file imports."""
    package = ["qwen_demo", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{stem}.{name.name}" for name in node.names)


def room(path: Path) -> str:
    """The module or package directly below `qwen_demo` to which a file belongs."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer(name: str) -> int:
    """How far up a module or package stands; one without a layer fails."""
    return next(height for height, names in enumerate(LAYERS) if name in names)


def upward(path: Path) -> list[str]:
    """What a file imports that doesn't stand below it."""
    rooms = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    wrong = []
    for name in imports(path):
        if name.split(".")[0] == "qwen_demo":
            inner = name.split(".")[1] if name.split(".")[1] in rooms else "__init__"  # a name such as __version__
            if inner != room(path) and layer(inner) >= layer(room(path)):
                wrong.append(name)
    return wrong


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_module_has_a_layer_and_imports_only_from_below(path: Path) -> None:
    assert any(room(path) in names for names in LAYERS), "give it a place in LAYERS"
    assert upward(path) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("recipe.py", "from .ui import build_app"),
        ("recipe.py", "from . import library"),
        ("library.py", "import qwen_demo.service"),
        ("api/client.py", "from ..images import verify"),
        ("web/guard.py", "from ..ui.events import on"),
        ("orders.py", "from .library import Library"),
        ("order.py", "from .orders import Orders"),
        ("line.py", "from .order import Order"),
        ("search.py", "from .lineage import family"),
        ("library.py", "from .search import Search"),
        ("web/pictures.py", "from ..ui.files import publish"),
    ],
)
def test_an_import_upwards_or_sideways_is_found(
    name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in MODULES:
        copy = tmp_path / path.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    changed = tmp_path / name
    assert upward(changed) == []
    changed.write_text(f"{text}\n{changed.read_text(encoding='utf-8')}", encoding="utf-8")
    assert len(upward(changed)) == 1


@pytest.mark.parametrize("library", OUTSIDE)
def test_a_library_is_imported_only_where_it_belongs(library: str) -> None:
    found = {room(path) for path in MODULES for name in imports(path) if name.split(".")[0] == library}
    assert found == OUTSIDE[library]


def test_no_dialect_is_named_outside_of_its_own_room() -> None:
    """Nothing else may do one thing for one of them and another for the others: what differs is data of the dialect."""
    named = []
    for path in MODULES:
        if {"dialects", "offline"}.isdisjoint(path.relative_to(PACKAGE).parts):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                word = getattr(node, "value", None) if isinstance(node, ast.Constant) else getattr(node, "id", None)
                if isinstance(word, str) and word in DIALECTS:
                    named.append((path.relative_to(PACKAGE).as_posix(), word))
    packages = [("snippets.py", "openai"), ("snippets.py", "dashscope")]  # Python packages of these names
    assert named == packages
