"""A plan, played: the world from its beginning to its last task, and what the judges say."""

import logging
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

import trio
from typing_extensions import override

from simulation.chance import determined
from simulation.clock import Clock
from simulation.events import Events
from simulation.judges import Judges, Wrong
from simulation.plan import PHASES, Plan, Step
from simulation.world import World, traceback_of

#: Seconds after which a world counts as one that never ends.
_LONGEST_SECONDS = 1000.0
#: Seconds in which everybody comes.
_COMING_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """A world that has ended."""

    seed: int
    #: What was wrong, with the traceback if there was one; None if nothing was.
    failure: str | None
    #: Mark of the whole story.
    digest: str
    counts: Counter[str]
    #: Transactions of honest people, turns of the scheduler, and seconds that passed.
    edits: int
    turns: int
    seconds: float
    #: The story with the lines of the log, where it was asked for.
    story: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """What was wrong, without the names and numbers: two seeds that find one fault often have the same."""
        last = (self.failure or "").strip().splitlines()[-1:]
        return "".join(each for each in "".join(last) if each.isascii() and not each.isdigit())[:60]


class _Course:
    """The course of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._events = Events(world)
        self._judges = Judges(world, self._events)
        # Steps that were done.
        self._done = 0

    async def run(self) -> None:
        """Let all of the plan happen, and judge."""
        world = self._world
        world.clock.on_error = lambda error: world.fails(traceback_of(error))
        world.clock.on_stuck = lambda: world.fails("everything waits for ever")
        world.scheduler.on_runaway = lambda: world.fails("the tasks of this world go in circles")
        world.scope.deadline = world.clock.now + _LONGEST_SECONDS
        try:
            with world.scope:
                async with trio.open_nursery() as nursery:
                    await world.begin(nursery)
                    await trio.sleep(_COMING_SECONDS)
                    await self._live()
                    nursery.cancel_scope.cancel()
            if world.scope.cancelled_caught and world.failure is None:
                world.failure = "the world never ends"
        except Wrong as wrong:
            world.fails(str(wrong))
        except BaseExceptionGroup as group:
            wrongs = group.subgroup(Wrong)
            world.fails(str(_first(wrongs)) if wrongs else traceback_of(group))

    async def _live(self) -> None:
        world = self._world
        for phase in range(PHASES):
            start = world.clock.now
            steps = [step for step in world.plan.steps if step.phase == phase]
            for step in steps:
                world.clock.at(start + step.time, partial(self._do, step))
            await trio.sleep_until(start + (steps[-1].time if steps else 0) + 0.01)
            await self._judges.wait_quiet()
        await self._judges.wait_empty()

    def _do(self, step: Step) -> None:
        if self._world.failure is None:
            self._events.do(step)
            self._done += 1
            if self._done % 8 == 0:
                self._judges.watch()


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


class _Log(logging.Handler):
    """Hands to the world what pyshare logs: an error with a traceback ends it."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR and record.exc_info and record.exc_info[1]:
            self._world.fails(f"{record.getMessage()}: {traceback_of(record.exc_info[1])}")
        self._world.story.note(f"{record.levelname.lower()}: {record.getMessage()} {_extras(record)}")


_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message"}


def _extras(record: logging.LogRecord) -> str:
    return " ".join(f"{name}={value}" for name, value in vars(record).items() if name not in _STANDARD)


def play(plan: Plan, *, tells: bool = False) -> Outcome:
    """Run the world of a plan; with `tells` the outcome has the story, and in it what pyshare logs."""
    clock = Clock()
    with determined(plan.seed, clock) as scheduler:
        world = World(plan, clock, scheduler, detailed=tells)
        logger = logging.getLogger("pyshare")
        handler = _Log(world)
        level, propagates = logger.level, logger.propagate
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG if tells else logging.ERROR)
        logger.propagate = False
        try:
            with world.store.linked(), world.turns.counted():
                trio.run(_Course(world).run, clock=clock)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is looked for here
            world.fails(traceback_of(error))
        finally:
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagates
    story = world.story
    digest = story.digest()
    told = story.told() if tells else []
    return Outcome(
        plan.seed, world.failure, digest, story.counts, world.letters.edits, scheduler.turns, clock.now, told
    )
