"""The lane for common frames, beside wsproto alone: the same messages, whatever comes and wherever it is cut."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.utilities import RemoteProtocolError

from pyshare.net.frames import Frames
from pyshare.net.lane import take_messages


def frame(first: int, payload: bytes, *, mask: bytes | None = b"\x01\x02\x03\x04", length_bytes: int = 0) -> bytes:
    """Return a frame; `length_bytes` writes its length in that many bytes, though fewer would do."""
    masked = 0x80 if mask is not None else 0
    length = len(payload)
    if length_bytes == 8 or length > 0xFFFF:
        head = struct.pack("!BBQ", first, masked | 127, length)
    elif length_bytes == 2 or length > 125:
        head = struct.pack("!BBH", first, masked | 126, length)
    else:
        head = struct.pack("!BB", first, masked | length)
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


class Library:
    """wsproto alone, as a server that has shaken hands: what it makes of bytes, until it refuses them."""

    def __init__(self) -> None:
        self._connection = Connection(ConnectionType.SERVER)
        self._parts: list[str] = []
        # True once it was closed, or has refused what came. Nothing more is heard then.
        self.ended = False
        self.said: list[object] = []

    @property
    def is_open(self) -> bool:
        return self._connection.state is ConnectionState.OPEN and not self.ended

    def takes(self, data: bytes) -> None:
        if not self.is_open:
            return
        self._connection.receive_data(data)
        try:
            for event in self._connection.events():
                self._on_event(event)
        except RemoteProtocolError as error:
            self.said.append(
                ("broken", error.event_hint.code if isinstance(error.event_hint, CloseConnection) else None)
            )
            self.ended = True

    def _on_event(self, event: Event) -> None:
        match event:
            case TextMessage():
                self._parts.append(event.data)
                if event.message_finished:
                    self.said.append("".join(self._parts))
                    self._parts.clear()
            case BytesMessage():
                if event.message_finished:
                    self.said.append(b"binary")
            case Ping():
                self.said.append(("ping", bytes(event.payload)))
            case Pong():
                self.said.append(("pong", bytes(event.payload)))
            case CloseConnection():
                self.said.append(("close", event.code))
                self.ended = True
            case _:
                raise AssertionError(event)


class WithLane(Library):
    """The same behind the lane. A message that wsproto has made of bytes is taken before more is read."""

    def __init__(self) -> None:
        super().__init__()
        self._frames = Frames()
        self._frames.pass_by(b"GET / HTTP/1.1\r\n\r\n")

    @override
    def takes(self, data: bytes) -> None:
        if self._frames.idle and self.is_open:
            messages, taken_bytes = take_messages(data)
            self.said += messages
            data = data[taken_bytes:]
        self._frames.pass_by(data)
        before = len(self.said)
        super().takes(data)
        for said in self.said[before:]:
            if isinstance(said, str | bytes):
                self._frames.message_taken()


MASKS = st.one_of(st.none(), st.binary(min_size=4, max_size=4))
PAYLOADS = st.one_of(
    st.text(max_size=40).map(str.encode), st.binary(max_size=140), st.just(b"x" * 126), st.just("é\n".encode() * 300)
)
ANY_FRAMES = st.one_of(
    st.builds(frame, st.just(0x81), PAYLOADS, mask=st.binary(min_size=4, max_size=4)),
    st.builds(frame, st.sampled_from([0x81, 0x01, 0x00, 0x80, 0x82, 0x02, 0x89, 0x8A]), PAYLOADS, mask=MASKS),
    st.builds(frame, st.integers(0, 255), PAYLOADS, mask=MASKS, length_bytes=st.sampled_from([0, 2, 8])),
    st.builds(frame, st.just(0x88), st.just(struct.pack("!H", 1000)), mask=st.just(b"abcd")),
)


@settings(max_examples=500)
@given(st.lists(ANY_FRAMES, max_size=12), st.lists(st.integers(1, 300), max_size=30), st.binary(max_size=6))
def test_whatever_frames_come_and_wherever_they_are_cut_the_lane_and_the_library_say_what_the_library_says_alone(
    frames: list[bytes], cuts: list[int], end: bytes
) -> None:
    data = b"".join(frames) + end
    alone, both = Library(), WithLane()
    for length in [*cuts, len(data)]:
        alone.takes(data[:length])
        both.takes(data[:length])
        data = data[length:]
        assert both.said == alone.said


def test_a_message_within_a_message_is_left_to_the_library_however_empty_its_parts_are() -> None:
    alone, both = Library(), WithLane()
    for data in (frame(0x01, b""), frame(0x00, b""), frame(0x81, b"in between")):
        alone.takes(data)
        both.takes(data)
    assert both.said == alone.said == [("close", 1002)]


def test_whole_text_messages_are_taken_and_the_rest_is_left() -> None:
    data = frame(0x81, b"one") + frame(0x81, "zwei ü".encode(), mask=b"\x00\xff\x00\xff") + frame(0x81, b"")
    ping = frame(0x89, b"")
    assert take_messages(data + ping + data) == (["one", "zwei ü", ""], len(data))
    assert take_messages(data[:-1]) == (["one", "zwei ü"], len(data) - len(frame(0x81, b"")))
    assert take_messages(b"") == ([], 0)


@pytest.mark.parametrize(
    "data",
    [
        frame(0x01, b"a fragment"),
        frame(0x82, b"binary"),
        frame(0x81, b"no mask", mask=None),
        frame(0xC1, b"a reserved bit"),
        frame(0x81, b"\xff", mask=b"abcd"),
        frame(0x81, b"short", length_bytes=2),
        frame(0x81, b"short", length_bytes=8),
    ],
)
def test_what_is_no_whole_masked_text_message_is_left_to_the_library(data: bytes) -> None:
    assert take_messages(data) == ([], 0)
