r"""Change sets: apply, compose, map, invert and position mapping, as @codemirror/state does them.

A change set turns a text of one length into a text of another. It is a list of
sections that cover the old text from its start to its end, each kept, or
replaced by a text of the section's own: an insertion has length 0, a deletion
inserts nothing. Semantics and JSON form are those of `ChangeSet` in
@codemirror/state (6.x), case by case, so that an editor and the server agree;
texts are units strings (see `pyshare.core.units`) in which `\n` is a line break.

Laws, for change sets `a` and `b` of one text `t`:

- `a.compose(c).apply(t) == c.apply(a.apply(t))`
- `a.compose(b.map(a))` and `b.compose(a.map(b, before=True))` make one text
- `a.invert(t).apply(a.apply(t)) == t`
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from typing_extensions import override

from pyshare.core.sections import KEPT, add_insert, add_section, composing, mapping_over
from pyshare.core.units import normalise_line_breaks, to_units
from pyshare.core.work import Parts, Work, finish

#: Largest integer that JavaScript keeps exact (Number.MAX_SAFE_INTEGER).
_LONGEST: Final = 2**53 - 1


class ChangeSetError(ValueError):
    """This is no change set, or not one for this text; the message says where it fails."""


class MapMode(Enum):
    """When mapping a position answers None because of a deletion."""

    #: Never.
    SIMPLE = "simple"
    #: When the text on both sides of the position is deleted together.
    TRACK_DEL = "track_del"
    #: When the character before the position is deleted.
    TRACK_BEFORE = "track_before"
    #: When the character after the position is deleted.
    TRACK_AFTER = "track_after"


@dataclass(frozen=True, slots=True)
class Change:
    """What stands from `start` to `end` is replaced by `insert`, any string; positions are those before the change."""

    start: int
    end: int
    insert: str = ""


@dataclass(frozen=True, slots=True)
class ChangedRange:
    """Where a change stands in the text before it and in the text after it, and what it inserts."""

    from_a: int
    to_a: int
    from_b: int
    to_b: int
    text: str


class ChangeSet:
    """An edit of a text of `length` units that leaves `new_length`; immutable and compared by value.

    Made by `of`, `from_json` or `empty_of`. Operations on change sets or texts
    whose lengths do not fit raise ChangeSetError.
    """

    __slots__ = ("inserted", "length", "new_length", "sections")

    #: For each section, its length and the length of what replaces it, -1 if it is kept; flat.
    sections: tuple[int, ...]
    #: For each section the text that replaces it, empty if it is kept or deleted.
    inserted: tuple[str, ...]
    length: int
    new_length: int

    def __init__(self, sections: Sequence[int], inserted: Sequence[str]) -> None:
        self.sections = tuple(sections)
        missing = len(self.sections) // 2 - len(inserted)
        self.inserted = (*inserted, *("",) * missing) if missing else tuple(inserted)
        length = new_length = 0
        for index in range(0, len(self.sections), 2):
            old, new = self.sections[index], self.sections[index + 1]
            length += old
            new_length += old if new < 0 else new
        self.length = length
        self.new_length = new_length

    @classmethod
    def empty_of(cls, length: int) -> "ChangeSet":
        """Return the change set that leaves a text of `length` as it is."""
        return cls((length, KEPT) if length else (), ())

    @classmethod
    def of(cls, changes: "Sequence[Change | ChangeSet]", length: int, *, work: Work | None = None) -> "ChangeSet":
        """Return the change set of `changes`, all of which refer to one text of `length`.

        Changes that stand in order become one set; where one begins before
        the end of the one before, a new set is begun, mapped over what there is
        and composed with it. Changes that do not touch one another are joined
        at once, in any order; only those that touch out of order take a walk each.

        Raises:
            ChangeSetError: if a change reaches outside the text.
            WorkSpent: if it takes more than `work`; without one, it may take as long as it takes.
        """
        work = work or Work()
        runs = _runs(changes, length)
        if len(runs) == 1 or any(isinstance(run, ChangeSet) for run in runs):
            return _in_turn(runs, length, work)
        numbered = [(change, number) for number, run in enumerate(runs) if isinstance(run, list) for change in run]
        numbered.sort(key=lambda each: each[0].start)
        sections: list[int] = []
        inserted: list[str] = []
        pos = 0
        for start, end, cluster in _clusters(numbered):
            part = _in_turn([_moved(run, -start) for run in cluster], end - start, work)
            add_section(sections, start - pos, KEPT)
            inserted += [""] * (len(sections) // 2 - len(inserted))
            sections += part.sections
            inserted += part.inserted
            pos = end
        add_section(sections, length - pos, KEPT)
        return cls(sections, inserted)

    @classmethod
    def from_json(cls, value: object, *, join_kept: bool = False) -> "ChangeSet":
        """Return the change set that `to_json` of this or of @codemirror/state turned into `value`.

        A kept section is its length, a replaced one a list of its length and
        the lines that replace it. Sections that say nothing are passed over.
        With `join_kept`, kept sections that stand side by side become one;
        @codemirror/state leaves them, and never makes them itself.

        Raises:
            ChangeSetError: if `value` is anything else; the message names the part.
        """
        if not isinstance(value, list):
            raise ChangeSetError("changes: should be a list")
        sections: list[int] = []
        inserted: list[str] = []
        for index, part in enumerate(value):
            if isinstance(part, list):
                length = _checked_length(part[0] if part else None, index)
                text = _checked_lines(part, index)
                if length or text:
                    sections += (length, len(text))
                    inserted.append(text)
            else:
                length = _checked_length(part, index)
                if length and join_kept and sections and sections[-1] == KEPT:
                    sections[-2] += length
                elif length:
                    sections += (length, KEPT)
                    inserted.append("")
        return cls(sections, inserted)

    def to_json(self) -> list[object]:
        """Return the JSON form, as @codemirror/state has it; lines are units strings."""
        sections, inserted = self.sections, self.inserted
        parts: list[object] = []
        for index in range(0, len(sections), 2):
            length, new = sections[index], sections[index + 1]
            if new < 0:
                parts.append(length)
            elif new:
                parts.append([length, *inserted[index >> 1].split("\n")])
            else:
                parts.append([length])
        return parts

    @property
    def steps(self) -> int:
        """Steps of one walk over the sections (see `pyshare.core.work`)."""
        return len(self.sections) // 2

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        sections = self.sections
        return not sections or (len(sections) == 2 and sections[1] < 0)

    def apply(self, text: str) -> str:
        """Return `text` after the changes."""
        if len(text) != self.length:
            raise ChangeSetError(f"a change set for {self.length} units, a text of {len(text)}")
        sections, inserted = self.sections, self.inserted
        pieces = []
        pos = 0
        for index in range(0, len(sections), 2):
            end = pos + sections[index]
            pieces.append(text[pos:end] if sections[index + 1] < 0 else inserted[index >> 1])
            pos = end
        return "".join(pieces)

    def invert(self, text: str) -> "ChangeSet":
        """Return the change set that takes these changes back; `text` is the one before them."""
        if len(text) != self.length:
            raise ChangeSetError(f"a change set for {self.length} units, a text of {len(text)}")
        sections: list[int] = []
        inserted = []
        pos = 0
        for index in range(0, len(self.sections), 2):
            length, new = self.sections[index], self.sections[index + 1]
            sections += (length, KEPT) if new < 0 else (new, length)
            inserted.append("" if new < 0 else text[pos : pos + length])
            pos += length
        return ChangeSet(sections, inserted)

    def changes(self, *, individual: bool = False) -> Iterator[ChangedRange]:
        """Return the changed ranges in order; changes that touch are one, unless `individual`."""
        sections, inserted = self.sections, self.inserted
        from_a = from_b = 0
        index = 0
        while index < len(sections):
            length, new = sections[index], sections[index + 1]
            text = inserted[index >> 1]
            index += 2
            if new < 0:
                from_a += length
                from_b += length
                continue
            to_a, to_b = from_a + length, from_b + new
            while not individual and index < len(sections) and sections[index + 1] >= 0:
                to_a += sections[index]
                to_b += sections[index + 1]
                text += inserted[index >> 1]
                index += 2
            yield ChangedRange(from_a, to_a, from_b, to_b, text)
            from_a, from_b = to_a, to_b

    def map_pos(self, pos: int, assoc: int = -1) -> int:
        """Return where a position of the text before is in the text after.

        Where text is inserted at it, it stays before that for a negative
        `assoc` and moves behind it for a positive one.
        """
        mapped = self.map_pos_or_none(pos, assoc)
        assert mapped is not None, "no position is lost in the simple mode"
        return mapped

    def map_pos_or_none(self, pos: int, assoc: int = -1, *, mode: MapMode = MapMode.SIMPLE) -> int | None:
        """Return where a position is in the text after, or None if what `mode` tracks was deleted."""
        sections = self.sections
        pos_a = pos_b = 0
        for index in range(0, len(sections), 2):
            length, new = sections[index], sections[index + 1]
            end_a = pos_a + length
            if new < 0:
                if end_a > pos:
                    return pos_b + (pos - pos_a)
                pos_b += length
            else:
                if mode is not MapMode.SIMPLE and end_a >= pos and _is_lost(pos, pos_a, end_a, mode):
                    return None
                if end_a > pos or (end_a == pos and assoc < 0 and not length):
                    return pos_b if pos == pos_a or assoc < 0 else pos_b + new
                pos_b += new
            pos_a = end_a
        if pos > pos_a:
            raise ChangeSetError(f"position {pos} in a change set for {pos_a} units")
        return pos_b

    def map_sorted(self, positions: Sequence[int]) -> list[int]:
        """Return where `positions`, in ascending order, are in the text after, as `map_pos` has it: one walk."""
        sections = self.sections
        mapped: list[int] = []
        pos_a = pos_b = index = 0
        for at in range(0, len(sections), 2):
            length, new = sections[at], sections[at + 1]
            end_a = pos_a + length
            while index < len(positions) and (positions[index] < end_a or (new >= 0 and positions[index] == pos_a)):
                mapped.append(pos_b + positions[index] - pos_a if new < 0 else pos_b)
                index += 1
            pos_a = end_a
            pos_b += length if new < 0 else new
        if positions and positions[-1] > pos_a:
            raise ChangeSetError(f"position {positions[-1]} in a change set for {pos_a} units")
        return mapped + [pos_b] * (len(positions) - index)

    def compose(self, other: "ChangeSet") -> "ChangeSet":
        """Return the change set that does what this one and then `other` does."""
        return finish(self.composing(other))

    def composing(self, other: "ChangeSet") -> "Parts[ChangeSet]":
        """Do as `compose`, in parts of about 5 ms."""
        if self.new_length != other.length:
            raise ChangeSetError(f"a change set that leaves {self.new_length} units, one for {other.length}")
        if self.empty or other.empty:
            yield self.steps + other.steps
            return other if self.empty else self
        return ChangeSet(*(yield from composing((self.sections, self.inserted), (other.sections, other.inserted))))

    def map(self, other: "ChangeSet", *, before: bool = False) -> "ChangeSet":
        """Return these changes for the text after `other`, where both are for one text.

        What `other` inserts at the same place comes first, unless `before`.
        """
        return finish(self.mapping(other, before=before))

    def mapping(self, other: "ChangeSet", *, before: bool = False) -> "Parts[ChangeSet]":
        """Do as `map`, in parts of about 5 ms."""
        if self.length != other.length:
            raise ChangeSetError(f"a change set for {self.length} units mapped over one for {other.length}")
        if other.empty:
            yield self.steps + other.steps
            return self
        own, others = (self.sections, self.inserted), (other.sections, other.inserted)
        return ChangeSet(*(yield from mapping_over(own, others, before=before)))

    @override
    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChangeSet):
            return NotImplemented
        return self.sections == other.sections and self.inserted == other.inserted

    @override
    def __hash__(self) -> int:
        return hash((self.sections, self.inserted))

    @override
    def __repr__(self) -> str:
        return f"ChangeSet.from_json({self.to_json()!r})"


def _checked_length(value: object, index: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LONGEST:
        raise ChangeSetError(f"changes[{index}]: should begin with a length, a whole number from 0")
    return value


def _checked_lines(part: list[object], index: int) -> str:
    lines: list[str] = []
    for line in part[1:]:
        if not isinstance(line, str):
            raise ChangeSetError(f"changes[{index}]: after the length only lines, which are strings")
        lines.append(line)
    text = "\n".join(lines)
    if "\r" in text or text.count("\n") >= max(1, len(lines)):
        raise ChangeSetError(f"changes[{index}]: a line with a line break in it")
    return to_units(text)


def _runs(changes: "Sequence[Change | ChangeSet]", length: int) -> "list[list[Change] | ChangeSet]":
    """Return `changes` in their order, as sets and as lists of changes that stand in order; inserts are units."""
    runs: list[list[Change] | ChangeSet] = []
    run: list[Change] = []
    pos = 0
    for change in changes:
        if isinstance(change, ChangeSet):
            if change.length != length:
                raise ChangeSetError(f"a change set of length {change.length} among changes of {length}")
            if run:
                runs.append(run)
            runs.append(change)
            run, pos = [], 0
            continue
        if not 0 <= change.start <= change.end <= length:
            raise ChangeSetError(f"a change from {change.start} to {change.end} in a text of {length}")
        text = to_units(normalise_line_breaks(change.insert))
        if change.start == change.end and not text:
            continue
        if change.start < pos:
            runs.append(run)
            run = []
        run.append(Change(change.start, change.end, text))
        pos = change.end
    return [*runs, run] if run or not runs else runs


def _in_turn(runs: "Sequence[list[Change] | ChangeSet]", length: int, work: Work) -> ChangeSet:
    """Return the runs of changes of a text of `length`, each mapped over those before it and composed with them."""
    total: ChangeSet | None = None
    for run in runs:
        following = run if isinstance(run, ChangeSet) else _closed(run, length)
        if total is None:
            total = following
        else:
            work.charge(2 * (total.steps + following.steps))
            total = total.compose(following.map(total))
    return total if total is not None else ChangeSet.empty_of(length)


def _closed(run: Sequence[Change], length: int) -> ChangeSet:
    """Return changes that stand in order as a change set of a text of `length`."""
    sections: list[int] = []
    inserted: list[str] = []
    pos = 0
    for change in run:
        add_section(sections, change.start - pos, KEPT)
        add_section(sections, change.end - change.start, len(change.insert))
        add_insert(inserted, sections, change.insert)
        pos = change.end
    add_section(sections, length - pos, KEPT)
    return ChangeSet(sections, inserted)


def _clusters(numbered: Sequence[tuple[Change, int]]) -> Iterator[tuple[int, int, list[list[Change]]]]:
    """Return what touches of changes sorted by their start: where it starts and ends, and the changes run by run."""
    cluster: dict[int, list[Change]] = {}
    start = end = 0
    for change, number in numbered:
        if cluster and change.start > end:
            yield start, end, [cluster[each] for each in sorted(cluster)]
            cluster = {}
        if not cluster:
            start = end = change.start
        cluster.setdefault(number, []).append(change)
        end = max(end, change.end)
    yield start, end, [cluster[each] for each in sorted(cluster)]


def _moved(run: Sequence[Change], distance: int) -> list[Change]:
    return [Change(change.start + distance, change.end + distance, change.insert) for change in run]


def _is_lost(pos: int, start: int, end: int, mode: MapMode) -> bool:
    match mode:
        case MapMode.TRACK_DEL:
            return start < pos < end
        case MapMode.TRACK_BEFORE:
            return start < pos
        case _:
            return end > pos
