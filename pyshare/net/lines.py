"""Lines of those who wait, one line for each address, served in turns: a long line delays itself only.

Pure: `Lines` decides who is next, and who has to go when too many wait.
"""

from collections import OrderedDict
from typing import Generic, TypeVar

WaiterT = TypeVar("WaiterT")


class Lines(Generic[WaiterT]):
    """Waiters in lines; a waiter may stand in several lines, and is served once.

    With more than `most` places taken, the last waiter of the longest line
    loses its place there.
    """

    def __init__(self, most: int) -> None:
        # Places in all lines together.
        self._most = most
        self._places = 0
        # The lines by name, in the order in which they are served; none is empty.
        self._lines: OrderedDict[str, OrderedDict[WaiterT, None]] = OrderedDict()
        # The names of the lines of each waiter.
        self._names: dict[WaiterT, set[str]] = {}

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, waiter: WaiterT) -> bool:
        return waiter in self._names

    def enter(self, waiter: WaiterT, name: str, *, first: bool = False) -> WaiterT | None:
        """Put a waiter at one end of a line; return a waiter that has lost its last place because of that."""
        names = self._names.setdefault(waiter, set())
        if name in names:
            return None
        names.add(name)
        line = self._lines.setdefault(name, OrderedDict())
        line[waiter] = None
        line.move_to_end(waiter, last=not first)
        self._places += 1
        if self._places <= self._most:
            return None
        longest = max(self._lines, key=lambda each: len(self._lines[each]))
        last = next(reversed(self._lines[longest]))
        self._leave(last, longest)
        return last if last not in self._names else None

    def leave(self, waiter: WaiterT) -> None:
        """Let a waiter go from all its lines, if it stands in any."""
        for name in list(self._names.get(waiter, ())):
            self._leave(waiter, name)

    def take(self) -> WaiterT | None:
        """Return the first waiter of the line whose turn it is; None if nobody waits."""
        if not self._lines:
            return None
        name, line = next(iter(self._lines.items()))
        self._lines.move_to_end(name)
        waiter = next(iter(line))
        self.leave(waiter)
        return waiter

    def _leave(self, waiter: WaiterT, name: str) -> None:
        self._places -= 1
        line = self._lines[name]
        del line[waiter]
        if not line:
            del self._lines[name]
        names = self._names[waiter]
        names.discard(name)
        if not names:
            del self._names[waiter]
