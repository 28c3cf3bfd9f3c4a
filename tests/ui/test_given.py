"""What a form's controls hold, read in a request's terms."""

from typing import Any
from unittest.mock import Mock

import pytest

from qwen_demo.api.catalog import PROVIDER
from qwen_demo.api.errors import InvalidRequest
from qwen_demo.axes import Axes, expand, wordings
from qwen_demo.ui import given as module
from qwen_demo.ui.given import Given


def test_a_prompt_is_taken_apart_once_however_often_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is done where everybody waits, and may be long."""
    taken_apart = Mock(wraps=wordings)
    monkeypatch.setattr(module, "wordings", taken_apart)
    given = Given({"prompt": "{red|no} hat", "n": 1, "size": "1328x1328"}, PROVIDER.models[0], 0)
    assert (given.wordings, given.fields["prompt"]) == (("red hat", "no hat"), "red hat")
    assert given.axes == Axes(prompt=("red hat", "no hat"))
    assert taken_apart.call_count == 1


def test_what_is_no_size_is_found_by_the_request_and_by_no_fault() -> None:
    size: Any = {"x": 1}
    odd = {"prompt": "a hat", "n": 1, "size": size, "also_sizes": ["928x1664", "928x1664"]}
    given = Given(odd, PROVIDER.models[0], 0)
    assert given.axes == Axes(size=(size, "928x1664"))
    with pytest.raises(InvalidRequest):
        expand("text_to_image", [], 1, given.axes, {"prompt": "a hat"})
