"""Connections through a simulated network: bytes arrive late, in part, or never, and ends break at any byte.

One end stands for the kernel's socket and trio's at once, as a server's outlet
uses them. The other end is read by a task (`receive`) or by a call
(`on_data`). What is sent waits in a buffer of a bounded size until the other
end has read it.
"""

import errno
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Literal

import trio
from trio.lowlevel import Abort, RaiseCancelT
from typing_extensions import override

from simulation.clock import Clock
from simulation.story import Story

Way = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Weather:
    """The quality of a network."""

    delay_seconds: float = 0.005
    jitter_seconds: float = 0.005
    #: Bytes that are under way or unread at most.
    buffer_bytes: int = 65_536
    #: Chance that a write is taken in part only, and that it arrives in two parts.
    partial: float = 0.02
    torn: float = 0.05


CALM = Weather(partial=0, torn=0)


class Pipe:
    """One direction of a connection."""

    def __init__(self, clock: Clock, random: Random, weather: Weather, story: Story) -> None:
        self._clock = clock
        self._random = random
        self._story = story
        self.weather = weather
        # Bytes under way, each part with the time of its arrival; None is the end.
        self._under_way: deque[tuple[float, bytes | None]] = deque()
        self._last_arrival = 0.0
        # Bytes that have arrived and were not read.
        self._arrived = bytearray()
        # Bytes under way or unread.
        self._held_bytes = 0
        # Nothing arrives before this time.
        self._silent_until = -inf
        # Whether the end has arrived; whether the pipe is broken.
        self._ended = False
        self.broken = False
        # Whether nobody reads at the other end any more.
        self.closed = False
        # Bytes that may still arrive before the connection breaks, and what breaks it.
        self._cut_bytes: int | None = None
        self.on_cut: Callable[[], None] = _nothing
        # Told what has arrived, None being the end; without it a task reads.
        self.on_data: Callable[[bytes | None], None] | None = None
        # Whether the reader does not read for now.
        self.paused = False
        # The task that waits for bytes, the one that waits for room, and a call in its place.
        self._reader: trio.lowlevel.Task | None = None
        self._writer: trio.lowlevel.Task | None = None
        self.on_room: Callable[[], None] | None = None

    @property
    def room(self) -> int:
        """The bytes that can be sent now."""
        return self.weather.buffer_bytes - self._held_bytes

    def send(self, data: bytes | memoryview) -> int:
        """Take a part of `data`, perhaps all; return how many bytes.

        Raises:
            OSError: if the connection is broken.
        """
        if self.broken:
            raise OSError(errno.ECONNRESET, "simulated: connection reset")
        size = len(data)
        count = min(size, self.room)
        weather, random = self.weather, self._random
        if count <= 0:
            self._story.count("buffer full")
            return 0
        if count > 1 and weather.partial and random.random() < weather.partial:
            count = random.randrange(1, count)
        if count < size:
            self._story.count("write taken in part")
        taken = bytes(data[:count]) if count < size else bytes(data)
        if count > 1 and weather.torn and random.random() < weather.torn:
            middle = random.randrange(1, count)
            self._put(taken[:middle])
            self._put(taken[middle:])
        else:
            self._put(taken)
        return count

    def end(self) -> None:
        """Send the end: nothing follows."""
        if not self.broken:
            self._put(None)

    def _put(self, data: bytes | None) -> None:
        weather = self.weather
        arrival = self._clock.now + weather.delay_seconds
        if weather.jitter_seconds:
            arrival += weather.jitter_seconds * self._random.random()
        arrival = self._last_arrival = max(arrival, self._last_arrival)
        if not self._under_way and self._silent_until < inf:
            self._clock.at(max(arrival, self._silent_until), self._arrive)
        self._under_way.append((arrival, data))
        if data is not None:
            self._held_bytes += len(data)

    def _arrive(self) -> None:
        """Hand on what has arrived by now."""
        now = self._clock.now
        if self.broken or not self._under_way:
            return
        if self._silent_until > now:
            if self._silent_until < inf:
                self._clock.at(self._silent_until, self._arrive)
            return
        ended = False
        while self._under_way and self._under_way[0][0] <= now:
            data = self._under_way.popleft()[1]
            if data is None:
                ended = True
            else:
                self._arrived += data
        if self._under_way:
            self._clock.at(max(self._under_way[0][0], self._silent_until), self._arrive)
        if self._cut_bytes is not None:
            self._cut_bytes -= len(self._arrived)
            if self._cut_bytes < 0:
                del self._arrived[self._cut_bytes :]
                self._hand_on()
                self.on_cut()
                return
        self._ended |= ended
        self._hand_on()

    def _hand_on(self) -> None:
        if self.closed:
            if self._arrived:
                self._arrived.clear()
                self.on_cut()
            return
        if self.on_data is not None:
            if self.paused:
                return
            if self._arrived:
                data = bytes(self._arrived)
                self._arrived.clear()
                self._freed(len(data))
                self._story.hear(data)
                self.on_data(data)
            if self._ended and not self.broken:
                self.on_data(None)
        elif self._reader is not None:
            self.wake_reader()

    def resume(self) -> None:
        """Read again, after a pause."""
        self.paused = False
        if not self.broken and (self._arrived or self._ended):
            self._hand_on()

    def _freed(self, count: int) -> None:
        self._held_bytes -= count
        self._has_room()

    def _has_room(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            trio.lowlevel.reschedule(writer)
        if self.on_room is not None:
            self.on_room()

    def wake_reader(self) -> None:
        """Have the task that waits for bytes look again."""
        if self._reader is not None:
            reader, self._reader = self._reader, None
            trio.lowlevel.reschedule(reader)

    async def receive(self, max_bytes: int) -> bytes:
        """Return what has arrived, nothing at the end.

        Raises:
            OSError: if the connection is broken.
        """
        if self._arrived or self._ended or self.broken:
            await trio.lowlevel.checkpoint()
        while True:
            if self.broken:
                raise OSError(errno.ECONNRESET, "simulated: connection reset")
            if self.closed:
                raise trio.ClosedResourceError
            if self._arrived:
                data = bytes(self._arrived[:max_bytes])
                del self._arrived[:max_bytes]
                self._freed(len(data))
                self._story.hear(data)
                return data
            if self._ended:
                return b""
            self._reader = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._forget_reader)

    async def wait_room(self) -> None:
        """Wait until something can be sent, or the connection is broken."""
        if self.room > 0 or self.broken:
            await trio.lowlevel.checkpoint()
            return
        self._writer = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._forget_writer)

    def _forget_reader(self, _: RaiseCancelT) -> Abort:
        self._reader = None
        return Abort.SUCCEEDED

    def _forget_writer(self, _: RaiseCancelT) -> Abort:
        self._writer = None
        return Abort.SUCCEEDED

    # What befalls it.

    def fall_silent(self, until: float) -> None:
        """Let nothing arrive before a time, which may be infinite."""
        self._silent_until = until
        if until < inf and self._under_way:
            self._clock.at(max(until, self._under_way[0][0]), self._arrive)

    def cut_after(self, count: int) -> None:
        """Break in place of the byte behind the next `count` ones."""
        self._cut_bytes = count

    def break_off(self) -> None:
        """Be broken from now on; what is under way is lost."""
        if self.broken:
            return
        self.broken = True
        self._under_way.clear()
        self._arrived.clear()
        self._held_bytes = 0
        self.wake_reader()
        self._has_room()
        if self.on_data is not None and not self.closed:
            self.on_data(None)


