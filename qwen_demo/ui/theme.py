"""The look: Gradio's plainest theme with this page's colours, fonts and corners. `style.css` does the rest."""

from pathlib import Path

import gradio as gr

CSS = Path(__file__).parent / "style.css"

# System fonts, Chinese ones among them: nothing is loaded from elsewhere.
_TEXT = ("system-ui", "-apple-system", "Segoe UI", "PingFang SC", "Noto Sans SC", "Noto Sans CJK SC", "Microsoft YaHei")
_CODE = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def make_theme() -> gr.themes.Base:
    """One accent, violet, on paper: near-white by day, near-black by night, hairlines in place of shadows."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.violet,
        neutral_hue=gr.themes.colors.zinc,
        font=[*_TEXT, "sans-serif"],
        font_mono=list(_CODE),
        radius_size=gr.themes.sizes.radius_lg,
        spacing_size=gr.themes.sizes.spacing_md,
        text_size=gr.themes.sizes.text_md,
    ).set(
        body_background_fill="#fafafa",
        body_background_fill_dark="#0d0d10",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_background_fill="white",
        block_background_fill_dark="#17171b",
        block_border_width="0px",
        block_shadow="none",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_400",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_400",
        block_title_text_size="13px",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        input_background_fill="#fafafa",
        input_background_fill_dark="#0d0d10",
        input_border_color="*neutral_200",
        input_border_color_dark="#2a2a31",
        input_border_color_focus="*primary_600",
        input_border_color_focus_dark="*primary_400",
        input_placeholder_color="*neutral_500",
        border_color_primary="*neutral_200",
        border_color_primary_dark="#2a2a31",
        border_color_accent="*primary_600",
        color_accent="*primary_600",
        panel_background_fill="white",
        panel_background_fill_dark="#17171b",
        panel_border_width="0px",
        checkbox_background_color_selected="*primary_600",
        checkbox_background_color_selected_dark="*primary_500",
        checkbox_border_color_selected="*primary_600",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
        checkbox_label_background_fill_hover="transparent",
        checkbox_label_background_fill_hover_dark="transparent",
        checkbox_label_background_fill_selected="transparent",
        checkbox_label_background_fill_selected_dark="transparent",
        checkbox_label_border_width="0px",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_hover_dark="*primary_700",
        button_secondary_background_fill="transparent",
        button_secondary_background_fill_dark="transparent",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_hover_dark="#222228",
        button_secondary_border_color="*neutral_200",
        button_secondary_border_color_dark="#2a2a31",
        button_border_width="1px",
        button_large_radius="12px",
    )
