"""The contract that every store passes: what `pyshare.store.interface` promises, not how it is kept.

A store joins by a name in `BACKENDS` and its making in the fixture `store`. Only tests
that let time pass ask for `clock`, which is a mock one where the store allows it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from functools import cache
from typing import Protocol

import pytest
import trio
from trio.testing import MockClock, assert_checkpoints

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import DocumentLimits, Update, weight
from pyshare.core.presence import Announcement, Attendee, Language, Selection
from pyshare.core.protocol import Peer
from pyshare.core.units import to_units
from pyshare.store.folding import document_of
from pyshare.store.interface import (
    Announced,
    Appended,
    Committed,
    Conflict,
    Expired,
    Gap,
    Gone,
    Lost,
    Snapshot,
    Standing,
    Store,
    StoreEvent,
    StoreLimits,
    Tail,
)
from pyshare.store.memory import MemoryStore
from pyshare.store.redis import RedisStore
from simulation.redis_double import Data, RedisDouble
from simulation.redis_link import Hub, linked
from tests.redis import PROGRAMS, RedisServer, running_redis

BACKENDS = ("memory", "double", *PROGRAMS)
#: Those that run in this process, on a clock of the test.
IN_PROCESS = ("memory", "double")
LIMITS = StoreLimits(log_updates=8, log_bytes=2_000_000, senders=4, expire_seconds=1200, tmp_expire_seconds=1)

Events = trio.MemoryReceiveChannel[StoreEvent]


class Lossy(Protocol):
    """A store's data, which can be lost."""

    async def lose_all(self) -> None:
        """Have the store lose everything."""

    async def save(self) -> None:
        """Keep a copy of everything."""

    async def go_back(self) -> None:
        """Have the store hold what it held when it was saved, and nothing else."""


class LossyMemory:
    """The data of a memory store."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._saved: Mapping[str, object] = {}

    async def lose_all(self) -> None:
        self._store.go_back({})

    async def save(self) -> None:
        self._saved = self._store.save()

    async def go_back(self) -> None:
        self._store.go_back(self._saved)


class LossyRedis:
    """The data of a Redis server."""

    def __init__(self, server: RedisServer) -> None:
        self._client = server.client
        self._saved: dict[bytes | str, bytes] = {}

    async def lose_all(self) -> None:
        self._client.flushall()

    async def save(self) -> None:
        for key in self._client.scan_iter():
            value = self._client.dump(key)
            assert value is not None
            self._saved[key] = value

    async def go_back(self) -> None:
        self._client.flushall()
        for key, value in self._saved.items():
            self._client.restore(key, 1_200_000, value)


class LossyDouble:
    """The data of a double of Redis."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._saved = hub.double.save()

    async def lose_all(self) -> None:
        self._hub.double.data = Data()

    async def save(self) -> None:
        self._saved = self._hub.double.save()

    async def go_back(self) -> None:
        self._hub.double.data = self._saved


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The name of the store under test."""
    return str(request.param)


@pytest.fixture
def clock(backend: str) -> MockClock | None:
    """The clock on which a test lets time pass: a mock one, or None for a store that keeps its own time."""
    return MockClock(autojump_threshold=0) if backend in IN_PROCESS else None


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], RedisServer]]:
    """Return a running server by its name; each runs until the module's tests are done."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(running_redis(name)))


@pytest.fixture
def server(backend: str, servers: Callable[[str], RedisServer]) -> RedisServer | None:
    """The server of the store under test, empty; None if it has none."""
    if backend in IN_PROCESS:
        return None
    server = servers(backend)
    server.client.flushall()
    return server


@pytest.fixture
def hub(backend: str) -> Iterator[Hub | None]:
    """The connections to the double of Redis, if it is the store under test."""
    hub = Hub(RedisDouble(trio.current_time))
    with linked(hub) if backend == "double" else nullcontext():
        yield hub if backend == "double" else None


def made(limits: StoreLimits, server: RedisServer | None, hub: Hub | None) -> Store:
    """Return a store of the kind under test."""
    if hub is not None:
        return RedisStore("redis://double", limits)
    return MemoryStore(limits) if server is None else RedisStore(server.url, limits)


@pytest.fixture
async def store(server: RedisServer | None, hub: Hub | None) -> AsyncIterator[Store]:
    """A running store, empty."""
    async with trio.open_nursery() as nursery:
        store = made(LIMITS, server, hub)
        if hub is not None:
            nursery.start_soon(hub.run, name="time of the double")
        await nursery.start(store.run)
        yield store
        nursery.cancel_scope.cancel()


@pytest.fixture
async def big_store(server: RedisServer | None, hub: Hub | None) -> AsyncIterator[Store]:
    """A running store, empty, whose logs may have more updates than bytes."""
    limits = replace(LIMITS, log_updates=100)
    async with trio.open_nursery() as nursery:
        store = made(limits, server, hub)
        if hub is not None:
            nursery.start_soon(hub.run, name="time of the double")
        await nursery.start(store.run)
        yield store
        nursery.cancel_scope.cancel()


@pytest.fixture
def lossy(store: Store, server: RedisServer | None, hub: Hub | None) -> Lossy:
    """What makes the store lose data."""
    if hub is not None:
        return LossyDouble(hub)
    if server is not None:
        return LossyRedis(server)
    assert isinstance(store, MemoryStore)
    return LossyMemory(store)


def typed(text: str, *, length: int, sender: str = "alice", seq: int = 1) -> Update:
    """Return the update that puts `text` at the end of a text of `length` units."""
    return Update(sender, seq, ChangeSet.of([Change(length, length, text)], length))