class End:
    """One end of a connection; it stands for the kernel's socket and for trio's."""

    is_simulated = True

    def __init__(self, clock: Clock, incoming: Pipe, outgoing: Pipe) -> None:
        self._clock = clock
        self.incoming = incoming
        self.outgoing = outgoing
        # Whether the peer is reset when this end is closed.
        self._resets = False
        self._shut = False
        self.closed = False

    def send(self, data: bytes | memoryview) -> int:
        """Send without waiting; see `socket.socket.send`."""
        if self.closed or self._shut:
            raise OSError(errno.EPIPE, "simulated: closed")
        count = self.outgoing.send(data)
        if not count and len(data):
            raise BlockingIOError
        return count

    async def recv(self, max_bytes: int) -> bytes:
        """Receive; see `trio.socket.SocketType.recv`."""
        return await self.incoming.receive(max_bytes)

    async def wait_writable(self) -> None:
        """Wait for room; see `trio.lowlevel.wait_writable`."""
        await self.outgoing.wait_room()

    def setsockopt(self, level: int, option: int, value: int | bytes) -> None:
        """Take an option; one of them counts."""
        if (level, option) == (socket.SOL_SOCKET, socket.SO_LINGER):
            self._resets = True

    def shutdown(self, how: int) -> None:
        """Send the end."""
        if self.outgoing.broken:
            raise OSError(errno.ENOTCONN, "simulated: not connected")
        if not self._shut:
            self._shut = True
            self.outgoing.end()

    def close(self) -> None:
        """Close this end; the peer is told, unless the connection was broken."""
        if self.closed:
            return
        self.closed = self.incoming.closed = True
        self.incoming.wake_reader()
        if self._resets:
            self._clock.after(self.outgoing.weather.delay_seconds, self._reset)
        elif not self._shut:
            self._shut = True
            self.outgoing.end()

    def _reset(self) -> None:
        self.outgoing.break_off()
        self.incoming.break_off()


