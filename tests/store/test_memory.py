"""The memory store beyond the contract: its faults, its clock, its limits and what it tells of itself."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count

import pytest
import trio
from trio.testing import MockClock

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.presence import Announcement
from pyshare.store.faults import Faults
from pyshare.store.interface import (
    Announced,
    Appended,
    Committed,
    Deleted,
    Expired,
    Gap,
    Gone,
    Snapshot,
    StoreEvent,
    StoreLimits,
    StoreUnavailable,
    Tail,
)
from pyshare.store.memory import MemoryStore, MemoryStoreStatistics

Events = trio.MemoryReceiveChannel[StoreEvent]


@pytest.fixture
def faults() -> Faults:
    """What the store is told to do wrong."""
    return Faults()


@asynccontextmanager
async def running(store: MemoryStore) -> AsyncIterator[MemoryStore]:
    """Run `store` until the context is left."""
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        yield store
        nursery.cancel_scope.cancel()


@pytest.fixture
async def store(faults: Faults) -> AsyncIterator[MemoryStore]:
    """A running store whose epochs are e1, e2 and so on."""
    numbers = count(1)
    async with running(
        MemoryStore(
            StoreLimits(expire_seconds=100, tmp_expire_seconds=10),
            faults=faults,
            new_epoch=lambda: f"e{next(numbers)}",
            subscription_events=8,
        )
    ) as store:
        yield store


def typed(version: int) -> Update:
    """Return the update that makes `version` out of as many letters less one."""
    return Update("alice", version, ChangeSet.of([Change(version - 1, version - 1, "x")], version - 1))


async def append(store: MemoryStore, version: int, codespace: str = "room", epoch: str = "e1") -> object:
    """Append the update that makes `version`."""
    updates = [typed(version)]
    return await store.append(codespace, epoch, expected=version - 1, updates=updates, text=None)


def committed(version: int, epoch: str = "e1") -> Committed:
    """Return the event of the update that makes `version`."""
    return Committed(version, (typed(version),), epoch)


def heard(events: Events) -> list[StoreEvent]:
    """Return what a subscription holds, and take it out."""
    taken = []
    while True:
        try:
            taken.append(events.receive_nowait())
        except trio.WouldBlock:
            return taken


async def known_after(events: list[StoreEvent], known: int, store: MemoryStore) -> int:
    """Return the version known to one who knew `known` and then read `events`, and the log at each gap."""
    for event in events:
        if isinstance(event, Gap):
            tail = await store.read_log("room", "e1", after=known)
            assert isinstance(tail, Tail)
            known = tail.version
        else:
            assert isinstance(event, Committed)
            assert event.version <= known + 1, "something was lost and there was no gap behind it"
            known = max(known, event.version)
    return known


# Faults


async def test_epochs_are_random_unless_given() -> None:
    async with running(MemoryStore(StoreLimits())) as store:
        one, two = await store.load("one", create=True), await store.load("two", create=True)
        assert one is not None
        assert two is not None
        assert one.epoch != two.epoch
        assert len(one.epoch) >= 16


async def test_a_delayed_call_has_no_effect_before_its_delay_is_over(
    store: MemoryStore, faults: Faults, autojump_clock: MockClock
) -> None:
    await store.load("room", create=True)
    faults.call_delay = lambda operation, codespace: 5 if (operation, codespace) == ("append", "room") else 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(append, store, 1)
        await trio.sleep(4.9)
        assert await store.read_log("room", "e1", after=0) == Tail(0, ())
        await trio.sleep(0.2)
        assert await store.read_log("room", "e1", after=0) == Tail(1, (typed(1),))


async def test_a_call_that_is_cancelled_in_its_delay_does_nothing(
    store: MemoryStore, faults: Faults, autojump_clock: MockClock
) -> None:
    await store.load("room", create=True)
    faults.call_delay = lambda operation, codespace: 5 if operation == "append" else 0
    with trio.move_on_after(4) as scope:
        await append(store, 1)
    assert scope.cancelled_caught
    await trio.sleep(10)
    assert await store.read_log("room", "e1", after=0) == Tail(0, ())


async def test_an_append_told_to_fail_before_the_commit_does_nothing_and_the_one_after_succeeds(
    store: MemoryStore, faults: Faults
) -> None:
    await store.load("room", create=True)
    async with store.subscribe("room") as events:
        faults.fail_before = 2
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await append(store, 1)
        assert await store.read_log("room", "e1", after=0) == Tail(0, ())
        assert heard(events) == []
        assert await append(store, 1) == Appended(1)


async def test_an_append_told_to_fail_after_the_commit_is_in_the_log_and_was_heard(
    store: MemoryStore, faults: Faults
) -> None:
    await store.load("room", create=True)
    async with store.subscribe("room") as events:
        faults.fail_after = 1
        with pytest.raises(StoreUnavailable):
            await append(store, 1)
        assert await store.read_log("room", "e1", after=0) == Tail(1, (typed(1),))
        assert heard(events) == [committed(1)]
        assert await append(store, 2) == Appended(2)


async def test_an_append_that_would_do_nothing_anyway_is_not_the_one_to_fail_after_the_commit(
    store: MemoryStore, faults: Faults
) -> None:
    await store.load("room", create=True)
    faults.fail_after = 1
    assert await append(store, 1, epoch="another") == Gone(replaced=True)
    assert faults.fail_after == 1


async def test_a_store_that_is_down_answers_nothing_and_comes_back_with_all_it_had(
    store: MemoryStore, faults: Faults
) -> None:
    await store.load("room", create=True)
    await append(store, 1)
    async with store.subscribe("room") as events:
        faults.down = True
        calls: list[Callable[[], Awaitable[object]]] = [
            store.check,
            lambda: store.load("room", create=True),
            lambda: append(store, 2),
            lambda: store.read_log("room", "e1", after=0),
            lambda: store.write_text("room", "e1", version=1, text="x"),
            lambda: store.touch("room", "e1"),
            lambda: store.put_back("room", Snapshot("e1", "x", 1, 1)),
            lambda: store.publish("room", Announcement("one")),
            lambda: store.delete("room"),
        ]
        for call in calls:
            with pytest.raises(StoreUnavailable):
                await call()
        assert heard(events) == []
        faults.down = False
        assert await append(store, 2) == Appended(2)
        assert heard(events) == [committed(2)]


async def test_a_call_in_its_delay_fails_when_the_store_goes_down(
    store: MemoryStore, faults: Faults, autojump_clock: MockClock
) -> None:
    await store.load("room", create=True)
    faults.call_delay = lambda operation, codespace: 5

    async def fail() -> None:
        with pytest.raises(StoreUnavailable):
            await append(store, 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail)
        await trio.sleep(1)
        faults.down = True
    faults.down = False
    assert await store.read_log("room", "e1", after=0) == Tail(0, ())


async def test_a_delayed_event_arrives_when_its_delay_is_over_and_the_append_does_not_wait_for_it(
    store: MemoryStore, faults: Faults, autojump_clock: MockClock
) -> None:
    await store.load("room", create=True)
    faults.event_delay = lambda codespace: 3
    async with store.subscribe("room") as events:
        start = trio.current_time()
        await append(store, 1)
        assert trio.current_time() == start
        assert store.statistics().delayed_events == 1
        assert await events.receive() == committed(1)
        assert trio.current_time() == start + 3
        assert store.statistics().delayed_events == 0


async def test_events_of_one_codespace_keep_their_order_whatever_their_delays(
    store: MemoryStore, faults: Faults, autojump_clock: MockClock
) -> None:
    await store.load("room", create=True)
    delays = iter([3.0, 1.0, 0.0, 0.0, 2.0, 4.0])
    faults.event_delay = lambda codespace: next(delays)
    async with store.subscribe("room") as events:
        start = trio.current_time()
        for version in range(1, 7):
            await append(store, version)
        arrivals = []
        for version in range(1, 7):
            assert await events.receive() == committed(version)
            arrivals.append(trio.current_time() - start)
    assert arrivals == [3, 3, 3, 3, 3, 4]


async def test_events_of_different_codespaces_overtake_each_other(
    store: MemoryStore, faults: Faults, autojump_clock: MockClock
) -> None:
    await store.load("slow", create=True)
    await store.load("fast", create=True)
    faults.event_delay = lambda codespace: 3 if codespace == "slow" else 1
    async with store.subscribe("slow") as slow, store.subscribe("fast") as fast:
        await append(store, 1, "slow", "e1")
        await append(store, 1, "fast", "e2")
        await trio.sleep(2)
        assert (heard(slow), heard(fast)) == ([], [committed(1, "e2")])
        await trio.sleep(2)
        assert heard(slow) == [committed(1)]


async def test_a_delayed_event_reaches_only_those_who_were_subscribed_when_it_happened(
    store: MemoryStore, faults: Faults, autojump_clock: MockClock
) -> None:
    await store.load("room", create=True)
    faults.event_delay = lambda codespace: 3
    async with store.subscribe("room") as early:
        async with store.subscribe("room"):
            await append(store, 1)
        async with store.subscribe("room") as late:
            await trio.sleep(4)
            assert (heard(early), heard(late)) == ([committed(1)], [])


async def test_an_event_that_is_dropped_reaches_nobody_and_leaves_no_gap(store: MemoryStore, faults: Faults) -> None:
    await store.load("room", create=True)
    faults.drop_event = lambda codespace, event: isinstance(event, Committed) and event.version == 2
    async with store.subscribe("room") as one, store.subscribe("room") as two:
        for version in (1, 2, 3):
            assert await append(store, version) == Appended(version)
        assert heard(one) == heard(two) == [committed(1), committed(3)]


@pytest.mark.parametrize("delay", [0, 1])
async def test_an_event_that_is_repeated_arrives_twice_and_nothing_between(
    store: MemoryStore, faults: Faults, autojump_clock: MockClock, delay: float
) -> None:
    await store.load("room", create=True)
    faults.repeat_event = lambda codespace, event: isinstance(event, Committed) and event.version == 2
    faults.event_delay = lambda codespace: delay
    async with store.subscribe("room") as events:
        for version in (1, 2, 3):
            await append(store, version)
        await trio.sleep(2)
        assert heard(events) == [committed(1), committed(2), committed(2), committed(3)]


# Subscriptions


async def test_a_subscription_holds_as_many_events_as_it_is_told_the_last_place_being_for_the_gap(
    store: MemoryStore,
) -> None:
    await store.load("room", create=True)
    async with store.subscribe("room") as events:
        for version in range(1, 8):
            await append(store, version)
        assert heard(events) == [committed(version) for version in range(1, 8)]
        for version in range(8, 18):
            await append(store, version)
        assert heard(events) == [*(committed(version) for version in range(8, 15)), Gap()]


async def test_no_event_is_lost_without_a_gap_behind_it_however_the_subscription_is_read(
    store: MemoryStore,
) -> None:
    await store.load("room", create=True)
    async with store.subscribe("room") as events:
        known = 0
        for version in range(1, 301):
            await append(store, version)
            # Nothing is read for a while, then one event a version, then as many as there are.
            match version // 30 % 3:
                case 0:
                    read = []
                case 1:
                    read = [events.receive_nowait()]
                case _:
                    read = heard(events)
            known = await known_after(read, known, store)
        known = await known_after(heard(events), known, store)
        assert known == 300


async def test_a_subscriber_that_closed_its_end_itself_costs_nobody_else(store: MemoryStore) -> None:
    async with store.subscribe("room") as closed, store.subscribe("room") as other:
        closed.close()
        await store.publish("room", Announcement("one"))
        assert heard(other) == [Announced(Announcement("one"))]


async def test_a_subscription_that_was_left_leaves_nothing_behind(store: MemoryStore) -> None:
    async with store.subscribe("room"), store.subscribe("room"), store.subscribe("other"):
        assert store.statistics().subscriptions == 3
    assert store.statistics() == MemoryStoreStatistics(0, 0, 0, 0)
    assert store._subscriptions.codespaces == ()


# What is kept


async def test_the_log_is_trimmed_as_soon_as_the_text_has_taken_it_in() -> None:
    async with running(MemoryStore(StoreLimits(log_updates=3), new_epoch=lambda: "e1")) as store:
        await store.load("room", create=True)
        for version in range(1, 11):
            await append(store, version)
        assert store.statistics().log_updates == 10
        await store.write_text("room", "e1", version=4, text="xxxx")
        assert store.statistics().log_updates == 6
        await store.write_text("room", "e1", version=10, text="x" * 10)
        assert store.statistics().log_updates == 3


# The end of a codespace


async def test_a_codespace_expires_at_its_deadline_and_not_before(
    store: MemoryStore, autojump_clock: MockClock
) -> None:
    start = trio.current_time()
    async with store.subscribe("tmp-room") as events:
        await store.load("tmp-room", create=True)
        assert await events.receive() == Expired()
        assert trio.current_time() == start + 10
    assert store.statistics().codespaces == 0


async def test_each_codespace_expires_in_its_own_time_whichever_was_made_first(
    store: MemoryStore, autojump_clock: MockClock
) -> None:
    start = trio.current_time()
    expired: list[tuple[str, float]] = []

    async def wait_expired(codespace: str) -> None:
        async with store.subscribe(codespace) as events:
            await store.load(codespace, create=True)
            assert await events.receive() == Expired()
            expired.append((codespace, trio.current_time() - start))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_expired, "room")
        await trio.sleep(1)
        nursery.start_soon(wait_expired, "tmp-one")
        await trio.sleep(1)
        nursery.start_soon(wait_expired, "tmp-two")
        await trio.sleep(5)
        await store.touch("tmp-one", "e2")
    assert expired == [("tmp-two", 12), ("tmp-one", 17), ("room", 100)]


async def test_a_codespace_made_anew_does_not_expire_at_the_deadline_of_the_old_one(
    store: MemoryStore, autojump_clock: MockClock
) -> None:
    await store.load("tmp-room", create=True)
    await trio.sleep(6)
    assert await store.delete("tmp-room")
    start = trio.current_time()
    async with store.subscribe("tmp-room") as events:
        await store.load("tmp-room", create=True)
        assert await events.receive() == Expired()
        assert trio.current_time() == start + 10


async def test_reading_the_log_or_writing_the_text_does_not_count_as_use(
    store: MemoryStore, autojump_clock: MockClock
) -> None:
    start = trio.current_time()
    async with store.subscribe("tmp-room") as events:
        await store.load("tmp-room", create=True)
        await trio.sleep(6)
        await store.read_log("tmp-room", "e1", after=0)
        await store.write_text("tmp-room", "e1", version=0, text="")
        assert await events.receive() == Expired()
        assert trio.current_time() == start + 10


async def test_expiry_on_demand_is_heard_as_expiry(store: MemoryStore, faults: Faults) -> None:
    await store.load("room", create=True)
    faults.down = True
    async with store.subscribe("room") as events:
        assert store.expire_now("room")
        assert not store.expire_now("room")
        assert heard(events) == [Expired()]
    faults.down = False
    assert await append(store, 1) == Gone()


async def test_deletion_is_heard_as_deletion_and_only_once(store: MemoryStore) -> None:
    await store.load("room", create=True)
    async with store.subscribe("room") as events:
        assert await store.delete("room")
        assert not await store.delete("room")
        assert heard(events) == [Deleted()]
    assert await store.load("room", create=False) is None


# Statistics


async def test_statistics_count_what_is_kept(store: MemoryStore, faults: Faults) -> None:
    await store.load("one", create=True)
    await store.load("two", create=True)
    await append(store, 1, "one", "e1")
    await append(store, 2, "one", "e1")
    await append(store, 1, "two", "e2")
    faults.event_delay = lambda codespace: 1
    async with store.subscribe("one"):
        await append(store, 3, "one", "e1")
        assert store.statistics() == MemoryStoreStatistics(
            codespaces=2, log_updates=4, subscriptions=1, delayed_events=1
        )
