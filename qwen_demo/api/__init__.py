"""The Qwen image API over HTTP, and nothing else: no Gradio, no files, no settings."""
