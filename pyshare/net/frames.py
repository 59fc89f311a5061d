"""Fragments, pings and pongs, counted in the bytes that a client sends.

Pure. Each frame costs the server about the same, however short it is, and
trio-websocket tells of whole messages only.
"""

_END_OF_REQUEST = b"\r\n\r\n"
#: First bytes of a frame that is a whole message, of text or binary.
_WHOLE = (0x81, 0x82)


class FrameCounter:
    """Counts the frames in a stream of bytes that are no whole message, behind its request (RFC 6455, section 5.2)."""

    def __init__(self) -> None:
        # The last bytes of the request, until its end has come.
        self._request: bytes | None = b""
        # The header of the frame that has begun, until it is whole; bytes of its payload that are still to come.
        self._header = bytearray()
        self._payload_bytes = 0

    def count(self, data: bytes) -> int:
        """Return how many of these frames begin in `data`, which follows what was counted before."""
        if self._request is not None:
            data = self._request + data
            end = data.find(_END_OF_REQUEST)
            if end < 0:
                self._request = data[-len(_END_OF_REQUEST) + 1 :]
                return 0
            self._request = None
            data = data[end + len(_END_OF_REQUEST) :]
        frames = pos = 0
        while pos < len(data):
            if self._payload_bytes:
                step = min(self._payload_bytes, len(data) - pos)
                self._payload_bytes -= step
                pos += step
                continue
            frames += not self._header and data[pos] not in _WHOLE
            self._header.append(data[pos])
            pos += 1
            if len(self._header) >= 2 and len(self._header) == _header_bytes(self._header[1]):
                self._payload_bytes = _payload_bytes(self._header)
                self._header.clear()
        return frames


def _header_bytes(second: int) -> int:
    """Return the length of a frame's header by its second byte."""
    length = second & 0x7F
    return 2 + (2 if length == 126 else 8 if length == 127 else 0) + (4 if second & 0x80 else 0)


def _payload_bytes(header: bytearray) -> int:
    length = header[1] & 0x7F
    if length < 126:
        return length
    return int.from_bytes(header[2:4] if length == 126 else header[2:10], "big")
