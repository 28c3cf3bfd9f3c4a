"""Whoever watches over the app learns whether it is well."""

import httpx
import pytest
from starlette.applications import Starlette

from qwen_demo.web import health_routes


@pytest.mark.parametrize("reason", ["draining", "disk full"])
async def test_readiness_ends_with_a_reason_and_life_goes_on(reason: str) -> None:
    reasons = [""]
    app = Starlette(routes=[*health_routes(lambda: reasons[-1])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as watcher:

        async def told(path: str) -> tuple[int, str]:
            answer = await watcher.get(path)
            return answer.status_code, answer.text

        assert (await told("/healthz"), await told("/readyz")) == ((200, "ok"), (200, "ok"))
        reasons.append(reason)
        assert (await told("/healthz"), await told("/readyz")) == ((200, "ok"), (503, reason))
