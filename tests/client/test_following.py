"""Following a codespace: own edits and those of others, connections lost and found, modes, names, and rest."""

import inspect
import math
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import pyshare.client
from pyshare.client import (
    Change,
    Codespace,
    CodespaceClosed,
    ConnectionLost,
    Event,
    EventStream,
    Missed,
    ModeChanged,
    Reconnected,
    TextChanged,
    Update,
    UpdatesMissed,
)
from pyshare.client.committed import CommittedText
from pyshare.client.link import ClientLimits
from pyshare.core.changeset import ChangeSet
from pyshare.core.errors import CloseCode
from pyshare.core.protocol import RefusedFrame
from pyshare.core.units import from_units
from tests.client.model import LIMITS, ModelServer
from tests.client.test_codespace import others, read
from tests.client.world import World


def rebuilt(text: str, events: list[Event]) -> str:
    """Return what the changes of `events` make of `text`."""
    for event in events:
        if isinstance(event, TextChanged):
            for change in reversed(event.changes):
                text = text[: change.start] + change.insert + text[change.end :]
    return text


async def test_own_edits_are_events_too_told_at_once_and_marked(autojump_clock: MockClock) -> None:
    world = World("b")
    async with world.client() as codespace:
        events = codespace.events()
        codespace.insert(0, "a")
        assert events.read_nowait() == [TextChanged((Change(0, 0, "a"),), 0, codespace.id, own=True)]
        await codespace.wait_confirmed()
        others(world, Change(2, 2, "c"))
        assert await read(events) == [TextChanged((Change(2, 2, "c"),), 2, "others")]


async def test_a_text_is_rebuilt_from_events_through_edits_of_all_refusals_and_lost_connections(
    autojump_clock: MockClock,
) -> None:
    world = World(server=ModelServer("one\ntwo\n", history=1))
    async with world.client() as codespace:
        events, text = codespace.events(), codespace.text
        codespace.append("\U0001f600 mine\n")
        others(world, Change(0, 0, "\ud83d\ude00 "))
        codespace.insert(2, "x")
        await codespace.wait_confirmed()
        world.connection.end()
        others(world, Change(0, 2, "zero\n"), Change(5, 6))
        others(world, Change(0, 0, "!"))
        codespace.insert(1, "y")
        await codespace.wait_confirmed()
        world.holds_pushes = True
        codespace.insert(3, "z")
        await wait_all_tasks_blocked()
        world.holds_pushes = False
        world.connection.deliver(RefusedFrame(world.connection.held[0].seq, "invalid", "no"))
        with pytest.raises(pyshare.client.EditsRefused):
            await codespace.wait_confirmed()
        await codespace.wait_connected()
        assert rebuilt(text, await read(events)) == codespace.text


def built(text: str, updates: list[Update]) -> str:
    """Return what committed `updates` make of a committed text."""
    for update in updates:
        for change in reversed(update.changes):
            text = text[: change.start] + change.insert + text[change.end :]
    return text


async def test_what_is_committed_is_followed_with_authors_of_all_edits(autojump_clock: MockClock) -> None:
    world = World("b")
    async with world.client() as codespace:
        updates = codespace.updates()
        world.holds_pushes = True
        codespace.insert(0, "\U0001f600")
        codespace.insert(0, "a")
        assert codespace.committed_text == "b"
        await wait_all_tasks_blocked()
        others(world, Change(1, 1, "c"))
        world.connection.arrive(world.connection.held[0])
        await codespace.wait_confirmed()
        assert [await anext(updates), *updates.read_nowait()] == [
            Update(1, "others", 1, (Change(1, 1, "c"),)),
            Update(2, codespace.id, 1, (Change(0, 0, "a\U0001f600"),), own=True),
        ]
        assert codespace.committed_text == codespace.text == "a\U0001f600bc"


