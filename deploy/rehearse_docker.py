"""Follow the Dockerfile where there is no engine for it: `python -m deploy.rehearse_docker`.

Each line is done in a fresh Debian that debootstrap makes, and what comes of it is run as the line `CMD` says: by its
user, in its environment, in a network of its own. It needs root's rights on a Debian with debootstrap and ip, and some
minutes. It says what it saw and what it can't try, and ends with 1 if that was not as it should be.
"""

import ast
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from deploy.root import beside, explained, inside, missing
from deploy.two_processes import run, say

ROOT = Path(__file__).parents[1]
PATIENCE = 120  # seconds for the app to be healthy, and to end
NETWORK = [Path("/etc/resolv.conf"), Path("/etc/hosts")]
"""What an engine puts into every container."""


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """The lines of a Dockerfile: a word, and what follows it."""
    plain = "\n".join(line for line in dockerfile.splitlines() if not line.lstrip().startswith("#"))
    for line in plain.replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), rest.strip()


@dataclass
class Image:
    """What the Dockerfile has made so far, in a folder that is its `/`."""

    root: Path
    python: list[Path] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"})
    folder: str = "/"
    user: str = "root"
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)

    def do(self, word: str, rest: str) -> None:
        """Follow one line.

        Raises:
            SystemExit: it fails, or is of a kind that is not known here.
        """
        follow = getattr(self, f"_{word.lower()}", None)
        if follow is None:
            sys.exit(f"{word} {rest}: no such instruction is known here")
        print(f"      {word} {rest}", flush=True)  # noqa: T201
        follow(rest)

    def _from(self, image: str) -> None:
        """A Debian as small as this machine's own, and the image's Python, or else Debian's."""
        wanted = image.removeprefix("python:").partition("-")[0]
        release = platform.freedesktop_os_release()["VERSION_CODENAME"]
        done("debootstrap", "--variant=minbase", "--include=python3-venv", release, str(self.root), mirror(release))
        python = found_python(wanted)
        if python:
            self.python = [python.parents[1]]
            for parent in python.relative_to("/").parents:  # nobody's home is closed to whom the image runs as
                (self.root / parent).mkdir(parents=True, exist_ok=True)
                (self.root / parent).chmod(0o755)
        else:
            print(f"NOT TRIED: Python {wanted}, which is not on this machine. Debian's takes its place")  # noqa: T201
        self._done([str(python or "/usr/bin/python3"), "-m", "venv", "/usr/local"])
        self.environ["PYTHON_VERSION"] = wanted

    def _run(self, command: str) -> None:
        settings, files = settings_of_pip()
        self._done(["sh", "-c", command], settings, files)

    def _workdir(self, folder: str) -> None:
        self.folder = os.path.join(self.folder, folder)
        (self.root / self.folder[1:]).mkdir(parents=True, exist_ok=True)

    def _copy(self, paths: str) -> None:
        """Files as the engine gets them: it gets those alone that `.dockerignore` names."""
        *sources, target = shlex.split(paths)
        given = [
            line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[0] == "!"
        ]
        for source in sources:
            if source not in given:
                sys.exit(f"COPY {paths}: .dockerignore keeps {source} back")
            place = self.root / self.folder[1:] / target
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, place)

    def _env(self, rest: str) -> None:
        self.environ |= dict(pair.split("=", 1) for pair in shlex.split(rest))

    def _user(self, name: str) -> None:
        self.user = name
        self.environ["HOME"] = self._account()[5]

    def _volume(self, folder: str) -> None:
        """An engine mounts a disk there that belongs to whom the folder belongs."""
        owner = (self.root / folder[1:]).stat().st_uid
        say(f"the volume {folder} belongs to user {owner}", owner == self.uid)

    def _expose(self, port: str) -> None:
        say(f"port {port} is the one that the app is told", self.environ["GRADIO_SERVER_PORT"] == port)

    def _healthcheck(self, rest: str) -> None:
        self.health = json.loads(rest.partition("CMD")[2])

    def _cmd(self, rest: str) -> None:
        self.command = json.loads(rest)

    def _account(self) -> list[str]:
        accounts = (self.root / "etc" / "passwd").read_text(encoding="utf-8").splitlines()
        return next(row.split(":") for row in accounts if row.startswith(f"{self.user}:"))

    @property
    def uid(self) -> int:
        """The number of the user that the image runs as."""
        return int(self._account()[2])

    def line(
        self,
        command: Sequence[str],
        environ: Mapping[str, str] = {},
        shown: Sequence[Path] = (),
        *,
        alone: bool = False,
    ) -> list[str]:
        """The command line that runs a command in the image."""
        return inside(
            self.root,
            command,
            environ={**self.environ, **environ},
            shown=[*NETWORK, *self.python, *shown],
            user=self.uid,
            folder=self.folder,
            alone=alone,
        )

    def _done(self, command: Sequence[str], environ: Mapping[str, str] = {}, shown: Sequence[Path] = ()) -> None:
        done(*self.line(command, environ, shown))


