"""The client's side of a WebSocket without tasks: bytes in, calls out. A frame is sent when the socket has room."""

import struct
from collections.abc import Callable

from simulation.sockets import End

_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_SHORT, _LONG = 126, 127
_WORD = 65_536
#: Any key will do: nobody between the two could confuse the answers.
_KEY = "c2ltdWxhdGVkIGNsaWVudA=="


def client_frame(payload: bytes, opcode: int = _TEXT, *, mask: int = 0) -> bytes:
    """Return a final frame as clients send it; a mask of zero leaves the payload as it is."""
    length = len(payload)
    if length < _SHORT:
        head = bytes((0x80 | opcode, 0x80 | length))
    elif length < _WORD:
        head = struct.pack("!BBH", 0x80 | opcode, 0x80 | _SHORT, length)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | _LONG, length)
    if mask:
        key = struct.pack("!I", mask)
        payload = bytes(each ^ key[index % 4] for index, each in enumerate(payload))
    return head + struct.pack("!I", mask) + payload


class Socket:
    """A WebSocket of a simulated client.

    `on_open`, `on_text` and `on_end` are called as things arrive; `on_end` once,
    with the close code, or the HTTP status, or None if nobody said why.
    """

    def __init__(
        self,
        end: End,
        path: str,
        *,
        subprotocol: str | None,
        on_open: Callable[[], None],
        on_text: Callable[[str], None],
        on_end: Callable[[int | None, str], None],
    ) -> None:
        self._end = end
        self._on_open = on_open
        self._on_text = on_text
        self._on_end = on_end
        # What has arrived and is not whole.
        self._arrived = b""
        # What is to be sent and found no room.
        self._waiting = bytearray()
        #: Whether the handshake was answered; whether all is over.
        self.is_open = False
        self.ended = False
        end.incoming.on_data = self._on_data
        end.outgoing.on_room = self._flush
        lines = [f"GET {path} HTTP/1.1", "Host: server", "Connection: Upgrade", "Upgrade: websocket"]
        lines += [f"Sec-WebSocket-Key: {_KEY}", "Sec-WebSocket-Version: 13"]
        if subprotocol is not None:
            lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
        self.send_bytes("\r\n".join([*lines, "", ""]).encode())

    @property
    def unsent_bytes(self) -> int:
        """The bytes that wait for room."""
        return len(self._waiting)

    def send_text(self, text: str) -> None:
        """Send a text message."""
        self.send_bytes(client_frame(text.encode()))

    def send_bytes(self, data: bytes) -> None:
        """Send any bytes, behind those that wait."""
        if self.ended:
            return
        self._waiting += data
        self._flush()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye; the connection ends with the answer."""
        self.send_bytes(client_frame(struct.pack("!H", code) + reason.encode(), _CLOSE))

    def abandon(self) -> None:
        """Say goodbye, and call nothing any more."""
        self._on_open, self._on_text, self._on_end = _nothing, _pass_over, _pass_over
        if self.is_open:
            self.close()
        else:
            # Before the server's answer a client may send nothing.
            self.vanish()

    def vanish(self) -> None:
        """Close the socket without a word, as a browser that is killed; nothing is called any more."""
        self.ended = True
        self._end.close()

    def _flush(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: self._end.send(bytes(self._waiting))]
        except BlockingIOError:
            return
        except OSError:
            self._over(None, "broken")

    def _on_data(self, data: bytes | None) -> None:
        if self.ended:
            return
        if data is None:
            self._over(None, "lost")
            return
        self._arrived = self._arrived + data if self._arrived else data
        if not self.is_open and not self._shake_hands():
            return
        while self._take_frame():
            pass

    def _shake_hands(self) -> bool:
        head, found, rest = self._arrived.partition(b"\r\n\r\n")
        if not found:
            return False
        status = int(head.split(b" ", 2)[1])
        if status != 101:
            self._over(status, rest.decode("utf-8", "replace"))
            return False
        self._arrived = rest
        self.is_open = True
        self._on_open()
        return True

    def _take_frame(self) -> bool:
        """Take a whole frame from what has arrived; return whether there was one."""
        data = self._arrived
        if len(data) < 2 or self.ended:
            return False
        length, start = data[1], 2
        if length == _SHORT:
            length, start = int.from_bytes(data[2:4]), 4
        elif length == _LONG:
            length, start = int.from_bytes(data[2:10]), 10
        if len(data) < start or len(data) < start + length:
            return False
        payload = data[start : start + length]
        self._arrived = data[start + length :]
        opcode = data[0] & 0x0F
        if data[0] & 0xF0 != 0x80 or opcode not in {_TEXT, _CLOSE, _PING, _PONG}:
            raise AssertionError(f"the server sends a frame that it never sends: {data[:2].hex()}")
        if opcode == _TEXT:
            self._on_text(payload.decode())
        elif opcode == _PING:
            self.send_bytes(client_frame(payload, _PONG))
        elif opcode == _CLOSE:
            self.send_bytes(client_frame(payload, _CLOSE))
            code = int.from_bytes(payload[:2]) if payload else None
            self._over(code, payload[2:].decode())
        return True

    def _over(self, code: int | None, reason: str) -> None:
        if not self.ended:
            self.ended = True
            self._end.close()
            self._on_end(code, reason)


def _nothing() -> None:
    """Do nothing."""


def _pass_over(*_: object) -> None:
    """Do nothing about it."""