async def test_a_log_is_rebuilt_through_edits_of_all_and_texts_that_were_fetched_again(
    autojump_clock: MockClock,
) -> None:
    world = World(server=ModelServer("one\n", history=1))
    async with world.client() as codespace:
        start, text = codespace.version, codespace.committed_text
        codespace.append("\U0001f600 mine\n")
        others(world, Change(0, 0, "\ud83d\ude00 "))
        await codespace.wait_confirmed()
        world.connection.end()
        others(world, Change(0, 2, "zero\n"))
        others(world, Change(0, 0, "!"))
        await codespace.reconnect()
        codespace.insert(1, "y")
        await codespace.wait_confirmed()
        updates = codespace.updates(since=start).read_nowait()
        assert [update.sender for update in updates] == ["others", codespace.id, None, codespace.id]
        assert [update.version for update in updates] == [1, 2, 4, 5]
        assert built(text, updates) == codespace.committed_text == from_units(world.server.document.text)
        assert codespace.updates(since=4).read_nowait() == updates[3:]


async def test_updates_that_are_not_kept_are_an_error_and_so_is_a_reader_that_is_too_slow() -> None:
    world = World()
    async with world.client(limits=ClientLimits(updates=2)) as codespace:
        updates = codespace.updates()
        for number in range(3):
            others(world, Change(number, number, "x"))
        await codespace.wait_version(3)
        with pytest.raises(UpdatesMissed, match="the client keeps 2 updates"):
            await anext(updates)
        with pytest.raises(ValueError, match="updates since version 0 are not kept; the text now has version 3"):
            codespace.updates(since=0)
        assert [update.version for update in codespace.updates(since=1).read_nowait()] == [2, 3]
    with pytest.raises(CodespaceClosed):
        await anext(codespace.updates())


async def test_edits_that_come_to_nothing_are_no_events() -> None:
    async with World("a").client() as codespace:
        events = codespace.events()
        codespace.insert(0, "")
        codespace.set_text("a")
        assert events.read_nowait() == []


