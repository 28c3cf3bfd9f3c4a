"""What programs can say to the endpoints: types with ranges, choices and meanings, and what depends on the models."""

from typing import Annotated, Any

import gradio as gr
from pydantic import Field, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from ..api import catalog
from ..api.catalog import Catalog
from ..axes import MOST

# What programs can say. Gradio sees the bare types; agents and the README have ranges, choices and meanings from here,
# and what depends on the models from `narrowed`.
Absent = SkipJsonSchema[None]  # left out, and never spelled: a schema without null is one that every agent reads
Prompt = Annotated[str, Field(min_length=1, description="what to draw or to change")]
Picture = Annotated[
    str | gr.FileData,
    WithJsonSchema({"type": "string", "description": "an https:// address, or a data: URL with the picture in base64"}),
]
Mask = (
    Annotated[
        str | gr.FileData,
        WithJsonSchema(
            {
                "type": "string",
                "description": "white (or transparent) where alone the picture may change, in its shape; every other "
                "pixel then stays as it is, at the picture's size. A data: URL with the mask in base64",
            }
        ),
    ]
    | Absent
)
Pictures = Annotated[
    list[Picture],
    Field(min_length=2, description="the pictures, which the prompt calls 图1 to 图{most} in their order"),
]
TextModel = Annotated[str, Field(description="the model that draws")]
EditModel = Annotated[str, Field(description="the model that edits")]
TextSize = Annotated[str, Field(description="in pixels; else the model's default")] | Absent
Photos = Annotated[
    list[Picture], Field(min_length=1, max_length=MOST, description="the pictures, each of which is changed by itself")
]
Wordings = Annotated[
    str,
    Field(min_length=1, description=r"what to draw; {red|blue|no} hat stands for three prompts, \{ for a brace"),
]
Models = Annotated[list[str], Field(description="each of them draws everything; else the first of these")] | Absent
Sizes = Annotated[list[str], Field(description="in pixels; else the models' default")] | Absent
Seeds = (
    Annotated[
        list[Annotated[int, Field(ge=0, le=catalog.MAX_SEED)]],
        Field(description="the same for all that is compared; else one is drawn"),
    ]
    | Absent
)
Rewritings = (
    Annotated[list[bool], Field(description="whether the provider rewrites the prompt: true, false or both")] | Absent
)
EditSize = Annotated[str, Field(description="in pixels; else the shape of the (last) picture")] | Absent
Count = Annotated[int, Field(ge=1, le=catalog.MAX_PICTURES, description="how many pictures")]
Seed = Annotated[int, Field(ge=0, le=catalog.MAX_SEED, description="the first picture's, then +1; else drawn")] | Absent
NegativePrompt = Annotated[str, Field(max_length=catalog.MAX_NEGATIVE_PROMPT, description="what should not be seen")]
OptimizePrompt = (
    Annotated[bool, Field(description="whether the provider rewrites the prompt for a better picture")] | Absent
)
Watermark = Annotated[bool, Field(description="whether the provider puts its mark on the picture")]
ResponseFormat = Annotated[
    str,
    Field(description="how results travel from the API", json_schema_extra={"enum": list(catalog.RESPONSE_FORMATS)}),
]
Steps = Annotated[int, Field(ge=1, le=catalog.MAX_STEPS, description="of the engine's work; else its own")] | Absent
Guidance = (
    Annotated[
        float, Field(ge=0, le=catalog.MAX_GUIDANCE, description="how closely it follows the prompt; else its own")
    ]
    | Absent
)
_NEEDS = {
    "negative_prompt": "negative", "optimize_prompt": "rewrites", "rewritings": "rewrites", "watermark": "watermark",
    "seed": "seeded", "seeds": "seeded", "steps": "tunable", "guidance": "tunable",
}  # fmt: skip
"""The parameters that not every model has, and what their models are called to have."""


def narrowed(schema: dict[str, Any], models: Catalog, kind: str) -> dict[str, Any]:
    """An endpoint's schema with what its models can do: parameters that none of them has are gone."""
    able = models.doing(kind)
    properties = {
        name: dict(part)
        for name, part in schema["properties"].items()
        if name not in _NEEDS or any(getattr(model, _NEEDS[name]) for model in able)
    }
    choices = {"model": [model.name for model in able]}
    if not any(model.any_size for model in able):
        choices["size"] = list(models.sizes(kind))
    for one, names in choices.items():
        for name in {one, f"{one}s"} & properties.keys():
            if not names:
                del properties[name]
            elif name == one:
                properties[name]["enum"] = names
            else:
                properties[name]["items"] = {"type": "string", "enum": names}
    if not any(model.in_tokens for model in able) and "models" not in properties:  # a prompt for several is many
        properties["prompt"]["maxLength"] = max((model.max_prompt for model in able), default=0)
    if kind == "fusion":
        most = properties["images"]["maxItems"] = models.most_references
        properties["images"]["description"] = properties["images"]["description"].format(most=most)
    return {**schema, "properties": properties}
