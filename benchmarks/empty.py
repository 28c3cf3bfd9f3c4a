"""What the app's start and page are compared with: three tabs of Gradio with nothing in them but a button."""

import gradio as gr

with gr.Blocks(analytics_enabled=False) as demo:
    for name in ("Text to image", "Edit", "Fuse"):
        with gr.Tab(name):
            gr.Button(name)

if __name__ == "__main__":
    demo.launch(ssr_mode=False, quiet=True)
