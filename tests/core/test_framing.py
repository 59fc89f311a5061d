"""WebSocket frames of a server, read by another implementation; and long messages in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import Message, TextMessage

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.errors import CloseCode, ConnectionRefused
from pyshare.core.framing import (
    PIECE_BYTES,
    WHOLE_BYTES,
    Assembly,
    in_frames,
    message_frames,
    push_messages,
    server_frame,
    text_frame,
)
from pyshare.core.protocol import GoneFrame, encode, encode_push

EMOJI = "\U0001f600"


def messages_in(data: bytes) -> list[str]:
    """Return the text messages that a client reads in `data`."""
    peer = Connection(ConnectionType.CLIENT)
    peer.receive_data(data)
    messages = [""]
    for event in peer.events():
        assert isinstance(event, Message)
        assert isinstance(event, TextMessage)
        messages[-1] += event.data
        if event.message_finished:
            messages.append("")
    assert messages.pop() == "", "the last message is whole"
    return messages


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 65_535, 65_536, 100_000])
def test_a_text_frame_is_read_by_another_implementation_at_every_border_of_its_length(length: int) -> None:
    payload = b"x" * length
    # The next frame shows that not a byte too many was sent.
    assert messages_in(text_frame(payload) + text_frame(b"next")) == [payload.decode(), "next"]


def test_each_push_has_a_message_of_its_own_with_the_version_after_it() -> None:
    changes = [ChangeSet.of([Change(0, 0, "x")], length) for length in range(5)]
    keys = (("a", 1), ("a", 1), ("a", 2), ("b", 2), ("a", 2))
    updates = [Update(sender, seq, each) for (sender, seq), each in zip(keys, changes, strict=True)]
    assert push_messages(7, updates) == [
        (9, encode_push(9, updates[:2])),
        (10, encode_push(10, updates[2:3])),
        (11, encode_push(11, updates[3:4])),
        (12, encode_push(12, updates[4:])),
    ]
    assert push_messages(7, []) == []


@pytest.mark.parametrize("pieces", [True, False])
def test_a_short_message_is_one_frame_for_every_client(pieces: bool) -> None:
    longest = b"x" * WHOLE_BYTES
    assert message_frames(longest, pieces=pieces) == text_frame(longest)
    assert in_frames([(3, b"{}"), (4, b"[]")], pieces=pieces) == [(3, text_frame(b"{}")), (4, text_frame(b"[]"))]
    assert server_frame(GoneFrame("a")) == text_frame(encode(GoneFrame("a")))


def test_a_long_message_is_one_frame_for_a_client_that_does_not_take_pieces() -> None:
    longer = b"x" * (WHOLE_BYTES + 1)
    assert message_frames(longer, pieces=False) == text_frame(longer)


def test_a_long_message_comes_in_pieces_of_which_the_last_one_is_marked() -> None:
    message = "x" * WHOLE_BYTES + "y"
    found = messages_in(message_frames(message.encode(), pieces=True))
    assert found == ["+" + "x" * PIECE_BYTES, "+" + "x" * PIECE_BYTES, "=y"]


@pytest.mark.parametrize("before", range(4))
def test_no_character_is_cut_by_a_piece(before: int) -> None:
    message = "x" * before + EMOJI * 9000 + "é" * 9000 + "漢" * 9000
    frames = message_frames(message.encode(), pieces=True)
    found = messages_in(frames)
    assert "".join(piece[1:] for piece in found) == message
    assert {piece[0] for piece in found[:-1]} == {"+"}
    assert found[-1][0] == "="
    assert all(PIECE_BYTES - 3 <= len(piece[1:].encode()) <= PIECE_BYTES for piece in found[:-1])


@given(st.lists(st.tuples(st.text(max_size=5), st.integers(1, 12_000)), max_size=4))
def test_messages_in_pieces_are_put_together_as_they_were(parts: list[tuple[str, int]]) -> None:
    messages = ["{" + text * times for text, times in parts]
    data = b"".join(message_frames(message.encode(), pieces=True) for message in messages)
    assembly = Assembly(60_001)
    found = [assembly.take(text) for text in messages_in(data)]
    assert [message for message in found if message is not None] == messages


def test_a_message_in_pieces_is_given_up_when_it_is_too_long() -> None:
    assembly = Assembly(9)
    for _ in range(2):
        assert assembly.take("+12345") is None
        assert assembly.take("=6789") == "123456789"
    assert assembly.take("+12345") is None
    with pytest.raises(ConnectionRefused) as caught:
        assembly.take("+67890")
    assert caught.value.closing.code == CloseCode.TOO_BIG


def test_a_whole_message_between_pieces_is_an_error() -> None:
    assembly = Assembly(9)
    assert assembly.take("{}") == "{}"
    assert assembly.take("+1") is None
    with pytest.raises(ConnectionRefused) as caught:
        assembly.take("{}")
    assert caught.value.closing.code == CloseCode.NOT_UNDERSTOOD
