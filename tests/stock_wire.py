"""The wire between a stock front end of the tests and a server: frames as JSON, and the server's side of the socket."""

import json
from collections import deque

from pyshare.core.changeset import Change
from pyshare.core.errors import Closing
from pyshare.core.units import to_units
from tests.stock_model import CreateSelection, InsertValue


def as_json(frame: InsertValue | CreateSelection) -> str:
    """Return a frame of a front end as it sends it."""
    if isinstance(frame, CreateSelection):
        selections = [{"anchor": anchor, "head": head} for anchor, head in frame.ranges]
        return json.dumps({"operation": "create_selection", "sender": "", "selections": selections})
    changes = [{"from": each.start, "to": each.end, "insert": each.insert} for each in frame.changes]
    body = {"operation": "insert_value", "sender": "", "doc_length": frame.doc_length, "changes": changes}
    return json.dumps(body)


def from_json(text: str) -> InsertValue | CreateSelection:
    """Return a frame of the server, which has exactly one change if it is an edit."""
    frame = json.loads(text)
    if frame["operation"] == "create_selection":
        return CreateSelection(tuple((each["anchor"], each["head"]) for each in frame["selections"]))
    (change,) = frame["changes"]
    return InsertValue(frame["doc_length"], (Change(change["from"], change["to"], to_units(change["insert"])),))


class StockSocket:
    """The server's side of a stock editor's socket: an outlet that keeps what is on its way."""

    def __init__(self) -> None:
        # Frames on their way to the editor, as JSON, oldest first.
        self.sent: deque[str] = deque()
        self.closing: Closing | None = None
        # Whether there is no room, and whether somebody was told so.
        self.full = False
        self.refused = False
        # Steps of work that the editor was charged.
        self.steps = 0

    def write_nowait(self, data: bytes) -> bool:
        """Take whole frames, unless the socket is full."""
        if self.full:
            self.refused = True
            return False
        while data and self.closing is None:
            length, start = data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4]), 4
            elif length == 127:
                length, start = int.from_bytes(data[2:10]), 10
            self.sent.append(data[start : start + length].decode())
            data = data[start + length :]
        return True

    def charge(self, steps: int) -> None:
        """Note the work that was done for this editor."""
        self.steps += steps

    def close_nowait(self, closing: Closing) -> None:
        """Note why; the first reason counts."""
        self.closing = self.closing or closing
