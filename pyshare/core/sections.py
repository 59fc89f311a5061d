"""The sections that change sets are made of, and how two lists of them are composed and mapped.

A section is two numbers: a length of the old text, and the length of what
replaces it, or -1 if it is kept. Sections are held flat in one list, with a
list of the texts that replace them beside it. The two walks here follow
`composeSets` and `mapSet` of @codemirror/state (6.x) step by step, since an
editor must come to the same sections; `pyshare.core.changeset` checks lengths
and gives them their names.
"""

from collections.abc import Sequence
from typing import Final

from pyshare.core.work import Parts

#: The second number of a section that is kept.
KEPT: Final = -1
#: What a walk that has come to its end stands at.
_DONE: Final = -2

#: Sections that a walk passes before others may have their turn: about 5 ms.
_PART_STEPS: Final = 4096

#: Sections, flat, and for each of them the text that replaces it.
Flat = tuple[Sequence[int], Sequence[str]]


def add_section(sections: list[int], length: int, new: int, *, join: bool = False) -> None:
    """Add a section, as part of the last one if both are kept, deleted or pure insertions, or if told to."""
    if length == 0 and new <= 0:
        return
    if sections:
        if new <= 0 and new == sections[-1]:
            sections[-2] += length
            return
        if length == 0 and sections[-2] == 0:
            sections[-1] += new
            return
        if join:
            sections[-2] += length
            sections[-1] += new
            return
    sections += (length, new)


def add_insert(inserted: list[str], sections: list[int], text: str) -> None:
    """Add `text` to what the last section inserts."""
    if not text:
        return
    index = (len(sections) - 2) >> 1
    if index < len(inserted):
        inserted[-1] += text
    else:
        inserted += [""] * (index - len(inserted))
        inserted.append(text)


class _Walk:
    """A walk over the sections of a change set, piece by piece."""

    __slots__ = ("_inserted", "_sections", "index", "length", "new", "offset")

    def __init__(self, sections: Sequence[int], inserted: Sequence[str]) -> None:
        self._sections = sections
        self._inserted = inserted
        # Index behind the present section; what is left of it, old and new; how much of it is passed.
        self.index = 0
        self.next()

    def next(self) -> None:
        """Go to the next section."""
        index, sections = self.index, self._sections
        if index < len(sections):
            self.length = sections[index]
            self.new = sections[index + 1]
            self.index = index + 2
        else:
            self.length = 0
            self.new = _DONE
        self.offset = 0

    @property
    def text(self) -> str:
        """All that the present section inserts."""
        return self._inserted[(self.index - 2) >> 1]

    def text_part(self, length: int) -> str:
        """What the present section inserts from here on, up to `length` units."""
        return self.text[self.offset : self.offset + length]

    def forward(self, length: int) -> None:
        """Pass `length` units of the old text."""
        if length == self.length:
            self.next()
        else:
            self.length -= length
            self.offset += length

    def forward_new(self, length: int) -> None:
        """Pass `length` units of the new text."""
        if self.new == KEPT:
            self.forward(length)
        elif length == self.new:
            self.next()
        else:
            self.new -= length
            self.offset += length


def composing(first: Flat, second: Flat) -> Parts[tuple[list[int], list[str]]]:
    """Compose as `composeSets` in @codemirror/state: walk over the text between the two, in parts."""
    sections: list[int] = []
    inserted: list[str] = []
    a, b = _Walk(*first), _Walk(*second)
    end, paid = len(first[0]) + len(second[0]), 0
    # Whether the last section is still part of a replacement that goes on in one of the sets.
    is_open = False
    while a.new != _DONE or b.new != _DONE:
        if a.index + b.index > paid:
            yield min(_PART_STEPS, (end - paid) >> 1)
            paid += 2 * _PART_STEPS
        if a.new == 0:
            add_section(sections, a.length, 0, join=is_open)
            a.next()
        elif b.length == 0 and b.new != _DONE:
            add_section(sections, 0, b.new, join=is_open)
            add_insert(inserted, sections, b.text)
            b.next()
        else:
            length = min(a.length if a.new < 0 else a.new, b.length)
            count = len(sections)
            if a.new == KEPT:
                new = KEPT if b.new == KEPT else 0 if b.offset else b.new
                add_section(sections, length, new, join=is_open)
                if new > 0:
                    add_insert(inserted, sections, b.text)
            elif b.new == KEPT:
                add_section(sections, 0 if a.offset else a.length, length, join=is_open)
                add_insert(inserted, sections, a.text_part(length))
            else:
                add_section(sections, 0 if a.offset else a.length, 0 if b.offset else b.new, join=is_open)
                if not b.offset:
                    add_insert(inserted, sections, b.text)
            goes_on = a.new > length or (b.new >= 0 and b.length > length)
            is_open = goes_on and (is_open or len(sections) > count)
            a.forward_new(length)
            b.forward(length)
    return sections, inserted


def mapping_over(changes: Flat, over: Flat, *, before: bool) -> Parts[tuple[list[int], list[str]]]:
    """Map as `mapSet` in @codemirror/state: walk over the text that both are for, in parts."""
    sections: list[int] = []
    inserted: list[str] = []
    a, b = _Walk(*changes), _Walk(*over)
    end, paid = len(changes[0]) + len(over[0]), 0
    # Index of the last section of `a` whose text has been inserted; it may be passed in pieces.
    done = -1
    while a.new != _DONE or b.new != _DONE:
        if a.index + b.index > paid:
            yield min(_PART_STEPS, (end - paid) >> 1)
            paid += 2 * _PART_STEPS
        if a.new == KEPT and b.new == KEPT:
            length = min(a.length, b.length)
            add_section(sections, length, KEPT)
            a.forward(length)
            b.forward(length)
        elif b.new >= 0 and (a.new < 0 or done == a.index or _comes_first(b, a, before=before)):
            # A change of `over` that begins before the next of ours; ours that it covers are passed with it.
            length = b.length
            add_section(sections, b.new, KEPT)
            while length:
                piece = min(a.length, length)
                if a.new >= 0 and done < a.index and a.length <= piece:
                    add_section(sections, 0, a.new)
                    add_insert(inserted, sections, a.text)
                    done = a.index
                a.forward(piece)
                length -= piece
            b.next()
        else:
            done = _map_own(a, b, done, sections, inserted)
    return sections, inserted


def _comes_first(b: _Walk, a: _Walk, *, before: bool) -> bool:
    """Whether the change at `b` comes before the one at `a`: by place, then length, then the tie's rule."""
    return a.offset == 0 and (b.length < a.length or (b.length == a.length and not before))


def _map_own(a: _Walk, b: _Walk, done: int, sections: list[int], inserted: list[str]) -> int:
    """Pass the part of a change at `a` up to the next insertion of `b`; return the section that is done."""
    length, left = 0, a.length
    while left:
        if b.new == KEPT:
            piece = min(left, b.length)
            length += piece
            left -= piece
            b.forward(piece)
        elif b.new == 0 and b.length < left:
            left -= b.length
            b.next()
        else:
            break
    add_section(sections, length, a.new if done < a.index else 0)
    if done < a.index:
        add_insert(inserted, sections, a.text)
    index = a.index
    a.forward(a.length - left)
    return index
