"""Whether the app is well, for whoever watches over it."""

from collections.abc import Callable

from starlette.responses import PlainTextResponse
from starlette.routing import Route


def health_routes(draining: Callable[[], bool]) -> list[Route]:
    """`/healthz` says 200 while the app lives, `/readyz` says 503 while it takes no new orders."""

    return [
        Route("/healthz", lambda _: PlainTextResponse("ok")),
        Route("/readyz", lambda _: PlainTextResponse("draining", 503) if draining() else PlainTextResponse("ok")),
    ]
