"""The text of a stock editor, which never tells it: followed by lengths, and by what separates it from the right one.

A stock editor makes its own edits at once. It makes an edit that it is sent
only if its text has the length that the edit is for; else it drops the edit in
silence. It handles what it is sent in order. So its length is followed for
every frame on its way: from a length and a place in the row of frames, the
lengths that come are known. An edit of its own arrives with the length of the
text that it was made in. That tells how many frames the editor had handled,
among those at which its text has that length; most often one number.

No text is kept or copied here. A guess says where in the row of frames the
editor may stand, and what is `missing`: the change set from the text that it
comes to hold, when it has handled all frames, to the text that it is to hold.
Where lengths leave several guesses possible, the shadow is in doubt: nothing
is sent until another edit settles the doubt, or the editor is quiet. Then
every text that the editor may hold is replaced, by frames for each length.
An edit that no frame explains leaves its text unknown, but never its length.

A frame to a stock editor has exactly one change. The front end sets one cursor
behind each change of a foreign frame, and types at all of its cursors: a frame
of two changes would double the next key.

Pure: time is an argument. Texts are units strings.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.repair import between, single_changes
from pyshare.core.view import View
from pyshare.core.work import Work

#: Seconds after which a frame counts as handled. A connection that is silent for longer than that is as good as dead.
_ARRIVAL_SECONDS = 30
#: Frames on their way that are remembered at most; above it, the oldest count as handled.
_MOST_FRAMES = 4096
#: Seconds that a frame needs to reach an editor at the least. It decides between equal lengths only.
_FASTEST_SECONDS = 0.02
#: Sections of change sets that are kept for one editor, about. Above it its text counts as unknown, and is replaced.
_MOST_SECTIONS = 256
#: Units of the part in which texts of one length may differ, up to which that part is replaced at once, without waiting
#: until the editor is quiet.
_REPLACED_UNITS = 4096


@dataclass(frozen=True, slots=True)
class _Frame:
    """One change set that the editor was sent at `time`."""

    changes: ChangeSet
    time: float


@dataclass(frozen=True, slots=True)
class _Start:
    """Lengths that the editor's text may have had when it had handled some number of frames from `low` to `high`."""

    low: int
    high: int
    lengths: frozenset[int]


@dataclass(slots=True)
class _Guess:
    """One possibility for the editor's text."""

    #: Where it may have stood when it made its last edit.
    starts: tuple[_Start, ...]
    #: What leads from its text, when it has handled all frames, to the text that it is to hold; None: unknown.
    missing: ChangeSet | None
    #: If unknown: units at the beginning and at the end in which the two texts agree at least.
    head: int = 0
    tail: int = 0


