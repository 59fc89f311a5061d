"""The server's side of a stock editor's socket: an outlet that keeps what is on its way."""

from collections import deque

from pyshare.core.errors import Closing


class StockSocket:
    """The server's side of a stock editor's socket: an outlet that keeps what is on its way."""

    def __init__(self) -> None:
        # Frames on their way to the editor, as JSON, oldest first.
        self.sent: deque[str] = deque()
        self.closing: Closing | None = None
        # Whether there is no room, and whether somebody was told so.
        self.full = False
        self.refused = False
        # Steps of work that the editor was charged.
        self.steps = 0

    def write_nowait(self, data: bytes) -> bool:
        """Take whole frames, unless the socket is full."""
        if self.full:
            self.refused = True
            return False
        while data and self.closing is None:
            length, start = data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4]), 4
            elif length == 127:
                length, start = int.from_bytes(data[2:10]), 10
            self.sent.append(data[start : start + length].decode())
            data = data[start + length :]
        return True

    def charge(self, steps: int) -> None:
        """Note the work that was done for this editor."""
        self.steps += steps

    def close_nowait(self, closing: Closing) -> None:
        """Note why; the first reason counts."""
        self.closing = self.closing or closing
