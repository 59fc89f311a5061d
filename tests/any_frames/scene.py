"""One scene: two instances on one store, calm clients and hostile ones, and store faults, all from one seed."""

import logging
import resource
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

import pytest
import trio
from trio._core import _run as scheduler
from trio.testing import MockClock
from typing_extensions import override

from pyshare.actors.fanout import FanOutLimits
from pyshare.actors.supervisor import SupervisorLimits
from pyshare.core.document import Document, DocumentLimits, Update
from pyshare.core.errors import CloseCode, Closing
from pyshare.core.protocol import Mode, Peer
from pyshare.core.units import has_lone_surrogate, splits_pair
from pyshare.store.faults import Faults
from pyshare.store.interface import Appended, Conflict, Gap, Gone, Lost, StoreLimits, StoreUnavailable
from pyshare.store.memory import MemoryStore
from simulation.frames import Maker, Sight
from tests.actors.world import World, channel_limits, open_world
from tests.any_frames.editors import NOBODYS_FAULT, OWN_FAULT, CalmClient, CalmStock, Hostile, Joined

CODESPACE: Final = "tmp-a"
#: Seconds of the mock clock in which the calm clients come to one text when all is quiet.
_CALM_SECONDS: Final = 120
#: Memory that a scene may take beyond that of the process: a number in a frame must not size anything.
_MEMORY: Final = Path("/proc/self/statm")
_MEMORY_BYTES: Final = 268_435_456
_MODES: Final[tuple[Mode, ...]] = ("edit", "edit", "view_only")


class Broken(Exception):  # noqa: N818 - a fact about the server
    """Something happened that must not; the message says it in words."""


@dataclass(frozen=True)
class Failure:
    """A scene that went wrong: where, and why."""

    seed: int
    frames: int
    reason: str
    #: The last things done before it, and a traceback if there was one.
    trace: tuple[str, ...]
    details: str = ""

    @property
    def cause(self) -> str:
        """The exception that is behind it, in one line."""
        lines = [line.strip(" |") for line in self.details.splitlines()]
        return next((line for line in reversed(lines) if "Error" in line or "Lost" in line), "no exception")

    @property
    def kind(self) -> str:
        """The kind of its cause: where another failure has the same, it may be the same fault."""
        return self.cause.partition(":")[0]

    def story(self) -> str:
        """Return all that is needed to see it again."""
        again = f"--seed {self.seed} --frames {self.frames} --scene-frames {self.frames}"
        lines = [f"seed {self.seed}, the first {self.frames} frames: {self.reason}", *self.trace, self.details]
        return "\n".join([*lines, f"again: python -m tests.any_frames {again}"])


class WatchedStore(MemoryStore):
    """A store that takes note when something is committed for a client that may only look."""

    def __init__(self, limits: StoreLimits, faults: Faults, lookers: set[str]) -> None:
        numbers = count(1)
        super().__init__(limits, faults=faults, new_epoch=lambda: f"epoch-{next(numbers)}")
        self._lookers = lookers
        # How often data were lost.
        self._losses = 0
        # Whoever looks only and has had something committed.
        self.broken_by: list[str] = []

    @override
    async def append(
        self, codespace: str, epoch: str, *, expected: int, updates: Sequence[Update], text: str | None = None
    ) -> Appended | Conflict | Gone | Lost:
        """Append; see `Store.append`."""
        self.broken_by += {update.sender for update in updates} & self._lookers
        return await super().append(codespace, epoch, expected=expected, updates=updates, text=text)

    @override
    def go_back(self, saved: Mapping[str, object]) -> None:
        self._losses += 1
        super().go_back(saved)

    @override
    async def _enter(self, operation: str, codespace: str) -> None:
        """Begin a call; one that is under way when data are lost is lost with the server that was asked."""
        losses = self._losses
        await super()._enter(operation, codespace)
        if losses != self._losses:
            raise StoreUnavailable("the server that was asked is gone")


