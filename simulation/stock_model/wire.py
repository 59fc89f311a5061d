"""Frames of a stock front end as JSON, as it sends them and as a server sends them."""

import json

from pyshare.core.changeset import Change
from pyshare.core.units import to_units
from simulation.stock_model.front_end import CreateSelection, InsertValue


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
