"""The offline backend: the provider's image API as an ASGI app that draws by itself. The default without a key."""

from .app import create_app as create_app
