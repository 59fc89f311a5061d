"""The frames of the stock front end."""

import json

import pytest

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.errors import CloseCode, ConnectionRefused
from pyshare.core.sharepython import (
    MOST_PLACES,
    StockEdit,
    StockLoss,
    StockSelection,
    connected_frame,
    edit_frame,
    parse_stock_frame,
    selection_frame,
)
from pyshare.core.units import to_units


def payload(frame: bytes) -> object:
    """Return what a small WebSocket text frame says."""
    assert frame[0] == 0x81
    start = 4 if frame[1] == 126 else 2
    value: object = json.loads(frame[start:])
    return value


def test_an_edit_is_a_change_set_of_the_length_it_names() -> None:
    frame = {
        "operation": "insert_value",
        "sender": "id",
        "doc_length": 9,
        "changes": [{"from": 0, "to": 1, "insert": "a\n\U0001f600"}, {"from": 9, "insert": "!"}, {"from": 4, "to": 6}],
        "later": 1,
    }
    changes = [Change(0, 1, to_units("a\n\U0001f600")), Change(9, 9, "!"), Change(4, 6, "")]
    assert parse_stock_frame(json.dumps(frame)) == StockEdit(ChangeSet.of(changes, 9))


def test_a_selection_is_anchors_and_heads() -> None:
    frame = {"operation": "create_selection", "sender": "id", "selections": [{"anchor": 3, "head": 1}]}
    assert parse_stock_frame(json.dumps(frame)) == StockSelection(((3, 1),))


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("x", CloseCode.NOT_TEXT, "not JSON"),
        ("[]", CloseCode.NOT_UNDERSTOOD, "frame"),
        ("{}", CloseCode.NOT_UNDERSTOOD, "operation"),
        ('{"operation":"shout"}', CloseCode.NOT_UNDERSTOOD, "operation"),
        ('{"operation":"insert_value","changes":[]}', CloseCode.NOT_UNDERSTOOD, "insert_value.doc_length"),
        ('{"operation":"insert_value","doc_length":1,"changes":[{"from":2}]}', CloseCode.NOT_UNDERSTOOD, "changes"),
        (
            '{"operation":"insert_value","doc_length":1,"changes":[{"from":"2"}]}',
            CloseCode.NOT_UNDERSTOOD,
            "insert_value.changes[0].from",
        ),
    ],
)
def test_what_is_no_frame_is_refused_with_what_is_wrong(text: str, code: CloseCode, named: str) -> None:
    with pytest.raises(ConnectionRefused) as refused:
        parse_stock_frame(text)
    assert refused.value.closing.code == code
    assert named in refused.value.closing.reason


def test_frames_are_those_of_the_stock_server() -> None:
    assert payload(connected_frame("id", "edit")) == {"operation": "connected", "data": {"id": "id", "mode": "edit"}}
    changes = ChangeSet.of([Change(1, 2, to_units("\U0001f600"))], 6)
    assert payload(edit_frame("id", changes)) == {
        "operation": "insert_value",
        "sender": "id",
        "doc_length": 6,
        "changes": [{"from": 1, "to": 2, "insert": "\U0001f600"}],
    }
    assert payload(selection_frame("id", [(1, 2)])) == {
        "operation": "create_selection",
        "sender": "id",
        "selections": [{"anchor": 1, "head": 2}],
    }


def test_half_a_pair_is_read_and_sent_as_json_can_say_it() -> None:
    text = '{"operation":"insert_value","doc_length":1,"changes":[{"from":1,"insert":"\\uD83D"}]}'
    frame = parse_stock_frame(text)
    assert frame == StockEdit(ChangeSet.of([Change(1, 1, "\ud83d")], 1))
    sent = payload(edit_frame("id", frame.changes))
    assert isinstance(sent, dict)
    assert sent["changes"] == [{"from": 1, "to": 1, "insert": "\ud83d"}]


@pytest.mark.parametrize("text", ['"\\ud83d"', '{"operation":"insert_value","insert":"\\ud83d"}', '["\\ud83d'])
def test_half_a_pair_excuses_no_other_mistake(text: str) -> None:
    with pytest.raises(ConnectionRefused):
        parse_stock_frame(text)


def test_an_edit_at_more_places_than_are_taken_tells_the_length_of_its_text_only() -> None:
    changes = [{"from": index, "to": index + 1, "insert": "ab"} for index in range(MOST_PLACES)]
    frame = {"operation": "insert_value", "doc_length": 2 * MOST_PLACES, "changes": changes}
    assert isinstance(parse_stock_frame(json.dumps(frame)), StockEdit)
    changes.append({"from": MOST_PLACES, "insert": "\U0001f600"})
    assert parse_stock_frame(json.dumps(frame)) == StockLoss(3 * MOST_PLACES + 2)


@pytest.mark.parametrize("width", [1, 2])
def test_changes_that_touch_in_descending_order_are_refused_before_they_take_long(width: int) -> None:
    changes = [{"from": place, "to": place + width, "insert": "x"} for place in range(MOST_PLACES - 2, -1, -1)]
    frame = {"operation": "insert_value", "doc_length": MOST_PLACES, "changes": changes}
    with pytest.raises(ConnectionRefused, match="changes: too many that touch") as refused:
        parse_stock_frame(json.dumps(frame))
    assert refused.value.closing.code == CloseCode.NOT_UNDERSTOOD
