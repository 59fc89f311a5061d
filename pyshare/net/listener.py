"""Accept, count, refuse above the limit, one task a connection.

The first bytes of a connection are read here: they may be the header with
which a proxy names the client (`net/proxy_header.py`). What a connection does
then is a function that the listener is given. One that fails is logged and
gone, and the others live on: this is one of the two places where any exception
is caught (the supervisor, round a channel, is the other).
"""

import errno
import logging
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import trio

from pyshare.core.errors import ConfigurationError
from pyshare.net.addresses import Address, AddressBuckets, Networks, Places
from pyshare.net.beginning import read_beginning
from pyshare.net.forwarded import parse_forwarded
from pyshare.net.plain import http_answer
from pyshare.net.proxy_header import NO_HEADER, ProxyHeader, ProxyHeaderError, parse_proxy_header
from pyshare.net.reserve import Reserve

logger = logging.getLogger(__name__)

#: What accept(2) fails with when the system, not the client, is at its end; as trio.serve_listeners has it.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
#: What the address is at fault for.
_NOT_MINE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
_LAST_PORT = 65535
#: Clients that were turned away and whose sockets are kept a little, lest closing resets what they have not read.
_KEPT_AWAY = 32
#: Bytes that are read of them in the end, for the same reason.
_DISCARDED_BYTES = 16_384
_FULL = http_answer(
    HTTPStatus.SERVICE_UNAVAILABLE, "The server has all its clients; try again later.", retry_seconds=10
)
_CROWDED = http_answer(
    HTTPStatus.TOO_MANY_REQUESTS, "Your address has all the connections it may have; close some.", retry_seconds=10
)
_STOPPED = http_answer(HTTPStatus.SERVICE_UNAVAILABLE, "The server restarts; come back.", retry_seconds=1)
_LATE = http_answer(HTTPStatus.REQUEST_TIMEOUT, "The request took too long; connect again and send it at once.")
_NOT_TRUSTED = http_answer(
    HTTPStatus.BAD_REQUEST, "A PROXY header is taken only from addresses that --trusted-proxies names."
)
_WRONG_HEADER = http_answer(HTTPStatus.BAD_REQUEST, "The PROXY header is wrong.")
#: Seconds' worth of connections that one address may make at once.
_BURST_SECONDS = 10
#: Seconds between two warnings of one kind that clients can cause as often as they like.
_WARNING_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """How many are let in."""

    #: Connections at one time; and those of one address, 0 for any number.
    connections: int = 10_000
    connections_per_address: int = 0
    #: Connections of one address a second, for good; above it they wait. 0 for any number.
    connects_per_second: float = 0
    #: Proxies that may name the client in a PROXY header.
    trusted_proxies: Networks = ()
    #: Whether they may name it in X-Forwarded-For, where there is no PROXY header.
    forwarded_for: bool = False
    #: Seconds for the first bytes of a connection, a PROXY header with them.
    beginning_seconds: float = 10
    #: Seconds before the next try when the system has no room for another connection.
    pause_seconds: float = 0.1


@dataclass(frozen=True, slots=True)
class ListenerStatistics:
    """A listener at one moment: connections that are open, and how many there were since it began."""

    open: int
    accepted: int
    #: Those for which there was no room; those whose address had all it may have are `crowded`.
    refused: int
    failed: int
    crowded: int = 0


async def open_listeners(
    host: str, port: int, *, host_option: str = "--host", port_option: str = "--port"
) -> list[trio.SocketListener]:
    """Return sockets that listen on every address of `host`; port 0 has the system choose one.

    Raises:
        ConfigurationError: if that cannot be had; it names the option at fault.
    """
    if not 0 <= port <= _LAST_PORT:
        # The system would take what is left of it in sixteen bits.
        raise ConfigurationError(f"{port_option}: {port} is no port; it should be 0 to {_LAST_PORT}")
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except (socket.gaierror, UnicodeError):
        raise ConfigurationError(f"{host_option}: unknown host {host!r}") from None
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"{port_option}: port {port} is in use on {host}; stop what uses it or choose another"
        elif error.errno in {errno.EACCES, errno.EPERM}:
            reason = f"{port_option}: port {port} is not for this user; choose one above 1023"
        elif error.errno in _NOT_MINE:
            reason = f"{host_option}: {host} is no address of this machine"
        else:
            reason = f"{host_option} {host} {port_option} {port}: {error.strerror or error}"
        raise ConfigurationError(reason) from None


