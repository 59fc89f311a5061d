"""Checks of the arguments that a program gives to the client: each wrong type is named before it does anything."""

from collections.abc import Iterable
from operator import index
from typing import SupportsIndex, TypeAlias

from pyshare.core.changeset import Change

#: A cursor or a selection, as (anchor, head); both are positions.
Range: TypeAlias = tuple[int, int]


def checked_position(value: object, name: str) -> int:
    """Return a position as a whole number.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(value, SupportsIndex):
        raise TypeError(f"{name} should be a whole number, not {type(value).__name__}")
    return index(value)


def checked_text(value: object, name: str) -> str:
    """Return a text.

    Raises:
        TypeError: if it is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} should be a str, not {type(value).__name__}")
    return value


def checked_changes(values: object) -> list[Change]:
    """Return the changes of an edit.

    Raises:
        TypeError: if they are not changes, or a field of one has a wrong type.
    """
    changes = []
    for number, each in enumerate(_items(values, "changes", "Change")):
        if not isinstance(each, Change):
            raise TypeError(f"changes[{number}] should be a Change, not {type(each).__name__}")
        start = checked_position(each.start, f"changes[{number}].start")
        end = checked_position(each.end, f"changes[{number}].end")
        changes.append(Change(start, end, checked_text(each.insert, f"changes[{number}].insert")))
    return changes


def checked_ranges(values: object) -> list[Range]:
    """Return cursors and selections.

    Raises:
        TypeError: if they are not pairs of positions.
    """
    ranges = []
    for number, each in enumerate(_items(values, "ranges", "(anchor, head)")):
        name = f"ranges[{number}]"
        pair = tuple(each) if isinstance(each, tuple | list) else ()
        if len(pair) != 2:
            raise TypeError(f"{name} should be (anchor, head), not {each!r}")
        ranges.append((checked_position(pair[0], f"{name}[0]"), checked_position(pair[1], f"{name}[1]")))
    return ranges


def _items(values: object, name: str, kind: str) -> Iterable[object]:
    if not isinstance(values, Iterable) or isinstance(values, str | bytes):
        raise TypeError(f"{name} should be a list of {kind}, not {type(values).__name__}")
    return values
