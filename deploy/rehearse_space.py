"""Run this tree as a Hugging Face Space runs it, on this machine: `python -m deploy.rehearse_space`.

It has the environment that Spaces give a Gradio app, user 1000, and nothing to write to but `/tmp`, its home and, where
storage is attached, `/data`; nginx stands before it under https, with the names of the real thing, and shows it in a
frame of another site. It needs root's rights on Linux, nginx, and the Python package trustme. It says what it saw, and
ends with 1 if that was not as it should be. `tests/browser/test_space.py` drives a browser in the frame.
"""

import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import trustme
from packaging.requirements import Requirement

from deploy.root import explained, inside, missing
from deploy.two_processes import free_port, run, say, wait_for

ROOT = Path(__file__).parents[1]
SITE, NAME = "huggingface.co", "someone-qwen-image-demo.hf.space"
USER, HOME, APP, STORAGE = 1000, "/home/user", "/home/user/app", "/data"
PYTHON = [Path(path) for path in ("/usr", "/bin", "/lib", "/lib64", "/etc", sys.base_prefix, sys.prefix)]
# As Spaces set them for the SDK `gradio`, which they start with `python app.py`.
ENVIRON = {
    "HOME": HOME,
    "PATH": f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin",
    "PYTHONPATH": APP,
    "PYTHONUNBUFFERED": "1",
    "GRADIO_ALLOW_FLAGGING": "never",
    "GRADIO_NUM_PORTS": "1",
    "GRADIO_SERVER_NAME": "0.0.0.0",  # noqa: S104
    "GRADIO_THEME": "huggingface",
    "SYSTEM": "spaces",
    "SPACE_ID": "someone/qwen-image-demo",
    "SPACE_HOST": NAME,
    "SPACE_AUTHOR_NAME": "someone",
    "SPACE_REPO_NAME": "qwen-image-demo",
    "SPACE_TITLE": "Qwen Image Demo",
    "CPU_CORES": "2",
    "MEMORY": "16Gi",
    "ACCELERATOR": "none",
}
WRITABLE = ["sh", "-c", r"find / \( -path /proc -o -path /dev \) -prune -o -type d -writable -print -prune"]
# As the page of a Space has it.
FRAME = (
    f"<!doctype html><title>Space</title><style>html,body,iframe{{margin:0;border:0;width:100%;height:100%}}</style>"
    f'<iframe src="https://{NAME}" allow="clipboard-read; clipboard-write; fullscreen" sandbox="allow-downloads '
    f"allow-forms allow-modals allow-popups allow-popups-to-escape-sandbox allow-same-origin allow-scripts "
    f'allow-storage-access-by-user-activation"></iframe>'
)


@dataclass
class Space:
    """A Space, and nginx before it.

    Attributes:
        root: what the app has as `/`.
        front: the port of 127.0.0.1 where both sites are served under https.
        behind: the port where the app listens.
        trust: knows the certificate of both.
    """

    root: Path
    front: int
    behind: int
    trust: ssl.SSLContext
    _runs: ExitStack = field(default_factory=ExitStack)

    def start(self, *, storage: bool) -> None:
        """Start the app as Spaces do, anew if it runs: what stands in its storage stays, and nothing else."""
        self.end()
        for path in self.root.iterdir():
            if not storage or path.name != "data":
                shutil.rmtree(path)
        shutil.copytree(ROOT, self.root / APP[1:], ignore=shutil.ignore_patterns(".*", "__pycache__", "outputs"))
        for name in (HOME, *([STORAGE] if storage else [])):
            self._own(self.root / name[1:])
        (self.root / "tmp").mkdir()
        (self.root / "tmp").chmod(0o1777)
        run(self._runs, self.root.parent, self.command("python", "app.py"))
        wait_for(self.behind)

    def end(self) -> None:
        """End the app gently, if it runs."""
        self._runs.close()

    def _own(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER)

    def command(self, *command: str) -> list[str]:
        """The command line that runs a command in the Space."""
        environ = {**ENVIRON, "GRADIO_SERVER_PORT": str(self.behind)}  # there it is 7860, as nobody else is there
        return inside(self.root, command, environ=environ, shown=PYTHON, user=USER, folder=APP)

    def browser(self) -> httpx.Client:
        """A browser without a page: it keeps cookies."""

        def name(request: httpx.Request) -> None:
            request.headers["Host"] = NAME
            request.extensions["sni_hostname"] = NAME

        url = f"https://127.0.0.1:{self.front}"
        return httpx.Client(
            base_url=url, verify=self.trust, timeout=60, trust_env=False, event_hooks={"request": [name]}
        )


