"""The store in this process: for deterministic tests, simulation and throwaway servers.

Any number of instances may share one `MemoryStore`; nothing outlives it. Each
call is a checkpoint and then one step without any, so whatever it does it does
wholly. What it can be told to do wrong is in `Faults`.
"""

import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import heappop, heappush
from itertools import count, islice
from typing import Literal

import trio

from pyshare.core.document import Update, weight
from pyshare.core.presence import Announcement
from pyshare.store.faults import Faults
from pyshare.store.interface import (
    ENTRY_BYTES,
    EPOCHS_BEFORE,
    Announced,
    Appended,
    Committed,
    Conflict,
    Deleted,
    Expired,
    Gap,
    Gone,
    Lost,
    Snapshot,
    Standing,
    StoreEvent,
    StoreLimits,
    StoreUnavailable,
    Tail,
)
from pyshare.store.subscriptions import Subscriber, Subscriptions


@dataclass(frozen=True, slots=True)
class MemoryStoreStatistics:
    """A memory store at one moment."""

    codespaces: int
    #: Updates in all logs together.
    log_updates: int
    subscriptions: int
    #: Events that are on their way, since they are being delayed.
    delayed_events: int


@dataclass(slots=True, eq=False)
class _Record:
    """What is kept of one codespace."""

    epoch: str
    #: Epochs that it continues, the newest first.
    before: tuple[str, ...]
    #: When it expires, by trio's clock.
    deadline: float
    #: The text of `text_version`.
    text: str = ""
    text_version: int = 0
    #: Version that the log's last update made.
    version: int = 0
    #: The log's tail, oldest first, and about its bytes.
    log: deque[Update] = field(default_factory=deque)
    log_bytes: int = 0
    #: The last push of each sender, the latest sender last.
    last_seqs: dict[str, int] = field(default_factory=dict)

    def copy(self) -> "_Record":
        """Return a record of its own with the same in it."""
        return replace(self, log=deque(self.log), last_seqs=dict(self.last_seqs))

    def tail(self, after: int) -> Tail:
        """Return what follows version `after`."""
        skipped = len(self.log) - (self.version - after)
        return Tail(self.version, None if skipped < 0 else tuple(islice(self.log, skipped, None)))

    def commit(self, updates: Sequence[Update]) -> None:
        """Put `updates` at the log's end."""
        self.version += len(updates)
        self.log.extend(updates)
        self.log_bytes += sum(map(_weight, updates))
        for update in updates:
            last = self.last_seqs.pop(update.sender, 0)
            self.last_seqs[update.sender] = max(last, update.seq)

    def complete(self, held: Snapshot) -> None:
        """Add what is missing at either end of the log, which is the same as the one that is `held`."""
        missing = held.version - self.version
        if missing > 0:
            self.commit(held.log[len(held.log) - missing :])
        elif missing == 0 and len(self.log) < len(held.log):
            self.log = deque(held.log)
            self.log_bytes = sum(map(_weight, held.log))
        else:
            return
        self.text, self.text_version = held.text, held.version

    def trim(self, limits: StoreLimits, *, kept: int = 0) -> None:
        """Forget the oldest above the limits, but not the last `kept`, nor what the text has yet to take in."""
        kept = max(kept, self.version - self.text_version)
        while len(self.log) > kept and (len(self.log) > limits.log_updates or self.log_bytes > limits.log_bytes):
            self.log_bytes -= _weight(self.log.popleft())
        while len(self.last_seqs) > limits.senders:
            del self.last_seqs[next(iter(self.last_seqs))]


