"""Strangers' pictures are read apart: each in a process of its own that ends with its memory, and within limits.

That process is `python -m qwen_demo.decoding`. It is given no key, and answers with a line of JSON and the bytes of
what it has made: whatever a picture may do to it, there is nothing that this one would run.
"""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from . import preparing
from .api.errors import InvalidRequest
from .containers import PNG
from .images import Reference

SECONDS = 30.0  # by the clock
PROCESSOR_SECONDS = 20  # a picture of 50 megapixels takes 3, at worst
MEMORY = 2_500_000_000  # bytes; such a picture takes 900 MB, and the header of the largest WebP promises 2.2 GB
Work = Literal["prepare", "original", "mask"]
KEPT = ("PATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""What the process knows of the environment."""


async def reference(work: Work, upload: Path, how: str = "") -> Reference:
    """A stranger's upload as `prepare` in `preparing` makes it, on a background, or `original`, or `mask`.

    Raises:
        InvalidRequest: as there; or it takes too long, or too much memory.
    """
    facts, data = await _apart(work, upload, how)
    (width, height), (wide, high) = facts["size"], facts["came_with"]
    mime = "image/png" if data.startswith(PNG) else "image/jpeg"
    size, came_with = (int(width), int(height)), (int(wide), int(high))
    return Reference(data, mime, size, str(facts["came_as"]), came_with, bool(facts["located"]), str(facts["lost"]))


async def crop(upload: Path, place: str) -> bytes:
    """A part of a stranger's upload, see `preparing.crop`.

    Raises:
        InvalidRequest: as there; or it takes too long, or too much memory.
    """
    _, data = await _apart("crop", upload, place)
    return data


async def _apart(work: str, upload: Path, how: str = "") -> tuple[dict[str, Any], bytes]:
    """What the process says, and what it has made."""
    import asyncio  # here, for the process itself has no use for it, and would take twice as long to start

    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-m", __name__, work, _absolute(upload), how),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[1],
        env=_environ(),
        start_new_session=True,  # Ctrl+C is for the app, which lets orders under way finish
    )
    try:
        said, _ = await asyncio.wait_for(child.communicate(), SECONDS)
    except asyncio.TimeoutError as error:
        raise InvalidRequest("image", "picture_costly", upload.name) from error
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    if child.returncode and child.returncode > 0:  # an error of ours, which it has written to stderr
        raise RuntimeError(f"{__name__} ended with {child.returncode}")
    if child.returncode:  # it was ended by the system, for breaking a limit or its decoder
        raise InvalidRequest("image", "picture_costly", upload.name)
    line, _, data = said.partition(b"\n")
    facts: dict[str, Any] = json.loads(line)
    if problem := facts.pop("problem", ""):
        raise InvalidRequest("image", problem, upload.name, **facts)
    return facts, data


def _environ() -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    # glibc sets memory aside for each thread, and a decoder has one for each processor.
    return {**kept, "PYTHONPATH": os.pathsep.join(map(_absolute, sys.path)), "MALLOC_ARENA_MAX": "2"}


def _absolute(path: Path | str) -> str:
    """The process is at home where the package is: in the app's folder there may be modules of other names' sakes."""
    return os.path.abspath(path)


def _main(work: str, upload: Path, how: str) -> None:
    """The process itself."""
    _limit()
    data, facts = b"", dict[str, object]()
    try:
        if work == "crop":
            data = preparing.crop(upload, how)
        else:
            whole = {"original": preparing.original, "mask": preparing.mask}
            made = preparing.prepare(upload, how) if work == "prepare" else whole[work](upload)
            data = made.data
            facts |= {name: getattr(made, name) for name in ("size", "came_as", "came_with", "located", "lost")}
    except InvalidRequest as error:
        facts = {"problem": error.problem, **error.facts}
    sys.stdout.buffer.write(json.dumps(facts).encode() + b"\n" + data)


def _limit() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    most = {resource.RLIMIT_CPU: PROCESSOR_SECONDS, resource.RLIMIT_AS: MEMORY, resource.RLIMIT_CORE: 0}
    for limit, value in most.items():
        with suppress(ValueError):  # there is a lower one, or macOS has none
            resource.setrlimit(limit, (value, value))


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
