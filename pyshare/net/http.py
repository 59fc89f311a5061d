"""The HTTP server: an application on Hypercorn's trio worker, within limits.

In the same process as the WebSocket server but with sockets of its own. A
client that opens a WebSocket here, as a browser with our page does, is handed
on to that server: what a connection begins with tells.

Hypercorn serves one connection at a time here, with our listener before it:
its own accepts any number, ends as a whole when one connection fails, and,
since it shields its writes without a deadline, not at all while a client does
not read. What is bounded beyond that is in `_Stream` and `_Requests`.
"""

import logging
import math
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from pyshare.net.addresses import Address, Networks
from pyshare.net.beginning import begins_with, read_beginning
from pyshare.net.connection import http_answer
from pyshare.net.listener import Listener, ListenerLimits

#: What a part of a body is counted as beside its bytes: parts of one byte cost memory too.
_PART_BYTES = 64
#: What a connection begins with that is a WebSocket to a codespace.
_WEBSOCKET = b"GET /codespace/"
_LATE = http_answer(HTTPStatus.REQUEST_TIMEOUT, "The request took too long; connect again and send it at once.")
#: Requests at one time on one connection. HTTP/2 has them, and Hypercorn lets a client upgrade to it.
_STREAMS = 8


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How patient the HTTP side is, and how much it takes."""

    #: Seconds that a connection may be idle, which is also until the head of its next request has come.
    keep_alive_seconds: float = 10
    #: Seconds for an answer to be found; also those that a client may send nothing, or take nothing of an answer.
    request_seconds: int = 10
    #: Seconds for answers that are under way when the server ends.
    drain_seconds: float = 1
    #: Bytes of a request's head, of a body that is kept for the application, and of all that are kept at one time.
    head_bytes: int = 16_384
    body_bytes: int = 65_536
    bodies_bytes: int = 33_554_432
    #: Connections at one time, one more is refused with 503; those of one address, 0 for any number.
    connections: int = 2048
    connections_per_address: int = 0
    #: Proxies that may name the client in a PROXY header.
    trusted_proxies: Networks = ()


async def serve_http(
    listeners: Sequence[trio.SocketListener],
    app: ASGIApp,
    *,
    adopt: Callable[[socket.socket, Address, bytes], None] | None = None,
    limits: HttpLimits | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` on listening sockets, which it takes over and closes, until cancelled; `started` once it answers.

    `adopt` is given the socket of each client that opens a WebSocket to a
    codespace, and what was read from it; without it they are the application's.
    Cancelled, it takes no more connections, closes the idle ones, gives
    answers that are under way `drain_seconds`, and ends then whatever clients
    do. A connection that fails is logged and gone, and the others live on.
    The application's lifespan is not run.

    Raises:
        OSError: in an exception group, if a socket cannot accept any more.
    """
    server = _Server(listeners, app, adopt, limits or HttpLimits())
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

    def __init__(
        self,
        listeners: Sequence[trio.SocketListener],
        app: ASGIApp,
        adopt: Callable[[socket.socket, Address, bytes], None] | None,
        limits: HttpLimits,
    ) -> None:
        # Set once clients are answered.
        self.serving = trio.Event()
        self._limits = limits
        self._adopt = adopt
        self._app = _Requests(app, limits)
        self._config = _config(limits)
        # Hypercorn's word to all connections that they end.
        self._context = WorkerContext(None)
        self._listener = Listener(listeners, self._serve_one, limits=_listener_limits(limits))
        # All of it; shielded, so that answers can be finished. `stop` gives it a deadline.
        self._scope = trio.CancelScope(shield=True)
        self._stopping = trio.Event()
        # When nothing waits for a client any more; the writes, and the first words, that wait for one now.
        self._end = math.inf
        self._writes: set[trio.CancelScope] = set()
        self._beginnings: set[trio.CancelScope] = set()

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
        for scope in self._beginnings:
            scope.cancel()
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

    async def _serve_one(self, client: socket.socket, address: Address, received: bytes) -> None:
        trio_socket = trio.socket.from_stdlib_socket(client)
        if self._adopt is not None:
            beginning = await self._await_beginning(trio_socket, received)
            if beginning is None:
                with suppress(OSError):
                    client.send(_LATE)
                return
            received = beginning
            if received.startswith(_WEBSOCKET):
                self._adopt(socket.socket(fileno=client.detach()), address, received)
                return
        stream = _Stream(trio.SocketStream(trio_socket), received, self._write)
        # It names the type of a TLS stream, and takes any.
        server = TCPServer(partial(self._app, address), self._config, self._context, ConnectionState({}), stream)  # type: ignore[arg-type]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_idling, server, stream, name="end of input")
            await server.run()
            nursery.cancel_scope.cancel()

    async def _await_beginning(self, client: trio.socket.SocketType, received: bytes) -> bytes | None:
        """Read until it is clear whether the client opens a WebSocket to a codespace; None if that takes too long."""
        with trio.move_on_after(self._limits.keep_alive_seconds) as scope:
            self._beginnings.add(scope)
            try:
                _, received = await read_beginning(client, received, partial(begins_with, beginnings=(_WEBSOCKET,)))
            finally:
                self._beginnings.discard(scope)
        return None if scope.cancelled_caught else received


