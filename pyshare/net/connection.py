"""One connection's life: handshake, authenticate, join, read frames, leave.

What goes wrong after the handshake is a close frame with a code and a reason,
since browsers hide the answers of HTTP. The first reason wins. Foreign exceptions
end here. The token and the session are secrets and in no log line.
"""

import logging
import re
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Protocol
from urllib.parse import unquote

import trio
from trio_websocket import (
    CloseReason,
    ConnectionClosed,
    HandshakeError,
    WebSocketConnection,
    WebSocketRequest,
    wrap_server_stream,
)
from wsproto.utilities import LocalProtocolError

from pyshare.actors.messages import ChannelMessage, Drained, Join, Leave, Received
from pyshare.core.arrival import SESSION_BYTES, Arrival, public_id
from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.core.names import public_name
from pyshare.core.protocol import SUBPROTOCOL, AskFrame, Peer, PushFrame, parse_steps
from pyshare.core.push_limits import UnreadablePush
from pyshare.net.addresses import Address, AddressBuckets
from pyshare.net.auth import Admission
from pyshare.net.bucket import TokenBucket
from pyshare.net.dialects import DIALECTS, Dialect
from pyshare.net.handshake import HandshakeStream
from pyshare.net.held import HeldBytes
from pyshare.net.outlet import SocketOutlet, close_frame
from pyshare.net.plain import http_answer
from pyshare.net.signs import SignsOfLife
from pyshare.net.tokens import expired

logger = logging.getLogger(__name__)

#: The only address of a WebSocket here.
_PATH = re.compile(r"/codespace/(?P<token>[^/]+)/?")
#: Characters of a token; what is longer is refused without being looked at.
_TOKEN_LENGTH = 512
#: Bytes that a client may still send after it was told that the connection is closed.
_LINGER_BYTES = 67_108_864
#: Seconds without input after which a client that cannot be understood any more is taken to have stopped.
_QUIET_SECONDS = 0.25
#: Seconds between two looks at the wall clock.
_CLOCK_SECONDS = 60
#: Updates of a push that cost as much as a message.
_UPDATES_A_TOKEN = 8
#: Bytes of a character in UTF-8, at most.
_CHARACTER_BYTES = 4

_RESTARTING = Closing(CloseCode.RESTARTING, "the server restarts; reconnect")
_FAILED = Closing(CloseCode.OUR_FAULT, "the server failed; reconnect to go on")
_CHANNEL_GONE = Closing(CloseCode.TRY_LATER, "this codespace failed here; reconnect to go on")
_NO_DIALECT = Closing(
    CloseCode.NOT_UNDERSTOOD,
    f"offer subprotocol {SUBPROTOCOL}: this server speaks no other; or none, as the stock front end",
)
_NOT_CHECKED = Closing(CloseCode.TRY_LATER, "the token could not be checked in time; try again later")
_LONG_TOKEN = Closing(CloseCode.NOT_AUTHENTICATED, f"a token has at most {_TOKEN_LENGTH} characters")
_BINARY = Closing(CloseCode.BINARY, "binary frame; send JSON in text frames")

#: Close codes of RFC 6455 and its registry.
_STANDARD_CODES = range(1000, 1016)

