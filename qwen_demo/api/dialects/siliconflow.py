"""SiliconFlow's API: one endpoint for all, JSON, the pictures as `image`, `image2`, `image3` (its documentation)."""

from dataclasses import replace

from ..catalog import SIZES, Catalog, Model, Size
from ..requests import ImageRequest
from .dialect import Dialect, Prepared, without_none

_ROW = Model(
    "", ("generations",), rewrites=False, watermark=False, tunable=True, formats=("url",),
    sizes=(*SIZES, Size(1584, 1056, "3:2"), Size(1056, 1584, "2:3")),
)  # fmt: skip


def prepare(request: ImageRequest) -> Prepared:
    """Its own names for the same things; it gives one picture a request, and says nothing of how many."""
    names = ("image", "image2", "image3")
    body = without_none(
        model=request.model,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        image_size=request.size,
        seed=request.seed,
        num_inference_steps=request.steps,
        cfg=request.guidance,
        **dict(zip(names, request.references, strict=False)),
    )
    return Prepared(path="images/generations", json={**body, **request.row.extra})


SILICONFLOW = Dialect(
    name="siliconflow",
    prepare=prepare,
    catalog=Catalog((
        replace(_ROW, name="Qwen/Qwen-Image"),
        replace(_ROW, name="Qwen/Qwen-Image-Edit-2509", tasks=("edits",), sizes=()),
        replace(_ROW, name="Qwen/Qwen-Image-Edit", tasks=("edits",), sizes=(), references=1),
    )),
    row=_ROW,
    base_url="https://api.siliconflow.cn/v1",
    hosts=(".siliconflow.cn", ".siliconflow.com"),
    package="",
    offline=False,
    picture=('{body}["images"]', '["url"]'),
)  # fmt: skip
