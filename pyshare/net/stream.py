"""The stream of a connection that trio-websocket reads from and writes to, and the lane that passes it by."""

import struct
from collections.abc import Awaitable, Callable
from typing import Final

import trio
from typing_extensions import override

from pyshare.core.errors import CloseCode, Closing
from pyshare.net.bucket import TokenBucket
from pyshare.net.frames import Frames
from pyshare.net.lane import take_messages
from pyshare.net.outlet import CLOSE, SocketOutlet

#: Bytes that one token of the bucket pays for.
TOKEN_BYTES: Final = 4096
#: Bytes of frames that may be read ahead, beside four messages.
_AHEAD_BYTES: Final = 65_536


def is_too_big(data: bytes) -> bool:
    """Whether `data` is a close frame that says that a message was too big."""
    return data[:1] == bytes((CLOSE,)) and data[2:4] == struct.pack("!H", CloseCode.TOO_BIG)


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
        if self._unfinished_bytes > 4 * self._message_bytes + _AHEAD_BYTES:
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
        self.peer_closed |= frame[:1] == bytes((CLOSE,))
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
