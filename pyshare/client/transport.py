"""One WebSocket as a client needs it: messages out and in, and the news that it has ended.

What a client needs is `Connection`; what there is, is trio-websocket, whose
exceptions end here. Nothing here knows what the messages say.
"""

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol
from urllib.parse import urlsplit

import trio
from h11 import ProtocolError
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)
from typing_extensions import override
from wsproto.utilities import LocalProtocolError

from pyshare.client.errors import ConnectionEnded
from pyshare.core.errors import CloseCode, ConnectionRefused, shortened
from pyshare.core.framing import Assembly
from pyshare.core.protocol import SUBPROTOCOL

_PORTS = {"ws": 80, "wss": 443}
#: Bytes of a message that are handed to the stream at a time, so that a long one is seen to leave.
_PART_BYTES = 4096
#: Bytes that the kernel takes ahead of what the network has taken: what it holds cannot be seen to leave.
_UNSENT_BYTES = 16_384
#: Codes that say that nobody gave a code (RFC 6455, section 7.4.1).
_NO_CODES = frozenset({1005, 1006})


class Connection(Protocol):
    """An open connection. Messages arrive in order and whole, or the connection has ended."""

    @property
    def heard(self) -> float:
        """When the last bytes came from the server, on trio's clock, be it a part of a message."""

    @property
    def left(self) -> float:
        """When the last bytes of a long message left for the server, or of its beginning, on trio's clock."""

    async def send(self, message: str) -> None:
        """Send one message; cancelled, it may have sent a part, and the connection is good for nothing more.

        Raises:
            ConnectionEnded: if it has.
        """

    async def receive(self) -> str:
        """Return the next message; for one task at a time. Cancelled, it has lost nothing.

        Raises:
            ConnectionEnded: if it has, after the last message; its code is that of the close frame.
        """

    async def close(self) -> None:
        """Say goodbye (1000) and wait for the answer; cancelled, it has ended without one. Never raises."""


class OpenConnection(Protocol):
    """How a client comes by its connections."""

    def __call__(self, url: str, max_message_bytes: int) -> AbstractAsyncContextManager[Connection]:
        """Hold a connection to `url`; leaving without `close` cuts it without a word.

        A message of more than `max_message_bytes` may end the connection with code 1009, in pieces or not.
        Exceptions come alone or in groups.

        Raises:
            ConnectionEnded: if there is none to be had, at the moment or ever.
        """