class _Errors(logging.Handler):
    """Keeps the traceback of the last error that was logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = ""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.last = "".join(traceback.format_exception(record.exc_info[1]))


class Scene:
    """What happens in one world until so many frames were sent."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._faults = Faults()
        self._sight = Sight()
        self.trace: list[str] = []
        # How often hostile clients have joined.
        self._joins = 0
        # Frames that hostile clients have sent.
        self.frames = 0
        self._lookers: set[str] = set()
        small = self._random.random() < 0.7
        self._store = WatchedStore(
            StoreLimits(log_updates=25, senders=20) if small else StoreLimits(), self._faults, self._lookers
        )
        self._limits = self._supervisor_limits(small=small)
        self._calm = [CalmClient("ann"), CalmClient("ben")]
        self._stock = [CalmStock("cat", self._loaded_text)]
        # The world, once there is one.
        self._world: World | None = None
        self._hostile = [self._new_hostile(index) for index in range(6)]
        self._saved = self._store.save()

    def _supervisor_limits(self, *, small: bool) -> SupervisorLimits:
        limits = channel_limits()
        document = DocumentLimits(text_units=2000)
        if small:
            document = DocumentLimits(text_units=2000, history_updates=30, history_bytes=20_000, senders=20)
        return SupervisorLimits(
            replace(
                limits,
                document=document,
                fanout=FanOutLimits(backlog_bytes=20_000, answers=4) if small else FanOutLimits(),
                clients=14,
                pending_bytes=50_000 if small else limits.pending_bytes,
            ),
            linger_seconds=1,
            mailbox_messages=8,
        )

    def _new_hostile(self, index: int) -> Hostile:
        random = self._random
        mode = _MODES[index % 3]
        # Few ids: sessions take one another's place.
        name = f"{mode}-{random.randrange(2)}"
        if mode == "view_only":
            self._lookers.add(name)
        maker = Maker(random, self._sight)
        return Hostile(Peer(name, name, mode), stock=index % 2 == 1, maker=maker, random=random, sight=self._sight)

    async def run(self, most_frames: int) -> None:
        """Play until `most_frames` were sent, then let all come to rest.

        Raises:
            Broken: if something is not as it must be.
        """
        async with open_world(self._store, limits=self._limits, instances=("one", "two")) as world:
            self._world = world
            self._come_back(world)
            while self.frames < most_frames:
                await self._act(world, most_frames)
                self._judge(world)
            await self._come_to_rest(world)

    async def _act(self, world: World, most_frames: int) -> None:
        """Do one thing."""
        random = self._random
        chance = random.random()
        hostile = random.choice(self._hostile)
        if chance < 0.72:
            if hostile.mailbox is not None:
                for _ in range(min(random.choice((1, 1, 1, 2, 8)), most_frames - self.frames)):
                    self.frames += 1
                    await hostile.send_frame()
                    self._note(f"{hostile.peer.id}{' stock' if hostile.stock else ''}: {hostile.last[:300]}")
            else:
                self._join(world, hostile)
                await trio.sleep(0.001)
        elif chance < 0.75:
            self._note(f"{hostile.peer.id} leaves")
            hostile.cut()
        elif chance < 0.79:
            hostile.outlet.full = not hostile.outlet.full
            self._note(f"{hostile.peer.id} is full: {hostile.outlet.full}")
            if not hostile.outlet.full:
                await hostile.drains()
        elif chance < 0.82:
            self._fault()
        elif chance < 0.83:
            await self._lose(world)
        elif chance < 0.92:
            await self._calm_types(world)
        else:
            await trio.sleep(random.choice((0.0, 0.01, 0.1, 0.6)))

    def _join(self, world: World, hostile: Hostile) -> None:
        random = self._random
        epoch = random.choice((None, self._sight.epoch, self._sight.epoch, "of nothing"))
        version = self._sight.version + random.choice((0, 0, -1, -20, 3))
        known = None if random.random() < 0.2 else random.choice((max(0, version), 2**53 - 1, 0, max(0, version)))
        instance = random.choice(("one", "two"))
        if hostile.stock:
            # A stock editor has no session: it is somebody else each time.
            self._joins += 1
            hostile.peer = replace(hostile.peer, id=f"{hostile.peer.mode}-stock-{self._joins}")
            if hostile.peer.mode == "view_only":
                self._lookers.add(hostile.peer.id)
        self._note(f"{hostile.peer.id} joins {instance} with {epoch}, {known}")
        self._connect(world, hostile, instance, epoch, known)

    def _connect(
        self, world: World, client: Joined, instance: str, epoch: str | None = None, version: int | None = None
    ) -> None:
        client.scope = trio.CancelScope()
        run, mailbox = client.run, world._mailboxes[instance]

        async def connection() -> None:
            await run(mailbox, epoch, version)

        world.nursery.start_soon(connection, name=f"connection of {client.peer.id}")

    def _fault(self) -> None:
        """Turn one knob of the store."""
        random, faults = self._random, self._faults
        match random.randrange(8):
            case 0:
                faults.call_delay = random.choice((None, lambda operation, codespace: random.choice((0, 0.02, 0.3))))
            case 1:
                faults.event_delay = random.choice((None, lambda codespace: random.choice((0, 0.05))))
            case 2:
                faults.drop_event = random.choice((None, lambda codespace, event: random.random() < 0.3))
            case 3:
                faults.repeat_event = random.choice((None, lambda codespace, event: random.random() < 0.3))
            case 4:
                faults.fail_before = random.randrange(3)
            case 5:
                faults.fail_after = random.randrange(3)
            case 6:
                faults.down = not faults.down and random.random() < 0.4
            case _:
                self._store._publish(CODESPACE, Gap())
        self._note(f"fault: {faults}")

    async def _lose(self, world: World) -> None:
        """Have the store lose data, or go back to an older state."""
        random = self._random
        # A store that has lost data is never silent about it: nothing delays that news, or drops it.
        self._faults.event_delay = self._faults.drop_event = None
        # Longer than any event is delayed.
        await trio.sleep(0.1)
        if not self._instances_agree(world):
            # A store that many share cannot tell who asks for what was lost; see tests/actors/test_losses.py.
            return
        match random.randrange(6):
            case 0:
                self._store.go_back({})
            case 1:
                self._store.go_back(self._saved)
            case 2:
                self._store.expire_now(CODESPACE)
                # An old file with an earlier life of a codespace is beyond what is promised.
                self._saved = self._store.save()
            case _:
                self._saved = self._store.save()
        self._note("the store loses data, or saves")

    def _documents(self, world: World) -> dict[str, Document]:
        """Return the documents of the instances that have a channel."""
        entries = {name: each._entries.get(CODESPACE) for name, each in world.supervisors.items()}
        return {name: each.channel._document for name, each in entries.items() if each and each.channel}

    def _instances_agree(self, world: World) -> bool:
        """Whether the instances hold what the store holds."""
        record = self._store._records.get(CODESPACE)
        return record is not None and all(
            document.version == record.version for document in self._documents(world).values()
        )

    async def _calm_types(self, world: World) -> None:
        """Let a calm client type and all of them read."""
        random = self._random
        for client in self._calm:
            await client.moves()
        editor = random.choice(self._calm)
        if editor.welcomed:
            pos = _place(random, editor.text)
            editor.types(random.choice(("c", "\U0001f600", "\n")), at=pos)
            await editor.moves()
            self._sight.see(editor.editor.epoch, editor.editor.version, editor.text)
        stock = random.choice(self._stock)
        stock.handles()
        if stock.connected and random.random() < 0.5:
            await stock.types(_place(random, stock.text), "s")
        self._come_back(world)

    def _come_back(self, world: World) -> None:
        """Let the calm ones connect again that were told to, or that have not connected yet."""
        for index, client in enumerate(self._calm):
            if not client.connecting:
                self._check_closing(client.peer.name, client.closing, NOBODYS_FAULT)
                client.is_connecting()
                world.joins(client, instance=("one", "two")[index])
        for stock in self._stock:
            if stock.outlet.closing is not None:
                stock.cut()
            if stock.scope is None:
                self._check_closing(stock.peer.id, stock.outlet.closing, NOBODYS_FAULT)
                stock.connected = False
                self._connect(world, stock, "one")

    def _check_closing(self, name: str, closing: Closing | None, allowed: frozenset[CloseCode]) -> None:
        if closing is not None and closing.code not in allowed:
            raise Broken(f"{name} was closed with {closing.code:d}: {closing.reason}")

    def _judge(self, world: World) -> None:
        for instance, supervisor in world.supervisors.items():
            if supervisor._failed:
                raise Broken(f"a channel of instance {instance} failed")
        if self._store.broken_by:
            raise Broken(f"{self._store.broken_by} may only look, and edited")
        if has_lone_surrogate(self._stored_text()):
            raise Broken("half a surrogate pair was committed")
        for hostile in self._hostile:
            self._check_closing(hostile.peer.id, hostile.outlet.closing, OWN_FAULT)
            if hostile.outlet.closing is not None:
                hostile.cut()

    async def _come_to_rest(self, world: World) -> None:
        """End all faults and have everybody agree."""
        faults = self._faults
        faults.call_delay = faults.event_delay = faults.drop_event = faults.repeat_event = None
        faults.fail_before = faults.fail_after = 0
        faults.down = False
        for hostile in self._hostile:
            hostile.cut()
        deadline = trio.current_time() + _CALM_SECONDS
        typed = False
        while not (typed and self._agree()):
            if trio.current_time() > deadline:
                raise Broken(f"the calm ones never came to one text: {self._texts()}")
            await world.settles()
            for stock in self._stock:
                stock.handles()
            self._come_back(world)
            await trio.sleep(0.2)
            if not typed and trio.current_time() > deadline - _CALM_SECONDS + 5 and self._calm[0].welcomed:
                # Whatever was missed until now is found missing by this.
                self._calm[0].types("!", at=0)
                typed = True
            self._judge(world)
        text = self._calm[0].text
        if self._stored_text() != text:
            raise Broken(f"the store holds another text than the editors: {self._stored_text()!r}, {text!r}")
        self._judge(world)

    def _loaded_text(self) -> str:
        """Return the text that a stock editor joins with: one that its instance has heard of."""
        known = self._documents(self._world).get("one") if self._world else None
        return known.text if known else self._stored_text()

    def _stored_text(self) -> str:
        """Return the text that an API would give out now."""
        record = self._store._records.get(CODESPACE)
        if record is None:
            return ""
        behind = record.version - record.text_version
        return reduce(
            lambda text, update: update.changes.apply(text), list(record.log)[-behind:] if behind else [], record.text
        )

    def _texts(self) -> list[str]:
        return [client.text for client in self._calm] + [stock.text for stock in self._stock]

    def _agree(self) -> bool:
        return len(set(self._texts())) == 1 and not any(client.editor.unconfirmed for client in self._calm)

    def _note(self, line: str) -> None:
        self.trace.append(f"{self.frames}: {line}")
        del self.trace[:-40]