async def test_events_are_read_without_waiting_and_an_edit_can_follow_at_once(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:
        events = codespace.events()
        assert events.read_nowait() == []
        others(world, Change(0, 0, "a"))
        others(world, Change(1, 1, "b"))
        await wait_all_tasks_blocked()
        assert rebuilt("", events.read_nowait()) == codespace.text == "ab"
        assert events.read_nowait() == []
        others(world, Change(2, 2, "c"))
        assert await anext(events) == TextChanged((Change(2, 2, "c"),), 3, "others")


async def test_reading_without_waiting_tells_what_was_missed_and_ends_as_waiting_does() -> None:
    stream = EventStream(2, 10_000)
    reconnected = Reconnected(resumed=True)
    stream.put([reconnected] * 3)
    assert stream.read_nowait() == [Missed(3)]
    stream.put([reconnected])
    stream.end(CodespaceClosed(CloseCode.GONE, "deleted"))
    assert stream.read_nowait() == [reconnected]
    with pytest.raises(CodespaceClosed, match="4410 deleted"):
        stream.read_nowait()


async def test_a_stream_keeps_events_of_so_many_bytes_and_no_more() -> None:
    long = TextChanged((Change(0, 0, "x" * 1000),), 1, "others")
    stream = EventStream(100, 10_000)
    stream.put([long] * 2)
    assert await anext(stream) == long
    stream.put([long])
    assert stream.read_nowait() == [long, long]
    stream.put([long] * 3)
    assert stream.read_nowait() == [Missed(3)]
    stream.put([Reconnected(resumed=True)] * 51)
    assert stream.read_nowait() == [Missed(51)]
    stream.put([long])
    assert stream.read_nowait() == [long]


def test_committed_updates_of_so_many_bytes_are_kept_and_no_more() -> None:
    log = CommittedText(100, 10_000)
    log.fetched("epoch", 0, "")
    for number in range(5):
        changes = ChangeSet.of([Change(0, 0, "x" * 1000)], len(log.text))
        log.note(1, changes, "others", number, f"others:{number}", own=False)
        log.text = changes.apply(log.text)
    assert [log.at(place).version for place in (3, 4)] == [4, 5]
    with pytest.raises(UpdatesMissed, match="keeps 2 updates"):
        log.at(2)


async def test_lost_connections_and_failed_attempts_are_told_with_reason_and_next_attempt(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.client() as codespace:
        events = codespace.events()
        await trio.sleep(2)
        world.fails(1, CloseCode.TRY_LATER)
        world.connection.end(CloseCode.RESTARTING, "restarts")
        await wait_all_tasks_blocked()
        await codespace.wait_connected()
        assert await read(events) == [
            ConnectionLost("restarts", CloseCode.RESTARTING, 2.25),
            ConnectionLost("out of order", CloseCode.TRY_LATER, 2.75),
            Reconnected(resumed=True),
        ]


async def test_another_mode_is_told_and_the_first_one_is_none(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:
        events = codespace.events()
        await codespace.reconnect()
        world.mode = "view_only"
        await codespace.reconnect()
        told = [event for event in await read(events) if isinstance(event, ModeChanged)]
        assert told == [ModeChanged("view_only")]


async def test_another_name_is_told_by_a_new_connection(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client("bot") as codespace:
        assert codespace.name == "bot"
        await codespace.rename("grader")
        assert codespace.name == "grader"
        with pytest.raises(ValueError, match="a name of 65 characters"):
            await codespace.rename("x" * 65)
    assert [dial.arrival.name for dial in world.dials] == ["bot", "grader"]
    assert world.dials[0].arrival.session == world.dials[1].arrival.session


async def test_the_servers_limits_are_shown() -> None:
    async with World().client() as codespace:
        assert codespace.limits == LIMITS


async def test_rest_is_waited_for_from_the_last_change_of_anybody(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:
        await codespace.wait_quiet(2)
        assert trio.current_time() == 2
        await codespace.wait_quiet(2)
        assert trio.current_time() == 2, "it is quiet"
        async with trio.open_nursery() as nursery:
            codespace.insert(0, "x")
            nursery.start_soon(codespace.wait_quiet, 2)
            await trio.sleep(1.5)
            others(world, Change(0, 0, "y"))
            await trio.sleep(1.5)
            codespace.insert(0, "z")
        assert trio.current_time() == 2 + 1.5 + 1.5 + 2


async def test_there_is_no_rest_without_a_connection(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:
        await trio.sleep(10)
        world.fails(3)
        world.connection.end()
        await wait_all_tasks_blocked()
        await codespace.wait_quiet(1)
        assert trio.current_time() == 10 + 0.25 + 0.5 + 1 + 2 + 1
        world.connection.end(CloseCode.GONE, "deleted")
        await wait_all_tasks_blocked()
        with pytest.raises(CodespaceClosed, match="4410 deleted"):
            await codespace.wait_quiet(1)


async def test_a_wait_for_rest_without_end_can_be_cancelled(autojump_clock: MockClock) -> None:
    async with World().client() as codespace:
        with trio.move_on_after(100) as patience:
            await codespace.wait_quiet(math.inf)
        assert patience.cancelled_caught


def named(hint: object) -> Iterator[type]:
    """Yield the classes of pyshare in a type."""
    if isinstance(hint, type) and hint.__module__.startswith("pyshare."):
        yield hint
    for part in get_args(hint):
        yield from named(part)


def test_whatever_a_signature_of_the_client_names_is_exported() -> None:
    exported = {name: getattr(pyshare.client, name) for name in pyshare.client.__all__}
    classes = [each for each in exported.values() if inspect.isclass(each)]
    hints: list[object] = [*exported.values()]
    for each in (*classes, pyshare.client.connect, pyshare.client.open_websocket):
        members = [
            member.fget if isinstance(member, property) else member
            for name, member in inspect.getmembers_static(each)
            if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
        ]
        for member in (each, *members):
            hints.extend(get_type_hints(member).values())
    assert Codespace in exported.values()
    assert {found.__name__ for hint in hints for found in named(hint)} <= set(exported)


def test_the_page_names_every_event_and_every_error() -> None:
    page = Path(pyshare.client.__file__).parents[2] / "docs" / "python-client.md"
    text = page.read_text(encoding="utf-8")
    exported = [getattr(pyshare.client, name) for name in pyshare.client.__all__]
    errors = [each for each in exported if inspect.isclass(each) and issubclass(each, pyshare.client.PyshareError)]
    for each in (*get_args(Event), *errors):
        assert f"`{each.__name__}" in text
