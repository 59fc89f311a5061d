"""The store on a double of Redis, as processes share it, and what happens between a process and the server."""

from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from random import Random

import trio

from pyshare.core.units import to_units
from pyshare.store import lua
from pyshare.store.faults import Faults
from pyshare.store.interface import Committed, Gap, Standing, StoreLimits
from pyshare.store.lanes import LaneLimits
from pyshare.store.layout import read_event
from pyshare.store.redis import RedisStore
from simulation.clock import Clock
from simulation.redis_double import Data, RedisDouble, Subscriber
from simulation.redis_link import Hub, Weather, linked
from simulation.story import Story

_APPEND = lua.APPEND.digest.encode()


class RedisAccess:
    """The connections of one process; they break at any command."""

    def __init__(self, storage: "RedisStorage", process: str, random: Random) -> None:
        self._storage = storage
        self._process = process
        self._random = random
        self.store = RedisStore("redis://double", storage.limits, lane_limits=LaneLimits(ping_seconds=2))
        self.dead = False
        self.lost_answers = 0.0
        self.late_answers = 0.0
        # Whether the server cannot be reached.
        self._cut_off = False

    # What happens.

    def die(self) -> None:
        """See `Access.die`."""
        self.dead = True
        self._storage.hub.break_connections(of=self._process)

    def cut_off(self) -> None:
        """See `Access.cut_off`."""
        self._cut_off = True
        self._storage.hub.break_connections(of=self._process)

    def heal(self) -> None:
        """See `Access.heal`."""
        self.answer()
        self._cut_off = False

    def answer(self) -> None:
        """See `Access.answer`."""
        self.lost_answers = self.late_answers = 0.0

    def go_deaf(self) -> None:
        """See `Access.go_deaf`; the connection on which topics are heard breaks."""
        self._storage.hub.break_connections(of=self._process, topics_only=True)

    def hear_again(self) -> None:
        """See `Access.hear_again`; another connection has been made already."""

    # What its connections meet.

    def refuses(self) -> bool:
        """Whether no connection can be had."""
        return self.dead or self._cut_off or self._storage.faults.down

    def before(self, words: Sequence[bytes]) -> bool:
        """Whether the connection breaks before a command is done."""
        faults = self._storage.faults
        if self.refuses():
            return True
        if faults.fail_before and words[:2] == [b"EVALSHA", _APPEND]:
            faults.fail_before -= 1
            return True
        return False

    def after(self, words: Sequence[bytes]) -> bool:
        """Whether the connection breaks before the answer has come."""
        faults = self._storage.faults
        lost = self.lost_answers > 0 and self._random.random() < self.lost_answers / 3
        if words[:2] == [b"EVALSHA", _APPEND] and (lost or faults.fail_after):
            faults.fail_after -= faults.fail_after > 0
            self._storage.story.count("lost answer to append")
            return True
        return lost

    def delay(self) -> float:
        """Seconds until the next answer."""
        faults = self._storage.faults
        seconds = faults.call_delay("", "") if faults.call_delay else 0.0
        if self.late_answers and self._random.random() < self.late_answers:
            self._storage.story.count("late answer")
            seconds += self._random.choice((0.01, 0.1, 0.5))
        return seconds + 0.0005


class RedisStorage:
    """See `Storage`."""

    def __init__(self, limits: StoreLimits, faults: Faults, clock: Clock, story: Story) -> None:
        self.limits = limits
        self.faults = faults
        self.story = story
        self._clock = clock
        self.hub = Hub(RedisDouble(lambda: clock.now), self._weather)
        self.hub.double.on_publish = self._publish
        self._accesses: dict[str, RedisAccess] = {}
        # When the last delayed message of each topic arrives.
        self._arrivals: dict[bytes, float] = {}
        self.lookers: set[str] = set()
        self.broken_by: set[str] = set()

    def linked(self) -> AbstractContextManager[None]:
        """See `Storage.linked`."""
        return linked(self.hub)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """See `Storage.run`."""
        task_status.started()
        await self.hub.run()

    def access(self, process: str, random: Random) -> RedisAccess:
        """See `Storage.access`."""
        access = self._accesses[process] = RedisAccess(self, process, random)
        return access

    def _weather(self, process: str) -> Weather:
        return self._accesses[process]

    def standing(self, codespace: str) -> Standing | None:
        """See `Storage.standing`."""
        fields = self._fields(codespace)
        return Standing(fields[b"epoch"].decode(), int(fields[b"version"])) if b"epoch" in fields else None

    def text(self, codespace: str) -> str:
        """See `Storage.text`."""
        return to_units(self._fields(codespace).get(b"code", b"").decode())

    def _fields(self, codespace: str) -> dict[bytes, bytes]:
        value = self.hub.double.data.values.get(codespace.encode(), {})
        assert isinstance(value, dict)
        return value

    def subscriptions(self, codespace: str) -> int:
        """See `Storage.subscriptions`."""
        return len(self.hub.double.subscribers.get(codespace.encode(), ()))

    def copy(self) -> object:
        """See `Storage.copy`."""
        return self.hub.double.save()

    def keep_states(self, count: int) -> None:
        """See `Storage.keep_states`."""
        self.hub.double.states = deque(maxlen=count + 1)

    def replica(self, missing: int) -> object | None:
        """See `Storage.replica`."""
        states = self.hub.double.states
        return states[max(0, len(states) - 1 - missing)] if states else None

    def lose(self, saved: object) -> None:
        """See `Storage.lose`."""
        self.hub.double.restart(saved if isinstance(saved, Data) else None)
        self._arrivals.clear()
        self.hub.break_connections()

    def expire_now(self, codespace: str) -> bool:
        """See `Storage.expire_now`."""
        return self.hub.double.remove(codespace.encode(), b"expired")

    def delete_now(self, codespace: str) -> None:
        """See `Storage.delete_now`."""
        self.hub.double.remove(codespace.encode(), b"del")

    def gap(self, codespace: str) -> None:
        """See `Storage.gap`; the connections on which topics are heard break."""
        self.hub.break_connections(topics_only=True)

    def _publish(self, topic: bytes, data: bytes, hearers: Sequence[Subscriber]) -> None:
        faults, now = self.faults, self._clock.now
        if self.lookers and not topic.startswith(b"__"):
            self._look(data)
        delay = faults.event_delay(topic.decode()) if faults.event_delay else 0.0
        # A connection hands on in order.
        due = max(now + delay, self._arrivals.get(topic, 0.0))
        times = 2 if faults.repeat_event and faults.repeat_event(topic.decode(), Gap()) else 1
        for _ in range(times):
            if due <= now:
                _hand_on(topic, data, hearers)
            else:
                self._arrivals[topic] = due
                self._clock.at(due, partial(_hand_on, topic, data, hearers))

    def _look(self, data: bytes) -> None:
        try:
            event = read_event(data)
        except (ValueError, RecursionError):
            return
        if isinstance(event, Committed):
            self.broken_by |= {update.sender for update in event.updates} & self.lookers


def _hand_on(topic: bytes, data: bytes, hearers: Sequence[Subscriber]) -> None:
    for each in hearers:
        each.hear(topic, data)
