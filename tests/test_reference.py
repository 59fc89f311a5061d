"""The files of docs/ that are made from the code: they are up to date, and true."""

import json
import re

import pytest

from pyshare import client
from pyshare.client import sync
from pyshare.core.changeset import ChangeSet
from pyshare.core.document import Document, DocumentLimits, Push
from pyshare.core.draft import Draft, WaitingPush
from pyshare.core.errors import ConnectionRefused, PushRefused, RefusalCode
from pyshare.core.protocol import (
    AliveFrame,
    GoneFrame,
    Limits,
    Peer,
    PeerFrame,
    PeerLanguageFrame,
    PeerSelectFrame,
    RefusedFrame,
    ServerFrame,
    StatusFrame,
    Welcome,
    encode,
    parse_client_frame,
    parse_server_frame,
)
from pyshare.core.units import to_units
from pyshare.core.work import Work
from reference.files import FOLDER, made
from reference.schema import schema
from reference.vectors import committed, vectors
from tests.json_schema import fits

SCHEMA = schema()


@pytest.mark.parametrize("path", made())
def test_a_file_that_is_made_from_the_code_is_what_the_code_makes(path: str) -> None:
    assert (FOLDER / path).read_text(encoding="utf-8") == made()[path], "run python -m reference"


def is_described(text: str, kind: str) -> bool:
    """Whether the schema has such a frame of a client, or of a server."""
    return fits(json.loads(text), {"$ref": f"#/$defs/{kind}"}, SCHEMA)


def is_parsed(text: str) -> bool:
    try:
        parse_client_frame(text)
    except ConnectionRefused:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"push","seq":1,"version":0,"updates":[[1,[0,"a","b"],[3]]]}',
        '{"type":"push","seq":2,"version":7,"updates":[[5],[5]]}',
        '{"type":"push","seq":1,"version":0,"updates":[[]]}',
        '{"type":"push","seq":0,"version":0,"updates":[[1]]}',
        '{"type":"push","seq":1,"version":-1,"updates":[[1]]}',
        '{"type":"push","seq":1,"version":0,"updates":[]}',
        '{"type":"push","seq":1,"version":0,"updates":[1]}',
        '{"type":"push","seq":1,"version":0,"updates":[["a"]]}',
        '{"type":"push","seq":1,"version":0,"updates":[[[]]]}',
        '{"type":"push","seq":1,"version":0,"updates":[[[0,1]]]}',
        '{"type":"push","seq":1,"version":0,"updates":[[-1]]}',
        '{"type":"push","seq":1,"version":0,"updates":[[1.5]]}',
        '{"type":"push","seq":1,"version":0,"updates":[[true]]}',
        '{"type":"push","seq":"1","version":0,"updates":[[1]]}',
        '{"type":"push","seq":1,"version":9007199254740992,"updates":[[1]]}',
        '{"type":"push","seq":1,"updates":[[1]]}',
        '{"type":"push","seq":1,"version":0,"updates":[[1]],"more":1}',
        '{"seq":1,"version":0,"updates":[[1]]}',
        '{"type":"select","version":0,"ranges":[]}',
        '{"type":"select","version":0,"ranges":[[0,1],[3,2]]}',
        '{"type":"select","version":0,"ranges":[[0]]}',
        '{"type":"select","version":0,"ranges":[[0,1,2]]}',
        '{"type":"select","version":0,"ranges":[[0,-1]]}',
        json.dumps({"type": "select", "version": 0, "ranges": [[0, 0]] * 64}),
        json.dumps({"type": "select", "version": 0, "ranges": [[0, 0]] * 65}),
        '{"type":"alive"}',
        '{"type":"alive","received":1}',
        '{"type":"language","name":"c++"}',
        '{"type":"language","name":"C"}',
        '{"type":"language","name":""}',
        '{"type":"welcome"}',
        '{"type":"pull"}',
        "{}",
        "[]",
    ],
)
def test_the_schema_has_of_clients_frames_those_that_are_taken(text: str) -> None:
    assert is_described(text, "client") == is_parsed(text)


LIMITS = Limits(1, 2, 3, 4, 5, 6)
UPDATE = committed("ada", 1, [1, [0, "x", ""]])
PEER = Peer("ada", "Ada", "view_only")
FRAMES: list[ServerFrame] = [
    Welcome("me", "edit", "e", 0, 0, (PEER,), LIMITS, text=""),
    Welcome("me", "view_only", "e", 7, 1, (), LIMITS, None, (UPDATE,), before=("d",), codespace="c", language="go"),
    RefusedFrame(1, "invalid", "it is not for this text"),
    PeerSelectFrame("ada", 7, ((0, 1),)),
    PeerFrame("ada", "Ada", "edit"),
    GoneFrame("ada"),
    StatusFrame("ok"),
    StatusFrame("down", "the store is full"),
    AliveFrame(12),
    PeerLanguageFrame("ada", "go"),
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame.type)
def test_the_schema_has_what_a_server_sends_and_demands_each_field_that_a_client_needs(frame: ServerFrame) -> None:
    text = encode(frame).decode()
    assert is_described(text, "server")
    fields: dict[str, object] = json.loads(text)
    for name in fields:
        less = json.dumps({key: value for key, value in fields.items() if key != name})
        try:
            is_needed = parse_server_frame(less) is None
        except ConnectionRefused:
            is_needed = True
        assert is_described(less, "server") != is_needed, name
    assert is_described(json.dumps({**fields, "later": 1}), "server")


def test_the_first_frame_on_the_protocols_page_is_one() -> None:
    (example,) = re.findall(
        r"^```json\n(.*?)^```$", (FOLDER / "protocol.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    assert is_described(example, "server")
    assert isinstance(parse_server_frame(example), Welcome)
    # It shows all limits, and all that a welcome may have but `updates`.
    fields: dict[str, object] = json.loads(example)
    described = schema()["$defs"]
    assert isinstance(described, dict)
    assert set(fields) | {"updates"} == set(described["Welcome"]["properties"])
    assert isinstance(fields["limits"], dict)
    assert list(fields["limits"]) == list(described["Limits"]["properties"])


def test_what_the_vectors_call_invalid_is_refused() -> None:
    cases = vectors()["invalid"]
    assert isinstance(cases, list)
    for case in cases:
        document = Document(to_units(case["text"]), 0, limits=DocumentLimits())
        with pytest.raises(PushRefused) as refused:
            commit(document, case["changes"])
        assert refused.value.code == RefusalCode.INVALID


def commit(document: Document, changes: object) -> None:
    """Put a push of one update in a draft for the document's log."""
    waiting = WaitingPush(Push("me", 1, document.version, (ChangeSet.from_json(changes),)))
    waiting.go_on(document, Work(10_000))
    Draft(document).add(waiting)


def test_the_vectors_frames_are_as_the_schema_has_them() -> None:
    plays = vectors()["plays"]
    assert isinstance(plays, list)
    steps = [step for play in plays for step in play["steps"]]
    for step in steps:
        for what, kind in (("receives", "server"), ("sends", "client")):
            if what in step:
                assert is_described(json.dumps(step[what]), kind), step
    assert {what for step in steps for what in step} == {"receives", "sends", "edits", "shows", "comes_back"}


def test_the_reference_of_the_python_client_has_all_that_it_exports_and_nothing_of_its_inside() -> None:
    page = made()["python-reference.md"]
    for name in (*client.__all__, *(f"sync.{name}" for name in sync.__all__)):
        assert f"\n### {name}\n" in page
    assert "FieldInfo" not in page
    assert not re.search(r"^#+ (\w+\.)?_", page, re.MULTILINE)
