"""A text that parted from another is brought back to it, by change sets of one change each."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.repair import between, single_changes, whole_pairs
from pyshare.core.units import has_lone_surrogate, to_units
from pyshare.core.view import View
from tests.core.test_view import change_sets

TEXT = to_units("some \U0001f600 text")


@settings(deadline=None)
@given(st.data())
def test_what_lies_between_two_change_sets_leads_from_the_text_of_one_to_the_text_of_the_other(
    data: st.DataObject,
) -> None:
    one, two = data.draw(change_sets(len(TEXT))), data.draw(change_sets(len(TEXT)))
    made = between(one, two, View(TEXT, two))
    assert made.apply(one.apply(TEXT)) == two.apply(TEXT)


def test_what_both_insert_at_one_place_is_kept() -> None:
    one = ChangeSet.of([Change(4, 4, "xyz"), Change(8, 8, "a")], len(TEXT))
    two = ChangeSet.of([Change(4, 4, "xyaz"), Change(8, 8, "a")], len(TEXT))
    (change,) = between(one, two, View(TEXT, two)).changes()
    assert (change.from_a, change.to_a, change.text) == (6, 6, "a")


@settings(deadline=None)
@given(st.data())
def test_single_changes_lead_where_the_change_set_leads_and_have_one_change_each(data: st.DataObject) -> None:
    length = data.draw(st.sampled_from([20, 400, 20_000]))
    text = "".join(chr(97 + index % 26) for index in range(length))
    places = sorted(data.draw(st.sets(st.integers(0, length), max_size=60)))
    changes = ChangeSet.of([Change(place, place, "x") for place in places], length)
    parts = single_changes(changes, View(text, changes))
    assert len(parts) <= 16
    starts = []
    for part in parts:
        (change,) = part.changes()
        starts.append(change.from_a)
        text = part.apply(text)
    assert starts == sorted(starts, reverse=True)
    assert text == changes.apply("".join(chr(97 + index % 26) for index in range(length)))


def test_changes_far_apart_are_parts_of_their_own_and_changes_near_each_other_are_one() -> None:
    text = "." * 10_000
    changes = ChangeSet.of([Change(10, 10, "a"), Change(20, 21), Change(9_000, 9_000, "b")], len(text))
    last, first = single_changes(changes, View(text, changes))
    assert [(each.from_a, each.to_a, each.text) for each in last.changes()] == [(9_000, 9_000, "b")]
    assert [(each.from_a, each.to_a, each.text) for each in first.changes()] == [(10, 21, "a" + "." * 10)]


@pytest.mark.parametrize(
    ("change", "made"),
    [
        (Change(5, 6), (5, 7, "")),
        (Change(6, 7), (5, 7, "")),
        (Change(6, 6, "x"), (5, 5, "x")),
        (Change(0, 0, "\ud83d"), (0, 0, "\ufffd")),
        (Change(4, 8, "y"), (4, 8, "y")),
    ],
)
def test_no_pair_is_split_and_no_half_of_one_is_inserted(change: Change, made: tuple[int, int, str]) -> None:
    changes = ChangeSet.of([change], len(TEXT))
    whole = whole_pairs(changes, View(TEXT))
    (only,) = whole.changes()
    assert (only.from_a, only.to_a, only.text) == made
    assert not has_lone_surrogate(whole.apply(TEXT))
