"""The offline backend: the image APIs as an ASGI app that draws by itself. The default without a key."""

from .app import create_app as create_app
