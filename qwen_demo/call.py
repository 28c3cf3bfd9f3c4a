"""A call: one POST of an order, what it is about, and what has come of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from .api.requests import ImageRequest
from .inpaint import Region


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture: its file, its size in pixels, how it was asked for, and where it alone was to change."""

    path: Path
    width: int
    height: int
    seed: int | None
    request_id: str | None
    revised_prompt: str | None = None
    region: Region | None = None


@dataclass(frozen=True, slots=True)
class Photo:
    """One of the photos that an order is about, each by itself.

    Attributes:
        name: its file's, as the visitor calls it.
        reference: the SHA-256 of what is sent, as the visitor's library keeps it; or an https:// address.
        source: which picture of the library it is, by its id; "" for none.
        shape: its width and height in pixels; (1, 1) where they are not known.
    """

    name: str
    reference: str
    source: str = ""
    shape: tuple[int, int] = (1, 1)

    @property
    def is_address(self) -> bool:
        """Whether it is somewhere else, where the API fetches it."""
        return self.reference.startswith("https://")


class State(str, Enum):
    """How far a call is. From `SENT` on it may be billed; `ANSWERED` until all its pictures are saved."""

    WAITING = "waiting"
    SENT = "sent"
    ANSWERED = "answered"
    DONE = "done"
    FAILED = "failed"


@dataclass(eq=False)
class Call:
    """One POST of an order; its pictures are the order's `first`th (from 0) and those after it.

    Attributes:
        unbilled: how many of them surely cost nothing, as far as that is known.
        answered: when its answer came, local time; its pictures bear it.
        headers: of its answer.
        usage: what the API reported for it, and its id there.
        reason: why it failed, in English.
        began: when it was sent, by the clock that never jumps.
        seconds: from then until its pictures were here.
        region: where alone the photo may change.
        photo: the one that it is about, where the order has several.
        dropped: whether the visitor wanted no more of it before it was sent.
        charged: whether its pictures are counted, and it is not settled yet which of them stay so.
        refused: whether the API did so for what was asked.
    """

    request: ImageRequest
    first: int
    unbilled: int
    state: State = State.WAITING
    answered: datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    usage: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    reason: str = ""
    began: float = 0.0
    seconds: float | None = None
    region: Region | None = None
    photo: Photo | None = None
    dropped: bool = False
    charged: bool = False
    refused: bool = False
    task: asyncio.Task[None] | None = None

    @property
    def places(self) -> range:
        """Those of the order that its pictures take, from 0."""
        return range(self.first, self.first + self.request.n)

    @property
    def sent(self) -> ImageRequest:
        """The request as it is sent, but for a picture that is read then.

        A model that doesn't keep a picture's shape by itself is told it.
        """
        if self.photo and self.photo.is_address:
            return self.request.holding([self.photo.reference])
        row, part = self.request.row, self.region.size if self.region else None
        if part and not row.keeps_shape:
            return replace(self.request, size=row.sized("{}x{}".format(*part)) or row.at_a_megapixel(*part))
        return self.request.shaped(self.photo.shape) if self.photo else self.request