def typed_one_by_one(count: int, *, after: int = 0, sender: str = "alice") -> list[Update]:
    """Return updates that each put one letter at the end, the first to a text of `after` units."""
    return [typed("x", length=after + index, sender=sender, seq=after + index + 1) for index in range(count)]


async def created(store: Store, codespace: str = "room") -> str:
    """Make `codespace` and return its epoch."""
    snapshot = await store.load(codespace, create=True)
    assert snapshot is not None
    return snapshot.epoch


async def loaded(store: Store, codespace: str = "room") -> Snapshot:
    """Return `codespace`, which must be there, as the store holds it."""
    snapshot = await store.load(codespace, create=False)
    assert snapshot is not None
    return snapshot


async def appended(
    store: Store,
    epoch: str,
    expected: int,
    updates: list[Update],
    text: str | None = None,
    codespace: str = "room",
) -> int:
    """Append `updates`, which must succeed, and return the version."""
    answer = await store.append(codespace, epoch, expected=expected, updates=updates, text=text)
    assert isinstance(answer, Appended), answer
    return answer.version


async def next_event(events: Events) -> StoreEvent:
    """Return the next event of a subscription, which must come soon."""
    with trio.fail_after(10):
        return await events.receive()


def said(number: int) -> Announcement:
    """Return an announcement that can be told from others."""
    return Announcement(f"instance {number}")


# Loading


async def test_a_codespace_that_nobody_made_is_not_there(store: Store) -> None:
    assert await store.load("room", create=False) is None
    assert await store.load("room", create=False) is None, "looking does not make it"


async def test_a_new_codespace_is_empty_at_version_0(store: Store) -> None:
    snapshot = await store.load("room", create=True)
    assert snapshot is not None
    assert snapshot.epoch
    assert snapshot == Snapshot(snapshot.epoch, "", 0, 0, (), {})


async def test_a_codespace_keeps_its_epoch_however_it_is_loaded(store: Store) -> None:
    epoch = await created(store)
    assert await created(store) == epoch
    assert (await loaded(store)).epoch == epoch


async def test_codespaces_have_epochs_of_their_own(store: Store) -> None:
    assert await created(store, "one") != await created(store, "two")


async def test_of_many_that_create_at_once_all_get_the_same_epoch(store: Store) -> None:
    epochs = []

    async def create() -> None:
        epochs.append(await created(store))

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(create)
    assert len(epochs) == 20
    assert len(set(epochs)) == 1


async def test_a_snapshot_is_of_one_moment_whatever_is_appended_meanwhile(store: Store) -> None:
    epoch = await created(store)

    async def append() -> None:
        for update in typed_one_by_one(50):
            await appended(store, epoch, update.changes.length, [update], "x" * update.changes.new_length)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(append)
        version = 0
        while version < 50:
            snapshot = await loaded(store)
            assert snapshot.version >= version
            version = snapshot.version
            assert snapshot.text_version == version
            assert snapshot.text == "x" * version
            assert [update.seq for update in snapshot.log] == list(range(version - len(snapshot.log) + 1, version + 1))
            assert snapshot.last_seqs == ({"alice": version} if version else {})


# Appending


async def test_an_append_makes_a_version_of_each_update(store: Store) -> None:
    epoch = await created(store)
    updates = typed_one_by_one(3)
    assert await store.append("room", epoch, expected=0, updates=updates, text="xxx") == Appended(3)
    assert await loaded(store) == Snapshot(epoch, "xxx", 3, 3, tuple(updates), {"alice": 3})
    assert await store.append("room", epoch, expected=3, updates=typed_one_by_one(1, after=3), text=None) == Appended(4)


async def test_what_is_stored_comes_back_to_the_unit(store: Store) -> None:
    epoch = await created(store)
    text = to_units("\U0001f600\n\n \t\x00\x1f\u2028\ufeff\ufffd'\"\\%{}é")
    updates = [
        typed(text, length=0, sender="a-_ é\U0001f600", seq=2**53 - 1),
        Update("b", 1, ChangeSet.of([Change(0, 2, ""), Change(3, 3, to_units("\U0001f680\n"))], len(text))),
    ]
    after = updates[1].changes.apply(text)
    await appended(store, epoch, 0, updates, after)
    snapshot = await loaded(store)
    assert snapshot.log == tuple(updates)
    assert snapshot.text == after
    assert snapshot.last_seqs == {"a-_ é\U0001f600": 2**53 - 1, "b": 1}
    assert await store.read_log("room", epoch, after=0) == Tail(2, tuple(updates))


async def test_an_append_to_a_log_that_has_grown_does_nothing_and_tells_what_was_missed(store: Store) -> None:
    epoch = await created(store)
    first, second, third = typed_one_by_one(3)
    await appended(store, epoch, 0, [first], "x")
    await appended(store, epoch, 1, [second, third], "xxx")
    before = await loaded(store)
    mine = typed("mine", length=1, sender="bob")
    answer = await store.append("room", epoch, expected=1, updates=[mine], text="xmine")
    assert answer == Conflict(Tail(3, (second, third)))
    assert await loaded(store) == before


async def test_a_conflict_that_the_log_has_forgotten_has_no_updates(store: Store) -> None:
    epoch = await created(store)
    await fill(store, epoch)
    answer = await store.append("room", epoch, expected=0, updates=typed_one_by_one(1), text=None)
    assert answer == Conflict(Tail(300, None))