@contextmanager
def hosted(folder: Path) -> Iterator[Space]:
    """A Space that is still to be started, and nginx before it."""
    authority = trustme.CA()
    authority.issue_cert(SITE, NAME).private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    space = Space(folder / "root", free_port(), free_port(), trust)
    space.root.mkdir()
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text(FRAME, encoding="utf-8")
    (folder / "nginx.conf").write_text(_nginx(folder, space), encoding="utf-8")
    with ExitStack() as stack:
        run(stack, folder, ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")])
        wait_for(space.front)
        stack.callback(space.end)
        with explained(folder):
            yield space


def _nginx(folder: Path, space: Space) -> str:
    """Two sites with names of their own under https; what is asked of the Space is passed on."""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    writable = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in kinds)
    secure = f"listen 127.0.0.1:{space.front} ssl http2; ssl_certificate both.pem; ssl_certificate_key both.pem;"
    return f"""
daemon off; user root; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
events {{}}
http {{
    {writable} access_log off; client_max_body_size 0; types {{ text/html html; }}
    server {{ server_name {SITE}; {secure} root {folder}/site; }}
    server {{
        server_name {NAME}; {secure}
        location / {{
            proxy_pass http://127.0.0.1:{space.behind};
            proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off; proxy_read_timeout 600s;
            proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Host $host;
            proxy_set_header X-Forwarded-Proto https;
        }}
    }}
}}
"""


def wrong_settings(readme: str, requirements: str) -> list[str]:
    """What the lines at the top of the README, which are a Space's settings, say that isn't so."""
    told = dict(line.split(": ", 1) for line in readme.split("---\n")[1].splitlines())
    wanted = {row.name: row for row in map(Requirement, requirements.splitlines())}
    python = re.search(r"^FROM python:([\d.]+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    colours = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
    right = {
        "sdk": told["sdk"] == "gradio",
        "sdk_version": told["sdk_version"] in wanted["gradio"].specifier,
        "python_version": python is not None and told["python_version"].strip('"') == python[1],
        "app_file": (ROOT / told["app_file"]).is_file(),
        "colorFrom": told["colorFrom"] in colours,
        "colorTo": told["colorTo"] in colours,
        "short_description": len(told["short_description"]) <= 60,
    }
    return [name for name, is_right in right.items() if not is_right]


def main() -> None:
    if lacks := lacking():
        print(f"NOT TRIED: this tree as a Space. It needs: {lacks}")  # noqa: T201
        return
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "requirements.txt")]
    wrong = wrong_settings(*texts)
    say(f"the settings at the top of README.md{': ' + ', '.join(wrong) if wrong else ''}", not wrong)
    with tempfile.TemporaryDirectory() as folder, hosted(Path(folder)) as space, space.browser() as browser:
        space.start(storage=True)
        writable = subprocess.run(space.command(*WRITABLE), capture_output=True, text=True, check=False).stdout.split()  # noqa: S603
        say(f"user {USER} can write to {', '.join(writable)}", sorted(writable) == [STORAGE, HOME, "/tmp"])  # noqa: S108
        page = browser.get("/")
        framed = f"frame-ancestors 'self' https://{SITE} " in page.headers["content-security-policy"]
        say(f"the page ({page.status_code}) may stand in a frame of {SITE}", page.status_code == 200 and framed)
        cookie = page.headers["set-cookie"].partition("Path=/; ")[2]
        say(f"its cookie: {cookie}", cookie.endswith("HttpOnly; SameSite=None; Secure; Partitioned"))
        say("a picture is ordered and fetched", ordered(browser))
        kept = history(browser)
        space.start(storage=True)
        say("with storage, after a restart: the visitor is known", "set-cookie" not in browser.get("/").headers)
        say(f"the pictures are there: {len(kept)}", history(browser) == kept and len(kept) == 1)
        space.start(storage=False)
        say("without storage: the visitor is new", "set-cookie" in browser.get("/").headers)
        say("a picture is ordered and fetched", ordered(browser))


def ordered(browser: httpx.Client) -> bool:
    """Whether a picture comes, as for a program."""
    begun = browser.post("/gradio_api/call/v2/text_to_image", json={"prompt": "a hill"}).json()
    told = browser.get(f"/gradio_api/call/text_to_image/{begun['event_id']}").text
    path = re.search(r'"path": ?"([^"]+)"', told)
    return path is not None and browser.get(f"/gradio_api/file={path[1]}").content.startswith(b"\x89PNG")


def history(browser: httpx.Client) -> list[str]:
    """The ids of this visitor's pictures."""
    return [row[0] for row in browser.get("/board/library").raise_for_status().json()["pictures"]]


def lacking() -> str:
    """What this machine lacks for it, in words; "" if nothing."""
    return missing("nginx")


if __name__ == "__main__":
    main()
