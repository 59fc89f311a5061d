"""One codespace in the memory store and in a Redis server with two stores, given the same calls, and their differences.

Epochs are random, so each side's are renamed by the order in which they are seen: the same answers have the same names.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Final

import trio

from pyshare.core.presence import Announcement
from pyshare.store.bridge import LineLimits
from pyshare.store.interface import (
    Announced,
    Appended,
    Committed,
    Conflict,
    Gap,
    Gone,
    Lost,
    Snapshot,
    Standing,
    Store,
    StoreEvent,
    StoreLimits,
    StoreUnavailable,
    Tail,
)
from pyshare.store.lanes import LaneLimits
from pyshare.store.layout import keys_of
from pyshare.store.memory import MemoryStore
from pyshare.store.redis import RedisStore
from tests.redis import RedisServer

LIMITS: Final = StoreLimits(log_updates=8, log_bytes=1_400_000, senders=4, expire_seconds=1200, tmp_expire_seconds=600)
#: Seconds by which times to live may differ: a store need not write down each use.
TTL_SECONDS: Final = 120.0
PATIENCE_SECONDS: Final = 3.0

Answer = Snapshot | Standing | Appended | Conflict | Tail | Gone | Lost | bool | None
Call = Callable[[Store, Callable[[str], str]], Awaitable[Answer]]
Events = trio.MemoryReceiveChannel[StoreEvent]


class Names:
    """The epochs of one side, by the order in which they were seen."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def of(self, epoch: str) -> str:
        """Return the name of an epoch, a new one if it was not seen before."""
        return self._names.setdefault(epoch, f"epoch-{len(self._names) + 1}")

    def epoch(self, name: str) -> str:
        """Return the epoch of that name; one that nobody has is itself."""
        return next((epoch for epoch, known in self._names.items() if known == name), name)

    def answer(self, found: Answer) -> Answer:
        """Return an answer with names for epochs."""
        match found:
            case Snapshot():
                return replace(found, epoch=self.of(found.epoch), before=tuple(map(self.of, found.before)))
            case Standing():
                return replace(found, epoch=self.of(found.epoch))
            case _:
                return found

    def event(self, event: StoreEvent) -> StoreEvent:
        """Return an event with names for epochs."""
        return replace(event, epoch=self.of(event.epoch)) if isinstance(event, Committed) else event


class Side:
    """One of the two: a memory store, or a server with a store for each instance."""

    def __init__(self, *stores: Store) -> None:
        #: The store of each instance.
        self.stores = stores
        self.names = Names()
        #: The subscriptions, each with a name.
        self.events: dict[str, Events] = {}


