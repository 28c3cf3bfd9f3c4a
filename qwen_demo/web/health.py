"""Whether the app is well, for whoever watches over it."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


def health_routes(not_ready: Callable[[], str]) -> list[Route]:
    """`/healthz` says 200 while the app lives, `/readyz` says 503 and why while it takes no new orders.

    Args:
        not_ready: the reason, or "". Called in a thread.
    """

    def readyz(_: Request) -> PlainTextResponse:
        reason = not_ready()
        return PlainTextResponse(reason or "ok", 503 if reason else 200)

    return [Route("/healthz", lambda _: PlainTextResponse("ok")), Route("/readyz", readyz)]
