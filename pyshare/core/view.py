"""A text after changes, read in parts without being made.

A long text is not copied for each edit: the text before the edits stays as it
is, and the parts that are needed are put together from it and from what the
changes insert. No I/O, no clock.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from pyshare.core.changeset import ChangeSet
from pyshare.core.units import splits_pair


class View:
    """The text that `changes`, one after the other, make of `text`; both are units strings.

    Reading takes time in proportion to what is read, and to the sections of
    the changes once.
    """

    def __init__(self, text: str, *changes: ChangeSet) -> None:
        self._text = text
        # All changes as one change set, composed at the first reading.
        self._changes: Sequence[ChangeSet] = changes
        # Where each section begins in the text before, and where it ends in the text after; made when first needed.
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __len__(self) -> int:
        return self._changes[-1].new_length if self._changes else len(self._text)

    def after(self, changes: ChangeSet) -> "View":
        """Return the view of this text after `changes`."""
        return View(self._text, *self._changes, changes)

    def read(self, start: int, end: int) -> str:
        """Return what stands from `start` to `end`."""
        if not self._changes:
            return self._text[start:end]
        changes = self._composed()
        sections, inserted = changes.sections, changes.inserted
        pieces = []
        index = bisect_right(self._ends, start)
        while start < end and index < len(self._ends):
            begin = self._ends[index - 1] if index else 0
            stop = min(end, self._ends[index])
            if sections[2 * index + 1] < 0:
                offset = self._starts[index] - begin
                pieces.append(self._text[start + offset : stop + offset])
            else:
                pieces.append(inserted[index][start - begin : stop - begin])
            start, index = stop, index + 1
        return "".join(pieces)

    def splits_pair(self, pos: int) -> bool:
        """Whether `pos` lies between the two halves of a surrogate pair."""
        return pos > 0 and splits_pair(self.read(pos - 1, pos + 1), 1)

    def _composed(self) -> ChangeSet:
        """Return the changes as one, with the places of their sections known."""
        first, *rest = self._changes
        for changes in rest:
            first = first.compose(changes)
        if rest or not self._ends:
            self._changes = (first,)
            lengths, news = first.sections[::2], first.sections[1::2]
            self._starts = list(accumulate(lengths, initial=0))[:-1]
            kept = (length if new < 0 else new for length, new in zip(lengths, news, strict=True))
            self._ends = list(accumulate(kept))
        return first
