"""Progress, not time: the Python client and a whole server over lines that are slow, silent or dead."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from pyshare.client import Codespace, connect
from pyshare.client.transport import Connection
from pyshare.settings import Settings
from tests.network.line import Quality
from tests.network.passages import WAYS, Network, Way
from tests.network.world import URL, World, open_world

#: 300 KB as JSON.
LONG = "漢字かな交じり文\n" * 11_000
#: About two minutes for these.
SLOW = Quality(2400, delay_seconds=0.3)


async def fill(world: World, text: str) -> None:
    """Put a text into the codespace, over a perfect line."""
    async with world.joins() as codespace:
        codespace.insert(0, text)
        await codespace.wait_confirmed()


async def types_elsewhere(world: World, text: str) -> None:
    """Have somebody else type at the end."""
    async with world.joins() as codespace:
        codespace.insert(codespace.length, text)
        await codespace.wait_confirmed()


async def test_a_long_text_opens_over_a_slow_line_at_the_first_attempt(autojump_clock: MockClock) -> None:
    network = Network(down=SLOW)
    async with open_world() as world:
        await fill(world, LONG)
        async with world.joins(network) as codespace:
            assert codespace.text == LONG
            assert trio.current_time() > 100
        assert network.carried == 1
        assert set(world.closes) == {"1000"}


async def test_a_long_paste_is_saved_over_a_slow_line_at_the_first_attempt(autojump_clock: MockClock) -> None:
    network = Network(up=SLOW)
    async with open_world() as world:
        async with world.joins(network) as codespace:
            codespace.insert(0, LONG)
            await codespace.wait_confirmed()
            assert trio.current_time() > 100
        assert network.carried == 1
        assert set(world.closes) == {"1000"}


@pytest.mark.parametrize("way", WAYS)
async def test_a_client_that_only_reads_notices_a_dead_connection_before_the_server_gives_it_up(
    way: Way, autojump_clock: MockClock
) -> None:
    network = Network()
    async with open_world() as world, world.joins(network) as codespace:
        await trio.sleep(300)
        assert network.carried == 1
        network.fall_silent(ways=(way,))
        died = trio.current_time()
        await types_elsewhere(world, "news")
        await codespace.wait_text("news")
        assert trio.current_time() - died < 60
        await codespace.wait_connected()
        assert network.carried == 2 if way == "down" else network.carried <= 2


async def connected_again(network: Network, codespace: Codespace) -> float:
    """Wait until there is a second connection that has its welcome; return how long it took."""
    began = trio.current_time()
    while network.carried < 2:  # noqa: ASYNC110 - a network tells nobody
        await trio.sleep(0.5)
    await codespace.wait_connected()
    return trio.current_time() - began


@pytest.mark.parametrize(("way", "seconds"), [("up", 20), ("down", 80)])
async def test_a_connection_that_dies_in_the_middle_of_a_long_paste_is_replaced_soon_and_nothing_comes_twice(
    way: Way, seconds: float, autojump_clock: MockClock
) -> None:
    network = Network(up=SLOW)
    async with open_world() as world, world.joins(network) as codespace:
        codespace.insert(0, LONG)
        await trio.sleep(60)
        network.fall_silent(ways=(way,))
        # While bytes of the push leave, the connection is not dead.
        assert await connected_again(network, codespace) < seconds
        network.become()
        await codespace.wait_confirmed()
        assert codespace.text == LONG
        async with world.joins() as other:
            assert other.text == LONG


@pytest.mark.parametrize("seconds", [8, 600])
async def test_a_silence_in_which_a_welcome_arrives_ends_it_only_if_it_is_long(
    seconds: float, autojump_clock: MockClock
) -> None:
    network = Network(down=SLOW)
    async with open_world() as world:
        await fill(world, LONG)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_breaks, network, seconds)
            async with world.joins(network) as codespace:
                assert codespace.text == LONG
        assert network.carried == (1 if seconds == 8 else 2)


async def _breaks(network: Network, seconds: float) -> None:
    await trio.sleep(60)
    network.fall_silent(seconds)


async def test_an_edit_of_a_client_that_is_not_read_because_of_its_debts_is_not_taken_for_unanswered(
    autojump_clock: MockClock,
) -> None:
    network = Network()
    connections: list[Connection] = []

    @asynccontextmanager
    async def open_connection(url: str, max_message_bytes: int) -> AsyncIterator[Connection]:
        async with world.opener(network)(url, max_message_bytes) as connection:
            connections.append(connection)
            yield connection

    settings = Settings(pushes_per_second=10)
    async with open_world(settings) as world, connect(URL, open_connection=open_connection) as codespace:
        for _ in range(300):
            await connections[0].send('{"type":"select","version":0,"ranges":[]}')
        began = trio.current_time()
        codespace.insert(0, "x")
        await codespace.wait_confirmed()
        assert trio.current_time() - began > 25
        assert network.carried == 1
