"""The HTTP side: whether this server lives, and whether clients should come to it.

Starlette on Hypercorn's trio worker, in the same process as the WebSocket
server but with sockets of its own. What it answers is JSON, errors included.
"""

import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import trio
from hypercorn.config import Config
from hypercorn.trio import serve as hypercorn_serve
from hypercorn.typing import ASGIFramework
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How patient the HTTP side is, and how much it takes."""

    #: Seconds in which it must be known whether clients should come; then they should not.
    ready_seconds: float = 2
    #: Seconds that a connection may be idle, and in which a request must be there and be answered.
    keep_alive_seconds: float = 15
    request_seconds: int = 10
    #: Seconds for answers that are under way when the server ends.
    drain_seconds: float = 1
    #: Bytes of a request's head.
    head_bytes: int = 16_384


def build_app(why_not_ready: Callable[[], Awaitable[str | None]], *, limits: HttpLimits | None = None) -> Starlette:
    """Return the application: what is answered under which path.

    `why_not_ready` says why clients should not come to this server; None if they should.
    """
    ready_seconds = (limits or HttpLimits()).ready_seconds

    async def healthz(request: Request) -> JSONResponse:  # noqa: ASYNC124 - Starlette has threads for others
        return _json(HTTPStatus.OK, {"status": "ok"})

    async def readyz(request: Request) -> JSONResponse:
        reason: str | None = "it takes too long to find out"
        with trio.move_on_after(ready_seconds):
            reason = await why_not_ready()
        if reason is None:
            return _json(HTTPStatus.OK, {"status": "ready"})
        return _json(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "unready", "reason": reason}, {"Retry-After": "1"})

    return Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz)],
        exception_handlers={HTTPException: _on_refused, Exception: _on_failed},
    )


async def serve_http(
    listeners: Sequence[trio.SocketListener],
    app: Starlette,
    *,
    limits: HttpLimits | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` on listening sockets, which it takes over and closes, until cancelled; `started` once it answers."""
    limits = limits or HttpLimits()
    config = Config()
    # Hypercorn takes the files over.
    config.bind = [f"fd://{socket.socket(fileno=each.socket.detach()).detach()}" for each in listeners]
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.keep_alive_timeout = limits.keep_alive_seconds
    config.read_timeout = limits.request_seconds
    config.graceful_timeout = limits.drain_seconds
    config.shutdown_timeout = limits.drain_seconds
    config.h11_max_incomplete_size = limits.head_bytes
    config.alpn_protocols = ["http/1.1"]
    ended = trio.Event()

    async def serve(*, task_status: trio.TaskStatus[list[str]]) -> None:  # noqa: ASYNC128 - Hypercorn does
        # Shielded: told by the event, it lets what it answers be finished, within its own time limits.
        with trio.CancelScope(shield=True):
            await hypercorn_serve(
                _as_asgi(app), config, shutdown_trigger=ended.wait, task_status=task_status, mode="asgi"
            )

    async with trio.open_nursery() as nursery:
        await nursery.start(serve, name="Hypercorn")
        task_status.started()
        try:
            await trio.sleep_forever()
        finally:
            ended.set()


def _as_asgi(app: Starlette) -> ASGIFramework:
    # The same protocol, which the two have typed in words of their own.
    return app  # type: ignore[return-value]


def _json(status: HTTPStatus, body: dict[str, str], headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body, status, {"Cache-Control": "no-store", **(headers or {})})


def _on_refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    reasons = {
        HTTPStatus.NOT_FOUND: "there is nothing here; see /healthz and /readyz",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not allowed here",
    }
    body = {"error": status.phrase.lower().replace(" ", "_"), "reason": reasons.get(status, error.detail)}
    return _json(status, body, dict(error.headers or {}))


def _on_failed(request: Request, error: Exception) -> JSONResponse:
    # Starlette raises it again behind this, and Hypercorn logs it.
    return _json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "internal_server_error", "reason": "the server failed"})
