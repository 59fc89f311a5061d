"""The lane for common frames: whole text messages at the beginning of received bytes, without a WebSocket library.

Almost every frame of a client is one whole, masked text frame. The lane decodes these. Everything else (fragments,
binary and control frames, frames that have not arrived whole, and whatever is wrong) goes to trio-websocket.
"""

from typing import Final

#: First byte of a frame that is a whole text message, without reserved bits: RFC 6455, section 5.2.
_WHOLE_TEXT: Final = 0x81
#: The bit of a masked frame; its length; the length behind which the real one follows in two bytes.
_MASKED: Final = 0x80
_LENGTH: Final = 0x7F
_TWO_BYTES: Final = 126
#: Bytes of a mask.
_MASK_BYTES: Final = 4


def take_messages(data: bytes) -> tuple[list[str], int]:
    """Return the whole text messages with which `data` begins, and the number of bytes that they take.

    `data` begins where a frame does. The first frame that is anything else ends the messages. So does a frame that
    RFC 6455 forbids: the bytes behind the messages go to a WebSocket library, which refuses them.
    """
    messages: list[str] = []
    place = 0
    while place + 2 <= len(data) and data[place] == _WHOLE_TEXT and data[place + 1] & _MASKED:
        length = data[place + 1] & _LENGTH
        mask = place + 2
        if length == _TWO_BYTES:
            mask += 2
            length = int.from_bytes(data[place + 2 : mask], "big")
            if length < _TWO_BYTES:
                break
        elif length > _TWO_BYTES:
            break
        start = mask + _MASK_BYTES
        end = start + length
        if end > len(data):
            break
        try:
            messages.append(_unmasked(data[start:end], data[mask:start]).decode())
        except UnicodeDecodeError:
            break
        place = end
    return messages, place


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    """Return `payload` without its mask (RFC 6455, section 5.3), all of it in one operation on integers."""
    length = len(payload)
    key = (mask * (length // _MASK_BYTES + 1))[:length]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")).to_bytes(length, "little")