class Both:
    """The two sides, which two instances ask for one codespace."""

    def __init__(self, memory: MemoryStore, stores: tuple[RedisStore, RedisStore], server: RedisServer) -> None:
        self._memory_store = memory
        self._redis_stores = stores
        self._server = server
        self._examples = 0
        self._said = 0
        # Left at the end of an example.
        self._stack = AsyncExitStack()
        self._more: dict[str, AsyncExitStack] = {}
        self._saved_memory: Mapping[str, object] = {}
        self._saved_redis: dict[str, tuple[bytes, int]] = {}
        self.codespace = ""
        self.memory, self.redis = Side(), Side()

    async def begin(self, *, temporary: bool) -> None:
        """Begin with a codespace that was never there; each instance is subscribed to it."""
        self._examples += 1
        self.codespace = f"{'tmp-' if temporary else ''}room-{self._examples}"
        self.memory = Side(self._memory_store, self._memory_store)
        self.redis = Side(*self._redis_stores)
        self._stack, self._more = AsyncExitStack(), {}
        self._saved_memory, self._saved_redis = {}, {}
        for instance in (0, 1):
            await self.subscribe(f"instance {instance}", instance)

    async def end(self) -> None:
        """Leave all subscriptions."""
        for name in list(self._more):
            await self.unsubscribe(name)
        await self._stack.aclose()

    async def subscribe(self, name: str, instance: int) -> None:
        """Subscribe an instance."""
        self._more[name] = stack = AsyncExitStack()
        for side in (self.memory, self.redis):
            side.events[name] = await stack.enter_async_context(side.stores[instance].subscribe(self.codespace))

    async def unsubscribe(self, name: str) -> None:
        """End a subscription."""
        await self._more.pop(name).aclose()
        for side in (self.memory, self.redis):
            del side.events[name]

    async def ask_memory(self, call: Call, instance: int) -> Answer:
        """Return the memory store's answer to a call."""
        names = self.memory.names
        return names.answer(await call(self.memory.stores[instance], names.epoch))

    async def ask_redis(self, call: Call, instance: int, *, expected: int | None = None) -> Answer:
        """Return the answer of Redis; an append of `expected` that has to wait for another's turn is made again."""
        names = self.redis.names
        with trio.fail_after(PATIENCE_SECONDS):
            while True:
                found = names.answer(await call(self.redis.stores[instance], names.epoch))
                if expected is None or found != Conflict(Tail(expected, ())):
                    return found
                await trio.sleep(0.005)

    async def heard(self) -> dict[str, tuple[list[StoreEvent], list[StoreEvent]]]:
        """Return what each subscription has heard on either side; several gaps in a row are one."""
        self._said += 1
        last = Announced(Announcement(f"heard {self._said}"))
        for side in (self.memory, self.redis):
            await side.stores[0].publish(self.codespace, last.announcement)
        found = {}
        for name in self._more:
            found[name] = (
                await _read(self.memory.events[name], last, self.memory.names),
                await _read(self.redis.events[name], last, self.redis.names),
            )
        return found

    # Time and fate.

    async def seconds_to_live(self) -> tuple[float | None, float | None]:
        """Return for how long the codespace will live on either side, None where it is not there."""
        record = self._memory_store._records.get(self.codespace)
        left = self._server.client.pttl(self.codespace)
        assert isinstance(left, int)
        return record.deadline - trio.current_time() if record else None, left / 1000 if left >= 0 else None

    async def grow_old(self) -> None:
        """Have half of the time to live pass."""
        seconds = LIMITS.seconds_to_live(self.codespace) / 2
        record = self._memory_store._records.get(self.codespace)
        if record is not None:
            record.deadline = trio.current_time() + seconds
        for key in keys_of(self.codespace):
            self._server.client.pexpire(key, round(seconds * 1000))

    async def expire(self) -> None:
        """Have the codespace expire."""
        self._memory_store.expire_now(self.codespace)
        # A time that has passed when Redis looks at it, as 1 ms can, deletes the key: no expiry is told.
        self._server.client.pexpire(self.codespace, 20)
        with trio.fail_after(PATIENCE_SECONDS):
            while self._server.client.exists(self.codespace):  # noqa: ASYNC110 - nobody tells
                await trio.sleep(0.001)

    async def delete(self) -> None:
        """Delete the codespace on purpose, as the API does."""
        await self._memory_store.delete(self.codespace)
        self._server.client.delete(self.codespace)

    async def save(self) -> None:
        """Keep a copy of the codespace."""
        saved = self._memory_store.save()
        self._saved_memory = {key: value for key, value in saved.items() if key == self.codespace}
        self._saved_redis = {}
        for key in keys_of(self.codespace):
            dump, left = self._server.client.dump(key), self._server.client.pttl(key)
            if isinstance(dump, bytes):
                assert isinstance(left, int)
                self._saved_redis[key] = (dump, left)

    async def go_back(self, *, to_saved: bool) -> None:
        """Have both servers start again with what was saved, or with nothing."""
        self._memory_store.go_back(self._saved_memory if to_saved else {})
        before = [store._holdings.identity for store in self._redis_stores]
        client = self._server.client
        client.flushall()
        for key, (dump, left) in self._saved_redis.items() if to_saved else ():
            client.restore(key, left, dump)
        client.client_kill_filter(_type="normal")
        client.client_kill_filter(_type="pubsub")
        with trio.fail_after(PATIENCE_SECONDS):
            for store, identity in zip(self._redis_stores, before, strict=True):
                while not await _is_back(store) or store._holdings.identity == identity:  # noqa: ASYNC110 - nobody tells
                    await trio.sleep(0.001)


async def _is_back(store: RedisStore) -> bool:
    try:
        await store.check()
    except StoreUnavailable:
        return False
    return True


async def _read(events: Events, last: StoreEvent, names: Names) -> list[StoreEvent]:
    """Return the events before `last`, with names for epochs."""
    found: list[StoreEvent] = []
    with trio.fail_after(PATIENCE_SECONDS):
        while (event := await events.receive()) != last:
            if event != Gap() or found[-1:] != [Gap()]:
                found.append(names.event(event))
    return found


@asynccontextmanager
async def open_both(server: RedisServer) -> AsyncIterator[Both]:
    """Run a memory store, and two stores on a Redis server."""
    quick = LaneLimits(line=LineLimits(first_retry_seconds=0.001, last_retry_seconds=0.01))
    memory = MemoryStore(LIMITS)
    one, two = (RedisStore(server.url, LIMITS, lane_limits=quick) for _ in range(2))
    async with trio.open_nursery() as nursery:
        for store in (memory, one, two):
            await nursery.start(store.run)
        yield Both(memory, (one, two), server)
        nursery.cancel_scope.cancel()