async def test_an_append_is_not_heard_if_it_did_nothing(store: Store) -> None:
    epoch = await created(store)
    await appended(store, epoch, 0, typed_one_by_one(1))
    async with store.subscribe("room") as events:
        await store.append("room", epoch, expected=0, updates=typed_one_by_one(1), text=None)
        await store.append("room", "another", expected=1, updates=typed_one_by_one(1), text=None)
        await store.publish("room", said(1))
        assert await next_event(events) == Announced(said(1))


async def test_of_appends_at_once_exactly_one_is_committed_for_each_version(store: Store) -> None:
    epoch = await created(store)
    answers: list[object] = []

    async def append(sender: str) -> None:
        update = typed("x", length=0, sender=sender)
        answers.append(await store.append("room", epoch, expected=0, updates=[update], text="x"))

    async with trio.open_nursery() as nursery:
        for index in range(10):
            nursery.start_soon(append, f"sender {index}")
    winners = [answer for answer in answers if isinstance(answer, Appended)]
    assert winners == [Appended(1)]
    snapshot = await loaded(store)
    assert snapshot.version == 1
    assert all(answer == Conflict(Tail(1, snapshot.log)) for answer in answers if not isinstance(answer, Appended))


async def test_a_codespace_of_another_epoch_is_gone_for_every_method(store: Store) -> None:
    epoch = await created(store)
    await appended(store, epoch, 0, typed_one_by_one(1), "x")
    before = await loaded(store)
    assert await store.append("room", "another", expected=1, updates=typed_one_by_one(1, after=1), text="no") == Gone(
        replaced=True
    )
    assert await store.read_log("room", "another", after=0) == Gone(replaced=True)
    assert await store.touch("room", "another") is False
    await store.write_text("room", "another", version=1, text="no")
    assert await loaded(store) == before


async def test_a_codespace_that_is_not_there_is_gone_for_every_method_and_none_makes_it(store: Store) -> None:
    assert await store.append("room", "epoch", expected=0, updates=typed_one_by_one(1), text="x") == Gone()
    assert await store.read_log("room", "epoch", after=0) == Gone()
    assert await store.touch("room", "epoch") is False
    await store.write_text("room", "epoch", version=1, text="x")
    await store.publish("room", said(1))
    assert await store.load("room", create=False) is None


async def test_a_cancelled_append_happened_wholly_or_not_at_all(store: Store) -> None:
    epoch = await created(store)
    updates = typed_one_by_one(3)
    with trio.CancelScope() as scope:
        scope.cancel()
        await store.append("room", epoch, expected=0, updates=updates, text="xxx")
    snapshot = await loaded(store)
    committed = Snapshot(epoch, "xxx", 3, 3, tuple(updates), {"alice": 3})
    assert snapshot == (committed if snapshot.version else Snapshot(epoch, "", 0, 0))


# The log


async def fill(store: Store, epoch: str, *, count: int = 300, step: int = 10) -> None:
    """Append far more than the limits keep, each update from a sender of its own, with its text."""
    updates = [typed("x", length=index, sender=f"sender {index}", seq=index + 1) for index in range(count)]
    for start in range(0, count, step):
        end = start + step
        await appended(store, epoch, start, updates[start:end], "x" * end)


async def test_the_log_is_read_from_any_version_it_reaches_back_to(store: Store) -> None:
    epoch = await created(store)
    updates = typed_one_by_one(5)
    await appended(store, epoch, 0, updates)
    for after in range(6):
        assert await store.read_log("room", epoch, after=after) == Tail(5, tuple(updates[after:]))


async def test_a_version_to_come_has_nothing_after_it(store: Store) -> None:
    epoch = await created(store)
    await appended(store, epoch, 0, typed_one_by_one(1))
    assert await store.read_log("room", epoch, after=7) == Tail(1, ())


async def test_the_log_keeps_its_limit_and_forgets_what_is_far_beyond(store: Store) -> None:
    epoch = await created(store)
    await fill(store, epoch)
    kept = await store.read_log("room", epoch, after=300 - LIMITS.log_updates)
    assert isinstance(kept, Tail)
    assert kept.updates is not None
    assert [update.seq for update in kept.updates] == list(range(293, 301))
    assert await store.read_log("room", epoch, after=100) == Tail(300, None)
    assert LIMITS.log_updates <= len((await loaded(store)).log) < 200


async def test_the_log_never_begins_after_the_text_however_long_no_text_was_written(store: Store) -> None:
    epoch = await created(store)
    await appended(store, epoch, 0, typed_one_by_one(2), "xx")
    for start in range(2, 302, 10):
        await appended(store, epoch, start, typed_one_by_one(10, after=start))
    snapshot = await loaded(store)
    document = document_of(snapshot, limits=DocumentLimits())
    assert document.text == "x" * 302
    await store.write_text("room", epoch, version=302, text=document.text)
    await appended(store, epoch, 302, typed_one_by_one(1, after=302))
    assert len((await loaded(store)).log) < 200, "what the text has taken in is forgotten"


def long_edit(number: int, *, sender: str = "alice") -> Update:
    """Return the update that puts 200 000 letters in the place of as many, or of none for the first one."""
    length = 200_000 if number > 1 else 0
    return Update(sender, number, ChangeSet.of([Change(0, length, "xy"[number % 2] * 200_000)], length))


def is_within(log: Sequence[Update], most_bytes: int) -> bool:
    return sum(weight(update.changes) for update in log) <= most_bytes


