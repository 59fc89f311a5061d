"""WebSocket frames as a server sends them, and long messages in pieces, so that a client sees them arrive.

A client that asks for progress is sent a long message as several text messages,
each a *piece*: a mark that says whether more follow, and a part of the message.
Pieces are cut between characters, and stand behind each other in one write.
"""

import struct
from collections.abc import Iterable

from pyshare.core.document import Update, by_push
from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.core.protocol import ServerFrame, encode, encode_push

#: Bytes above which a message is sent in pieces, and bytes of a message in one piece at most.
WHOLE_BYTES = 32_768
PIECE_BYTES = 16_384
#: First character of a piece: more pieces of the message follow, or none.
MORE, LAST = "+", "="
#: Lengths of a payload from which a frame gives it in 2 bytes, and in 8 (RFC 6455, section 5.2).
_LENGTH_IN_2_BYTES, _LENGTH_IN_8_BYTES = 126, 65_536
#: Bits that mark each byte of a character in UTF-8 but the first, and their value there (RFC 3629, section 3).
_FOLLOWS_BITS, _FOLLOWS = 0xC0, 0x80

_BETWEEN = Closing(CloseCode.NOT_UNDERSTOOD, "a whole message stands between the pieces of another")


def text_frame(payload: bytes) -> bytes:
    """Return `payload` as one unmasked WebSocket text frame, as a server sends it (RFC 6455, section 5.2)."""
    length = len(payload)
    if length < _LENGTH_IN_2_BYTES:
        return b"\x81" + bytes((length,)) + payload
    if length < _LENGTH_IN_8_BYTES:
        return b"\x81\x7e" + struct.pack("!H", length) + payload
    return b"\x81\x7f" + struct.pack("!Q", length) + payload


def server_frame(frame: ServerFrame) -> bytes:
    """Return a short `frame` as a WebSocket text frame."""
    return text_frame(encode(frame))


def message_frames(payload: bytes, *, pieces: bool) -> bytes:
    """Return the WebSocket text frames of one message: one frame, or with `pieces` one for each piece of a long one."""
    if not pieces or len(payload) <= WHOLE_BYTES:
        return text_frame(payload)
    frames = []
    start = 0
    while start < len(payload):
        end = min(start + PIECE_BYTES, len(payload))
        while end < len(payload) and payload[end] & _FOLLOWS_BITS == _FOLLOWS:
            end -= 1
        mark = MORE if end < len(payload) else LAST
        frames.append(text_frame(mark.encode() + payload[start:end]))
        start = end
    return b"".join(frames)


def push_messages(version: int, updates: Iterable[Update]) -> list[tuple[int, bytes]]:
    """Return the messages that tell of the `updates` that follow `version`, one a push, each with its version."""
    messages = []
    for push in by_push(updates):
        version += len(push)
        messages.append((version, encode_push(version, push)))
    return messages


def in_frames(messages: Iterable[tuple[int, bytes]], *, pieces: bool) -> list[tuple[int, bytes]]:
    """Return messages that have versions as their WebSocket frames, with these versions."""
    return [(version, message_frames(message, pieces=pieces)) for version, message in messages]


class Assembly:
    """Messages put together again from their pieces, at the end that receives them."""

    def __init__(self, most_characters: int) -> None:
        # Characters that a message in pieces may have.
        self._most_characters = most_characters
        # The pieces of the present message without their marks, and their characters.
        self._parts: list[str] = []
        self._characters = 0

    def take(self, text: str) -> str | None:
        """Take the next text message; return the message that it is or completes, or None if more pieces follow.

        Raises:
            ConnectionRefused: 1009 if the message is too long, 4400 if a whole one stands between pieces.
        """
        mark = text[:1]
        if mark not in {MORE, LAST}:
            if self._parts:
                raise ConnectionRefused(_BETWEEN)
            return text
        self._characters += len(text) - 1
        if self._characters > self._most_characters:
            reason = f"a message in pieces of more than {self._most_characters} characters"
            raise ConnectionRefused(Closing(CloseCode.TOO_BIG, reason))
        self._parts.append(text[1:])
        if mark == MORE:
            return None
        message = "".join(self._parts)
        self._parts.clear()
        self._characters = 0
        return message
