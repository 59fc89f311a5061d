"""The socket edge of bad networks: a TCP port that leads through one to a server.

Buffers of sockets are small, so that what a client has sent is under way and not in
the memory of the kernel.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import trio

from tests.network.passages import Network

#: Bytes of each buffer of a socket, about; the kernel takes twice as many.
_BUFFER_BYTES = 8192

Dial = Callable[[], Awaitable[trio.SocketStream]]


def dial_tcp(host: str, port: int) -> Dial:
    """Return how a TCP server is reached."""

    async def dial() -> trio.SocketStream:
        sock = trio.socket.socket()
        # The size of the window is agreed upon with the connection.
        _limit(sock)
        try:
            await sock.connect((host, port))
        except BaseException:
            sock.close()
            raise
        return trio.SocketStream(sock)

    return dial


def dial_unix(path: str) -> Dial:
    """Return how a server at a socket in the file system is reached."""
    return partial(trio.open_unix_socket, path)


@asynccontextmanager
async def open_port(network: Network, dial: Dial) -> AsyncIterator[int]:
    """Lead a free port of this machine through the network to a server, until the context is left."""
    sock = trio.socket.socket()
    # What is accepted has the same sizes.
    _limit(sock)
    await sock.bind(("127.0.0.1", 0))
    sock.listen()
    port: int = sock.getsockname()[1]
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, partial(_carry, network, dial), [trio.SocketListener(sock)])
        yield port
        nursery.cancel_scope.cancel()


def _limit(sock: trio.socket.SocketType) -> None:
    for option in (trio.socket.SO_RCVBUF, trio.socket.SO_SNDBUF):
        sock.setsockopt(trio.socket.SOL_SOCKET, option, _BUFFER_BYTES)


async def _carry(network: Network, dial: Dial, client: trio.SocketStream) -> None:
    async with client:
        if network.refuses:
            return
        try:
            server = await dial()
        except OSError:
            return
        await network.carry(client, server)
