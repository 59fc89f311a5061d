"""The fan-out alone: who is sent what, and what is kept for whoever lags."""

from typing_extensions import override

from pyshare.actors.backlog import SLICE_BYTES
from pyshare.actors.fanout import FanOut, FanOutLimits, Listener
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.errors import CloseCode
from pyshare.core.framing import server_frame
from pyshare.core.protocol import GoneFrame, Peer, UpdatesFrame
from pyshare.core.shares import SharedLimit
from tests.actors.world import FakeOutlet

BOB = Peer("bob", "Bob", "edit")
EVE = Peer("eve", "Eve", "edit")


def letters(text: str, start: int = 0) -> list[Update]:
    return [
        Update("bob", index + 1, ChangeSet.of([Change(index, index, letter)], index))
        for index, letter in enumerate(text, start)
    ]


def versions(outlet: FakeOutlet) -> list[int]:
    return [frame.version for frame in outlet.taken if isinstance(frame, UpdatesFrame)]


def gone(client: str) -> bytes:
    return server_frame(GoneFrame(client))


def told(outlet: FakeOutlet) -> list[str]:
    return [frame.id for frame in outlet.taken if isinstance(frame, GoneFrame)]


def fan_out(limits: FanOutLimits | None = None) -> tuple[FanOut, FakeOutlet, FakeOutlet]:
    fanout = FanOut(0, limits or FanOutLimits())
    bob, eve = FakeOutlet(), FakeOutlet()
    fanout.join(Listener(bob, BOB), b"")
    fanout.join(Listener(eve, EVE), b"")
    return fanout, bob, eve


def member(fanout: FanOut, outlet: FakeOutlet) -> Listener:
    return next(each for each in fanout.listeners() if each.outlet is outlet)


def test_pushes_committed_together_reach_a_member_in_one_write_and_one_frame_each() -> None:
    fanout, bob, _ = fan_out()
    before = bob.writes
    fanout.publish(letters("abc"))
    assert bob.writes == before + 1
    assert versions(bob) == [1, 2, 3]


def test_the_updates_of_one_push_share_a_frame() -> None:
    fanout, bob, eve = fan_out()
    eve.full = True
    first, second, third = letters("abc")
    fanout.publish([Update("bob", 1, first.changes), Update("bob", 1, second.changes), third])
    eve.full = False
    fanout.drained(member(fanout, eve))
    assert versions(bob) == versions(eve) == [2, 3]


def test_a_member_with_a_full_socket_is_sent_nothing_and_the_others_everything() -> None:
    fanout, bob, eve = fan_out()
    eve.full = True
    fanout.publish(letters("ab"))
    fanout.publish(letters("c", 2))
    assert versions(bob) == [1, 2, 3]
    assert versions(eve) == []
    assert fanout.lagging == 1


def test_a_laggard_gets_what_it_missed_in_one_write_when_its_socket_has_drained() -> None:
    fanout, _, eve = fan_out()
    fanout.publish(letters("a"))
    eve.full = True
    fanout.publish(letters("bc", 1))
    fanout.publish(letters("d", 3))
    eve.full = False
    before = eve.writes
    fanout.drained(member(fanout, eve))
    assert versions(eve) == [1, 2, 3, 4]
    assert eve.writes == before + 1
    assert fanout.lagging == 0
    assert fanout.backlog_bytes == 0


def test_a_laggard_whose_socket_is_still_full_goes_on_lagging() -> None:
    fanout, _, eve = fan_out()
    eve.full = True
    fanout.publish(letters("a"))
    assert fanout.drained(member(fanout, eve)) is None
    assert fanout.lagging == 1


def test_a_member_that_does_not_lag_is_sent_nothing_when_it_has_drained() -> None:
    fanout, bob, _ = fan_out()
    assert fanout.drained(member(fanout, bob)) is None
    assert fanout.drained(Listener(FakeOutlet(), EVE)) is None


