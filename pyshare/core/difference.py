"""The difference between two texts, as a change set.

For a client that comes back to a text whose log it cannot have: what others
did in between is then known by its result only. Lines first, then characters
at the edges of what was replaced; the time this takes is bounded, and what is
found is then coarser, never wrong. No I/O, no clock.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.units import splits_pair

#: Pairs of lines that difflib compares in one block, and in all blocks together; its time grows with their
#: number, at worst with its power of one and a half.
_BLOCK_PAIRS = 2_500
_PAIRS = 500_000
#: Times that a block is divided at lines that are unique in it.
_DEPTH = 16


def difference(old: str, new: str) -> ChangeSet:
    """Return a change set that makes `new` of `old`, both units strings.

    No change in it splits a surrogate pair. Takes time in proportion to the
    texts, times a logarithm, and a fixed amount: of blocks without lines that
    stand out, beyond the first ones, only the two ends are compared.
    """
    changes: list[Change] = []
    start, end_old, end_new = _changed_lines(old, new)
    blocks = _Blocks(_lines(old[start:end_old]), _lines(new[start:end_new]))
    for from_old, to_old, from_new, to_new in blocks.replaced():
        replaced = old[start + from_old : start + to_old]
        by = new[start + from_new : start + to_new]
        begin, end, end_by = changed_part(replaced, by)
        base = start + from_old
        changes.append(Change(base + begin, base + end, by[begin:end_by]))
    return ChangeSet.of(changes, len(old))


def _lines(text: str) -> list[str]:
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines


def _changed_lines(old: str, new: str) -> tuple[int, int, int]:
    """Return where the first line begins that differs, and where the last one ends in each."""
    start, end_old, end_new = changed_part(old, new)
    if not (old.endswith("\n", 0, end_old) and new.endswith("\n", 0, end_new)):
        rest = (old.find("\n", end_old) + 1 or len(old)) - end_old
        end_old, end_new = end_old + rest, end_new + rest
    return old.rfind("\n", 0, start) + 1, end_old, end_new


def changed_part(old: str, new: str) -> tuple[int, int, int]:
    """Return where the two begin to differ, and where that ends in each; never inside a surrogate pair."""
    shorter = min(len(old), len(new))
    start = longest(shorter, lambda length: old[:length] == new[:length])
    if splits_pair(old, start) or splits_pair(new, start):
        start -= 1
    tail = longest(shorter - start, lambda length: old[len(old) - length :] == new[len(new) - length :])
    if splits_pair(old, len(old) - tail) or splits_pair(new, len(new) - tail):
        tail -= 1
    return start, len(old) - tail, len(new) - tail


def longest(most: int, holds: Callable[[int], bool]) -> int:
    """Return the greatest length up to `most` for which `holds`, as it does for all below that one."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


class _Blocks:
    """Two lists of lines, and the blocks of the one that were replaced by blocks of the other."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        self._old = old
        self._new = new
        # Position of each line's first unit.
        self._old_starts = _starts(old)
        self._new_starts = _starts(new)
        # Pairs of lines that may still be compared.
        self._pairs = _PAIRS

    def replaced(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield what was replaced by what, in order: from and to in the old text, from and to in the new."""
        at_old = at_new = 0
        for old, new, count in [*self._same((0, len(self._old), 0, len(self._new)), _DEPTH), self._end]:
            if at_old < old or at_new < new:
                olds, news = self._old_starts, self._new_starts
                yield olds[at_old], olds[old], news[at_new], news[new]
            at_old, at_new = old + count, new + count

    @property
    def _end(self) -> tuple[int, int, int]:
        return len(self._old), len(self._new), 0

    def _same(self, block: tuple[int, int, int, int], depth: int) -> Iterator[tuple[int, int, int]]:
        """Yield runs of equal lines inside `block`, in order: where in the old, in the new, how many."""
        old, end_old, new, end_new = block
        head = old
        while old < end_old and new < end_new and self._old[old] == self._new[new]:
            old, new = old + 1, new + 1
        if old > head:
            yield head, new - (old - head), old - head
        tail = 0
        while old < end_old and new < end_new and self._old[end_old - 1] == self._new[end_new - 1]:
            end_old, end_new, tail = end_old - 1, end_new - 1, tail + 1
        if old < end_old and new < end_new:
            yield from self._divided((old, end_old, new, end_new), depth)
        if tail:
            yield end_old, end_new, tail

    def _divided(self, block: tuple[int, int, int, int], depth: int) -> Iterator[tuple[int, int, int]]:
        old, end_old, new, end_new = block
        anchors = self._anchors(block) if depth else []
        if not anchors:
            yield from self._compared(block)
            return
        for anchor_old, anchor_new in anchors:
            yield from self._same((old, anchor_old, new, anchor_new), depth - 1)
            yield anchor_old, anchor_new, 1
            old, new = anchor_old + 1, anchor_new + 1
        yield from self._same((old, end_old, new, end_new), depth - 1)

    def _anchors(self, block: tuple[int, int, int, int]) -> list[tuple[int, int]]:
        """Return lines that are unique on both sides and in one order: the longest such row."""
        old, end_old, new, end_new = block
        olds = _unique(self._old, old, end_old)
        news = _unique(self._new, new, end_new)
        pairs = [(at, news[line]) for line, at in olds.items() if line in news]
        # Longest increasing row, by the least last element of a row of each length.
        lasts: list[int] = []
        places: list[int] = []
        for _, position in pairs:
            place = bisect_left(lasts, position)
            lasts[place : place + 1] = [position]
            places.append(place)
        row = []
        wanted = len(lasts) - 1
        for pair, place in zip(reversed(pairs), reversed(places), strict=True):
            if place == wanted:
                row.append(pair)
                wanted -= 1
        row.reverse()
        return row

    def _compared(self, block: tuple[int, int, int, int]) -> Iterator[tuple[int, int, int]]:
        old, end_old, new, end_new = block
        pairs = (end_old - old) * (end_new - new)
        if pairs > min(_BLOCK_PAIRS, self._pairs):
            return
        self._pairs -= pairs
        matcher = SequenceMatcher(None, self._old[old:end_old], self._new[new:end_new], autojunk=False)
        for match in matcher.get_matching_blocks():
            if match.size:
                yield old + match.a, new + match.b, match.size


def _starts(lines: Sequence[str]) -> list[int]:
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    return starts


def _unique(lines: Sequence[str], start: int, end: int) -> dict[str, int]:
    """Return the lines that stand there once, in order, with their place."""
    places: dict[str, int] = {}
    repeated = set()
    for place in range(start, end):
        if lines[place] in places:
            repeated.add(lines[place])
        places[lines[place]] = place
    return {line: place for line, place in places.items() if line not in repeated}
