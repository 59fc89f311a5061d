"""Selections of several ranges, sorted and merged as @codemirror/state does it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pyshare.core.changeset import ChangeSet


@dataclass(frozen=True, slots=True)
class SelectionRange:
    """A cursor, or a selected stretch of the text."""

    start: int
    end: int
    #: Whether the head, the end that moves, is at `start`.
    inverted: bool = False

    @classmethod
    def of(cls, anchor: int, head: int) -> "SelectionRange":
        """Return the range between two positions."""
        return cls(min(anchor, head), max(anchor, head), head < anchor)

    @classmethod
    def cursor(cls, pos: int) -> "SelectionRange":
        """Return the empty range at a position."""
        return cls(pos, pos)

    @property
    def anchor(self) -> int:
        """The end that stays when the range is extended."""
        return self.end if self.inverted else self.start

    @property
    def head(self) -> int:
        """The end that moves when the range is extended."""
        return self.start if self.inverted else self.end

    @property
    def empty(self) -> bool:
        """Whether this is a cursor."""
        return self.start == self.end

    def map(self, changes: ChangeSet, assoc: int = -1) -> "SelectionRange":
        """Return this range in the text after `changes`."""
        if self.empty:
            pos = changes.map_pos(self.start, assoc)
            return SelectionRange(pos, pos, self.inverted)
        return SelectionRange(changes.map_pos(self.start, 1), changes.map_pos(self.end, -1), self.inverted)


@dataclass(frozen=True, slots=True)
class Selection:
    """Ranges in order, none of which overlaps another, and the index of the main one."""

    ranges: tuple[SelectionRange, ...]
    main_index: int = 0
    #: Whether a frame of somebody else has set exactly this selection.
    foreign: bool = field(default=False, compare=False)

    @classmethod
    def single(cls, anchor: int, head: int | None = None) -> "Selection":
        """Return a selection of one range."""
        return cls((SelectionRange.of(anchor, anchor if head is None else head),))

    @classmethod
    def create(cls, ranges: Sequence[SelectionRange], main_index: int = 0, *, foreign: bool = False) -> "Selection":
        """Return the selection of these ranges, sorted, with those that meet merged.

        Raises:
            ValueError: without a range.
        """
        if not ranges:
            raise ValueError("a selection needs at least one range")
        main = ranges[main_index]
        merged = sorted(ranges, key=lambda each: each.start)
        main_index = next(index for index, each in enumerate(merged) if each is main)
        index = 1
        while index < len(merged):
            this, last = merged[index], merged[index - 1]
            if this.start <= last.end if this.empty else this.start < last.end:
                if index <= main_index:
                    main_index -= 1
                start, end = last.start, max(this.end, last.end)
                merged[index - 1 : index + 1] = [SelectionRange(start, end, this.anchor > this.head)]
            else:
                index += 1
        return cls(tuple(merged), main_index, foreign)

    @property
    def main(self) -> SelectionRange:
        """The range that commands for one range take."""
        return self.ranges[self.main_index]

    def map(self, changes: ChangeSet, assoc: int = -1) -> "Selection":
        """Return this selection in the text after `changes`."""
        if changes.empty:
            return self
        return Selection.create([each.map(changes, assoc) for each in self.ranges], self.main_index)
