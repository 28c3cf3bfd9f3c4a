"""As a server of its own: bodies as in the provider's curl commands, over a real socket."""

import socket
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import httpx
from PIL import Image

GENERATION = {
    "prompt": "一只可爱的小猫在花园里玩耍，阳光明媚，油画风格",
    "model": "qwen-image-plus",
    "size": "1328x1328",
    "n": 1,
    "response_format": "url",
    "optimize_prompt_options": {"enable": True, "negative_prompt": "低分辨率、错误、最差质量"},
}
FUSION = {
    "prompt": "图1中的女生穿着图2中的黑色裙子按图3的姿势坐下",
    "model": "qwen-image-edit-plus",
    "image": [f"https://help-static-aliyun-doc.aliyuncs.com/input{number}.png" for number in (1, 2, 3)],
    "size": "1328x1328",
    "watermark": True,
}


def test_the_page_s_own_requests_bring_pictures() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "qwen_demo.offline", "--port", str(port)]
    server = subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL)
    try:
        _wait_until_it_listens(port)
        base, headers = f"http://127.0.0.1:{port}/v1/", {"Authorization": "Bearer <API-KEY>"}
        with httpx.Client(base_url=base, timeout=60, trust_env=False) as client:
            for path, body in (("images/generations", GENERATION), ("images/edits", FUSION)):
                (datum,) = client.post(path, json=body, headers=headers).raise_for_status().json()["data"]
                assert datum["url"].startswith(f"{base}results/")
                assert Image.open(BytesIO(client.get(datum["url"]).content)).size == (1328, 1328)
    finally:
        server.terminate()
        server.wait(timeout=20)


def _wait_until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the server did not start")