async def test_the_log_is_bounded_by_bytes_as_well_as_by_updates(big_store: Store) -> None:
    epoch = await created(big_store)
    for number in range(1, 31):
        await appended(big_store, epoch, number - 1, [long_edit(number)], "xy"[number % 2] * 200_000)
    snapshot = await loaded(big_store)
    assert is_within(snapshot.log, LIMITS.log_bytes)
    assert [update.seq for update in snapshot.log] == list(range(22, 31)), "nine fit, the newest stay"
    assert await big_store.read_log("room", epoch, after=21) == Tail(30, snapshot.log)
    assert await big_store.read_log("room", epoch, after=20) == Tail(30, None)


async def test_an_append_larger_than_the_log_may_be_succeeds_and_stays_until_the_next(big_store: Store) -> None:
    epoch = await created(big_store)
    updates = [long_edit(number) for number in range(1, 13)]
    await appended(big_store, epoch, 0, updates, "x" * 200_000)
    assert await big_store.read_log("room", epoch, after=0) == Tail(12, tuple(updates))
    await appended(big_store, epoch, 12, [long_edit(13)], "y" * 200_000)
    assert is_within((await loaded(big_store)).log, LIMITS.log_bytes)


async def test_what_the_text_has_not_taken_in_stays_above_any_limit_until_the_text_is_written(
    big_store: Store,
) -> None:
    epoch = await created(big_store)
    for number in range(1, 21):
        await appended(big_store, epoch, number - 1, [long_edit(number)])
    assert len((await loaded(big_store)).log) == 20
    await big_store.write_text("room", epoch, version=20, text="x" * 200_000)
    assert is_within((await loaded(big_store)).log, LIMITS.log_bytes)


async def test_a_conflict_tells_everything_that_was_missed_however_much_it_is(big_store: Store) -> None:
    epoch = await created(big_store)
    updates = [long_edit(number) for number in range(1, 7)]
    await appended(big_store, epoch, 0, updates)
    late = [typed("late", length=1, sender="bob")]
    answer = await big_store.append("room", epoch, expected=1, updates=late, text=None)
    assert answer == Conflict(Tail(6, tuple(updates[1:])))


async def test_what_follows_what_is_put_back_is_told_however_much_it_is(big_store: Store) -> None:
    epoch = await created(big_store)
    await appended(big_store, epoch, 0, [long_edit(1)])
    held = replace(await loaded(big_store), text="y" * 200_000, text_version=1)
    updates = [long_edit(number) for number in range(2, 7)]
    await appended(big_store, epoch, 1, updates)
    assert await big_store.put_back("room", held) == Tail(6, tuple(updates))


async def test_the_last_push_of_recent_senders_is_remembered_and_old_ones_are_forgotten(store: Store) -> None:
    epoch = await created(store)
    await fill(store, epoch)
    again = [
        typed("x", length=300, sender="sender 296", seq=1000),
        typed("x", length=301, sender="new", seq=1),
    ]
    await appended(store, epoch, 300, again)
    last_seqs = (await loaded(store)).last_seqs
    expected = {"sender 298": 299, "sender 299": 300, "sender 296": 1000, "new": 1}
    assert {sender: last_seqs.get(sender) for sender in expected} == expected
    assert "sender 0" not in last_seqs
    assert len(last_seqs) < 200


async def test_of_several_pushes_of_a_sender_the_last_is_remembered(store: Store) -> None:
    epoch = await created(store)
    updates = [typed("x", length=0, seq=4), typed("x", length=1, seq=4), typed("x", length=2, seq=5)]
    await appended(store, epoch, 0, updates)
    assert (await loaded(store)).last_seqs == {"alice": 5}


async def test_the_last_number_of_a_sender_never_goes_back(store: Store) -> None:
    epoch = await created(store)
    for version, seq in enumerate((2**53 - 1, 1)):
        await appended(store, epoch, version, [typed("x", length=version, seq=seq)])
    assert (await loaded(store)).last_seqs == {"alice": 2**53 - 1}


# Texts


async def test_an_append_without_a_text_leaves_the_text_where_it_was(store: Store) -> None:
    epoch = await created(store)
    await appended(store, epoch, 0, typed_one_by_one(1), "x")
    await appended(store, epoch, 1, typed_one_by_one(2, after=1))
    snapshot = await loaded(store)
    assert (snapshot.text, snapshot.text_version, snapshot.version) == ("x", 1, 3)


async def test_a_text_is_written_for_its_version(store: Store) -> None:
    epoch = await created(store)
    await appended(store, epoch, 0, typed_one_by_one(3))
    await store.write_text("room", epoch, version=2, text="xx")
    snapshot = await loaded(store)
    assert (snapshot.text, snapshot.text_version, snapshot.version) == ("xx", 2, 3)


async def test_a_text_never_goes_back_to_an_older_version(store: Store) -> None:
    epoch = await created(store)
    await appended(store, epoch, 0, typed_one_by_one(3))
    await store.write_text("room", epoch, version=3, text="xxx")
    await store.write_text("room", epoch, version=2, text="late")
    snapshot = await loaded(store)
    assert (snapshot.text, snapshot.text_version) == ("xxx", 3)
    await appended(store, epoch, 3, typed_one_by_one(1, after=3), "xxxx")
    await store.write_text("room", epoch, version=3, text="late")
    snapshot = await loaded(store)
    assert (snapshot.text, snapshot.text_version) == ("xxxx", 4)


