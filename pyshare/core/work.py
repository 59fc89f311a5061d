"""Work that foreign input causes: counted in steps, and given up or put off when its budget is spent.

One step takes about one microsecond of a processor. Code that walks foreign
input, or a log or a text because of it, charges each step before or as it
takes it. A task whose turn is spent yields to the scheduler and goes on with
the next turn. Budgets belong to connections and their addresses: see `charge`
of `pyshare.actors.messages.Outlet`.
"""

from collections.abc import Generator
from typing import Final, TypeVar

_ResultT = TypeVar("_ResultT")
#: Work in parts: yields the steps of each part before the part is done, and returns the result.
Parts = Generator[int, None, _ResultT]

#: Steps that a second of a processor has, about.
STEPS_A_SECOND: Final = 1_000_000
#: Steps that a task takes before it yields to the scheduler: about 5 ms.
TURN_STEPS: Final = 5000
#: UTF-16 units of a text that are copied, and bytes of JSON that are parsed, in one step. Visiting one section of a
#: change set is one step.
UNITS_A_STEP: Final = 5000
BYTES_A_STEP: Final = 256


class WorkSpent(Exception):  # noqa: N818 - an amount, not a mistake
    """The budget is spent; the work was given up."""


class Work:
    """A budget of steps. Without a number it has no end, and only counts."""

    __slots__ = ("left", "spent")

    def __init__(self, steps: float = float("inf")) -> None:
        #: Steps that may still be taken; below zero once the budget was passed.
        self.left = steps
        #: Steps that were charged, the last charge too.
        self.spent = 0

    def take(self, steps: int) -> None:
        """Take `steps` off the budget, also if they are more than are left."""
        self.spent += steps
        self.left -= steps

    def charge(self, steps: int) -> None:
        """Take `steps` off the budget.

        Raises:
            WorkSpent: if they are more than are left; they count as spent.
        """
        self.take(steps)
        if self.left < 0:
            raise WorkSpent(f"{-self.left:g} steps more than there were")


def copy_steps(units: int) -> int:
    """Return the steps of copying a text of `units`, at least one."""
    return 1 + units // UNITS_A_STEP


def finish(parts: Parts[_ResultT]) -> _ResultT:
    """Do all `parts` at once, without charging them, and return their result."""
    try:
        while True:
            next(parts)
    except StopIteration as stop:
        result: _ResultT = stop.value
        return result
