"""The edits of one client that the log is not known to have: the push in flight, and what was typed since.

One chain of change sets, from the committed text to the one on the screen. It
is kept short: older edits are composed as it grows, so that the typing of a day
without a connection is few change sets. The newest edits can be kept apart, so
that one that is refused takes no other with it. No I/O, no clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pyshare.core.changeset import ChangeSet
from pyshare.core.parcel import PartLimits, cut, fits, most_bytes, shed

#: Pushes of others that edits are moved behind one by one, before they are composed.
_MOVES = 64
#: Sections of a change set that is one change, and so cannot be cut in two, at most.
_ONE_CHANGE = 3


@dataclass(frozen=True, slots=True)
class Unit:
    """Edits that are launched together, and the number of the last one, counted from the first edit ever made."""

    changes: ChangeSet
    upto: int


@dataclass(slots=True)
class InFlight:
    """The one push whose fate is not known."""

    seq: int
    #: What it changes, as it applies to the committed text now.
    changes: ChangeSet
    #: Edits that are settled when it is.
    edits: int
    #: Whether what waits begins with the part of the last edit that did not fit it.
    is_part: bool = False
    #: Units that it was made of, if there are several, moved behind others one by one.
    units: Sequence[Unit] = field(default_factory=list)
    #: Whether it was sent over the connection there is.
    sent: bool = False

    def is_done_by(self, committed: ChangeSet) -> bool:
        """Whether it is what is committed under its number, perhaps rebased in another way.

        It inserts the same then. One that only deletes is done where nothing is left for it to delete.
        """
        inserted = "".join(self.changes.inserted)
        return inserted == "".join(committed.inserted) if inserted else self.changes.map(committed).empty


class Unconfirmed:
    """What leads from the committed text to the one on the screen.

    The `apart` newest edits are launched together, and can be launched one by one.
    """

    def __init__(self, *, apart: int = 1) -> None:
        self.in_flight: InFlight | None = None
        # What is not in flight, each after the one before.
        self._units: list[Unit] = []
        # Of these, the newest are one edit each: so many are kept apart, and so many there are.
        self._most_apart = apart
        self._apart = 0
        # Pushes of others that single edits were moved behind.
        self._moves = 0
        # Units that are launched one at a time; and sections of a push, where fewer are taken than the limits say.
        self._alone = 0
        self._sections: int | None = None
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
        self._units.append(Unit(changes, self.made))
        self._apart += 1
        if self._apart >= self._most_apart:
            self._merge()

    def pass_over(self, changes: ChangeSet) -> ChangeSet:
        """Move the chain behind `changes`, made by others to the text where it starts.

        Returns them as they apply to the text on the screen. At a tie others
        stay left, since they are in the log and these are not.
        """
        flying = self.in_flight
        if flying:
            flying.units, _ = _moved(flying.units, changes)
            flying.changes, changes = flying.changes.map(changes), changes.map(flying.changes, before=True)
        self._units, changes = _moved(self._units, changes)
        self._moves += self._apart > 1 or self._alone > 1 or bool(flying and flying.units)
        if self._moves >= _MOVES:
            if self._alone:
                self._alone, self._apart = 0, len(self._units)
            self._merge()
            if flying:
                flying.units = []
        return changes

    def launch(self, seq: int, limits: PartLimits) -> InFlight | None:
        """Let what was typed go into flight, as far as the limits allow; None if that comes to nothing.

        Nothing may be in flight.
        """
        if self._sections is not None and self._sections < limits.sections:
            limits = PartLimits(limits.bytes, self._sections)
        else:
            self._sections = None
        while self._units:
            units = self._take(limits)
            changes, upto = _composed(units), units[-1].upto
            if changes.empty:
                self.settled = upto
                continue
            part, rest = cut(changes, limits)
            if rest:
                self._units.insert(0, Unit(rest, upto))
            else:
                self._alone = max(0, self._alone - 1)
            apart = units if len(units) > 1 and not rest else []
            self.in_flight = InFlight(seq, part, self.settled if rest else upto, bool(rest), apart)
            break
        self._apart = min(self._apart, len(self._units))
        return self.in_flight

    def fit(self, limits: PartLimits) -> None:
        """Have the push in flight, which others may have made larger, fit the limits; there must be one.

        It may have arrived as it was. So it keeps its number and all that it
        inserts, and leaves deletions to the next push. Where that does not do,
        it is put back.
        """
        flying = self.in_flight
        assert flying is not None
        flying.changes, rest = shed(flying.changes, limits)
        if rest:
            flying.units = []
            if flying.is_part:
                first = self._units.pop(0)
                self._units.insert(0, Unit(rest.compose(first.changes), first.upto))
            else:
                self._units.insert(0, Unit(rest, flying.edits))
                flying.edits, flying.is_part = self.settled, True
        if not fits(flying.changes, limits):
            self.recall()

    def land(self) -> ChangeSet:
        """Settle the push in flight, which is committed; return its changes. There must be one."""
        assert self.in_flight is not None
        changes = self.in_flight.changes
        self.settled = self.in_flight.edits
        self.in_flight = None
        if self._sections is not None:
            self._sections *= 2
        return changes

    def recall(self) -> None:
        """Put the push in flight back before what waits, to be launched again; there must be one."""
        assert self.in_flight is not None
        flying, self.in_flight = self.in_flight, None
        if flying.is_part:
            first = self._units[0]
            self._units[0] = Unit(flying.changes.compose(first.changes), first.upto)
            return
        units = _units_of(flying)
        self._apart += len(units) if self._apart == len(self._units) else 0
        self._units[:0] = units

    def divide(self) -> bool:
        """Put the push in flight, which was refused, back to be launched edit by edit; False if it is one edit."""
        assert self.in_flight is not None
        count = len(_units_of(self.in_flight))
        if count > 1:
            self._alone = count
            self.recall()
        return count > 1

    def shrink(self) -> bool:
        """Put the push in flight, which was refused, back to be launched in parts; False if it is one change."""
        assert self.in_flight is not None
        steps = self.in_flight.changes.steps
        if steps > _ONE_CHANGE:
            self._sections = steps // 2
            self.recall()
        return steps > _ONE_CHANGE

    def take_back(self, text: str) -> tuple[ChangeSet, ChangeSet]:
        """Settle the push in flight, which was refused, and what it left to the next one; there must be one.

        Returns what it was to do to the committed `text`, and what undoes that
        in the text on the screen.
        """
        is_part = self.in_flight is not None and self.in_flight.is_part
        changes = self.land()
        if is_part:
            rest = self._units.pop(0)
            self.settled = rest.upto
            changes = changes.compose(rest.changes)
        self._apart = min(self._apart, len(self._units))
        return changes, self.pass_over(changes.invert(text))

    def take_back_all(self, text: str) -> tuple[ChangeSet, ChangeSet]:
        """Settle everything, which cannot be committed; see `take_back`."""
        changes = self.whole(len(text))
        self.in_flight, self._apart, self.settled = None, 0, self.made
        self._units.clear()
        return changes, changes.invert(text)

    def whole(self, length: int) -> ChangeSet:
        """Return the chain as one change set of a committed text of `length`."""
        start = self.in_flight.changes if self.in_flight else ChangeSet.empty_of(length)
        return start.compose(_composed(self._units)) if self._units else start

    def _take(self, limits: PartLimits) -> list[Unit]:
        """Take the units of the next push from what waits: as many as surely fit, or one."""
        count, size_bytes, steps = 0, 0, 0
        for unit in self._units:
            size_bytes += most_bytes(unit.changes)
            steps += unit.changes.steps
            if count and (self._alone or size_bytes > limits.bytes or steps > limits.sections):
                break
            count += 1
        units, self._units = self._units[:count], self._units[count:]
        return units

    def _merge(self) -> None:
        """Compose the single edits, and with older ones until each unit is at least twice the next one's size.

        Units that are launched one at a time stay as they are, and so does the part of an edit in flight.
        """
        units = self._units
        is_part = self.in_flight is not None and self.in_flight.is_part
        first = max(self._alone, int(is_part))
        start = max(len(units) - self._apart, first)
        newest = units[start:]
        self._apart = self._moves = 0
        if not newest:
            return
        del units[start:]
        changes = _composed(newest)
        while len(units) > first and len(units[-1].changes.sections) < 2 * len(changes.sections):
            changes = units.pop().changes.compose(changes)
        units.append(Unit(changes, self.made))


def _composed(units: Sequence[Unit]) -> ChangeSet:
    """Return units, one at least, as one change set; the last ones are joined first, since they are the small ones."""
    changes = units[-1].changes
    for unit in reversed(units[:-1]):
        changes = unit.changes.compose(changes)
    return changes


def _moved(units: Sequence[Unit], over: ChangeSet) -> tuple[list[Unit], ChangeSet]:
    """Return units as they are behind `over`, and `over` as it is behind them."""
    moved = []
    for unit in units:
        moved.append(Unit(unit.changes.map(over), unit.upto))
        over = over.map(unit.changes, before=True)
    return moved, over


def _units_of(flying: InFlight) -> Sequence[Unit]:
    """Return the units of a push; one, if moved one by one they no longer do what the push does."""
    if flying.units and _composed(flying.units) == flying.changes:
        return flying.units
    return [Unit(flying.changes, flying.edits)]