def test_two_laggards_at_different_places_each_get_their_own_rest() -> None:
    fanout, bob, eve = fan_out()
    eve.full = True
    fanout.publish(letters("a"))
    bob.full = True
    fanout.publish(letters("b", 1))
    bob.full = eve.full = False
    fanout.drained(member(fanout, bob))
    assert versions(bob) == [1, 2]
    fanout.publish(letters("c", 2))
    fanout.drained(member(fanout, eve))
    assert versions(bob) == [1, 2, 3]
    assert versions(eve) == [1, 2, 3]


def test_the_backlog_is_bounded_by_closing_whoever_is_furthest_behind() -> None:
    fanout, bob, eve = fan_out(FanOutLimits(backlog_bytes=500))
    eve.full = True
    fanout.publish(letters("abc"))
    bob.full = True
    fanout.publish(letters("defg", 3))
    assert eve.closing is not None
    assert eve.closing.code == CloseCode.TOO_SLOW
    assert bob.closing is None
    assert fanout.backlog_bytes <= 500


def test_what_codespaces_keep_for_laggards_is_bounded_for_all_together_and_those_with_much_give_up() -> None:
    limit = SharedLimit(2000)
    rooms = []
    for _ in range(2):
        fanout = FanOut(0, FanOutLimits(), limit.share())
        eve = FakeOutlet()
        fanout.join(Listener(eve, EVE), b"")
        eve.full = True
        rooms.append((fanout, eve))
    (busy, busy_eve), (calm, calm_eve) = rooms
    calm.publish(letters("a"))
    kept = limit.bytes
    assert kept > 0
    busy.publish(letters("a" * 100))
    assert limit.bytes == kept
    assert busy_eve.closing is not None
    assert busy_eve.closing.code == CloseCode.TOO_SLOW
    assert calm_eve.closing is None
    calm.leave(member(calm, calm_eve))
    assert limit.bytes == 0


def test_nothing_is_kept_when_nobody_lags_or_nobody_is_here() -> None:
    fanout, bob, eve = fan_out()
    fanout.publish(letters("a"))
    assert fanout.backlog_bytes == 0
    fanout.leave(member(fanout, bob))
    fanout.leave(member(fanout, eve))
    fanout.publish(letters("b", 1))
    assert len(fanout) == 0
    assert fanout.backlog_bytes == 0


def test_a_laggard_that_leaves_takes_its_backlog_with_it() -> None:
    fanout, _, eve = fan_out()
    eve.full = True
    fanout.publish(letters("a"))
    assert fanout.backlog_bytes > 0
    fanout.leave(member(fanout, eve))
    assert fanout.backlog_bytes == 0


def test_news_of_a_laggards_topics_is_owed_to_it_once_each() -> None:
    fanout, bob, eve = fan_out()
    eve.full = True
    fanout.tell_all({"kim": gone("kim")})
    fanout.tell_all({"kim": gone("kim"), "lee": gone("lee")})
    assert told(bob) == ["kim", "kim", "lee"]
    eve.full = False
    assert list(fanout.drained(member(fanout, eve)) or ()) == ["kim", "lee"]
    assert told(eve) == []


def test_nobody_is_told_of_oneself() -> None:
    fanout, bob, eve = fan_out()
    fanout.tell_all({"bob": gone("bob"), "eve": gone("eve")})
    assert told(bob) == ["eve"]
    assert told(eve) == ["bob"]


def test_selections_are_shown_to_all_as_the_same_bytes() -> None:
    fanout, bob, eve = fan_out()
    frames = gone("bob") + gone("eve")
    fanout.show(frames)
    assert told(bob) == told(eve) == ["bob", "eve"]
    assert bob.bytes == eve.bytes


def test_a_member_whose_socket_is_filled_by_selections_lags() -> None:
    fanout, _, eve = fan_out()
    eve.full = True
    fanout.show_to(member(fanout, eve), gone("kim"))
    assert fanout.lagging == 1


