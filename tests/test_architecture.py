"""Imports point one way, from the page down to the API, and api imports only itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "qwen_demo"
LAYERS = ["api", "line", "usage", "visitors", "snippets", "images", "library", "quota", "job", "jobs", "service", "ui"]
"""From the bottom up. A module may import what stands below it, and its own."""


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


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_no_module_imports_upwards() -> None:
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        here = layer(path)
        if here in LAYERS:
            above = LAYERS[LAYERS.index(here) + 1 :]
            wrong += [
                (path.name, name) for name in imports(path) for up in above if f"{name}.".startswith(f"qwen_demo.{up}.")
            ]
    assert wrong == []


def test_api_imports_only_itself() -> None:
    own = [name for path in (PACKAGE / "api").rglob("*.py") for name in imports(path) if name.startswith("qwen_demo")]
    assert own
    assert [name for name in own if not name.startswith("qwen_demo.api")] == []


def test_gradio_is_imported_only_under_ui() -> None:
    found = {layer(path) for path in PACKAGE.rglob("*.py") for name in imports(path) if name.split(".")[0] == "gradio"}
    assert found == {"ui"}


def test_httpx_is_imported_only_in_api() -> None:
    found = {layer(path) for path in PACKAGE.rglob("*.py") for name in imports(path) if name.split(".")[0] == "httpx"}
    assert found == {"api"}
