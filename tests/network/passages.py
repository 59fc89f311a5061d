"""A bad network between clients and a server: it carries the bytes of each connection from stream to stream.

The times are those of `tests.network.line`. Streams are any of trio's: sockets
(see `tests.network.sockets`), or pairs in memory under a clock of a test.
"""

import math
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Literal

import trio

from tests.network.line import Line, Quality

Way = Literal["up", "down"]
#: From the client to the server, and back.
WAYS: Final[tuple[Way, ...]] = ("up", "down")
_PERFECT: Final = Quality()


class Passage:
    """One connection through the network."""

    def __init__(self, client: trio.abc.Stream, server: trio.abc.Stream, up: Line, down: Line) -> None:
        self._streams: dict[Way, tuple[trio.abc.Stream, trio.abc.Stream]] = {
            "up": (client, server),
            "down": (server, client),
        }
        self._lines: dict[Way, Line] = {"up": up, "down": down}
        # Set, and made again, when a line has changed.
        self._changed: dict[Way, trio.Event] = {way: trio.Event() for way in WAYS}
        # Told what the client sends, before it is on its way.
        self.notice: Callable[[bytes], None] = lambda data: None
        # Cancelled when the connection is to end at once, and whether it ends with a reset.
        self._scope = trio.CancelScope()
        self._reset = False

    def passed_bytes(self, way: Way) -> int:
        """Return how many bytes have arrived."""
        return self._lines[way].passed_bytes

    def become(self, way: Way, quality: Quality) -> None:
        """Have another quality from now on."""
        self._lines[way].become(quality, trio.current_time())
        self._wake(way)

    def fall_silent(self, seconds: float = math.inf, *, ways: Sequence[Way] = WAYS) -> None:
        """Let nothing pass for some seconds, by default for good; neither end is told."""
        now = trio.current_time()
        for way in ways:
            self._lines[way].fall_silent(now + seconds, now)
            self._wake(way)

    def cut(self, *, reset: bool = False) -> None:
        """End the connection now, in both directions; what is under way is lost."""
        self._reset |= reset
        self._scope.cancel()

    def cut_after(self, count: int, way: Way) -> None:
        """End the connection in place of the byte behind the next `count` ones that arrive."""
        self._lines[way].cut_after(count)
        self._wake(way)

    async def run(self) -> None:
        """Carry bytes until the connection has ended; both streams are closed then."""
        client, server = self._streams["up"]
        async with client, server:
            try:
                with self._scope:
                    async with trio.open_nursery() as nursery:
                        for way in WAYS:
                            nursery.start_soon(self._read, way, name=f"reader of a line {way}")
                            nursery.start_soon(self._write, way, name=f"writer of a line {way}")
            except* (trio.BrokenResourceError, trio.ClosedResourceError):
                self._reset = True
            if self._reset:
                for stream in (client, server):
                    _forget_when_closed(stream)

    async def _read(self, way: Way) -> None:
        """Put into a line what its sender sends."""
        line, source = self._lines[way], self._streams[way][0]
        while True:
            if not (room := line.room(trio.current_time())):
                await self._wait(way)
                continue
            data = bytes(await source.receive_some(room))
            if not data:
                break
            if way == "up":
                self.notice(data)
            line.put(data, trio.current_time())
            self._wake(way)
        line.end()
        self._wake(way)

    async def _write(self, way: Way) -> None:
        """Hand on what comes out of a line."""
        line, sink = self._lines[way], self._streams[way][1]
        while not line.has_ended(trio.current_time()):
            data = line.take(trio.current_time())
            if data:
                await sink.send_all(data)
                self._wake(way)
            if line.is_cut:
                self.cut()
            if not data:
                await self._wait(way)
        if isinstance(sink, trio.abc.HalfCloseableStream):
            await sink.send_eof()

    async def _wait(self, way: Way) -> None:
        """Wait until something may have changed about a line."""
        with trio.move_on_at(self._lines[way].next_at(trio.current_time())):
            await self._changed[way].wait()

    def _wake(self, way: Way) -> None:
        self._changed[way].set()
        self._changed[way] = trio.Event()


def _forget_when_closed(stream: trio.abc.Stream) -> None:
    """Have a TCP connection be reset when it is closed: nothing more is sent."""
    if isinstance(stream, trio.SocketStream):
        # struct linger: on, 0 seconds.
        stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


class Network:
    """All connections through one network, and its weather."""

    def __init__(self, *, up: Quality = _PERFECT, down: Quality = _PERFECT, seed: int = 0) -> None:
        self._quality: dict[Way, Quality] = {"up": up, "down": down}
        self._random = Random(seed)
        # When the silence ends in which new connections are, too.
        self._silent_until: dict[Way, float] = dict.fromkeys(WAYS, -math.inf)
        # The connections that are open, and how many there were ever.
        self.passages: list[Passage] = []
        self.carried = 0
        # Whether new connections are refused.
        self.refuses = False
        # Told of each new connection before a byte has passed.
        self.on_passage: Callable[[Passage], None] = lambda passage: None

    def become(self, *, up: Quality = _PERFECT, down: Quality = _PERFECT) -> None:
        """Have other qualities from now on, for the connections that are open as well."""
        self._quality = {"up": up, "down": down}
        for passage in self.passages:
            for way in WAYS:
                passage.become(way, self._quality[way])

    def fall_silent(self, seconds: float = math.inf, *, ways: Sequence[Way] = WAYS, new: bool = False) -> None:
        """Let nothing pass for some seconds, by default for good; neither end is told.

        This is about the connections that are open now. With `new` it is also about
        those that are opened during the silence.
        """
        for passage in self.passages:
            passage.fall_silent(seconds, ways=ways)
        if new:
            self._silent_until.update(dict.fromkeys(ways, trio.current_time() + seconds))

    def cut(self, *, reset: bool = False) -> int:
        """End all connections now; return how many."""
        for passage in self.passages:
            passage.cut(reset=reset)
        return len(self.passages)

    async def carry(self, client: trio.abc.Stream, server: trio.abc.Stream) -> None:
        """Be the network between two streams, until the connection has ended; both are closed then."""
        lines = {way: Line(self._quality[way], self._random.random) for way in WAYS}
        for way, line in lines.items():
            line.fall_silent(self._silent_until[way], trio.current_time())
        passage = Passage(client, server, lines["up"], lines["down"])
        self.passages.append(passage)
        self.carried += 1
        self.on_passage(passage)
        try:
            await passage.run()
        finally:
            self.passages.remove(passage)
