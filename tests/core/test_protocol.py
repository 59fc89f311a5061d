"""pyshare.v1 frame by frame: what is understood, what is refused and how, what is sent."""

import hashlib
import json
from base64 import urlsafe_b64encode
from contextlib import suppress
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pyshare.core import protocol, sharepython
from pyshare.core.arrival import NAME_LENGTH, Arrival, format_session, parse_arrival, parse_session, public_id
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.errors import REASON_BYTES, CloseCode, Closing, ConnectionRefused, RefusalCode
from pyshare.core.protocol import (
    MAX_INTEGER,
    SELECTION_RANGES,
    AliveFrame,
    AskFrame,
    ClientFrame,
    CommittedUpdate,
    GoneFrame,
    LanguageFrame,
    Limits,
    Peer,
    PeerFrame,
    PeerLanguageFrame,
    PeerSelectFrame,
    PushFrame,
    RefusedFrame,
    SelectFrame,
    ServerFrame,
    StatusFrame,
    UpdatesFrame,
    Welcome,
    committed,
    encode,
    encode_push,
    parse_client_frame,
    parse_server_frame,
)
from pyshare.core.push_limits import UnreadablePush
from pyshare.core.units import to_units

LIMITS = Limits(
    message_bytes=65_536,
    text_units=524_288,
    clients=1000,
    pushes_per_second=50,
    history_updates=4096,
    presence_ms=100,
    alive_ms=20_000,
)
LIMITS_JSON = (
    '{"message_bytes":65536,"text_units":524288,"clients":1000,'
    '"pushes_per_second":50,"history_updates":4096,"presence_ms":100,'
    '"push_updates":1024,"push_sections":81920,"alive_ms":20000}'
)
EMOJI = "\U0001f600"


def insert(text: str, *, at: int = 0, length: int = 0) -> ChangeSet:
    """Return the change set that puts `text` into a text of `length` units."""
    return ChangeSet.of([Change(at, at, text)], length)


def refusal(text: str) -> Closing:
    """Return with what a client is closed that sends `text`."""
    with pytest.raises(ConnectionRefused) as caught:
        parse_client_frame(text)
    return caught.value.closing


def server_refusal(text: str) -> Closing:
    """Return with what a server is closed that sends `text`."""
    with pytest.raises(ConnectionRefused) as caught:
        parse_server_frame(text)
    return caught.value.closing


def push_json(**fields: object) -> str:
    """Return a push that is as it should be but for `fields`."""
    return json.dumps({"type": "push", "seq": 1, "version": 0, "updates": [[[0, "x"]]]} | fields)


def select_json(**fields: object) -> str:
    """Return a selection that is as it should be but for `fields`."""
    return json.dumps({"type": "select", "version": 0, "ranges": [[0, 0]]} | fields)


# What a client sends


def test_a_push_is_understood() -> None:
    text = '{"type":"push","seq":3,"version":7,"updates":[[2,[0,"a","b"],1],[6,[0,"\\ud83d\\ude00"]]]}'
    updates = (insert("a\nb", at=2, length=3), insert(EMOJI, at=6, length=6))
    assert parse_client_frame(text) == PushFrame(3, 7, updates)


def test_a_selection_is_understood_and_may_be_empty() -> None:
    assert parse_client_frame('{"type":"select","version":7,"ranges":[[0,4],[9,2]]}') == SelectFrame(
        7, ((0, 4), (9, 2))
    )
    assert parse_client_frame('{"type":"select","version":7,"ranges":[]}') == SelectFrame(7, ())


def test_a_language_is_understood_and_is_a_short_word() -> None:
    for name in ("go", "c++", "c#", "objective-c", "x" * 32):
        assert parse_client_frame(json.dumps({"type": "language", "name": name})) == LanguageFrame(name)
    for other in ("", "Go", "a b", "é", "go\n", "x" * 33, None, 7):
        with pytest.raises(ConnectionRefused) as caught:
            parse_client_frame(json.dumps({"type": "language", "name": other}))
        assert caught.value.closing.reason.startswith("language.name: ")


