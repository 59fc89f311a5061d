"""What is unconfirmed: a push that comes back before it is committed."""

from functools import reduce

import pytest

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.parcel import PartLimits
from pyshare.core.unconfirmed import Unconfirmed

LIMITS = PartLimits(100_000)
TYPED = ChangeSet.of([Change(0, 0, "x" * 1000)], 0)


@pytest.mark.parametrize("limit_bytes", [300, 100_000])
def test_a_push_that_is_recalled_is_launched_again_with_what_it_left_behind(limit_bytes: int) -> None:
    unconfirmed = Unconfirmed()
    unconfirmed.add(TYPED)
    first = unconfirmed.launch(1, PartLimits(limit_bytes))
    assert first is not None
    assert (first.changes == TYPED) == (limit_bytes > 1000)

    unconfirmed.recall()

    assert unconfirmed.in_flight is None
    assert unconfirmed.count == 1
    again = unconfirmed.launch(2, PartLimits(100_000))
    assert again is not None
    assert again.changes == TYPED
    assert unconfirmed.land() == TYPED
    assert unconfirmed.count == 0


def apart(*texts: str) -> Unconfirmed:
    """Return edits that each put a text at the end, kept apart."""
    unconfirmed = Unconfirmed(apart=64)
    length = 0
    for text in texts:
        unconfirmed.add(ChangeSet.of([Change(length, length, text)], length))
        length += len(text)
    return unconfirmed


def launched(unconfirmed: Unconfirmed, limits: PartLimits = LIMITS) -> str:
    """Launch the next push and let it land; return what it inserts."""
    flying = unconfirmed.launch(1, limits)
    assert flying is not None
    return "".join(unconfirmed.land().inserted)


def test_edits_are_launched_together_and_after_a_refusal_one_by_one() -> None:
    unconfirmed = apart("a", "b", "c")
    flying = unconfirmed.launch(1, LIMITS)
    assert flying is not None
    assert "".join(flying.changes.inserted) == "abc"
    assert unconfirmed.divide()
    assert launched(unconfirmed) == "a"
    unconfirmed.launch(2, LIMITS)
    assert not unconfirmed.divide()
    assert unconfirmed.take_back("a") == (
        ChangeSet.of([Change(1, 1, "b")], 1),
        ChangeSet.of([Change(1, 2)], 3),
    )
    unconfirmed.add(ChangeSet.of([Change(2, 2, "d")], 2))
    unconfirmed.add(ChangeSet.of([Change(3, 3, "e")], 3))
    assert launched(unconfirmed) == "c"
    assert launched(unconfirmed) == "de"
    assert unconfirmed.count == 0


def test_edits_that_are_launched_one_by_one_stay_apart_however_many_are_made_behind_them() -> None:
    unconfirmed = apart(*"abc")
    unconfirmed.launch(1, LIMITS)
    assert unconfirmed.divide()
    for at in range(3, 203):
        unconfirmed.add(ChangeSet.of([Change(at, at, "x")], at))
    assert [launched(unconfirmed) for _ in "abc"] == ["a", "b", "c"]
    assert launched(unconfirmed) == "x" * 200
    assert unconfirmed.count == 0


def test_edits_that_are_launched_one_by_one_become_one_when_they_were_moved_often() -> None:
    for more in ("", "x" * 64):
        unconfirmed = apart(*"abc")
        unconfirmed.launch(1, LIMITS)
        assert unconfirmed.divide()
        for at, letter in enumerate(more, 3):
            unconfirmed.add(ChangeSet.of([Change(at, at, letter)], at))
        for _ in range(64):
            unconfirmed.pass_over(ChangeSet.empty_of(0))
        assert launched(unconfirmed) == "abc" + more


def test_no_more_edits_are_launched_together_than_fit() -> None:
    unconfirmed = apart("a" * 100, "b" * 100, "c" * 100)
    assert launched(unconfirmed, PartLimits(1500)) == "a" * 100 + "b" * 100
    assert launched(unconfirmed, PartLimits(1500)) == "c" * 100
    unconfirmed = apart("a", "b", "c")
    assert launched(unconfirmed, PartLimits(100_000, 3)) == "ab"


def test_many_edits_and_edits_that_were_moved_often_become_one() -> None:
    unconfirmed = apart(*"a" * 64)
    unconfirmed.launch(1, LIMITS)
    assert not unconfirmed.divide()
    unconfirmed = apart(*"abc")
    unconfirmed.launch(1, LIMITS)
    for _ in range(64):
        unconfirmed.pass_over(ChangeSet.of([Change(0, 0, "x")], 0).compose(ChangeSet.of([Change(0, 1)], 1)))
    assert not unconfirmed.divide()
    assert unconfirmed.count == 3


