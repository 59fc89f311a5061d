"""The log machine: what the store is asked, what follows from its answers, and when it is asked again."""

import pytest

from pyshare.actors.counts import Counts
from pyshare.actors.log import (
    Append,
    Check,
    Finished,
    Logged,
    LogLimits,
    LogLost,
    LogMachine,
    PutBack,
    ReadLog,
    Refused,
    Request,
    Settled,
    StorageChanged,
    Turn,
    Unanswerable,
    WriteText,
)
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Document, DocumentLimits, Push, Update
from pyshare.core.errors import RefusalCode
from pyshare.store.interface import Appended, Conflict, Gone, Lost, StoreUnavailable, Tail

AWAY = StoreUnavailable("away")


def insertion(sender: str, seq: int, *, text: str = "x", version: int = 0, length: int = 0) -> Push:
    return Push(sender, seq, version, (ChangeSet.of([Change(0, 0, text)], length),))


def free(steps: int) -> None:
    """Charge nobody."""


class World:
    """A machine, its document, and the time."""

    def __init__(self, text: str = "", version: int = 0, limits: LogLimits | None = None) -> None:
        self.limits = limits or LogLimits()
        self.document = Document(text, version, limits=DocumentLimits())
        self.counts = Counts()
        self.woken = 0
        self.now = 0.0
        self.log = LogMachine(
            "tmp-a", "epoch", document=self.document, counts=self.counts, limits=self.limits, wake=self.wake
        )

    def wake(self) -> None:
        self.woken += 1

    def asks(self) -> Request | None:
        return self.log.next_request(self.now)

    def appends(self) -> Append:
        request = self.asks()
        assert isinstance(request, Append)
        return request

    def hears(self, request: Request, answer: object) -> list[object]:
        """The store answers; return the outcomes but `Settled`, with the document and the pushes moved on."""
        self.log.on_answer(request, answer, self.now)  # type: ignore[arg-type]
        return self.outcomes()

    def outcomes(self) -> list[object]:
        outcomes = [each for each in self.log.take_outcomes() if not isinstance(each, Settled)]
        for outcome in outcomes:
            if isinstance(outcome, Logged):
                self.log.settle(self.document.advance(outcome.version, outcome.updates))
        return list(outcomes)

    def add(self, sender: str, seq: int, *, version: int | None = None) -> None:
        version = self.document.version if version is None else version
        self.log.add(insertion(sender, seq, version=version, length=len(self.document.text)), charge=free)


def test_pushes_that_arrive_while_one_is_under_way_go_together_into_the_next_append() -> None:
    world = World()
    world.add("kim", 1)
    first = world.appends()
    assert world.log.is_appending("kim")
    world.add("lee", 1)
    world.add("ann", 1)
    assert world.woken == 3
    assert world.hears(first, Appended(1)) == [Logged(1, first.updates)]
    assert not world.log.is_appending("kim")
    second = world.appends()
    assert (second.base, second.text) == (1, "xxx")
    assert second.clients == {"lee", "ann"}
    world.hears(second, Appended(3))
    assert world.asks() is None
    assert world.log.is_finished


def test_nothing_is_asked_while_nothing_is_to_be_done() -> None:
    world = World()
    assert world.asks() is None
    assert world.log.wake_at(world.now) == float("inf")


def test_a_conflict_brings_what_was_missed_and_the_append_is_made_again() -> None:
    world = World()
    world.add("kim", 1)
    missed = Update("lee", 1, insertion("lee", 1).updates[0])
    assert world.hears(world.appends(), Conflict(Tail(1, (missed,)))) == [Logged(1, (missed,))]
    again = world.appends()
    assert (again.base, again.text) == (1, "xx")
    assert world.counts.conflicts == 1


def test_an_append_whose_turn_is_another_instances_is_made_again_after_a_moment() -> None:
    world = World()
    world.add("kim", 1)
    world.hears(world.appends(), Conflict(Tail(0, ())))
    assert world.asks() is None
    assert world.log.wake_at(world.now) == world.limits.turn_seconds
    world.now = world.limits.turn_seconds
    world.appends()


