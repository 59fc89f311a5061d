"""The clock of a world: time jumps to the next event when all tasks wait, and what is due at a time is a plain call."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import inf

import trio
from trio._core import _run as scheduler
from typing_extensions import override

#: Time by the wall clock at which every world begins, in seconds since 1970.
_BEGIN = 1_700_000_000.0
#: Looks at trio's own socket until nothing counts as to come.
_MOST_IDLE = 1000


class Clock(trio.abc.Clock):
    """Trio's clock in a world, and the world's agenda of calls.

    A call that fails is handed to `on_error`. Where all tasks wait for nothing
    and the agenda is empty, `on_stuck` is called.
    """

    def __init__(self) -> None:
        self.now = 0.0
        #: Seconds by which somebody has set the wall clock.
        self.wall_offset = 0.0
        # What is to be called at which time, a heap; the number keeps the order of what is due at one time.
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        # Times in a row that there was nothing to wait for.
        self._idle = 0
        self.on_error: Callable[[Exception], None] = _raise
        self.on_stuck: Callable[[], None] = _stuck

    @override
    def start_clock(self) -> None:
        """Begin at zero."""

    @override
    def current_time(self) -> float:
        return self.now

    def wall(self) -> float:
        """Return the seconds since 1970, as the wall clock shows them."""
        return _BEGIN + self.now + self.wall_offset

    def at(self, time: float, call: Callable[[], None]) -> None:
        """Have `call` called at `time`, after all that is due by then."""
        heappush(self._agenda, (time, next(self._numbers), call))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Have `call` called in some seconds."""
        heappush(self._agenda, (self.now + seconds, next(self._numbers), call))

    @override
    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Let time pass until a task can run; trio calls this when none can."""
        runner = scheduler.GLOBAL_RUN_CONTEXT.runner
        while self.step(deadline):
            self._idle = 0
            if runner.runq or deadline == inf:
                return 0
            # A call may have moved a deadline.
            deadline = runner.deadlines.next_deadline()
        if deadline < inf:
            self._idle = 0
            self.now = max(self.now, deadline)
        else:
            # trio may wake a task by a socket of its own.
            self._idle += 1
            if self._idle > _MOST_IDLE:
                self.on_stuck()
        return 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to come, but from the system."""
        return self._idle > 0

    def step(self, until: float) -> bool:
        """Make the next call of the agenda if it is due by `until`; return whether there was one."""
        agenda = self._agenda
        if not agenda or agenda[0][0] > until:
            return False
        due, _, call = heappop(agenda)
        self.now = max(self.now, due)
        try:
            call()
        except Exception as error:  # noqa: BLE001 - trio would take any for a fault of its own
            self.on_error(error)
        return True


def _raise(error: Exception) -> None:
    raise error


def _stuck() -> None:
    raise RuntimeError("all tasks wait for ever")
