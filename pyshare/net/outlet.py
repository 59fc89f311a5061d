"""One client's socket, written without waiting: sent, partly sent, lagging.

The outlet is the socket's only writer. A channel writes whole frames to it at
once (`SocketOutlet`, which is a `pyshare.actors.fanout.Outlet`), and so does
trio-websocket (`OutletStream`, the stream it is given), so frames never
interleave. At most one write is ever kept, the rest of one that the socket
took a part of. What is in a frame is known here of close frames only.
"""

import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio
from typing_extensions import override

from pyshare.core.errors import CloseCode, Closing
from pyshare.net.addresses import SharedBucket
from pyshare.net.bucket import TokenBucket
from pyshare.net.frames import Frames
from pyshare.net.held import HeldBytes
from pyshare.net.lane import take_messages

#: First byte of a close frame, and a whole ping: RFC 6455, section 5.2. Control frames are
#: never split, and `H`, with which an HTTP response begins, is none of them.
_CLOSE = 0x88
PING = b"\x89\x00"
#: Bytes that one token of the bucket pays for.
TOKEN_BYTES = 4096
#: Bytes that the kernel holds for a client besides those under way to it; above it the client lags, and is
#: sent fewer, larger frames instead of ever older ones.
_UNSENT_BYTES = 131_072
#: Bytes read at once when nobody looks at them.
_DISCARD_BYTES = 65_536
_SHED = Closing(CloseCode.TRY_LATER, "this server is short of memory; send less at once, or reconnect later")


def close_frame(closing: Closing) -> bytes:
    """Return the WebSocket close frame that says `closing` (RFC 6455, section 5.5.1)."""
    payload = struct.pack("!H", closing.code) + closing.reason.encode()
    return bytes((_CLOSE, len(payload))) + payload


def is_too_big(data: bytes) -> bool:
    """Whether `data` is a close frame that says that a message was too big."""
    return data[:1] == bytes((_CLOSE,)) and data[2:4] == struct.pack("!H", CloseCode.TOO_BIG)


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
        self._sealed = data[0] == _CLOSE
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