def test_after_a_failure_the_log_is_read_before_anything_is_appended_again() -> None:
    world = World()
    world.add("kim", 1)
    request = world.appends()
    assert world.hears(request, AWAY) == [StorageChanged(AWAY)]
    assert world.asks() is None
    world.now = world.log.wake_at(world.now)
    read = world.asks()
    assert read == ReadLog(0)
    # It had happened.
    assert world.hears(ReadLog(0), Tail(1, request.updates)) == [Logged(1, request.updates)]
    assert world.log.pending == 0


def test_pauses_double_up_to_their_limit_and_begin_short_again_when_all_is_well() -> None:
    world = World(limits=LogLimits(first_retry_seconds=1, last_retry_seconds=4))
    world.log.read()
    pauses = []
    for _ in range(4):
        request = world.asks()
        assert request
        world.hears(request, AWAY)
        pauses.append(world.log.wake_at(world.now) - world.now)
        world.now += pauses[-1]
    assert [round(pause / pauses[0]) for pause in pauses] == [1, 2, 4, 4]
    assert 0.5 <= pauses[0] <= 1
    request = world.asks()
    assert request
    assert world.hears(request, Tail(0, ())) == [StorageChanged(None)]
    world.log.read()
    request = world.asks()
    assert request
    world.hears(request, AWAY)
    assert world.log.wake_at(world.now) - world.now == pytest.approx(pauses[0])


def test_after_a_failed_write_reading_is_not_well_and_writing_is() -> None:
    world = World()
    world.add("kim", 1)
    world.hears(world.appends(), AWAY)
    world.now = world.log.wake_at(world.now)
    read = world.asks()
    assert isinstance(read, ReadLog)
    assert world.hears(read, Tail(0, ())) == []
    assert StorageChanged(None) in world.hears(world.appends(), Appended(1))


def test_another_reason_for_which_nothing_is_committed_is_told_and_the_same_one_is_not() -> None:
    full = StoreUnavailable("Redis refused: OOM", public="the store is full")
    world = World()
    world.add("kim", 1)
    told: list[list[object]] = []
    for answer in (AWAY, AWAY, full, full):
        world.now = max(world.now, world.log.wake_at(world.now)) if told else 0
        request = world.asks()
        assert request
        told.append(world.hears(request, answer))
    assert told == [[StorageChanged(AWAY)], [], [StorageChanged(full)], []]


def test_where_nothing_waits_any_more_something_small_is_written_to_see_whether_all_is_well() -> None:
    world = World()
    world.add("kim", 1)
    request = world.appends()
    world.hears(request, AWAY)
    world.now = world.log.wake_at(world.now)
    read = world.asks()
    assert isinstance(read, ReadLog)
    world.hears(read, Tail(1, request.updates))
    check = world.asks()
    assert check == Check()
    assert world.hears(Check(), None) == [StorageChanged(None)]
    assert world.asks() is None


def test_doubt_ends_a_pause() -> None:
    world = World()
    world.log.read()
    request = world.asks()
    assert request
    world.hears(request, AWAY)
    assert world.asks() is None
    world.log.doubt()
    assert world.asks() == ReadLog(0)
    assert world.counts.resyncs["gap"] == 1


def test_what_is_heard_in_doubt_waits_until_the_log_was_read() -> None:
    world = World()
    updates = (Update("lee", 1, insertion("lee", 1).updates[0]),)
    world.log.hear(1, updates)
    assert world.outcomes() == [Logged(1, updates)]
    world.log.doubt()
    later = (Update("lee", 2, insertion("lee", 2, length=1).updates[0]),)
    world.log.hear(2, later)
    assert world.outcomes() == []
    read = world.asks()
    assert read == ReadLog(1)
    assert world.hears(ReadLog(1), Tail(1, ())) == [Logged(2, later)]


@pytest.mark.parametrize(
    ("text", "count", "is_kept"),
    [("x", 1000, True), ("x", 10_000, False), ("x" * 10**6, 3, True), ("x" * 10**6, 5, False)],
)
def test_what_is_heard_in_doubt_is_bounded_by_bytes_and_above_that_the_log_is_read_once_more(
    text: str, count: int, is_kept: bool
) -> None:
    world = World()
    world.log.doubt()
    assert world.asks() == ReadLog(0)
    for version in range(1, count + 1):
        push = insertion("lee", version, text=text, length=(version - 1) * len(text))
        world.log.hear(version, (Update("lee", version, push.updates[0]),))
    heard = world.hears(ReadLog(0), Tail(0, ()))
    assert len(heard) == (count if is_kept else 0)
    assert world.asks() == (None if is_kept else ReadLog(0))