async def test_a_text_of_the_version_that_is_kept_takes_its_place(store: Store) -> None:
    epoch = await created(store)
    await store.write_text("room", epoch, version=0, text="put back")
    snapshot = await loaded(store)
    assert (snapshot.text, snapshot.text_version, snapshot.version) == ("put back", 0, 0)


async def test_a_codespace_is_looked_at_without_its_text(store: Store) -> None:
    assert await store.look("room") is None
    epoch = await created(store)
    assert await store.look("room") == Standing(epoch, 0)
    await appended(store, epoch, 0, typed_one_by_one(3))
    assert await store.look("room") == Standing(epoch, 3)


async def test_a_text_is_read_with_what_follows_it_and_nothing_else(store: Store) -> None:
    assert await store.read_text("room") is None
    epoch = await created(store)
    assert await store.read_text("room") == Snapshot(epoch, "", 0, 0)
    await appended(store, epoch, 0, typed_one_by_one(3), "xxx")
    following = typed_one_by_one(2, after=3)
    await appended(store, epoch, 3, following)
    assert await store.read_text("room") == Snapshot(epoch, "xxx", 3, 5, tuple(following))


async def test_a_text_is_read_with_everything_that_follows_it_however_much_it_is(big_store: Store) -> None:
    epoch = await created(big_store)
    await appended(big_store, epoch, 0, [long_edit(1)], "y" * 200_000)
    following = [long_edit(number) for number in range(2, 13)]
    await appended(big_store, epoch, 1, following)
    snapshot = await big_store.read_text("room")
    assert snapshot == Snapshot(epoch, "y" * 200_000, 1, 12, tuple(following))


# What was lost


async def filled(store: Store, count: int = 5) -> Snapshot:
    """Make a codespace of `count` updates and return what an instance holds of it."""
    epoch = await created(store)
    await appended(store, epoch, 0, typed_one_by_one(count), "x" * count)
    return await loaded(store)


async def went_back(store: Store, lossy: Lossy, count: int = 3) -> tuple[Snapshot, Snapshot]:
    """Lose the end of a log, `count` updates; return what was held of it before it grew so far, and at its end."""
    early = await filled(store, 2)
    await lossy.save()
    await appended(store, early.epoch, 2, typed_one_by_one(count, after=2), "x" * (2 + count))
    held = await loaded(store)
    await lossy.go_back()
    return early, held


async def grew_another_way(store: Store, early: Snapshot) -> None:
    """Have the log grow by another update than the one that was lost, where an instance holds `early` of it."""
    assert await store.put_back("room", early) == Tail(2, ())
    await appended(store, early.epoch, 2, [typed("other", length=2, sender="bob")], "xxother")


async def was_made_again(store: Store, lossy: Lossy) -> None:
    """Lose the codespace, and have another one begin in its place and be written to."""
    await lossy.lose_all()
    other = await created(store)
    await appended(store, other, 0, [typed("other", length=0)], "other")


async def test_a_codespace_that_was_lost_is_lost_and_not_gone_to_whoever_holds_it(store: Store, lossy: Lossy) -> None:
    async with store.subscribe("room"):
        held = await filled(store)
        await lossy.lose_all()
        update = typed("y", length=5, sender="bob")
        assert await store.append("room", held.epoch, expected=5, updates=[update], text=None) == Lost()
        assert await store.read_log("room", held.epoch, after=5) == Lost()
        assert await store.touch("room", held.epoch) is False
        await store.write_text("room", held.epoch, version=5, text="no")
        assert await store.load("room", create=False) is None


async def test_what_was_lost_is_put_back_whole(store: Store, lossy: Lossy) -> None:
    async with store.subscribe("room"):
        held = await filled(store)
        await lossy.lose_all()
        assert await store.put_back("room", held) == Tail(5, ())
        assert await loaded(store) == held
        await appended(store, held.epoch, 5, typed_one_by_one(1, after=5), "xxxxxx")
        assert (await loaded(store)).last_seqs == {"alice": 6}


async def test_what_is_there_already_is_not_put_back_again(store: Store) -> None:
    async with store.subscribe("room"):
        held = await filled(store)
        await appended(store, held.epoch, 5, typed_one_by_one(2, after=5), "xxxxxxx")
        before = await loaded(store)
        assert await store.put_back("room", held) == Tail(7, tuple(typed_one_by_one(2, after=5)))
        assert await store.put_back("room", before) == Tail(7, ())
        assert await loaded(store) == before


async def test_what_nobody_has_written_to_continues_nothing_when_it_is_put_back(store: Store) -> None:
    held = await filled(store, 0)
    assert await store.put_back("room", held) == Tail(0, ())
    assert await loaded(store) == held


async def test_a_beginning_of_the_log_that_an_instance_still_holds_is_put_back(store: Store) -> None:
    held = await filled(store, 6)
    await store.put_back("room", replace(held, log=held.log[3:]))
    assert await loaded(store) == held, "what is there is not forgotten"
    await appended(store, held.epoch, 6, typed_one_by_one(8, after=6), "x" * 14)
    longer = replace(await loaded(store), log=(*held.log, *typed_one_by_one(8, after=6)))
    assert await store.put_back("room", longer) == Tail(14, ())
    assert await loaded(store) == longer


async def test_logs_that_parted_before_their_last_update_have_parted(store: Store, lossy: Lossy) -> None:
    async with store.subscribe("room"):
        early, held = await went_back(store, lossy)
        assert await store.put_back("room", early) == Tail(2, ())
        other = [typed("y", length=2, seq=3), *held.log[3:]]
        await appended(store, early.epoch, 2, other, "xxyxx")
        assert await store.put_back("room", held) == Gone(replaced=True)
        assert (await loaded(store)).text == "xxyxx"


