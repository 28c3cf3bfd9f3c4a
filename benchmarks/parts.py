"""What Gradio takes for a page of as many parts as the app's, with nothing bound to them and none of its style."""

from app import demo

demo.default_config.fns = {}

if __name__ == "__main__":
    demo.launch(ssr_mode=False, quiet=True)
