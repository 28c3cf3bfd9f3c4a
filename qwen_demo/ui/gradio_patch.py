"""What Gradio keeps of each visitor's page."""

from typing import Any

from gradio.blocks import Blocks, BlocksConfig


class SharedParts(BlocksConfig):
    """A page's parts, of which visitors' copies don't describe every one anew.

    Gradio describes all parts for each new session and each update, for deep links, which this app doesn't offer. With
    hundreds of parts that takes longer than all else that a program's call costs.
    """

    def __copy__(self) -> BlocksConfig:
        own: BlocksConfig = super().__copy__()  # type: ignore[no-untyped-call]
        own.config_for_block = _no_description  # type: ignore[method-assign, assignment]
        return own


def share_parts(demo: Blocks) -> None:
    """To be called before the page has parts."""
    demo.default_config = SharedParts(demo)


def _no_description(*_: object) -> dict[str, Any]:
    return {}
