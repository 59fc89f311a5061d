"""The edits of one client that the log is not known to have: the push in flight, and what was typed since.

One chain of change sets, from the committed text to the one on the screen. It
is kept short: what is not in flight is composed as it grows, so that the
typing of a day without a connection is one change set. No I/O, no clock.
"""

from dataclasses import dataclass
from functools import reduce

from pyshare.core.changeset import ChangeSet
from pyshare.core.parcel import cut


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
        # What did not fit the message of the push in flight, and the edits that are settled with the last of it.
        self._rest: ChangeSet | None = None
        self._rest_edits = 0
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
        if self._rest:
            self._rest, changes = self._rest.map(changes), changes.map(self._rest, before=True)
        for index, own in enumerate(self._pending):
            self._pending[index], changes = own.map(changes), changes.map(own, before=True)
        return changes

    def launch(self, seq: int, limit_bytes: int) -> InFlight | None:
        """Let what was typed go into flight, as far as `limit_bytes` allow; None if that comes to nothing.

        Nothing may be in flight.
        """
        changes = self._rest
        if changes is None:
            changes, self._rest_edits = self._composed(), self.made
            self._pending.clear()
        if changes is None or changes.empty:
            self._rest = None
            self.settled = self._rest_edits
            return None
        part, self._rest = cut(changes, limit_bytes)
        self.in_flight = InFlight(seq, part, self.settled if self._rest else self._rest_edits)
        return self.in_flight

    def land(self) -> ChangeSet:
        """Settle the push in flight, which is committed; return its changes. There must be one."""
        assert self.in_flight is not None
        changes = self.in_flight.changes
        self.settled = self.in_flight.edits
        self.in_flight = None
        return changes

    def recall(self) -> None:
        """Put the push in flight back before what waits, to be launched again; there must be one."""
        assert self.in_flight is not None
        flying, self.in_flight = self.in_flight, None
        if self._rest is None:
            self._rest, self._rest_edits = flying.changes, flying.edits
        else:
            self._rest = flying.changes.compose(self._rest)

    def take_back(self, text: str) -> tuple[ChangeSet, ChangeSet]:
        """Settle the push in flight, which was refused, and what it left to the next one; there must be one.

        Returns what it was to do to the committed `text`, and what undoes that
        in the text on the screen.
        """
        changes = self.land()
        if self._rest:
            changes, self._rest = changes.compose(self._rest), None
            self.settled = self._rest_edits
        return changes, self.pass_over(changes.invert(text))

    def whole(self, length: int) -> ChangeSet:
        """Return the chain as one change set of a committed text of `length`."""
        pending = self._composed()
        start = self.in_flight.changes if self.in_flight else ChangeSet.empty_of(length)
        for part in (self._rest, pending):
            start = start.compose(part) if part else start
        return start

    def _composed(self) -> ChangeSet | None:
        return reduce(ChangeSet.compose, self._pending) if self._pending else None
