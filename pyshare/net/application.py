"""The paths of HTTP, and the part that answers each of them."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from http import HTTPStatus

import trio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from pyshare.net.answers import ON_ERRORS, answer, refusal
from pyshare.net.plain import NO_UPGRADE

#: Seconds in which it must be known whether clients should come; then they should not.
_READY_SECONDS = 2.0


def build_app(
    why_not_ready: Callable[[], Awaitable[str | None]],
    routes: Sequence[BaseRoute] = (),
    *,
    allowed_origins: Collection[str] = (),
    ready_seconds: float = _READY_SECONDS,
) -> Starlette:
    """Return the application: whether this server lives, whether clients should come to it, and `routes`.

    `why_not_ready` says why clients should not come to this server; None if they should.
    Pages of `allowed_origins` may read answers, and send requests as the own page does.
    """

    async def healthz(request: Request) -> JSONResponse:  # noqa: ASYNC124 - Starlette has threads for others
        return answer(HTTPStatus.OK, {"status": "ok"})

    async def readyz(request: Request) -> JSONResponse:
        reason: str | None = "it takes too long to find out"
        with trio.move_on_after(ready_seconds):
            reason = await why_not_ready()
        if reason is None:
            return answer(HTTPStatus.OK, {"status": "ready"})
        return answer(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "unready", "reason": reason}, {"Retry-After": "1"})

    async def codespace(request: Request) -> JSONResponse:  # noqa: ASYNC124 - as above
        # What reaches this asks for no WebSocket, or with a method that cannot open one.
        return refusal(HTTPStatus.UPGRADE_REQUIRED, NO_UPGRADE, {"Upgrade": "websocket", "Connection": "Upgrade"})

    origins = Middleware(
        CORSMiddleware,
        allow_origins=tuple(allowed_origins),
        allow_methods=("GET", "PATCH", "POST"),
        allow_headers=("Content-Type", "If-Match", "If-None-Match"),
        expose_headers=("ETag", "Retry-After"),
    )
    app = Starlette(
        middleware=[origins] if allowed_origins else [],
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/codespace/{token:path}", codespace, methods=["GET"]),
            *routes,
        ],
        exception_handlers=dict(ON_ERRORS),
    )
    # What is not there is not there: no redirect to what it might have meant.
    app.router.redirect_slashes = False
    return app