class _Stream(trio.abc.HalfCloseableStream):
    """A client's socket. A client that takes nothing for too long is gone: the socket is closed."""

    def __init__(
        self,
        stream: trio.SocketStream,
        received: bytes,
        write: Callable[[], AbstractContextManager[trio.CancelScope]],
    ) -> None:
        # Hypercorn asks it who is there.
        self.socket = stream.socket
        self._stream = stream
        # What was read of it before.
        self._received = received
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
        if self._received:
            await trio.lowlevel.checkpoint()
            before, self._received = self._received, b""
            return before
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

    def __init__(self, app: ASGIApp, limits: HttpLimits) -> None:
        self._app = app
        self._limits = limits
        # Bytes of bodies that are kept now.
        self._kept_bytes = 0

    async def __call__(
        self, address: Address, scope: Scope, receive: Receive, send: Send, sync_spawn: object, call_soon: object
    ) -> None:
        """Answer one request of a client at an address, which the application finds in its scope.

        Raises:
            TooSlowError: if that takes too long; Hypercorn logs it and answers 500.
        """
        scope["client"] = (address.host, address.port)
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
        parts, body = trio.open_memory_channel[Message | HTTPException](math.inf)
        kept = _Kept()

        async def receive_part() -> Message:
            part = await body.receive()
            if isinstance(part, HTTPException):
                raise part
            return part

        with parts, body:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._take_body, receive, parts, kept, name="body")
                    await self._app(scope, receive_part, send)
                    nursery.cancel_scope.cancel()
            finally:
                self._kept_bytes -= kept.bytes

    async def _take_body(
        self, receive: Receive, parts: trio.MemorySendChannel[Message | HTTPException], kept: "_Kept"
    ) -> None:
        """Put what comes into `parts`, as far as there is room; then why not more, once, and nothing of what comes."""
        full = False
        while True:
            part = await receive()
            if part["type"] == "http.request" and not full:
                size = len(part.get("body", b"")) + _PART_BYTES
                refusal = self._refusal(kept.bytes + size, size)
                full = refusal is not None
                if refusal is None:
                    kept.bytes += size
                    self._kept_bytes += size
                parts.send_nowait(part if refusal is None else refusal)
            elif part["type"] == "http.disconnect":
                parts.send_nowait(part)
                return

    def _refusal(self, body_bytes: int, size: int) -> HTTPException | None:
        """Return why a body cannot be kept that has grown by `size` to `body_bytes`; None if it can."""
        limits = self._limits
        if body_bytes > limits.body_bytes + _PART_BYTES:
            reason = f"a body has at most {limits.body_bytes} bytes"
            return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
        if self._kept_bytes + size > limits.bodies_bytes:
            return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "too much at once; try again", {"Retry-After": "1"})
        return None


@dataclass(slots=True)
class _Kept:
    """How much of one body is kept."""

    bytes: int = 0


def _listener_limits(limits: HttpLimits) -> ListenerLimits:
    return ListenerLimits(
        connections=limits.connections,
        connections_per_address=limits.connections_per_address,
        trusted_proxies=limits.trusted_proxies,
        beginning_seconds=limits.keep_alive_seconds,
    )


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