@asynccontextmanager
async def open_websocket(
    url: str,
    max_message_bytes: int,
    *,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncIterator[Connection]:
    """Hold a WebSocket to `url`, `ws:` or `wss:`; see `OpenConnection`.

    The server's pings are answered. Establishing it has no time limit.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        if parts.scheme == "wss":
            stream: trio.abc.Stream = await trio.open_ssl_over_tcp_stream(
                host, port, https_compatible=True, ssl_context=ssl_context
            )
        else:
            stream = await trio.open_tcp_stream(host, port)
    except OSError as error:
        raise ConnectionEnded(None, f"cannot connect to {host} port {port}: {_cause(error)}") from None
    _send_little_ahead(stream)
    async with wrap_stream(stream, url, max_message_bytes) as connection:
        yield connection


@asynccontextmanager
async def wrap_stream(stream: trio.abc.Stream, url: str, max_message_bytes: int) -> AsyncIterator[Connection]:
    """Hold a WebSocket over a `stream` that leads to the server of `url`; the stream is closed in the end."""
    parts = urlsplit(url)
    wire = _Wire(stream)
    life = trio.CancelScope()
    try:
        async with trio.open_nursery() as tasks:
            try:
                nursery = await tasks.start(_hold_nursery, life)
                assert isinstance(nursery, trio.Nursery)
                # What serves the WebSocket outlasts a cancelled body, so that the body can still hear the answer to its
                # goodbye. Shielded any earlier, it would never end if the start itself was cancelled.
                life.shield = True
                with trio.CancelScope() as handshake:
                    wire.handshake = handshake
                    ws = await wrap_client_stream(
                        nursery,
                        wire,  # type: ignore[arg-type]  # any stream will do, as on the server's side
                        parts.netloc,
                        f"{parts.path}?{parts.query}",
                        subprotocols=[SUBPROTOCOL],
                        message_queue_size=1,
                        max_message_size=max_message_bytes,
                    )
                if handshake.cancelled_caught:
                    raise ConnectionEnded(None, f"the connection ended before the handshake: {wire.trouble}")
                if ws.subprotocol != SUBPROTOCOL:
                    raise ConnectionEnded(CloseCode.NOT_UNDERSTOOD, f"the server does not speak {SUBPROTOCOL}")
                yield _WebSocket(ws, wire, Assembly(max_message_bytes))
            finally:
                life.cancel()
    except* (ConnectionClosed, HandshakeError, LocalProtocolError, ProtocolError) as group:
        raise _ended(_first(group)) from None
    finally:
        await trio.aclose_forcefully(stream)


def _cause(error: OSError) -> str:
    """Return the reason of the first address that was tried, which trio puts below an error of its own."""
    cause: BaseException = error.__cause__ or error
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    return (isinstance(cause, OSError) and cause.strerror) or str(cause)


async def _hold_nursery(life: trio.CancelScope, *, task_status: trio.TaskStatus[trio.Nursery]) -> None:
    """Hold a nursery until `life` is cancelled."""
    with life:
        async with trio.open_nursery() as nursery:
            task_status.started(nursery)
            await trio.sleep_forever()


def _send_little_ahead(stream: trio.abc.Stream) -> None:
    """Have the kernel take few bytes ahead of the network, where it can be told so."""
    below = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    if isinstance(below, trio.SocketStream) and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        below.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)


class _Wire(trio.abc.Stream):
    """The stream below, which knows when something was heard last, and when a part of a long message left."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        # When the last bytes came, on trio's clock.
        self.heard = trio.current_time()
        # When the last part of a long message left. A short one does not count: a dead path takes many of those.
        self.left = float("-inf")
        # Whether a message has begun to leave, and has not left.
        self._in_part = False
        # What waits for the server's answer; trio-websocket would wait on when there is nobody any more.
        self.handshake: trio.CancelScope | None = None
        # What ended the stream.
        self.trouble = ""

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._in_part:
            raise trio.BrokenResourceError("a message was sent in part, and nothing can follow it")
        self._in_part = True
        try:
            for start in range(0, len(data), _PART_BYTES):
                await self._stream.send_all(memoryview(data)[start : start + _PART_BYTES])
                if len(data) > _PART_BYTES:
                    self.left = trio.current_time()
        except trio.BrokenResourceError as error:
            self._end(error)
            raise
        self._in_part = False

    @override
    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            data = await self._stream.receive_some(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self._end(error)
            raise
        if not data:
            self._end(None)
        self.heard = trio.current_time()
        return data

    def _end(self, error: Exception | None) -> None:
        self.trouble = self.trouble or repr((error and error.__cause__) or error or "end of stream")
        if self.handshake is not None:
            self.handshake.cancel()

    @override
    async def aclose(self) -> None:
        await self._stream.aclose()


class _WebSocket:
    """A trio-websocket connection as a `Connection`."""

    def __init__(self, ws: WebSocketConnection, wire: _Wire, assembly: Assembly) -> None:
        self._ws = ws
        self._wire = wire
        # The pieces of the message that is arriving.
        self._assembly = assembly

    @property
    def heard(self) -> float:
        return self._wire.heard

    @property
    def left(self) -> float:
        return self._wire.left

    async def send(self, message: str) -> None:
        try:
            await self._ws.send_message(message)
        except (ConnectionClosed, LocalProtocolError) as error:
            raise _ended(error) from None

    async def receive(self) -> str:
        while True:
            try:
                text = await self._ws.get_message()
            except ConnectionClosed as error:
                raise _ended(error) from None
            if isinstance(text, bytes):
                raise ConnectionEnded(CloseCode.BINARY, "the server sent a binary message")
            try:
                message = self._assembly.take(text)
            except ConnectionRefused as refused:
                raise ConnectionEnded(refused.closing.code, refused.closing.reason) from None
            if message is not None:
                return message

    async def close(self) -> None:
        with suppress(ConnectionClosed, LocalProtocolError):
            await self._ws.aclose()


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _ended(error: Exception) -> ConnectionEnded:
    """Return what a foreign exception says of the end of a connection."""
    if isinstance(error, ConnectionRejected):
        body = (error.body or b"").decode("utf-8", "replace").strip()
        return ConnectionEnded(error.status_code, shortened(f"HTTP status {error.status_code}. {body}".strip()))
    if isinstance(error, ConnectionClosed) and error.reason is not None:
        code = None if error.reason.code in _NO_CODES else error.reason.code
        return ConnectionEnded(code, error.reason.reason or "the connection was lost")
    return ConnectionEnded(None, f"the connection broke: {error!r}")
