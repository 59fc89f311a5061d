"""Signs of life: pings, and frames that a client's program can see, so that both ends notice a dead connection.

A ping is answered by a client's WebSocket, and browsers do not show it to a page. So a client that asks for progress
is also told that the connection lives, and how much of what it sends has been received.
"""

import trio

from pyshare.core.framing import server_frame
from pyshare.core.protocol import AliveFrame
from pyshare.net.outlet import PING, SocketOutlet
from pyshare.net.stream import OutletStream

#: Seconds between two signs before the welcome, while a long message of the client arrives, and while the client is not
#: read because of its debts.
OFTEN_SECONDS = 5.0


class SignsOfLife:
    """The signs of life of one connection."""

    def __init__(self, outlet: SocketOutlet, stream: OutletStream, *, seconds: float) -> None:
        self._outlet = outlet
        self._stream = stream
        # Seconds between two pings, and in which the client is told something.
        self._seconds = seconds
        # When a sign was last due or asked for, and the bytes received that were told of last.
        self._shown_time = trio.current_time()
        self._told_bytes = 0

    async def answer(self) -> None:
        """Send the sign of life for which the client has asked, when there is room for it."""
        await self._outlet.write(self._frame())
        self._shown_time = trio.current_time()

    async def run(self, *, visible: bool) -> None:
        """Send pings, and with `visible` the signs that are due, until cancelled.

        A full socket is sent neither: it has bytes on their way to the client.
        """
        self._shown_time = trio.current_time()
        ping_time = self._shown_time + self._seconds
        while True:
            await self._sleep_until(min(ping_time, self._due()) if visible else ping_time, watch=visible)
            now = trio.current_time()
            if ping_time <= now:
                ping_time = now + self._seconds
                self._outlet.offer_nowait(PING)
            if visible and self._due() <= now:
                self._shown_time = now
                self._outlet.offer_nowait(self._frame())

    async def _sleep_until(self, time: float, *, watch: bool) -> None:
        """Sleep until `time`; with `watch` the client's falling behind ends the sleep."""
        if watch and self._stream.behind_since is None:
            with trio.move_on_at(time):
                await self._stream.behind.wait()
        else:
            await trio.sleep_until(time)

    def _due(self) -> float:
        """Return when the next visible sign is due, or when to look again."""
        told_time, since = self._outlet.told_time, self._stream.behind_since
        last = max(self._shown_time, told_time, self._outlet.progress_time)
        if told_time == float("-inf"):
            return last + min(OFTEN_SECONDS, self._seconds)
        quiet = last + self._seconds
        if since is None:
            return quiet
        if self._stream.received_bytes > self._told_bytes or self._stream.debt_seconds():
            return min(quiet, max(last, since) + OFTEN_SECONDS)
        return min(quiet, trio.current_time() + OFTEN_SECONDS)

    def _frame(self) -> bytes:
        self._told_bytes = self._stream.received_bytes
        return server_frame(AliveFrame(self._told_bytes))
