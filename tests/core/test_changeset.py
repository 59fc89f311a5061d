"""Change sets: their laws as properties, what `from_json` takes and refuses, and what does not fit."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshare.core.changeset import Change, ChangeSet, ChangeSetError, MapMode
from pyshare.core.units import to_units
from pyshare.core.work import TURN_STEPS, Parts, Work, WorkSpent

LETTERS = "ab\n\u00e9\U0001f600"
ORDINARY = st.text(LETTERS, max_size=12)
TEXTS = ORDINARY.map(to_units)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=12,
)


@st.composite
def change_sets(draw: st.DrawFn, length: int) -> ChangeSet:
    """Draw a change set for a text of `length`, of up to four changes in any order."""
    changes = []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, length))
        end = draw(st.integers(start, min(length, start + 4)))
        changes.append(Change(start, end, draw(st.text(LETTERS, max_size=3))))
    return ChangeSet.of(changes, length)


@st.composite
def texts_with_two(draw: st.DrawFn) -> tuple[str, ChangeSet, ChangeSet]:
    """Draw a text and two change sets for it."""
    text = draw(TEXTS)
    return text, draw(change_sets(len(text))), draw(change_sets(len(text)))


@st.composite
def texts_with_three_in_turn(draw: st.DrawFn) -> tuple[str, ChangeSet, ChangeSet, ChangeSet]:
    """Draw a text and three change sets, each for the text after the one before."""
    text = draw(TEXTS)
    first = draw(change_sets(len(text)))
    second = draw(change_sets(first.new_length))
    return text, first, second, draw(change_sets(second.new_length))


@given(texts_with_two())
def test_both_orders_of_two_concurrent_changes_make_one_text(drawn: tuple[str, ChangeSet, ChangeSet]) -> None:
    text, a, b = drawn
    one = a.compose(b.map(a)).apply(text)
    assert one == b.compose(a.map(b, before=True)).apply(text)
    assert one == b.map(a).apply(a.apply(text))


@given(texts_with_three_in_turn())
def test_a_composition_does_what_its_parts_do_in_turn(drawn: tuple[str, ChangeSet, ChangeSet, ChangeSet]) -> None:
    text, a, b, c = drawn
    expected = c.apply(b.apply(a.apply(text)))
    assert a.compose(b).compose(c).apply(text) == expected
    assert a.compose(b.compose(c)).apply(text) == expected


@given(texts_with_two())
def test_an_inverted_change_takes_it_back(drawn: tuple[str, ChangeSet, ChangeSet]) -> None:
    text, a, _ = drawn
    inverted = a.invert(text)
    assert inverted.apply(a.apply(text)) == text
    assert (inverted.length, inverted.new_length) == (a.new_length, a.length)
    assert inverted.invert(a.apply(text)).apply(text) == a.apply(text)


@given(texts_with_two())
def test_json_there_and_back_is_the_same_change_set(drawn: tuple[str, ChangeSet, ChangeSet]) -> None:
    _, a, b = drawn
    again = ChangeSet.from_json(a.to_json())
    assert again == a
    assert hash(again) == hash(a)
    assert (a == b) == (a.to_json() == b.to_json())


@given(texts_with_two(), st.sampled_from((-1, 1)))
def test_mapped_positions_keep_their_order_and_stay_in_the_text(
    drawn: tuple[str, ChangeSet, ChangeSet], assoc: int
) -> None:
    text, a, _ = drawn
    mapped = [a.map_pos(pos, assoc) for pos in range(len(text) + 1)]
    assert mapped == sorted(mapped)
    assert all(0 <= pos <= a.new_length for pos in mapped)


@given(texts_with_two())
def test_a_kept_character_is_where_its_position_is_mapped_to(drawn: tuple[str, ChangeSet, ChangeSet]) -> None:
    text, a, _ = drawn
    after = a.apply(text)
    for pos, unit in enumerate(text):
        mapped = a.map_pos_or_none(pos, 1, mode=MapMode.TRACK_AFTER)
        if mapped is not None:
            assert after[mapped] == unit


@given(texts_with_two())
def test_changed_ranges_name_what_stands_on_both_sides(drawn: tuple[str, ChangeSet, ChangeSet]) -> None:
    text, a, _ = drawn
    after = a.apply(text)
    rebuilt, pos = "", 0
    for change in a.changes():
        assert after[change.from_b : change.to_b] == change.text
        rebuilt += text[pos : change.from_a] + change.text
        pos = change.to_a
    assert rebuilt + text[pos:] == after
    assert sum(change.to_a - change.from_a for change in a.changes(individual=True)) == sum(
        change.to_a - change.from_a for change in a.changes()
    )


@given(JSON)
def test_whatever_is_no_change_set_is_refused_as_such(value: object) -> None:
    try:
        changes = ChangeSet.from_json(value)
    except ChangeSetError:
        return
    assert ChangeSet.from_json(changes.to_json()) == changes


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (None, "changes: should be a list"),
        ({"0": 1}, "changes: should be a list"),
        ([-1], r"changes\[0\]"),
        ([2, True], r"changes\[1\]"),
        ([1.0], r"changes\[0\]"),
        ([2**53], r"changes\[0\]"),
        ([[]], r"changes\[0\]: should begin with a length"),
        ([["x"]], r"changes\[0\]: should begin with a length"),
        ([[0, 1]], r"changes\[0\]: after the length only lines"),
        ([3, [0, "a\nb"]], r"changes\[1\]: a line with a line break"),
        ([3, [0, "a\r"]], r"changes\[1\]: a line with a line break"),
    ],
)
def test_a_refusal_names_the_part(value: object, where: str) -> None:
    with pytest.raises(ChangeSetError, match=where):
        ChangeSet.from_json(value)


def test_sections_that_say_nothing_are_passed_over() -> None:
    assert ChangeSet.from_json([0, [0, "x"], 0, [0], [0, ""], 2]) == ChangeSet.of([Change(0, 0, "x")], 2)
    assert ChangeSet.from_json([[2, ""]]) == ChangeSet.of([Change(0, 2)], 2)


def test_lines_are_joined_by_one_unit_and_emoji_are_two() -> None:
    changes = ChangeSet.from_json([[0, "a", "\U0001f600", ""]])
    assert changes.new_length == 5
    assert changes.apply("") == to_units("a\n\U0001f600\n")


@pytest.mark.parametrize("break_", ["\n", "\r", "\r\n"])
def test_every_kind_of_line_break_is_one_unit(break_: str) -> None:
    assert ChangeSet.of([Change(0, 0, f"a{break_}b")], 0).apply("") == "a\nb"


def test_changes_out_of_order_and_whole_sets_refer_to_the_text_before_all() -> None:
    upper = ChangeSet.of([Change(0, 1, "A")], 3)
    changes = ChangeSet.of([Change(2, 3, "C"), Change(1, 2, "B"), upper, Change(3, 3, "!")], 3)
    assert changes.apply("abc") == "ABC!"
    assert ChangeSet.of([Change(1, 1)], 3) == ChangeSet.of([], 3) == ChangeSet.empty_of(3)
    assert ChangeSet.of([upper], 3) == upper


def test_a_set_that_changes_nothing_is_empty() -> None:
    assert ChangeSet.empty_of(0).empty
    assert ChangeSet.empty_of(3).empty
    assert not ChangeSet.of([Change(0, 1)], 3).empty


@pytest.mark.parametrize("change", [Change(-1, 0), Change(2, 1), Change(0, 4)])
def test_a_change_outside_the_text_is_refused(change: Change) -> None:
    with pytest.raises(ChangeSetError, match="in a text of 3"):
        ChangeSet.of([change], 3)


def test_what_is_for_another_length_is_refused() -> None:
    three, four = ChangeSet.empty_of(3), ChangeSet.empty_of(4)
    with pytest.raises(ChangeSetError):
        three.apply("abcd")
    with pytest.raises(ChangeSetError):
        three.invert("abcd")
    with pytest.raises(ChangeSetError):
        three.compose(four)
    with pytest.raises(ChangeSetError):
        three.map(four)
    with pytest.raises(ChangeSetError):
        ChangeSet.of([four], 3)
    with pytest.raises(ChangeSetError, match="position 4"):
        three.map_pos(4)


def test_tracked_positions_are_lost_with_what_they_track() -> None:
    deletion = ChangeSet.of([Change(1, 3)], 4)
    lost = {mode: [pos for pos in range(5) if deletion.map_pos_or_none(pos, mode=mode) is None] for mode in MapMode}
    assert lost == {
        MapMode.SIMPLE: [],
        MapMode.TRACK_DEL: [2],
        MapMode.TRACK_BEFORE: [2, 3],
        MapMode.TRACK_AFTER: [1, 2],
    }


def test_mapping_in_turn_and_over_the_composition_can_differ() -> None:
    own = ChangeSet.of([Change(1, 1, "X")], 2)
    deletion, insertion = ChangeSet.of([Change(1, 2)], 2), ChangeSet.of([Change(1, 1, "R")], 1)
    assert own.map(deletion).map(insertion).apply("aR") == "aRX"
    assert own.map(deletion.compose(insertion)).apply("aR") == "aXR"


def test_a_change_set_shows_its_json_and_equals_no_other_thing() -> None:
    changes = ChangeSet.of([Change(1, 1, "x")], 2)
    assert repr(changes) == "ChangeSet.from_json([1, [0, 'x'], 1])"
    assert changes != [1, [0, "x"], 1]


def joined_in_turn(changes: list[Change], length: int) -> ChangeSet:
    """Return the set of `changes` as @codemirror/state makes it: one change after the other."""
    runs: list[list[Change]] = []
    pos = 0
    for change in changes:
        if change.start == change.end and not change.insert:
            continue
        if not runs or change.start < pos:
            runs.append([])
        runs[-1].append(change)
        pos = change.end
    total = ChangeSet.of(runs[0], length) if runs else ChangeSet.empty_of(length)
    for run in runs[1:]:
        total = total.compose(ChangeSet.of(run, length).map(total))
    return total


@given(st.data(), st.integers(0, 30))
def test_changes_in_any_order_make_the_set_that_they_make_one_after_the_other(data: st.DataObject, length: int) -> None:
    changes = []
    for _ in range(data.draw(st.integers(0, 8))):
        start = data.draw(st.integers(0, length))
        end = data.draw(st.integers(start, min(length, start + 4)))
        changes.append(Change(start, end, data.draw(st.text("ab", max_size=2))))
    assert ChangeSet.of(changes, length) == joined_in_turn(changes, length)


def test_changes_in_descending_order_take_no_walk_each() -> None:
    changes = [Change(2 * index, 2 * index, "x") for index in range(5000, 0, -1)]
    work = Work(0)
    assert ChangeSet.of(changes, 20_000, work=work).steps == 10_001
    assert work.spent == 0


def test_changes_that_touch_out_of_order_are_bounded_by_the_work_given() -> None:
    changes = [Change(index, index + 1, "xy") for index in range(100, 0, -1)]
    with pytest.raises(WorkSpent):
        ChangeSet.of(changes, 200, work=Work(1000))
    assert ChangeSet.of(changes, 200, work=Work(100_000)).new_length == 300


SCATTERED = ChangeSet.from_json([1, [1, ";"]] * 40_000)


@pytest.mark.parametrize(
    ("parts", "steps"),
    [
        (lambda: SCATTERED.mapping(ChangeSet.from_json([[0, "x"], 80_000])), 80_002),
        (lambda: SCATTERED.mapping(SCATTERED, before=True), 160_000),
        (lambda: SCATTERED.composing(ChangeSet.from_json([1, [0, "x"]] * 40_000 + [40_000])), 160_001),
    ],
)
def test_a_walk_over_many_sections_is_made_in_parts_and_all_are_counted(
    parts: Callable[[], Parts[ChangeSet]], steps: int
) -> None:
    counted = list(parts())
    assert max(counted) <= TURN_STEPS
    assert sum(counted) == steps
    assert len(counted) == -(-steps // max(counted))


@given(texts_with_two(), st.data())
def test_positions_in_order_are_mapped_together_as_each_alone(
    drawn: tuple[str, ChangeSet, ChangeSet], data: st.DataObject
) -> None:
    text, changes, _ = drawn
    positions = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    assert changes.map_sorted(positions) == [changes.map_pos(pos) for pos in positions]


def test_a_position_outside_is_not_mapped_with_the_others() -> None:
    with pytest.raises(ChangeSetError, match="position 3 in a change set for 2 units"):
        ChangeSet.empty_of(2).map_sorted([0, 3])