def test_fields_may_come_in_any_order_and_with_blanks() -> None:
    text = ' { "ranges" : [ ] , "version" : 7 , "type" : "select" } '
    assert parse_client_frame(text) == SelectFrame(7, ())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[]", "frame"),
        ("null", "frame"),
        ('"push"', "frame"),
        ("{}", "type"),
        ('{"type":null}', "type"),
        ('{"type":"updates"}', "type"),
        ('{"type":["push"]}', "type"),
        ('{"type":"push","version":0,"updates":[[]]}', "push.seq"),
        (push_json(seq=0), "push.seq"),
        (push_json(seq=-1), "push.seq"),
        (push_json(seq="1"), "push.seq"),
        (push_json(seq=1.0), "push.seq"),
        (push_json(seq=True), "push.seq"),
        (push_json(seq=None), "push.seq"),
        (push_json(seq=MAX_INTEGER + 1), "push.seq"),
        (push_json(version=-1), "push.version"),
        (push_json(version="0"), "push.version"),
        (push_json(version=False), "push.version"),
        (push_json(version=float("nan")), "push.version"),
        (push_json(version=MAX_INTEGER + 1), "push.version"),
        (push_json(updates=[]), "push.updates"),
        (push_json(updates={}), "push.updates"),
        (push_json(updates="x"), "push.updates"),
        (push_json(updates=[[], "x"]), "push.updates[1]"),
        (push_json(updates=[[-1]]), "push.updates[0]"),
        (push_json(updates=[[True]]), "push.updates[0]"),
        (push_json(updates=[[1.5]]), "push.updates[0]"),
        (push_json(updates=[[[]]]), "push.updates[0]"),
        (push_json(updates=[[[0, 1]]]), "push.updates[0]"),
        (push_json(updates=[[[0, "a\nb"]]]), "push.updates[0]"),
        (push_json(updates=[[[0, "a\rb"]]]), "push.updates[0]"),
        (push_json(sender="me"), "push.sender"),
        (select_json(version=None), "select.version"),
        (select_json(ranges=None), "select.ranges"),
        (select_json(ranges=[[0]]), "select.ranges[0][1]"),
        (select_json(ranges=[[0, 1, 2]]), "select.ranges[0]"),
        (select_json(ranges=[[0, 1], [0, -1]]), "select.ranges[1][1]"),
        (select_json(ranges=[["0", 1]]), "select.ranges[0][0]"),
        (select_json(ranges=[[0, 0]] * (SELECTION_RANGES + 1)), "select.ranges"),
        (select_json(color="red"), "select.color"),
        ('{"type":"alive","received":1}', "alive.received"),
    ],
)
def test_a_frame_that_is_not_as_it_should_be_is_refused_with_the_name_of_the_field(text: str, place: str) -> None:
    closing = refusal(text)
    assert closing.code == CloseCode.NOT_UNDERSTOOD
    assert closing.reason.startswith(f"{place}: ")


def test_the_largest_numbers_and_the_most_ranges_are_understood() -> None:
    push = parse_client_frame(push_json(seq=MAX_INTEGER, version=MAX_INTEGER))
    assert isinstance(push, PushFrame)
    assert (push.seq, push.version) == (MAX_INTEGER, MAX_INTEGER)
    select = parse_client_frame(select_json(ranges=[[MAX_INTEGER, 0]] * SELECTION_RANGES))
    assert isinstance(select, SelectFrame)
    assert len(select.ranges) == SELECTION_RANGES


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "push",
        "{'type':'push'}",
        push_json() + "x",
        '{"type":"push",}',
        "\ufeff" + push_json(),
        '{"type":"\\ud800"}',
        select_json(name="\ud800"),
        '"\\ud800"',
        "[" * 100_000,
        "[" * 300 + "]" * 300,
        '{"type":"push","seq":1,"version":0,"updates":' + "[" * 300 + "]" * 300 + "}",
        '{"type":"push","seq":1,"version":0,"updates":[[' + "9" * 5000 + "]]}",
    ],
)
def test_what_is_no_json_closes_with_1007(text: str) -> None:
    closing = refusal(text)
    assert closing.code == CloseCode.NOT_TEXT
    assert closing.reason.startswith("not JSON: ")


@pytest.mark.parametrize("half", ["\\ud83d", "\\ude00", "\\ude00\\ud83d", "a\\uDBFFb", "\\ud83d\\ud83d\\ude00"])
def test_a_push_of_half_a_surrogate_pair_is_refused_by_its_number_and_closes_nothing(half: str) -> None:
    text = f'{{"type":"push","seq":7,"version":0,"updates":[[[0,"{half}"]]]}}'
    with pytest.raises(UnreadablePush) as caught:
        parse_client_frame(text)
    assert (caught.value.seq, caught.value.code) == (7, RefusalCode.INVALID)
    assert "surrogate" in caught.value.reason


