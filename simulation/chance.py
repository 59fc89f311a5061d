"""All chance and all foreign time of a world in one place: what is drawn or asked follows from the seed.

trio's scheduler takes ready tasks in the order of the seed, and those of a
stopped process not at all. Random bytes of the operating system come from the
seed. The names of trio that lead to the kernel for a socket lead to a simulated
one.
"""

import gc
import os
import random
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from itertools import count
from random import Random
from typing import Protocol, cast, runtime_checkable

import trio
from trio._core import _run as scheduler
from typing_extensions import override

from simulation.clock import Clock

#: The process that a task belongs to; a task of none is never stopped.
PROCESS: ContextVar[str] = ContextVar("process", default="")

#: Turns after which a world counts as one that goes in circles; others have two thousand, about.
MOST_TURNS = 30_000

#: Times that trio asks the system for events until it is asked.
_LOOK_EVERY = 64

#: Chance that time passes to the next event though tasks could run, and seconds that pass at most.
_NUDGE = 0.04
_NUDGE_SECONDS = 0.01


@runtime_checkable
class SocketLike(Protocol):
    """A simulated socket, as trio's functions for sockets are given it."""

    is_simulated: bool

    async def wait_writable(self) -> None:
        """Wait until the socket takes something, or is broken."""


class Scheduler(Random):
    """The source of trio's order of tasks; it also holds back the tasks of processes that are stopped."""

    def __init__(self, seed: int, clock: Clock) -> None:
        super().__init__(seed)
        self._clock = clock
        # Processes that are stopped, and their tasks that could run.
        self._stopped: set[str] = set()
        self._held: list[trio.lowlevel.Task] = []
        #: Turns of the scheduler; above the most, `on_runaway` is called.
        self.turns = 0
        self.on_runaway: Callable[[], None] = lambda: None

    def stop(self, process: str) -> None:
        """Let no task of a process run."""
        self._stopped.add(process)

    def go_on(self, process: str) -> None:
        """Let the tasks of a process run again."""
        self._stopped.discard(process)
        going = [task for task in self._held if _process_of(task) == process]
        self._held = [task for task in self._held if _process_of(task) != process]
        runner = scheduler.GLOBAL_RUN_CONTEXT.runner
        runner.runq.extend(going)

    @override
    def shuffle(self, x: list[trio.lowlevel.Task]) -> None:  # type: ignore[override]  # trio's batch of tasks
        """Put a batch of ready tasks in order, without those that are stopped."""
        self.turns += 1
        if self.turns > MOST_TURNS:
            self.on_runaway()
        if self._stopped:
            self._held += [task for task in x if _process_of(task) in self._stopped]
            x[:] = [task for task in x if _process_of(task) not in self._stopped]
        if len(x) > 1:
            for index in range(len(x) - 1, 0, -1):
                other = int(self.random() * (index + 1))
                x[index], x[other] = x[other], x[index]
        if self.random() < _NUDGE:
            self._clock.step(self._clock.now + _NUDGE_SECONDS)


def _process_of(task: trio.lowlevel.Task) -> str:
    return task.context.get(PROCESS, "")


@contextmanager
def determined(seed: int, clock: Clock) -> Iterator[Scheduler]:
    """Have everything that `trio.run` does in the context follow from the seed."""
    order = Scheduler(seed, clock)
    chance = Random(seed ^ 0x5EED)
    state = random.getstate()
    random.seed(seed)

    def urandom(size: int) -> bytes:
        return chance.randbytes(size)

    collects = gc.isenabled()
    gc.disable()
    with ExitStack() as patches:
        for place, name, value in (
            (scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING", True),
            (scheduler, "_r", order),
            (os, "urandom", urandom),
            (random, "_urandom", urandom),
        ):
            patches.enter_context(patched(place, name, value))
        patches.enter_context(_without_system(clock))
        patches.enter_context(_sockets())
        try:
            yield order
        finally:
            random.setstate(state)
            if collects:
                gc.enable()


@contextmanager
def _without_system(clock: Clock) -> Iterator[None]:
    """Have trio ask the system for events only now and then while anything happens: only collected garbage comes so."""
    manager: object = vars(scheduler)["TheIOManager"]
    look: Callable[[object, float], Sequence[object]] = vars(manager)["get_events"]
    asked = count(1)

    def look_seldom(self: object, timeout: float) -> Sequence[object]:
        return look(self, timeout) if clock.is_idle or next(asked) % _LOOK_EVERY == 0 else ()

    with patched(manager, "get_events", look_seldom):
        yield


@contextmanager
def _sockets() -> Iterator[None]:
    """Have trio's functions for sockets take simulated ones."""
    wait_writable = trio.lowlevel.wait_writable
    from_stdlib = trio.socket.from_stdlib_socket

    def wait(sock: object) -> Awaitable[None]:
        if isinstance(sock, SocketLike):
            return sock.wait_writable()
        return wait_writable(cast("int", sock))

    def wrap(sock: object) -> object:
        return from_stdlib(sock) if isinstance(sock, socket.socket) else sock

    with patched(trio.lowlevel, "wait_writable", wait), patched(trio.socket, "from_stdlib_socket", wrap):
        yield


@contextmanager
def patched(place: object, name: str, value: object) -> Iterator[None]:
    """Have another value under a name, in the context."""
    before: object = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)
