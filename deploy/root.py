"""Run a program as in a container: in a root of its own, as somebody else, with an environment of its own.

It needs root's rights on Linux. What is mounted for it is seen by it alone, and goes with it.
"""

import os
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Where the block fails, tell what the programs that write their logs into that folder said last."""
    try:
        yield
    except (Exception, SystemExit):
        for log in folder.glob("*.log"):
            print(f"{log.name}: {log.read_text(encoding='utf-8')[-3000:]}", flush=True)  # noqa: T201
        raise


def missing(*programs: str) -> str:
    """What this machine lacks for a run in another root with these programs, in words; "" if nothing."""
    lacks = [name for name in ("unshare", "chroot", "mount", *programs) if not shutil.which(name)]
    return ", ".join([*(["root's rights"] if os.geteuid() else []), *lacks])


def inside(
    root: Path,
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    shown: Iterable[Path] = (),
    user: int = 0,
    folder: str = "/",
    alone: bool = False,
) -> list[str]:
    """The command line that runs a command in a root; a signal that is sent to it reaches the command itself.

    Args:
        root: the folder that becomes `/`.
        command: as it is spelled inside.
        environ: all of its environment.
        shown: folders and files of this machine that stand there under the same paths, and can't be changed.
        user: its number, and its group's.
        folder: where it starts, inside.
        alone: whether it has a network of its own, with nobody but itself.
    """
    mounts = []
    for path in sorted(path for path in shown if path.exists()):
        make = "mkdir -p" if path.is_dir() else "install -D /dev/null"
        mounts.append(_shell("{0} {2} && mount --bind -o ro {1} {2}", make, path, f"{root}{path}"))
    for name in ("dev", "proc"):
        mounts.append(_shell("{0} {2} && mount --rbind {1} {2}", "mkdir -p", f"/{name}", root / name))
    network = ["--net"] if alone else []
    mounts += ["ip link set lo up"] if alone else []
    changed = ["chroot", f"--userspec={user}:{user}", "--groups=", str(root), *_given(environ, "-C", folder)]
    return ["unshare", "--mount", *network, "sh", "-ec", "; ".join([*mounts, 'exec "$@"']), "sh", *changed, *command]


def beside(process: int, command: Sequence[str], *, environ: Mapping[str, str], user: int = 0) -> list[str]:
    """The command line that runs a command where that process runs: in its root, its folder and its network."""
    there = ["nsenter", "-t", str(process), "--mount", "--net", "--root", "--wd", "-S", str(user), "-G", str(user)]
    return [*there, *_given(environ), *command]


def _given(environ: Mapping[str, str], *options: str) -> list[str]:
    return ["env", "-i", *options, *(f"{name}={value}" for name, value in environ.items())]


def _shell(line: str, make: str, source: Path | str, place: Path | str) -> str:
    return line.format(make, shlex.quote(str(source)), shlex.quote(str(place)))
