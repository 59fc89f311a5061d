"""A change set cut in two, so that the first part fits a message and the limits of a push.

A server closes a connection over a message that is too big and refuses a push
of too many sections, and what was typed without a connection may well be that.
No I/O.
"""

import json

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.units import splits_pair

#: Bytes that one UTF-16 unit takes in JSON at most, as `\\u0000` does.
_UNIT_BYTES = 6
#: Bytes that a change and what is kept before it take besides: two numbers, brackets, quotes, commas.
_CHANGE_BYTES = 48
#: Sections of a part: servers accept more (`push_sections`), and others rebase over parts of this size without a pause.
_PART_SECTIONS = 8192
#: Units that a part has room for in any case, so that cutting comes to an end.
_LEAST_UNITS = 2


def cut(
    changes: ChangeSet, limit_bytes: int, limit_sections: int = _PART_SECTIONS
) -> tuple[ChangeSet, ChangeSet | None]:
    """Return `changes` as a part that surely takes no more than the limits, as JSON, and the part that follows it.

    The second part applies to the text after the first one, both together do
    what `changes` does; None if the first one is all of it. A change too long
    for any message is cut within, never inside a surrogate pair. The first
    part is never empty: a limit of less than one change takes is passed over.
    """
    if changes.steps <= limit_sections and _fits(changes, limit_bytes):
        return changes, None
    first: list[Change] = []
    rest: list[Change] = []
    spent = 0
    # How far the first part moves what stands behind it.
    shift = 0
    for change in changes.changes():
        room = limit_bytes - spent - _CHANGE_BYTES
        if not first:
            room = max(room, _LEAST_UNITS * _UNIT_BYTES)
        # A change is two sections with the text that is kept before it; one more is kept behind the last.
        full = first and 2 * len(first) + 3 > limit_sections
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


def _fits(changes: ChangeSet, limit_bytes: int) -> bool:
    room = limit_bytes - _CHANGE_BYTES * (len(changes.sections) // 2)
    if _UNIT_BYTES * sum(map(len, changes.inserted)) <= room:
        return True
    return sum(map(_text_bytes, changes.inserted)) <= room


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
