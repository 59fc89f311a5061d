"""A mark: a position that moves with the text, whoever changes the text."""

from collections.abc import Callable

from pyshare.core.changeset import ChangeSet
from pyshare.core.units import Places


class Anchor:
    """A position in UTF-16 units, and the side of it on which text is inserted."""

    def __init__(self, unit: int, *, behind: bool) -> None:
        self.unit = unit
        self._assoc = 1 if behind else -1

    def move(self, changes: ChangeSet) -> None:
        """Move with a change of the text."""
        self.unit = changes.map_pos(self.unit, self._assoc)


class Mark:
    """A position in the text as it is; made by `Codespace.mark`, and followed for as long as somebody holds it.

    Text that is inserted exactly at the mark stands behind it, or before it if
    the mark is `behind`. A mark in text that is deleted is where that text was.
    """

    def __init__(self, anchor: Anchor, places: Callable[[], Places]) -> None:
        self._anchor = anchor
        # Gives the places in the text as it is.
        self._places = places

    @property
    def pos(self) -> int:
        """The position now, in characters."""
        return self._places().index(self._anchor.unit)
