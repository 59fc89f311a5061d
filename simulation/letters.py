"""Letters, each typed once, and what must have become of each: the ledger of a world.

Every character that an honest client types is one that nobody typed before. So
the text alone shows what was lost, doubled or misplaced.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pyshare.core.changeset import ChangeSet
from pyshare.core.units import from_units, replace_lone_surrogates, splits_pair, to_units

#: The letters: of one UTF-16 unit, and of two.
_FIRST, _LAST = 0x4E00, 0x9FFF
_FIRST_ASTRAL = 0x20000


@dataclass(slots=True)
class Fate:
    """One letter, and what was done with it."""

    #: Times that honest clients have inserted it.
    inserted: int = 0
    #: Whether an honest client has deleted it, and whether one has put it back afterwards.
    deleted: bool = False
    restored: bool = False
    #: Who has inserted or deleted it.
    actors: set[str] = field(default_factory=set)
    #: Whether it is there after the last act.
    present: bool = False
    #: Whether its client was told, or could know, that an act may have come to nothing.
    uncertain: bool = False
    #: Whether an editor that knows no versions has deleted it or put it back.
    rough: bool = False

    def bounds(self) -> tuple[int, int]:
        """Return how often the letter may be in the text: at least, at most."""
        if self.uncertain or (self.deleted and self.rough):
            return 0, self.inserted
        if not self.deleted:
            return self.inserted, self.inserted
        if len(self.actors) == 1:
            # The acts of one person are in their order.
            return (1, 1) if self.present else (0, 0)
        # A deletion wins where nobody puts anything back.
        return (0, self.inserted) if self.restored else (0, 0)


def is_letter(character: str) -> bool:
    """Return whether a character is one that the ledger gives out."""
    return _FIRST <= ord(character) <= _LAST or ord(character) >= _FIRST_ASTRAL


class Letters:
    """The ledger of a world."""

    def __init__(self) -> None:
        self._next = _FIRST
        self._next_astral = _FIRST_ASTRAL
        self._fates: dict[str, Fate] = {}
        # Letters that were typed one behind the other, by one client.
        self._runs: dict[str, list[str]] = {}
        #: Transactions of honest clients.
        self.edits = 0

    def new(self, *, astral: bool = False) -> str:
        """Return a letter that nobody has typed, as a units string."""
        if astral:
            self._next_astral += 1
            return to_units(chr(self._next_astral))
        self._next += 1
        return chr(self._next)

    def edited(self, actor: str, before: str, changes: ChangeSet, *, rough: bool = False) -> list[str]:
        """Note an edit of a text; return the letters that it concerns."""
        self.edits += 1
        touched = []
        for change in changes.changes():
            for letter in _letters(before[change.from_a : change.to_a]):
                self._note(letter, actor, 0, rough=rough)
                touched.append(letter)
            for letter in _letters(change.text):
                self._note(letter, actor, 1, rough=rough)
                touched.append(letter)
        return touched

    def typed_behind(self, actor: str, letter: str, before: str) -> None:
        """Note that `actor` has typed a letter right behind the letter `before`, if that ended its last run."""
        runs = self._runs.setdefault(actor, [])
        last = last_character(before)
        if runs and last and runs[-1].endswith(from_units(last)):
            runs[-1] += from_units(letter)
        else:
            runs.append(from_units(letter))

    def _note(self, letter: str, actor: str, inserted: int, *, rough: bool) -> None:
        fate = self._fates.get(letter)
        if fate is None:
            fate = self._fates[letter] = Fate()
        fate.actors.add(actor)
        fate.present = inserted > 0
        fate.inserted += inserted
        fate.restored |= inserted > 0 and fate.deleted
        fate.deleted |= inserted == 0
        fate.rough |= rough and fate.deleted

    def doubt(self, letters: Iterable[str]) -> None:
        """Let what was done with these letters count as done or not done."""
        for letter in letters:
            self._fates[letter].uncertain = True

    def doubt_deletions(self, letters: Iterable[str]) -> None:
        """Let those of the letters that somebody has deleted be there or not."""
        for letter in letters:
            self._fates[letter].uncertain |= self._fates[letter].deleted

    def know(self, letters: Iterable[str]) -> None:
        """Note letters that were typed, or deleted, where the editor could not send that."""
        for letter in letters:
            fate = self._fates.setdefault(letter, Fate())
            fate.inserted = max(1, fate.inserted)
            fate.uncertain = True

    def doubt_all(self) -> None:
        """Let all that was done so far count as done or not done: the store has lost what nobody held."""
        for fate in self._fates.values():
            fate.uncertain = True

    def mistakes(self, text: str, *, deletable: bool = False) -> list[str]:
        """Return what is wrong with a text that all have come to, in words.

        With `deletable` any letter may have been deleted, by somebody whose edits nobody notes.
        """
        plain = from_units(text)
        counts = Counter(filter(is_letter, plain))
        wrong = []
        for letter, fate in self._fates.items():
            count = counts.pop(letter, 0)
            least, most = fate.bounds()
            least = 0 if deletable else least
            if not least <= count <= most:
                who = ", ".join(sorted(fate.actors))
                wrong.append(f"{letter} of {who} is there {count} times; at least {least}, at most {most}")
        wrong += [f"{letter} was typed by nobody" for letter in counts]
        return wrong or self._out_of_order(plain)

    def _out_of_order(self, plain: str) -> list[str]:
        places = {letter: place for place, letter in enumerate(plain)}
        wrong = []
        for actor, runs in self._runs.items():
            for run in runs:
                last = -1
                for letter in run:
                    # A letter that was put back may be anywhere, and what was typed behind it is there, too.
                    fate = self._fates.get(letter)
                    if fate is not None and fate.inserted > 1:
                        last = -1
                        continue
                    if fate is not None and fate.uncertain:
                        # What was around it may be lost, and its client has merged what it held with what is left.
                        continue
                    if places.get(letter, last) < last:
                        wrong.append(f"{actor} has typed {run}, and the text has these letters in another order")
                        break
                    last = places.get(letter, last)
        return wrong


def _letters(units: str) -> Sequence[str]:
    # A stock editor that holds another text than it was sent frames for may have half a letter.
    return [character for character in from_units(replace_lone_surrogates(units)) if is_letter(character)]


def last_character(units: str) -> str:
    """Return the last character of a units string, of one unit or two; nothing if there is none."""
    return units[-2:] if units[-1:] and splits_pair(units, len(units) - 1) else units[-1:]