async def test_a_gap_is_heard_when_something_was_put_back_and_only_then(store: Store, lossy: Lossy) -> None:
    async with store.subscribe("room") as events:

        async def heard_a_gap() -> bool:
            await store.publish("room", said(1))
            heard = [await next_event(events)]
            while heard[-1] != Announced(said(1)):
                heard.append(await next_event(events))
            return Gap() in heard

        early, held = await went_back(store, lossy)
        await heard_a_gap()
        assert await store.put_back("room", early) == Tail(2, ())
        assert not await heard_a_gap(), "it was all there"
        assert await store.put_back("room", held) == Tail(5, ())
        assert await heard_a_gap()
        assert await store.put_back("room", held) == Tail(5, ())
        assert not await heard_a_gap()
        assert await store.put_back("room", replace(held, epoch="later", before=(held.epoch,))) == Tail(5, ())
        assert await heard_a_gap()


async def test_an_end_of_the_log_that_was_lost_is_put_back(store: Store, lossy: Lossy) -> None:
    async with store.subscribe("room"):
        _, held = await went_back(store, lossy)
        tail = await store.read_log("room", held.epoch, after=5)
        assert tail in (Lost(), Tail(2, ())), "whoever holds more sees that it is lost"
        assert await store.put_back("room", held) == Tail(5, ())
        assert await loaded(store) == held


async def test_two_that_put_back_what_each_holds_leave_the_longer_log(store: Store, lossy: Lossy) -> None:
    async with store.subscribe("room"):
        behind = await filled(store, 3)
        await appended(store, behind.epoch, 3, typed_one_by_one(2, after=3), "xxxxx")
        ahead = await loaded(store)
        await lossy.lose_all()
        assert await store.put_back("room", behind) == Tail(3, ())
        assert await store.put_back("room", ahead) == Tail(5, ())
        assert await store.put_back("room", behind) == Tail(5, ahead.log[3:])
        assert await loaded(store) == ahead


async def test_one_that_was_made_anew_and_never_written_to_gives_way_to_what_is_put_back(
    store: Store, lossy: Lossy
) -> None:
    async with store.subscribe("room"):
        held = await filled(store)
        await lossy.lose_all()
        early = await created(store)
        assert early != held.epoch
        assert await store.put_back("room", held) == Tail(5, ())
        assert await loaded(store) == replace(held, before=(early,)), "those of the early one come to it"


async def test_one_that_was_made_anew_and_written_to_stays(store: Store, lossy: Lossy) -> None:
    async with store.subscribe("room"):
        held = await filled(store)
        await was_made_again(store, lossy)
        before = await loaded(store)
        assert await store.put_back("room", held) == Gone(replaced=True)
        assert await loaded(store) == before


async def test_a_log_that_grew_another_way_after_its_end_was_lost_goes_on_under_a_new_epoch(
    store: Store, lossy: Lossy
) -> None:
    async with store.subscribe("room"):
        early, held = await went_back(store, lossy)
        await grew_another_way(store, early)
        assert await store.put_back("room", held) == Gone(replaced=True)
        stored = await loaded(store)
        assert stored.text == "xxother"
        assert stored.epoch not in {held.epoch, ""}
        assert stored.before == (held.epoch,)
        answer = await store.append("room", held.epoch, expected=3, updates=typed_one_by_one(1, after=3), text=None)
        assert answer == Gone(replaced=True), "nobody goes on under the epoch that both logs had"


async def test_a_text_whose_log_no_longer_shows_where_it_comes_from_is_put_back_under_a_new_epoch(
    store: Store, lossy: Lossy
) -> None:
    async with store.subscribe("room"):
        _, held = await went_back(store, lossy, 8)
        held = replace(held, log=tuple(typed_one_by_one(3, after=7)))
        assert await store.put_back("room", held) == Gone(replaced=True)
        stored = await loaded(store)
        assert stored.epoch not in {held.epoch, ""}
        assert (stored.text, stored.version, stored.log) == (held.text, held.version, held.log)
        assert stored.before == (held.epoch,)


async def test_what_a_codespace_continues_is_put_back_with_it_up_to_eight_epochs(store: Store, lossy: Lossy) -> None:
    async with store.subscribe("room"):
        held = await filled(store)
        known = tuple(f"epoch-{number}" for number in range(8))
        await lossy.lose_all()
        assert await store.put_back("room", replace(held, before=known)) == Tail(5, ())
        assert (await loaded(store)).before == known
        await lossy.lose_all()
        early = await created(store)
        assert await store.put_back("room", replace(held, before=known)) == Tail(5, ())
        assert (await loaded(store)).before == (early, *known[:7])


async def test_a_codespace_that_was_made_again_after_it_was_lost_continues_nothing(store: Store, lossy: Lossy) -> None:
    async with store.subscribe("room"):
        held = await filled(store)
        await was_made_again(store, lossy)
        assert await store.put_back("room", held) == Gone(replaced=True)
        assert (await loaded(store)).before == ()


async def test_data_of_a_time_before_the_epoch_began_are_of_the_same_life(store: Store, lossy: Lossy) -> None:
    async with store.subscribe("room"):
        early, held = await went_back(store, lossy)
        held = replace(held, epoch="later", before=(early.epoch,))
        assert await store.put_back("room", held) == Tail(5, ())
        assert await loaded(store) == held
        assert await store.read_log("room", early.epoch, after=2) in (Lost(), Gone(replaced=True))


