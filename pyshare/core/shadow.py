"""What a stock editor holds, which never says: followed by what it was sent, what it sends, and the lengths in both.

A stock editor makes its own edits at once, and makes an edit that it is sent
only if its text has the length that the edit is for; else it drops it, in
silence. It handles what it is sent in order. So when an edit of its own
arrives, for a text of a length that it names, it has handled some first part
of what it was sent before, and each such part leads from what it held to a
text of known length: those of the right length are what it may have held, one
of them as a rule. Then everything else follows: what it makes or drops of what
is still on its way, where its edit belongs, and what it has to be sent so that
it comes to hold what it should.

Where lengths leave several texts possible, the shadow is in doubt: nothing is
sent until another edit settles it, or the editor is quiet. Then the part in
which those texts differ is replaced, by one edit for each length.

Pure: time is an argument. Texts are units strings.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.difference import difference, longest
from pyshare.core.units import splits_pair

#: Edits on their way that are remembered; of more, the oldest are taken to have arrived.
_MOST_SENT = 512
#: Texts that an editor may hold and that are told apart.
_MOST_GUESSES = 64
#: Both are less where texts are long, so that trying each text with each edit copies no more units than about this
#: (some milliseconds), which whoever types for somebody else's editor could have done for each of its edits.
_MOST_WORK_UNITS = 16_777_216
#: But never less than this.
_LEAST = 4
#: Stands for text that is not known; no editor has it.
_UNKNOWN = "\0"


@dataclass(frozen=True, slots=True)
class _Guess:
    """What the editor may hold: this text, once it had handled what it was sent up to number `handled`."""

    text: str
    handled: int


class Shadow:
    """One stock editor, as far as it is known."""

    def __init__(self, text: str, others: Iterable[str] = ()) -> None:
        """Follow an editor that holds `text`, or one of `others`, and is to hold `text`."""
        # What the editor is to hold.
        self._aim = text
        # What it was sent and may not have handled, the first of which has number `_first`.
        self._sent: list[ChangeSet] = []
        self._first = 0
        # What it may hold.
        self._guesses = tuple(_Guess(each, 0) for each in dict.fromkeys((text, *others)))
        # Whether it will hold `_aim` as soon as it has handled what it was sent, if it makes no edits meanwhile.
        self._in_step = len(self._guesses) == 1

    @property
    def in_step(self) -> bool:
        """Whether the editor comes to hold what it should by what it was sent already, unless it makes an edit."""
        return self._in_step

    @property
    def aim(self) -> str:
        """What the editor is to hold."""
        return self._aim

    @property
    def work_units(self) -> int:
        """About how many units are copied to find out where an edit belongs that the editor makes now."""
        return len(self._guesses) * (len(self._sent) + 1) * (len(self._aim) + 1)

    def follow(self, changes: ChangeSet, aim: str) -> bool:
        """Have the editor hold `aim` from now on, to which `changes` lead from what it was to hold.

        Returns whether it is to be sent just these `changes`, which then count
        as sent; else see `corrections`.
        """
        self._aim = aim
        if self._in_step and not changes.empty:
            self._send(changes)
            return True
        return False

    def take_back(self, count: int) -> None:
        """The last so many edits that count as sent were not."""
        del self._sent[len(self._sent) - count :]
        self._in_step = False

    def receive(self, edit: ChangeSet) -> ChangeSet:
        """Note an edit that the editor has made; return it as it applies to what the editor is to hold.

        What it is to hold is then that with the edit; what it has to be sent
        for that, see `corrections`.
        """
        found = self._having_length(edit.length)
        if found:
            # What was sent last is the likeliest to be still on its way.
            held = found[0]
            rebased = edit.map(self._path_to_aim(held))
            most = _MOST_WORK_UNITS // (len(held.text) + 1) // (len(self._sent) + 1)
            found = found[: max(_LEAST, min(_MOST_GUESSES, most))]
            self._guesses = tuple({_Guess(edit.apply(each.text), each.handled): None for each in found})
        else:
            # It holds something that it cannot hold: what it has typed is kept, near where it was.
            length = len(self._aim)
            kept = [Change(min(each.from_a, length), min(each.from_a, length), each.text) for each in edit.changes()]
            rebased = ChangeSet.of(kept, length)
            self._guesses = (_Guess(_UNKNOWN * edit.new_length, self._first + len(self._sent)),)
        self._aim = rebased.apply(self._aim)
        self._forget_handled()
        self._in_step = False
        return rebased

    def corrections(self, *, quiet: bool) -> list[ChangeSet]:
        """Return what the editor has to be sent, in order, so that it comes to hold what it should.

        It counts as sent. In doubt nothing is, unless the editor is `quiet`:
        has not made an edit for a while, so that nothing of it is on its way.
        """
        if self._in_step:
            return []
        rests = list(dict.fromkeys(map(self._rest, self._guesses)))
        known = len(rests) == 1 and _UNKNOWN not in rests[0]
        sent: list[ChangeSet] = []
        if known:
            sent = [] if rests[0] == self._aim else [difference(rests[0], self._aim)]
        elif not quiet:
            return []
        else:
            for _, texts in groupby(sorted(rests, key=len), key=len):
                sent.extend(self._replacement(list(texts)))
        for changes in sent:
            self._send(changes)
        self._in_step = True
        return sent

    def _replacement(self, texts: Sequence[str]) -> Iterable[ChangeSet]:
        """Return the edit that makes what the editor is to hold of each of `texts`, which are of one length."""
        aim = self._aim
        length = len(texts[0])
        if length == len(aim):
            # A text that was replaced already is met again by this one.
            texts = [*texts, aim]
        start = min(_common_prefix(text, aim) for text in texts)
        end = min(_common_suffix(text, aim) for text in texts)
        end = min(end, min(length, len(aim)) - start)
        while any(splits_pair(text, start) for text in (*texts, aim)):
            start -= 1
        while any(splits_pair(text, len(text) - end) for text in (*texts, aim)):
            end -= 1
        changes = ChangeSet.of([Change(start, length - end, aim[start : len(aim) - end])], length)
        return () if changes.empty else (changes,)

    def _having_length(self, length: int) -> list[_Guess]:
        """Return what the editor may have held when its text had `length`."""
        found: dict[_Guess, None] = {}
        for guess in self._guesses:
            text = guess.text
            if len(text) == length:
                found[guess] = None
            for number, changes in enumerate(self._sent[guess.handled - self._first :], guess.handled + 1):
                if changes.length == len(text):
                    text = changes.apply(text)
                if len(text) == length:
                    found[_Guess(text, number)] = None
        return list(found)

    def _rest(self, guess: _Guess) -> str:
        """Return what the editor holds when it has handled all that it was sent."""
        text = guess.text
        for changes in self._sent[guess.handled - self._first :]:
            if changes.length == len(text):
                text = changes.apply(text)
        return text

    def _path_to_aim(self, guess: _Guess) -> ChangeSet:
        """Return what leads from what the editor held to what it is to hold."""
        path = ChangeSet.empty_of(len(guess.text))
        text = guess.text
        for changes in self._sent[guess.handled - self._first :]:
            if changes.length == len(text):
                path = path.compose(changes)
                text = changes.apply(text)
        return path if text == self._aim else path.compose(difference(text, self._aim))

    def _send(self, changes: ChangeSet) -> None:
        self._sent.append(changes)
        most = _MOST_WORK_UNITS // (changes.length + 1) // len(self._guesses)
        most = max(_LEAST, min(_MOST_SENT, most))
        if len(self._sent) > most:
            self._arrive(self._first + len(self._sent) - most // 2)

    def _arrive(self, number: int) -> None:
        """Take what was sent up to `number` to have been handled."""
        guesses: dict[_Guess, None] = {}
        for guess in self._guesses:
            text = guess.text
            for changes in self._sent[guess.handled - self._first : number - self._first]:
                if changes.length == len(text):
                    text = changes.apply(text)
            guesses[_Guess(text, max(number, guess.handled))] = None
        self._guesses = tuple(guesses)
        self._forget_handled()

    def _forget_handled(self) -> None:
        oldest = min(guess.handled for guess in self._guesses)
        del self._sent[: oldest - self._first]
        self._first = oldest


def _common_prefix(one: str, two: str) -> int:
    return longest(min(len(one), len(two)), lambda length: one[:length] == two[:length])


def _common_suffix(one: str, two: str) -> int:
    shorter = min(len(one), len(two))
    return longest(shorter, lambda length: one[len(one) - length :] == two[len(two) - length :])
