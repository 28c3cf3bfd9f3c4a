"""The door refuses what no page of this app sends."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from qwen_demo.web.guard import Guard


@pytest.mark.parametrize(
    ("local", "host", "status"),
    [
        (True, "localhost:7860", 200),
        (True, "192.168.1.5:7860", 200),
        (True, "[::1]:7860", 200),
        (True, "laptop.local", 200),
        (True, "evil.example", 403),
        (True, "127.0.0.1.evil.example", 403),
        (False, "demo.example", 200),
    ],
)
async def test_a_local_app_answers_to_local_names_alone(local: bool, host: str, status: int) -> None:
    def well(_: Request) -> PlainTextResponse:
        return PlainTextResponse("well")

    app = Starlette(routes=[Route("/", well)], middleware=[Middleware(Guard, local=local, max_upload_mb=1)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as http:
        answer = await http.get("/", headers={"Host": host})
    assert answer.status_code == status
    if status == 200:
        assert answer.headers["x-content-type-options"] == "nosniff"