async def test_data_of_a_time_before_the_epoch_that_grew_another_way_go_on_under_a_new_one(
    store: Store, lossy: Lossy
) -> None:
    async with store.subscribe("room"):
        early, held = await went_back(store, lossy)
        held = replace(held, epoch="later", before=(early.epoch,))
        await grew_another_way(store, early)
        assert await store.put_back("room", held) == Gone(replaced=True)
        stored = await loaded(store)
        assert stored.text == "xxother"
        assert stored.before == ("later", early.epoch), "those of either come to it"


# Events


async def test_every_subscriber_hears_what_is_committed_whoever_did_it(store: Store) -> None:
    epoch = await created(store)
    async with store.subscribe("room") as one, store.subscribe("room") as two:
        updates = typed_one_by_one(2)
        await appended(store, epoch, 0, updates, "xx")
        for events in (one, two):
            assert await next_event(events) == Committed(2, tuple(updates), epoch)


async def test_what_happens_right_after_subscribing_is_heard(store: Store) -> None:
    for index in range(20):
        async with store.subscribe(f"room {index}") as events:
            await store.publish(f"room {index}", said(index))
            assert await next_event(events) == Announced(said(index))


async def test_what_happened_before_subscribing_is_not_heard(store: Store) -> None:
    epoch = await created(store)
    await store.publish("room", said(1))
    await appended(store, epoch, 0, typed_one_by_one(1))
    async with store.subscribe("room") as events:
        await store.publish("room", said(2))
        assert await next_event(events) == Announced(said(2))


async def test_events_come_in_the_order_of_the_log_however_many_append(store: Store) -> None:
    epoch = await created(store)

    async def append(sender: str) -> None:
        version = 0
        for seq in range(1, 11):
            while True:
                update = typed("x", length=version, sender=sender, seq=seq)
                answer = await store.append("room", epoch, expected=version, updates=[update], text=None)
                if isinstance(answer, Appended):
                    version = answer.version
                    break
                assert isinstance(answer, Conflict)
                version = answer.tail.version

    async with store.subscribe("room") as events, trio.open_nursery() as nursery:
        for index in range(5):
            nursery.start_soon(append, f"sender {index}")
        heard = [await next_event(events) for _ in range(50)]
    assert [event.version for event in heard if isinstance(event, Committed)] == list(range(1, 51))
    committed = [update for event in heard if isinstance(event, Committed) for update in event.updates]
    snapshot = await loaded(store)
    assert tuple(committed) == snapshot.log, "no text was written, so the log is whole"


async def test_an_announcement_is_heard_as_it_was_said(store: Store) -> None:
    alice = Attendee(Peer("id-a", "Alice \U0001f600", "edit"), Selection(3, ((0, 4), (7, 5))))
    bob = Attendee(Peer("id-b", "", "view_only"))
    announcements = [
        Announcement("one", (alice, bob), ("id-c", "id-d"), whole=True, asks=True),
        Announcement("two", asks=True),
        Announcement("three", (bob,), whole=True),
        Announcement("four"),
        Announcement("five", language=Language("c++", 7, "id-a")),
    ]
    async with store.subscribe("room") as events:
        for announcement in announcements:
            await store.publish("room", announcement)
        assert [await next_event(events) for _ in announcements] == list(map(Announced, announcements))


async def test_nothing_is_kept_of_an_announcement(store: Store) -> None:
    epoch = await created(store)
    await store.publish("room", said(1))
    assert await loaded(store) == Snapshot(epoch, "", 0, 0)


async def test_a_subscription_hears_of_its_own_codespace_only(store: Store) -> None:
    names = ("room", "room2", "Room", "tmp-room", "roo*", "room:log", "{room}")
    epochs = {name: await created(store, name) for name in names}
    async with store.subscribe("roo*") as pattern, store.subscribe("room") as room:
        for name in names:
            await appended(store, epochs[name], 0, [typed(name, length=0)], codespace=name)
        await store.publish("room", said(1))
        await store.publish("roo*", said(1))
        for name, events in (("room", room), ("roo*", pattern)):
            assert await next_event(events) == Committed(1, (typed(name, length=0),), epochs[name])
            assert await next_event(events) == Announced(said(1))


async def test_a_subscription_that_is_not_read_ends_in_a_gap_and_costs_nobody_else(store: Store) -> None:
    async with store.subscribe("room") as idle, store.subscribe("room") as busy:
        for number in range(1000):
            await store.publish("room", said(number))
            assert await next_event(busy) == Announced(said(number))
        heard = [await next_event(idle)]
        while heard[-1] != Gap():
            heard.append(await next_event(idle))
        assert heard[:-1] == [Announced(said(number)) for number in range(len(heard) - 1)], "nothing before is lost"
        assert len(heard) < 1000
        await store.publish("room", said(1000))
        assert await next_event(idle) == Announced(said(1000)), "behind the gap is the present"


async def test_whoever_reads_the_log_at_a_gap_misses_nothing(store: Store) -> None:
    epoch = await created(store)
    async with store.subscribe("room") as idle, store.subscribe("room") as busy:
        for update in typed_one_by_one(600):
            await appended(store, epoch, update.changes.length, [update])
            await next_event(busy)
        version = 0
        while version < 602:
            event = await next_event(idle)
            if isinstance(event, Gap):
                tail = await store.read_log("room", epoch, after=version)
                assert isinstance(tail, Tail)
                assert tail.updates is not None
                version = tail.version
                await appended(store, epoch, 600, typed_one_by_one(2, after=600))
            else:
                assert isinstance(event, Committed)
                assert event.version - len(event.updates) == version, "after the gap it goes on where the log was"
                version = event.version


