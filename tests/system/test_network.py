"""The socket edge of the bad networks of tests: ports, kernel buffers, ends and resets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio

from tests.network.line import Quality
from tests.network.passages import Network
from tests.network.sockets import dial_tcp, open_port

#: Seconds that anything here may take.
PATIENCE_SECONDS = 20


async def echo(stream: trio.SocketStream) -> None:
    async with stream:
        with suppress(trio.BrokenResourceError):
            async for data in stream:
                await stream.send_all(data)


@asynccontextmanager
async def echoed(network: Network) -> AsyncIterator[int]:
    """Hold a port that leads through a network to a server that sends back what comes."""
    with trio.fail_after(PATIENCE_SECONDS):
        async with echoing(network) as port:
            yield port


@asynccontextmanager
async def echoing(network: Network) -> AsyncIterator[int]:
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, echo, [listener])
        port: int = listener.socket.getsockname()[1]
        async with open_port(network, dial_tcp("127.0.0.1", port)) as through:
            yield through
        nursery.cancel_scope.cancel()


async def receive(stream: trio.SocketStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = await stream.receive_some()
        assert part, "the stream has ended"
        data += part
    return data


async def test_bytes_pass_both_ways_and_take_their_time() -> None:
    network = Network(down=Quality(100_000, delay_seconds=0.1))
    data = bytes(range(256)) * 200
    async with echoed(network) as port, await trio.open_tcp_stream("127.0.0.1", port) as client:
        began = trio.current_time()
        await client.send_all(data)
        assert await receive(client, len(data)) == data
        assert trio.current_time() - began > 0.6


async def test_what_is_sent_into_a_silence_is_not_hidden_in_buffers_for_long() -> None:
    network = Network()
    async with echoed(network) as port, await trio.open_tcp_stream("127.0.0.1", port) as client:
        client.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_SNDBUF, 8192)
        await client.send_all(b"x")
        await receive(client, 1)
        network.fall_silent()
        sent = 0
        with trio.move_on_after(0.5):
            while True:
                await client.send_all(bytes(1024))
                sent += 1024
        assert sent < 200_000


async def test_a_cut_is_an_end_or_a_reset_and_refused_connections_end_at_once() -> None:
    network = Network()
    async with echoed(network) as port:
        for reset in (False, True):
            async with await trio.open_tcp_stream("127.0.0.1", port) as client:
                await client.send_all(b"x")
                await receive(client, 1)
                assert network.cut(reset=reset) == 1
                if reset:
                    with pytest.raises(trio.BrokenResourceError):
                        await client.receive_some()
                else:
                    assert await client.receive_some() == b""
        network.refuses = True
        async with await trio.open_tcp_stream("127.0.0.1", port) as client:
            assert await client.receive_some() == b""
        assert network.carried == 2
