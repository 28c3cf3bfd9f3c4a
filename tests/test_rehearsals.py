"""What rehearses a Space and the Dockerfile fails where the tree is wrong. `make rehearse` runs both."""

from pathlib import Path

import pytest

from deploy.rehearse_docker import Image, instructions
from deploy.rehearse_space import wrong_settings

ROOT = Path(__file__).parents[1]
README, REQUIREMENTS = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "requirements.txt"))


def test_a_spaces_settings_fit_the_tree() -> None:
    assert wrong_settings(README, REQUIREMENTS) == []


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("sdk: gradio", "sdk: docker"),
        ("sdk_version: 6.31.0", "sdk_version: 6.30.0"),
        ('python_version: "3.12"', 'python_version: "3.13"'),
        ("app_file: app.py", "app_file: main.py"),
        ("colorTo: indigo", "colorTo: violet"),
    ],
)
def test_a_setting_of_a_space_that_does_not_fit_is_named(line: str, other: str) -> None:
    assert wrong_settings(README.replace(line, other, 1), REQUIREMENTS) == [line.partition(":")[0]]


def test_a_dockerfile_is_read_line_by_line() -> None:
    text = 'FROM python:3.12-slim\n\n# why\nRUN one \\\ntwo\nCMD ["a"]\n'
    assert list(instructions(text)) == [("FROM", "python:3.12-slim"), ("RUN", "one  two"), ("CMD", '["a"]')]


@pytest.mark.parametrize(
    ("word", "rest", "told"),
    [
        ("ADD", "https://host/file /", "ADD https://host/file /: no such instruction is known here"),
        ("COPY", "app.py README.md ./", "COPY app.py README.md ./: .dockerignore keeps README.md back"),
    ],
)
def test_what_an_engine_would_not_do_ends_the_rehearsal(word: str, rest: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=told):
        Image(tmp_path).do(word, rest)
