"""The HTTP server: an application on Hypercorn's trio worker, within limits.

In the same process as the WebSocket server but with sockets of its own. A
client that opens a WebSocket here, as a browser with our page does, is handed
on to that server: what a connection begins with tells.

Hypercorn serves one connection at a time here, with our listener before it:
its own accepts any number, ends as a whole when one connection fails, and,
since it shields its writes without a deadline, not at all while a client does
not read. What is bounded beyond that is in `_Stream` and `Requests`. Health is
answered even where the listener is full (`Reserve`).
"""

import logging
import math
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import cast

import h11
import trio
from hypercorn.config import Config
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from starlette.types import ASGIApp
from typing_extensions import override

from pyshare.net.addresses import Address
from pyshare.net.beginning import begins_with, read_beginning
from pyshare.net.listener import Listener, ListenerLimits
from pyshare.net.plain import http_answer
from pyshare.net.requests import RequestLimits, Requests
from pyshare.net.reserve import Reserve

#: What a connection begins with that is a WebSocket to a codespace, and one that speaks HTTP/2.
_WEBSOCKET = b"GET /codespace/"
_HTTP_2 = b"PRI * HTTP/2.0"
#: What is answered even when there is no room.
_HEALTH = (b"GET /healthz ", b"GET /readyz ")
#: Bytes of an answer that are sent at a time, and bytes that the kernel takes ahead of what the network has taken: a
#: client that takes as many within the time for an answer is not too slow, however long the answer is.
_PART_BYTES = 32_768
#: Seconds for the end of a connection.
_CLOSE_SECONDS = 1
_LATE = http_answer(HTTPStatus.REQUEST_TIMEOUT, "The request took too long; connect again and send it at once.")
_NO_HTTP_2 = http_answer(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP/2 is not spoken here; use HTTP/1.1.")


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How patient the HTTP side is, and how much it takes."""

    #: Seconds that a connection may be idle, which is also until the head of its next request has come.
    keep_alive_seconds: float = 10
    #: Seconds for answers that are under way when the server ends.
    drain_seconds: float = 1
    #: Bytes of a request's head.
    head_bytes: int = 16_384
    #: How many connections there are; and how much of a request is taken, in which time.
    listener: ListenerLimits = field(default_factory=lambda: ListenerLimits(connections=2048))
    request: RequestLimits = field(default_factory=RequestLimits)


async def serve_http(
    listeners: Sequence[trio.SocketListener],
    app: ASGIApp,
    *,
    adopt: Callable[[socket.socket, Address, bytes], None] | None = None,
    limits: HttpLimits | None = None,
    answers: Counter[int] | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve `app` on listening sockets, which it takes over and closes, until cancelled; `started` once it answers.

    `adopt` is given the socket of each client that opens a WebSocket to a
    codespace, and what was read from it; without it they are the application's.
    Cancelled, it takes no more connections, closes the idle ones, gives
    answers that are under way `drain_seconds`, and ends then whatever clients
    do. A connection that fails is logged and gone, and the others live on.
    The application's lifespan is not run. `answers` counts answers by status,
    those to clients for whom there is no room with them.

    Raises:
        OSError: in an exception group, if a socket cannot accept any more.
    """
    server = _Server(listeners, app, adopt, limits or HttpLimits(), Counter() if answers is None else answers)
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
        answers: Counter[int],
    ) -> None:
        # Set once clients are answered.
        self.serving = trio.Event()
        self._limits = limits
        self._adopt = adopt
        self._app = Requests(app, limits.request, answers)
        self._config = _config(limits)
        # For connections of one request: those that have one of the places for health, and those of some proxies.
        self._short_config = _config(limits)
        self._short_config.keep_alive_max_requests = 0
        # Hypercorn's word to all connections that they end.
        self._context = WorkerContext(None)
        reserve = Reserve(self._serve_health, _HEALTH)
        count = partial(_count, answers)
        self._listener = Listener(
            listeners, self._serve_one, limits=limits.listener, reserve=reserve, on_turned_away=count
        )
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
        with trio.CancelScope(deadline=self._write_deadline()) as scope:
            self._writes.add(scope)
            try:
                yield scope
            finally:
                self._writes.discard(scope)

    def _write_deadline(self) -> float:
        """Return until when a client has to take the next part of its answer."""
        return min(trio.current_time() + self._limits.request.seconds, self._end)

    async def _serve_one(self, client: socket.socket, address: Address, received: bytes) -> None:
        """Serve a client that may ask for anything."""
        trio_socket = trio.socket.from_stdlib_socket(client)
        beginning, received = await self._await_beginning(trio_socket, received)
        if beginning == _WEBSOCKET and self._adopt is not None:
            self._adopt(socket.socket(fileno=client.detach()), address, received)
        elif beginning == _HTTP_2 or beginning is None:
            with suppress(OSError):
                client.send(_NO_HTTP_2 if beginning == _HTTP_2 else _LATE)
        else:
            # A connection of a proxy that names the client in each request has one request.
            config = self._short_config if address.of_request else self._config
            await self._serve_requests(trio_socket, address, received, config)

    async def _serve_health(self, client: socket.socket, address: Address, received: bytes) -> None:
        """Answer a client that asks for health, when there is no room for others."""
        await self._serve_requests(trio.socket.from_stdlib_socket(client), address, received, self._short_config)

    async def _serve_requests(
        self, client: trio.socket.SocketType, address: Address, received: bytes, config: Config
    ) -> None:
        stream = _Stream(trio.SocketStream(client), received, self._write, self._write_deadline)
        # It names the type of a TLS stream, and takes any.
        app = partial(self._app, address)
        server = _Connection(app, config, self._context, ConnectionState({}), stream)  # type: ignore[arg-type]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_stop_idling, server, stream, name="end of input")
            await server.run()
            nursery.cancel_scope.cancel()

    async def _await_beginning(self, client: trio.socket.SocketType, received: bytes) -> tuple[bytes | None, bytes]:
        """Read until it is clear what a client wants.

        Return `_WEBSOCKET`, `_HTTP_2`, or nothing for any other request, and
        what was received; None if that takes too long.
        """
        with trio.move_on_after(self._limits.keep_alive_seconds) as scope:
            self._beginnings.add(scope)
            try:
                beginning, received = await read_beginning(client, received, _beginning_of)
            finally:
                self._beginnings.discard(scope)
        return (None, b"") if scope.cancelled_caught else (beginning or b"", received)