class OutletStream(trio.abc.Stream):
    """An outlet as the stream that trio-websocket reads from and writes its own frames to.

    Reading is what the client pays for: while its bucket is in debt nothing is
    read, and that pause is not its silence. Heard nothing for
    `silence_seconds` of listening, the outlet is told to close; that a slow
    socket took something counts as heard.
    """

    def __init__(
        self, outlet: SocketOutlet, bucket: TokenBucket, *, silence_seconds: float, message_bytes: int
    ) -> None:
        self._outlet = outlet
        self._bucket = bucket
        self._silence_seconds = silence_seconds
        self._message_bytes = message_bytes
        # What has been received of messages that nobody has taken.
        self._frames = Frames()
        # Bytes for trio-websocket since no message was last open or waiting; without a limit a message of empty frames
        # never ends.
        self._unfinished_bytes = 0
        # Bytes received since the connection began.
        self.received_bytes = 0
        # Since when the client may wait for what it has sent: a part of a message has been here and not all of it, or
        # the client is in debt; None if neither is so. And what is set next when such a time begins.
        self.behind_since: float | None = None
        self.behind = trio.Event()
        # Whether the peer has ended, the connection broke, or trio-websocket is through with it.
        self.ended = False
        # Whether it was since the peer had sent a close frame, so that nothing follows.
        self.peer_closed = False
        # Called at the end.
        self._on_end: Callable[[], None] = _nothing
        # Takes the text messages of the lane, once it is open.
        self._on_message: Callable[[str], Awaitable[None]] | None = None

    def call_at_end(self, on_end: Callable[[], None]) -> None:
        """Have `on_end` called when nothing more can be read, now if that is so; the last one counts."""
        self._on_end = on_end
        if self.ended:
            on_end()

    def open_lane(self, on_message: Callable[[str], Awaitable[None]]) -> None:
        """From now on, have `on_message` take whole text messages as they are read, in the task that reads.

        All other bytes go to trio-websocket. While one of its messages has not arrived whole, or was not taken, the
        lane is closed, so that messages stay in their order.
        """
        self._on_message = on_message

    def message_taken(self) -> None:
        """A message was taken: begin a new count of the bytes that one may take in all its frames."""
        self._unfinished_bytes = 0
        self._frames.message_taken()
        self._outlet.held.hold_unfinished(self._outlet, self._frames.weight_bytes)

    def forget(self) -> None:
        """Nobody takes a message any more, and what was received of them is kept nowhere."""
        self._outlet.held.hold_unfinished(self._outlet, 0)

    async def pause(self) -> None:
        """Wait until the client's debts are paid: for what it sent, and for the work that it caused."""
        if seconds := self.debt_seconds():
            self._fall_behind()
            await trio.sleep(seconds)

    def debt_seconds(self) -> float:
        """Return how long it takes until the client's debts are paid, and it is read again; 0 if it has none."""
        return max(self._bucket.debt_seconds(trio.current_time()), self._outlet.debt_seconds())

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what was received and does not go by the lane, nothing at the end of it."""
        while True:
            await self.pause()
            if self.ended:
                raise trio.ClosedResourceError("trio-websocket closed this stream")
            try:
                data = await self._listen(max_bytes or TOKEN_BYTES)
            except OSError as error:
                self._end()
                raise trio.BrokenResourceError(f"the connection broke: {error}") from error
            if self._outlet.was_shed:
                data = b""
            self.received_bytes += len(data)
            self._bucket.take(len(data) / TOKEN_BYTES, trio.current_time())
            rest = await self._pass_lane(data)
            if rest or not data:
                self._follow(rest)
                return rest
            self._note_arrival()

    async def _pass_lane(self, data: bytes) -> bytes:
        """Have the messages taken with which `data` begins, if the lane is open; return the rest."""
        if self._on_message is None or not self._frames.idle or self._outlet.ended:
            return data
        messages, taken_bytes = take_messages(data)
        for index, message in enumerate(messages):
            if index:
                # Many small messages may be read at once: others have their turn between two.
                await trio.lowlevel.checkpoint()
            await self._on_message(message)
        return data[taken_bytes:]

    def _follow(self, data: bytes) -> None:
        """Follow what goes to trio-websocket, and bound what is kept of it."""
        extra = -self._frames.extra
        self._frames.pass_by(data)
        extra += self._frames.extra
        self._outlet.held.hold_unfinished(self._outlet, self._frames.weight_bytes)
        self._bucket.take(extra, trio.current_time())
        self._unfinished_bytes = 0 if self._frames.idle else self._unfinished_bytes + len(data)
        self._note_arrival()
        # Two messages may be read ahead, and frames take some bytes themselves.
        if self._unfinished_bytes > 4 * self._message_bytes + _DISCARD_BYTES:
            self._refuse_size()
        if not data:
            self._end()

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Have the outlet take `data`, when it has room for it; what ends the connection ends the wait."""
        await trio.lowlevel.checkpoint()
        frame = bytes(data)
        if is_too_big(frame):
            self._refuse_size()
            return
        # What closes a WebSocket without a word of the connection's is the answer to the peer.
        self.peer_closed |= frame[:1] == bytes((_CLOSE,))
        await self._outlet.write(frame)

    @override
    async def wait_send_all_might_not_block(self) -> None:
        """Return at once: the outlet knows itself when it has room."""
        await trio.lowlevel.checkpoint()

    @override
    async def aclose(self) -> None:
        """Note that trio-websocket is through; the outlet may still have a close frame to send."""
        self._end()
        await trio.lowlevel.checkpoint()

    def _note_arrival(self) -> None:
        if self._frames.unfinished or self.debt_seconds():
            self._fall_behind()
        else:
            self.behind_since = None

    def _fall_behind(self) -> None:
        if self.behind_since is None:
            self.behind_since = trio.current_time()
            self.behind.set()
            self.behind = trio.Event()

    async def _listen(self, max_bytes: int) -> bytes:
        start = trio.current_time()
        while not self._outlet.ended:
            deadline = max(start, self._outlet.progress_time) + self._silence_seconds
            if deadline <= trio.current_time():
                reason = f"silent: nothing was received for {self._silence_seconds:g} s; reconnect to go on"
                self._outlet.close_nowait(Closing(CloseCode.TOO_SLOW, reason))
                break
            with trio.move_on_at(deadline):
                return await self._outlet.receive(max_bytes)
        return await self._outlet.receive(max_bytes)

    def _refuse_size(self) -> None:
        reason = f"message too big: more than {self._message_bytes} bytes; send less at once"
        self._outlet.close_nowait(Closing(CloseCode.TOO_BIG, reason))

    def _end(self) -> None:
        self.ended = True
        self._on_end()


def _nothing() -> None:
    """Do nothing."""
