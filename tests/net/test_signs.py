"""Signs of life: what a client that asks for progress is told, and when, over a pair of sockets."""

import json
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock

from pyshare.actors.messages import Join, Leave, Received
from pyshare.core.arrival import format_session
from pyshare.core.framing import message_frames, text_frame
from pyshare.net.auth import Admission
from tests.net.scripted import LIMITS, SESSION, Client, World, admit_anyone, let_in, raw_frame, serving

WITH_PROGRESS = f"?session={format_session(SESSION)}&progress=1"
SELECT = '{"type":"select","version":0,"ranges":[]}'
ASK = '{"type":"alive"}'


class Watcher:
    """Reads what the server says, and notes when it came."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._began = trio.current_time()
        # Seconds since the beginning, and the message.
        self.heard: list[tuple[float, str]] = []

    async def listens(self, seconds: float) -> None:
        """Read for so long."""
        with trio.move_on_after(seconds):
            while True:
                message = await self._client.message()
                self.heard.append((trio.current_time() - self._began, message))

    @property
    def signs(self) -> list[float]:
        """Return when signs of life came."""
        return [time for time, message in self.heard if '"alive"' in message]

    @property
    def received(self) -> list[int]:
        """Return the bytes that the signs told of."""
        return [json.loads(message)["received"] for _, message in self.heard if '"alive"' in message]


async def welcomed(world: World, query: str = WITH_PROGRESS) -> tuple[Join, Watcher]:
    """Have a client join and welcomed."""
    await let_in(world.client, query)
    join = await world.next(Join)
    assert join.outlet.write_nowait(text_frame(b"welcome"))
    assert await world.client.message() == "welcome"
    return join, Watcher(world.client)


async def leaves(world: World) -> None:
    await world.client.close()
    await world.next(Leave)
    assert await world.client.closing_answer() == 1000


async def test_a_client_that_asks_for_progress_hears_something_in_the_time_that_limits_tell(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        join, watcher = await welcomed(world)
        assert join.pieces
        await watcher.listens(65)
        assert watcher.signs == [20, 40, 60]
        await leaves(world)


async def test_a_client_that_does_not_ask_for_progress_is_told_nothing_of_it(autojump_clock: MockClock) -> None:
    async with serving() as world:
        join, watcher = await welcomed(world, f"?session={format_session(SESSION)}")
        assert not join.pieces
        await watcher.listens(300)
        assert watcher.heard == []
        await leaves(world)


async def test_what_the_channel_says_is_a_sign_of_life_itself(autojump_clock: MockClock) -> None:
    async with serving() as world:
        join, watcher = await welcomed(world)
        for _ in range(6):
            await watcher.listens(19)
            assert join.outlet.write_nowait(text_frame(b"news"))
        await watcher.listens(21)
        assert watcher.signs == [6 * 19 + 20]
        await leaves(world)


async def test_one_who_waits_for_the_welcome_hears_every_five_seconds_that_the_server_lives(
    autojump_clock: MockClock,
) -> None:
    async def admit_slowly(token: str) -> Admission:
        await trio.sleep(12)
        return await admit_anyone(token)

    async with serving(admit=admit_slowly) as world:
        await let_in(world.client, WITH_PROGRESS)
        watcher = Watcher(world.client)
        # A channel that reads a long log has the client wait, too.
        await watcher.listens(24)
        join = await world.next(Join)
        assert join.outlet.write_nowait(text_frame(b"welcome"))
        await watcher.listens(31)
        assert watcher.signs == [5, 10, 15, 20, 44]
        await leaves(world)


async def test_while_a_long_message_arrives_its_client_hears_how_much_has_come(autojump_clock: MockClock) -> None:
    frame = raw_frame(1, SELECT.encode() + b" " * 12_000)
    async with serving() as world:
        _, watcher = await welcomed(world)
        for start in range(0, 12_000, 1000):
            await world.client.send(frame[start : start + 1000])
            await watcher.listens(1)
        assert watcher.signs == [5, 10]
        first, second = watcher.received
        assert (second - first, second > 10_000) == (5000, True)
        await world.client.send(frame[12_000:])
        await world.next(Received)
        await watcher.listens(17)
        assert watcher.signs == [5, 10], "nothing arrives any more"
        await watcher.listens(5)
        assert watcher.signs == [5, 10, 30]
        await leaves(world)


async def test_a_message_of_which_nothing_more_comes_is_told_of_once(autojump_clock: MockClock) -> None:
    frame = raw_frame(1, SELECT.encode())
    async with serving() as world:
        _, watcher = await welcomed(world)
        await watcher.listens(1)
        await world.client.send(frame[:10])
        await watcher.listens(13)
        assert watcher.signs == [6]
        await world.client.send(frame[10:20])
        await watcher.listens(4)
        assert watcher.signs == [6, 16]
        await world.client.send(frame[20:])
        await world.next(Received)
        await leaves(world)


async def test_one_who_asks_is_answered_at_once_with_what_was_received(autojump_clock: MockClock) -> None:
    async with serving() as world:
        _, watcher = await welcomed(world)
        await watcher.listens(7)
        await world.client.say(ASK)
        await watcher.listens(1)
        await world.client.say(ASK)
        await watcher.listens(21)
        assert watcher.signs == [7, 8, 28], "each question has its answer, which is a sign like any other"
        first, second, _ = watcher.received
        assert second - first == len(raw_frame(1, ASK.encode()))
        await leaves(world)


async def test_questions_are_paid_for_like_any_message(autojump_clock: MockClock) -> None:
    async with serving(replace(LIMITS, pushes_per_second=10)) as world:
        _, watcher = await welcomed(world)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.client.send, raw_frame(1, ASK.encode()) * 120)
            await watcher.listens(60)
        answers = [time for time in watcher.signs if time < 20]
        assert len(answers) == 120
        assert answers[-1] == pytest.approx(10, abs=0.5)
        await leaves(world)


async def test_a_client_in_debt_for_what_it_sent_hears_every_five_seconds_that_the_server_lives(
    autojump_clock: MockClock,
) -> None:
    async with serving(replace(LIMITS, pushes_per_second=1)) as world:
        _, watcher = await welcomed(world)
        await world.client.send(raw_frame(1, SELECT.encode()) * 20)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watcher.listens, 60)
            for _ in range(20):
                await world.next(Received)
            # What it has sent last waited so long; nothing but the signs had come.
            assert 15 < trio.current_time() < 21
        assert watcher.signs == [5, 10, 15, 35, 55]
        await leaves(world)


async def test_a_client_in_debt_for_work_hears_every_five_seconds_that_the_server_lives(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        join, watcher = await welcomed(world)
        await watcher.listens(3)
        join.outlet.charge(LIMITS.burst_steps + 22 * LIMITS.steps_per_second)
        # It is read once more, since it was being listened to; then not for 22 seconds.
        await world.client.say(SELECT)
        await world.next(Received)
        await watcher.listens(60)
        # The sign at 28 tells of a pong, which was not read before.
        assert watcher.signs == [8, 13, 18, 23, 28, 48]
        await leaves(world)


async def test_nothing_stands_between_the_pieces_of_one_frame(autojump_clock: MockClock) -> None:
    message = "x" * 300_000
    async with serving() as world:
        join, _ = await welcomed(world)
        assert join.outlet.write_nowait(message_frames(message.encode(), pieces=True))
        await world.client.say(ASK)
        # The socket has no room: a ping, a sign of life and an answer are due, and all wait.
        await trio.sleep(25)
        pieces = [await world.client.message()]
        while pieces[-1][0] == "+":
            await trio.sleep(1)
            pieces.append(await world.client.message())
        assert "".join(piece[1:] for piece in pieces) == message
        assert json.loads(await world.client.message())["type"] == "alive"
        await leaves(world)
