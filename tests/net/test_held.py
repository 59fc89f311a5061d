"""The memory that connections hold together: what counts, and who is let go above the limit."""

from contextlib import AsyncExitStack

import trio
from trio.testing import MockClock

from pyshare.actors.messages import Join, Leave, Received
from pyshare.core.framing import text_frame
from pyshare.net.held import HeldBytes
from tests.net.scripted import LIMITS, World, let_in, raw_frame, serving

SELECT = b'{"type":"select","version":0,"ranges":[]}'


class Connection:
    """A holder that notes that it was let go."""

    def __init__(self) -> None:
        self.gone = False

    def shed(self) -> None:
        """Note it."""
        self.gone = True


def test_who_holds_most_is_let_go_and_the_others_stay() -> None:
    held = HeldBytes(1000)
    small, large, other = Connection(), Connection(), Connection()
    held.hold_unfinished(small, 100)
    held.hold_unfinished(large, 600)
    held.hold_unfinished(other, 301)
    assert (small.gone, large.gone, other.gone) == (False, True, False)


def test_nobody_else_is_let_go_while_one_that_was_is_ending() -> None:
    held = HeldBytes(1000)
    large, other = Connection(), Connection()
    held.hold_unfinished(large, 1001)
    held.hold_unfinished(other, 900)
    assert (large.gone, other.gone) == (True, False)
    held.let_go(large)
    assert held.bytes == 900
    held.hold_unfinished(other, 1001)
    assert other.gone


def test_bytes_that_many_have_sent_in_part_count_once() -> None:
    held = HeldBytes(1000)
    frame = bytes(900)
    readers = [Connection() for _ in range(50)]
    for reader in readers:
        held.hold_write(reader, frame)
    assert held.bytes == 900
    hog = Connection()
    held.hold_unfinished(hog, 101)
    assert hog.gone, "each reader has 18 of the 900"
    assert not any(reader.gone for reader in readers)
    for reader in readers:
        held.hold_write(reader, None)
    held.let_go(hog)
    assert (held.bytes, len(held)) == (0, 0)


def test_all_that_hold_most_are_let_go_until_the_rest_is_within_the_limit() -> None:
    held = HeldBytes(1000)
    readers = [Connection() for _ in range(4)]
    frame = bytes(2000)
    for reader in readers:
        held.hold_write(reader, frame)
    while gone := [reader for reader in readers if reader.gone]:
        for reader in gone:
            readers.remove(reader)
            held.let_go(reader)
    assert (held.bytes, readers) == (0, [])


async def joined(world: World) -> Join:
    await let_in(world.client)
    return await world.next(Join)


async def test_unfinished_messages_of_many_clients_are_bounded_and_those_with_little_stay(
    autojump_clock: MockClock,
) -> None:
    held = HeldBytes(200_000)
    most = 0
    async with AsyncExitStack() as stack:
        calm = await stack.enter_async_context(serving(held=held))
        await joined(calm)
        await calm.client.send(raw_frame(0x1, SELECT, length=len(SELECT))[:-1])
        hostile = [await stack.enter_async_context(serving(held=held)) for _ in range(8)]
        for world in hostile:
            await joined(world)
            await world.client.send(
                raw_frame(0x1, "\U0001f600".encode() * 4000, length=LIMITS.message_bytes - 1)[:16_000]
            )
            await trio.testing.wait_all_tasks_blocked()
            most = max(most, held.bytes)
        assert most <= 200_000 + 4 * 4096 + 80
        closed = 0
        for world in hostile:
            if world.ended.is_set() or not world.leases:
                await world.next(Leave)
                closed += 1
                assert (await world.client.closing())[0] == 1013
        assert closed == 5
        # The calm one ends its message.
        await calm.client.send(SELECT[-1:])
        await calm.next(Received)
        for world in (calm, *hostile):
            world.client.stream.socket.close()
    assert (held.bytes, len(held)) == (0, 0), "the sizes return"


async def test_writes_that_clients_do_not_read_are_bounded(autojump_clock: MockClock) -> None:
    held = HeldBytes(250_000)
    async with AsyncExitStack() as stack:
        worlds = [await stack.enter_async_context(serving(held=held)) for _ in range(6)]
        for index, world in enumerate(worlds):
            join = await joined(world)
            assert join.outlet.write_nowait(text_frame(b"%d" % index * 100_000))
            assert held.bytes <= 300_010
        for world in worlds:
            world.client.stream.socket.close()
    assert (held.bytes, len(held)) == (0, 0)
