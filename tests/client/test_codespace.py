"""A client's codespace over connections in memory, on a clock that jumps: what users can count on."""

import math
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pyshare.client import Codespace, CodespaceClosed, EditsRefused, EditsUnconfirmed, TextTooLong, ViewOnly, connect
from pyshare.client.events import (
    ConnectionLost,
    EditRefused,
    Event,
    EventStream,
    Missed,
    PeerJoined,
    PeerLeft,
    PeerSelected,
    Reconnected,
    StorageChanged,
    TextChanged,
)
from pyshare.client.link import FIRST_MESSAGE_BYTES, ClientLimits, State
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Push
from pyshare.core.errors import CLOSE_CODES, CloseCode
from pyshare.core.protocol import (
    AliveFrame,
    GoneFrame,
    Peer,
    PeerFrame,
    PeerSelectFrame,
    RefusedFrame,
    SelectFrame,
    StatusFrame,
    UpdatesFrame,
    Welcome,
)
from tests.client.model import LIMITS, ModelServer
from tests.client.world import URL, World


def others(world: World, *changes: Change) -> None:
    """Have somebody else change the text."""
    document = world.server.document
    seq = document.last_seq("others") + 1
    change_set = ChangeSet.of(list(changes), len(document.text))
    world.server.commit(Push("others", seq, document.version, (change_set,)))


async def read(stream: EventStream) -> list[Event]:
    """Return the events that there are, after everybody has done what there was to do; needs a clock that jumps."""
    events: list[Event] = []
    while True:
        with trio.move_on_after(0.001) as patience:
            events.append(await anext(stream))
        if patience.cancelled_caught:
            return events


# Coming in.


async def test_entering_waits_for_the_welcome_and_has_the_text() -> None:
    world = World("hi \ud83d\ude00")
    async with world.client("bot") as codespace:
        assert codespace.text == "hi 😀"
        assert codespace.length == 4
        assert codespace.version == 0
        assert codespace.mode == "edit"
        assert codespace.id == world.connection.client
    arrival = world.dials[0].arrival
    assert (arrival.name, arrival.session, arrival.epoch) == ("bot", codespace.session, None)


async def test_a_server_that_refuses_for_good_is_one_exception_with_its_code_and_reason() -> None:
    world = World()
    world.fails(1, CloseCode.NOT_AUTHENTICATED)
    with pytest.raises(CodespaceClosed) as caught:
        async with world.client():
            pytest.fail("there is nothing to enter")
    assert (caught.value.code, caught.value.reason) == (4401, "out of order")
    assert str(caught.value) == "4401 out of order"


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        ({"url": "ws://server/"}, r"should have the path /codespace/\{token\}/"),
        ({"url": URL, "session": b"short"}, "a session of 5 bytes; should be 16"),
        ({"url": URL, "name": "x" * 65}, "a name of 65 characters"),
    ],
)
async def test_a_wrong_argument_is_named_before_anything_is_dialled(arguments: dict[str, object], mistake: str) -> None:
    world = World()
    url, session, name = arguments["url"], arguments.get("session"), arguments.get("name", "")
    assert isinstance(url, str)
    assert isinstance(name, str)
    assert session is None or isinstance(session, bytes)
    with pytest.raises(ValueError, match=mistake):
        async with connect(url, session=session, name=name, open_connection=world.open):
            pytest.fail("there is nothing to enter")
    assert world.dials == []


async def test_a_given_session_is_known_to_the_server_again() -> None:
    world = World()
    async with world.client(session=bytes(16)) as first:
        first.insert(0, "x")
        await first.wait_confirmed()
    async with world.client(session=bytes(16)) as second:
        assert second.id == first.id
        second.insert(1, "y")
        await second.wait_confirmed()
    assert world.server.document.text == "xy"


# Editing.


async def test_an_edit_is_seen_at_once_and_committed_later() -> None:
    world = World("abc")
    async with world.client() as codespace:
        codespace.insert(0, "1\r\n")
        codespace.delete(2, 3)
        codespace.replace(3, 4, "😀")
        codespace.edit([Change(0, 1), Change(2, 2, "!")])
        assert codespace.text == "\n!b😀"
        assert (codespace.unconfirmed, codespace.version) == (4, 0)
        await codespace.wait_confirmed()
        assert (codespace.unconfirmed, codespace.version) == (0, 1)
        assert world.server.document.text == "\n!b\ud83d\ude00"


