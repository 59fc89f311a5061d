"""The judge of a quiet moment: one text everywhere, each letter as often as it may be, in its order; no I/O."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

#: Where letters begin and end that are typed once each. Everything else in a text is not counted.
FIRST_LETTER, END_OF_LETTERS = 0x4E00, 0xD7A3


@dataclass(frozen=True, slots=True)
class Typed:
    """What one person has typed."""

    name: str
    #: Letters that were each put right behind the one before, in this order; nobody deletes any.
    words: Sequence[str]
    #: Letters whose fate was told as unknown or refused: they are there once, or not.
    maybe: str = ""
    #: Whether the order counts. It does not at a stock editor, whose frames tell by lengths alone which text they are
    #: for: where much is on its way, several texts have one length, and the letter is put near its place.
    ordered: bool = True


def judge(texts: Mapping[str, str], typed: Iterable[Typed]) -> list[str]:
    """Return what is wrong, in words; nothing if all is as it should be.

    Args:
        texts: what each place shows, by its name.
        typed: what each person has typed, all of them.
    """
    wrong = _differences(texts)
    text = next(iter(texts.values()), "")
    counts = Counter(each for each in text if is_letter(each))
    known = set[str]()
    for person in typed:
        letters = "".join(person.words)
        known |= set(letters)
        lost = [each for each in letters if counts[each] == 0 and each not in person.maybe]
        doubled = [each for each in letters if counts[each] > 1]
        if lost:
            wrong.append(f"{person.name}: lost {_shown(lost, letters)}")
        if doubled:
            wrong.append(f"{person.name}: there more than once {_shown(doubled, letters)}")
        wrong += _disorder(person, text, counts)
    if strange := sorted(set(counts) - known):
        wrong.append(f"letters that nobody has typed: {''.join(strange)}")
    return wrong


def is_letter(character: str) -> bool:
    """Whether a character is one of those that are typed once each."""
    return FIRST_LETTER <= ord(character) < END_OF_LETTERS


def _differences(texts: Mapping[str, str]) -> list[str]:
    common, places = Counter(texts.values()).most_common(1)[0] if texts else ("", 0)
    if places == len(texts):
        return []
    others = [f"{name} ({len(text)} units)" for name, text in texts.items() if text != common]
    return [f"{places} places have one text of {len(common)} units; others: {', '.join(others)}"]


def _disorder(person: Typed, text: str, counts: Mapping[str, int]) -> list[str]:
    wrong = []
    for word in person.words if person.ordered else ():
        places = [text.index(each) for each in word if counts[each] == 1]
        if places != sorted(places):
            found = "".join(sorted((each for each in word if counts[each] == 1), key=text.index))
            wrong.append(f"{person.name}: typed {word}, stands as {found}")
    return wrong


def _shown(letters: Sequence[str], all_letters: str) -> str:
    places = ", ".join(str(all_letters.index(each) + 1) for each in letters[:5])
    return f"{len(letters)} of {len(all_letters)} letters (numbers {places}{', ...' if len(letters) > 5 else ''})"