async def test_a_subscriber_that_is_cancelled_leaves_the_others_their_events(store: Store) -> None:
    reading = trio.Event()

    async def subscribe(scope: trio.CancelScope) -> None:
        with scope:
            async with store.subscribe("room") as events:
                reading.set()
                await events.receive()

    async with store.subscribe("room") as other, trio.open_nursery() as nursery:
        scope = trio.CancelScope()
        nursery.start_soon(subscribe, scope)
        await reading.wait()
        scope.cancel()
        await store.publish("room", said(1))
        assert await next_event(other) == Announced(said(1))
    assert scope.cancelled_caught


async def test_a_subscription_that_was_left_is_closed(store: Store) -> None:
    async with store.subscribe("room") as events:
        pass
    with pytest.raises(trio.ClosedResourceError):
        await events.receive()
    await store.publish("room", said(1))


async def test_an_exception_of_the_subscriber_comes_out_of_the_context_as_it_is(store: Store) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with store.subscribe("room"):
            raise KeyError("mine")


# Time to live


async def test_a_codespace_that_nobody_uses_expires_and_its_subscribers_hear_of_it(
    store: Store, clock: MockClock | None
) -> None:
    async with store.subscribe("tmp-room") as events:
        epoch = await created(store, "tmp-room")
        assert await next_event(events) == Expired()
    assert await store.load("tmp-room", create=False) is None
    assert await store.touch("tmp-room", epoch) is False
    assert await store.append("tmp-room", epoch, expected=0, updates=typed_one_by_one(1), text=None) == Gone()


async def test_a_codespace_made_anew_is_empty_and_of_another_epoch(store: Store, clock: MockClock | None) -> None:
    async with store.subscribe("tmp-room") as events:
        epoch = await created(store, "tmp-room")
        await appended(store, epoch, 0, typed_one_by_one(1), "x", "tmp-room")
        assert await next_event(events) == Committed(1, tuple(typed_one_by_one(1)), epoch)
        assert await next_event(events) == Expired()
        another = await created(store, "tmp-room")
        assert another != epoch
        assert await loaded(store, "tmp-room") == Snapshot(another, "", 0, 0)
        assert await store.read_log("tmp-room", epoch, after=0) == Gone(replaced=True)


async def test_a_codespace_of_the_other_kind_lives_longer(store: Store, clock: MockClock | None) -> None:
    epoch = await created(store, "room")
    await created(store, "tmp-room")
    async with store.subscribe("tmp-room") as events:
        assert await next_event(events) == Expired()
    assert (await loaded(store, "room")).epoch == epoch


async def load_it(store: Store, epoch: str, turn: int) -> bool:
    return await store.load("tmp-room", create=False) is not None


async def touch_it(store: Store, epoch: str, turn: int) -> bool:
    return await store.touch("tmp-room", epoch)


async def append_to_it(store: Store, epoch: str, turn: int) -> bool:
    updates = typed_one_by_one(1, after=turn)
    answer = await store.append("tmp-room", epoch, expected=turn, updates=updates, text=None)
    return answer == Appended(turn + 1)


async def put_it_back(store: Store, epoch: str, turn: int) -> bool:
    return await store.put_back("tmp-room", Snapshot(epoch, "", 0, 0)) == Tail(0, ())


async def put_back_what_it_has(store: Store, epoch: str, turn: int) -> bool:
    update = typed("x", length=0)
    if turn == 0:
        await appended(store, epoch, 0, [update], "x", "tmp-room")
    return await store.put_back("tmp-room", Snapshot(epoch, "x", 1, 1, (update,), {"alice": 1})) == Tail(1, ())


@pytest.mark.parametrize("use", [load_it, touch_it, append_to_it, put_it_back, put_back_what_it_has])
async def test_use_starts_the_time_to_live_anew(
    store: Store, clock: MockClock | None, use: Callable[[Store, str, int], Awaitable[bool]]
) -> None:
    epoch = await created(store, "tmp-room")
    for turn in range(4):
        await trio.sleep(LIMITS.tmp_expire_seconds * 0.6)
        assert await use(store, epoch, turn), f"it was used {turn} times and is gone all the same"
    async with store.subscribe("tmp-room") as events:
        assert await next_event(events) == Expired()


# Waiting


async def test_every_method_is_a_checkpoint_but_subscribe(store: Store) -> None:
    epoch = await created(store)
    calls: list[Callable[[], Awaitable[object]]] = [
        store.check,
        lambda: store.load("room", create=False),
        lambda: store.load("new", create=True),
        lambda: store.look("room"),
        lambda: store.read_text("room"),
        lambda: store.append("room", epoch, expected=0, updates=typed_one_by_one(1), text=None),
        lambda: store.append("room", epoch, expected=0, updates=typed_one_by_one(1), text=None),
        lambda: store.append("room", "another", expected=0, updates=typed_one_by_one(1), text=None),
        lambda: store.read_log("room", epoch, after=0),
        lambda: store.write_text("room", epoch, version=1, text="x"),
        lambda: store.touch("room", epoch),
        lambda: store.put_back("room", Snapshot(epoch, "x", 1, 1)),
        lambda: store.publish("room", said(1)),
    ]
    for call in calls:
        with assert_checkpoints():
            await call()
