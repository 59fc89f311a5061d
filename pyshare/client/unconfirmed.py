"""The edits of one client that the log is not known to have: the push in flight, and what was typed since.

One chain of change sets, from the committed text to the one on the screen. It
is kept short: what is not in flight is composed as it grows, so that the
typing of a day without a connection is one change set. No I/O, no clock.
"""

from dataclasses import dataclass
from functools import reduce

from pyshare.client.parcel import cut
from pyshare.core.changeset import ChangeSet


@dataclass(slots=True)
class InFlight:
    """The one push whose fate is not known."""

    seq: int
    #: What it changes, as it applies to the committed text now.
    changes: ChangeSet
    #: Edits that are settled when it is.
    edits: int
    #: Whether it was sent over the connection there is.
    sent: bool = False


class Unconfirmed:
    """What leads from the committed text to the one on the screen."""

    def __init__(self) -> None:
        self.in_flight: InFlight | None = None
        # What was typed since, each after the one before; each at least twice the next one's size.
        self._pending: list[ChangeSet] = []
        # Edits ever made, and the first of them that were committed or refused.
        self.made = 0
        self.settled = 0

    @property
    def count(self) -> int:
        """Edits that are neither committed nor refused."""
        return self.made - self.settled

    def add(self, changes: ChangeSet) -> None:
        """Put an edit at the end of the chain."""
        self.made += 1
        pending = self._pending
        pending.append(changes)
        while len(pending) > 1 and len(pending[-2].sections) < 2 * len(pending[-1].sections):
            last = pending.pop()
            pending[-1] = pending[-1].compose(last)

    def pass_over(self, changes: ChangeSet) -> ChangeSet:
        """Move the chain behind `changes`, made by others to the text where it starts.

        Returns them as they apply to the text on the screen. At a tie others
        stay left, since they are in the log and these are not.
        """
        flying = self.in_flight
        if flying:
            flying.changes, changes = flying.changes.map(changes), changes.map(flying.changes, before=True)
        for index, own in enumerate(self._pending):
            self._pending[index], changes = own.map(changes), changes.map(own, before=True)
        return changes

    def launch(self, seq: int, limit_bytes: int) -> InFlight | None:
        """Let what was typed go into flight, as far as `limit_bytes` allow; None if that comes to nothing.

        Nothing may be in flight.
        """
        changes = self._composed()
        if changes is None or changes.empty:
            self._pending.clear()
            self.settled = self.made
            return None
        part, rest = cut(changes, limit_bytes)
        self._pending = [rest] if rest else []
        self.in_flight = InFlight(seq, part, self.settled if rest else self.made)
        return self.in_flight

    def land(self) -> ChangeSet:
        """Settle the push in flight; return its changes. There must be one."""
        assert self.in_flight is not None
        changes = self.in_flight.changes
        self.settled = self.in_flight.edits
        self.in_flight = None
        return changes

    def whole(self, length: int) -> ChangeSet:
        """Return the chain as one change set of a committed text of `length`."""
        pending = self._composed()
        start = self.in_flight.changes if self.in_flight else ChangeSet.empty_of(length)
        return start.compose(pending) if pending else start

    def _composed(self) -> ChangeSet | None:
        return reduce(ChangeSet.compose, self._pending) if self._pending else None
