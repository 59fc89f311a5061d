"""The stock front end's dialect: its frames, parsed and encoded.

A stock editor sends what it has changed, one frame a transaction, with the
length that its text had before and no version; it is sent changes of others in
the same form. What such an editor holds is in `pyshare.core.shadow`. Positions
count UTF-16 units; texts and change sets here are units strings.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, NoReturn

from pydantic import ConfigDict, FailFast, Field, TypeAdapter, ValidationError

from pyshare.core.changeset import Change, ChangeSet, ChangeSetError
from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.core.explanations import explain
from pyshare.core.framing import text_frame
from pyshare.core.protocol import MAX_INTEGER, SELECTION_RANGES, Mode, Position, Range, Units
from pyshare.core.units import from_units, has_lone_surrogate
from pyshare.core.work import Work, WorkSpent

#: Places at which one edit of a stock editor may change its text: as many as take some 30 ms to follow.
MOST_PLACES = 4096
#: Steps for changes of one edit that touch each other and stand out of order. The front end never sends such changes.
_DISORDER_STEPS = 20_000
#: The beginning of an escaped surrogate in JSON.
_HALF_PAIR = "\\ud"
#: The stock front end may grow fields.
_FROM_STOCK = ConfigDict(strict=True, extra="ignore")


@dataclass(frozen=True, slots=True)
class StockEdit:
    """What a stock editor has changed in its text."""

    changes: ChangeSet


@dataclass(frozen=True, slots=True)
class StockSelection:
    """What the user of a stock editor has selected, as (anchor, head) in the text that it holds."""

    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class StockLoss:
    """An edit of a stock editor at more places than are taken; its text has `length` since."""

    length: int


StockFrame = StockEdit | StockSelection | StockLoss


@dataclass(frozen=True, slots=True)
class _Change:
    __pydantic_config__ = _FROM_STOCK

    # `from` is no name in Python.
    start: Annotated[Position, Field(validation_alias="from")]
    insert: Units = ""
    to: Position | None = None


@dataclass(frozen=True, slots=True)
class _InsertValue:
    __pydantic_config__ = _FROM_STOCK

    operation: Literal["insert_value"]
    doc_length: Annotated[int, Field(ge=0, le=MAX_INTEGER)]
    changes: Annotated[tuple[_Change, ...], FailFast()]


@dataclass(frozen=True, slots=True)
class _Selected:
    __pydantic_config__ = _FROM_STOCK

    anchor: Position
    head: Position


@dataclass(frozen=True, slots=True)
class _CreateSelection:
    __pydantic_config__ = _FROM_STOCK

    operation: Literal["create_selection"]
    selections: Annotated[tuple[_Selected, ...], FailFast()]


_FRAMES: TypeAdapter[_InsertValue | _CreateSelection] = TypeAdapter(
    Annotated[_InsertValue | _CreateSelection, Field(discriminator="operation")]
)


def parse_stock_frame(text: str) -> StockFrame:
    """Return the frame that a stock editor sent.

    Raises:
        ConnectionRefused: if it is none; the reason names the field.
    """
    try:
        frame = _FRAMES.validate_json(text)
    except ValidationError as error:
        frame = _with_half_pairs(text) or _refuse(error)
    if isinstance(frame, _CreateSelection):
        return StockSelection(tuple((each.anchor, each.head) for each in frame.selections[:SELECTION_RANGES]))
    if len(frame.changes) > MOST_PLACES:
        return StockLoss(_length_after(frame))
    changes = [Change(each.start, each.start if each.to is None else each.to, each.insert) for each in frame.changes]
    try:
        return StockEdit(ChangeSet.of(changes, frame.doc_length, work=Work(_DISORDER_STEPS)))
    except WorkSpent:
        reason = "changes: too many that touch and stand out of order; give them in the order of the text"
        raise ConnectionRefused(Closing(CloseCode.NOT_UNDERSTOOD, reason)) from None
    except ChangeSetError as error:
        raise ConnectionRefused(Closing(CloseCode.NOT_UNDERSTOOD, f"changes: {error}")) from None


def _length_after(frame: _InsertValue) -> int:
    deleted = sum(each.to - each.start for each in frame.changes if each.to is not None)
    return max(0, frame.doc_length + sum(len(each.insert) for each in frame.changes) - deleted)


def _with_half_pairs(text: str) -> _InsertValue | _CreateSelection | None:
    r"""Return the frame of `text` if it is one but for half a surrogate pair, as in "\ud83d"; else None.

    It is JSON by the letter of RFC 8259, section 8.2, and an editor sends it
    when its user undoes an edit that has split a pair.
    """
    if _HALF_PAIR not in text.lower():
        return None
    try:
        body: object = json.loads(text)
        return _FRAMES.validate_python(body, strict=False)
    except (ValueError, RecursionError):
        return None


def _refuse(error: ValidationError) -> NoReturn:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        raise ConnectionRefused(Closing(CloseCode.NOT_TEXT, f"not JSON: {first['msg']}")) from None
    raise ConnectionRefused(Closing(CloseCode.NOT_UNDERSTOOD, explain(first))) from None


def connected_frame(client: str, mode: Mode) -> bytes:
    """Return the first WebSocket frame that a stock editor is sent."""
    return _frame({"operation": "connected", "data": {"id": client, "mode": mode}})


def edit_frame(sender: str, changes: ChangeSet) -> bytes:
    """Return the WebSocket frame that has a stock editor make `changes`, if its text has their length.

    There is one change at most: the editor sets a cursor behind each change of
    a frame, and types at all of its cursors.
    """
    parts = [{"from": each.from_a, "to": each.to_a, "insert": each.text} for each in changes.changes()]
    assert len(parts) <= 1, "one change a frame"
    body = {"operation": "insert_value", "sender": sender, "doc_length": changes.length, "changes": parts}
    return _frame(body)


def selection_frame(sender: str, ranges: Iterable[Range]) -> bytes:
    """Return the WebSocket frame that shows a stock editor what somebody has selected."""
    selections = [{"anchor": anchor, "head": head} for anchor, head in ranges]
    return _frame({"operation": "create_selection", "sender": sender, "selections": selections})


def _frame(body: dict[str, object]) -> bytes:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    if has_lone_surrogate(text):
        # Half a pair that completes another half in the editor. JSON can say that in escapes only.
        return text_frame(json.dumps(body, separators=(",", ":")).encode())
    return text_frame(from_units(text).encode())
