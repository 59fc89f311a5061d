"""The HTTP side: whether this server lives, and whether clients should come to it.

Starlette on Hypercorn's trio worker, in the same process as the WebSocket
server but with sockets of its own. What the application answers is JSON,
errors included.

Hypercorn serves one connection at a time here, with our listener before it:
its own accepts any number, ends as a whole when one connection fails, and,
since it shields its writes without a deadline, not at all while a client does
not read. What is bounded beyond that is in `_Stream` and `_Requests`.
"""

import logging
import math
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus

import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override

from pyshare.net.listener import Listener, ListenerLimits

#: What a part of a body is counted as beside its bytes: parts of one byte cost memory too.
_PART_BYTES = 64
#: Requests at one time on one connection. HTTP/2 has them, and Hypercorn lets a client upgrade to it.
_STREAMS = 8


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How patient the HTTP side is, and how much it takes."""

    #: Seconds in which it must be known whether clients should come; then they should not.
    ready_seconds: float = 2
    #: Seconds that a connection may be idle, which is also until the head of its next request has come.
    keep_alive_seconds: float = 10
    #: Seconds for an answer to be found; also those that a client may send nothing, or take nothing of an answer.
    request_seconds: int = 10
    #: Seconds for answers that are under way when the server ends.
    drain_seconds: float = 1
    #: Bytes of a request's head, and of a body that is kept for the application.
    head_bytes: int = 16_384
    body_bytes: int = 65_536
    #: Connections at one time; one more is refused with 503.
    connections: int = 256


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

    app = Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz)],
        exception_handlers={HTTPException: _on_refused, Exception: _on_failed},
    )
    # What is not there is not there: no redirect to what it might have meant.
    app.router.redirect_slashes = False
    return app


async def serve_http(
    listeners: Sequence[trio.SocketListener],
    app: Starlette,
    *,
    limits: HttpLimits | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` on listening sockets, which it takes over and closes, until cancelled; `started` once it answers.

    Cancelled, it takes no more connections, closes the idle ones, gives
    answers that are under way `drain_seconds`, and ends then whatever clients
    do. A connection that fails is logged and gone, and the others live on.
    The application's lifespan is not run.

    Raises:
        OSError: in an exception group, if a socket cannot accept any more.
    """
    server = _Server(listeners, app, limits or HttpLimits())
    async with trio.open_nursery() as nursery:
        # Not by `nursery.start`: cancelled meanwhile, that would wait for the server, which waits to be stopped.
        nursery.start_soon(server.run, name="HTTP server")
        try:
            await server.serving.wait()
            task_status.started()
            await trio.sleep_forever()
        finally:
            server.stop()


class _Server:
    """Listening sockets, and Hypercorn on each connection that comes through them."""

    def __init__(self, listeners: Sequence[trio.SocketListener], app: Starlette, limits: HttpLimits) -> None:
        # Set once clients are answered.
        self.serving = trio.Event()
        self._limits = limits
        self._app = _Requests(app, limits)
        self._config = _config(limits)
        # Hypercorn's word to all connections that they end.
        self._context = WorkerContext(None)
        self._listener = Listener(listeners, self._serve_one, limits=ListenerLimits(connections=limits.connections))
        # All of it; shielded, so that answers can be finished. `stop` gives it a deadline.
        self._scope = trio.CancelScope(shield=True)
        self._stopping = trio.Event()
        # When nothing waits for a client any more, and the writes that wait for one now.
        self._end = math.inf
        self._writes: set[trio.CancelScope] = set()

    async def run(self) -> None:
        """Serve until stopped, and then as long as `stop` allows."""
        with self._scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._listener.run, name="HTTP connections")
                self.serving.set()
                await self._stopping.wait()
                await self._context.terminated.set()

    def stop(self) -> None:
        """Have `run` return within `drain_seconds`."""
        self._end = trio.current_time() + self._limits.drain_seconds
        for scope in (self._scope, *self._writes):
            scope.deadline = min(scope.deadline, self._end)
        self._listener.stop_accepting()
        self._stopping.set()

    @contextmanager
    def _write(self) -> Iterator[trio.CancelScope]:
        """Limit a write, which Hypercorn shields from every other scope."""
        deadline = min(trio.current_time() + self._limits.request_seconds, self._end)
        with trio.CancelScope(deadline=deadline) as scope:
            self._writes.add(scope)
            try:
                yield scope
            finally:
                self._writes.discard(scope)

    async def _serve_one(self, client: socket.socket, _: str) -> None:
        stream = _Stream(trio.SocketStream(trio.socket.from_stdlib_socket(client)), self._write)
        # It names the type of a TLS stream, and takes any.
        server = TCPServer(self._app, self._config, self._context, ConnectionState({}), stream)  # type: ignore[arg-type]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_idling, server, stream, name="end of input")
            await server.run()
            nursery.cancel_scope.cancel()


