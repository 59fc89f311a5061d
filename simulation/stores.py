"""The memory store as several processes share it, with what can happen between a process and its store."""

from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from heapq import heapify
from itertools import count
from random import Random
from typing import TypeVar

import trio
from typing_extensions import override

from pyshare.core.document import Update
from pyshare.core.presence import Announcement
from pyshare.store.faults import Faults
from pyshare.store.interface import (
    Appended,
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
from pyshare.store.memory import MemoryStore, _Record
from pyshare.store.subscriptions import Subscriber, Subscriptions
from simulation.chance import PROCESS
from simulation.story import Story

_Answer = TypeVar("_Answer")
#: Seconds after which a call counts as failed that was not answered.
_PATIENCE_SECONDS = 1.0


class HearingProcesses(Subscriptions):
    """The subscriptions of processes, of which some hear nothing for a while."""

    def __init__(self, most_events: int) -> None:
        super().__init__(most_events)
        # The process of each subscription.
        self._processes: dict[Subscriber, str] = {}
        # Processes that hear nothing.
        self._deaf: set[str] = set()

    @override
    @contextmanager
    def open(self, codespace: str) -> Iterator[trio.MemoryReceiveChannel[StoreEvent]]:
        with super().open(codespace) as events:
            newest = self._subscribers[codespace][-1]
            self._processes[newest] = PROCESS.get()
            try:
                yield events
            finally:
                del self._processes[newest]

    @override
    def deliver(self, event: StoreEvent, subscribers: Sequence[Subscriber]) -> None:
        if self._deaf:
            subscribers = [each for each in subscribers if self._processes.get(each) not in self._deaf]
        super().deliver(event, subscribers)

    def go_deaf(self, process: str) -> None:
        """Let a process hear nothing."""
        self._deaf.add(process)

    def hear_again(self, process: str) -> None:
        """Let a process hear again, beginning with the news that it has missed something."""
        if process in self._deaf:
            self._deaf.discard(process)
            self.deliver(Gap(), [each for each, owner in self._processes.items() if owner == process])


class SharedMemory(MemoryStore):
    """A store of several processes, which notes what it holds at any time for those who judge."""

    def __init__(self, limits: StoreLimits, faults: Faults, story: Story) -> None:
        numbers = count(1)
        super().__init__(limits, faults=faults, new_epoch=lambda: f"epoch-{next(numbers)}")
        self._story = story
        # What each process has found in data that are lost; `_lost` is that of the process that asks.
        self._lost_to: dict[str, set[tuple[str, str]]] = {}
        # The states behind the last writes, the newest last.
        self._states: deque[Mapping[str, object]] = deque(maxlen=0)
        self.hearing = HearingProcesses(64)
        self._subscriptions = self.hearing
        # How often data were lost.
        self._losses = 0
        #: Ids of clients that may only look, and those of them for whom something was committed.
        self.lookers: set[str] = set()
        self.broken_by: set[str] = set()

    def admit(self, process: str) -> None:
        """Know a process, from its start on."""
        self._lost_to[process] = set()

    @override
    def _find(self, codespace: str, epoch: str) -> _Record | Gone | Lost:
        """Find a codespace for the process that asks: it knows itself in whose data it found what it holds."""
        self._lost = self._lost_to.get(PROCESS.get(), set())
        return super()._find(codespace, epoch)

    @override
    async def append(
        self, codespace: str, epoch: str, *, expected: int, updates: Sequence[Update], text: str | None = None
    ) -> Appended | Conflict | Gone | Lost:
        if self.lookers:
            self.broken_by |= {update.sender for update in updates} & self.lookers
        version = self.standing(codespace)
        try:
            return await super().append(codespace, epoch, expected=expected, updates=updates, text=text)
        finally:
            if self.standing(codespace) != version:
                self._has_written()

    @override
    async def write_text(self, codespace: str, epoch: str, *, version: int, text: str) -> None:
        await super().write_text(codespace, epoch, version=version, text=text)
        self._has_written()

    @override
    async def put_back(self, codespace: str, held: Snapshot) -> Tail | Gone:
        answer = await super().put_back(codespace, held)
        if isinstance(answer, Tail):
            self._lost_to.get(PROCESS.get(), set()).discard((codespace, held.epoch))
        self._has_written()
        return answer

    def _has_written(self) -> None:
        """Keep the state behind a write, if states are kept. No task has had its turn since the write."""
        if self._states.maxlen:
            self._states.append(self.save())

    @override
    def _remove(self, codespace: str, event: Expired | Deleted) -> bool:
        self._states.clear()
        return super()._remove(codespace, event)

    @override
    def go_back(self, saved: Mapping[str, object]) -> None:
        self._losses += 1
        self._states.clear()
        for lost in self._lost_to.values():
            lost.update((codespace, record.epoch) for codespace, record in self._records.items())
        # What was on its way is lost with the connections, of which everybody hears at once.
        self._agenda = [each for each in self._agenda if getattr(each[2], "func", None) != self._arrive]
        heapify(self._agenda)
        self._delayed.clear()
        super().go_back(saved)

    @override
    async def _enter(self, operation: str, codespace: str) -> None:
        losses = self._losses
        await super()._enter(operation, codespace)
        if losses != self._losses:
            raise StoreUnavailable("the server that was asked is gone")

    def linked(self) -> AbstractContextManager[None]:
        """See `Storage.linked`."""
        return nullcontext()

    def access(self, process: str, random: Random) -> "MemoryAccess":
        """See `Storage.access`."""
        return MemoryAccess(self, process, random, self._story)

    def subscriptions(self, codespace: str) -> int:
        """See `Storage.subscriptions`."""
        return self.statistics().subscriptions

    def copy(self) -> object:
        """See `Storage.copy`."""
        return self.save()

    def keep_states(self, count: int) -> None:
        """See `Storage.keep_states`."""
        self._states = deque(maxlen=count + 1)

    def replica(self, missing: int) -> object | None:
        """See `Storage.replica`."""
        return self._states[max(0, len(self._states) - 1 - missing)] if self._states else None

    def lose(self, saved: object) -> None:
        """See `Storage.lose`."""
        self.go_back(saved if isinstance(saved, dict) else {})

    def standing(self, codespace: str) -> Standing | None:
        """Return epoch and version of what is stored now."""
        record = self._records.get(codespace)
        return Standing(record.epoch, record.version) if record else None

    def text(self, codespace: str) -> str:
        """Return the text that is stored now, with what the log has beyond it; empty if there is none."""
        record = self._records.get(codespace)
        if record is None:
            return ""
        text = record.text
        behind = record.version - record.text_version
        for update in list(record.log)[-behind:] if behind else ():
            text = update.changes.apply(text)
        return text

    def delete_now(self, codespace: str) -> None:
        """Delete the codespace, as the API does."""
        self._remove(codespace, Deleted())

    def gap(self, codespace: str) -> None:
        """Let all hear that they may have missed something."""
        self._publish(codespace, Gap())


class MemoryAccess:
    """The access of one process to the store; see `Store`, which it is itself."""

    def __init__(self, shared: SharedMemory, process: str, random: Random, story: Story) -> None:
        self._shared = shared
        self.store = self
        shared.admit(process)
        self._process = process
        self._random = random
        self._story = story
        #: Whether the process was killed: nothing that it asks happens, and no answer comes.
        self.dead = False
        # Channels that the process has opened.
        self._opened = 0
        # Whether the store cannot be reached.
        self._cut_off = False
        #: Chances that an answer is lost, and that it comes late, behind what it is about.
        self.lost_answers = 0.0
        self.late_answers = 0.0

    def die(self) -> None:
        """Have nothing done any more."""
        self.dead = True
        self._shared.hearing.go_deaf(self._process)

    def cut_off(self) -> None:
        """Let the store be out of reach, for calls and for events."""
        self._cut_off = True
        self._shared.hearing.go_deaf(self._process)

    def heal(self) -> None:
        """Let the store be reached."""
        self.answer()
        self._cut_off = False
        self.hear_again()

    def answer(self) -> None:
        """Let every answer come at once."""
        self.lost_answers = self.late_answers = 0.0

    def go_deaf(self) -> None:
        """Let events be lost from now on."""
        self._shared.hearing.go_deaf(self._process)

    def hear_again(self) -> None:
        """Let events be heard, unless the store is out of reach."""
        if not self.dead and not self._cut_off:
            self._shared.hearing.hear_again(self._process)

    async def _ask(self, name: str, call: Callable[[], Coroutine[object, object, _Answer]]) -> _Answer:
        await self._be_there()
        answer = await call()
        if self._story.detailed:
            self._story.note(f"{self._process}: {name} -> {answer!r:.300}")
        if self.dead:
            await trio.sleep_forever()
        if self._cut_off or (self.lost_answers and self._random.random() < self.lost_answers):
            self._story.count(f"lost answer to {name}")
            await trio.sleep(_PATIENCE_SECONDS)
            raise StoreUnavailable("simulated: no answer")
        if self.late_answers and self._random.random() < self.late_answers:
            self._story.count("late answer")
            await trio.sleep(self._random.choice((0.01, 0.1, 0.5)))
        return answer

    async def _be_there(self) -> None:
        if self.dead:
            await trio.sleep_forever()
        if self._cut_off:
            await trio.sleep(self._random.choice((0.0, _PATIENCE_SECONDS)))
            raise StoreUnavailable("simulated: out of reach")

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """See `Store.run`."""
        task_status.started()
        await trio.sleep_forever()

    async def check(self) -> None:
        """See `Store.check`."""
        await self._ask("check", self._shared.check)

    async def load(self, codespace: str, *, create: bool) -> Snapshot | None:
        """See `Store.load`."""
        return await self._ask("load", lambda: self._shared.load(codespace, create=create))

    async def look(self, codespace: str) -> Standing | None:
        """See `Store.look`."""
        return await self._ask("look", lambda: self._shared.look(codespace))

    async def read_text(self, codespace: str) -> Snapshot | None:
        """See `Store.read_text`."""
        return await self._ask("read_text", lambda: self._shared.read_text(codespace))

    async def append(
        self, codespace: str, epoch: str, *, expected: int, updates: Sequence[Update], text: str | None
    ) -> Appended | Conflict | Gone | Lost:
        """See `Store.append`."""
        return await self._ask(
            "append", lambda: self._shared.append(codespace, epoch, expected=expected, updates=updates, text=text)
        )

    async def read_log(self, codespace: str, epoch: str, *, after: int) -> Tail | Gone | Lost:
        """See `Store.read_log`."""
        return await self._ask("read_log", lambda: self._shared.read_log(codespace, epoch, after=after))

    async def put_back(self, codespace: str, held: Snapshot) -> Tail | Gone:
        """See `Store.put_back`."""
        return await self._ask("put_back", lambda: self._shared.put_back(codespace, held))

    async def write_text(self, codespace: str, epoch: str, *, version: int, text: str) -> None:
        """See `Store.write_text`."""
        await self._ask("write_text", lambda: self._shared.write_text(codespace, epoch, version=version, text=text))

    async def touch(self, codespace: str, epoch: str) -> bool:
        """See `Store.touch`."""
        return await self._ask("touch", lambda: self._shared.touch(codespace, epoch))

    async def publish(self, codespace: str, announcement: Announcement) -> None:
        """See `Store.publish`."""
        await self._ask("publish", lambda: self._shared.publish(codespace, announcement))

    @asynccontextmanager
    async def subscribe(self, codespace: str) -> AsyncIterator[trio.MemoryReceiveChannel[StoreEvent]]:
        """See `Store.subscribe`."""
        await self._be_there()
        self._opened += 1
        if self._opened > 1:
            self._story.count("channel retired and opened again")
        async with self._shared.subscribe(codespace) as events:
            yield events
