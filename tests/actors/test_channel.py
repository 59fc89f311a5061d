"""One codespace on one instance: joining, typing, resuming, presence, being slow, expiry."""

import pytest
import trio

from pyshare.actors import attendance, log
from pyshare.actors.messages import Received
from pyshare.actors.supervisor import SupervisorLimits
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import DocumentLimits, Update
from pyshare.core.errors import CloseCode
from pyshare.core.names import fingerprint
from pyshare.core.protocol import (
    GoneFrame,
    PeerFrame,
    PeerSelectFrame,
    PushFrame,
    RefusedFrame,
    SelectFrame,
    StatusFrame,
    UpdatesFrame,
    Welcome,
)
from pyshare.store.faults import Faults
from pyshare.store.interface import StoreLimits
from pyshare.store.memory import MemoryStore
from tests.actors.world import LIMITS, Client, channel_limits, open_world

#: What members are told while the store does not answer.
DOWN = StatusFrame("down", "the store does not answer")


def insert(text: str, at: int, length: int) -> ChangeSet:
    return ChangeSet.of([Change(at, at, text)], length)


def last_welcome(client: Client) -> Welcome:
    welcome = client.received(Welcome)[-1]
    assert isinstance(welcome, Welcome)
    return welcome


async def pushes(client: Client, frame: PushFrame) -> None:
    await client.sends(Received(client.outlet, frame))


async def test_what_one_types_the_other_sees(store: MemoryStore, autojump_clock: trio.testing.MockClock) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        await world.settles()
        alice.types("hello")
        await world.settles()
        bob.types("!")
        await world.settles()
        assert alice.text == bob.text == "hello!"


async def test_one_who_takes_pieces_has_long_messages_in_pieces_and_the_others_have_them_whole(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), Client("bob")
        bob.pieces = True
        await world.settles()
        alice.types("x" * 20_000)
        await world.settles()
        alice.types("y" * 20_000)
        await world.settles()
        world.joins(bob)
        await world.settles()
        assert bob.outlet.texts[0].startswith("+{")
        alice.types("z" * 40_000, at=0)
        await world.settles()
        assert bob.text == alice.text == "z" * 40_000 + "x" * 20_000 + "y" * 20_000
        assert [text[0] for text in bob.outlet.texts].count("+") == 4
        assert {text[0] for text in alice.outlet.texts} == {"{"}


