"""Replicas against a model server: they converge, lose nothing, double nothing; and each rule by itself."""

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from pyshare.client.address import ResumePoint
from pyshare.client.errors import TextTooLong
from pyshare.client.events import (
    EditRefused,
    PeerJoined,
    PeerLeft,
    PeerSelected,
    StorageChanged,
    TextChanged,
)
from pyshare.client.replica import AnotherLife, OutOfStep, Replica
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Push, Update
from pyshare.core.errors import PushRefused, RefusalCode
from pyshare.core.protocol import (
    GoneFrame,
    Peer,
    PeerFrame,
    PeerSelectFrame,
    PushFrame,
    RefusedFrame,
    SelectFrame,
    StatusFrame,
    UpdatesFrame,
    Welcome,
    committed,
    encode,
)
from pyshare.core.units import from_units, splits_pair, to_units
from tests.client.model import LIMITS, ModelClient, ModelServer, frame_of, settle

#: What clients do, see `Scenario.step`.
STEPS = st.lists(st.integers(0, 2**20), min_size=10, max_size=120)
EMOJI = to_units("😀")


def types(client: ModelClient | Replica, pos: int, text: str) -> None:
    replica = client.replica if isinstance(client, ModelClient) else client
    replica.edit([Change(pos, pos, text)])


def deletes(client: ModelClient, start: int, end: int) -> None:
    client.replica.edit([Change(start, end)])


def others(server: ModelServer, *changes: Change) -> None:
    """Have somebody who is never shown change the text."""
    document = server.document
    seq = document.last_seq("others") + 1
    change_set = ChangeSet.of(list(changes), len(document.text))
    server.commit(Push("others", seq, document.version, (change_set,)))


def joined(server: ModelServer, name: str = "alice") -> ModelClient:
    client = ModelClient(server, name)
    client.connects()
    client.receives()
    return client


def changed(events: Sequence[object]) -> list[TextChanged]:
    return [event for event in events if isinstance(event, TextChanged)]


# All together.


class Scenario:
    """Three clients that do what numbers say, each number one step."""

    def __init__(self, history: int, server: ModelServer | None = None) -> None:
        self.server = server or ModelServer("one\ntwo\n", history=history)
        self.clients = [ModelClient(self.server, name) for name in ("alice", "bob", "carol")]
        # Characters ever typed, each another one, and those that somebody has deleted.
        self.typed: list[str] = []
        self.deleted: set[str] = set(self.server.document.text)

    def step(self, number: int) -> None:
        client = self.clients[number % 3]
        action, number = divmod(number // 3, 9)[1], number // 27
        text = client.replica.text
        match action:
            case 0 | 1:
                self.types(client, self.snapped(text, number % (len(text) + 1)), lines=action)
            case 2:
                start = self.snapped(text, number % (len(text) + 1))
                end = self.snapped(text, min(len(text), start + 1 + number % 4))
                self.deleted |= set(from_units(text[start:end]))
                deletes(client, start, end)
            case 3:
                client.receives(1 + number % 4)
            case 4:
                client.pushes()
            case 5 if client.connection:
                client.connection.arrive()
            case 6:
                client.connects(log_later=bool(number % 2))
            case 7:
                client.cut()
            case _:
                for connection in client.former:
                    connection.arrive()

    def types(self, client: ModelClient, pos: int, *, lines: int) -> None:
        count = len(self.typed)
        character = chr((0x1F300 if count % 3 else 0x4E00) + count)
        with suppress(TextTooLong):
            types(client, pos, character + "\n" * lines)
            self.typed.append(character)

    @staticmethod
    def snapped(text: str, pos: int) -> int:
        return pos - splits_pair(text, pos)

    def check(self, *, may_refuse: bool = False) -> None:
        """Everybody holds one text; each character stands there once, or was deleted, or was given back."""
        settle(self.server, *self.clients)
        text = from_units(self.server.document.text)
        given_back = ""
        for client in self.clients:
            assert from_units(client.replica.text) == text
            assert client.replica.made == client.replica.settled
            for event in client.replica.take_events():
                if isinstance(event, EditRefused):
                    assert may_refuse or event.code == "too_old"
                    given_back += "".join(change.insert for change in event.changes)
        for character in self.typed:
            assert text.count(character) <= 1
            assert character in text or character in self.deleted or character in given_back
        assert may_refuse or not given_back or self.server.document.limits.history_updates < len(self.server.log)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_replicas_converge_and_every_character_stands_once(steps: list[int]) -> None:
    scenario = Scenario(history=4096)
    for number in steps:
        scenario.step(number)
    scenario.check()


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, history=st.integers(0, 5))
def test_replicas_converge_when_the_history_hardly_reaches_back(steps: list[int], history: int) -> None:
    scenario = Scenario(history)
    for number in steps:
        scenario.step(number)
    scenario.check()