async def test_two_clients_see_each_others_edits() -> None:
    world = World()
    async with world.client() as alice, world.client() as bob:
        alice.insert(0, "alice ")
        bob.insert(0, "bob ")
        await alice.wait_confirmed()
        await bob.wait_confirmed()
        await alice.wait_version(2)
        assert alice.text == bob.text == "".join(world.server.document.text)
        assert sorted(alice.text.split()) == ["alice", "bob"]


async def test_a_viewer_cannot_edit() -> None:
    world = World("a")
    world.mode = "view_only"
    async with world.client() as codespace:
        with pytest.raises(ViewOnly):
            codespace.insert(0, "x")
        assert (codespace.text, codespace.mode) == ("a", "view_only")


async def test_one_whose_mode_is_not_known_may_look() -> None:
    world = World("a")
    world.mode = "host"  # type: ignore[assignment]  # of a newer server
    async with world.client() as codespace:
        with pytest.raises(ViewOnly):
            codespace.insert(0, "x")
        assert (codespace.text, codespace.mode) == ("a", "view_only")


async def test_one_who_may_only_look_from_now_on_has_all_edits_given_back_at_once(autojump_clock: MockClock) -> None:
    world = World("a")
    async with world.client() as codespace:
        events = codespace.events()
        world.holds_pushes = True
        codespace.insert(1, "b")
        await wait_all_tasks_blocked()
        codespace.insert(2, "c")
        world.mode = "view_only"
        await codespace.reconnect()
        with pytest.raises(EditsRefused, match="view_only"):
            await codespace.wait_confirmed()
        assert (codespace.text, codespace.unconfirmed, len(world.connections)) == ("a", 0, 2)
        assert world.connection.held == []
        refusals = [event for event in await read(events) if isinstance(event, EditRefused)]
        assert [event.changes for event in refusals] == [(Change(1, 1, "bc"),)]


async def test_an_edit_that_cannot_be_is_a_value_error() -> None:
    async with World("\ud83d\ude00").client() as codespace:
        with pytest.raises(ValueError, match="2 to 2 is no part of the text"):
            codespace.insert(2, "x")


async def test_what_comes_to_nothing_is_confirmed_without_being_sent() -> None:
    world = World("ab")
    async with world.client() as codespace:
        codespace.insert(1, "x")
        codespace.delete(1, 2)
        await codespace.wait_confirmed()
    assert world.server.document.version == 0


async def test_a_selection_is_sent_and_moves_with_the_text() -> None:
    world = World("abc")
    async with world.client() as codespace:
        codespace.select([(1, 3)])
        await wait_all_tasks_blocked()
        assert world.connection.selected == [SelectFrame(0, ((1, 3),))]
        others(world, Change(0, 0, "__"))
        await codespace.reconnect()
        await wait_all_tasks_blocked()
        assert world.connection.selected == [SelectFrame(1, ((3, 5),))]
        with pytest.raises(ValueError, match="no part of the text"):
            codespace.select([(0, 6)])


# Losing the connection.


async def test_the_client_goes_on_from_where_it_was(autojump_clock: MockClock) -> None:
    world = World("a")
    async with world.client() as codespace:
        events = codespace.events()
        others(world, Change(1, 1, "b"))
        await codespace.wait_version(1)
        world.connection.end()
        others(world, Change(2, 2, "c"))
        await codespace.wait_version(2)
        assert codespace.text == "abc"
        assert (world.dials[1].arrival.epoch, world.dials[1].arrival.version) == ("first", 1)
        assert (await read(events))[1:] == [
            ConnectionLost("lost", None, 0.25),
            Reconnected(resumed=True),
            TextChanged((Change(2, 2, "c"),), 2, "others"),
        ]
    assert world.dials[0].max_message_bytes == FIRST_MESSAGE_BYTES
    assert world.dials[1].max_message_bytes >= 6 * LIMITS.text_units


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_push_in_flight_when_the_connection_is_cut_is_committed_once(
    arrives: bool, autojump_clock: MockClock
) -> None:
    world = World("ab")
    async with world.client() as codespace:
        world.holds_pushes = True
        codespace.insert(1, "x")
        await wait_all_tasks_blocked()
        cut = world.connection
        cut.end()
        if arrives:
            cut.arrive(cut.held[0])
        codespace.insert(2, "y")
        world.holds_pushes = False
        await codespace.wait_confirmed()
        assert world.server.document.text == codespace.text == "axyb"
        assert world.server.document.version == 2
        assert [update.seq for update in world.server.log] == [1, 2]


