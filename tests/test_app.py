"""`python app.py` as a newcomer starts it: against the API that is set, or not at all."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client

ROOT = Path(__file__).parents[1]
KEY = "sk-test-77d0c1e5"


def start(tmp_path: Path, **environ: str) -> "subprocess.Popen[str]":
    # The tests' own folder for Gradio's files, and no .env of the developer's.
    settings = {"QWEN_DEMO_OUTPUTS": str(tmp_path / "outputs"), "GRADIO_TEMP_DIR": str(tmp_path / "gradio"), **environ}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("QWEN_", "GRADIO_"))}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "app.py")],
        cwd=tmp_path,
        env={**clean, "GRADIO_ANALYTICS_ENABLED": "False", "PYTHON_DOTENV_DISABLED": "1", **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def app_of_server(offline_server: str, tmp_path: Path) -> Iterator[tuple[str, Path, "subprocess.Popen[str]"]]:
    """The app with a key, in front of a server that takes any."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start(tmp_path, QWEN_API_KEY=KEY, QWEN_BASE_URL=offline_server, GRADIO_SERVER_PORT=str(port))
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url, process)
        yield url, tmp_path, process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def wait_for(url: str, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(url)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"{url} did not answer")


def test_with_a_key_and_a_base_url_the_orders_go_to_that_server(
    app_of_server: tuple[str, Path, "subprocess.Popen[str]"],
) -> None:
    url, folder, process = app_of_server
    assert '"elem_id":"notice"' not in httpx.get(url).text.replace(" ", "")
    client = Client(url, verbose=False, download_files=str(folder))
    files, details = client.predict(prompt="a lighthouse", size="1472x1140", api_name="/text_to_image")
    client.close()
    assert (details["pictures"][0]["width"], details["pictures"][0]["height"]) == (1472, 1140)
    (saved,) = (folder / "outputs").glob("*/*.png")
    assert saved.read_bytes() == Path(files[0]).read_bytes()
    assert KEY.encode() not in saved.read_bytes()
    process.terminate()
    output, _ = process.communicate(timeout=30)
    assert KEY not in output


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("QWEN_MAX_IN_FLIGHT", "lots", "QWEN_MAX_IN_FLIGHT must be a whole number from 1 to 1000, not 'lots'."),
        ("QWEN_API_KEY", "sk 1", "QWEN_API_KEY must be a key without spaces, in plain ASCII, not what it is."),
    ],
)
def test_a_wrong_value_stops_the_start_with_one_clear_line(tmp_path: Path, name: str, value: str, line: str) -> None:
    process = start(tmp_path, **{name: value})
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 1
    assert output.splitlines() == [line]
