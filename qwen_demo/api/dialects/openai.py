"""OpenAI's images API, as people's own engines and proxies speak it: vLLM-Omni, SGLang, LiteLLM and many more.

Pictures from words are asked for in JSON, edits as a form with files. What each engine takes besides stands in the rows
of its models, which `served` makes of what the engine tells.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..catalog import MEGAPIXEL_SIZES, MOST_REFERENCES, AnySize, Model, Size, Task
from ..requests import ImageRequest
from .dialect import Dialect, Prepared, Served, without_none

# Seen: SGLang 0.5.23 closes the connection after a 500, and what is sent on it at once is lost.
_HEADERS = {"Connection": "close"}


def prepare(request: ImageRequest) -> Prepared:
    """JSON, or a form with the pictures as files; where one is an address, all are texts (seen: vLLM-Omni, SGLang)."""
    fields = without_none(
        prompt=request.prompt,
        model=request.model,
        size=request.size,
        n=request.n,
        response_format=request.response_format if request.row.formats else None,
        seed=request.seed,
        negative_prompt=request.negative_prompt,
        num_inference_steps=request.steps,
        true_cfg_scale=request.guidance,
    )
    fields |= request.row.extra
    path, references = f"images/{request.task}", request.references
    if not references:
        return Prepared(path=path, json=fields, headers=_HEADERS)
    form: tuple[tuple[str, str | int | float], ...] = tuple((name, _in_form(value)) for name, value in fields.items())
    several = "[]" * (len(references) > 1)
    if any(reference.startswith("https://") for reference in references):
        texts = tuple((f"url{several}", reference) for reference in references)
        return Prepared(path=path, form=form + texts, headers=_HEADERS)
    files = tuple((f"image{several}", reference) for reference in references)
    return Prepared(path=path, form=form, files=files, headers=_HEADERS)


def _in_form(value: object) -> str | int | float:
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return value if plain else json.dumps(value)  # type: ignore[return-value]  # mypy doesn't follow `plain`


# An engine of one's own: sizes as one likes, steps and guidance, a seed (without one, SGLang takes 42 each time).
# Its results come inside the answer: vLLM-Omni knows nothing else, and SGLang's addresses are relative.
_OWN = Model(
    "", ("generations",), max_n=10, sizes=MEGAPIXEL_SIZES, any_size=AnySize(), rewrites=False, watermark=False,
    tunable=True, formats=("b64_json",), max_prompt=1000, in_tokens=True,
    extra={"output_format": "png"},  # SGLang makes a JPEG otherwise
)  # fmt: skip
# A proxy, or OpenAI itself: how results travel is for it to say, else it refuses the request.
_PROXIED = replace(_OWN, formats=(), references=4, addresses=False, tunable=False, extra={})
_OPENAIS = replace(
    _PROXIED, sizes=(Size(1536, 1024, "3:2"), Size(1024, 1024, "1:1"), Size(1024, 1536, "2:3")), any_size=None,
    references=MOST_REFERENCES, negative=False, seeded=False, max_prompt=8000,
)  # fmt: skip
_TASKS: dict[str, tuple[Task, ...]] = {
    "T2I": ("generations",),
    "I2I": ("edits",),
    "TI2I": ("generations", "edits"),
}
_OWN_ENGINES = {"vllm": "vLLM-Omni", "sglang": "SGLang", "offline": "offline"}
"""Engines that people run themselves, as they name themselves in `owned_by`."""


_DRAWING = r"image|flux|diffusion|dall-e|sdxl|sd3|edit|z-turbo"
"""What models that make pictures have in their names."""


def served(models: object) -> Served | None:
    """What an engine tells in its answer to `GET /models`; of many models, those that make pictures."""
    data = models.get("data") if isinstance(models, Mapping) else None
    named = [entry for entry in data if _is_named(entry)] if isinstance(data, list) else []
    if not named:
        return None
    drawing = [entry for entry in named if re.search(_DRAWING, entry["id"].rpartition("/")[2], re.IGNORECASE)]
    owner = str(named[0].get("owned_by"))
    own = owner in _OWN_ENGINES
    return Served(
        models=tuple(_row(entry) for entry in sorted(drawing or named, key=_draws)),
        row=_OWN if own else _PROXIED,
        title=_OWN_ENGINES.get(owner, ""),
        own=own,
    )


def _draws(entry: Mapping[str, Any]) -> bool:
    """Those that are made for edits come first: they are the better ones for edits, and do nothing else."""
    return "edit" not in entry["id"].lower()


def _is_named(entry: object) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get("id"), str)


def _row(entry: Mapping[str, Any]) -> Model:
    name = str(entry["id"])
    lower = name.rpartition("/")[2].lower()
    if str(entry.get("owned_by")) not in _OWN_ENGINES:
        if re.search("qwen|z-image|z-turbo|flux", lower):
            return replace(_PROXIED, name=name, tasks=_tasks(lower, usual=_TASKS["T2I"]))
        return replace(_OPENAIS, name=name, tasks=_tasks(lower, usual=_TASKS["TI2I"]))
    tasks = _TASKS.get(str(entry.get("task_type"))) or _tasks(lower, usual=_TASKS["T2I"])
    takes_one = "edit" in lower and not re.search(r"edit.*(plus|\d{4})", lower)  # later ones take several
    # Seen: SGLang with Qwen-Image-2.1 rounds to 32, and without a size an edit has 1024x1024.
    multiple = 32 if re.search(r"-[2-9]\.\d", lower) else 16
    sizes: dict[str, Any] = {"any_size": AnySize(multiple), "keeps_shape": multiple == 16}
    return replace(_OWN, name=name, tasks=tasks, references=1 if takes_one else 4, **sizes)


def _tasks(name: str, *, usual: tuple[Task, ...]) -> tuple[Task, ...]:
    """What a model does, by its name: edits, both, or what is usual there."""
    if "edit" in name:
        return _TASKS["I2I"]
    return _TASKS["TI2I"] if re.search(r"qwen-image-[2-9]", name) else usual


OPENAI = Dialect(
    name="openai",
    prepare=prepare,
    row=_PROXIED,
    hosts=("api.openai.com",),
    base_url="https://api.openai.com/v1",
    served=served,
)