@pytest.mark.parametrize("answer", [Lost(), Tail(0, ()), Conflict(Tail(0, ()))])
def test_what_the_store_has_lost_is_put_back_before_anything_else(answer: object) -> None:
    world = World("text", 7)
    world.add("kim", 1)
    assert world.hears(world.appends() if isinstance(answer, Conflict) else reads(world), answer) == []
    assert world.log.must_read
    back = world.asks()
    assert isinstance(back, PutBack)
    assert (back.held.text, back.held.version, back.held.epoch) == ("text", 7, "epoch")
    assert world.hears(back, Tail(7, ())) == []
    assert world.counts.put_backs == 1
    assert isinstance(world.asks(), Append)


def reads(world: World) -> Request:
    world.log.read()
    request = world.asks()
    assert isinstance(request, ReadLog)
    return request


def test_a_log_that_reaches_no_more_back_and_a_codespace_that_is_gone_are_told() -> None:
    world = World("text", 7)
    assert world.hears(reads(world), Tail(9, None)) == [LogLost()]
    assert world.hears(reads(world), Gone(replaced=True)) == [Gone(replaced=True)]


def test_a_push_of_a_version_that_is_to_come_has_the_log_read_first() -> None:
    world = World()
    world.add("kim", 1, version=1)
    assert world.asks() == ReadLog(0)


def test_a_push_that_cannot_be_is_refused_and_one_that_was_committed_under_another_number_is_unanswerable() -> None:
    world = World()
    world.log.add(insertion("kim", 1, length=9), charge=free)
    assert world.asks() == Turn()
    (refused,) = world.outcomes()
    assert isinstance(refused, Refused)
    assert (refused.push.sender, refused.refusal.code) == ("kim", RefusalCode.INVALID)
    assert world.hears(Turn(), None) == []
    world.document.advance(1, [Update("lee", 1, insertion("lee", 1).updates[0])])
    world.log.add(insertion("lee", 2), charge=free)
    assert world.asks() == Turn()
    assert world.outcomes() == [Unanswerable("lee")]


def test_a_long_text_is_stored_later_and_at_once_when_it_hurries() -> None:
    limits = LogLimits(text_with_append_units=2)
    world = World("text", limits=limits)
    world.add("kim", 1)
    request = world.appends()
    assert request.text is None
    world.hears(request, Appended(1))
    assert world.asks() is None
    assert world.log.wake_at(world.now) == limits.text_seconds
    assert not world.log.is_finished
    world.log.hurry()
    write = world.asks()
    assert write == WriteText(1, "xtext")
    world.hears(WriteText(1, "xtext"), None)
    assert world.asks() is None
    assert world.outcomes() == [Finished()]
    assert world.log.is_finished


def test_a_text_that_was_changed_while_it_was_stored_is_stored_again() -> None:
    limits = LogLimits(text_with_append_units=2)
    world = World("text", limits=limits)
    world.add("kim", 1)
    world.hears(world.appends(), Appended(1))
    world.now = limits.text_seconds
    write = world.asks()
    assert isinstance(write, WriteText)
    world.document.advance(2, [Update("lee", 1, insertion("lee", 1, length=5).updates[0])])
    world.hears(write, None)
    assert world.log.wake_at(world.now) == 2 * limits.text_seconds


def test_updates_that_weigh_as_much_as_the_text_are_appended_with_it() -> None:
    world = World("text", limits=LogLimits(text_with_append_units=2, without_text_bytes=300))
    world.add("kim", 1)
    assert world.appends().text is None
    world.hears(Append(0, (), None, frozenset()), AWAY)
    world.now = 10
    world.hears(reads(world), Tail(0, ()))
    assert world.appends().text == "xtext"


def test_an_answer_that_fits_no_question_is_an_error() -> None:
    world = World()
    with pytest.raises(TypeError, match="is not an answer to"):
        world.log.on_answer(Check(), Appended(1), 0)
