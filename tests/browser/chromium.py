"""Find a Chromium for the browser tests. Run as a script, it installs one where there is none, or says why it can't."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# In a container there is no sandbox to have; the rest keeps Chromium from calling home.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find() -> str | None:
    """The path of an installed Chromium: the system's, else Playwright's own."""
    from playwright.sync_api import sync_playwright

    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return found
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> None:
    """Try Debian's package where that is possible, else Playwright's build."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        attempts: Sequence[Sequence[Sequence[str]]] = [
            [["apt-get", "update"], ["apt-get", "install", "-y", "chromium", "fonts-noto-cjk"]],
            [[sys.executable, "-m", "playwright", "install", "chromium"]],
        ]
    else:
        attempts = [[[sys.executable, "-m", "playwright", "install", "chromium"]]]
    for commands in attempts:
        if all(subprocess.run(command, check=False).returncode == 0 for command in commands):
            return


def main() -> None:
    """Make sure that there is one, or end with what to do."""
    if not find():
        install()
    if not find():
        sys.exit("The browser tests need a Chromium, and none could be installed. Install one, then run this again.")


if __name__ == "__main__":
    main()
