"""The model of the stock front end does what that front end was seen to do."""

import pytest

from pyshare.core.changeset import Change
from pyshare.core.units import to_units
from simulation.stock_model import CreateSelection, FrontEnd, InsertValue


def inserts(frame: InsertValue | CreateSelection) -> list[tuple[int, int, str]]:
    assert isinstance(frame, InsertValue)
    return [(each.start, each.end, each.insert) for each in frame.changes]


def test_a_frame_with_two_changes_has_its_receiver_type_at_two_places() -> None:
    front_end = FrontEnd("x" * 213)
    assert front_end.receives(InsertValue(213, (Change(1, 1, "z"), Change(213, 213, "z"))))
    front_end.types("Q")
    (frame,) = front_end.takes_sent()
    assert isinstance(frame, InsertValue)
    assert frame.doc_length == 215
    assert inserts(frame) == [(2, 2, "Q"), (215, 215, "Q")]


@pytest.mark.parametrize("ends", ["click", "escape", "start", "frame"])
def test_a_click_escape_the_start_of_the_text_and_a_frame_with_one_change_leave_one_cursor(ends: str) -> None:
    front_end = FrontEnd("text")
    front_end.receives(InsertValue(4, (Change(1, 1, "z"), Change(4, 4, "z"))))
    match ends:
        case "click":
            front_end.clicks(3)
        case "escape":
            front_end.escapes()
        case "start":
            front_end.goes_to_start()
        case _:
            front_end.receives(InsertValue(6, (Change(0, 0, "z"),)))
    front_end.types("Q")
    assert front_end.text.count("Q") == 1


def test_a_frame_for_a_text_of_another_length_is_lost_and_moves_no_cursor() -> None:
    front_end = FrontEnd("text")
    front_end.clicks(2)
    assert not front_end.receives(InsertValue(5, (Change(0, 0, "z"),)))
    assert (front_end.text, front_end.ranges, front_end.dropped) == ("text", [(2, 2)], 1)


def test_a_paste_of_more_than_32_lines_stays_in_the_editor_and_the_next_key_tells_the_length() -> None:
    front_end = FrontEnd("text")
    front_end.pastes_lines(32, "a")
    assert len(front_end.takes_sent()) == 1
    front_end.pastes_lines(33, "a")
    assert front_end.takes_sent() == []
    assert front_end.unsent == 1
    length = len(front_end.text)
    front_end.types("Q")
    (frame,) = front_end.takes_sent()
    assert isinstance(frame, InsertValue)
    assert frame.doc_length == length


def test_undo_takes_back_what_others_have_typed() -> None:
    front_end = FrontEnd("text")
    front_end.types("mine")
    front_end.now_ms += 1000
    front_end.receives(InsertValue(8, (Change(8, 8, "theirs"),)))
    front_end.takes_sent()
    front_end.undoes()
    assert front_end.text == "minetext"
    assert [inserts(frame) for frame in front_end.takes_sent()] == [[(8, 14, "")]]


def test_one_undo_too_many_deletes_the_text_that_was_loaded() -> None:
    front_end = FrontEnd()
    front_end.loads("loaded")
    front_end.now_ms += 1000
    front_end.types("x")
    front_end.takes_sent()
    front_end.undoes()
    front_end.undoes()
    assert [inserts(frame) for frame in front_end.takes_sent()] == [[(0, 1, "")], [(0, 6, "")]]


def test_a_received_selection_is_replaced_by_the_next_key_and_echoed_once() -> None:
    front_end = FrontEnd("some text")
    selection = CreateSelection(((0, 9),))
    assert front_end.receives(selection)
    assert front_end.receives(selection)
    assert front_end.takes_sent() == [selection]
    front_end.types("k")
    assert front_end.text == "k"


def test_a_selection_outside_of_the_text_and_an_empty_one_are_lost() -> None:
    front_end = FrontEnd("text")
    assert not front_end.receives(CreateSelection(((0, 5),)))
    assert not front_end.receives(CreateSelection(()))
    assert front_end.ranges == [(0, 0)]


def test_a_viewer_sends_nothing_and_sees_what_others_type() -> None:
    front_end = FrontEnd("text", view_only=True)
    front_end.types("x")
    front_end.selects_all()
    front_end.backspace()
    front_end.undoes()
    front_end.receives(InsertValue(4, (Change(4, 4, "!"),)))
    assert (front_end.text, front_end.takes_sent()) == ("text!", [])


def test_what_leaves_the_text_as_it_was_is_not_sent() -> None:
    front_end = FrontEnd("text")
    front_end.selects((0, 1))
    front_end.takes_sent()
    front_end.types("t")
    assert front_end.takes_sent() == []
    assert front_end.ranges == [(1, 1)]


def test_backspace_deletes_whole_characters_and_accents_one_by_one() -> None:
    family, flag = "\U0001f468\u200d\U0001f469\u200d\U0001f466", "\U0001f1e9\U0001f1ea"
    front_end = FrontEnd(f"a\U0001f600{family}{flag}e\u0301")
    front_end.goes_to_end()
    left = []
    while front_end.text:
        front_end.backspace()
        left.append(front_end.text)
    texts = [
        f"a\U0001f600{family}{flag}e",
        f"a\U0001f600{family}{flag}",
        f"a\U0001f600{family}",
        "a\U0001f600",
        "a",
        "",
    ]
    assert left == [to_units(text) for text in texts]
