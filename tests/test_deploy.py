"""The files for hosts: the run with nginx, Redis and two processes, and what the Dockerfile takes along."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(
    not (shutil.which("nginx") and shutil.which("redis-server")),
    reason="NOT TRIED: two processes behind nginx. It needs: apt-get install nginx-light redis-server",
)
def test_two_processes_share_a_quota_and_one_serves_on() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "two_processes.py")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok ") == 5


def test_the_dockerfile_takes_along_what_is_there_and_runs_as_nobody_special() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [source for line in lines if line.startswith("COPY") for source in line.split()[1:-1] if source[0] != "-"]
    assert {"app.py", "qwen_demo"} <= set(copied)
    assert all((ROOT / source).exists() for source in copied)
    assert lines.index("USER app") < next(index for index, line in enumerate(lines) if line.startswith("CMD"))