def _place(random: Random, text: str) -> int:
    """Return a place in `text` that is not in the middle of a surrogate pair."""
    pos = random.randrange(len(text) + 1)
    return pos - splits_pair(text, pos)


@contextmanager
def _memory_bounded() -> Iterator[None]:
    """Have an allocation fail that takes the process far beyond its present size."""
    if not _MEMORY.exists():
        yield
        return
    pages = int(_MEMORY.read_text().split()[0])
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + _MEMORY_BYTES, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


@contextmanager
def _errors_kept() -> Iterator[_Errors]:
    """Keep what pyshare logs as errors, instead of printing it."""
    errors = _Errors()
    logger = logging.getLogger("pyshare")
    level, propagates = logger.level, logger.propagate
    logger.addHandler(errors)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield errors
    finally:
        logger.removeHandler(errors)
        logger.setLevel(level)
        logger.propagate = propagates


@contextmanager
def _seeded_scheduler(seed: int) -> Iterator[None]:
    """Have trio take ready tasks in an order that follows from the seed; see tests/conftest.py."""
    state = scheduler._r.getstate()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
        scheduler._r.seed(seed)
        yield
    scheduler._r.setstate(state)


def play(seed: int, frames: int) -> Failure | None:
    """Play the scene of `seed` until so many frames were sent; return what went wrong, if anything did."""
    scene = Scene(seed)
    with _errors_kept() as errors, _seeded_scheduler(seed), _memory_bounded():
        try:
            trio.run(scene.run, frames, clock=MockClock(autojump_threshold=0))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is looked for here
            broken = first_broken(error)
            details = errors.last if broken else "".join(traceback.format_exception(error))
            reason = str(broken) if broken else f"{type(error).__name__}: {error}"
            return Failure(seed, scene.frames, reason, tuple(scene.trace), details)
    return None


def first_broken(error: BaseException) -> Broken | None:
    """Return the first `Broken` in `error`, which may be a group."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for each in error.exceptions if (found := first_broken(each))), None)
    return error if isinstance(error, Broken) else None


def shortest(failure: Failure, again: Callable[[int, int], Failure | None] = play) -> Failure:
    """Return the failure of the shortest beginning of the same scene that fails, found by halving."""
    low, best = 0, failure
    while low < best.frames:
        middle = (low + best.frames) // 2
        found = again(failure.seed, middle)
        if found is not None and found.kind == failure.kind:
            best = found
        else:
            low = middle + 1
    return best
