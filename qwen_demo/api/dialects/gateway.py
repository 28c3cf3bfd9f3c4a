"""This provider's API: one flat JSON body, reference pictures inside of it."""

from ..catalog import PROVIDER
from ..requests import ImageRequest
from .dialect import Dialect, Prepared, without_none


def prepare(request: ImageRequest) -> Prepared:
    """API: "支持的参数"."""
    options = without_none(enable=request.optimize_prompt, negative_prompt=request.negative_prompt)
    body = without_none(
        prompt=request.prompt,
        model=request.model,
        image=list(request.references) or None,
        size=request.size,
        n=request.n,
        response_format=request.response_format,
        seed=request.seed,
        watermark=request.watermark,
        optimize_prompt_options=options or None,
    )
    return Prepared(path=f"images/{request.task}", json={**body, **request.row.extra})


GATEWAY = Dialect(
    name="gateway",
    prepare=prepare,
    catalog=PROVIDER,
    base_url="https://model-api.skyengine.com.cn/v1",
    hosts=(".skyengine.com.cn",),
)
