"""The commands behind the keys: what each makes of a text and a selection, as @codemirror/commands has it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from pyshare.core.changeset import Change, ChangeSet
from simulation.stock_model.clusters import last_break, next_break
from simulation.stock_model.selection import Selection, SelectionRange

#: The front end's tab size, its unit of indentation, and the mark of a comment in Python.
_TAB_SIZE: Final = 2
_UNIT: Final = "  "
_COMMENT: Final = "#"
#: A cursor so far behind the start of its line deletes single characters only.
_INDENTED: Final = 200
_SPACE: Final = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Edit:
    """The changes of a command and the selection after them; None where the selection is only mapped."""

    changes: ChangeSet
    selection: Selection | None


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    text: str

    @classmethod
    def at(cls, text: str, pos: int) -> "_Line":
        start = text.rfind("\n", 0, pos) + 1
        end = text.find("\n", pos)
        end = len(text) if end < 0 else end
        return cls(start, end, text[start:end])


ByRange = Callable[[SelectionRange], tuple[list[Change], SelectionRange]]


def _by_range(text: str, selection: Selection, change: ByRange) -> Edit:
    """Return the edit that changes at each range, every range given in the text after its own changes."""
    changes = ChangeSet.empty_of(len(text))
    ranges: list[SelectionRange] = []
    for index, each in enumerate(selection.ranges):
        made, after = change(each)
        new = ChangeSet.of(made, len(text))
        if index == 0:
            changes, ranges = new, [after]
            continue
        mapped = new.map(changes)
        ranges = [earlier.map(mapped) for earlier in ranges]
        ranges.append(after.map(changes.map(new, before=True)))
        changes = changes.compose(mapped)
    return Edit(changes, Selection.create(ranges, selection.main_index))


def replace_selection(text: str, selection: Selection, insert: str) -> Edit:
    """Return the edit that puts `insert` in place of each range."""

    def change(each: SelectionRange) -> tuple[list[Change], SelectionRange]:
        return [Change(each.start, each.end, insert)], SelectionRange.cursor(each.start + len(insert))

    return _by_range(text, selection, change)


def paste(text: str, selection: Selection, pasted: str) -> Edit:
    """Return the edit that pastes: a line to each range if there are as many, else all to each."""
    lines = pasted.split("\n")
    if len(lines) != len(selection.ranges):
        return replace_selection(text, selection, pasted)
    remaining = iter(lines)

    def change(each: SelectionRange) -> tuple[list[Change], SelectionRange]:
        line = next(remaining)
        return [Change(each.start, each.end, line)], SelectionRange.cursor(each.start + len(line))

    return _by_range(text, selection, change)


def new_line(text: str, selection: Selection) -> Edit:
    """Return the edit that begins a new line at each range, without the white space round the break."""

    def change(each: SelectionRange) -> tuple[list[Change], SelectionRange]:
        start, end = each.start, each.end
        line = _Line.at(text, start)
        while end < line.end and line.text[end - line.start].isspace():
            end += 1
        # The command takes the first `start` units of the line, not those before the cursor.
        if line.start < start < line.start + 100 and not line.text[:start].strip():
            start = line.start
        return [Change(start, end, "\n")], SelectionRange.cursor(start + 1)

    return _by_range(text, selection, change)


def delete(text: str, selection: Selection, *, forward: bool) -> tuple[Edit, str]:
    """Return the edit that deletes each range, or the character beside each cursor; and its event."""
    event = "delete.selection"

    def change(each: SelectionRange) -> tuple[list[Change], SelectionRange]:
        nonlocal event
        start, end = each.start, each.end
        if each.empty:
            towards = _beside(text, start, forward=forward)
            if towards != start:
                event = "delete.forward" if towards > start else "delete.backward"
            start, end = min(start, towards), max(end, towards)
        if start == end:
            return [], each
        return [Change(start, end)], SelectionRange.cursor(start)

    return _by_range(text, selection, change), event


def _beside(text: str, pos: int, *, forward: bool) -> int:
    """Return where the character, the unit of indentation or the line break beside `pos` ends."""
    line = _Line.at(text, pos)
    column = pos - line.start
    before = line.text[:column]
    if not forward and 0 < column < _INDENTED and not before.strip(" \t"):
        if before.endswith("\t"):
            return pos - 1
        drop = _columns(before) % _TAB_SIZE or _TAB_SIZE
        spaces = len(before) - len(before.rstrip(" "))
        return pos - min(drop, spaces)
    found = line.start + (next_break if forward else last_break)(line.text, column)
    if found == pos and (line.end < len(text) if forward else line.start > 0):
        return pos + (1 if forward else -1)
    return found


def _columns(space: str) -> int:
    columns = 0
    for each in space:
        columns += _TAB_SIZE - columns % _TAB_SIZE if each == "\t" else 1
    return columns


def _lines(text: str, each: SelectionRange) -> Iterator[_Line]:
    """Return the lines of a range, without the last if the range ends where it begins."""
    pos = each.start
    while pos <= each.end:
        line = _Line.at(text, pos)
        if each.empty or each.end > line.start:
            yield line
        pos = line.end + 1


def _by_line(text: str, selection: Selection, change: Callable[[_Line], Change | None]) -> Edit:
    """Return the edit that changes each line with a cursor or a selection once."""
    last = -1

    def by_range(each: SelectionRange) -> tuple[list[Change], SelectionRange]:
        nonlocal last
        made: list[Change] = []
        for line in _lines(text, each):
            if line.start > last:
                last = line.start
                one = change(line)
                made += [one] if one else []
        changes = ChangeSet.of(made, len(text))
        return made, SelectionRange.of(changes.map_pos(each.anchor, 1), changes.map_pos(each.head, 1))

    return _by_range(text, selection, by_range)


def indent_more(text: str, selection: Selection) -> Edit:
    """Return the edit of Tab."""
    return _by_line(text, selection, lambda line: Change(line.start, line.start, _UNIT))


def indent_less(text: str, selection: Selection) -> Edit:
    """Return the edit of Shift-Tab."""

    def change(line: _Line) -> Change | None:
        space = _leading(line.text)
        if not space:
            return None
        insert = " " * max(0, _columns(space) - len(_UNIT))
        keep = 0
        while keep < min(len(space), len(insert)) and space[keep] == insert[keep]:
            keep += 1
        return Change(line.start + keep, line.start + len(space), insert[keep:])

    return _by_line(text, selection, change)


def _leading(line: str) -> str:
    found = _SPACE.match(line)
    assert found is not None
    return found[0]


def toggle_comment(text: str, selection: Selection) -> Edit | None:
    """Return the edit of Ctrl-/: comment all lines if one is not commented, else uncomment them."""
    add: list[Change] = []
    remove: list[Change] = []
    missing = False
    last = -1
    for each in selection.ranges:
        lines = []
        for line in _lines(text, each):
            if line.start > last:
                last = line.start
                lines.append(line)
        indents = {line: len(_leading(line.text)) for line in lines}
        least = min((indent for line, indent in indents.items() if indent < len(line.text)), default=None)
        for line, indent in indents.items():
            empty = indent == len(line.text)
            if line.text.startswith(_COMMENT, indent):
                end = indent + len(_COMMENT)
                end += line.text[end : end + 1] == " "
                remove.append(Change(line.start + indent, line.start + end))
            elif not empty or len(lines) == 1:
                missing = True
            if not empty or len(lines) == 1:
                at = line.start + (indent if empty or least is None else least)
                add.append(Change(at, at, f"{_COMMENT} "))
    if missing:
        changes = ChangeSet.of(add, len(text))
        return Edit(changes, selection.map(changes, 1))
    return Edit(ChangeSet.of(remove, len(text)), None) if remove else None


def move_line(text: str, selection: Selection, *, down: bool) -> Edit | None:
    """Return the edit that moves the lines of the only range past the next line; None at the end of the text."""
    (each,) = selection.ranges
    first, last = _Line.at(text, each.start), _Line.at(text, each.end)
    if not each.empty and each.end == last.start:
        last = _Line.at(text, each.end - 1)
    start, end = first.start, last.end
    if end == len(text) if down else start == 0:
        return None
    passed = _Line.at(text, end + 1 if down else start - 1)
    size = len(passed.text) + 1
    if down:
        made = [Change(end, passed.end), Change(start, start, f"{passed.text}\n")]
        anchor, head = (min(len(text), pos + size) for pos in (each.anchor, each.head))
    else:
        made = [Change(passed.start, start), Change(end, end, f"\n{passed.text}")]
        anchor, head = each.anchor - size, each.head - size
    return Edit(ChangeSet.of(made, len(text)), Selection.single(anchor, head))
