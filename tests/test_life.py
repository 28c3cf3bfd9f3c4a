"""Which of the processes that share a folder still live."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread, current_thread

import pytest

from qwen_demo import life
from qwen_demo.life import Life

ROOT = Path(__file__).parents[1]
LIVING = """
import sys, pathlib
from qwen_demo.life import Life
life = Life(pathlib.Path(sys.argv[1]))
life.begin()
print(life.name, flush=True)
sys.stdin.read()
"""


def test_a_process_lives_until_it_is_killed_whatever_its_number(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIVING, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        name = other.stdout.readline().strip()
        here = Life(tmp_path)
        assert (here.lives(name), here.ended()) == (True, [])
        other.kill()
        other.wait()
    assert (here.lives(name), [file.name for file in here.ended()]) == (False, [f".life-{name}"])


def test_a_life_is_its_own_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    one, two = Life(tmp_path / "new"), Life(tmp_path / "new")
    assert one.name != two.name
    assert not two.lives(one.name)
    one.begin()
    one.begin()
    assert (one.lives(one.name), two.lives(one.name), two.lives(two.name)) == (True, True, False)
    one.end()
    assert not two.lives(one.name)


def test_one_that_just_begins_is_not_taken_for_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = Life(tmp_path), Life(tmp_path)
    own = tmp_path / f".life-{one.name}"
    looks, found = Event(), []

    def look() -> None:
        found.extend(two.ended())

    looking = Thread(target=look)
    lock = life._lock

    def noted(file: int, **how: bool) -> bool:
        if current_thread() is looking:
            looks.set()
        elif not looking.ident and own.exists():  # it is about to lock it
            looking.start()
            looks.wait(60)
            looking.join(0.1)  # it waits, or is wrong by now
        return lock(file, **how)

    monkeypatch.setattr(life, "_lock", noted)
    one.begin()
    looking.join(60)
    assert (found, two.lives(one.name)) == ([], True)


def test_only_one_at_a_time_is_alone(tmp_path: Path) -> None:
    inside, most = [], []

    def work(_: int) -> None:
        with Life(tmp_path).alone():
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(200)))
    assert set(most) == {1}


def test_where_a_disk_knows_no_locks_all_others_count_as_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    one, two = Life(tmp_path), Life(tmp_path)
    one.begin()
    two.begin()
    assert (two.lives(one.name), [file.name for file in two.ended()]) == (False, [f".life-{one.name}"])


def test_where_no_file_is_opened_to_be_changed_lives_begin_and_end_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = os.open

    def once(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_RDWR and path.exists():
            raise PermissionError
        return opened(path, flags, mode)

    monkeypatch.setattr("qwen_demo.life.os.open", once)
    one, two = Life(tmp_path), Life(tmp_path)
    one.begin()
    two.begin()
    assert two.lives(one.name)
    one.end()
    assert [file.name for file in two.ended()] == [f".life-{one.name}"]
