"""Qwen Image Demo: a front end to the Qwen image API."""

__version__ = "0.1.0"