def test_selections_shown_to_a_laggard_are_dropped() -> None:
    fanout, _, eve = fan_out()
    eve.full = True
    fanout.show(gone("kim"))
    fanout.show_to(member(fanout, eve), gone("kim"))
    eve.full = False
    assert list(fanout.drained(member(fanout, eve)) or ()) == []
    assert told(eve) == []


def test_a_laggard_is_not_closed_however_many_come_and_go_and_is_owed_nothing_of_them() -> None:
    fanout, _, eve = fan_out()
    fanout.tell_all({"kim": gone("kim")})
    eve.full = True
    for index in range(10_000):
        fanout.tell_all({f"new {index}": gone("new"), f"short {index}": gone("short")}, ended={f"short {index}"})
        fanout.tell_all({f"new {index}": gone("new")}, ended={f"new {index}"})
    assert member(fanout, eve).missed == {}
    fanout.tell_all({"kim": gone("kim"), "lee": gone("lee")}, ended={"kim"})
    fanout.tell_all({"lee": gone("lee")})
    assert eve.closing is None
    eve.full = False
    assert list(fanout.drained(member(fanout, eve)) or ()) == ["kim", "lee"], "kim was known, and lee is here"


def test_a_laggard_hears_that_a_peer_of_its_welcome_left_before_the_others_were_told_of_it() -> None:
    fanout, _, _ = fan_out()
    kim = FakeOutlet()
    fanout.join(Listener(kim, Peer("kim", "Kim", "edit")), b"", told=["lee"])
    kim.full = True
    fanout.show(gone("bob"))
    fanout.tell_all({"lee": gone("lee")}, ended={"lee"})
    kim.full = False
    assert list(fanout.drained(member(fanout, kim)) or ()) == ["lee"]


class SlowOutlet(FakeOutlet):
    """A socket that has room for some bytes, and keeps the last write while it was sent in part."""

    def __init__(self) -> None:
        super().__init__()
        self.room = 0
        # The write that was sent in part.
        self.rest = b""

    @override
    def write_nowait(self, data: bytes) -> bool:
        """Take one write more than there is room for."""
        self.full = self.room <= 0
        taken = super().write_nowait(data)
        if taken:
            self.room -= len(data)
            self.rest = data if self.room < 0 else b""
        return taken


def test_laggards_are_sent_slices_of_shared_bytes_and_each_keeps_one_at_most() -> None:
    fanout = FanOut(0, FanOutLimits())
    slow = [SlowOutlet() for _ in range(20)]
    for index, outlet in enumerate(slow):
        outlet.room = 1
        fanout.join(Listener(outlet, Peer(f"slow {index}", "", "view_only")), b"")
        outlet.room = 0
    for number in range(100):
        fanout.publish([Update("bob", number + 1, long_edit(number, 30_000))])
    for _ in range(60):
        for outlet in slow:
            outlet.room = 1
            fanout.drained(member(fanout, outlet))
            assert len(outlet.rest) <= SLICE_BYTES
        assert len({id(outlet.rest) for outlet in slow}) == 1, "the same bytes for all"
    assert fanout.lagging == 0
    assert fanout.backlog_bytes == 0
    assert all(versions(outlet) == list(range(1, 101)) for outlet in slow)


def test_members_share_the_bytes_of_what_their_sockets_took_in_part() -> None:
    fanout = FanOut(0, FanOutLimits())
    slow = [SlowOutlet() for _ in range(3)]
    for index, outlet in enumerate(slow):
        outlet.room = 1
        fanout.join(Listener(outlet, Peer(f"slow {index}", "", "view_only")), b"")
    fanout.publish([Update("bob", number + 1, long_edit(number, 50_000)) for number in range(20)])
    assert {len(outlet.rest) for outlet in slow} == {len(slow[0].rest)}
    assert len(slow[0].rest) <= SLICE_BYTES
    assert len({id(outlet.rest) for outlet in slow}) == 1


