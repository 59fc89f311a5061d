"""The frames in the bytes that a client sends, followed as they pass, to know what is kept of them."""

from collections import deque

#: End of the head of an HTTP request (RFC 9112, section 2.1).
_END_OF_HEAD = b"\r\n\r\n"
#: Bits of a frame's first two bytes, and lengths with a meaning of their own: RFC 6455, section 5.2.
_FIN, _CONTROL, _MASKED, _LENGTH = 0x80, 0x08, 0x80, 0x7F
_TWO_BYTES, _EIGHT_BYTES = 126, 127
#: First bytes of a frame that is a whole message, of text or binary.
_WHOLE = (0x81, 0x82)
#: Bytes that a character may take in memory for each byte in UTF-8, and that each part of a message takes besides.
_WEIGHT_OF_BYTE = 4
_WEIGHT_OF_PART = 80


class Frames:
    """Follows the frames of one client; keeps the head of one at most.

    Bytes that are no frames are followed all the same: it is for others to refuse them.
    """

    def __init__(self) -> None:
        # The end of the HTTP request's head that has passed, until its end has.
        self._request: bytes | None = b""
        # The head of a frame as far as it has passed.
        self._head = b""
        # Bytes of the present frame that have yet to pass, and whether it is control, and its message's last.
        self._left = 0
        self._is_control = False
        self._is_last = False
        # True while a message has begun, perhaps with an empty part, and its last part has not passed.
        self._in_message = False
        # What is kept of the present message, and of each whole one that nobody has taken.
        self._unfinished = 0
        self._whole: deque[int] = deque()
        #: Frames that are no whole message: pings, pongs and fragments. Each costs the server about the same.
        self.extra = 0

    @property
    def weight_bytes(self) -> int:
        """About how many bytes of memory the messages take that nobody has taken, at most."""
        return self._unfinished + sum(self._whole)

    @property
    def unfinished(self) -> bool:
        """Whether a part of a frame or of a message has passed, and not all of it."""
        return bool(self._head or self._left or self._in_message)

    @property
    def idle(self) -> bool:
        """True if the next byte begins a frame, and every message that has passed was taken."""
        return not (self.unfinished or self._whole) and self._request is None

    def message_taken(self) -> None:
        """A whole message was taken, the oldest one."""
        if self._whole:
            self._whole.popleft()

    def pass_by(self, data: bytes) -> None:
        """Follow `data`, the next bytes."""
        place = 0
        if self._request is not None:
            seen = self._request + data
            end = seen.find(_END_OF_HEAD)
            if end < 0:
                self._request = seen[1 - len(_END_OF_HEAD) :]
                return
            place = end + len(_END_OF_HEAD) - len(self._request)
            self._request = None
        while place < len(data):
            if not self._left:
                place = self._pass_head(data, place)
                if not self._left:
                    continue
            passed = min(self._left, len(data) - place)
            place += passed
            self._left -= passed
            if not self._is_control:
                self._unfinished += _WEIGHT_OF_BYTE * passed + (_WEIGHT_OF_PART if passed else 0)
            if not self._left:
                self._end_frame()

    def _pass_head(self, data: bytes, place: int) -> int:
        """Follow the head of a frame, as far as it has come; return the place behind."""
        while place < len(data):
            self._head += data[place : place + 1]
            place += 1
            if len(self._head) == _head_length(self._head):
                self._begin_frame()
                break
        return place

    def _begin_frame(self) -> None:
        first, length = self._head[0], self._head[1] & _LENGTH
        if length >= _TWO_BYTES:
            length = int.from_bytes(self._head[2 : 4 if length == _TWO_BYTES else 10], "big")
        self._head = b""
        self._left = length
        self._is_control = bool(first & _CONTROL)
        self._is_last = bool(first & _FIN)
        self._in_message |= not self._is_control
        self.extra += first not in _WHOLE
        if not length:
            self._end_frame()

    def _end_frame(self) -> None:
        if not self._is_control and self._is_last:
            self._whole.append(self._unfinished)
            self._unfinished = 0
            self._in_message = False


def _head_length(head: bytes) -> int:
    """Return how long a frame's head is that begins so; two bytes tell."""
    if len(head) < 2:
        return 2
    length = head[1] & _LENGTH
    more = 8 if length == _EIGHT_BYTES else 2 if length == _TWO_BYTES else 0
    return 2 + more + (4 if head[1] & _MASKED else 0)
