"""Run a program as in a container: in a root of its own, as somebody else, with an environment of its own.

It needs root's rights on Linux. What is mounted for it is seen by it alone, and goes with it.
"""

import os
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


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
) -> list[str]:
    """The command line that runs a command in a root; a signal that is sent to it reaches the command itself.

    Args:
        root: the folder that becomes `/`.
        command: as it is spelled inside.
        environ: all of its environment.
        shown: folders and files of this machine that stand there under the same paths, and can't be changed.
        user: its number, and its group's.
        folder: where it starts, inside.
    """
    mounts = []
    for path in sorted(path for path in shown if path.exists()):
        make = "mkdir -p" if path.is_dir() else "install -D /dev/null"
        mounts.append(_shell("{0} {2} && mount --bind -o ro {1} {2}", make, path, f"{root}{path}"))
    for name in ("dev", "proc"):
        mounts.append(_shell("{0} {2} && mount --rbind {1} {2}", "mkdir -p", f"/{name}", root / name))
    named = [f"{name}={value}" for name, value in environ.items()]
    changed = ["chroot", f"--userspec={user}:{user}", "--groups=", str(root), "env", "-i", "-C", folder, *named]
    return ["unshare", "--mount", "sh", "-ec", "; ".join([*mounts, 'exec "$@"']), "sh", *changed, *command]


def _shell(line: str, make: str, source: Path | str, place: Path | str) -> str:
    return line.format(make, shlex.quote(str(source)), shlex.quote(str(place)))