def test_two_halves_on_two_lines_are_no_pair() -> None:
    with pytest.raises(UnreadablePush):
        parse_client_frame('{"type":"push","seq":7,"version":0,"updates":[[[0,"\\ud83d","\\ude00"]]]}')


@pytest.mark.parametrize("seq", ["0", "true", '"7"', "null", "1.0", str(MAX_INTEGER + 1)])
def test_an_unreadable_push_without_a_proper_number_closes_the_connection(seq: str) -> None:
    text = f'{{"type":"push","seq":{seq},"version":0,"updates":[[[0,"\\ud83d"]]]}}'
    assert refusal(text).code == CloseCode.NOT_TEXT


@given(st.text())
def test_any_text_is_a_frame_or_is_refused_within_the_bytes_of_a_close_frame(text: str) -> None:
    for frame in (text, json.dumps({"type": text}), push_json(**{text: text}), select_json(ranges=[[text]])):
        reason = "none"
        try:
            parse_client_frame(frame)
        except ConnectionRefused as refused:
            reason = refused.closing.reason
        assert 0 < len(reason.encode()) <= REASON_BYTES


# What a server sends


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{", "frame"),
        ("[]", "frame"),
        ("{}", "type"),
        ('{"type":"updates","version":"1","updates":[]}', "updates.version"),
        ('{"type":"updates","version":1,"updates":[{"sender":"a","seq":1}]}', "updates.updates[0].changes"),
        (
            '{"type":"updates","version":1,"updates":[{"sender":1,"seq":1,"changes":[]}]}',
            "updates.updates[0].sender",
        ),
        ('{"type":"refused","seq":"1","code":"seq","reason":""}', "refused.seq"),
        ('{"type":"select","id":"a","version":1,"ranges":[[1]]}', "select.ranges[0][1]"),
        ('{"type":"alive"}', "alive.received"),
        ('{"type":"alive","received":-1}', "alive.received"),
        ('{"type":"peer","id":"a","name":"A","mode":5}', "peer.mode"),
        ('{"type":"gone","id":null}', "gone.id"),
        ('{"type":"status","storage":null}', "status.storage"),
    ],
)
def test_a_servers_frame_that_is_not_as_it_should_be_is_refused_with_the_name_of_the_field(
    text: str, place: str
) -> None:
    closing = server_refusal(text)
    assert closing.code == CloseCode.NOT_UNDERSTOOD
    assert closing.reason.startswith(f"{place}: ")


def welcome_json(**fields: object) -> str:
    """Return a welcome that is as it should be, with a text, but for `fields`; None leaves one out."""
    body: dict[str, object] = {"type": "welcome", "id": "a", "mode": "edit", "epoch": "e", "version": 1}
    body |= {"text": "x", "acked": 0, "peers": [], "limits": json.loads(LIMITS_JSON)}
    return json.dumps({name: value for name, value in (body | fields).items() if value is not None})


def test_a_welcome_is_taken_to_the_letter() -> None:
    assert isinstance(parse_server_frame(welcome_json()), Welcome)
    assert server_refusal(welcome_json(version="1")).reason.startswith("welcome.version: ")
    assert server_refusal(welcome_json(acked=True)).reason.startswith("welcome.acked: ")
    assert server_refusal(welcome_json(peers=[{"id": "b"}])).reason.startswith("welcome.peers[0].name: ")
    assert server_refusal(welcome_json(limits={})).reason.startswith("welcome.limits.message_bytes: ")


def test_a_welcome_has_either_a_text_or_updates() -> None:
    update = {"sender": "a", "seq": 1, "changes": [[0, "x"]]}
    assert isinstance(parse_server_frame(welcome_json(text=None, updates=[update])), Welcome)
    for frame in (welcome_json(text=None), welcome_json(updates=[])):
        assert server_refusal(frame).reason == "welcome: should have either text or updates"