def done(*command: str) -> None:
    """Run a command to its end. SystemExit, with what it said last, where it fails."""
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)  # noqa: S603
    if ended.returncode:
        sys.exit(f"{' '.join(command)}\n{ended.stdout[-3000:]}")


def mirror(release: str) -> str:
    """Where this machine gets that release of Debian from."""
    told = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"],  # noqa: S607
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return next(line.split()[2] for line in told.splitlines() if line.startswith(f"{release} main "))


def found_python(version: str) -> Path | None:
    """A Python of that version on this machine that stands in a folder of its own."""
    name = f"python{version}"
    places = [Path(shutil.which(name) or "/"), *Path.home().glob(f".pyenv/versions/{version}*/bin/{name}")]
    real = (path.resolve() for path in places if path.is_file())
    return next(
        (path for path in real if path.parents[1] != Path("/usr") and (path.parents[1] / "lib" / name).is_dir()), None
    )


def settings_of_pip() -> tuple[dict[str, str], list[Path]]:
    """How pip reaches packages from here: its variables, and the files and folders of this machine that they name."""
    told = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    rows = (line.partition("=") for line in told.splitlines())
    values = {name.rpartition(".")[2]: " ".join(ast.literal_eval(value).split()) for name, _, value in rows}
    paths = [Path(urlsplit(word).path) for value in values.values() for word in value.split()]
    files = [path.parent if path.name == "simple" else path for path in paths if path.is_absolute() and path.exists()]
    proxies = {name: value for name, value in os.environ.items() if re.fullmatch("(?i)(http|https|all|no)_proxy", name)}
    return {**proxies, **{f"PIP_{name.upper().replace('-', '_')}": value for name, value in values.items()}}, files


ORDER = (
    "import gradio_client as g; g.Client('http://127.0.0.1:7860').predict(prompt='a hill', api_name='/text_to_image')"
)
BEGIN = """
import urllib.request as u
address, data = "http://127.0.0.1:7860/gradio_api/call/v2/text_to_image", b'{"prompt": "a hill"}'
u.urlopen(u.Request(address, data, {"Content-Type": "application/json"}))
"""


def main() -> None:
    if lacks := missing("debootstrap", "apt-get", "ip", "nsenter"):
        print(f"NOT TRIED: the Dockerfile, line by line. It needs: {lacks}")  # noqa: T201
        return
    print("NOT TRIED: the image's layers, its own Debian, and the app as the process 1; that takes an engine")  # noqa: T201
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(explained(folder))
        image = Image(folder / "root")
        for word, rest in instructions((ROOT / "Dockerfile").read_text(encoding="utf-8")):
            image.do(word, rest)
        outputs = image.root / image.folder[1:] / "outputs"
        app = run(stack, folder, image.line(image.command, alone=True))

        def within(*command: str) -> int:
            line = beside(app.pid, command, environ=image.environ, user=image.uid)
            return subprocess.run(line, capture_output=True, check=False).returncode  # noqa: S603

        deadline = time.monotonic() + PATIENCE
        while within(*image.health) and app.poll() is None and time.monotonic() < deadline:
            time.sleep(1)
        say("it is healthy, by the HEALTHCHECK's command", app.poll() is None and within(*image.health) == 0)
        owner = Path(f"/proc/{app.pid}").stat().st_uid
        say(f"{' '.join(image.command)} is run by user {owner}", owner == image.uid != 0)
        within("python", "-c", ORDER)
        say(f"a picture is ordered: {pictures(outputs)} in the volume", pictures(outputs) == 1)
        within("python", "-c", BEGIN)
        app.send_signal(signal.SIGTERM)
        code = app.wait(PATIENCE)
        say(f"told to end, it brings home what was ordered: {pictures(outputs)}, and ends with {code}", not code)
        say("both pictures are in the volume", pictures(outputs) == 2)


def pictures(outputs: Path) -> int:
    """How many finished ones there are."""
    return len(list(outputs.glob("*-*-*/*.png")))


if __name__ == "__main__":
    main()