async def test_a_push_that_arrives_late_and_again_is_committed_once(autojump_clock: MockClock) -> None:
    world = World("ab")
    async with world.client() as codespace:
        world.holds_pushes = True
        codespace.insert(1, "x")
        await wait_all_tasks_blocked()
        late = world.connection
        await codespace.reconnect()
        await wait_all_tasks_blocked()
        again = world.connection
        assert [push.seq for push in again.held] == [1]
        late.arrive(late.held[0])
        again.arrive(again.held[0])
        await codespace.wait_confirmed()
        assert world.server.document.text == codespace.text == "axb"


async def test_a_text_is_merged_when_the_log_does_not_reach_back(autojump_clock: MockClock) -> None:
    world = World(server=ModelServer("one\ntwo\n", history=1))
    async with world.client() as codespace:
        events = codespace.events()
        world.connection.end()
        codespace.insert(8, "mine\n")
        others(world, Change(0, 0, "zero\n"))
        others(world, Change(9, 12, "TWO"))
        await codespace.wait_confirmed()
        assert codespace.text == "zero\none\nTWO\nmine\n"
        told = [event for event in await read(events) if not (isinstance(event, TextChanged) and event.own)]
        assert told[:2] == [ConnectionLost("lost", None, 0.25), Reconnected(resumed=False)]


def pauses(world: World) -> list[float]:
    return [later.time - earlier.time for earlier, later in zip(world.dials, world.dials[1:], strict=False)]


async def test_pauses_double_up_to_the_longest_one(autojump_clock: MockClock) -> None:
    world = World()
    world.fails(8)
    async with world.client(patient=True) as codespace:
        assert codespace.state is State.CONNECTED
    assert pauses(world) == [0.25, 0.5, 1, 2, 4, 8, 10, 10]


async def test_chance_takes_up_to_a_half_from_a_pause(autojump_clock: MockClock) -> None:
    world = World()
    world.fails(3)
    chances = iter([0.0, 0.5, 1.0])
    async with world.client(jitter=lambda: next(chances)):
        pass
    assert pauses(world) == [0.25, 0.375, 0.5]


async def test_pauses_begin_anew_after_a_connection_that_lasted(autojump_clock: MockClock) -> None:
    world = World()
    world.fails(3)
    async with world.client() as codespace:
        await trio.sleep(0.5)
        world.connection.end()
        world.fails(1)
        await wait_all_tasks_blocked()
        await codespace.wait_connected()
        await trio.sleep(1)
        world.connection.end()
        await wait_all_tasks_blocked()
        await codespace.wait_connected()
    assert pauses(world)[3:] == [0.5 + 2, 4, 1 + 0.25]


async def test_a_server_that_says_no_welcome_in_time_is_dialled_again(autojump_clock: MockClock) -> None:
    world = World()
    world.silent = True
    with trio.move_on_after(20):
        async with world.client(patient=True, limits=ClientLimits(connect_seconds=3)):
            pytest.fail("there was no welcome")
    assert pauses(world)[0] == 3.25
    assert not world.connections[0].goodbye, "nobody would hear it"


async def test_a_dropped_connection_is_made_anew_after_the_first_pause_and_gets_no_goodbye(
    autojump_clock: MockClock,
) -> None:
    world = World()
    world.fails(3)
    async with world.client() as codespace:
        codespace.drop_connection()
        await wait_all_tasks_blocked()
        codespace.drop_connection()
        assert codespace.state is State.CONNECTING
        await codespace.wait_connected()
        assert not world.connections[0].goodbye
    assert pauses(world)[3] == 0.25


