"""The hand of a person: what is typed, deleted, pasted and taken back next, in whatever text is on the screen."""

from random import Random

from pyshare.core.changeset import Change
from pyshare.core.units import from_units, splits_pair
from simulation.letters import Letters, is_letter, last_character

#: Keys that an editor has; each is one transaction.
KEYS = ("type", "type", "type", "type", "type", "type", "delete", "replace", "paste", "places", "undo", "enter")


class Hand:
    """Chooses changes of a text; texts are units strings."""

    def __init__(self, name: str, random: Random, letters: Letters) -> None:
        self._name = name
        self._random = random
        self._letters = letters
        # The letter behind which it types.
        self._last = ""
        # What it has inserted last; and what it has deleted last, with what stood before that.
        self._inserted = ""
        self._deleted: tuple[str, str] | None = None

    def press(self, key: str, text: str) -> list[Change]:
        """Return the changes of one key, none if it does nothing."""
        match key:
            case "delete":
                return self._delete(text)
            case "replace":
                return self._replace(text)
            case "paste":
                return self._paste(text)
            case "places":
                return self._types_in_places(text)
            case "undo":
                return self._undo(text)
            case "enter":
                place = self._place(text)
                return [Change(place, place, "\n")]
            case _:
                return self._type(text)

    def _type(self, text: str) -> list[Change]:
        place = self._cursor(text)
        letter = self._letters.new(astral=self._random.random() < 0.15)
        self._letters.typed_behind(self._name, letter, text[:place])
        self._last = self._inserted = letter
        self._deleted = None
        return [Change(place, place, letter)]

    def _cursor(self, text: str) -> int:
        found = text.find(self._last) if self._last and self._random.random() < 0.85 else -1
        return found + len(self._last) if found >= 0 else self._place(text)

    def _place(self, text: str) -> int:
        place = int(self._random.random() * (len(text) + 1))
        return place - splits_pair(text, place)

    def _span(self, text: str, most: int) -> tuple[int, int]:
        start = self._place(text)
        end = min(len(text), start + 1 + int(self._random.random() * most))
        return start, end - splits_pair(text, end)

    def _delete(self, text: str) -> list[Change]:
        start, end = self._span(text, 4 if self._random.random() < 0.9 else 40)
        if start >= end:
            return []
        self._deleted = (last_character(text[:start]), text[start:end])
        self._inserted = ""
        return [Change(start, end)]

    def _replace(self, text: str) -> list[Change]:
        start, end = self._span(text, 6)
        self._last = self._inserted = self._letters.new()
        self._deleted = None
        return [Change(start, end, self._last)]

    def _paste(self, text: str) -> list[Change]:
        count = 3 + int(self._random.random() * 20)
        pasted = "".join(self._letters.new(astral=self._random.random() < 0.1) for _ in range(count))
        place = self._place(text)
        self._inserted, self._deleted = pasted, None
        return [Change(place, place, pasted)]

    def _types_in_places(self, text: str) -> list[Change]:
        places = sorted({self._place(text) for _ in range(3)})
        return [Change(place, place, self._letters.new()) for place in places]

    def _undo(self, text: str) -> list[Change]:
        """Take back the last edit: delete what was inserted, as far as it is there, or put back what was deleted."""
        if self._inserted:
            start = text.find(self._inserted)
            end = start + len(self._inserted)
            self._inserted = ""
            return [Change(start, end)] if start >= 0 else []
        if self._deleted is not None:
            before, deleted = self._deleted
            self._deleted = None
            found = text.find(before)
            place = found + len(before) if found >= 0 else 0
            place -= splits_pair(text, place)
            # What somebody else has put back meanwhile is not put back twice.
            if any(letter in from_units(text) for letter in from_units(deleted) if is_letter(letter)):
                return []
            return [Change(place, place, deleted)]
        return []