def test_fields_that_a_server_has_grown_since_are_passed_over() -> None:
    limits = json.loads(LIMITS_JSON) | {"more": 1}
    peers = [{"id": "b", "name": "B", "mode": "edit", "more": 1}]
    welcome = parse_server_frame(welcome_json(more=1, limits=limits, peers=peers))
    assert welcome == Welcome("a", "edit", "e", 1, 0, (Peer("b", "B", "edit"),), LIMITS, "x")
    assert parse_server_frame('{"type":"gone","id":"a","more":1}') == GoneFrame("a")
    update = '{"sender":"a","seq":1,"changes":[],"more":1}'
    assert parse_server_frame(f'{{"type":"updates","version":1,"updates":[{update}],"more":1}}') == UpdatesFrame(
        1, (CommittedUpdate("a", 1, ChangeSet.from_json([])),)
    )


@pytest.mark.parametrize(
    "frame", ['{"type":"dance"}', '{"type":"push"}', '{"type":"dance","version":-1,"text":5}', '{"type":""}']
)
def test_frames_of_types_that_a_server_has_grown_since_are_told_from_what_is_no_frame(frame: str) -> None:
    assert parse_server_frame(frame) is None


def test_a_mode_that_a_server_has_grown_since_is_to_look_and_a_state_of_its_storage_to_wait() -> None:
    welcome = parse_server_frame(welcome_json(mode="host", peers=[{"id": "b", "name": "B", "mode": "host"}]))
    assert isinstance(welcome, Welcome)
    assert (welcome.mode, welcome.peers[0].mode) == ("view_only", "view_only")
    peer = parse_server_frame('{"type":"peer","id":"a","name":"A","mode":"host"}')
    assert peer == PeerFrame("a", "A", "view_only")
    assert parse_server_frame('{"type":"status","storage":"full"}') == StatusFrame("down")


@pytest.mark.parametrize("message", ["", "{", "[]", "5", "null", "{}", '{"types":"gone"}'])
def test_what_is_no_frame_of_a_server_is_no_new_one_either(message: str) -> None:
    assert server_refusal(message).code == CloseCode.NOT_UNDERSTOOD


def test_a_text_is_counted_in_units_once_it_is_parsed() -> None:
    welcome = parse_server_frame(welcome_json(text=EMOJI))
    assert isinstance(welcome, Welcome)
    assert welcome.text == "\ud83d\ude00"


# The bytes


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (PushFrame(3, 7, (insert("x"),)), '{"type":"push","seq":3,"version":7,"updates":[[[0,"x"]]]}'),
        (SelectFrame(7, ((0, 4),)), '{"type":"select","version":7,"ranges":[[0,4]]}'),
        (
            UpdatesFrame(7, (CommittedUpdate("a", 3, insert(EMOJI + "\n", at=2, length=3)),)),
            '{"type":"updates","version":7,"updates":[{"sender":"a","seq":3,"changes":[2,[0,"\U0001f600",""],1]}]}',
        ),
        (PeerSelectFrame("a", 7, ()), '{"type":"select","id":"a","version":7,"ranges":[]}'),
        (RefusedFrame(3, "seq", "no"), '{"type":"refused","seq":3,"code":"seq","reason":"no"}'),
        (PeerFrame("a", 'Ä "q"', "edit"), '{"type":"peer","id":"a","name":"Ä \\"q\\"","mode":"edit"}'),
        (GoneFrame("a"), '{"type":"gone","id":"a"}'),
        (StatusFrame("ok"), '{"type":"status","storage":"ok"}'),
        (StatusFrame("down", "it is full"), '{"type":"status","storage":"down","reason":"it is full"}'),
        (AliveFrame(7), '{"type":"alive","received":7}'),
        (AskFrame(), '{"type":"alive"}'),
        (LanguageFrame("c++"), '{"type":"language","name":"c++"}'),
        (PeerLanguageFrame("a", "c++"), '{"type":"language","id":"a","name":"c++"}'),
        (
            Welcome("a", "edit", "e", 7, 3, (Peer("b", "B", "view_only"),), LIMITS, text=to_units(EMOJI)),
            '{"type":"welcome","id":"a","mode":"edit","epoch":"e","version":7,"text":"\U0001f600","acked":3,'
            '"peers":[{"id":"b","name":"B","mode":"view_only"}],"limits":' + LIMITS_JSON + "}",
        ),
        (
            Welcome("a", "edit", "e", 7, 3, (), LIMITS, updates=(CommittedUpdate("b", 1, insert("x")),), before=("d",)),
            '{"type":"welcome","id":"a","mode":"edit","epoch":"e","before":["d"],"version":7,'
            '"updates":[{"sender":"b","seq":1,"changes":[[0,"x"]]}],"acked":3,"peers":[],"limits":' + LIMITS_JSON + "}",
        ),
        (
            Welcome("a", "edit", "e", 7, 3, (), LIMITS, text="", codespace="5f"),
            '{"type":"welcome","id":"a","mode":"edit","epoch":"e","version":7,"text":"","acked":3,"peers":[],"limits":'
            + LIMITS_JSON
            + ',"codespace":"5f"}',
        ),
        (
            Welcome("a", "edit", "e", 7, 3, (), LIMITS, text="", language=""),
            '{"type":"welcome","id":"a","mode":"edit","epoch":"e","version":7,"text":"","acked":3,"peers":[],"limits":'
            + LIMITS_JSON
            + ',"language":""}',
        ),
    ],
)
def test_a_frame_is_sent_as_the_protocol_has_it(frame: ServerFrame | ClientFrame, expected: str) -> None:
    assert encode(frame).decode() == expected