class _Stream(trio.abc.HalfCloseableStream):
    """A client's socket. A client that takes nothing for too long is gone: the socket is closed."""

    def __init__(
        self, stream: trio.SocketStream, write: Callable[[], AbstractContextManager[trio.CancelScope]]
    ) -> None:
        # Hypercorn asks it who is there.
        self.socket = stream.socket
        self._stream = stream
        self._write = write
        # Set once nothing more can be read.
        self.ended = trio.Event()
        # Held while something is sent: when a client goes, Hypercorn ends the stream in the middle of an answer.
        self._sending = trio.Lock()

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with self._write() as scope:
            async with self._sending:
                await self._stream.send_all(data)
        if scope.cancelled_caught:
            # Whoever reads or writes it now or later finds it closed.
            self.socket.close()
            raise trio.BrokenResourceError("the client does not take its answer")

    @override
    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data: bytes | bytearray = b""
        try:
            data = await self._stream.receive_some(max_bytes)
        finally:
            if not data:
                self.ended.set()
        return data

    @override
    async def send_eof(self) -> None:
        async with self._sending:
            await self._stream.send_eof()

    @override
    async def aclose(self) -> None:
        await self._stream.aclose()


async def _stop_idling(server: TCPServer, stream: _Stream) -> None:
    """Let a connection end with its client, which Hypercorn keeps for as long as it might have been idle."""
    await stream.ended.wait()
    await server.idle_task.stop()


class _Requests:
    """The application as Hypercorn calls it, with limits on each request."""

    def __init__(self, app: Starlette, limits: HttpLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send, sync_spawn: object, call_soon: object) -> None:
        """Answer one request.

        Raises:
            TooSlowError: if that takes too long; Hypercorn logs it and answers 500.
        """
        with trio.fail_after(self._limits.request_seconds):
            if scope["type"] == "http":
                await self._answer(scope, receive, send)
            else:
                # A WebSocket, which is refused.
                await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and take the body meanwhile.

        Hypercorn has a queue for it, and once that is full and nobody takes
        from it the connection stands still for good, even when the client ends.
        """
        # As long as `body_bytes` allows.
        parts, body = trio.open_memory_channel[Message | None](math.inf)

        async def receive_part() -> Message:
            part = await body.receive()
            if part is None:
                raise HTTPException(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {self._limits.body_bytes} bytes"
                )
            return part

        with parts, body:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_take_body, receive, parts, self._limits.body_bytes, name="body")
                await self._app(scope, receive_part, send)
                nursery.cancel_scope.cancel()


async def _take_body(receive: Receive, parts: trio.MemorySendChannel[Message | None], left_bytes: int) -> None:
    """Put what comes into `parts`, up to a number of bytes; then None, once, and nothing of what else comes."""
    while True:
        part = await receive()
        if part["type"] == "http.request" and left_bytes >= 0:
            left_bytes -= len(part.get("body", b"")) + _PART_BYTES
            parts.send_nowait(part if left_bytes >= 0 else None)
        elif part["type"] == "http.disconnect":
            parts.send_nowait(part)
            return


def _config(limits: HttpLimits) -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.keep_alive_timeout = limits.keep_alive_seconds
    config.read_timeout = limits.request_seconds
    config.h11_max_incomplete_size = limits.head_bytes
    config.h2_max_header_list_size = limits.head_bytes
    config.h2_max_concurrent_streams = _STREAMS
    return config


def _json(status: HTTPStatus, body: dict[str, str], headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body, status, {"Cache-Control": "no-store", **(headers or {})})


# Starlette would run these in threads if they were no async functions.
async def _on_refused(request: Request, error: Exception) -> JSONResponse:  # noqa: ASYNC124
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    reasons = {
        HTTPStatus.NOT_FOUND: "there is nothing here; see /healthz and /readyz",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not allowed here",
    }
    body = {"error": status.phrase.lower().replace(" ", "_"), "reason": reasons.get(status, error.detail)}
    return _json(status, body, dict(error.headers or {}))


async def _on_failed(request: Request, error: Exception) -> JSONResponse:  # noqa: ASYNC124
    # Starlette raises it again behind this, and Hypercorn logs it.
    return _json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "internal_server_error", "reason": "the server failed"})
