"""Accept, count, refuse above the limit, one task a connection.

What a connection does is a function that the listener is given. One that
fails is logged and gone, and the others live on: this is one of the two
places where any exception is caught (the supervisor, round a channel, is the
other).
"""

import errno
import logging
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

import trio

from pyshare.core.errors import ConfigurationError
from pyshare.net.connection import http_answer

logger = logging.getLogger(__name__)

#: What accept(2) fails with when the system, not the client, is at its end; as trio.serve_listeners has it.
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
#: What the address is at fault for.
_NOT_MINE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
_LAST_PORT = 65535
#: Clients that were refused and whose sockets are kept a little, lest closing resets what they have not read.
_KEPT_REFUSED = 32
_FULL = http_answer(
    HTTPStatus.SERVICE_UNAVAILABLE, "The server has all its clients; try again later.", retry_seconds=10
)
_STOPPED = http_answer(HTTPStatus.SERVICE_UNAVAILABLE, "The server restarts; come back.", retry_seconds=1)


@dataclass(frozen=True, slots=True)
class ListenerLimits:
    """How many are let in."""

    #: Connections at one time.
    connections: int = 10_000
    #: Seconds before the next try when the system has no room for another connection.
    pause_seconds: float = 0.1


@dataclass(frozen=True, slots=True)
class ListenerStatistics:
    """A listener at one moment: connections that are open, and how many there were since it began."""

    open: int
    accepted: int
    refused: int
    failed: int


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


class Listener:
    """Listening sockets and the connections that came through them."""

    def __init__(
        self,
        listeners: Sequence[trio.SocketListener],
        serve: Callable[[socket.socket, str, bytes], Awaitable[None]],
        *,
        limits: ListenerLimits,
    ) -> None:
        self._listeners = listeners
        # Serves one client, whose socket is its own, under the label that it is given, what was read of it already.
        self._serve = serve
        self._limits = limits
        # What waits for clients, and where they are served.
        self._accepting = trio.CancelScope()
        self._connections: trio.Nursery | None = None
        # See `ListenerStatistics`.
        self._open = 0
        self._accepted = 0
        self._refused = 0
        self._failed = 0
        # Sockets of the last clients that were refused.
        self._refused_clients: deque[socket.socket] = deque()
        # Whether it was logged that there is no room, here or in the system, since there last was.
        self._full = False
        self._exhausted = False

    def statistics(self) -> ListenerStatistics:
        """Return the listener's state at this moment."""
        return ListenerStatistics(self._open, self._accepted, self._refused, self._failed)

    def stop_accepting(self) -> None:
        """Close the listening sockets; connections go on, and `run` returns when the last has ended."""
        self._accepting.cancel()

    def adopt(self, client: socket.socket, received: bytes) -> None:
        """Serve a client that another listener has accepted, and of which that has read something, as one of its own.

        The socket is ours from now on. One that comes too late is told to come back.
        """
        if self._connections is None:
            client.setblocking(False)
            with suppress(OSError):
                client.send(_STOPPED)
            client.close()
        else:
            self._on_client(client, received, self._connections)

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
            while self._refused_clients:
                self._refused_clients.popleft().close()

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
                    self._on_client(socket.socket(fileno=stream.socket.detach()), b"", connections)

    def _on_client(self, client: socket.socket, received: bytes, connections: trio.Nursery) -> None:
        if self._open >= self._limits.connections:
            self._refuse(client)
            return
        self._full = False
        self._accepted += 1
        self._open += 1
        label = _label(client)
        connections.start_soon(self._serve_one, client, label, received, name=f"connection {label}")

    async def _serve_one(self, client: socket.socket, label: str, received: bytes) -> None:
        try:
            await self._serve(client, label, received)
        except* Exception:
            self._failed += 1
            logger.exception("connection failed", extra={"remote": label})
        finally:
            self._open -= 1
            client.close()

    def _refuse(self, client: socket.socket) -> None:
        """Say that there is no room, without waiting for the client to ask, read or end."""
        self._refused += 1
        if not self._full:
            self._full = True
            logger.warning("full", extra={"connections": self._open})
        client.setblocking(False)
        with suppress(OSError):
            client.send(_FULL)
            client.shutdown(socket.SHUT_WR)
        self._refused_clients.append(client)
        if len(self._refused_clients) > _KEPT_REFUSED:
            oldest = self._refused_clients.popleft()
            with suppress(OSError):
                oldest.recv(len(_FULL) * _KEPT_REFUSED)
            oldest.close()

    def _on_exhausted(self, error: OSError) -> None:
        if not self._exhausted:
            self._exhausted = True
            name = errno.errorcode.get(error.errno or 0, "")
            logger.error("no room for another connection", extra={"error": name, "text": os.strerror(error.errno or 0)})


def _label(client: socket.socket) -> str:
    """Return the client's address for logs and tasks."""
    try:
        address: object = client.getpeername()
    except OSError:
        return "gone"
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "local"