names = st.text(max_size=20)
units = st.text(max_size=20).map(to_units)
integers = st.integers(min_value=0, max_value=MAX_INTEGER)
seqs = st.integers(min_value=1, max_value=MAX_INTEGER)
modes = st.sampled_from(("edit", "view_only"))
ranges = st.lists(st.tuples(integers, integers), max_size=SELECTION_RANGES).map(tuple)


@st.composite
def change_sets(draw: st.DrawFn) -> ChangeSet:
    """Return any change set."""
    length = draw(st.integers(0, 50))
    changes = []
    pos = 0
    while pos <= length and draw(st.booleans()):
        start = draw(st.integers(pos, length))
        end = draw(st.integers(start, length))
        changes.append(Change(start, end, draw(st.text(max_size=5))))
        pos = end + 1
    return ChangeSet.of(changes, length)


committed_updates = st.builds(CommittedUpdate, names, seqs, change_sets())
peers = st.builds(Peer, names, names, modes)
client_frames = st.one_of(
    st.builds(PushFrame, seqs, integers, st.lists(change_sets(), min_size=1, max_size=3).map(tuple)),
    st.builds(SelectFrame, integers, ranges),
    st.builds(AskFrame),
    st.builds(LanguageFrame, st.text("az09+#-", min_size=1, max_size=32)),
)
update_lists = st.lists(committed_updates, max_size=3).map(tuple)
welcome_fields = (
    names,
    modes,
    names,
    integers,
    integers,
    st.lists(peers, max_size=3).map(tuple),
    st.just(LIMITS),
)
server_frames = st.one_of(
    st.builds(Welcome, *welcome_fields, text=units),
    st.builds(Welcome, *welcome_fields, updates=update_lists),
    st.builds(UpdatesFrame, integers, update_lists),
    st.builds(RefusedFrame, seqs, names, names),
    st.builds(PeerSelectFrame, names, integers, ranges),
    st.builds(PeerFrame, names, names, modes),
    st.builds(GoneFrame, names),
    st.builds(StatusFrame, st.sampled_from(("ok", "down")), st.none() | names),
    st.builds(AliveFrame, integers),
    st.builds(PeerLanguageFrame, names, names),
)


@given(client_frames)
def test_every_client_frame_is_parsed_as_it_was_sent(frame: ClientFrame) -> None:
    assert parse_client_frame(encode(frame).decode()) == frame


@given(server_frames)
def test_every_server_frame_is_parsed_as_it_was_sent(frame: ServerFrame) -> None:
    assert parse_server_frame(encode(frame).decode()) == frame


@given(integers, names, seqs, st.lists(change_sets(), min_size=1, max_size=3))
def test_the_message_of_a_push_says_the_same_as_its_frame(
    version: int, sender: str, seq: int, changes: list[ChangeSet]
) -> None:
    push = [Update(sender, seq, each) for each in changes]
    frame = UpdatesFrame(version, tuple(map(committed, push)))
    assert encode_push(version, push) == encode(frame)


# Arrival


def test_one_who_says_nothing_arrives_as_a_stranger() -> None:
    assert parse_arrival("") == Arrival(session=None, epoch=None, version=None, tip=None, name="")


