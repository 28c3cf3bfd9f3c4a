"""Rows about orders over HTTP: many visitors at once, memory, slow results."""

import asyncio
import json
import time
from typing import Any

import httpx

from .processes import Program

HEADERS = {"Authorization": "Bearer bench"}
ADDRESS = "https://example.com/a.png"  # passed on as it is; nobody asks for it


async def plain(upstream: str, **body: Any) -> None:
    """The call and the fetch as anyone would write them."""
    async with httpx.AsyncClient(timeout=120) as http:
        body = {"prompt": "a hill", "model": "qwen-image-plus", **body}
        answer = await http.post(f"{upstream}/v1/images/generations", json=body, headers=HEADERS)
        for image in answer.json()["data"]:
            (await http.get(image["url"])).raise_for_status()


async def order(url: str, endpoint: str = "text_to_image", fetch: bool = True, **body: Any) -> None:
    """A visitor's order through the app: Gradio's queue, the stream with the outcome, the files."""
    async with httpx.AsyncClient(base_url=url, timeout=300) as http:
        begun = await http.post(f"/gradio_api/call/v2/{endpoint}", json={"prompt": "a hill", **body})
        told = (await http.get(f"/gradio_api/call/{endpoint}/{begun.json()['event_id']}")).text
        if "event: complete" not in told:
            raise RuntimeError(f"an order failed: {told[-300:]}")
        files, _ = json.loads(told.rpartition("data: ")[2])
        for file in files if fetch else []:
            (await http.get(f"/gradio_api/file={file['path']}")).raise_for_status()


async def timed(number: int, call: Any, *args: Any, **named: Any) -> float:
    """Seconds for so many calls at once."""
    began = time.perf_counter()
    await asyncio.gather(*(call(*args, **named) for _ in range(number)))
    return time.perf_counter() - began


async def visitors(app: Program, upstream: Program, number: int, rounds: int) -> tuple[float, float]:
    """Medians of the seconds for so many visitors at once, and for as many plain calls, in turns."""
    ours, theirs = [], []
    for _ in range(rounds):
        app.settle()
        theirs.append(await timed(number, plain, upstream.url))
        ours.append(await timed(number, order, app.url))
    return sorted(ours)[rounds // 2], sorted(theirs)[rounds // 2]


async def memory(app: Program, number: int, form: str) -> tuple[float, float]:
    """MB more than before: the most while so many orders are in flight, and once all of them is done.

    Args:
        app: the app.
        number: how many orders, all at once.
        form: how the results travel, `url` or `b64_json`.
    """
    app.settle()
    before = most = app.memory()
    working = asyncio.create_task(timed(number, order, app.url, fetch=False, response_format=form))
    while not working.done():
        most = max(most, app.memory())
        await asyncio.sleep(0.02)
    await working
    app.settle()
    return most - before, app.memory() - before


async def slow_results(app: Program, rounds: int) -> tuple[float, float]:
    """Medians of the seconds for six pictures of one answer, and for one."""
    six, one = [], []
    for _ in range(rounds):
        app.settle()
        one.append(await timed(1, order, app.url, "edit_image", False, prompt="slow", image=ADDRESS, n=1))
        six.append(await timed(1, order, app.url, "edit_image", False, prompt="slow", image=ADDRESS, n=6))
    return sorted(six)[rounds // 2], sorted(one)[rounds // 2]
