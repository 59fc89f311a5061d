"""The stock front end's dialect: its frames, parsed and encoded.

A stock editor sends what it has changed, one frame a transaction, with the
length that its text had before and no version; it is sent changes of others in
the same form. What such an editor holds is in `pyshare.core.shadow`. Positions
count UTF-16 units; texts and change sets here are units strings.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from pyshare.core.changeset import Change, ChangeSet, ChangeSetError
from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.core.protocol import MAX_INTEGER, SELECTION_RANGES, Mode, Position, Range, Units, explain, text_frame
from pyshare.core.units import from_units

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


StockFrame = StockEdit | StockSelection


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
    changes: tuple[_Change, ...]


@dataclass(frozen=True, slots=True)
class _Selected:
    __pydantic_config__ = _FROM_STOCK

    anchor: Position
    head: Position


@dataclass(frozen=True, slots=True)
class _CreateSelection:
    __pydantic_config__ = _FROM_STOCK

    operation: Literal["create_selection"]
    selections: tuple[_Selected, ...]


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
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise ConnectionRefused(Closing(CloseCode.NOT_TEXT, f"not JSON: {first['msg']}")) from None
        raise ConnectionRefused(Closing(CloseCode.NOT_UNDERSTOOD, explain(first))) from None
    if isinstance(frame, _CreateSelection):
        return StockSelection(tuple((each.anchor, each.head) for each in frame.selections[:SELECTION_RANGES]))
    changes = [Change(each.start, each.start if each.to is None else each.to, each.insert) for each in frame.changes]
    try:
        return StockEdit(ChangeSet.of(changes, frame.doc_length))
    except ChangeSetError as error:
        raise ConnectionRefused(Closing(CloseCode.NOT_UNDERSTOOD, f"changes: {error}")) from None


def connected_frame(client: str, mode: Mode) -> bytes:
    """Return the first WebSocket frame that a stock editor is sent."""
    return _frame({"operation": "connected", "data": {"id": client, "mode": mode}})


def edit_frame(sender: str, changes: ChangeSet) -> bytes:
    """Return the WebSocket frame that has a stock editor make `changes`, if its text has their length."""
    parts = [{"from": each.from_a, "to": each.to_a, "insert": each.text} for each in changes.changes()]
    body = {"operation": "insert_value", "sender": sender, "doc_length": changes.length, "changes": parts}
    return _frame(body)


def selection_frame(sender: str, ranges: Iterable[Range]) -> bytes:
    """Return the WebSocket frame that shows a stock editor what somebody has selected."""
    selections = [{"anchor": anchor, "head": head} for anchor, head in ranges]
    return _frame({"operation": "create_selection", "sender": sender, "selections": selections})


def _frame(body: dict[str, object]) -> bytes:
    return text_frame(from_units(json.dumps(body, ensure_ascii=False, separators=(",", ":"))).encode())