def test_one_who_comes_back_says_so_in_the_query() -> None:
    session = bytes(range(16))
    name = f"Ä b&=+ {EMOJI}"
    query = {"session": format_session(session), "epoch": "e-_1", "version": 7, "tip": "a:3", "name": name}
    assert parse_arrival(urlencode(query)) == Arrival(session, epoch="e-_1", version=7, tip="a:3", name=name)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("Ada\x00\r\n\x85\u2028Lovelace ", "Ada Lovelace"),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\u2066b\u2069c", "abc"),
        # Joined emoji and the marks of scripts stay.
        ("\U0001f469\u200d\U0001f680", "\U0001f469\u200d\U0001f680"),
        ("\u0645\u200c\u0646", "\u0645\u200c\u0646"),
        ("e\u0301", "e\u0301"),
        *((nothing, "") for nothing in ("\u200b\u2060", "\u3164", "\u2800 \u2800", "\u0301", "\u202e", "\n", "\u00ad")),
    ],
)
def test_a_name_is_one_line_that_turns_no_writing_or_none_if_nothing_would_be_seen(given: str, name: str) -> None:
    assert parse_arrival(urlencode({"name": given})).name == name


@pytest.mark.parametrize(("query", "progress"), [("progress=1", True), ("progress=0", False), ("name=a", False)])
def test_one_who_asks_for_progress_is_known_by_the_query(query: str, progress: bool) -> None:
    assert parse_arrival(query).progress is progress


def test_fields_of_the_query_that_are_not_known_are_passed_over() -> None:
    assert parse_arrival("token=x&&=&%&name=a&color=red&type=push") == Arrival(name="a")


def test_fields_of_the_query_without_a_value_are_as_if_left_out() -> None:
    assert parse_arrival("session=&epoch=&version=&name=") == Arrival()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("session=x", "session"),
        ("session=" + "A" * 21, "session"),
        ("session=" + "A" * 24, "session"),
        ("session=" + quote("é" * 22), "session"),
        ("session=" + quote("A" * 21 + "!"), "session"),
        ("session=" + quote("A" * 11 + " " + "A" * 11), "session"),
        ("epoch=" + "e" * 65, "epoch"),
        ("version=x", "version"),
        ("version=-1", "version"),
        ("version=1.5", "version"),
        (f"version={MAX_INTEGER + 1}", "version"),
        ("version=1" + "0" * 5000, "version"),
        ("name=" + "n" * (NAME_LENGTH + 1), "name"),
        ("name=\ud800", "name"),
        ("progress=some", "progress"),
    ],
)
def test_a_field_of_the_query_that_is_not_as_it_should_be_is_refused_by_its_name(query: str, field: str) -> None:
    with pytest.raises(ConnectionRefused) as caught:
        parse_arrival(query)
    closing = caught.value.closing
    assert closing.code == CloseCode.NOT_UNDERSTOOD
    assert closing.reason.startswith(f"{field}: ")


@given(st.text())
def test_any_query_is_an_arrival_or_is_refused(query: str) -> None:
    for text in (query, f"session={query}", f"version={query}", f"name={query}&progress={query}"):
        with suppress(ConnectionRefused):
            assert isinstance(parse_arrival(text), Arrival)


# Sessions


@given(st.binary(min_size=16, max_size=16))
def test_a_session_is_read_as_it_was_written_with_padding_or_without(session: bytes) -> None:
    text = format_session(session)
    assert len(text) == 22
    assert parse_session(text) == parse_session(text + "==") == session


@given(st.binary(max_size=40))
def test_a_session_of_any_other_length_is_refused(session: bytes) -> None:
    text = format_session(session)
    if len(session) != 16:
        with pytest.raises(ValueError, match="16 random bytes"):
            parse_session(text)


def test_the_public_id_of_a_session_is_the_same_on_every_instance_and_in_every_release() -> None:
    session = bytes(range(16))
    digest = hashlib.sha256(b"pyshare.v1 client " + session).digest()
    assert public_id(session) == urlsafe_b64encode(digest[:12]).decode() == "aVkC83r7oUx5BSRn"


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_a_public_id_tells_sessions_apart_and_shows_nothing_of_them(one: bytes, other: bytes) -> None:
    assert len(public_id(one)) == 16
    assert (public_id(one) == public_id(other)) == (one == other)
    assert format_session(one)[:8] not in public_id(one)