class Choosy(ModelServer):
    """A server that refuses what has poison in it, and what changes many places at once."""

    poison: frozenset[str] = frozenset()

    @override
    def commit(self, push: Push) -> None:
        if self.poison & set("".join(from_units(text) for each in push.updates for text in each.inserted)):
            raise PushRefused(RefusalCode.INVALID, "poison")
        if push.updates[0].steps > 9:
            raise PushRefused(RefusalCode.TOO_MUCH, "too much")
        super().commit(push)


@pytest.mark.parametrize("sections", [6, 12, 1000])
def test_whatever_is_refused_everything_else_is_committed_once(seed: int, sections: int) -> None:
    chance = random.Random(seed)
    for _ in range(60):
        limits = replace(LIMITS, push_sections=sections, text_units=chance.choice((40, 400)))
        server = Choosy("one\ntwo\n", limits=limits)
        scenario = Scenario(4096, server)
        for _ in range(chance.randrange(200)):
            scenario.step(chance.randrange(2**20))
            server.poison = frozenset(scenario.typed[::5])
        scenario.check(may_refuse=True)
        assert not server.poison & set(from_units(server.document.text))


def test_long_lives_of_replicas_end_in_one_text(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(200):
        scenario = Scenario(history=chance.choice((0, 1, 3, 9, 4096)))
        for _ in range(chance.randrange(150)):
            scenario.step(chance.randrange(2**20))
        scenario.check()


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_events_are_enough_to_keep_a_copy_of_the_text(steps: list[int]) -> None:
    scenario = Scenario(history=3)
    watched = scenario.clients[0]
    scenario.clients[0].connects()
    watched.receives(1)
    copy = watched.replica.text
    for number in steps:
        if number % 3 == 0 and number // 3 % 9 < 3:
            before = watched.replica.made
            scenario.step(number)
            assert watched.replica.take_events() == []
            copy = watched.replica.text if watched.replica.made > before else copy
            continue
        scenario.step(number)
        for event in changed(watched.replica.take_events()):
            copy = ChangeSet.of(event.changes, len(copy)).apply(copy)
        assert copy == watched.replica.text


# Editing.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Change(3, 3, "x"), "3 to 3 is no part of the text, which has 2 UTF-16 units"),
        (Change(1, 0), "1 to 0 is no part"),
        (Change(-1, 0), "-1 to 0 is no part"),
        (Change(1, 1, "x"), "position 1 is inside a surrogate pair"),
        (Change(0, 1), "position 1 is inside a surrogate pair"),
        (Change(0, 0, "\ud83d"), "the text to insert at 0 has half a surrogate pair"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_at_once_and_changes_nothing(change: Change, message: str) -> None:
    alice = joined(ModelServer(EMOJI)).replica
    with pytest.raises(ValueError, match=message):
        alice.edit([Change(0, 0, "a"), change])
    assert (alice.text, alice.made) == (EMOJI, 0)


def test_an_edit_that_changes_nothing_is_none() -> None:
    alice = joined(ModelServer("a")).replica
    alice.edit([Change(0, 0, "")])
    alice.edit([])
    assert alice.made == 0


def test_what_was_typed_and_deleted_again_is_settled_without_a_push() -> None:
    alice = joined(ModelServer("ab"))
    alice.cut()
    types(alice, 1, "x")
    deletes(alice, 1, 2)
    assert alice.replica.next_push() is None
    assert (alice.replica.made, alice.replica.settled) == (2, 2)


def test_line_breaks_are_typed_as_one_unit() -> None:
    alice = joined(ModelServer()).replica
    alice.edit([Change(0, 0, "a\r\nb\rc")])
    assert alice.text == "a\nb\nc"


# Pushing.


def test_one_push_is_in_flight_and_what_is_typed_since_goes_as_one_update() -> None:
    server = ModelServer()
    alice = joined(server)
    types(alice, 0, "a")
    first = alice.replica.next_push()
    for index in range(1, 50):
        types(alice, index, "b")
    assert first == PushFrame(1, 0, (ChangeSet.of([Change(0, 0, "a")], 0),))
    assert alice.replica.next_push() is None
    alice.replica.receive(frame_of(1, Update("alice", 1, first.updates[0])))
    assert alice.replica.next_push() == PushFrame(2, 1, (ChangeSet.of([Change(1, 1, "b" * 49)], 1),))


def test_nothing_is_pushed_before_the_welcome() -> None:
    replica = Replica()
    types(replica, 0, "a")
    assert replica.next_push() is None
    assert replica.next_select() is None
    assert replica.resume_point is None


def test_a_long_edit_is_pushed_in_messages_within_the_limit() -> None:
    server = ModelServer(limits=replace(LIMITS, message_bytes=2000))
    alice = joined(server)
    text = "".join(chr(0x1F300 + index) + "\n" for index in range(2000))
    types(alice, 0, text)
    pushes = 0
    while push := alice.replica.next_push():
        pushes += 1
        server.commit(Push("alice", push.seq, push.version, push.updates))
        alice.receives()
        assert alice.replica.settled == (alice.replica.text == server.document.text)
    assert from_units(server.document.text) == text
    assert pushes > 10


def test_the_parts_of_a_long_edit_are_moved_behind_what_others_commit_between_them() -> None:
    server = ModelServer("[]", limits=replace(LIMITS, message_bytes=2000))
    alice = joined(server)
    types(alice, 1, "x" * 2000)
    alice.pushes()
    types(alice, 2001, "tail")
    others(server, Change(0, 0, "__"))
    alice.receives()
    alice.replica.receive(PeerSelectFrame("bob", 1, ((0, 4),)))
    assert alice.replica.selections == {"bob": ((0, 2008),)}
    settle(server, alice)
    assert server.document.text == alice.replica.text == "__[" + "x" * 2000 + "tail]"


def test_when_a_part_of_a_long_edit_is_refused_the_rest_of_it_is_taken_back_too() -> None:
    server = ModelServer("[]", limits=replace(LIMITS, message_bytes=2000))
    alice = joined(server)
    types(alice, 1, "x" * 2000)
    alice.pushes()
    types(alice, 2001, "tail")
    alice.replica.receive(RefusedFrame(1, "too_long", "no"))
    assert alice.replica.text == "[tail]"
    assert (alice.replica.made, alice.replica.settled) == (2, 1)
    events = alice.replica.take_events()
    assert events[-1] == EditRefused("too_long", "no", (Change(1, 1, "x" * 2000),))
    alice.connects()
    settle(server, alice)
    assert server.document.text == "[tail]"


def test_what_is_left_of_a_long_edit_and_comes_to_nothing_is_settled() -> None:
    server = ModelServer("abc" * 40, limits=replace(LIMITS, message_bytes=1000))
    alice = joined(server)
    alice.replica.edit([Change(index, index + 1) for index in range(0, 120, 3)])
    alice.pushes()
    others(server, Change(0, 120))
    settle(server, alice)
    assert server.document.text == alice.replica.text == ""
    assert alice.replica.settled == 1


# The log.


def test_updates_that_are_known_are_passed_over_and_a_gap_is_told() -> None:
    server = ModelServer("a")
    alice = joined(server).replica
    first = Update("bob", 1, ChangeSet.of([Change(1, 1, "b")], 1))
    second = Update("bob", 2, ChangeSet.of([Change(2, 2, "c")], 2))
    alice.receive(frame_of(1, first))
    alice.receive(frame_of(2, first, second))
    alice.receive(frame_of(1, first))
    assert (alice.text, alice.version) == ("abc", 2)
    with pytest.raises(OutOfStep, match="version 2 is followed by 4"):
        alice.receive(frame_of(4, second))
    assert alice.resume_point == ResumePoint("first", 2, "bob:2")


def test_an_update_that_does_not_fit_makes_the_replica_ask_for_the_text() -> None:
    alice = joined(ModelServer("a")).replica
    types(alice, 0, "x")
    with pytest.raises(OutOfStep, match="update 1 is for a text of 7 units"):
        alice.receive(frame_of(1, Update("bob", 1, ChangeSet.empty_of(7))))
    assert alice.resume_point is None
    assert alice.next_push() is None
    assert alice.text == "xa"


def test_an_own_update_without_a_push_in_flight_is_taken_as_anybody_elses() -> None:
    alice = joined(ModelServer("a")).replica
    alice.receive(frame_of(1, Update("alice", 1, ChangeSet.of([Change(1, 1, "b")], 1))))
    assert alice.text == "ab"


def test_an_own_update_of_another_number_does_not_answer_the_push_in_flight() -> None:
    server = ModelServer("a")
    alice = joined(server).replica
    types(alice, 1, "b")
    push = alice.next_push()
    assert push is not None
    alice.receive(frame_of(1, Update("alice", push.seq + 1, ChangeSet.of([Change(0, 0, "x")], 1))))
    assert (alice.text, alice.settled) == ("xab", 0)
    alice.receive(frame_of(2, Update("alice", push.seq, ChangeSet.of([Change(2, 2, "b")], 2))))
    assert (alice.text, alice.settled) == ("xab", 1)


# Coming back.


def test_a_push_that_was_not_committed_is_sent_again_under_its_number_moved_to_the_new_version() -> None:
    server = ModelServer("ab")
    alice = joined(server)
    types(alice, 1, "x")
    alice.pushes()
    types(alice, 2, "y")
    others(server, Change(0, 0, "__"))
    alice.connects()
    alice.receives()
    assert alice.replica.next_push() == PushFrame(1, 1, (ChangeSet.of([Change(3, 3, "x")], 4),))
    assert alice.replica.text == "__axyb"


def test_a_push_that_was_committed_is_confirmed_by_the_log_in_the_welcome() -> None:
    server = ModelServer("ab")
    alice = joined(server)
    types(alice, 1, "x")
    alice.pushes()
    alice.connection = alice.connection or pytest.fail("connected")
    alice.connection.arrive()
    alice.connects()
    alice.receives()
    assert alice.replica.next_push() is None
    assert (alice.replica.settled, alice.replica.text) == (1, "axb")


def test_an_own_update_after_an_empty_welcome_confirms_the_push_though_it_was_sent_again() -> None:
    server = ModelServer("ab")
    alice = joined(server)
    types(alice, 1, "x")
    alice.pushes()
    late = alice.connection or pytest.fail("connected")
    alice.connects()
    alice.receives()
    alice.pushes()
    assert alice.connection is not None
    assert [push.seq for push in alice.connection.outbox] == [1]
    late.arrive()
    alice.connection.arrive()
    alice.receives()
    assert (alice.replica.settled, alice.replica.text, server.document.version) == (1, "axb", 1)


def test_a_number_that_somebody_else_used_is_not_taken_for_an_acknowledgement() -> None:
    server = ModelServer("ab")
    alice = joined(server)
    types(alice, 1, "x")
    alice.pushes()
    welcome = server.welcome("alice", ("first", 0))[0]
    assert isinstance(welcome, Welcome)
    alice.replica.resume(replace(welcome, acked=5))
    push = alice.replica.next_push()
    assert push is not None
    assert push.seq == 6


def newcomer_behind_a_former_push(text: str) -> tuple[ModelServer, ModelClient]:
    """Return a client that has its session from another, whose last push is committed after the welcome."""
    server = ModelServer("ab")
    alice = joined(server)
    types(alice, 0, text)
    alice.pushes()
    former = PushFrame(1, 0, (ChangeSet.of([Change(2, 2, "former")], 2),))
    server.commit(Push("alice", former.seq, former.version, former.updates))
    return server, alice


def test_a_number_that_a_former_holder_of_the_session_used_is_no_answer_and_the_edit_is_sent_under_another() -> None:
    server, alice = newcomer_behind_a_former_push("x")
    alice.receives()
    assert (alice.replica.text, alice.replica.settled) == ("xabformer", 0)
    settle(server, alice)
    assert (alice.replica.text, alice.replica.settled, server.document.text) == ("xabformer", 1, "xabformer")


@pytest.mark.parametrize(("start", "text"), [(0, "d"), (2, "d"), (1, "")])
def test_a_deletion_under_a_number_that_a_former_holder_used_for_another_one_is_made(start: int, text: str) -> None:
    server = ModelServer("abcd")
    alice = joined(server)
    deletes(alice, 0, 3)
    alice.pushes()
    former = ChangeSet.of([Change(start, start + 1), Change(3, 3 + (not text))], 4)
    server.commit(Push("alice", 1, 0, (former,)))
    alice.receives()
    assert alice.replica.text == text
    settle(server, alice)
    assert (server.document.text, alice.replica.text, alice.replica.settled) == (text, text, 1)


def test_a_number_that_a_former_holder_used_before_anything_is_sent_is_not_used_again() -> None:
    _, alice = newcomer_behind_a_former_push("")
    alice.receives()
    types(alice, 0, "x")
    push = alice.replica.next_push()
    assert push is not None
    assert push.seq == 2


@pytest.mark.parametrize("code", ["too_old", "too_new", "seq", "in_flight"])
@pytest.mark.parametrize("more", ["", "y"])
def test_what_is_refused_for_its_number_or_its_version_is_not_taken_back_but_sent_again(code: str, more: str) -> None:
    server = ModelServer("ab")
    alice = joined(server)
    types(alice, 1, "x")
    assert alice.replica.next_push() is not None
    if more:
        types(alice, 2, more)
    alice.replica.receive(RefusedFrame(1, code, "not now"))
    assert (alice.replica.must_fetch, alice.replica.text, alice.replica.take_events()) == (True, f"ax{more}b", [])
    alice.connects()
    settle(server, alice)
    assert (server.document.text, alice.replica.text) == (f"ax{more}b", f"ax{more}b")
    assert alice.replica.settled == alice.replica.made


def test_a_session_that_is_gone_on_with_counts_on_from_what_is_acknowledged() -> None:
    server = ModelServer("a")
    server.commit(Push("alice", 41, 0, (ChangeSet.of([Change(0, 0, "x")], 1),)))
    alice = joined(server)
    types(alice, 0, "y")
    push = alice.replica.next_push()
    assert push is not None
    assert push.seq == 42


def test_a_welcome_that_goes_on_from_another_epoch_makes_the_replica_ask_for_the_text() -> None:
    server = ModelServer("a")
    alice = joined(server)
    types(alice, 0, "x")
    welcome = server.welcome("alice", ("first", 0))[0]
    assert isinstance(welcome, Welcome)
    with pytest.raises(OutOfStep, match="nothing that this client could go on from"):
        alice.replica.resume(replace(welcome, epoch="another", before=("first",)))
    assert alice.replica.resume_point is None
    settle(server, alice)
    assert server.document.text == "a"
    alice.connects()
    settle(server, alice)
    assert server.document.text == "xa"


def test_a_welcome_to_an_older_version_makes_the_replica_ask_for_the_text() -> None:
    server = ModelServer("a")
    alice = joined(server)
    welcome = server.welcome("alice", ("first", 0))[0]
    assert isinstance(welcome, Welcome)
    others(server, Change(0, 0, "x"))
    alice.receives()
    with pytest.raises(OutOfStep, match="welcome to version 0, which is older than version 1"):
        alice.replica.resume(welcome)
    assert alice.replica.must_fetch


# A text in place of the log.


def test_a_new_text_is_merged_with_what_was_typed() -> None:
    server = ModelServer("alpha\nbeta\ngamma\n", history=0)
    alice = joined(server)
    types(alice, 5, "!")
    alice.pushes()
    types(alice, 11, "?")
    others(server, Change(0, 0, "zero\n"))
    others(server, Change(16, 20, "G"))
    alice.connects()
    alice.receives()
    assert server.document.text == "zero\nalpha\nbeta\nGa\n"
    assert alice.replica.text == "zero\nalpha!\nbeta?\nGa\n"
    settle(server, alice)
    assert server.document.text == "zero\nalpha!\nbeta?\nGa\n"


def test_what_was_typed_into_text_that_others_deleted_is_kept() -> None:
    server = ModelServer("one\ntwo\nthree\n", history=0)
    alice = joined(server)
    types(alice, 6, "kept")
    others(server, Change(4, 8))
    alice.connects()
    settle(server, alice)
    assert server.document.text == "one\nkeptthree\n"


def test_a_push_in_flight_that_is_acknowledged_by_a_text_is_not_made_twice() -> None:
    server = ModelServer("ab", history=0)
    alice = joined(server)
    types(alice, 1, "x")
    alice.pushes()
    assert alice.connection is not None
    alice.connection.arrive()
    types(alice, 2, "y")
    others(server, Change(3, 3, "!"))
    alice.connects()
    alice.receives()
    assert (alice.replica.text, alice.replica.settled) == ("axyb!", 1)
    settle(server, alice)
    assert server.document.text == "axyb!"


def test_a_codespace_that_was_put_back_under_another_epoch_is_merged_with_what_is_unconfirmed() -> None:
    server = ModelServer("old text")
    alice = joined(server)
    types(alice, 8, " x")
    alice.pushes()
    server.make_anew("new text", continued=True)
    alice.connects()
    settle(server, alice)
    assert server.document.text == alice.replica.text == "new text x"
    assert alice.replica.resume_point == ResumePoint("first'", 1, f"{alice.name}:1")


@pytest.mark.parametrize("others_typed", [False, True])
@pytest.mark.parametrize("text", ["", "new text"])
def test_another_life_of_a_codespace_does_not_take_the_text_away(text: str, *, others_typed: bool) -> None:
    server = ModelServer("nowhere else")
    alice = joined(server)
    types(alice, 12, " x")
    server.make_anew(text)
    if others_typed:
        others(server, Change(0, 0, "x"))
    alice.connects()
    with pytest.raises(AnotherLife):
        settle(server, alice)
    assert alice.replica.text == "nowhere else x"
    assert alice.replica.resume_point == ResumePoint("first", 0)


def test_one_who_has_nothing_of_the_former_life_comes_to_the_next() -> None:
    server = ModelServer("")
    alice = joined(server)
    types(alice, 0, "x")
    server.make_anew("new ")
    alice.connects()
    settle(server, alice)
    assert sorted(server.document.text) == sorted(alice.replica.text) == sorted("new x")


def test_where_the_server_is_too_old_to_say_only_an_empty_codespace_is_another_life() -> None:
    for text in ("new text", ""):
        server = ModelServer("old text")
        server.before = None
        alice = joined(server)
        types(alice, 8, " x")
        server.make_anew(text)
        alice.connects()
        if text:
            settle(server, alice)
            assert server.document.text == alice.replica.text == "new text x"
        else:
            with pytest.raises(AnotherLife):
                settle(server, alice)


def test_a_push_of_the_last_connection_that_arrives_after_the_text_is_taken_as_the_server_has_it() -> None:
    server = ModelServer("abc", history=2)
    alice = joined(server)
    types(alice, 1, "x")
    alice.pushes()
    late = alice.connection or pytest.fail("connected")
    types(alice, 2, "y")
    others(server, Change(0, 3, "abc"))
    # Within the log's reach for the late push, but the client is given a text, as one of another epoch is.
    text = server.welcome("alice", None)[0]
    assert isinstance(text, Welcome)
    alice.cut()
    alice.connects()
    assert alice.connection is not None
    alice.connection.inbox.clear()
    alice.connection.inbox.append(text)
    alice.receives()
    assert alice.replica.text == "axybc"
    late.arrive()
    alice.receives()
    assert server.document.text in {"xabc", "abcx"}
    settle(server, alice)
    assert alice.replica.text == server.document.text
    assert sorted(server.document.text) == sorted("abcxy")


# Refusals.


def test_a_refused_push_is_taken_back_and_given_to_the_caller() -> None:
    server = ModelServer("ab")
    alice = joined(server)
    types(alice, 1, f"x{EMOJI}")
    alice.pushes()
    alice.replica.receive(RefusedFrame(1, "too_long", "the text would have 5 units; the limit is 3"))
    events = alice.replica.take_events()
    assert events == [
        TextChanged((Change(1, 3, ""),), 0, None),
        EditRefused("too_long", "the text would have 5 units; the limit is 3", (Change(1, 1, "x😀"),)),
    ]
    assert (alice.replica.text, alice.replica.settled) == ("ab", 1)
    assert alice.replica.resume_point is None


def test_what_was_typed_on_top_of_a_refused_push_stays_and_is_pushed_after_the_text_was_fetched() -> None:
    server = ModelServer("ab")
    alice = joined(server)
    alice.replica.edit([Change(1, 1, "xx"), Change(1, 2)])
    alice.pushes()
    types(alice, 2, "INSIDE")
    types(alice, 0, "before ")
    alice.replica.receive(RefusedFrame(1, "invalid", "no"))
    assert alice.replica.text == "before aINSIDEb"
    assert alice.replica.next_push() is None
    alice.connects()
    settle(server, alice)
    assert server.document.text == "before aINSIDEb"


def behind_a_push(server: ModelServer) -> ModelClient:
    """Return a client whose first push is in flight."""
    alice = joined(server)
    types(alice, 0, "-")
    alice.pushes()
    return alice


def test_an_edit_that_is_refused_takes_no_other_with_it() -> None:
    server = ModelServer("ab")
    alice = behind_a_push(server)
    for text in ("one ", "poison ", "two "):
        types(alice, len(alice.replica.text), text)
    refusals = 0
    while alice.replica.made > alice.replica.settled:
        if alice.connection is None:
            alice.connects()
        alice.receives()
        alice.pushes()
        assert alice.connection is not None
        push = alice.connection.outbox[0]
        if "poison" in "".join(push.updates[0].inserted):
            alice.connection.outbox.clear()
            alice.replica.receive(RefusedFrame(push.seq, "invalid", "no"))
            alice.cut()
            refusals += 1
        else:
            alice.connection.arrive()
            alice.receives()
    assert alice.replica.text == server.document.text == "-abone two "
    assert refusals == 2
    given_back = [event.changes for event in alice.replica.take_events() if isinstance(event, EditRefused)]
    assert given_back == [(Change(7, 7, "poison "),)]


def test_an_edit_that_makes_the_text_too_long_is_refused_at_once_and_what_makes_it_shorter_is_not() -> None:
    server = ModelServer("abc", limits=replace(LIMITS, text_units=4))
    alice = joined(server)
    with pytest.raises(TextTooLong, match="5 UTF-16 units, and 4 are the most; delete some first"):
        types(alice, 3, "de")
    assert (alice.replica.text, alice.replica.made) == ("abc", 0)
    types(alice, 3, "d")
    server.limits = replace(LIMITS, text_units=2)
    alice.connects()
    alice.receives()
    deletes(alice, 0, 1)
    alice.replica.edit([Change(0, 1, "x")])
    assert alice.replica.text == "xcd"


def test_what_is_too_much_for_one_push_is_sent_in_smaller_parts_until_it_is_one_change() -> None:
    server = ModelServer("a," * 32)
    alice = joined(server)
    alice.replica.edit([Change(2 * index, 2 * index + 1, "b") for index in range(32)])
    pushed: list[int] = []
    while alice.replica.made > alice.replica.settled:
        if alice.connection is None:
            alice.connects()
        alice.receives()
        alice.pushes()
        assert alice.connection is not None
        push = alice.connection.outbox[0]
        pushed.append(push.updates[0].steps)
        if pushed[-1] > 12:
            alice.connection.outbox.clear()
            alice.replica.receive(RefusedFrame(push.seq, "too_much", "send it in smaller parts"))
            alice.cut()
        else:
            alice.connection.arrive()
            alice.receives()
    assert alice.replica.text == server.document.text == "b," * 32
    assert max(pushed) == pushed[0] == 64
    assert alice.replica.take_events() == []


def test_one_change_that_is_too_much_is_given_back() -> None:
    alice = joined(ModelServer("ab")).replica
    types(alice, 1, "x")
    assert alice.next_push() is not None
    alice.receive(RefusedFrame(1, "too_much", "no"))
    assert alice.text == "ab"
    assert alice.take_events()[-1] == EditRefused("too_much", "no", (Change(1, 1, "x"),))


@pytest.mark.parametrize("sections", [4, 20, 100])
def test_a_push_is_cut_to_half_of_the_sections_that_the_welcome_says(sections: int) -> None:
    server = ModelServer("a," * 64, limits=replace(LIMITS, push_sections=sections))
    alice = joined(server)
    alice.replica.edit([Change(2 * index, 2 * index + 1, "b") for index in range(64)])
    while push := alice.replica.next_push():
        assert push.updates[0].steps <= max(sections // 2, 3)
        server.commit(Push("alice", push.seq, push.version, push.updates))
        alice.receives()
    assert alice.replica.text == server.document.text == "b," * 64


@pytest.mark.parametrize("arrives", ["not", "before the welcome", "after the welcome", "after it was sent again"])
@pytest.mark.parametrize("parts", [False, True])
def test_a_push_that_others_have_made_larger_fits_when_it_is_sent_again_and_is_made_once(
    arrives: str, *, parts: bool
) -> None:
    server = ModelServer("." * 100 + "tail" * 20, limits=replace(LIMITS, push_sections=20))
    alice = joined(server)
    further = [Change(at, at, "y") for at in range(102, 180, 4)] if parts else []
    alice.replica.edit([Change(0, 100, "NEW"), *further])
    alice.pushes()
    late = alice.connection or pytest.fail("connected")
    others(server, *(Change(at, at, "x") for at in range(2, 98, 4)))
    expected = "NEW" + "x" * 24 + ("tayil" * 20 if parts else "tail" * 20)
    if arrives == "before the welcome":
        late.arrive()
    alice.connects()
    alice.receives()
    if arrives == "after the welcome":
        late.arrive()
    alice.pushes()
    assert alice.connection is not None
    for push in alice.connection.outbox:
        assert push.updates[0].steps <= 20
        assert push.seq == 1 + (arrives == "before the welcome")
    if arrives == "after it was sent again":
        late.arrive()
    late.outbox.clear()
    settle(server, alice)
    assert server.document.text == alice.replica.text == expected
    assert alice.replica.settled == alice.replica.made
    assert not [event for event in alice.replica.take_events() if isinstance(event, EditRefused)]


@pytest.mark.parametrize("insert", ["", "b"])
def test_deletions_left_to_the_next_push_are_the_same_ones_and_not_any_that_look_alike(insert: str) -> None:
    server = ModelServer("a" * 40)
    alice = joined(server)
    alice.replica.edit([Change(at, at + 1, insert if at == 20 else "") for at in range(0, 40, 2)])
    alice.pushes()
    late = alice.connection or pytest.fail("connected")
    others(server, Change(7, 7, "x"))
    server.limits = replace(LIMITS, push_sections=12)
    alice.connects()
    alice.receives()
    alice.pushes()
    late.arrive()
    late.outbox.clear()
    settle(server, alice)
    assert server.document.text == alice.replica.text == "aaax" + "a" * 7 + insert + "a" * 10


def test_a_push_that_a_server_with_smaller_limits_does_not_take_is_sent_in_parts() -> None:
    server = ModelServer("")
    alice = joined(server)
    types(alice, 0, "x" * 3000)
    alice.pushes()
    server.limits = replace(LIMITS, message_bytes=2000)
    alice.connects()
    alice.receives()
    while push := alice.replica.next_push():
        assert len(encode(push)) <= 2000
        server.commit(Push("alice", push.seq, push.version, push.updates))
        alice.receives()
    assert server.document.text == "x" * 3000


def test_the_refusal_of_another_push_than_the_one_in_flight_changes_nothing() -> None:
    alice = joined(ModelServer("ab")).replica
    alice.receive(RefusedFrame(1, "seq", "no"))
    types(alice, 1, "x")
    alice.next_push()
    alice.receive(RefusedFrame(2, "seq", "no"))
    assert (alice.text, alice.must_fetch, alice.take_events()) == ("axb", False, [])


# Peers and selections.


def test_peers_come_change_and_go() -> None:
    server = ModelServer()
    alice = joined(server).replica
    bob = Peer("bob", "Bob", "edit")
    alice.receive(PeerFrame("bob", "Bob", "edit"))
    alice.receive(PeerFrame("bob", "Bob", "edit"))
    alice.receive(PeerFrame("bob", "Robert", "edit"))
    alice.receive(PeerFrame("alice", "Alice", "edit"))
    robert = replace(bob, name="Robert")
    assert alice.take_events() == [PeerJoined(bob), PeerJoined(robert)]
    assert alice.peers == {"bob": robert}
    alice.receive(GoneFrame("bob"))
    alice.receive(GoneFrame("bob"))
    assert alice.take_events() == [PeerLeft("bob")]


def test_a_welcome_tells_who_has_come_and_who_has_left_meanwhile() -> None:
    server = ModelServer()
    alice = joined(server).replica
    alice.receive(PeerFrame("bob", "", "edit"))
    alice.receive(PeerSelectFrame("bob", 0, ((0, 0),)))
    alice.take_events()
    welcome = server.welcome("alice", ("first", 0))[0]
    assert isinstance(welcome, Welcome)
    carol = Peer("carol", "", "view_only")
    alice.resume(replace(welcome, peers=(carol,)))
    assert alice.take_events() == [PeerLeft("bob"), PeerJoined(carol)]
    assert alice.selections == {}


def test_a_peers_selection_is_placed_in_the_text_on_the_screen_and_moves_with_it() -> None:
    server = ModelServer("abc")
    alice = joined(server)
    types(alice, 0, "--")
    alice.pushes()
    types(alice, 2, "--")
    alice.replica.receive(PeerSelectFrame("bob", 0, ((1, 2),)))
    assert alice.replica.take_events() == [PeerSelected("bob", ((5, 6),))]
    types(alice, 0, "-")
    assert alice.replica.selections == {"bob": ((6, 7),)}
    others(server, Change(1, 2))
    alice.receives()
    assert alice.replica.selections == {"bob": ((6, 6),)}


def test_a_selection_in_another_version_or_outside_the_text_is_passed_over() -> None:
    alice = joined(ModelServer("abc")).replica
    alice.receive(PeerSelectFrame("bob", 1, ((0, 0),)))
    alice.receive(PeerSelectFrame("bob", 0, ((0, 4),)))
    assert (alice.selections, alice.take_events()) == ({}, [])


def test_ones_own_selection_is_sent_once_in_the_committed_text() -> None:
    server = ModelServer("abc")
    alice = joined(server).replica
    alice.select([(3, 1)])
    assert alice.next_select() == SelectFrame(0, ((3, 1),))
    assert alice.next_select() is None


def test_a_selection_in_text_that_is_not_committed_is_sent_again_when_it_is() -> None:
    server = ModelServer("abc")
    alice = joined(server)
    types(alice, 1, "new")
    alice.replica.select([(4, 2)])
    assert alice.replica.next_select() == SelectFrame(0, ((1, 1),))
    alice.pushes()
    others(server, Change(0, 0, "_"))
    assert alice.connection is not None
    alice.connection.arrive()
    alice.receives()
    assert alice.replica.next_select() == SelectFrame(2, ((5, 3),))
    assert alice.replica.next_select() is None


def test_a_selection_is_told_to_each_connection_anew_where_it_is_then() -> None:
    server = ModelServer("abc")
    alice = joined(server)
    alice.replica.select([(2, 2)])
    alice.replica.next_select()
    others(server, Change(0, 0, "_"))
    alice.connects()
    alice.receives()
    assert alice.replica.next_select() == SelectFrame(1, ((3, 3),))


@pytest.mark.parametrize("ranges", [[(0, 4)], [(-1, 0)], [(1, 1)] * 65])
def test_a_selection_that_cannot_be_is_refused_at_once(ranges: list[tuple[int, int]]) -> None:
    alice = joined(ModelServer("abc")).replica
    with pytest.raises(ValueError, match=r"no part of the text|at most 64"):
        alice.select(ranges)
    assert alice.next_select() is None


def test_the_storages_state_is_told_when_it_changes_and_a_welcome_begins_with_ok() -> None:
    server = ModelServer()
    alice = joined(server)
    alice.replica.receive(StatusFrame("down"))
    alice.replica.receive(StatusFrame("down"))
    alice.connects()
    alice.receives()
    assert alice.replica.take_events() == [StorageChanged("down"), StorageChanged("ok")]


def test_a_frame_of_several_pushes_is_taken_push_by_push() -> None:
    # Composed, the deletion and the insertion at one point would put what is typed on the other side.
    server = ModelServer("abc")
    alice = joined(server)
    types(alice, 2, "x")
    alice.pushes()
    others(server, Change(1, 3))
    others(server, Change(1, 1, "y"))
    assert alice.connection is not None
    alice.connection.arrive()
    merged = tuple(committed(update) for update in server.log)
    alice.connection.inbox.clear()
    alice.replica.receive(UpdatesFrame(3, merged))
    assert alice.replica.text == server.document.text
    assert changed(alice.replica.take_events())[-1].sender == "others"


def test_a_push_of_several_updates_is_taken_as_one() -> None:
    server = ModelServer("abc")
    alice, bob = joined(server), joined(server, "bob")
    types(alice, 2, "x")
    types(bob, 2, "y")
    alice.pushes()
    bob.pushes()
    updates = (ChangeSet.of([Change(1, 3)], 3), ChangeSet.of([Change(1, 1, "z")], 1))
    server.commit(Push("others", 1, 0, updates))
    settle(server, alice, bob)
    assert alice.replica.text == bob.replica.text == server.document.text
    texts = [event for event in changed(alice.replica.take_events()) if event.sender == "others"]
    assert [event.version for event in texts] == [2]


def test_an_update_that_does_not_follow_the_one_before_in_its_push_takes_nothing_of_the_push() -> None:
    alice = joined(ModelServer("a")).replica
    fits = Update("bob", 1, ChangeSet.of([Change(0, 0, "x")], 1))
    with pytest.raises(OutOfStep, match="update 2 is for a text of 7 units"):
        alice.receive(frame_of(2, fits, Update("bob", 1, ChangeSet.empty_of(7))))
    assert (alice.text, alice.version, alice.must_fetch) == ("a", 0, True)
