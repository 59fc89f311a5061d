"""The change sets that bring a text that parted from another back to it, in the form that stock editors need.

No I/O, no clock. Texts are read through views; none is copied as a whole.
"""

from collections.abc import Iterator
from heapq import merge
from itertools import pairwise

from pyshare.core.changeset import Change, ChangedRange, ChangeSet
from pyshare.core.difference import changed_part
from pyshare.core.units import replace_lone_surrogates
from pyshare.core.view import View

#: Kept units between two changes up to which one change that spans both is as short as two frames.
_SPANNED_UNITS = 64
#: Changes that one change set is sent as, at most; the nearest are joined above it.
_MOST_PARTS = 16


def between(one: ChangeSet, two: ChangeSet, target: View) -> ChangeSet:
    """Return the change set from the text that `one` makes to the text that `two` makes of the same text.

    `target` is the text that `two` makes. Text that neither changes is kept.
    Where both insert at one place, equal ends are kept.
    """
    changes = []
    shift_one = shift_two = 0
    for ours, theirs in _regions(one, two):
        both = [*ours, *theirs]
        start, end = min(each.from_a for each in both), max(each.to_a for each in both)
        from_one, from_two = start + shift_one, start + shift_two
        shift_one += sum(map(_growth, ours))
        shift_two += sum(map(_growth, theirs))
        to_one, new = end + shift_one, target.read(from_two, end + shift_two)
        if sum(each.to_a - each.from_a for each in ours) == end - start:
            # All of it was inserted, so it is known.
            old = "".join(each.text for each in ours)
            head, end_old, end_new = changed_part(old, new)
            from_one, to_one, new = from_one + head, from_one + end_old, new[head:end_new]
        changes.append(Change(from_one, to_one, new))
    return ChangeSet.of(changes, one.new_length)


def single_changes(changes: ChangeSet, target: View) -> list[ChangeSet]:
    """Return `changes` as change sets of one change each, from the last place to the first.

    `target` is the text that they lead to. Changes that are near each other
    become one change that spans them.
    """
    ranges = list(changes.changes())
    if len(ranges) < 2:
        return [changes] if ranges else []
    gaps = [after.from_a - before.to_a for before, after in pairwise(ranges)]
    spanned = max(_SPANNED_UNITS, *sorted(gaps, reverse=True)[_MOST_PARTS - 1 : _MOST_PARTS], 0)
    groups: list[list[ChangedRange]] = []
    for each, gap in zip(ranges, [spanned + 1, *gaps], strict=True):
        if gap > spanned:
            groups.append([])
        groups[-1].append(each)
    parts: list[ChangeSet] = []
    length = changes.length
    for group in reversed(groups):
        first, last = group[0], group[-1]
        text = first.text if first is last else target.read(first.from_b, last.to_b)
        parts.append(ChangeSet.of([Change(first.from_a, last.to_a, text)], length))
        length = parts[-1].new_length
    return parts


def whole_pairs(changes: ChangeSet, text: View) -> ChangeSet:
    """Return `changes` of `text` so that none of them splits a surrogate pair or inserts half of one.

    A change that would remove half of a pair removes the pair. An insertion
    inside of a pair stands before it. Half a pair that is inserted becomes
    U+FFFD.
    """
    ranges = list(changes.changes())
    made = []
    for each in ranges:
        start = each.from_a - text.splits_pair(each.from_a)
        end = each.to_a + text.splits_pair(each.to_a) if each.to_a > each.from_a else start
        made.append(Change(start, end, replace_lone_surrogates(each.text)))
    pairs = zip(ranges, made, strict=True)
    if all((old.from_a, old.to_a, old.text) == (new.start, new.end, new.insert) for old, new in pairs):
        return changes
    return ChangeSet.of(made, changes.length)


def _regions(one: ChangeSet, two: ChangeSet) -> Iterator[tuple[list[ChangedRange], list[ChangedRange]]]:
    """Yield the changes of both that overlap or touch, together, from the first place to the last."""
    ours: list[ChangedRange] = []
    theirs: list[ChangedRange] = []
    end = -1
    rows = ([(each, ours_too) for each in changes.changes()] for changes, ours_too in ((one, True), (two, False)))
    for each, is_ours in merge(*rows, key=lambda pair: pair[0].from_a):
        if each.from_a > end and (ours or theirs):
            yield ours, theirs
            ours, theirs = [], []
        (ours if is_ours else theirs).append(each)
        end = max(end, each.to_a)
    if ours or theirs:
        yield ours, theirs


def _growth(change: ChangedRange) -> int:
    return len(change.text) - (change.to_a - change.from_a)
