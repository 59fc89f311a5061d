"""Leaving a codespace: a body that ends well has its edits confirmed first; any other leaves at once."""

import math

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pyshare.client import CodespaceClosed, EditsRefused, EditsUnconfirmed
from pyshare.core.changeset import Change
from pyshare.core.errors import CloseCode
from pyshare.core.protocol import RefusedFrame
from tests.client.world import World


async def test_what_was_typed_last_is_committed_when_the_body_ends() -> None:
    world = World()
    async with world.client() as codespace:
        codespace.insert(0, "hello")
    assert world.server.document.text == "hello"
    assert codespace.unconfirmed == 0
    assert world.connection.goodbye


async def test_a_body_that_has_typed_nothing_leaves_at_once(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client():
        world.unreachable = True
        world.connection.end()
        await wait_all_tasks_blocked()
    assert trio.current_time() == 0


async def test_edits_that_meet_no_server_are_sent_when_it_is_back_before_the_deadline(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.client() as codespace:
        world.connection.end()
        world.fails(4)
        codespace.insert(0, "late")
    assert world.server.document.text == "late"


@pytest.mark.parametrize(("save_seconds", "seconds"), [(None, 15), (3, 3), (0, 0)])
async def test_edits_that_are_not_confirmed_in_time_are_an_error_with_the_text_that_was_not_saved(
    save_seconds: float | None, seconds: float, autojump_clock: MockClock
) -> None:
    world = World("abc")
    world.holds_pushes = True

    async def stay() -> None:
        stay = world.client() if save_seconds is None else world.client(save_seconds=save_seconds)
        async with stay as codespace:
            codespace.insert(3, "1\n")
            await wait_all_tasks_blocked()
            codespace.insert(0, "2\n")

    with pytest.raises(EditsUnconfirmed) as caught:
        await stay()
    assert trio.current_time() == seconds
    error = caught.value
    assert (error.count, error.text) == (2, "2\nabc1\n")
    assert error.changes == (Change(0, 0, "2\n"), Change(3, 3, "1\n"))
    reason = f"the server has not confirmed them within {seconds} seconds"
    assert str(error) == f"2 edits are not known to be saved: {reason}"


async def test_edits_on_a_dead_connection_are_sent_on_another_one_before_the_deadline(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.client() as codespace:
        world.connection.dead = True
        codespace.insert(0, "x")
    assert world.server.document.text == "x"
    assert trio.current_time() == 10.25


async def test_a_deadline_without_end_is_none(autojump_clock: MockClock) -> None:
    world = World()
    world.holds_pushes = True

    async def confirm_late() -> None:
        await trio.sleep(1000)
        world.connection.trickle()
        world.connection.arrive(world.connection.held[0])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(confirm_late)
        async with world.client(save_seconds=math.inf) as codespace:
            codespace.insert(0, "x")
    assert world.server.document.text == "x"


async def test_a_client_that_gives_up_with_edits_in_hand_says_so_with_the_reason() -> None:
    world = World()
    world.holds_pushes = True

    async def stay() -> None:
        async with world.client() as codespace:
            codespace.insert(0, "x")
            world.connection.end(CloseCode.GONE, "deleted")

    with pytest.raises(EditsUnconfirmed, match="1 edit is not known to be saved: 4410 deleted") as caught:
        await stay()
    assert caught.value.text == "x"


async def test_a_client_that_gave_up_with_nothing_in_hand_leaves_without_an_error() -> None:
    world = World()
    async with world.client() as codespace:
        world.connection.end(CloseCode.GONE, "deleted")
        with pytest.raises(CodespaceClosed):
            await codespace.wait_version(1)


async def test_edits_that_are_refused_while_one_leaves_are_an_error(autojump_clock: MockClock) -> None:
    world = World()
    world.holds_pushes = True

    async def stay() -> None:
        async with world.client() as codespace:
            codespace.insert(0, "x")
            await wait_all_tasks_blocked()
            world.connection.deliver(RefusedFrame(1, "invalid", "no"))

    with pytest.raises(EditsRefused, match="invalid: no"):
        await stay()


async def test_a_body_that_raises_leaves_at_once_with_what_it_raised(autojump_clock: MockClock) -> None:
    world = World()
    world.holds_pushes = True

    async def stay() -> None:
        async with world.client() as codespace:
            codespace.insert(0, "x")
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await stay()
    assert trio.current_time() == 0


async def test_a_body_that_is_cancelled_leaves_at_once_and_so_does_one_that_waits_to_leave(
    autojump_clock: MockClock,
) -> None:
    for sleep_seconds in (math.inf, 0):
        world = World()
        world.holds_pushes = True
        started = trio.current_time()
        with trio.move_on_after(2) as scope:
            async with world.client() as codespace:
                codespace.insert(0, "x")
                await trio.sleep(sleep_seconds)
        assert scope.cancelled_caught
        assert trio.current_time() - started == 2


async def test_a_deadline_that_is_no_time_is_named_before_anything_is_dialled() -> None:
    world = World()
    for seconds in (-1, math.nan):
        with pytest.raises(ValueError, match=f"save_seconds is {seconds}; should be 0 or more"):
            async with world.client(save_seconds=seconds):
                pytest.fail("there is nothing to enter")
    assert world.dials == []