class MemoryStore:
    """The `Store` that keeps everything in memory.

    Codespaces expire, and delayed events arrive, while `run` runs. Publishing
    never waits, see `Subscriptions`.
    """

    def __init__(
        self,
        limits: StoreLimits,
        *,
        faults: Faults | None = None,
        new_epoch: Callable[[], str] = secrets.token_urlsafe,
        subscription_events: int = 256,
    ) -> None:
        self._limits = limits
        self._faults = faults or Faults()
        self._new_epoch = new_epoch
        # Every codespace by its id.
        self._records: dict[str, _Record] = {}
        # Id and epoch of each that was lost and not put back.
        self._lost: set[tuple[str, str]] = set()
        # Who hears what happens.
        self._subscriptions = Subscriptions(subscription_events)
        # When each event on its way arrives, in order, of each codespace that has any.
        self._delayed: dict[str, deque[float]] = {}
        # What is to be done at which time, a heap; the number keeps the order of what is due at one time.
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        # Set when the agenda has grown.
        self._grown = trio.Event()

    def statistics(self) -> MemoryStoreStatistics:
        """Return the store's state at this moment."""
        return MemoryStoreStatistics(
            codespaces=len(self._records),
            log_updates=sum(len(record.log) for record in self._records.values()),
            subscriptions=len(self._subscriptions),
            delayed_events=sum(map(len, self._delayed.values())),
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; see `Store.run`."""
        task_status.started()
        while True:
            while self._agenda and self._agenda[0][0] <= trio.current_time():
                heappop(self._agenda)[2]()
            self._grown = trio.Event()
            with trio.move_on_at(self._agenda[0][0] if self._agenda else float("inf")):
                await self._grown.wait()

    async def check(self) -> None:
        """Be there; see `Store.check`."""
        await self._enter("check", "")

    async def load(self, codespace: str, *, create: bool) -> Snapshot | None:
        """Return the codespace as it is; see `Store.load`."""
        await self._enter("load", codespace)
        record = self._used(codespace)
        if record is None:
            if not create:
                return None
            record = self._keep(codespace, _Record(self._new_epoch(), (), self._next_deadline(codespace)))
        return Snapshot(
            epoch=record.epoch,
            text=record.text,
            text_version=record.text_version,
            version=record.version,
            log=tuple(record.log),
            last_seqs=dict(record.last_seqs),
            before=record.before,
        )

    async def look(self, codespace: str) -> Standing | None:
        """Return epoch and version of the codespace; see `Store.look`."""
        await self._enter("look", codespace)
        record = self._used(codespace)
        return Standing(record.epoch, record.version) if record else None

    async def read_text(self, codespace: str) -> Snapshot | None:
        """Return the codespace with what follows its text; see `Store.read_text`."""
        await self._enter("read_text", codespace)
        record = self._used(codespace)
        if record is None:
            return None
        following = record.tail(record.text_version).updates or ()
        return Snapshot(record.epoch, record.text, record.text_version, record.version, following)

    async def append(
        self, codespace: str, epoch: str, *, expected: int, updates: Sequence[Update], text: str | None
    ) -> Appended | Conflict | Gone | Lost:
        """Commit all `updates` or none; see `Store.append`."""
        await self._enter("append", codespace)
        faults = self._faults
        if faults.fail_before > 0:
            faults.fail_before -= 1
            raise StoreUnavailable("told to fail before the commit")
        record = self._find(codespace, epoch)
        if not isinstance(record, _Record):
            return record
        if record.version != expected:
            return Conflict(record.tail(expected))
        record.commit(updates)
        if text is not None:
            record.text, record.text_version = text, record.version
        record.trim(self._limits, kept=len(updates))
        record.deadline = self._next_deadline(codespace)
        self._publish(codespace, Committed(record.version, tuple(updates), epoch))
        if faults.fail_after > 0:
            faults.fail_after -= 1
            raise StoreUnavailable("told to fail after the commit")
        return Appended(record.version)

    async def read_log(self, codespace: str, epoch: str, *, after: int) -> Tail | Gone | Lost:
        """Return the updates that follow version `after`; see `Store.read_log`."""
        await self._enter("read_log", codespace)
        record = self._find(codespace, epoch)
        return record.tail(after) if isinstance(record, _Record) else record

    async def put_back(self, codespace: str, held: Snapshot) -> Tail | Gone:
        """Give back what was lost of the codespace; see `Store.put_back`."""
        await self._enter("put_back", codespace)
        record = self._records.get(codespace)
        epoch, version = (record.epoch, record.version) if record else ("", 0)
        if record is None or version == 0:
            before = _before(held.epoch, epoch, *held.before)
            record = self._replace(codespace, held, held.epoch, before)
        if record.epoch not in {held.epoch, *held.before}:
            return Gone(replaced=True)
        parted = self._new_epoch()
        continued = _before(parted, held.epoch, record.epoch, *record.before, *held.before)
        match _compare(record, held):
            case "same":
                record.complete(held)
                if record.epoch != held.epoch:
                    record.epoch, record.before = held.epoch, _before(held.epoch, record.epoch, *held.before)
            case "different":
                record.epoch, record.before = parted, continued
            case "unknown":
                record = self._replace(codespace, held, parted, continued)
        record.deadline = self._next_deadline(codespace)
        if record.epoch != epoch or held.version > version:
            self._publish(codespace, Gap())
        if record.epoch != held.epoch:
            return Gone(replaced=True)
        self._lost.discard((codespace, held.epoch))
        return record.tail(held.version)

    async def write_text(self, codespace: str, epoch: str, *, version: int, text: str) -> None:
        """Keep `text` as that of `version`; see `Store.write_text`."""
        await self._enter("write_text", codespace)
        record = self._find(codespace, epoch)
        if isinstance(record, _Record) and version >= record.text_version:
            record.text, record.text_version = text, version
            record.trim(self._limits)

    async def touch(self, codespace: str, epoch: str) -> bool:
        """Start the time to live anew; see `Store.touch`."""
        await self._enter("touch", codespace)
        record = self._find(codespace, epoch)
        if not isinstance(record, _Record):
            return False
        record.deadline = self._next_deadline(codespace)
        return True

    async def publish(self, codespace: str, announcement: Announcement) -> None:
        """Let all subscribers hear `announcement`; see `Store.publish`."""
        await self._enter("publish", codespace)
        self._publish(codespace, Announced(announcement))

    @asynccontextmanager
    async def subscribe(self, codespace: str) -> AsyncIterator[trio.MemoryReceiveChannel[StoreEvent]]:
        """Open a subscription; see `Store.subscribe`. No checkpoint, not even to close it."""
        with self._subscriptions.open(codespace) as events:
            yield events

    async def delete(self, codespace: str) -> bool:
        """Delete the codespace on purpose and publish `Deleted`; return False if there is none."""
        await self._enter("delete", codespace)
        return self._remove(codespace, Deleted())

    def expire_now(self, codespace: str) -> bool:
        """Let the codespace expire as if its time had come, faults or not; return False if there is none."""
        return self._remove(codespace, Expired())

    def save(self) -> Mapping[str, object]:
        """Return a copy of all that is kept, for `go_back`."""
        return {codespace: record.copy() for codespace, record in self._records.items()}

    def go_back(self, saved: Mapping[str, object]) -> None:
        """Keep what was saved and nothing else, as a server that starts again with an old file, or with none.

        Whoever holds a codespace hears of a `Gap`, and is asked for it.
        """
        self._lost.update((codespace, record.epoch) for codespace, record in self._records.items())
        self._records.clear()
        for codespace, record in saved.items():
            if isinstance(record, _Record):
                self._keep(codespace, record.copy())
        for codespace in self._subscriptions.codespaces:
            self._publish(codespace, Gap())

    async def _enter(self, operation: str, codespace: str) -> None:
        """Be the checkpoint of a call, and fail it before it has any effect if told to."""
        faults = self._faults
        await trio.sleep(faults.call_delay(operation, codespace) if faults.call_delay else 0)
        if faults.down:
            raise StoreUnavailable(f"told to be down; {operation} did nothing")

    def _used(self, codespace: str) -> _Record | None:
        """Return the codespace, if it is there, and start its time to live again."""
        record = self._records.get(codespace)
        if record is not None:
            record.deadline = self._next_deadline(codespace)
        return record

    def _replace(self, codespace: str, held: Snapshot, epoch: str, before: tuple[str, ...]) -> _Record:
        """Put `held` in the place of whatever is there, to go on under `epoch`."""
        record = _Record(epoch, before, self._next_deadline(codespace), held.text, held.version, held.version)
        record.log.extend(held.log)
        record.log_bytes = sum(map(_weight, held.log))
        record.last_seqs.update(held.last_seqs)
        return self._keep(codespace, record)

    def _keep(self, codespace: str, record: _Record) -> _Record:
        """Keep a codespace that is new here, until it expires."""
        self._records[codespace] = record
        self._do_at(record.deadline, partial(self._expire_unused, codespace, record.epoch))
        return record

    def _find(self, codespace: str, epoch: str) -> _Record | Gone | Lost:
        record = self._records.get(codespace)
        if (codespace, epoch) in self._lost:
            return Gone(replaced=True) if record and record.epoch != epoch and record.version else Lost()
        return record if record and record.epoch == epoch else Gone(replaced=record is not None)

    def _next_deadline(self, codespace: str) -> float:
        return trio.current_time() + self._limits.seconds_to_live(codespace)

    def _remove(self, codespace: str, event: Expired | Deleted) -> bool:
        if self._records.pop(codespace, None) is None:
            return False
        self._publish(codespace, event)
        return True

    def _do_at(self, due: float, action: Callable[[], None]) -> None:
        heappush(self._agenda, (due, next(self._numbers), action))
        self._grown.set()

    def _expire_unused(self, codespace: str, epoch: str) -> None:
        """Expire the codespace if its time has come, else look again when it may have."""
        record = self._find(codespace, epoch)
        if isinstance(record, _Record):
            if record.deadline > trio.current_time():
                self._do_at(record.deadline, partial(self._expire_unused, codespace, epoch))
            else:
                self.expire_now(codespace)

    def _publish(self, codespace: str, event: StoreEvent) -> None:
        faults = self._faults
        if faults.drop_event and faults.drop_event(codespace, event):
            return
        times = 2 if faults.repeat_event and faults.repeat_event(codespace, event) else 1
        delay = faults.event_delay(codespace) if faults.event_delay else 0
        subscribers = self._subscriptions.of(codespace)
        for _ in range(times):
            if delay <= 0 and codespace not in self._delayed:
                self._subscriptions.deliver(event, subscribers)
            else:
                arrivals = self._delayed.setdefault(codespace, deque())
                due = trio.current_time() + delay
                arrivals.append(max(due, arrivals[-1]) if arrivals else due)
                self._do_at(arrivals[-1], partial(self._arrive, codespace, event, subscribers))

    def _arrive(self, codespace: str, event: StoreEvent, subscribers: Sequence[Subscriber]) -> None:
        """Deliver an event that was delayed to those who were subscribed when it was published."""
        self._delayed[codespace].popleft()
        if not self._delayed[codespace]:
            del self._delayed[codespace]
        self._subscriptions.deliver(event, subscribers)


def _before(epoch: str, *others: str) -> tuple[str, ...]:
    """Return what `epoch` continues, of epochs that may be repeated, "" for none."""
    return tuple(each for each in dict.fromkeys(others) if each not in {epoch, ""})[:EPOCHS_BEFORE]


def _weight(update: Update) -> int:
    return ENTRY_BYTES + weight(update.changes)


def _compare(record: _Record, held: Snapshot) -> Literal["same", "different", "unknown"]:
    """Tell whether the shorter of the two logs is the beginning of the other, by the updates that both still have."""
    common = min(record.version, held.version)
    stored = list(record.log)[: max(0, len(record.log) - (record.version - common))]
    known = held.log[: max(0, len(held.log) - (held.version - common))]
    compared = min(len(stored), len(known))
    if compared and stored[-compared:] != list(known[-compared:]):
        return "different"
    return "same" if compared or record.version >= held.version else "unknown"
