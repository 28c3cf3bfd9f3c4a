"""The files for hosts: what the Dockerfile takes along."""

from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_dockerfile_takes_along_what_is_there_and_runs_as_nobody_special() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [source for line in lines if line.startswith("COPY") for source in line.split()[1:-1] if source[0] != "-"]
    assert {"app.py", "qwen_demo"} <= set(copied)
    assert all((ROOT / source).exists() for source in copied)
    assert lines.index("USER app") < next(index for index, line in enumerate(lines) if line.startswith("CMD"))