#: What the client is told of broken frames, by trio-websocket's code for them (RFC 6455, section 7.4.1).
_BROKEN: Mapping[int, CloseCode] = {1002: CloseCode.NOT_UNDERSTOOD, 1007: CloseCode.NOT_TEXT}


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a connection holds its client to, and how patient it is."""

    #: Bytes of one message in UTF-8.
    message_bytes: int = 1_048_576
    #: Messages of up to 4 KiB a second, for good; twice as many at once. Larger ones count as several.
    pushes_per_second: int = 50
    #: Steps of work that may be done for the client each second, and at once (see `pyshare.core.work`).
    steps_per_second: int = 200_000
    burst_steps: int = 2_000_000
    #: Seconds from the connection to the end of the HTTP request.
    handshake_seconds: float = 10
    #: Seconds for finding out what the token is good for.
    authentication_seconds: float = 15
    #: Seconds between two pings, and in which the client is told something.
    ping_seconds: float = 20
    #: Seconds without a byte from the client.
    silence_seconds: float = 60
    #: Seconds without the client's taking a byte, while there are any.
    slow_seconds: float = 30
    #: Seconds for the close frame to be sent and answered, and as long again for the client to end.
    close_seconds: float = 5


class OpenChannel(Protocol):
    """How a connection comes by its channel: `open_lease`, with the supervisor filled in."""

    def __call__(
        self, codespace: str, *, create: bool, count: Callable[[], Closing | None], last: Leave
    ) -> AbstractAsyncContextManager[trio.MemorySendChannel[ChannelMessage]]:
        """Hold a sending end of the codespace's channel, which gets `last` in the end.

        `count` is called if the codespace is made, and may say why not now.

        Raises:
            ConnectionRefused: if it cannot be had.
        """


#: Counts a codespace that is made for an admission, by a request with these headers; or says why not now.
CountCreation = Callable[[Admission, Mapping[str, str]], Closing | None]


def _headers(request: WebSocketRequest) -> Mapping[str, str]:
    """Return the headers of a handshake by their names in lower case."""
    found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers}
    # wsproto takes this one out of the list, and trio-websocket hands it on nowhere else.
    return {**found, "host": request._event.host}  # noqa: SLF001


async def serve_connection(
    client: socket.socket,
    address: Address,
    received: bytes = b"",
    *,
    admit: Callable[[str], Awaitable[Admission]],
    open_channel: OpenChannel,
    limits: ConnectionLimits,
    new_session: Callable[[], bytes] = lambda: secrets.token_bytes(SESSION_BYTES),
    now: Callable[[], float] = time.time,
    on_closed: Callable[[str], None] = lambda code: None,
    held: HeldBytes | None = None,
    count_creation: CountCreation = lambda admission, headers: None,
    address_work: AddressBuckets | None = None,
) -> None:
    """Serve one client from the first byte to the last; the socket is closed however that ends.

    `address` is where it comes from, `received` was read from it
    before, and `now` tells the time in seconds since 1970. The connections of an
    address share its bucket of `address_work` besides their own. In the end
    `on_closed` is told the close code if it is a known one, or "other", "none" or "http". Cancelled, it still tells
    the client that the server restarts, for `close_seconds` at most. Its channel
    hears that it leaves, however this ends. `count_creation` counts a codespace
    that is made for this client, or says why not now.

    Raises:
        ExceptionGroup: of what nobody foresaw; the client was told 1011.
    """
    own = TokenBucket(limits.steps_per_second, burst=limits.burst_steps, now=trio.current_time())
    work = address_work.beside(own, address) if address_work is not None else own
    outlet = SocketOutlet(client, received, work=work, held=held)
    connection = _Connection(outlet, address, admit, open_channel, limits, new_session, now, count_creation)
    try:
        await connection.run()
    finally:
        with trio.move_on_after(limits.close_seconds, shield=True):
            await connection.end()
        on_closed(connection.close())


def _named(code: int) -> str:
    """Return a close code as it is counted: clients may choose thousands, and all but the known ones are one."""
    return str(code) if code in _STANDARD_CODES or code in set(CloseCode) else "other"


class _Connection:
    def __init__(
        self,
        outlet: SocketOutlet,
        address: Address,
        admit: Callable[[str], Awaitable[Admission]],
        open_channel: OpenChannel,
        limits: ConnectionLimits,
        new_session: Callable[[], bytes],
        now: Callable[[], float],
        count_creation: CountCreation,
    ) -> None:
        # The name of the connection in logs and tasks.
        label = self._label = str(address)
        self._admit = admit
        self._open_channel = open_channel
        self._limits = limits
        self._new_session = new_session
        self._now = now
        self._count_creation = count_creation
        # What the client may send; its socket to the channel and to trio-websocket.
        burst = 2 * limits.pushes_per_second
        self._bucket = TokenBucket(limits.pushes_per_second, burst=burst, now=trio.current_time())
        self._outlet = outlet
        self._stream = HandshakeStream(
            self._outlet,
            self._bucket,
            silence_seconds=limits.silence_seconds,
            message_bytes=limits.message_bytes,
        )
        self._signs = SignsOfLife(self._outlet, self._stream, seconds=limits.ping_seconds)
        # The WebSocket, once the handshake was accepted; until then what HTTP is told in the end.
        self._ws: WebSocketConnection | None = None
        # Whether there was a WebSocket in the end, and what its client has closed it with.
        self._was_websocket = False
        self._heard: CloseReason | None = None
        self._http_answer = b""
        # The codespace's channel, while there is a lease on it.
        self._channel: trio.MemorySendChannel[ChannelMessage] | None = None
        # What is logged of whoever it is.
        self._who: dict[str, str] = {"remote": label}

    async def run(self) -> None:
        """Converse until something ends it, and hear the client's answer to that, if it can be heard."""
        try:
            async with trio.open_nursery() as reading:
                with self._outlet.lifetime:
                    async with trio.open_nursery() as nursery:
                        writer = partial(self._outlet.run, slow_seconds=self._limits.slow_seconds)
                        nursery.start_soon(writer, self._tell_drained, name=f"writer of {self._label}")
                        await self._converse(reading, nursery)
                        nursery.cancel_scope.cancel()
                await self._close_handshake()
                reading.cancel_scope.cancel()
        except* trio.Cancelled:
            self._outlet.close_nowait(_RESTARTING)
            raise
        except* (ConnectionClosed, HandshakeError, LocalProtocolError) as group:
            # trio-websocket meets these where it answers a client that has gone or broke the rules.
            logger.debug("connection broke", extra={**self._who, "error": repr(group.exceptions[0])})
        except* UnicodeError:
            # wsproto decodes some headers without looking.
            if self._ws is not None:
                self._outlet.close_nowait(_FAILED)
                raise
            sentence = "The request is no HTTP that this server understands."
            self._http_answer = http_answer(HTTPStatus.BAD_REQUEST, sentence)
        except* Exception:
            self._outlet.close_nowait(_FAILED)
            raise

    async def end(self) -> None:
        """Send what is still to be said, and wait until the client ends too."""
        last = self._last_words()
        more = self._ws is not None and not self._stream.peer_closed
        if self._ws is not None:
            # With it go the messages that it has kept.
            self._was_websocket, self._heard, self._ws = True, self._ws.closed, None
            self._stream.forget()
        await self._outlet.finish(last)
        await self._outlet.linger(_LINGER_BYTES, quiet_seconds=_QUIET_SECONDS if more else 0)

    def close(self) -> str:
        """Close the socket; return what the connection was closed with."""
        self._outlet.close()
        closing, heard = self._outlet.closing, self._heard
        code = int(closing.code) if closing else int(heard.code) if heard else None
        reason = closing.reason if closing else ""
        logger.debug("connection closed", extra={**self._who, "code": code, "reason": reason})
        if not self._was_websocket:
            return "http"
        return "none" if code is None else _named(code)

    async def _converse(self, reading: trio.Nursery, nursery: trio.Nursery) -> None:
        request = await self._await_request(reading)
        if request is None:
            return
        path, _, query = request.path.partition("?")
        address = _PATH.fullmatch(path)
        if address is None:
            sentence = "There is nothing here; a codespace is at /codespace/{token}/."
            self._http_answer = http_answer(HTTPStatus.NOT_FOUND, sentence)
            return
        offered = request.proposed_subprotocols
        subprotocol = next((name for name in offered if name in DIALECTS), None)
        # Where nothing is known that is offered, something of it is agreed to: else browsers do not tell why this ends.
        ws = self._ws = await request.accept(subprotocol=subprotocol or next(iter(offered), None))
        with self._until_refused():
            if subprotocol is None and offered:
                raise ConnectionRefused(_NO_DIALECT)
            dialect = DIALECTS[subprotocol]
            arrival = dialect.parse_arrival(query)
            signs = partial(self._signs.run, visible=arrival.progress)
            nursery.start_soon(signs, name=f"signs of life to {self._label}")
            admission = await self._authenticate(ws, unquote(address["token"]))
            if admission.expires is not None:
                nursery.start_soon(self._expire, admission.expires, name=f"expiry of {self._label}")
            count = partial(self._count_creation, admission, _headers(request))
            lease = self._open_channel(
                admission.codespace, create=admission.create, count=count, last=Leave(self._outlet)
            )
            async with lease as channel:
                self._channel = channel
                # What goes wrong here is settled here: the lease needs to know only that it ends.
                with self._until_refused():
                    await self._take_part(ws, dialect, arrival, admission)

    async def _await_request(self, reading: trio.Nursery) -> WebSocketRequest | None:
        """Return the client's handshake; None if none came, or it was no such and has been answered."""
        with trio.move_on_after(self._limits.handshake_seconds) as patience:
            self._stream.call_at_end(patience.cancel)
            return await wrap_server_stream(
                reading, self._stream, message_queue_size=1, max_message_size=self._limits.message_bytes
            )
        if not self._stream.ended:
            sentence = "The request took too long; connect again and send it at once."
            self._http_answer = http_answer(HTTPStatus.REQUEST_TIMEOUT, sentence)
        return None

    async def _authenticate(self, ws: WebSocketConnection, token: str) -> Admission:
        if len(token) > _TOKEN_LENGTH:
            raise ConnectionRefused(_LONG_TOKEN)
        with trio.move_on_after(self._limits.authentication_seconds) as patience:
            self._stream.call_at_end(patience.cancel)
            return await self._admit(token)
        if self._stream.ended:
            raise ConnectionClosed(ws.closed)
        raise ConnectionRefused(_NOT_CHECKED)

    async def _take_part(
        self, ws: WebSocketConnection, dialect: Dialect, arrival: Arrival, admission: Admission
    ) -> None:
        """Be a member of the channel until the conversation ends."""
        peer = Peer(public_id(arrival.session or self._new_session()), arrival.name, admission.mode)
        self._who |= {"codespace": public_name(admission.codespace), "client": peer.id}
        try:
            known = arrival.epoch, arrival.version, arrival.tip
            join = Join(self._outlet, peer, *known, dialect=dialect.name, pieces=arrival.progress, remote=self._label)
            await self._tell(join)
            logger.info("joined", extra={**self._who, "mode": peer.mode, "resumed": arrival.epoch is not None})
            self._stream.open_lane(partial(self._on_lane_message, dialect))
            while True:
                await self._take_message(await ws.get_message(), dialect)
                # Only now: it opens the lane, and a message that waits here could be passed there.
                self._stream.message_taken()
                await self._pay()
        finally:
            logger.info("left", extra=self._who)

    async def _on_lane_message(self, dialect: Dialect, message: str) -> None:
        """Take a message in the task that reads. The end of the connection ends the wait for the channel (`_tell`)."""
        if self._outlet.ended:
            return
        try:
            await self._take_message(message, dialect)
        except ConnectionRefused as refused:
            self._outlet.close_nowait(refused.closing)
        else:
            await self._pay()

    async def _pay(self) -> None:
        """Have the client pay for a message."""
        self._bucket.take(1, trio.current_time())
        await self._stream.pause()

    async def _take_message(self, message: str | bytes, dialect: Dialect) -> None:
        limit = self._limits.message_bytes
        if isinstance(message, bytes):
            raise ConnectionRefused(_BINARY)
        if len(message) * _CHARACTER_BYTES > limit and len(message.encode()) > limit:
            reason = f"message too big: more than {limit} bytes; send less at once"
            raise ConnectionRefused(Closing(CloseCode.TOO_BIG, reason))
        self._outlet.charge(parse_steps(message))
        try:
            frame = dialect.parse_frame(message)
        except UnreadablePush as push:
            await self._outlet.write(dialect.refused_frame(push))
        else:
            if isinstance(frame, AskFrame):
                await self._signs.answer()
                return
            if isinstance(frame, PushFrame):
                self._bucket.take(len(frame.updates) / _UPDATES_A_TOKEN, trio.current_time())
            await self._tell(Received(self._outlet, frame))

    async def _tell(self, message: ChannelMessage) -> None:
        """Have the channel get `message`; one that is gone ends the connection."""
        if self._channel is None:
            return
        try:
            try:
                # Where there is room, which is the rule, sending is not worth a turn of the scheduler.
                self._channel.send_nowait(message)
            except trio.WouldBlock:
                await self._channel.send(message)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._outlet.close_nowait(_CHANNEL_GONE)

    async def _tell_drained(self) -> None:
        await self._tell(Drained(self._outlet))

    async def _expire(self, expires: float) -> None:
        """End the connection when its token does; a clock that was set, or stood still, is met within a minute."""
        while (seconds := expires - self._now()) > 0:  # noqa: ASYNC110 - nobody tells when a clock is set
            await trio.sleep(min(seconds, _CLOCK_SECONDS))
        self._outlet.close_nowait(expired())

    async def _close_handshake(self) -> None:
        """Send what is to be said last, and wait for the client's answer for as long as one can be heard."""
        if self._ws is None or self._outlet.was_shed:
            return
        with trio.move_on_after(self._limits.close_seconds), suppress(ConnectionClosed):
            await self._outlet.finish(self._last_words())
            while True:
                await self._ws.get_message()

    def _last_words(self) -> bytes:
        """Return what this side has to say of its own accord before it ends the connection."""
        closing = self._outlet.closing
        if self._http_answer or closing is None:
            return self._http_answer
        if self._ws is not None:
            return close_frame(closing)
        return http_answer(HTTPStatus.SERVICE_UNAVAILABLE, f"Not now: {closing.reason}.", retry_seconds=1)

    @contextmanager
    def _until_refused(self) -> Iterator[None]:
        """Have the connection closed by what is raised to that end, on either side."""
        try:
            yield
        except ConnectionRefused as refused:
            self._outlet.close_nowait(refused.closing)
        except ConnectionClosed as closed:
            # Broken frames end the WebSocket without a word; who sent a close frame has its answer already.
            if closed.reason is not None and closed.reason.code in _BROKEN:
                code = _BROKEN[closed.reason.code]
                self._outlet.close_nowait(Closing(code, f"broken frame: {closed.reason.reason}"))