class Connection:
    """A connection, and what befalls it."""

    def __init__(self, clock: Clock, random: Random, weather: Weather, story: Story) -> None:
        self._clock = clock
        self.up = Pipe(clock, random, weather, story)
        self.down = Pipe(clock, random, weather, story)
        self.up.on_cut = self.down.on_cut = self.reset
        self.client = End(clock, self.down, self.up)
        self.server = End(clock, self.up, self.down)

    @property
    def pipes(self) -> tuple[Pipe, Pipe]:
        """Both directions."""
        return self.up, self.down

    @property
    def over(self) -> bool:
        """Whether nothing will pass any more."""
        return self.up.broken or (self.client.closed and self.server.closed)

    def reset(self) -> None:
        """Break it at both ends."""
        for pipe in self.pipes:
            pipe.break_off()

    def cut_after(self, count: int, way: Way) -> None:
        """Break it behind so many more bytes of a direction."""
        (self.up if way == "up" else self.down).cut_after(count)

    def fall_silent(self, seconds: float, ways: tuple[Way, ...] = ("up", "down")) -> None:
        """Let nothing pass for some seconds, or for ever; no end is told."""
        for way in ways:
            (self.up if way == "up" else self.down).fall_silent(self._clock.now + seconds)

    def become(self, weather: Weather) -> None:
        """Have another weather."""
        for pipe in self.pipes:
            pipe.weather = weather


class SimulatedStream(trio.abc.Stream):
    """A client's end as the stream that trio-websocket is given."""

    def __init__(self, end: End) -> None:
        self._end = end

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        rest = memoryview(bytes(data))
        await trio.lowlevel.checkpoint()
        try:
            while rest:
                try:
                    rest = rest[self._end.send(rest) :]
                except BlockingIOError:
                    await self._end.wait_writable()
        except OSError as error:
            raise trio.BrokenResourceError(str(error)) from error

    @override
    async def wait_send_all_might_not_block(self) -> None:
        await self._end.wait_writable()

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            return await self._end.recv(max_bytes or 65_536)
        except OSError as error:
            raise trio.BrokenResourceError(str(error)) from error

    @override
    async def aclose(self) -> None:
        self._end.close()
        await trio.lowlevel.checkpoint()


def _nothing() -> None:
    """Do nothing."""