async def test_both_type_at_one_place_at_once_and_see_one_text(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        await world.settles()
        for letter in "abcdef":
            alice.types(letter, at=0)
            bob.types(letter.upper(), at=0)
        await world.settles()
        assert alice.text == bob.text
        assert sorted(alice.text) == sorted("abcdefABCDEF")


async def test_the_first_frame_is_the_welcome_with_the_text_and_the_limits(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        alice.types("hi")
        await world.settles()
        await world.passes(1)
        bob = world.client("bob")
        await world.settles()
        first = bob.editor.frames[0]
        assert isinstance(first, Welcome)
        assert (first.id, first.mode, first.text, first.version) == ("id-of-bob", "edit", "hi", 1)
        assert first.limits == LIMITS
        assert [peer.id for peer in first.peers] == ["id-of-alice"]
        assert first.acked == 0


async def test_editors_and_viewers_of_one_codespace_are_told_one_mark_of_it_on_every_server(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=("one", "two")) as world:
        clients = [
            world.client("ann"),
            world.client("ben", mode="view_only"),
            world.client("cat", instance="two"),
            world.client("dan", codespace="tmp-b"),
        ]
        await world.settles()
        ann, ben, cat, dan = (last_welcome(client).codespace for client in clients)
        assert ann == ben == cat == fingerprint("tmp-a")
        assert dan == fingerprint("tmp-b")


async def test_pushes_that_arrive_during_an_append_share_the_next_one(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    appends = []

    def delay(operation: str, codespace: str) -> float:
        if operation == "append":
            appends.append(codespace)
        return 1 if operation == "append" else 0

    async with open_world(store) as world:
        typists = [world.client(f"typist {index}") for index in range(5)]
        await world.settles()
        faults.call_delay = delay
        for typist in typists:
            typist.types(typist.peer.name[-1])
        await world.passes(3)
        assert len(appends) == 2
        assert sorted(typists[0].text) == list("01234")
        assert {typist.text for typist in typists} == {typists[0].text}


async def test_a_push_sent_twice_is_committed_once(store: MemoryStore, autojump_clock: trio.testing.MockClock) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        push = PushFrame(1, 0, (insert("x", 0, 0),))
        await pushes(alice, push)
        await pushes(alice, push)
        await world.settles()
        await pushes(alice, push)
        await world.settles()
        bob = world.client("bob")
        await world.settles()
        assert bob.text == "x"
        assert alice.received(RefusedFrame) == []


async def test_a_second_push_in_flight_is_refused_and_the_first_committed(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        faults.call_delay = lambda operation, codespace: 1
        await pushes(alice, PushFrame(1, 0, (insert("x", 0, 0),)))
        await pushes(alice, PushFrame(2, 0, (insert("y", 0, 0),)))
        await world.passes(5)
        refused = alice.received(RefusedFrame)
        assert [(frame.seq, frame.code) for frame in refused if isinstance(frame, RefusedFrame)] == [(2, "in_flight")]
        bob = world.client("bob")
        await world.passes(5)
        assert bob.text == "x"


async def test_a_sequence_number_below_the_last_is_refused(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        await pushes(alice, PushFrame(5, 0, (insert("x", 0, 0),)))
        await world.settles()
        await pushes(alice, PushFrame(4, 1, (insert("y", 0, 1),)))
        await world.settles()
        (refused,) = alice.received(RefusedFrame)
        assert isinstance(refused, RefusedFrame)
        assert (refused.seq, refused.code) == (4, "seq")


async def test_an_invalid_push_is_refused_with_a_reason_and_the_others_notice_nothing(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        bob.types("text")
        await world.settles()
        await pushes(alice, PushFrame(1, 1, (insert("x", 0, 99),)))
        bob.types("!")
        await world.settles()
        (refused,) = alice.received(RefusedFrame)
        assert isinstance(refused, RefusedFrame)
        assert refused.code == "invalid"
        assert "99" in refused.reason
        assert alice.closed_with() is None
        assert alice.text == bob.text == "text!"


async def test_a_version_that_is_to_come_is_refused_after_the_log_was_read(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        await pushes(alice, PushFrame(1, 7, (insert("x", 0, 0),)))
        await world.settles()
        (refused,) = alice.received(RefusedFrame)
        assert isinstance(refused, RefusedFrame)
        assert refused.code == "too_new"


async def test_one_who_may_only_look_sees_everything_and_changes_nothing(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, guest = world.client("alice"), world.client("guest", mode="view_only")
        alice.types("text")
        await world.settles()
        assert guest.text == "text"
        await pushes(guest, PushFrame(1, 1, (insert("x", 0, 4),)))
        await world.settles()
        (refused,) = guest.received(RefusedFrame)
        assert isinstance(refused, RefusedFrame)
        assert refused.code == "view_only"
        assert alice.text == "text"


@pytest.mark.parametrize(("tip", "is_known"), [("id-of-alice:1", True), ("id-of-alice:2", False), (None, True)])
async def test_one_whose_version_was_made_by_another_update_than_the_logs_is_sent_the_text(
    tip: str | None, is_known: bool, store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.types("a")
        await world.settles()
        bob.cut()
        await world.settles()
        alice.types("b")
        await world.settles()
        bob.tip = tip
        world.joins(bob)
        await world.settles()
        welcome = last_welcome(bob)
        assert (welcome.text is None, welcome.updates is None) == (is_known, not is_known)
        assert bob.text == "ab"


async def test_one_who_comes_back_is_sent_the_updates_it_missed(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.types("a")
        await world.settles()
        bob.cut()
        await world.settles()
        for letter in "bcd":
            alice.types(letter)
            await world.settles()
        world.joins(bob)
        await world.settles()
        welcome = last_welcome(bob)
        assert (welcome.version, welcome.text, welcome.updates) == (1, None, ())
        following = [frame for frame in bob.received(UpdatesFrame) if isinstance(frame, UpdatesFrame)][-3:]
        assert [[update.changes for update in frame.updates] for frame in following] == [
            [insert("b", 1, 1)],
            [insert("c", 2, 2)],
            [insert("d", 3, 3)],
        ]
        assert bob.text == alice.text == "abcd"


async def test_what_was_typed_offline_is_merged_at_the_return(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.types("base")
        await world.settles()
        bob.cut()
        await world.settles()
        bob.types("B", at=0)
        alice.types("A")
        await world.settles()
        world.joins(bob)
        await world.settles()
        assert alice.text == bob.text == "BbaseA"


async def test_a_version_older_than_the_history_gets_the_text_anew(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    limits = channel_limits()
    short = SupervisorLimits(
        type(limits)(told=LIMITS, document=type(limits.document)(history_updates=2)), linger_seconds=10
    )
    async with open_world(store, limits=short) as world:
        alice, bob = world.client("alice"), world.client("bob")
        await world.settles()
        bob.cut()
        for letter in "abc":
            alice.types(letter)
            await world.settles()
        world.joins(bob)
        await world.settles()
        assert last_welcome(bob).text == "abc"
        assert last_welcome(bob).updates is None
        assert bob.text == "abc"


async def test_another_epoch_gets_the_text_anew(store: MemoryStore, autojump_clock: trio.testing.MockClock) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        alice.types("old")
        await world.settles()
        await store.delete("tmp-a")
        await world.settles()
        assert alice.closed_with() == CloseCode.GONE
        world.joins(alice)
        await world.settles()
        assert last_welcome(alice).text == ""


async def test_a_push_under_way_when_its_connection_is_cut_is_committed_once(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        await world.settles()
        faults.call_delay = lambda operation, codespace: 1 if operation == "append" else 0
        alice.types("once")
        await world.settles()
        alice.cut()
        await world.settles()
        world.joins(alice)
        await world.settles()
        assert len(alice.received(Welcome)) == 1, "it waits until it is known what became of the push"
        await world.passes(5)
        assert alice.text == bob.text == "once"
        assert last_welcome(alice).acked == 1


async def test_one_with_a_push_behind_two_foreign_updates_comes_back_to_the_same_text(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    # Mapping a push over a deletion and then an insertion at the same point is not the same as mapping it over
    # both at once; an editor that is welcomed with both in one frame would part from the others.
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.types("ab")
        await world.settles()
        alice.reads = False
        bob.deletes(1, 2)
        await world.settles()
        bob.types("R")
        await world.settles()
        alice.types("X", at=1)
        await world.settles()
        alice.cut()
        alice.reads = True
        world.joins(alice)
        await world.settles()
        assert bob.text == alice.text
        assert bob.text == "aRX"


async def test_the_same_session_elsewhere_closes_the_older_connection_as_done(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        first = world.client("alice")
        bob = world.client("bob")
        await world.settles()
        second = world.client("alice")
        await world.settles()
        assert first.closed_with() == CloseCode.DONE
        assert second.closed_with() is None
        await world.passes(1)
        second.types("x")
        await world.settles()
        assert bob.text == "x"
        assert not bob.received(GoneFrame)


async def test_arrivals_and_departures_are_told_to_the_others(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.passes(1)
        bob = world.client("bob")
        await world.passes(1)
        assert alice.received(PeerFrame) == [PeerFrame("id-of-bob", "bob", "edit")]
        assert bob.received(PeerFrame) == []
        bob.cut()
        await world.passes(1)
        assert alice.received(GoneFrame) == [GoneFrame("id-of-bob")]


async def test_a_selection_reaches_the_others_mapped_to_the_present_version(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.types("text")
        await world.passes(1)
        await bob.sends(Received(bob.outlet, SelectFrame(1, ((1, 3),))))
        await world.settles()
        assert alice.received(PeerSelectFrame) == [PeerSelectFrame("id-of-bob", 1, ((1, 3),))]
        assert bob.received(PeerSelectFrame) == alice.received(PeerSelectFrame), "one frame for all"
        alice.types("12", at=0)
        await world.settles()
        kim = world.client("kim")
        await world.passes(0.2)
        assert kim.received(PeerSelectFrame) == [PeerSelectFrame("id-of-bob", 2, ((3, 5),))]
        assert len(alice.received(PeerSelectFrame)) == 1, "only newcomers are shown it again"


async def test_a_newcomer_is_shown_the_selection_of_one_who_sits_still_however_long_the_log(
    store: MemoryStore, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attendance, "_BEHIND_VERSIONS", 5)
    limits = SupervisorLimits(type(channel_limits())(told=LIMITS, document=DocumentLimits(history_updates=20)))
    async with open_world(store, limits=limits) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.types("text")
        await world.passes(1)
        await bob.sends(Received(bob.outlet, SelectFrame(1, ((1, 3),))))
        for _ in range(50):
            alice.types("x", at=0)
            await world.passes(0.2)
        kim = world.client("kim")
        await world.passes(0.2)
        assert kim.received(PeerSelectFrame) == [PeerSelectFrame("id-of-bob", 51, ((51, 53),))]


async def test_selections_whose_moving_takes_many_steps_are_moved_in_several_tellings(
    store: MemoryStore, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attendance, "_TELLING_STEPS", 10)
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        await world.passes(1)
        for _ in range(30):
            alice.types("x", at=0)
            await world.settles()
        before = bob.outlet.steps
        await bob.sends(Received(bob.outlet, SelectFrame(1, ((1, 0),))))
        await world.passes(0.1)
        assert alice.received(PeerSelectFrame) == []
        await world.passes(2)
        assert alice.received(PeerSelectFrame) == [PeerSelectFrame("id-of-bob", 30, ((30, 0),))]
        assert bob.outlet.steps - before == 90, "a selection that is far behind is paid by its sender"


async def test_a_client_that_leaves_pays_for_the_whole_work_of_its_last_push(
    store: MemoryStore, autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "TURN_STEPS", 200)
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        await world.settles()
        for _ in range(300):
            alice.types("x", at=0)
            await world.settles()
        before = bob.outlet.steps
        bob.pushes = False
        await pushes(bob, PushFrame(1, 0, tuple(insert("y", index, index) for index in range(100))))
        bob.cut()
        await world.passes(1)
        assert alice.text.count("y") == 100
        assert bob.outlet.steps - before > 15_000


async def test_selections_are_sent_at_most_so_often_and_the_last_one_counts(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        alice.types("0123456789")
        await world.passes(1)
        for pos in range(10):
            await bob.sends(Received(bob.outlet, SelectFrame(1, ((pos, pos),))))
            await world.settles()
        await world.passes(0.5)
        shown = alice.received(PeerSelectFrame)
        assert len(shown) == 2
        assert shown[-1] == PeerSelectFrame("id-of-bob", 1, ((9, 9),))


async def test_a_selection_that_makes_no_sense_is_not_shown(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        await world.passes(1)
        await bob.sends(Received(bob.outlet, SelectFrame(9, ((1, 3),))))
        await bob.sends(Received(bob.outlet, SelectFrame(0, ((1, 3),))))
        await world.passes(1)
        assert alice.received(PeerSelectFrame) == []
        assert bob.closed_with() is None


async def test_a_slow_client_lags_with_bounded_memory_and_catches_up(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, slow = world.client("alice"), world.client("slow")
        await world.passes(1)
        slow.outlet.full = True
        for letter in "abcdefgh":
            alice.types(letter)
            await world.settles()
        statistics = world.supervisors["one"].statistics().channels["tmp-a"]
        assert slow.outlet.taken == []
        assert (statistics.lagging, statistics.members) == (1, 2)
        assert 0 < statistics.backlog_bytes < 8 * 200
        kim = world.client("kim")
        await world.passes(1)
        slow.outlet.full = False
        await world.settles()
        assert slow.text == alice.text == kim.text == "abcdefgh"
        assert slow.received(PeerFrame)[-1] == PeerFrame("id-of-kim", "kim", "edit")
        assert world.supervisors["one"].statistics().channels["tmp-a"].backlog_bytes == 0


async def test_a_client_is_refused_when_the_codespace_is_full_but_not_when_it_comes_back(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    limits = SupervisorLimits(type(channel_limits())(told=LIMITS, clients=2))
    async with open_world(store, limits=limits) as world:
        world.client("alice")
        bob = world.client("bob")
        await world.settles()
        kim = world.client("kim")
        await world.settles()
        assert kim.closed_with() == CloseCode.TOO_MANY
        again = world.client("bob")
        await world.settles()
        assert again.closed_with() is None
        assert bob.closing is not None


async def test_one_who_pushes_before_the_welcome_is_told_to_wait(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        faults.call_delay = lambda operation, codespace: 5
        alice.types("x")
        await world.settles()
        alice.cut()
        world.joins(alice)
        await world.settles()
        await pushes(alice, PushFrame(1, 0, (insert("x", 0, 0),)))
        await world.settles()
        assert alice.outlet.closing is not None
        assert alice.outlet.closing.code == CloseCode.NOT_UNDERSTOOD


async def test_an_open_codespace_does_not_expire(store: MemoryStore, autojump_clock: trio.testing.MockClock) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        alice.types("here")
        await world.settles()
        await world.passes(10_000)
        assert alice.closed_with() is None
        bob = world.client("bob")
        await world.settles()
        assert bob.text == "here"


async def test_expiry_under_clients_closes_them_with_4410(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        alice.types("here")
        await world.settles()
        store.expire_now("tmp-a")
        await world.settles()
        assert alice.closed_with() == CloseCode.GONE
        assert not world.supervisors["one"].statistics().channels


async def test_expiry_that_nobody_was_told_of_is_found_by_the_next_sign_of_life(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        faults.drop_event = lambda codespace, event: True
        store.expire_now("tmp-a")
        await world.settles()
        assert alice.closed_with() is None
        await world.passes(20)
        assert alice.closed_with() == CloseCode.GONE


async def test_a_store_that_fails_is_told_and_what_was_typed_meanwhile_is_committed(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        await world.settles()
        faults.down = True
        alice.types("typed in the dark")
        await world.passes(5)
        assert [frame.storage for frame in bob.received(StatusFrame) if isinstance(frame, StatusFrame)] == ["down"]
        assert bob.text == ""
        kim = world.client("kim")
        await world.passes(1)
        faults.down = False
        await world.passes(5)
        assert [frame.storage for frame in bob.received(StatusFrame) if isinstance(frame, StatusFrame)] == [
            "down",
            "ok",
        ]
        assert alice.text == bob.text == kim.text == "typed in the dark"


async def test_an_append_whose_answer_is_lost_is_not_repeated(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        await world.settles()
        faults.drop_event = lambda codespace, event: True
        faults.fail_after = 1
        alice.types("once")
        await world.passes(5)
        assert alice.text == bob.text == "once"
        faults.fail_before = 1
        alice.types(", and again")
        await world.passes(5)
        assert alice.text == bob.text == "once, and again"


async def test_members_are_closed_with_1013_when_too_much_waits_for_the_store(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    limits = SupervisorLimits(type(channel_limits())(told=LIMITS, pending_bytes=400))
    async with open_world(store, limits=limits) as world:
        alice, bob = world.client("alice"), world.client("bob")
        await world.settles()
        faults.down = True
        alice.types("a" * 50)
        bob.types("b" * 50)
        await world.settles()
        assert alice.closed_with() is None
        assert bob.closed_with() == CloseCode.TRY_LATER
        faults.down = False
        await world.passes(5)
        world.joins(bob)
        await world.passes(5)
        assert alice.text == bob.text
        assert sorted(alice.text) == sorted("a" * 50 + "b" * 50)


async def test_above_the_limit_for_all_codespaces_only_the_one_with_most_waiting_is_told_to_come_back(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    limits = SupervisorLimits(channel_limits(), codespaces_bytes=20_000)
    async with open_world(store, limits=limits) as world:
        calm = world.client("calm", codespace="tmp-b")
        crowd = [world.client(f"crowd {number}") for number in range(5)]
        await world.settles()
        faults.down = True
        calm.types("calm")
        for each in crowd:
            each.types("x" * 5000)
        await world.settles()
        closed = [each.closed_with() for each in crowd]
        assert closed == [None, None, None, CloseCode.TRY_LATER, CloseCode.TRY_LATER]
        assert calm.closed_with() is None
        calm.types("er")
        await world.settles()
        assert calm.closed_with() is None
        faults.down = False
        await world.passes(15)
        assert calm.text == "calmer"
        assert len(crowd[0].text) == 15_000


async def test_above_the_limit_for_all_codespaces_history_goes_before_a_laggard_is_closed(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    limits = SupervisorLimits(channel_limits(), codespaces_bytes=20_000)
    async with open_world(store, limits=limits, instances=("one", "two")) as world:
        alice, bob = world.client("alice", instance="two"), world.client("bob")
        await world.settles()
        for _ in range(40):
            alice.types("x" * 1000)
            await world.settles()
        assert world.supervisors["one"].held.bytes > 15_000, "the history has all that there is"
        bob.outlet.full = True
        for _ in range(3):
            alice.types("y" * 1000)
            await world.settles()
        assert bob.closed_with() is None
        assert world.supervisors["one"].held.bytes <= 20_000


async def test_a_channel_that_has_ended_holds_nothing_of_the_limit_for_all(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    limits = SupervisorLimits(channel_limits(), linger_seconds=1)
    async with open_world(store, limits=limits) as world:
        alice = world.client("alice")
        await world.settles()
        alice.types("a" * 1000)
        await world.settles()
        held = world.supervisors["one"].held
        assert (held.holders, held.bytes > 1000) == (1, True)
        alice.cut()
        await world.passes(5)
        assert (held.holders, held.bytes) == (0, 0)


async def test_a_long_text_is_stored_a_moment_after_its_edit(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    limits = channel_limits()
    short = SupervisorLimits(type(limits)(told=LIMITS, log=type(limits.log)(text_with_append_units=3)))
    async with open_world(store, limits=short) as world:
        alice = world.client("alice")
        alice.types("long text")
        await world.settles()
        snapshot = await store.load("tmp-a", create=False)
        assert snapshot is not None
        assert (snapshot.text, snapshot.text_version, snapshot.version) == ("", 0, 1)
        await world.passes(0.3)
        snapshot = await store.load("tmp-a", create=False)
        assert snapshot is not None
        assert (snapshot.text, snapshot.text_version) == ("long text", 1)


async def test_a_log_that_outgrows_its_bytes_before_the_text_is_stored_brings_the_text_with_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = MemoryStore(StoreLimits(log_bytes=2000), new_epoch=lambda: "e")
    channel = channel_limits()
    times = type(channel.log)(text_with_append_units=3, text_seconds=1000, without_text_bytes=1000)
    limits = SupervisorLimits(type(channel)(told=LIMITS, log=times))
    async with open_world(store, limits=limits) as world:
        alice = world.client("alice")
        for number in range(60):
            alice.types("x" * 100)
            await world.settles()
            snapshot = await store.load("tmp-a", create=False)
            assert snapshot is not None
            assert snapshot.version == number + 1
            untaken = snapshot.log[len(snapshot.log) - (snapshot.version - snapshot.text_version) :]
            assert len(untaken) * 116 <= max(len(alice.text), 1000)
            assert len(snapshot.log) * 180 <= max(2000, len(alice.text) * 2)


async def test_updates_reach_a_codespace_of_its_own_only(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        bob = world.client("bob", codespace="tmp-b")
        await world.settles()
        alice.types("a")
        bob.types("b")
        await world.settles()
        assert (alice.text, bob.text) == ("a", "b")
        assert len(alice.received(UpdatesFrame)) == 1


async def test_a_log_that_no_longer_reaches_back_ends_the_channel_and_the_next_one_goes_on(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    short = MemoryStore(StoreLimits(log_updates=2), faults=faults)
    async with open_world(short, instances=("one", "two")) as world:
        alice, bob = world.client("alice"), world.client("bob", instance="two")
        await world.passes(1)
        faults.drop_event = lambda codespace, event: True
        for letter in "abcd":
            alice.types(letter)
            await world.settles()
        bob.cut()
        await world.settles()
        kim = world.client("kim", instance="two")
        await world.settles()
        kim.types("e")
        await world.settles()
        assert kim.closed_with() == CloseCode.TRY_LATER
        assert world.supervisors["one"].statistics().failed == 0
        lee = world.client("lee", instance="two")
        await world.settles()
        assert lee.text == "abcd"


async def test_a_sign_of_life_that_the_store_does_not_take_is_told_and_no_harm(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.passes(1)
        faults.down = True
        await world.passes(40)
        faults.down = False
        alice.types("still here")
        await world.passes(3)
        assert alice.closed_with() is None
        assert alice.editor.unconfirmed == []
        assert alice.received(StatusFrame) == [DOWN, StatusFrame("ok")]


async def test_missed_events_are_made_good_by_reading_the_log_and_asking_who_is_here(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    narrow = MemoryStore(StoreLimits(), faults=faults, subscription_events=2)
    async with open_world(narrow, instances=("one", "two")) as world:
        alice, bob = world.client("alice"), world.client("bob", instance="two")
        await world.passes(1)
        snapshot = await narrow.load("tmp-a", create=False)
        assert snapshot is not None
        for version, letter in enumerate("abcdef"):
            update = Update("somebody", version + 1, insert(letter, version, version))
            await narrow.append("tmp-a", snapshot.epoch, expected=version, updates=[update], text=None)
        await world.passes(1)
        assert alice.text == bob.text == "abcdef"


async def test_a_channel_that_cannot_store_what_is_left_ends_all_the_same(
    store: MemoryStore,
    faults: Faults,
    autojump_clock: trio.testing.MockClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        faults.down = True
        alice.types("never stored")
        await world.settles()
        alice.cut()
        await world.passes(60)
        assert world.supervisors["one"].statistics().channels == {}
        assert "channel retired before the store took everything" in caplog.messages


async def test_a_newcomer_that_writes_at_once_is_told_of_before_its_first_edit(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.passes(1)
        world.client("bob")
        await world.settles()
        # Another telling begins only after a pause.
        kim = world.client("kim")
        kim.types("x")
        await world.settles()
        frames = [type(frame) for frame in alice.editor.frames]
        assert alice.text == "x"
        assert alice.received(PeerFrame)[-1] == PeerFrame("id-of-kim", "kim", "edit")
        assert frames.index(UpdatesFrame) > len(frames) - 1 - frames[::-1].index(PeerFrame)
        await world.passes(1)
        assert alice.received(PeerFrame).count(PeerFrame("id-of-kim", "kim", "edit")) == 1


async def test_one_that_writes_and_leaves_at_once_is_told_of_and_then_gone(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    faults.call_delay = lambda operation, codespace: 0.05 if operation == "append" else 0
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.passes(1)
        world.client("bob")
        await world.settles()
        kim = world.client("kim")
        kim.types("x")
        await world.settles()
        kim.cut()
        await world.passes(1)
        assert alice.text == "x"
        assert alice.received(PeerFrame).count(PeerFrame("id-of-kim", "kim", "edit")) == 1
        assert alice.received(GoneFrame) == [GoneFrame("id-of-kim")]
