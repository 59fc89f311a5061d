"""A change set cut in two, so that the first part fits a message and the limits of a push.

A server closes a connection over a message that is too big and refuses a push
of too many sections, and what was typed without a connection may well be that.
No I/O.
"""

import json
from dataclasses import dataclass

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.protocol import Limits
from pyshare.core.units import splits_pair

#: Bytes that one UTF-16 unit takes in JSON at most, as `\\u0000` does.
_UNIT_BYTES = 6
#: Bytes that a change and what is kept before it take besides: two numbers, brackets, quotes, commas.
_CHANGE_BYTES = 48
#: Bytes of a push besides its change set, at most.
_FRAME_BYTES = 100
#: Of the limits of a push, the share that one may take when it is made: one that is rebased can grow.
_SHARE = 2
#: Sections of a push that is made, at most: others rebase over parts of this size without a pause.
_PART_SECTIONS = 8192
#: Units that a part has room for in any case, so that cutting comes to an end.
_LEAST_UNITS = 2


@dataclass(frozen=True, slots=True)
class PartLimits:
    """Bytes that a change set may take as JSON, and sections that it may have."""

    bytes: int
    sections: int = _PART_SECTIONS


def part_limits(limits: Limits) -> PartLimits:
    """Return the limits of a push when it is made: half of the server's, and no more than others rebase over easily."""
    return PartLimits(limits.message_bytes // _SHARE, min(limits.push_sections // _SHARE, _PART_SECTIONS))


def push_limits(limits: Limits) -> PartLimits:
    """Return the limits of a push that was made before, and was rebased since: all that the server takes."""
    return PartLimits(limits.message_bytes - _FRAME_BYTES, limits.push_sections)


def cut(changes: ChangeSet, limits: PartLimits) -> tuple[ChangeSet, ChangeSet | None]:
    """Return `changes` as a part that surely takes no more than the limits, and the part that follows it.

    The second part applies to the text after the first one, both together do
    what `changes` does; None if the first one is all of it. A change too long
    for any message is cut within, never inside a surrogate pair. The first
    part is never empty: a limit of less than one change takes is passed over.
    """
    if fits(changes, limits):
        return changes, None
    first: list[Change] = []
    rest: list[Change] = []
    spent = 0
    # How far the first part moves what stands behind it.
    shift = 0
    for change in changes.changes():
        room = limits.bytes - spent - _CHANGE_BYTES
        if not first:
            room = max(room, _LEAST_UNITS * _UNIT_BYTES)
        # A change is two sections with the text that is kept before it; one more is kept behind the last.
        full = first and 2 * len(first) + 3 > limits.sections
        if rest or room <= 0 or full:
            rest.append(Change(change.from_a + shift, change.to_a + shift, change.text))
            continue
        taken = _fitting(change.text, room)
        first.append(Change(change.from_a, change.to_a, change.text[:taken]))
        if taken < len(change.text):
            at = change.from_a + shift + taken
            rest.append(Change(at, at, change.text[taken:]))
        spent += _CHANGE_BYTES + _text_bytes(change.text[:taken])
        shift += taken - (change.to_a - change.from_a)
    part = ChangeSet.of(first, changes.length)
    return part, ChangeSet.of(rest, part.new_length) if rest else None


def shed(changes: ChangeSet, limits: PartLimits) -> tuple[ChangeSet, ChangeSet | None]:
    """Return the part of `changes` that has all that they insert, and the deletions left to the part that follows it.

    The first part fits the limits, unless what is inserted alone does not; None
    if there is nothing to leave. A push that was sent may be committed whole
    all the same: the first part is then confirmed by what it inserts, and
    nothing is left of the second one, since nobody can delete a text twice.
    """
    if fits(changes, limits):
        return changes, None
    every = list(changes.changes())
    texts = [change.text for change in every if change.text]
    most = min((limits.sections - 1) // 2, (limits.bytes - sum(map(_text_bytes, texts))) // _CHANGE_BYTES)
    room = most - len(texts)
    first: list[Change] = []
    rest: list[Change] = []
    shift = 0
    for change in every:
        if not change.text and room <= 0:
            rest.append(Change(change.from_a + shift, change.to_a + shift))
            continue
        room -= not change.text
        first.append(Change(change.from_a, change.to_a, change.text))
        shift += len(change.text) - (change.to_a - change.from_a)
    part = ChangeSet.of(first, changes.length)
    return part, ChangeSet.of(rest, part.new_length) if rest else None


def deletions(changes: ChangeSet) -> ChangeSet:
    """Return what `changes` delete, without what they insert."""
    return ChangeSet.of([Change(change.from_a, change.to_a) for change in changes.changes()], changes.length)


def most_bytes(changes: ChangeSet) -> int:
    """Return the bytes that `changes` take as JSON at most, by a rough measure."""
    return _CHANGE_BYTES * changes.steps + _UNIT_BYTES * sum(map(len, changes.inserted))


def fits(changes: ChangeSet, limits: PartLimits) -> bool:
    """Whether `changes` surely take no more than the limits."""
    if changes.steps > limits.sections:
        return False
    if most_bytes(changes) <= limits.bytes:
        return True
    return _CHANGE_BYTES * changes.steps + sum(map(_text_bytes, changes.inserted)) <= limits.bytes


def _fitting(text: str, room_bytes: int) -> int:
    """Return how many units of the beginning of `text` take no more than `room_bytes`, whole pairs only."""
    low, high = min(len(text), room_bytes // _UNIT_BYTES), len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _text_bytes(text[:middle]) <= room_bytes:
            low = middle
        else:
            high = middle - 1
    return low - splits_pair(text, low)


def _text_bytes(text: str) -> int:
    """Return about how many bytes `text` takes as JSON, as a list of lines; not less than it does."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")) + text.count("\n")
