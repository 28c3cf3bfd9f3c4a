"""Whoever watches over the app learns whether it is well."""

import httpx
from starlette.applications import Starlette

from qwen_demo.web import health_routes


async def test_readiness_ends_when_draining_begins() -> None:
    state = {"draining": False}
    app = Starlette(routes=[*health_routes(lambda: state["draining"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as watcher:
        assert [(await watcher.get(path)).status_code for path in ("/healthz", "/readyz")] == [200, 200]
        state["draining"] = True
        assert [(await watcher.get(path)).status_code for path in ("/healthz", "/readyz")] == [200, 503]
