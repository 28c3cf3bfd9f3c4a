"""The maker's own API, Model Studio: every model and region (maker)."""

import re

from ..catalog import MAKER, MAKER_SIZES, Model
from ..requests import ImageRequest
from .dialect import Dialect, Prepared, without_none


def prepare(request: ImageRequest) -> Prepared:
    """A message whose parts are the pictures in their order, then the prompt; all else are parameters."""
    content = [*({"image": reference} for reference in request.references), {"text": request.prompt}]
    parameters = without_none(
        size=request.size.replace("x", "*") if request.size else None,
        n=request.n,
        seed=request.seed,
        negative_prompt=request.negative_prompt,
        prompt_extend=request.optimize_prompt,
        watermark=request.watermark,
    )
    return Prepared(
        path="services/aigc/multimodal-generation/generation",
        json={
            "model": request.model,
            "input": {"messages": [{"role": "user", "content": content}]},
            "parameters": {**parameters, **request.row.extra},
        },
    )


def at(url: str) -> str:
    """Its base URL: people write the host alone, or the address of its OpenAI-like door."""
    return re.sub(r"(/api/v1|/compatible-mode/v1|/api|/v1)?$", "", url.rstrip("/")) + "/api/v1"


DASHSCOPE = Dialect(
    name="dashscope",
    prepare=prepare,
    catalog=MAKER,
    row=Model("", ("generations",), sizes=MAKER_SIZES, formats=("url",)),
    base_url="https://dashscope.aliyuncs.com/api/v1",
    hosts=("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com", ".maas.aliyuncs.com"),
    regional=True,
    package="dashscope",
    picture=(
        '[part for choice in {body}["output"]["choices"] for part in choice["message"]["content"] if "image" in part]',
        '["image"]',
    ),
    task_path="tasks/{task}",
    at=at,
)
