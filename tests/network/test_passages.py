"""A network between streams in memory, on a clock that jumps."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair

from tests.network.line import Quality
from tests.network.passages import Network

Streams = tuple[trio.abc.Stream, trio.abc.Stream]


@asynccontextmanager
async def connected(network: Network) -> AsyncIterator[Streams]:
    """Hold both ends of a connection through a network."""
    client, near = lockstep_stream_pair()
    far, server = lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.carry, near, far)
        await trio.testing.wait_all_tasks_blocked()
        yield client, server
        nursery.cancel_scope.cancel()


async def receive(stream: trio.abc.Stream, count: int) -> float:
    """Receive so many bytes; return the time of the last one."""
    while count > 0:
        data = await stream.receive_some()
        assert data, "the stream has ended"
        count -= len(data)
    return trio.current_time()


async def hears_the_end(stream: trio.abc.Stream) -> bool:
    """Return whether a stream ends, with nothing before it, before an hour is over."""
    with trio.move_on_after(3600):
        return await stream.receive_some() == b""
    return False


async def test_each_direction_has_its_own_speed_and_delay(autojump_clock: MockClock) -> None:
    network = Network(up=Quality(1000), down=Quality(10_000, delay_seconds=3))
    async with connected(network) as (client, server):
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, bytes(20_000))
            nursery.start_soon(server.send_all, bytes(20_000))
            assert await receive(client, 20_000) - began == pytest.approx(2 + 3)
            assert await receive(server, 20_000) - began == pytest.approx(20)


async def test_a_sender_has_sent_what_is_in_the_buffer_and_no_more(autojump_clock: MockClock) -> None:
    network = Network(up=Quality(1000, buffer_bytes=2000))
    async with connected(network) as (client, server), trio.open_nursery() as nursery:
        nursery.start_soon(receive, server, 10_000)
        began = trio.current_time()
        await client.send_all(bytes(10_000))
        assert 7 < trio.current_time() - began < 9


async def test_a_silence_is_over_after_its_time_or_never_and_new_connections_work(autojump_clock: MockClock) -> None:
    network = Network()
    async with connected(network) as (client, server):
        network.fall_silent(20)
        began = trio.current_time()
        await client.send_all(b"late")
        assert await receive(server, 4) - began == 20
        network.fall_silent()
        await client.send_all(b"never")
        assert not await hears_the_end(server)
        async with connected(network) as (other, its_server):
            await other.send_all(b"new")
            await receive(its_server, 3)


async def test_a_silence_of_one_direction_leaves_the_other(autojump_clock: MockClock) -> None:
    network = Network()
    async with connected(network) as (client, server):
        network.fall_silent(ways=("down",))
        await client.send_all(b"question")
        await receive(server, 8)
        await server.send_all(b"answer")
        assert not await hears_the_end(client)


async def test_connections_that_are_opened_in_a_silence_are_silent_until_its_end(autojump_clock: MockClock) -> None:
    network = Network()
    network.fall_silent(20, new=True)
    began = trio.current_time()
    async with connected(network) as (client, server):
        await client.send_all(b"hello")
        assert await receive(server, 5) - began == 20


async def test_a_cut_at_a_byte_ends_both_directions_after_it(autojump_clock: MockClock) -> None:
    network = Network()
    network.on_passage = lambda passage: passage.cut_after(3, "down")
    async with connected(network) as (client, server):
        await server.send_all(b"hello")
        assert await client.receive_some() == b"hel"
        assert await hears_the_end(client)
        assert await hears_the_end(server)
    assert network.passages == []


async def test_a_cut_now_is_at_once_whatever_is_under_way(autojump_clock: MockClock) -> None:
    network = Network(up=Quality(1000, delay_seconds=5))
    async with connected(network) as (client, server):
        await client.send_all(bytes(1000))
        began = trio.current_time()
        assert network.cut() == 1
        assert await hears_the_end(server)
        assert await hears_the_end(client)
        assert trio.current_time() == began


async def test_an_end_of_one_side_arrives_after_its_bytes(autojump_clock: MockClock) -> None:
    network = Network(up=Quality(1000))
    async with connected(network) as (client, server):
        await client.send_all(bytes(1000))
        await client.aclose()
        await receive(server, 1000)
        assert await hears_the_end(server)


async def test_another_quality_is_that_of_open_connections_too(autojump_clock: MockClock) -> None:
    network = Network(up=Quality(1))
    async with connected(network) as (client, server):
        await client.send_all(bytes(1000))
        await trio.sleep(1)
        network.become()
        began = trio.current_time()
        await receive(server, 1000)
        assert trio.current_time() == began