def test_edits_moved_behind_others_one_by_one_are_launched_one_by_one_only_if_that_comes_to_the_same() -> None:
    for at_a_tie in (False, True):
        unconfirmed = Unconfirmed(apart=64)
        unconfirmed.add(ChangeSet.of([Change(1, 3)], 4))
        unconfirmed.add(ChangeSet.of([Change(1, 1, "y")], 2))
        flying = unconfirmed.launch(1, LIMITS)
        assert flying is not None
        at = 2 if at_a_tie else 0
        unconfirmed.pass_over(ChangeSet.of([Change(at, at, "x")], 4))
        whole = flying.changes
        unconfirmed.divide()
        parts = []
        while unconfirmed.launch(2, LIMITS):
            parts.append(unconfirmed.land())
        assert reduce(ChangeSet.compose, parts).apply("abcde") == whole.apply("abcde")


def test_a_push_that_was_made_larger_leaves_deletions_to_what_it_had_left_already() -> None:
    for limits, count in ((PartLimits(100_000, 8), 2), (PartLimits(100_000, 100), 1)):
        unconfirmed = Unconfirmed()
        unconfirmed.add(ChangeSet.of([Change(0, 40, "new"), *(Change(at, at + 1) for at in range(50, 70, 2))], 80))
        flying = unconfirmed.launch(1, limits)
        assert flying is not None
        assert flying.is_part == (count == 2)
        whole = unconfirmed.whole(80)
        others = ChangeSet.of([Change(at, at, "x") for at in range(2, 38, 4)], 80)
        unconfirmed.pass_over(others)
        unconfirmed.fit(PartLimits(100_000, 12))
        assert unconfirmed.in_flight is not None
        assert unconfirmed.in_flight.changes.steps <= 12
        assert unconfirmed.whole(89) == whole.map(others)
        unconfirmed.land()
        assert unconfirmed.count == 1
        while unconfirmed.launch(2, PartLimits(100_000)):
            unconfirmed.land()
        assert unconfirmed.count == 0


def test_a_push_that_cannot_be_made_to_fit_is_put_back_and_one_that_fits_is_left() -> None:
    unconfirmed = apart("x" * 1000)
    unconfirmed.launch(1, LIMITS)
    unconfirmed.fit(LIMITS)
    assert unconfirmed.in_flight is not None
    unconfirmed.fit(PartLimits(500))
    assert launched(unconfirmed) == "x" * 1000


def test_a_push_that_was_too_much_is_launched_in_parts_that_grow_again_and_one_change_is_not() -> None:
    unconfirmed = Unconfirmed()
    unconfirmed.add(ChangeSet.of([Change(2 * at, 2 * at + 1) for at in range(64)], 128))
    steps = []
    flying = unconfirmed.launch(1, LIMITS)
    assert flying is not None
    assert unconfirmed.shrink()
    unconfirmed.launch(1, LIMITS)
    assert unconfirmed.shrink()
    while flying := unconfirmed.launch(1, LIMITS):
        steps.append(flying.changes.steps)
        unconfirmed.land()
    assert steps[0] < steps[1]
    assert sum(steps) > 100
    unconfirmed.add(ChangeSet.of([Change(0, 1)], 64))
    unconfirmed.launch(2, LIMITS)
    assert not unconfirmed.shrink()


def test_all_can_be_taken_back_at_once() -> None:
    unconfirmed = apart("ab", "c")
    unconfirmed.launch(1, LIMITS)
    unconfirmed.add(ChangeSet.of([Change(0, 0, "d")], 3))
    changes, undo = unconfirmed.take_back_all("")
    assert (changes.apply(""), undo.apply("dabc")) == ("dabc", "")
    assert (unconfirmed.count, unconfirmed.launch(2, LIMITS)) == (0, None)


def test_what_a_push_left_behind_is_not_composed_with_what_was_typed_since() -> None:
    unconfirmed = Unconfirmed()
    unconfirmed.add(TYPED)
    assert unconfirmed.launch(1, PartLimits(300)) is not None
    for at in range(1000, 1010):
        unconfirmed.add(ChangeSet.of([Change(at, at, "y")], at))
    changes, undo = unconfirmed.take_back("")
    assert changes == TYPED
    assert undo.apply("x" * 1000 + "y" * 10) == "y" * 10
    assert unconfirmed.count == 10


def test_what_comes_to_nothing_is_settled_without_a_push_and_what_waits_is_moved_as_one_after_many_moves() -> None:
    unconfirmed = apart(*"abc")
    for _ in range(64):
        unconfirmed.pass_over(ChangeSet.empty_of(0))
    unconfirmed.launch(1, LIMITS)
    assert not unconfirmed.divide()
    unconfirmed = apart("a")
    unconfirmed.add(ChangeSet.of([Change(0, 1)], 1))
    assert (unconfirmed.launch(1, LIMITS), unconfirmed.count) == (None, 0)