def _count(answers: Counter[int], status: HTTPStatus) -> None:
    answers[status] += 1


def _beginning_of(received: bytes) -> bytes | None:
    for beginning in (_WEBSOCKET, _HTTP_2):
        match begins_with(received, (beginning,)):
            case True:
                return beginning
            case None:
                return None
            case False:
                pass
    return b""


class _Stream(trio.abc.HalfCloseableStream):
    """A client's socket. A client that takes nothing for too long is gone: the socket is closed."""

    def __init__(
        self,
        stream: trio.SocketStream,
        received: bytes,
        write: Callable[[], AbstractContextManager[trio.CancelScope]],
        deadline: Callable[[], float],
    ) -> None:
        # Hypercorn asks it who is there.
        self.socket = stream.socket
        self._stream = stream
        # What was read of it before.
        self._received = received
        self._write = write
        # Gives the time until which the next part of an answer may take.
        self._deadline = deadline
        # Set once nothing more can be read.
        self.ended = trio.Event()
        # Held while something is sent: when a client goes, Hypercorn ends the stream in the middle of an answer.
        self._sending = trio.Lock()
        with suppress(OSError):  # no TCP
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _PART_BYTES)

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with self._write() as scope:
            async with self._sending:
                for start in range(0, len(data), _PART_BYTES):
                    scope.deadline = max(scope.deadline, self._deadline())
                    await self._stream.send_all(memoryview(data)[start : start + _PART_BYTES])
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


class _Http1(H11Protocol):
    """A connection that speaks HTTP/1.1, whatever else its client would like to."""

    @override
    async def _check_protocol(self, event: h11.Request) -> None:
        """Upgrade to nothing: neither by `Upgrade: h2c` nor by a request of HTTP/2."""


class _Connection(TCPServer):
    """One connection of Hypercorn's, which begins with HTTP/1.1 and stays with it."""

    @override
    async def run(self) -> None:
        try:
            async with TaskGroup() as group:
                self._task_group = group
                # Who connects and where is told by `Requests`.
                protocol = _Http1(
                    self.app,
                    self.config,
                    self.context,
                    group,
                    ConnectionState({}),
                    ssl=False,
                    client=None,
                    server=None,
                    send=self.protocol_send,
                )
                self.protocol = cast("ProtocolWrapper", protocol)
                await self.idle_task.restart(group, self._idle_timeout)
                await self._read_data()
        except OSError:
            pass
        finally:
            # The socket is closed in any case, by the listener.
            with trio.move_on_after(_CLOSE_SECONDS, shield=True):
                await self._close()


def _config(limits: HttpLimits) -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.keep_alive_timeout = limits.keep_alive_seconds
    # Longer than what bounds a body: that has an answer.
    config.read_timeout = math.ceil(2 * limits.request.seconds)
    config.h11_max_incomplete_size = limits.head_bytes
    return config