def test_a_long_frame_is_made_once_for_all_who_take_pieces_and_once_for_all_who_do_not() -> None:
    fanout = FanOut(0, FanOutLimits())
    slow = [SlowOutlet() for _ in range(6)]
    for index, outlet in enumerate(slow):
        outlet.room = 1
        fanout.join(Listener(outlet, Peer(f"slow {index}", "", "view_only"), pieces=index % 2 == 1), b"")
    fanout.publish([Update("bob", 1, long_edit(0, 60_000))])
    whole, pieces = slow[0], slow[1]
    assert {id(outlet.rest) for outlet in slow[0::2]} == {id(whole.rest)}
    assert {id(outlet.rest) for outlet in slow[1::2]} == {id(pieces.rest)}
    assert [text[0] for text in whole.texts] == ["{"]
    assert [text[0] for text in pieces.texts] == ["+", "+", "+", "="]
    assert whole.taken == pieces.taken


def test_laggards_of_both_kinds_get_what_they_missed_and_it_is_kept_within_one_bound() -> None:
    fanout = FanOut(0, FanOutLimits(backlog_bytes=300_000))
    outlets = [FakeOutlet() for _ in range(4)]
    for index, outlet in enumerate(outlets):
        fanout.join(Listener(outlet, Peer(f"{index}", "", "view_only"), pieces=index % 2 == 1), b"")
    for outlet in outlets[1:]:
        outlet.full = True
    fanout.publish([Update("bob", 1, long_edit(0, 60_000))])
    assert 120_000 < fanout.backlog_bytes < 121_000
    fanout.publish([Update("bob", 2, long_edit(1, 60_000))])
    for outlet in outlets:
        outlet.full = False
        fanout.drained(member(fanout, outlet))
        assert versions(outlet) == [1, 2]
    assert fanout.backlog_bytes == 0
    outlets[2].full = outlets[3].full = True
    for number in range(2, 5):
        fanout.publish([Update("bob", number + 1, long_edit(number, 60_000))])
        assert fanout.backlog_bytes <= 300_000
    assert [outlet.closing is None for outlet in outlets] == [True, True, False, True]


def long_edit(number: int, units: int) -> ChangeSet:
    length = units if number else 0
    return ChangeSet.of([Change(0, length, "xy"[number % 2] * units)], length)


def test_an_answer_waits_for_a_full_socket_and_comes_before_later_updates() -> None:
    fanout, _, eve = fan_out()
    eve.full = True
    fanout.answer(member(fanout, eve), gone("kim"))
    fanout.publish(letters("a"))
    eve.full = False
    fanout.drained(member(fanout, eve))
    assert [type(frame) for frame in eve.taken] == [GoneFrame, UpdatesFrame]


def test_one_that_reads_no_answers_is_closed() -> None:
    fanout, _, eve = fan_out(FanOutLimits(answers=2))
    eve.full = True
    for _ in range(3):
        fanout.answer(member(fanout, eve), gone("kim"))
    assert eve.closing is not None
    assert eve.closing.code == CloseCode.TOO_SLOW


def test_an_answer_to_one_who_has_left_is_dropped() -> None:
    fanout, bob, _ = fan_out()
    left = member(fanout, bob)
    fanout.leave(left)
    fanout.answer(left, gone("kim"))
    assert told(bob) == []


def test_a_member_whose_welcome_finds_a_full_socket_gets_it_first() -> None:
    fanout, _, _ = fan_out()
    kim = FakeOutlet()
    kim.full = True
    fanout.join(Listener(kim, Peer("kim", "Kim", "edit")), gone("welcome"))
    fanout.publish(letters("a"))
    kim.full = False
    fanout.drained(member(fanout, kim))
    assert [type(frame) for frame in kim.taken] == [GoneFrame, UpdatesFrame]
