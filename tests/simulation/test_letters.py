"""The ledger of letters finds what was lost, doubled, brought back or misplaced, and nothing else."""

from pyshare.core.changeset import Change, ChangeSet
from simulation.letters import Letters


def inserted(letters: Letters, actor: str, text: str, place: int, insert: str) -> str:
    """Note an insertion; return the text after it."""
    changes = ChangeSet.of([Change(place, place, insert)], len(text))
    letters.edited(actor, text, changes)
    return changes.apply(text)


def deleted(letters: Letters, actor: str, text: str, start: int, end: int) -> str:
    """Note a deletion; return the text after it."""
    changes = ChangeSet.of([Change(start, end)], len(text))
    letters.edited(actor, text, changes)
    return changes.apply(text)


def test_a_letter_that_nobody_has_deleted_is_there_once() -> None:
    letters = Letters()
    one, two = letters.new(), letters.new(astral=True)
    text = inserted(letters, "ann", "", 0, one + two)
    assert letters.mistakes(text) == []
    assert "is there 0 times" in letters.mistakes(one)[0]
    assert "is there 2 times" in letters.mistakes(text + one)[0]
    assert "typed by nobody" in letters.mistakes(text + letters.new())[0]


def test_a_letter_that_was_deleted_does_not_come_back_unless_somebody_puts_it_back() -> None:
    letters = Letters()
    letter = letters.new()
    text = inserted(letters, "ann", "", 0, letter)
    assert deleted(letters, "ben", text, 0, 1) == ""
    assert letters.mistakes("") == []
    assert letters.mistakes(text) != []
    inserted(letters, "ben", "", 0, letter)
    assert letters.mistakes(text) == letters.mistakes("") == []


def test_what_one_person_has_taken_back_is_there_and_once() -> None:
    letters = Letters()
    text = inserted(letters, "ann", "", 0, letters.new())
    inserted(letters, "ann", deleted(letters, "ann", text, 0, 1), 0, text)
    assert letters.mistakes(text) == []
    assert letters.mistakes("") != []
    assert letters.mistakes(text + text) != []


def test_a_letter_in_doubt_may_be_lost_but_not_doubled() -> None:
    letters = Letters()
    text = inserted(letters, "ann", "", 0, letters.new())
    letters.doubt(text)
    assert letters.mistakes(text) == letters.mistakes("") == []
    assert letters.mistakes(text + text) != []


def test_a_deletion_in_doubt_may_come_to_nothing_and_an_insertion_beside_it_may_not() -> None:
    letters = Letters()
    text = inserted(letters, "ann", "", 0, letters.new() + letters.new())
    deleted(letters, "ann", text, 0, 1)
    letters.doubt_deletions(text)
    assert letters.mistakes(text) == letters.mistakes(text[1:]) == []
    assert letters.mistakes(text[:1]) != []


def test_letters_typed_one_behind_the_other_stay_in_their_order() -> None:
    letters = Letters()
    text = ""
    for _ in range(3):
        letter = letters.new(astral=len(text) == 1)
        letters.typed_behind("ann", letter, text)
        text = inserted(letters, "ann", text, len(text), letter)
    assert letters.mistakes(text) == []
    assert letters.mistakes("other".join(text[:1]) + text[1:]) == []
    assert "another order" in letters.mistakes(text[-1] + text[:-1])[0]


def test_a_letter_that_somebody_has_moved_has_no_place_in_the_order() -> None:
    letters = Letters()
    one, two = letters.new(), letters.new()
    letters.typed_behind("ann", one, "")
    text = inserted(letters, "ann", "", 0, one)
    letters.typed_behind("ann", two, text)
    text = inserted(letters, "ann", text, 1, two)
    rest = deleted(letters, "ben", text, 0, 1)
    moved = inserted(letters, "ben", rest, 1, one)
    assert moved == two + one
    assert letters.mistakes(moved) == []
