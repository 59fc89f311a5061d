"""Stand-in until the real module is written."""
from __future__ import annotations
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pyshare.core.units import to_units

class ChangeSetError(ValueError):
    pass

@dataclass(frozen=True, slots=True)
class Change:
    start: int
    end: int
    insert: str = ""

@dataclass(frozen=True, slots=True)
class ChangedRange:
    from_a: int
    to_a: int
    from_b: int
    to_b: int
    text: str

def _add(sections: list[int], length: int, ins: int, join: bool = False) -> None:
    if length == 0 and ins <= 0:
        return
    last = len(sections) - 2
    if last >= 0 and ins <= 0 and ins == sections[last + 1]:
        sections[last] += length
    elif last >= 0 and length == 0 and sections[last] == 0:
        sections[last + 1] += ins
    elif join:
        sections[last] += length
        sections[last + 1] += ins
    else:
        sections += (length, ins)

def _ins(values: list[str], sections: list[int], value: str) -> None:
    if not value:
        return
    index = (len(sections) - 2) >> 1
    if index < len(values):
        values[-1] += value
    else:
        while len(values) < index:
            values.append("")
        values.append(value)

class _Iter:
    def __init__(self, s: ChangeSet) -> None:
        self.s = s
        self.i = 0
        self.next()
    def next(self) -> None:
        sec = self.s.sections
        if self.i < len(sec):
            self.len = sec[self.i]
            self.ins = sec[self.i + 1]
            self.i += 2
        else:
            self.len = 0
            self.ins = -2
        self.off = 0
    @property
    def done(self) -> bool:
        return self.ins == -2
    @property
    def text(self) -> str:
        return self.s.inserted[(self.i - 2) >> 1]
    def bit(self, n: int) -> str:
        return self.text[self.off : self.off + n]
    def forward(self, n: int) -> None:
        if n == self.len:
            self.next()
        else:
            self.len -= n
            self.off += n
    def forward2(self, n: int) -> None:
        if self.ins == -1:
            self.forward(n)
        elif n == self.ins:
            self.next()
        else:
            self.ins -= n
            self.off += n

