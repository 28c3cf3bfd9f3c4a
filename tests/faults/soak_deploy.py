"""The run with nginx, Redis and two processes.

Slow, and so beside the other tests: `python -m pytest tests/faults/soak_deploy.py`.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


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