def push_of(updates: str) -> str:
    return f'{{"type":"push","seq":7,"version":0,"updates":[{updates}]}}'


@pytest.mark.parametrize(
    ("updates", "count"),
    [
        (",".join(["[]"] * 1025), "1025 updates"),
        ("[" + ",".join(["1"] * 81_921) + "]", "81921 sections"),
        (",".join(["[" + ",".join(["1"] * 820) + "]"] * 101), "82820 sections"),
    ],
)
def test_a_push_above_its_limits_is_refused_by_count_before_a_change_set_is_made(
    updates: str, count: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ChangeSet, "from_json", None)
    with pytest.raises(UnreadablePush) as refused:
        parse_client_frame(push_of(updates))
    assert (refused.value.seq, refused.value.code) == (7, RefusalCode.TOO_MUCH)
    assert refused.value.reason == f"a push of {count}; send it in parts of 1024 updates and 81920 sections at most"


def test_a_push_above_its_limits_without_a_number_is_not_understood() -> None:
    with pytest.raises(ConnectionRefused) as refused:
        parse_client_frame(push_of(",".join(["[]"] * 1025)).replace('"seq":7', '"seq":0'))
    assert refused.value.closing.code == CloseCode.NOT_UNDERSTOOD


def test_kept_sections_side_by_side_become_one_in_a_push() -> None:
    frame = parse_client_frame(push_of('[1,1,[0,"x"],0,2,3,[1],[1]]'))
    assert isinstance(frame, PushFrame)
    assert frame.updates[0].to_json() == [2, [0, "x"], 5, [1], [1]]


def test_lists_by_the_hundred_thousand_are_refused_before_they_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_CLIENT_FRAMES", None)
    with pytest.raises(UnreadablePush) as refused:
        parse_client_frame(push_of(",".join(["[]"] * 200_000)))
    assert (refused.value.seq, refused.value.code) == (7, RefusalCode.TOO_MUCH)
    with pytest.raises(ConnectionRefused) as unread:
        parse_client_frame('{"type":' + "[" * 200_000)
    assert unread.value.closing.code == CloseCode.NOT_UNDERSTOOD


def test_brackets_in_a_text_are_not_taken_for_lists() -> None:
    text = '[\\"[' * 50_000
    frame = parse_client_frame(push_of(f'[[0,"{text}"]]'))
    assert isinstance(frame, PushFrame)
    assert frame.updates[0].new_length == 150_000


@pytest.mark.parametrize(
    ("adapter", "text"),
    [
        (protocol._CLIENT_FRAMES, '{"type":"select","version":1,"ranges":[null,null,null]}'),
        (protocol._CLIENT_FRAMES, '{"type":"push","seq":1,"version":1,"updates":[null,null,null]}'),
        (sharepython._FRAMES, '{"operation":"insert_value","doc_length":1,"changes":[null,null,null]}'),
        (sharepython._FRAMES, '{"operation":"create_selection","selections":[null,null,null]}'),
    ],
)
def test_many_wrong_parts_of_a_frame_are_one_error_since_each_costs_work(
    adapter: TypeAdapter[object], text: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        adapter.validate_json(text)
    assert refused.value.error_count() == 1


def test_a_frame_of_very_many_fields_is_refused_before_each_of_them_costs_work() -> None:
    fields = ",".join(f'"f{number}" : 0' for number in range(80_000))
    with pytest.raises(ConnectionRefused, match="more than 64 fields"):
        parse_client_frame('{"type":"select","version":0,"ranges":[],' + fields + "}")


def test_names_and_colons_in_the_text_of_a_push_do_not_count_as_fields() -> None:
    text = '{"a": 1, "b\\": 2}\n' * 1000
    changes = ChangeSet.of([Change(0, 0, text)], 0)
    frame = PushFrame(1, 0, (changes,))
    assert parse_client_frame(encode(frame).decode()) == frame


@pytest.mark.parametrize(("message", "steps"), [("", 1), ("x" * 2560, 11), ("[1,2,[3]]", 5)])
def test_parsing_takes_steps_for_the_length_of_a_message_and_for_its_lists_and_items(message: str, steps: int) -> None:
    assert protocol.parse_steps(message) == steps