class _TurnedAwayError(Exception):
    """A client that is not served, and what it is told."""

    def __init__(self, answer: bytes, *, full: bool = False, crowded: bool = False) -> None:
        super().__init__(answer)
        self.answer = answer
        # Whether there is no room: for anybody, or for its address.
        self.full = full
        self.crowded = crowded


class Listener:
    """Listening sockets and the connections that came through them."""

    def __init__(
        self,
        listeners: Sequence[trio.SocketListener],
        serve: Callable[[socket.socket, Address, bytes], Awaitable[None]],
        *,
        limits: ListenerLimits,
        reserve: Reserve | None = None,
        on_turned_away: Callable[[HTTPStatus], None] = lambda status: None,
    ) -> None:
        self._listeners = listeners
        # Serves one client, whose socket is its own: with the address it comes from, and what was read of it already.
        self._serve = serve
        self._limits = limits
        # Answers some of those for whom there is no room.
        self._reserve = reserve
        # Called for each client for whom there was no room, with what it was told.
        self._on_turned_away = on_turned_away
        # What waits for clients, and where they are served.
        self._accepting = trio.CancelScope()
        self._connections: trio.Nursery | None = None
        # See `ListenerStatistics`.
        self._open = 0
        self._accepted = 0
        self._refused = 0
        self._failed = 0
        self._crowded = 0
        # Connections by address.
        self._places = Places(limits.connections_per_address)
        # How fast the clients of one address may connect.
        self._buckets: AddressBuckets | None = None
        if limits.connects_per_second:
            rate = limits.connects_per_second
            self._buckets = AddressBuckets(rate, burst=_BURST_SECONDS * rate)
        # Sockets of the last clients that were turned away.
        self._turned_away: deque[socket.socket] = deque()
        # Whether it was logged that there is no room, here or in the system, since there last was.
        self._full = False
        self._exhausted = False
        # What waits for the first bytes of a connection.
        self._beginnings: set[trio.CancelScope] = set()
        # Times from which on warnings that clients can cause are logged again.
        self._quiet_until: dict[str, float] = {}

    def statistics(self) -> ListenerStatistics:
        """Return the listener's state at this moment."""
        return ListenerStatistics(self._open, self._accepted, self._refused, self._failed, self._crowded)

    def stop_accepting(self) -> None:
        """Close the listening sockets; `run` returns when the last connection has ended, silent ones end now."""
        self._accepting.cancel()
        for scope in self._beginnings:
            scope.cancel()

    def adopt(self, client: socket.socket, address: Address, received: bytes) -> None:
        """Serve a client that another listener has accepted, and of which that has read something, as one of its own.

        The socket is ours from now on. One that comes too late is told to come back.
        """
        if self._connections is None:
            self._turn_away(client, _TurnedAwayError(_STOPPED))
            return
        serve = partial(self._serve_one, client, address, received)
        try:
            self._start(client, address, self._connections, serve)
        except _TurnedAwayError as away:
            self._turn_away(client, away)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until told to stop and all connections have ended; cancelled, they are cancelled too."""
        try:
            async with trio.open_nursery() as connections:
                with self._accepting:
                    async with trio.open_nursery() as nursery:
                        self._connections = connections
                        for listener in self._listeners:
                            nursery.start_soon(self._accept, listener, connections, name="accept")
                        task_status.started()
                self._connections = None
        finally:
            self._connections = None
            while self._turned_away:
                self._turned_away.popleft().close()

    async def _accept(self, listener: trio.SocketListener, connections: trio.Nursery) -> None:
        async with listener:
            while True:
                try:
                    stream = await listener.accept()
                except OSError as error:
                    if error.errno not in _EXHAUSTED:
                        raise
                    self._on_exhausted(error)
                    await trio.sleep(self._limits.pause_seconds)
                else:
                    self._exhausted = False
                    self._on_client(socket.socket(fileno=stream.socket.detach()), connections)

    def _on_client(self, client: socket.socket, connections: trio.Nursery) -> None:
        peer = Address.of(client)
        trusted = peer.is_in(self._limits.trusted_proxies)
        # A proxy has a place until it has named the client, which has one then.
        proxys = ExitStack()
        try:
            if peer.network is None:
                # At the other end of a socket in the file system there is no proxy.
                self._start(client, peer, connections, partial(self._serve_one, client, peer, b""))
            elif trusted:
                self._take_place(proxys, peer)
                self._start(client, None, connections, partial(self._receive, client, peer, proxys))
            else:
                self._start(client, peer, connections, partial(self._receive, client, peer, None))
        except _TurnedAwayError as away:
            proxys.close()
            if self._reserve is None:
                self._turn_away(client, away)
            else:
                serve = partial(self._receive_reserved, client, peer, away, trusted=trusted)
                connections.start_soon(serve, name=f"connection {peer}, reserved")

    def _start(
        self,
        client: socket.socket,
        address: Address | None,
        connections: trio.Nursery,
        serve: Callable[[ExitStack], Awaitable[None]],
    ) -> None:
        """Count a client in and have it served; `serve` is given what it closes to count it out.

        Raises:
            _TurnedAwayError: if there is no room.
        """
        with ExitStack() as held:
            self._count_in(held)
            if address is not None:
                self._take_place(held, address)
            connections.start_soon(serve, held.pop_all(), name=f"connection {address or Address.of(client)}")

    def _count_in(self, held: ExitStack) -> None:
        """Count one connection more until `held` is closed, or raise `_TurnedAwayError`."""
        if self._open >= self._limits.connections:
            if not self._full:
                self._full = True
                logger.warning("full", extra={"connections": self._open})
            raise _TurnedAwayError(_FULL, full=True)
        self._full = False
        self._open += 1
        held.callback(self._count_out)

    def _count_out(self) -> None:
        self._open -= 1

    def _take_place(self, held: ExitStack, address: Address) -> None:
        """Take one of the places of an address until `held` is closed, or raise `_TurnedAwayError`."""
        if not self._places.enter(address):
            self._warn("full for one address", remote=str(address), connections=self._limits.connections_per_address)
            raise _TurnedAwayError(_CROWDED, crowded=True)
        held.callback(self._places.leave, address)

    async def _receive(self, client: socket.socket, peer: Address, proxys: ExitStack | None, held: ExitStack) -> None:
        """Find out which address a connection comes from, and serve it; with `proxys`, a trusted proxy's place."""
        with held, proxys or ExitStack() as waiting, self._turning_away(client):
            address, received = await self._read_header(client, peer, trusted=proxys is not None)
            waiting.close()
            try:
                if proxys is not None:
                    self._take_place(held, address)
            except _TurnedAwayError as away:
                await self._serve_reserved(client, address, received, away)
            else:
                await self._serve_one(client, address, received, held)

    async def _receive_reserved(
        self, client: socket.socket, peer: Address, away: _TurnedAwayError, *, trusted: bool
    ) -> None:
        """Serve a client for which there is no room, if it asks for what is always answered."""
        with self._turning_away(client):
            # The header is short, and comes first: here it has the time of a reserved place.
            await self._serve_reserved(client, peer, None, away, trusted=trusted)

    async def _serve_reserved(
        self,
        client: socket.socket,
        address: Address,
        received: bytes | None,
        away: _TurnedAwayError,
        *,
        trusted: bool = False,
    ) -> None:
        """Serve a client in one of the reserved places if it asks for what is always answered, or raise `away`.

        Without `received`, nothing was read yet, and `address` is that of the socket.
        """
        if self._reserve is not None:
            with self._reserve.place():
                if received is None:
                    address, received = await self._read_header(client, address, trusted=trusted)
                asks, received = await self._reserve.look(client, received)
                if asks:
                    await self._guard(self._reserve.serve, client, address, received)
                    return
        raise away

    @contextmanager
    def _turning_away(self, client: socket.socket) -> Iterator[None]:
        """Turn a client away if that is raised, and close its socket in any case."""
        try:
            yield
        except _TurnedAwayError as away:
            self._turn_away(client, away)
        finally:
            client.close()

    async def _read_header(self, client: socket.socket, peer: Address, *, trusted: bool) -> tuple[Address, bytes]:
        """Return the address that a connection comes from, and what was received behind the PROXY header.

        With `forwarded_for`, that is the head of the first request at least, if a trusted proxy sends no PROXY header.

        Raises:
            _TurnedAwayError: if that does not come in time, is wrong, or is not to be believed.
        """
        header, received = None, b""
        with trio.CancelScope(deadline=trio.current_time() + self._limits.beginning_seconds) as patience:
            self._beginnings.add(patience)
            try:
                reader = trio.socket.from_stdlib_socket(client)
                header, received = await read_beginning(reader, b"", parse_proxy_header)
                if header is NO_HEADER and trusted and self._limits.forwarded_for:
                    look = partial(parse_forwarded, trusted=self._limits.trusted_proxies)
                    forwarded, received = await read_beginning(reader, received, look)
                    header = ProxyHeader(forwarded.source if forwarded else None, 0)
            except ProxyHeaderError as error:
                self._warn("wrong PROXY header", remote=str(peer), reason=str(error))
                raise _TurnedAwayError(_WRONG_HEADER) from None
            finally:
                self._beginnings.discard(patience)
        if patience.cancelled_caught:
            raise _TurnedAwayError(_STOPPED if self._accepting.cancel_called else _LATE)
        if header is None:
            # It ended before it has said anything, which needs no answer.
            raise _TurnedAwayError(b"")
        if header.size and not trusted:
            self._warn("PROXY header from an address that is not in --trusted-proxies", remote=str(peer))
            raise _TurnedAwayError(_NOT_TRUSTED)
        return header.source or peer, received[header.size :]

    async def _serve_one(self, client: socket.socket, address: Address, received: bytes, held: ExitStack) -> None:
        with held:
            self._accepted += 1
            with self._turning_away(client):
                if self._buckets is not None:
                    await trio.sleep(self._buckets.pay(address, 1, trio.current_time()))
                await self._guard(self._serve, client, address, received)

    async def _guard(
        self,
        serve: Callable[[socket.socket, Address, bytes], Awaitable[None]],
        client: socket.socket,
        address: Address,
        received: bytes,
    ) -> None:
        """Serve a client, and close its socket; a failure is logged and ends here."""
        try:
            await serve(client, address, received)
        except* Exception:
            self._failed += 1
            logger.exception("connection failed", extra={"remote": str(address)})
        finally:
            client.close()

    def _turn_away(self, client: socket.socket, away: _TurnedAwayError) -> None:
        """Answer a client without waiting for it to ask, to read or to end."""
        self._refused += away.full
        self._crowded += away.crowded
        if away.full or away.crowded:
            self._on_turned_away(HTTPStatus.SERVICE_UNAVAILABLE if away.full else HTTPStatus.TOO_MANY_REQUESTS)
        if client.fileno() == -1:
            # It was answered, or its time for that was over.
            return
        client = socket.socket(fileno=client.detach())
        client.setblocking(False)
        with suppress(OSError):
            client.send(away.answer)
            client.shutdown(socket.SHUT_WR)
        self._turned_away.append(client)
        if len(self._turned_away) > _KEPT_AWAY or self._connections is None:
            oldest = self._turned_away.popleft()
            with suppress(OSError):
                oldest.recv(_DISCARDED_BYTES)
            oldest.close()

    def _warn(self, event: str, **extra: object) -> None:
        """Log a warning that clients can cause, once a minute at most."""
        now = trio.current_time()
        if now >= self._quiet_until.get(event, now):
            self._quiet_until[event] = now + _WARNING_SECONDS
            logger.warning(event, extra=extra)

    def _on_exhausted(self, error: OSError) -> None:
        if not self._exhausted:
            self._exhausted = True
            name = errno.errorcode.get(error.errno or 0, "")
            logger.error("no room for another connection", extra={"error": name, "text": os.strerror(error.errno or 0)})
