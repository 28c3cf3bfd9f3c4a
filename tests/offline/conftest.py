"""A client of the offline backend in the same process, and ways to send and to open pictures."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from qwen_demo.offline import create_app


@pytest.fixture
def app() -> Any:
    return create_app(seconds=0)


@pytest.fixture
async def client(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    headers = {"Authorization": "Bearer any-key"}
    async with httpx.AsyncClient(transport=transport, base_url="http://offline", headers=headers) as client:
        yield client


@pytest.fixture
def data_url() -> Callable[..., str]:
    """An image as the API takes it."""

    def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> str:
        buffer = BytesIO()
        image.save(buffer, kind, **options)
        return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"

    return encode


@pytest.fixture
def generate(client: httpx.AsyncClient) -> Callable[..., Awaitable[list[bytes]]]:
    """The PNGs that a body to /images/generations brings."""
    return _asker(client, "/v1/images/generations")


@pytest.fixture
def edit(client: httpx.AsyncClient) -> Callable[..., Awaitable[list[bytes]]]:
    """The PNGs that a body to /images/edits brings."""
    return _asker(client, "/v1/images/edits")


def _asker(client: httpx.AsyncClient, path: str) -> Callable[..., Awaitable[list[bytes]]]:
    async def ask(prompt: str, **fields: Any) -> list[bytes]:
        body = {"prompt": prompt, "response_format": "b64_json", **fields}
        response = await client.post(path, json=body)
        assert response.status_code == 200, response.text
        return [base64.b64decode(datum["b64_json"]) for datum in response.json()["data"]]

    return ask
