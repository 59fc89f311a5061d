"""The work that servers charge, added up over each turn of a task: no turn may pass its bound."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from pyshare.actors import log
from pyshare.core.work import TURN_STEPS, Work
from simulation.chance import PROCESS, patched
from simulation.story import Story

#: The turn of a log machine in a world whose limits are so small that they are met.
SMALL_TURN_STEPS = 150
#: The name with which the task of a log machine begins.
_COMMITTER = "committer"


class Turns:
    """The turns of the tasks of all processes; `fails` is told of a turn that is too long.

    A turn ends behind the part of the work with which it is spent, and a draft
    may have one part more. So the bound is the turn and twice its largest part.
    Budgets are judged one by one: a part may be charged to one within another.
    """

    def __init__(self, story: Story, fails: Callable[[str], None], *, small: bool) -> None:
        self._story = story
        self._fails = fails
        self._log_steps = SMALL_TURN_STEPS if small else TURN_STEPS
        # The present turn: its task and number, and for each budget its steps and the largest part of them.
        self._task: trio.lowlevel.Task | None = None
        self._number = 0
        self._spent: dict[Work, tuple[int, int]] = {}
        #: Steps of the longest turn.
        self.longest = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count what is charged, in the context."""
        take = Work.take

        def counted(work: Work, steps: int) -> None:
            before = work.left
            take(work, steps)
            if before > 0 >= work.left:
                self._story.count("turn of work spent")
            self._count(work, steps)

        with patched(Work, "take", counted), patched(log, "TURN_STEPS", self._log_steps):
            yield

    def _count(self, work: Work, steps: int) -> None:
        task = trio.lowlevel.current_task()
        if not task.coro.cr_running or not task.context.get(PROCESS):
            # It is the world that works, or a client.
            return
        if task is not self._task or task._schedule_points != self._number:  # noqa: SLF001 - trio's number of the turn
            self._task, self._number = task, task._schedule_points  # noqa: SLF001
            self._spent.clear()
        spent, largest = self._spent.get(work, (0, 0))
        spent, largest = spent + steps, max(largest, steps)
        self._spent[work] = spent, largest
        self.longest = max(self.longest, spent)
        turn = self._log_steps if task.name.startswith(_COMMITTER) else TURN_STEPS
        if spent > turn + 2 * largest:
            self._fails(f"a turn of {task.name} has {spent} steps, the largest part {largest}")