async def test_to_reconnect_on_purpose_takes_no_pause(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:
        await codespace.reconnect()
        world.connection.end()
        await wait_all_tasks_blocked()
        assert codespace.state is State.CONNECTING
        await codespace.reconnect()
    assert pauses(world) == [0, 0]


@pytest.mark.parametrize("code", CLOSE_CODES)
async def test_a_close_code_decides_whether_the_client_comes_back(code: CloseCode, autojump_clock: MockClock) -> None:
    world = World("kept")
    async with world.client() as codespace:
        world.connection.end(code, "because")
        await wait_all_tasks_blocked()
        if CLOSE_CODES[code].come_back:
            await codespace.wait_connected()
        else:
            assert codespace.state is State.CLOSED
            assert codespace.text == "kept"
            with pytest.raises(CodespaceClosed, match=f"{code:d} because"):
                codespace.insert(0, "x")
    assert len(world.dials) == 1 + CLOSE_CODES[code].come_back


@pytest.mark.parametrize("text", ["", "x"])
async def test_another_life_of_a_codespace_ends_the_client_with_its_text_in_hand(text: str) -> None:
    world = World("nowhere else")
    async with world.client() as codespace:
        world.server.make_anew(text)
        codespace.drop_connection()
        with pytest.raises(CodespaceClosed, match="4410 this codespace has expired, and another one has begun"):
            await codespace.wait_version(9)
        assert codespace.text == "nowhere else"


async def test_when_the_client_has_given_up_every_call_says_so() -> None:
    with pytest.raises(EditsUnconfirmed, match="4410 deleted"):
        await call_everything_after_the_end()


async def call_everything_after_the_end() -> None:
    world = World("a")
    world.holds_pushes = True
    async with world.client() as codespace:
        events = codespace.events()
        codespace.insert(0, "x")
        world.connection.end(CloseCode.GONE, "deleted")
        await wait_all_tasks_blocked()
        assert len(events.read_nowait()) == 1, "the edit"
        for call in (
            lambda: codespace.insert(0, "x"),
            lambda: codespace.delete(0, 1),
            lambda: codespace.select([]),
            codespace.drop_connection,
            codespace.events,
        ):
            with pytest.raises(CodespaceClosed, match="4410 deleted"):
                call()
        for wait in (
            codespace.wait_confirmed,
            codespace.wait_connected,
            codespace.reconnect,
            lambda: codespace.wait_text("b"),
            lambda: codespace.wait_version(9),
            lambda: anext(events),
        ):
            with pytest.raises(CodespaceClosed, match="4410 deleted"):
                await wait()
        await codespace.wait_text("xa")
        assert (codespace.text, codespace.unconfirmed) == ("xa", 1)


# Slow lines and dead ones.


async def test_a_welcome_is_not_given_up_while_it_arrives(autojump_clock: MockClock) -> None:
    world = World("a long text")
    world.silent = True
    opened = trio.Event()

    async def open_it() -> None:
        async with world.client() as codespace:
            assert codespace.text == "a long text"
            opened.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(open_it)
        for _ in range(20):
            await trio.sleep(14)
            world.connection.trickle()
        world.connection.deliver(AliveFrame(1))
        world.connection.deliver(world.server.welcome("me", None)[0])
        await opened.wait()
    assert len(world.dials) == 1


async def test_a_client_that_only_reads_notices_a_dead_connection(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:
        await trio.sleep(1010)
        assert len(world.dials) == 1, "each question had its answer"
        world.connection.dead = True
        others(world, Change(0, 0, "news"))
        await codespace.wait_text("news")
        assert world.connections[0].heard == 1000
        assert [dial.time for dial in world.dials] == [0, 1000 + 25 + 10 + 0.25]


@pytest.mark.parametrize("stuck", [True, False])
async def test_an_edit_on_a_dead_connection_is_sent_on_another_one_ten_seconds_later(
    stuck: bool, autojump_clock: MockClock
) -> None:
    world = World()
    async with world.client() as codespace:
        await trio.sleep(15)
        world.connection.dead, world.connection.stuck = True, stuck
        codespace.insert(0, "x")
        await codespace.wait_confirmed()
        assert world.server.document.text == "x"
    assert [dial.time for dial in world.dials] == [0, 15 + 10 + 0.25]


async def test_a_push_that_arrives_for_long_is_not_taken_for_unanswered(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:
        world.holds_pushes = True
        codespace.insert(0, "x" * 60_000)
        for number in range(30):
            await trio.sleep(9)
            world.connection.deliver(AliveFrame(2000 * number))
        world.holds_pushes = False
        world.connection.arrive(world.connection.held[0])
        await codespace.wait_confirmed()
    assert len(world.dials) == 1


async def test_a_push_that_leaves_for_long_is_not_taken_for_unanswered(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:
        world.send_seconds = [9] * 30
        codespace.insert(0, "x" * 30_000)
        await codespace.wait_confirmed()
        assert trio.current_time() == 30 * 9
    assert len(world.dials) == 1


async def test_a_push_of_which_no_more_leaves_is_sent_on_another_connection(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:
        world.send_seconds = [9, 9, math.inf]
        codespace.insert(0, "x" * 30_000)
        await trio.sleep(20)
        world.send_seconds = []
        await codespace.wait_confirmed()
    assert [dial.time for dial in world.dials] == [0, 9 + 9 + 10 + 0.25]


async def test_an_edit_waits_for_a_store_that_is_away_without_a_new_connection(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:
        world.holds_pushes = True
        codespace.insert(0, "x")
        world.connection.deliver(StatusFrame("down", "the disk is full"))
        await trio.sleep(1010)
        assert world.connection.asked == 40, "every 25 seconds"
        world.connection.deliver(StatusFrame("ok"))
        world.connection.arrive(world.connection.held[0])
        await codespace.wait_confirmed()
    assert len(world.dials) == 1


async def test_servers_that_never_answer_are_dialled_with_pauses_and_each_dial_has_an_end(
    autojump_clock: MockClock,
) -> None:
    world = World()
    world.unreachable = True
    with trio.move_on_after(180):
        async with world.client(patient=True):
            pytest.fail("there is no connection")
    waits = [15 + pause for pause in (0.25, 0.5, 1, 2, 4, 8, 10, 10)]
    assert [dial.time for dial in world.dials] == [sum(waits[:count]) for count in range(9)]


@pytest.mark.parametrize("dead", [True, False])
async def test_one_who_wakes_from_sleep_asks_at_once(dead: bool, mock_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:
        await wait_all_tasks_blocked()
        world.connection.dead = dead
        mock_clock.jump(600)
        await wait_all_tasks_blocked()
        assert world.connection.asked == (not dead)
        for seconds in (4.9, 0.1, 0.25):
            assert len(world.dials) == 1
            mock_clock.jump(seconds)
            await wait_all_tasks_blocked()
        assert len(world.dials) == 1 + dead
        await codespace.wait_connected()


@pytest.mark.parametrize("dead", [True, False])
@pytest.mark.parametrize("edits", [True, False])
async def test_one_whose_clock_stood_still_while_it_slept_asks_within_seconds_or_when_it_has_something_to_send(
    dead: bool, edits: bool, mock_clock: MockClock
) -> None:
    world = World()
    async with world.client() as codespace:
        await wait_all_tasks_blocked()
        mock_clock.jump(3)
        await wait_all_tasks_blocked()
        world.slept_seconds += 600
        world.connection.dead = dead
        if edits:
            codespace.insert(0, "x")
        else:
            mock_clock.jump(2)
        await wait_all_tasks_blocked()
        assert world.connections[0].asked == (not dead)
        mock_clock.jump(5)
        await wait_all_tasks_blocked()
        mock_clock.jump(0.25)
        await wait_all_tasks_blocked()
        assert len(world.dials) == 1 + dead
        await codespace.wait_confirmed()
    assert world.connections[0].asked == (not dead)


async def test_a_clock_that_is_set_back_is_no_sleep_and_hides_none(mock_clock: MockClock) -> None:
    world = World()
    async with world.client():
        await wait_all_tasks_blocked()
        for slept_seconds, asked in ((-3600, 0), (-3600, 0), (-3000, 1), (-3000, 1)):
            world.slept_seconds = slept_seconds
            mock_clock.jump(5)
            await wait_all_tasks_blocked()
            assert world.connection.asked == asked


async def test_a_server_that_is_quiet_for_minutes_as_it_says_is_not_asked_before(autojump_clock: MockClock) -> None:
    world = World(server=ModelServer(limits=replace(LIMITS, alive_ms=120_000)))
    async with world.client():
        await trio.sleep(124.9)
        assert world.connection.asked == 0
        await trio.sleep(0.2)
        assert world.connection.asked == 1


async def test_a_server_that_cannot_be_asked_is_lost_after_a_minute_of_silence(autojump_clock: MockClock) -> None:
    world = World(server=ModelServer(limits=replace(LIMITS, alive_ms=0)))
    async with world.client():
        await trio.sleep(59)
        world.connection.trickle()
        await trio.sleep(59)
        assert len(world.dials) == 1
        await trio.sleep(2)
        await wait_all_tasks_blocked()
    assert len(world.dials) == 2
    assert world.connections[0].asked == 0


# What a server should not send.


@pytest.mark.parametrize("message", ["{", "{}", '{"type":"gone"}'])
async def test_a_message_that_is_no_frame_ends_it_for_good(message: str) -> None:
    world = World()
    async with world.client() as codespace:
        world.connection.tell(message)
        with pytest.raises(CodespaceClosed, match="the server sent what is no frame") as caught:
            await codespace.wait_version(1)
        assert caught.value.code == CloseCode.NOT_UNDERSTOOD


async def test_frames_of_types_that_are_not_known_are_passed_over_wherever_they_come() -> None:
    world = World("a")
    world.greetings = ['{"type":"dance"}']
    async with world.client() as codespace:
        world.connection.tell('{"type":"dance","version":7}')
        others(world, Change(0, 0, "x"))
        world.connection.tell('{"type":"dance"}')
        await codespace.wait_version(1)
        codespace.insert(2, "y")
        await codespace.wait_confirmed()
        assert codespace.text == "xay"
    assert len(world.dials) == 1


async def test_a_first_frame_that_is_no_welcome_ends_it_for_good() -> None:
    world = World()
    world.first = StatusFrame("ok")
    with pytest.raises(CodespaceClosed, match="4400 the server's first frame is no welcome: status"):
        async with world.client():
            pytest.fail("there was no welcome")


async def test_a_second_welcome_ends_it_for_good() -> None:
    world = World()
    async with world.client() as codespace:
        world.connection.deliver(world.server.welcome("x", None)[0])
        with pytest.raises(CodespaceClosed, match="second welcome"):
            await codespace.wait_version(1)


async def test_a_gap_is_filled_from_the_log_by_connecting_again(autojump_clock: MockClock) -> None:
    world = World("a")
    async with world.client() as codespace:
        deaf = world.connection
        world.server.connections.remove(deaf)
        others(world, Change(0, 0, "1"))
        deaf.deliver(UpdatesFrame(3, ()))
        await codespace.wait_version(1)
        assert codespace.text == "1a"
        assert world.dials[1].arrival.version == 0


async def test_an_update_that_does_not_fit_makes_the_client_fetch_the_text(autojump_clock: MockClock) -> None:
    world = World("a")
    async with world.client() as codespace:
        events = codespace.events()
        world.connection.tell('{"type":"updates","version":1,"updates":[{"sender":"x","seq":1,"changes":[[0,"y"],9]}]}')
        await wait_all_tasks_blocked()
        await codespace.wait_connected()
        assert world.dials[1].arrival.version is None
        lost = ConnectionLost("update 1 is for a text of 9 units", None, 0.25)
        assert await read(events) == [lost, Reconnected(resumed=False)]


async def test_a_welcome_that_does_not_follow_makes_the_client_fetch_the_text(autojump_clock: MockClock) -> None:
    world = World("a")
    async with world.client() as codespace:
        others(world, Change(0, 0, "1"))
        await codespace.wait_version(1)
        welcome = world.server.welcome("x", ("first", 1))[0]
        assert isinstance(welcome, Welcome)
        world.first = replace(welcome, version=0)
        world.connection.end()
        await wait_all_tasks_blocked()
        await codespace.wait_connected()
        assert [dial.arrival.version for dial in world.dials] == [None, 1, None]


# Refusals.


async def test_refused_edits_are_taken_back_and_told_and_later_ones_are_kept(autojump_clock: MockClock) -> None:
    world = World(server=ModelServer("abc", limits=replace(LIMITS, text_units=6)))
    async with world.client() as codespace:
        events = codespace.events()
        world.holds_pushes = True
        with pytest.raises(TextTooLong):
            codespace.insert(3, "defg")
        codespace.insert(3, "de")
        await wait_all_tasks_blocked()
        codespace.insert(0, "!")
        others(world, Change(0, 0, "xx"))
        world.holds_pushes = False
        first = world.connection
        first.arrive(first.held[0])
        with pytest.raises(EditsRefused, match="too_long: the text would have 7 units") as caught:
            await codespace.wait_confirmed()
        assert caught.value.code == "too_long"
        assert codespace.text == world.server.document.text == "xx!abc"
        assert world.dials[1].arrival.version is None
        assert first.goodbye
        assert await read(events) == [
            TextChanged((Change(3, 3, "de"),), 0, codespace.id, own=True),
            TextChanged((Change(0, 0, "!"),), 0, codespace.id, own=True),
            TextChanged((Change(0, 0, "xx"),), 1, world.server.log[0].sender),
            TextChanged((Change(6, 8, ""),), 1, None),
            EditRefused("too_long", "the text would have 7 units; the limit is 6", (Change(5, 5, "de"),)),
            ConnectionLost("the text is fetched again", None, 0.25),
            Reconnected(resumed=False),
        ]
        await codespace.wait_confirmed()


async def test_edits_behind_many_that_are_refused_are_saved_in_seconds(autojump_clock: MockClock) -> None:
    world = World(server=ModelServer("", limits=replace(LIMITS, text_units=30)))
    async with world.client() as codespace:
        world.holds_pushes = True
        for _ in range(20):
            codespace.append("x")
        await wait_all_tasks_blocked()
        others(world, Change(0, 0, "y" * 30))
        world.holds_pushes = False
        world.connection.arrive(world.connection.held[0])
        with pytest.raises(EditsRefused, match="too_long"):
            await codespace.wait_confirmed()
        assert codespace.text == "y" * 30
        assert trio.current_time() < 10
    assert pauses(world) == [0.25] * 20


async def test_a_refusal_that_nobody_waited_for_is_told_to_the_next_who_waits(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:
        world.holds_pushes = True
        codespace.insert(0, "x")
        await wait_all_tasks_blocked()
        world.connection.deliver(RefusedFrame(1, "invalid", "no"))
        await wait_all_tasks_blocked()
        with pytest.raises(EditsRefused, match="invalid: no"):
            await codespace.wait_confirmed()
        await codespace.wait_confirmed()


# Waiting.


async def test_wait_text_waits_for_a_text_or_for_what_one_asks_of_it() -> None:
    world = World()
    async with world.client() as codespace, trio.open_nursery() as nursery:
        nursery.start_soon(codespace.wait_text, "a\nb 😀")
        nursery.start_soon(codespace.wait_text, lambda text: text.endswith("😀"))
        await wait_all_tasks_blocked()
        others(world, Change(0, 0, "a\nb "))
        await wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 2
        others(world, Change(4, 4, "😀"))


async def test_a_wait_also_sees_ones_own_edits() -> None:
    async with World().client() as codespace, trio.open_nursery() as nursery:
        nursery.start_soon(codespace.wait_text, "x")
        await wait_all_tasks_blocked()
        codespace.insert(0, "x")


async def test_wait_confirmed_does_not_wait_for_what_is_edited_after_it_was_called() -> None:
    world = World()
    async with world.client() as codespace, trio.open_nursery() as nursery:
        world.holds_pushes = True
        codespace.insert(0, "a")
        nursery.start_soon(codespace.wait_confirmed)
        await wait_all_tasks_blocked()
        codespace.insert(1, "b")
        world.connection.arrive(world.connection.held[0])
        await wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 0
        assert codespace.unconfirmed == 1
        await wait_all_tasks_blocked()
        world.connection.arrive(world.connection.held[1])


async def test_a_cancelled_wait_has_changed_nothing(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:
        world.holds_pushes = True
        codespace.insert(0, "a")
        with trio.move_on_after(5) as patience:
            await codespace.wait_confirmed()
        assert patience.cancelled_caught
        world.connection.arrive(world.connection.held[0])
        await codespace.wait_confirmed()


async def test_a_wait_that_is_fulfilled_is_a_checkpoint_all_the_same(autojump_clock: MockClock) -> None:
    async with World().client() as codespace:
        with trio.move_on_after(0) as patience:
            await codespace.wait_confirmed()
        assert patience.cancelled_caught


# Events.


async def test_events_tell_what_others_do_in_the_order_of_it(autojump_clock: MockClock) -> None:
    world = World("abc")
    async with world.client() as codespace:
        events = codespace.events()
        codespace.insert(0, "own")
        await codespace.wait_confirmed()
        connection = world.connection
        connection.deliver(PeerFrame("bob", "Bob", "edit"))
        connection.deliver(PeerSelectFrame("bob", 1, ((0, 6),)))
        others(world, Change(0, 1, "😀"))
        connection.deliver(StatusFrame("down", "the disk is full"))
        await wait_all_tasks_blocked()
        assert (codespace.peers, codespace.storage) == ({"bob": Peer("bob", "Bob", "edit")}, "down")
        assert codespace.storage_reason == "the disk is full"
        assert codespace.selections == {"bob": ((0, 6),)}
        connection.deliver(GoneFrame("bob"))
        assert await read(events) == [
            TextChanged((Change(0, 0, "own"),), 0, codespace.id, own=True),
            PeerJoined(Peer("bob", "Bob", "edit")),
            PeerSelected("bob", ((0, 6),)),
            TextChanged((Change(0, 1, "😀"),), 2, "others"),
            StorageChanged("down", "the disk is full"),
            PeerLeft("bob"),
        ]


async def test_a_reader_that_is_too_slow_is_told_how_much_it_missed_and_goes_on_from_there(
    autojump_clock: MockClock,
) -> None:
    world = World()
    async with world.client(limits=ClientLimits(events=3)) as codespace:
        slow, quick = codespace.events(), codespace.events()
        for count in range(3):
            others(world, Change(0, 0, str(count)))
        assert len(await read(quick)) == 3
        for count in range(3):
            others(world, Change(0, 0, str(count)))
        assert len(await read(quick)) == 3
        assert await read(slow) == [Missed(6)]
        others(world, Change(0, 0, "x"))
        assert await read(slow) == [TextChanged((Change(0, 0, "x"),), 7, "others")]


async def test_events_can_be_iterated_over() -> None:
    world = World()
    async with world.client() as codespace:
        events = codespace.events()
        others(world, Change(0, 0, "x"))
        async for event in events:
            assert event == TextChanged((Change(0, 0, "x"),), 1, "others")
            break


async def test_events_that_were_not_read_are_there_after_the_end() -> None:
    world = World()
    async with world.client() as codespace:
        events = codespace.events()
        others(world, Change(0, 0, "x"))
        await wait_all_tasks_blocked()
    assert await anext(events) == TextChanged((Change(0, 0, "x"),), 1, "others")
    for _ in range(2):
        with pytest.raises(CodespaceClosed, match="1000 this client has left the codespace"):
            await anext(events)


# Leaving.


async def test_leaving_says_goodbye_and_ends_every_call() -> None:
    world = World()
    async with world.client() as codespace:
        pass
    assert world.connection.goodbye
    assert codespace.state is State.CLOSED
    with pytest.raises(CodespaceClosed, match="1000 this client has left"):
        codespace.insert(0, "x")


async def test_a_server_that_does_not_answer_holds_nobody_up(autojump_clock: MockClock) -> None:
    world = World()
    world.deaf = True
    started = autojump_clock.current_time()
    async with world.client(limits=ClientLimits(close_seconds=2)):
        pass
    assert autojump_clock.current_time() - started == 2


async def test_a_cancelled_client_leaves_in_the_same_way() -> None:
    world = World()
    with trio.CancelScope() as scope:
        async with world.client():
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert world.connection.goodbye


async def test_what_the_body_raises_comes_out_as_it_is() -> None:
    error = RuntimeError("mine")
    cause = KeyError("why")
    with pytest.raises(RuntimeError) as caught:
        async with World().client():
            raise error from cause
    assert caught.value is error
    assert caught.value.__cause__ is cause


async def test_a_group_that_the_body_raises_is_not_put_into_another_one() -> None:
    with pytest.RaisesGroup(ValueError, KeyError, match="mine"):
        async with World().client():
            raise ExceptionGroup("mine", [ValueError(), KeyError()])


async def test_a_client_may_be_left_while_it_has_no_connection() -> None:
    world = World()
    async with world.client() as codespace:
        world.connection.end()
        await wait_all_tasks_blocked()
        assert len(world.dials) == 1
    assert codespace.state is State.CLOSED


# Many.


async def test_clients_that_type_and_lose_their_connections_end_with_one_text(
    autojump_clock: MockClock,
) -> None:
    world = World()
    typists, strokes = 8, 12
    done = trio.Semaphore(0)
    codespaces: list[Codespace] = []

    async def type_for_a_while(number: int) -> None:
        async with world.client() as codespace:
            codespaces.append(codespace)
            for stroke in range(strokes):
                codespace.insert(codespace.length * (stroke % 3) // 2, chr(0x4E00 + number * strokes + stroke))
                if (stroke + number) % 4 == 0:
                    codespace.drop_connection()
                await trio.sleep(0.1 + number / 100)
            await codespace.wait_confirmed()
            done.release()
            await trio.sleep_forever()

    async with trio.open_nursery() as clients:
        for number in range(typists):
            clients.start_soon(type_for_a_while, number)
        for _ in range(typists):
            await done.acquire()
        text = world.server.document.text
        for codespace in codespaces:
            await codespace.wait_text(text)
        clients.cancel_scope.cancel()
    assert sorted(text) == [chr(0x4E00 + index) for index in range(typists * strokes)]