class ChangeSet:
    def __init__(self, sections: Sequence[int], inserted: Sequence[str]) -> None:
        self.sections = tuple(sections)
        n = len(self.sections) // 2
        self.inserted = tuple(inserted) + ("",) * (n - len(inserted))
        self.length = sum(self.sections[::2])
        self.new_length = sum(l if i < 0 else i for l, i in zip(self.sections[::2], self.sections[1::2]))
    def __eq__(self, o: object) -> bool:
        return isinstance(o, ChangeSet) and (self.sections, self.inserted) == (o.sections, o.inserted)
    def __hash__(self) -> int:
        return hash((self.sections, self.inserted))
    def __repr__(self) -> str:
        return f"ChangeSet({self.to_json()})"
    @property
    def empty(self) -> bool:
        return not self.sections or (len(self.sections) == 2 and self.sections[1] < 0)
    def apply(self, text: str) -> str:
        if len(text) != self.length:
            raise ChangeSetError(f"for {self.length}, text has {len(text)}")
        out = []
        pos = 0
        for k in range(0, len(self.sections), 2):
            l, i = self.sections[k], self.sections[k + 1]
            out.append(text[pos : pos + l] if i < 0 else self.inserted[k >> 1])
            pos += l
        return "".join(out)
    def changes(self) -> Iterator[ChangedRange]:
        a = b = 0
        for k in range(0, len(self.sections), 2):
            l, i = self.sections[k], self.sections[k + 1]
            if i >= 0:
                yield ChangedRange(a, a + l, b, b + i, self.inserted[k >> 1])
            a += l
            b += l if i < 0 else i
    def map_pos(self, pos: int, assoc: int = -1) -> int:
        a = b = 0
        for k in range(0, len(self.sections), 2):
            l, i = self.sections[k], self.sections[k + 1]
            end = a + l
            if i < 0:
                if end > pos:
                    return b + pos - a
                b += l
            else:
                if end > pos or (end == pos and assoc < 0 and not l):
                    return b if pos == a or assoc < 0 else b + i
                b += i
            a = end
        return b
    def invert(self, text: str) -> ChangeSet:
        sections: list[int] = []
        ins: list[str] = []
        pos = 0
        for k in range(0, len(self.sections), 2):
            l, i = self.sections[k], self.sections[k + 1]
            sections += (l, i) if i < 0 else (i, l)
            ins.append("" if i < 0 else text[pos : pos + l])
            pos += l
        return ChangeSet(sections, ins)
    def compose(self, other: ChangeSet) -> ChangeSet:
        if self.empty:
            return other
        if other.empty:
            return self
        sections: list[int] = []
        insert: list[str] = []
        a, b = _Iter(self), _Iter(other)
        open_ = False
        while True:
            if a.done and b.done:
                return ChangeSet(sections, insert)
            if a.ins == 0:
                _add(sections, a.len, 0, open_)
                a.next()
            elif b.len == 0 and not b.done:
                _add(sections, 0, b.ins, open_)
                _ins(insert, sections, b.text)
                b.next()
            elif a.done or b.done:
                raise ChangeSetError("mismatch")
            else:
                n = min(a.len if a.ins < 0 else a.ins, b.len)
                sl = len(sections)
                if a.ins == -1:
                    ib = -1 if b.ins == -1 else 0 if b.off else b.ins
                    _add(sections, n, ib, open_)
                    if ib > 0:
                        _ins(insert, sections, b.text)
                elif b.ins == -1:
                    _add(sections, 0 if a.off else a.len, n, open_)
                    _ins(insert, sections, a.bit(n))
                else:
                    _add(sections, 0 if a.off else a.len, 0 if b.off else b.ins, open_)
                    if not b.off:
                        _ins(insert, sections, b.text)
                open_ = (a.ins > n or (b.ins >= 0 and b.len > n)) and (open_ or len(sections) > sl)
                a.forward2(n)
                b.forward(n)
    def map(self, other: ChangeSet, *, before: bool = False) -> ChangeSet:
        if other.empty:
            return self
        sections: list[int] = []
        insert: list[str] = []
        a, b = _Iter(self), _Iter(other)
        inserted = -1
        while True:
            if (a.done and b.len) or (b.done and a.len):
                raise ChangeSetError("mismatch")
            if a.ins == -1 and b.ins == -1:
                n = min(a.len, b.len)
                _add(sections, n, -1)
                a.forward(n)
                b.forward(n)
            elif b.ins >= 0 and (a.ins < 0 or inserted == a.i or (a.off == 0 and (b.len < a.len or (b.len == a.len and not before)))):
                n = b.len
                _add(sections, b.ins, -1)
                while n:
                    piece = min(a.len, n)
                    if a.ins >= 0 and inserted < a.i and a.len <= piece:
                        _add(sections, 0, a.ins)
                        _ins(insert, sections, a.text)
                        inserted = a.i
                    a.forward(piece)
                    n -= piece
                b.next()
            elif a.ins >= 0:
                n = 0
                left = a.len
                while left:
                    if b.ins == -1:
                        piece = min(left, b.len)
                        n += piece
                        left -= piece
                        b.forward(piece)
                    elif b.ins == 0 and b.len < left:
                        left -= b.len
                        b.next()
                    else:
                        break
                _add(sections, n, a.ins if inserted < a.i else 0)
                if inserted < a.i:
                    _ins(insert, sections, a.text)
                inserted = a.i
                a.forward(a.len - left)
            elif a.done and b.done:
                return ChangeSet(sections, insert)
            else:
                raise ChangeSetError("mismatch")
    def to_json(self) -> list[object]:
        out: list[object] = []
        for k in range(0, len(self.sections), 2):
            l, i = self.sections[k], self.sections[k + 1]
            out.append(l if i < 0 else [l] if i == 0 else [l, *self.inserted[k >> 1].split("\n")])
        return out
    @classmethod
    def from_json(cls, value: object) -> ChangeSet:
        if not isinstance(value, list):
            raise ChangeSetError("not a list")
        sections: list[int] = []
        inserted: list[str] = []
        for k, part in enumerate(value):
            if isinstance(part, int) and not isinstance(part, bool) and part >= 0:
                if part:
                    sections += (part, -1)
                    inserted.append("")
                continue
            if not (isinstance(part, list) and part and isinstance(part[0], int) and part[0] >= 0 and all(isinstance(x, str) for x in part[1:])):
                raise ChangeSetError(f"changes[{k}]: bad")
            if any("\n" in x or "\r" in x for x in part[1:]):
                raise ChangeSetError(f"changes[{k}]: line break")
            t = to_units("\n".join(part[1:]))
            if part[0] or t:
                sections += (part[0], len(t))
                inserted.append(t)
        return cls(sections, inserted)
    @classmethod
    def empty_of(cls, length: int) -> ChangeSet:
        return cls((length, -1) if length else (), ())
    @classmethod
    def of(cls, specs: Sequence[Change], length: int) -> ChangeSet:
        total: ChangeSet | None = None
        for c in specs:
            t = to_units(re.sub("\r\n?", "\n", c.insert))
            if not 0 <= c.start <= c.end <= length:
                raise ChangeSetError("range")
            sections: list[int] = []
            ins: list[str] = []
            _add(sections, c.start, -1)
            _add(sections, c.end - c.start, len(t))
            _ins(ins, sections, t)
            _add(sections, length - c.end, -1)
            s = cls(sections, ins)
            total = total.compose(s.map(total)) if total else s
        return total or cls.empty_of(length)
