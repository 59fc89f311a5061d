"""One client's socket, written without waiting: sent, partly sent, lagging.

The outlet is the socket's only writer. A channel writes whole frames to it at
once (`SocketOutlet`, which is a `pyshare.actors.messages.Outlet`), and so does
trio-websocket (`OutletStream` of `pyshare.net.stream`), so frames never
interleave. At most one write is ever kept, the rest of one that the socket
took a part of. What is in a frame is known here of close frames only.
"""

import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from pyshare.core.errors import CloseCode, Closing
from pyshare.net.addresses import SharedBucket
from pyshare.net.bucket import TokenBucket
from pyshare.net.held import HeldBytes

#: First byte of a close frame, and a whole ping: RFC 6455, section 5.2. Control frames are
#: never split, and `H`, with which an HTTP response begins, is none of them.
CLOSE = 0x88
PING = b"\x89\x00"
#: Bytes that the kernel holds for a client besides those under way to it; above it the client lags, and is
#: sent fewer, larger frames instead of ever older ones.
_UNSENT_BYTES = 131_072
#: Bytes read at once when nobody looks at them.
_DISCARD_BYTES = 65_536
_SHED = Closing(CloseCode.TRY_LATER, "this server is short of memory; send less at once, or reconnect later")


def close_frame(closing: Closing) -> bytes:
    """Return the WebSocket close frame that says `closing` (RFC 6455, section 5.5.1)."""
    payload = struct.pack("!H", closing.code) + closing.reason.encode()
    return bytes((CLOSE, len(payload))) + payload