class Shadow:
    """One stock editor, as far as it is known."""

    def __init__(self, length: int, earlier: Mapping[int, tuple[int, int]] | None = None) -> None:
        """Follow an editor that is to hold a text of `length`.

        It may hold one of some earlier texts, too: for the length of each, the
        units at the beginning and at the end in which it agrees at least.
        """
        # Length of the text that the editor is to hold.
        self._length = length
        # Frames that the editor may not have handled, and the number of those before them.
        self._frames: list[_Frame] = []
        self._first = 0
        # What the text that the editor is to hold has gone through since the guesses were made.
        self._since = ChangeSet.empty_of(length)
        # What its text may be.
        self._guesses = [_Guess((_Start(0, 0, frozenset((length,))),), ChangeSet.empty_of(length))]
        if earlier:
            head, tail = (min(ends) for ends in zip(*earlier.values(), strict=True))
            self._guesses.append(_Guess((_Start(0, 0, frozenset(earlier)),), None, head, tail))

    @property
    def missing(self) -> ChangeSet | None:
        """What the editor has to be sent so that it comes to hold what it should; None in doubt.

        Empty if it does so without, unless it makes an edit.
        """
        missing = self._guesses[0].missing if len(self._guesses) == 1 else None
        return None if missing is None else missing.compose(self._since)

    @property
    def in_step(self) -> bool:
        """Whether the editor comes to hold what it should by what it was sent already, unless it makes an edit."""
        missing = self.missing
        return missing is not None and missing.empty

    @property
    def on_the_way(self) -> int:
        """How many frames the editor may not have handled, as far as they are remembered."""
        return len(self._frames)

    def follow(self, changes: ChangeSet) -> None:
        """Have the editor hold another text from now on, to which `changes` lead from what it was to hold."""
        self._length = changes.new_length
        self._since = self._since.compose(changes)
        if len(self._since.sections) > _MOST_SECTIONS:
            for guess in self._guesses:
                guess.head, guess.tail = self._agreement(guess)
                guess.missing = None
            self._since = ChangeSet.empty_of(self._length)

    def receive(
        self,
        edit: ChangeSet,
        now: float,
        *,
        aim: View,
        allow: Callable[[ChangeSet], ChangeSet] = lambda changes: changes,
        work: Work | None = None,
    ) -> ChangeSet:
        """Note an edit that the editor has made; return it as it applies to `aim`, the text that it is to hold.

        `allow` is given that edit, and returns the part of it that may be.
        From now on the editor is to hold the text with that part; see `parts`.
        `work` is charged, and needs no end: the work is bounded.
        """
        work = work or Work()
        self._expire(now)
        work.charge(len(self._frames) + len(edit.sections))
        found = [(guess, number) for guess in self._guesses for number in self._explaining(guess, edit.length)]
        found.sort(key=lambda each: self._likelihood(each[1], now))
        made: ChangeSet | None = None
        missing: dict[ChangeSet, list[int]] = {}
        ways: dict[tuple[int, ...], list[int]] = {}
        unknown: list[tuple[_Guess, int]] = []
        sections = 0
        for guess, number in found:
            row, applied = self._applied(number, edit.length), self._applied(number, edit.new_length)
            way = (id(guess), *map(id, row), 0, *map(id, applied))
            if way in ways:
                ways[way].append(number)
                continue
            if guess.missing is not None:
                sections += len(guess.missing.sections) + 4 * len(row)
            if guess.missing is None or sections > _MOST_SECTIONS:
                unknown.append((guess, number))
                continue
            path = _composed([*row, guess.missing, self._since], work)
            mapped = edit.map(path)
            if made is None:
                made = allow(mapped)
                aim = aim.after(made)
            ahead = path.map(edit, before=True)
            if mapped != made:
                ahead = ahead.compose(between(mapped, made, aim))
            if applied:
                ahead = between(_composed(applied, work), ahead, aim)
            work.charge(2 * (len(edit.sections) + len(path.sections)))
            ways[way] = missing.setdefault(ahead, [])
            ways[way].append(number)
        agreement = self._agreement_after(edit, unknown) if found else (0, 0)
        if made is None:
            made = allow(self._clamped(edit, agreement))
        numbers = [number for _, number in unknown] if found else [self._first, self._first + len(self._frames)]
        self._note(made.new_length, edit.new_length, missing, numbers, agreement)
        return made

    def lose(self, length: int, now: float) -> None:
        """Note that the editor has made an edit that is not taken; its text has `length` now, and is not known."""
        self._expire(now)
        self._note(self._length, length, {}, [self._first, self._first + len(self._frames)], (0, 0))

    def parts(self, aim: View, *, quiet: bool) -> list[ChangeSet] | None:
        """Return the change sets of one change each that bring the editor to `aim`, the text that it is to hold.

        In doubt it returns None, unless the editor is `quiet`: it has not made
        an edit for a while, so that none is on its way.
        """
        missing = self.missing
        if missing is not None:
            return single_changes(missing, aim)
        return self._replacement(aim, quiet=quiet)

    def sent(self, parts: Sequence[ChangeSet], now: float) -> None:
        """Note that the editor was sent `parts`, as they were returned for the text that it is to hold."""
        self._frames += [_Frame(changes, now) for changes in parts]
        starts = tuple(start for guess in self._guesses for start in guess.starts)
        self._guesses = [_Guess(starts, ChangeSet.empty_of(self._length))]
        self._since = ChangeSet.empty_of(self._length)
        self._advance(self._first + len(self._frames) - _MOST_FRAMES)
        self._expire(now)

    def _note(
        self,
        aim: int,
        length: int,
        missing: Mapping[ChangeSet, Sequence[int]],
        unknown: Sequence[int],
        agreement: tuple[int, int],
    ) -> None:
        """Take the editor's text to have `length`, and the text that it is to hold to have the length `aim`.

        `missing` are the change sets to that text which are possible, each with
        the numbers of frames that the editor may have handled; `unknown` are
        numbers for which its text is known only at its ends, by `agreement`.
        """
        lengths = frozenset((length,))
        self._guesses = [
            _Guess(tuple(_Start(number, number, lengths) for number in numbers), changes)
            for changes, numbers in missing.items()
        ]
        if unknown:
            self._guesses.append(_Guess((_Start(min(unknown), max(unknown), lengths),), None, *agreement))
        self._length = aim
        self._since = ChangeSet.empty_of(aim)
        self._forget(min(start.low for guess in self._guesses for start in guess.starts))

    def _clamped(self, edit: ChangeSet, agreement: tuple[int, int]) -> ChangeSet:
        """Return what `edit` inserts, near where it stood in a text that is known only at its ends."""
        head, tail = agreement
        kept = []
        for each in edit.changes():
            from_end = edit.length - each.from_a
            place = each.from_a if each.from_a <= head else min(each.from_a, self._length - tail)
            place = self._length - from_end if each.from_a > head and from_end <= tail else place
            kept.append(Change(place, place, each.text))
        return ChangeSet.of(kept, self._length)

    def _agreement_after(self, edit: ChangeSet, places: Sequence[tuple[_Guess, int]]) -> tuple[int, int]:
        """Return the units at both ends in which the editor's text agrees with the right one, whatever it has handled.

        It has made `edit` at one of `places` in the row of frames.
        """
        ends = [kept_ends(edit), *(self._agreement(guess) for guess, _ in places)]
        if places:
            first = min(number for _, number in places) - self._first
            ends += [kept_ends(frame.changes) for frame in self._frames[first:]]
        head = min(each for each, _ in ends)
        return head, min(*(each for _, each in ends), edit.length - head, max(0, self._length - head))

    def _replacement(self, aim: View, *, quiet: bool) -> list[ChangeSet] | None:
        """Return the change sets that make `aim` of every text that the editor may hold; None if that has to wait.

        They delete the part in which those texts may differ, by one change set
        for each length, and insert the right text there. Texts of one length
        that differ in a short part need not wait until the editor is quiet.
        """
        lengths: set[int] = set()
        head = tail = self._length
        for guess in self._guesses:
            if guess.missing is None or not (guess.missing.empty and self._since.empty):
                lengths |= self._ends(guess)
                kept_head, kept_tail = self._agreement(guess)
                head, tail = min(head, kept_head), min(tail, kept_tail)
        shortest = min(*lengths, self._length)
        head = min(head, shortest)
        head -= aim.splits_pair(head)
        tail = min(tail, shortest - head)
        tail -= aim.splits_pair(self._length - tail)
        if not quiet and (len(lengths) > 1 or max(*lengths, self._length) - head - tail > _REPLACED_UNITS):
            return None
        text = aim.read(head, self._length - tail)
        rest = head + tail
        if len(lengths) == 1:
            (length,) = lengths
            parts = [ChangeSet.of([Change(head, length - tail, text)], length)]
        else:
            parts = [ChangeSet.of([Change(head, each - tail)], each) for each in sorted(lengths)]
            parts.append(ChangeSet.of([Change(head, head, text)], rest))
        return [each for each in parts if not each.empty]

    def _agreement(self, guess: _Guess) -> tuple[int, int]:
        """Return the units at the beginning, and at the end, in which a guess agrees with the right text at least."""
        head, tail = kept_ends(self._since)
        kept_head, kept_tail = (guess.head, guess.tail) if guess.missing is None else kept_ends(guess.missing)
        return min(head, kept_head), min(tail, kept_tail)

    def _likelihood(self, number: int, now: float) -> tuple[bool, int]:
        """Return a sort key: first the latest frame that had time to arrive, last the latest that had none."""
        late = number > self._first and self._frames[number - self._first - 1].time > now - _FASTEST_SECONDS
        return (late, number if late else -number)

    def _walk(self, guess: _Guess) -> Iterator[tuple[int, set[int]]]:
        """Yield the lengths that the editor's text may have when it has handled each number of frames."""
        lengths: set[int] = set()
        low = min(start.low for start in guess.starts)
        for number in range(low, self._first + len(self._frames) + 1):
            if number > low:
                changes = self._frames[number - self._first - 1].changes
                if changes.length in lengths:
                    lengths.discard(changes.length)
                    lengths.add(changes.new_length)
            for start in guess.starts:
                if start.low <= number <= start.high:
                    lengths |= start.lengths
            yield number, lengths

    def _explaining(self, guess: _Guess, length: int) -> list[int]:
        """Return the numbers of frames after which the editor's text may have had `length`."""
        return [number for number, lengths in self._walk(guess) if length in lengths]

    def _ends(self, guess: _Guess) -> set[int]:
        """Return the lengths that the editor's text may have when it has handled all frames."""
        *_, (_, lengths) = self._walk(guess)
        return lengths

    def _applied(self, number: int, length: int) -> list[ChangeSet]:
        """Return what an editor makes of the frames after `number` when its text has `length` then."""
        applied = []
        for frame in self._frames[number - self._first :]:
            if frame.changes.length == length:
                applied.append(frame.changes)
                length = frame.changes.new_length
        return applied

    def _expire(self, now: float) -> None:
        """Take the frames to have been handled that were sent long ago."""
        old = next((index for index, frame in enumerate(self._frames) if frame.time > now - _ARRIVAL_SECONDS), None)
        self._advance(self._first + (len(self._frames) if old is None else old))

    def _advance(self, number: int) -> None:
        """Take the first `number` frames to have been handled."""
        if number <= self._first:
            return
        for guess in self._guesses:
            starts = [replace(start, low=max(start.low, number)) for start in guess.starts if start.high > number]
            lengths = next((frozenset(found) for at, found in self._walk(guess) if at == number), frozenset())
            guess.starts = (_Start(number, number, lengths), *starts) if lengths else tuple(starts)
        self._forget(number)

    def _forget(self, number: int) -> None:
        """Let go of the first `number` frames."""
        del self._frames[: number - self._first]
        self._first = number


def _composed(row: Sequence[ChangeSet], work: Work) -> ChangeSet:
    """Return the change sets of `row` as one: by halves, so that each is visited a logarithm of times."""
    if len(row) == 1:
        return row[0]
    middle = len(row) // 2
    first, second = _composed(row[:middle], work), _composed(row[middle:], work)
    work.charge(len(first.sections) + len(second.sections))
    return first.compose(second)


def kept_ends(changes: ChangeSet) -> tuple[int, int]:
    """Return the units at the beginning and at the end that `changes` keep."""
    sections = changes.sections
    if not sections:
        return 0, 0
    return (sections[0] if sections[1] < 0 else 0), (sections[-2] if sections[-1] < 0 else 0)
