"""The look: Gradio's plainest theme with this page's colours, fonts and corners. `style.css` does the rest."""

from pathlib import Path

import gradio as gr

from .. import i18n
from ..api.catalog import Catalog, Size

CSS = Path(__file__).parent / "style.css"

_SQUARE, _LONGEST = 26, 34  # px

# System fonts, Chinese ones among them: nothing is loaded from elsewhere.
_TEXT = ("system-ui", "-apple-system", "Segoe UI", "PingFang SC", "Noto Sans SC", "Noto Sans CJK SC", "Microsoft YaHei")
_CODE = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

_LOOK: tuple[tuple[str, str | None, str], ...] = (
    # By day, by night, and of what.
    ("#fafafa", "#0d0d10", "body_background_fill input_background_fill"),
    ("white", "#17171b", "block_background_fill panel_background_fill"),
    ("*neutral_600", "*neutral_400", "body_text_color_subdued block_label_text_color"),
    ("*neutral_600", "*neutral_400", "block_title_text_color block_info_text_color"),
    ("*neutral_200", "#2a2a31", "input_border_color border_color_primary button_secondary_border_color"),
    ("*primary_600", "*primary_400", "input_border_color_focus slider_color"),
    ("*primary_600", "*primary_500", "checkbox_background_color_selected"),
    ("*primary_600", "*primary_600", "button_primary_background_fill"),
    ("*primary_700", "*primary_700", "button_primary_background_fill_hover"),
    ("*neutral_100", "#222228", "button_secondary_background_fill_hover"),
    ("transparent", "transparent", "block_label_background_fill button_secondary_background_fill"),
    ("transparent", "transparent", "checkbox_label_background_fill checkbox_label_background_fill_hover"),
    ("transparent", "transparent", "checkbox_label_background_fill_selected"),
    # At night as Gradio has it.
    ("*primary_600", None, "border_color_accent color_accent checkbox_border_color_selected"),
    ("*neutral_500", None, "input_placeholder_color"),
    ("0px", None, "block_border_width block_label_border_width panel_border_width checkbox_label_border_width"),
    ("1px", None, "button_border_width"),
    ("12px", None, "button_large_radius"),
    ("13px", None, "block_title_text_size"),
)


def make_theme() -> gr.themes.Base:
    """One accent, violet, on paper: near-white by day, near-black by night, hairlines in place of shadows."""
    days = {name: day for day, _, names in _LOOK for name in names.split()}
    nights = {f"{name}_dark": night for _, night, names in _LOOK if night for name in names.split()}
    return gr.themes.Base(
        primary_hue=gr.themes.colors.violet,
        neutral_hue=gr.themes.colors.zinc,
        font=[*_TEXT, "sans-serif"],
        font_mono=list(_CODE),
        radius_size=gr.themes.sizes.radius_lg,
    ).set(**days, **nights)


def drawn(catalog: Catalog) -> str:
    """The style sheet's rules for what is data: each size in its shape, and the button of the page's language."""
    sizes = {size.name: size for model in catalog.models for size in model.sizes}
    return "\n".join([*map(_shape, sizes.values()), *map(_chosen, i18n.LANGUAGES)])


def _shape(size: Size) -> str:
    # All of one area, so that none looks smaller than another, unless that makes it too long for its place.
    scale = min(_SQUARE / (size.width * size.height) ** 0.5, _LONGEST / max(size.width, size.height))
    width, height = round(size.width * scale), round(size.height * scale)
    return f'.shapes label:has([value="{size.name}"])::before {{ width: {width}px; height: {height}px; }}'


def _chosen(language: str) -> str:
    style = "border-color: var(--border-color-primary); background: var(--block-background-fill)"
    return f':root[lang="{language}"] #top #language-{language} {{ {style}; color: inherit; font-weight: 600; }}'