class SocketOutlet:
    """One client's socket, which it owns and closes.

    What it takes is sent in the order in which it was taken. It takes nothing
    more, and says that it did, once it was told to close, has taken a close
    frame, or has found its socket dead.
    """

    def __init__(
        self,
        client: socket.socket,
        received: bytes = b"",
        *,
        work: TokenBucket | SharedBucket,
        held: HeldBytes | None = None,
    ) -> None:
        self._socket = client
        # What all connections hold together, this one among them.
        self.held = HeldBytes(sys.maxsize) if held is None else held
        # Whether it was let go because it held most.
        self.was_shed = False
        # Steps of work that may be done for the client.
        self._work = work
        # What the client has sent that was read before.
        self._received = received
        # The same socket, for whoever waits on it.
        self._trio_socket = trio.socket.from_stdlib_socket(client)
        # What the connection does as long as it goes on; cancelled by whatever ends it.
        self.lifetime = trio.CancelScope()
        # When a socket that was full took something for the last time.
        self.progress_time = float("-inf")
        # When the channel's data was taken for the last time.
        self.told_time = float("-inf")
        # The rest of the one write that was partly sent.
        self._rest: memoryview | None = None
        # Whether the socket took nothing when it was last tried.
        self._full = False
        # Whether the channel was told False since it was last told of room.
        self._owed = False
        # Set when the writer has something to wait for; set when there is room again, or never will be.
        self._stuck = trio.Event()
        self._room = trio.Event()
        # The first reason to close that came from this side.
        self._closing: Closing | None = None
        # Whether the last bytes have been taken; whether they have been sent; whether the socket is dead.
        self._sealed = False
        self._finished = False
        self._dead = False
        with suppress(OSError):  # no TCP
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)

    @property
    def closing(self) -> Closing | None:
        """Why this side closes the connection, if it does."""
        return self._closing

    @property
    def ended(self) -> bool:
        """Whether what is written from now on is dropped."""
        return self._sealed or self._dead or self._closing is not None

    @property
    def busy(self) -> bool:
        """Whether the socket has to take something, or to get room, before more can be written."""
        return self._full or self._rest is not None

    def write_nowait(self, data: bytes) -> bool:
        """Take the channel's `data`; or return False, take nothing, and tell it when there is room."""
        taken = self.offer_nowait(data)
        if taken:
            self.told_time = trio.current_time()
        else:
            self._owed = True
        return taken

    def offer_nowait(self, data: bytes) -> bool:
        """Take `data`, one or more whole frames, with one `send`; or return False and take nothing of it."""
        if self.ended or not data:
            return True
        if self.busy:
            return False
        sent = self._send(data)
        if sent == 0:
            self._full = True
            self._stuck.set()
            return False
        self._sealed = data[0] == CLOSE
        if sent < len(data):
            self._rest = memoryview(data)[sent:]
            self._stuck.set()
            self.held.hold_write(self, data)
        return True

    def close_nowait(self, closing: Closing) -> None:
        """End the connection after what was taken; the first reason counts, the peer's among them."""
        if not self.ended:
            self._closing = closing
        self._room.set()
        self.lifetime.cancel()

    def shed(self) -> None:
        """End at once, since the connections hold too much and this one most: what it holds is given up."""
        self.was_shed = True
        self.close_nowait(_SHED)
        if self._rest is not None:
            # Nothing can follow a frame that was sent in part, so that the reason cannot be told.
            self._die()

    def charge(self, steps: int) -> None:
        """Have the client pay for work that was done for it: in debt, it is read no further."""
        self._work.take(steps, trio.current_time())

    def debt_seconds(self) -> float:
        """Return how long it takes until the work done for the client is paid."""
        return self._work.debt_seconds(trio.current_time())

    async def write(self, data: bytes) -> None:
        """Have `data` taken, when there is room for it. Cancelled, none of it was taken."""
        while not self.offer_nowait(data):
            await self._room.wait()

    async def receive(self, max_bytes: int) -> bytes:
        """Return what has been received, at most `max_bytes`; nothing once the peer has ended.

        Raises:
            OSError: if the connection is broken.
        """
        if self._received:
            await trio.lowlevel.checkpoint()
            data, self._received = self._received[:max_bytes], self._received[max_bytes:]
            return data
        return await self._trio_socket.recv(max_bytes)

    async def run(self, tell_drained: Callable[[], Awaitable[None]], *, slow_seconds: float) -> None:
        """Send the rest of what was partly sent, each time there is one, until the connection ends.

        `tell_drained` is awaited when there is room again for whoever was told
        False. A socket that takes nothing for `slow_seconds` is told to close.
        """
        while not self.ended:
            await self._stuck.wait()
            await self._unstick(slow_seconds)
            if self._owed and not self.ended:
                self._owed = False
                await tell_drained()

    async def finish(self, last: bytes) -> None:
        """Send what was taken and then `last`, unless the last bytes were taken already; then nothing more.

        Nobody else may be in `run`. Cancelled, it can be called again and goes
        on; what it was first called with is what is sent.
        """
        await self._send_rest()
        if not self._sealed and not self._dead:
            self._sealed = True
            self._rest = memoryview(last) if last else None
            await self._send_rest()
        self._finished = True

    async def linger(self, limit_bytes: int, *, quiet_seconds: float) -> None:
        """Read and drop what the peer still sends, until it ends or the limit is met.

        Once nothing has come for `quiet_seconds`, it is told that nothing more
        comes from here: some clients fail at that while they are sending. To
        close a socket with unread input would reset the connection, and what
        the peer has not read yet, such as a close frame, would be lost to it
        (RFC 9112, section 9.6).
        """
        left = limit_bytes
        with suppress(OSError):
            with trio.move_on_after(quiet_seconds) as quiet:
                while left > 0 and (received := len(await self._trio_socket.recv(_DISCARD_BYTES))):
                    left -= received
                    quiet.deadline = trio.current_time() + quiet_seconds
            self._trio_socket.shutdown(socket.SHUT_WR)
            while left > 0 and (received := len(await self._trio_socket.recv(_DISCARD_BYTES))):
                left -= received

    def close(self) -> None:
        """Close the socket; what was taken and could not be sent is given up, also by the kernel."""
        if not self._finished:
            with suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._die()
        self.held.let_go(self)
        self._trio_socket.close()

    async def _unstick(self, slow_seconds: float) -> None:
        deadline = trio.current_time() + slow_seconds
        while self.busy:
            with trio.move_on_at(deadline) as patience:
                await trio.lowlevel.wait_writable(self._socket)
            if patience.cancelled_caught:
                reason = f"too slow: nothing was read for {slow_seconds:g} s; reconnect to go on"
                self.close_nowait(Closing(CloseCode.TOO_SLOW, reason))
                return
            if self._send_more():
                self.progress_time = trio.current_time()
                deadline = self.progress_time + slow_seconds

    async def _send_rest(self) -> None:
        while self.busy:
            await trio.lowlevel.wait_writable(self._socket)
            self._send_more()

    def _send_more(self) -> bool:
        """Write to a socket that has room; return whether it took anything."""
        rest = self._rest
        if rest is not None:
            sent = self._send(rest)
            if sent < len(rest):
                self._rest = rest[sent:]
                return sent > 0
            self.held.hold_write(self, None)
        self._rest = None
        self._full = False
        self._stuck = trio.Event()
        self._room.set()
        self._room = trio.Event()
        return True

    def _send(self, data: bytes | memoryview) -> int:
        """Return how many bytes of `data` the socket took: all of them if it is dead."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._die()
            return len(data)

    def _die(self) -> None:
        self._dead = True
        self._rest = None
        self.held.hold_write(self, None)
        self._full = False
        self._room.set()
        self.lifetime.cancel()
