"""A whole server without ports, and clients that come to it through bad networks, under a clock that jumps.

The server's parts are the real ones, from the first byte of a connection on, with the
default settings. Only the listener is left out. Each client has its end of a stream
in memory that keeps nothing: what a client has sent has entered the network.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from itertools import count
from typing import Final

import trio
from trio.testing import lockstep_stream_pair

from pyshare.actors.supervisor import Supervisor, SupervisorLimits, SupervisorMessage, open_lease
from pyshare.client import Codespace, connect
from pyshare.client.transport import Connection, OpenConnection, wrap_stream
from pyshare.limits import channel_limits, connection_limits, store_limits
from pyshare.net.addresses import Address
from pyshare.net.auth import Admission
from pyshare.net.connection import serve_connection
from pyshare.settings import Settings
from pyshare.store.memory import MemoryStore
from tests.network.passages import Network

CODESPACE: Final = "tmp-0d2b6f0e-7a51-4a3e-9c0c-6d3c6f1f7a10"
URL: Final = f"ws://server/codespace/{CODESPACE}/"
#: Bytes of each buffer of the server's sockets, about.
_BUFFER_BYTES: Final = 8192


class World:
    """A server and its clients."""

    def __init__(
        self, nursery: trio.Nursery, mailbox: trio.MemorySendChannel[SupervisorMessage], settings: Settings
    ) -> None:
        self._nursery = nursery
        self._limits = connection_limits(settings)
        self._open_lease = partial(open_lease, mailbox)
        self._ports = count(1)
        #: Close codes of the connections that have ended, as the server counts them.
        self.closes: list[str] = []

    async def dial(self, network: Network) -> trio.abc.Stream:
        """Return a client's end of a new connection to the server, through a network."""
        ours, near = lockstep_stream_pair()
        far, theirs = socket.socketpair()
        for each in (far, theirs):
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                each.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
        await trio.lowlevel.checkpoint()
        number = next(self._ports)
        self._nursery.start_soon(self._serve, theirs, Address("192.0.2.1", number), name=f"connection {number}")
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(far))
        self._nursery.start_soon(network.carry, near, stream, name=f"network of connection {number}")
        return ours

    def opener(self, network: Network) -> OpenConnection:
        """Return how the Python client comes by its connections through a network."""

        @asynccontextmanager
        async def open_connection(url: str, max_message_bytes: int) -> AsyncIterator[Connection]:
            stream = await self.dial(network)
            async with wrap_stream(stream, url, max_message_bytes) as connection:
                yield connection

        return open_connection

    def joins(
        self, network: Network | None = None, *, session: bytes | None = None
    ) -> AbstractAsyncContextManager[Codespace]:
        """Connect a Python client through a network, by default a perfect one."""
        opener = self.opener(network or Network())
        return connect(URL, session=session, patient=True, jitter=lambda: 0.0, open_connection=opener)

    async def _serve(self, client: socket.socket, address: Address) -> None:
        await serve_connection(
            client,
            address,
            admit=_admit,
            open_channel=self._open_lease,
            limits=self._limits,
            now=trio.current_time,
            on_closed=self.closes.append,
        )


async def _admit(token: str) -> Admission:
    """Let everybody edit every codespace."""
    await trio.lowlevel.checkpoint()
    return Admission(token, "edit", create=True)


@asynccontextmanager
async def open_world(settings: Settings | None = None) -> AsyncIterator[World]:
    """Run a server until the context is left, with the default settings if none are given."""
    settings = settings or Settings()
    async with trio.open_nursery() as nursery:
        store = MemoryStore(store_limits(settings))
        await nursery.start(store.run)
        mailbox, messages = trio.open_memory_channel[SupervisorMessage](float("inf"))
        supervisor = Supervisor(store, instance="one", limits=SupervisorLimits(channel_limits(settings)))
        await nursery.start(supervisor.run, messages)
        yield World(nursery, mailbox, settings)
        nursery.cancel_scope.cancel()
