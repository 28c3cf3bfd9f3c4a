"""What the README tells people to type, typed: only addresses are replaced."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from qwen_demo.api.client import QwenClient
from qwen_demo.library import Library
from qwen_demo.orders import Orders
from qwen_demo.service import Service
from tests.conftest import KEY, Backend, launched

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
HERE = "http://127.0.0.1:7860"


def blocks(language: str, word: str) -> list[str]:
    """The README's pieces of code in a language that hold a word."""
    return [block for block in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if word in block]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    backend = Backend()
    client, own = (QwenClient(key, "http://offline/v1", transport=backend) for key in (KEY, ""))
    service = Service(client, Orders(8), Library(tmp_path_factory.mktemp("readme")), keyed=own)
    with launched(service, QWEN_DEMO_MCP="1", QWEN_DEMO_OWN_KEYS="1") as url:
        yield url


def run(command: list[str], folder: Path, **environ: str) -> str:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_python_program_runs(url: str, tmp_path: Path) -> None:
    for name in ("photo.jpg", "one.jpg"):
        Image.new("RGB", (600, 500), "red").save(tmp_path / name)
    (code,) = blocks("python", "gradio_client")
    assert HERE in code
    told = run([sys.executable, "-c", code.replace(HERE, url)], tmp_path)
    assert "图1 and 图2 in one room" in told


def test_the_curl_commands_run(url: str, tmp_path: Path) -> None:
    (code,) = blocks("sh", "call/v2/text_to_image")
    assert "event: complete" in run(["bash", "-c", code.replace(HERE, url)], tmp_path)


def test_the_library_runs(offline_server: str, tmp_path: Path) -> None:
    (code,) = blocks("python", "QwenClient")
    key = 'os.environ["QWEN_API_KEY"]'
    assert key in code
    run([sys.executable, "-c", code.replace(key, f'{key}, "{offline_server}"')], tmp_path, QWEN_API_KEY=KEY)
    with Image.open(tmp_path / "lighthouse.png") as image:
        assert image.format == "PNG"


@pytest.mark.parametrize(("client", "key"), [("mcpServers", None), ("servers", "sk-own-key-1234")])
async def test_the_agents_settings_lead_to_the_tools(url: str, client: str, key: str | None) -> None:
    settings: dict[str, Any] = json.loads(blocks("json", f'"{client}"')[0])
    server = settings[client]["qwen-image"]
    headers = {name: value.replace("${input:qwen-key}", key or "") for name, value in server.get("headers", {}).items()}
    assert list(headers.values()) == ([key] if key else [])
    async with (
        httpx.AsyncClient(headers=headers, timeout=60) as http,
        streamable_http_client(server["url"].replace(HERE, url), http_client=http) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        assert not (await session.call_tool("text_to_image", {"prompt": "a hill"})).isError


def test_every_file_has_its_place_in_the_table() -> None:
    package = ROOT / "qwen_demo"
    for name in ("README.md", "README.zh-CN.md"):
        rows = re.findall(r"^\| (`.+?) \|(.*)\|$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        # A package's row names its files; the drawing program and the words are rooms without a sign on each door.
        told = {where.strip("`"): set(re.findall(r"`([\w.]+)`", what)) for where, what in rows}
        alone = {file for where in told for file in re.findall(r"\w+\.py", where)}
        assert {path.name for path in package.glob("*.py")} - alone == {"__init__.py"}, name
        for folder in ("api", "web", "ui"):
            there = {path.name for path in (package / folder).iterdir() if path.is_file()} - {"__init__.py"}
            assert told[f"qwen_demo/{folder}/"] == there, (name, folder)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_every_action_of_the_board_has_its_place_in_the_table(name: str) -> None:
    table = (ROOT / name).read_text(encoding="utf-8").partition("\n| `#feed` |")[2].partition("\n\n")[0]
    cells = [row.rstrip(" |").rpartition("| ")[2] for row in table.splitlines()]
    said = {act for cell in cells for act in re.findall(r"`([a-z-]+)`", cell)}
    scripts = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "qwen_demo" / "ui" / "board").glob("*.js"))
    made = set(re.findall(r'\b(?:button|tool|choice)\("([a-z-]+)"|"data-act": "([a-z-]+)"', scripts))
    acts = {act for pair in made for act in pair if act}
    assert len(acts) > 30
    assert acts - said == set()
    assert {act for act in said - acts if act.startswith("code-")} == {
        "code-json",
        "code-curl",
        "code-python",
        "code-openai",
        "code-dashscope",
    }


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_what_is_said_about_additions_is_shown_by_tests(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    shown = re.findall(r"^- .*`(test_\w+)`[^`\n]+`([\w/.]+)`", text, re.MULTILINE)
    assert len(shown) == 3
    for test, file in shown:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), test


def test_security_names_tests_that_are_there() -> None:
    rows = [line for line in (ROOT / "SECURITY.md").read_text(encoding="utf-8").splitlines() if "`test_" in line]
    assert len(rows) > 15
    for row in rows:
        ((name, file),) = re.findall(r"`(test_\w+)`(?: in `([\w/.]+)`)? \|", row)
        assert f"def {name}(" in (ROOT / (file or "tests/test_attacks.py")).read_text(encoding="utf-8")
