"""Connections to a double of Redis, in place of redis-py's: answers are late or lost, connections break at any command.

The seam is `pyshare.store.bridge`: everything above it is the server's own. The
asyncio side, on which it runs there, is trio here.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from math import inf
from typing import Protocol, TypeVar

import trio
from redis.exceptions import ResponseError

from pyshare.store import bridge
from simulation.chance import PROCESS, patched
from simulation.redis_double import RedisDouble, Refusal, Reply

#: Seconds between two looks at what has expired.
_EXPIRY_SECONDS = 0.5

_Function = TypeVar("_Function")


class Weather(Protocol):
    """What befalls the connections of a process."""

    def refuses(self) -> bool:
        """Whether no connection can be had."""

    def before(self, words: Sequence[bytes]) -> bool:
        """Whether the connection breaks before this command is done."""

    def after(self, words: Sequence[bytes]) -> bool:
        """Whether the connection breaks before the answer to this command has come."""

    def delay(self) -> float:
        """Seconds until the next answer."""


class Calm:
    """Nothing befalls them."""

    def refuses(self) -> bool:
        """Let every connection be had."""
        return False

    def before(self, words: Sequence[bytes]) -> bool:
        """Do every command."""
        return False

    def after(self, words: Sequence[bytes]) -> bool:
        """Answer every command."""
        return False

    def delay(self) -> float:
        """Answer at once."""
        return 0.0


class DoubleConnection:
    """A connection to a double; see `bridge._RedisConnection`."""

    def __init__(self, hub: "Hub", process: str) -> None:
        self._hub = hub
        self.process = process
        self._weather = hub.weather(process)
        self._topics: set[bytes] = set()
        # What has been answered, each with the time at which it arrives.
        self._inbox: deque[tuple[float, Reply | Refusal]] = deque()
        self._last = 0.0
        # The wait for the next answer: it ends when the answer arrives, and when the connection breaks.
        self._wait = trio.CancelScope()
        self.broken = False

    async def connect(self) -> None:
        """Connect."""
        await trio.lowlevel.checkpoint()
        if self._weather.refuses():
            raise ConnectionRefusedError("simulated: nobody is there")
        self._hub.connections.append(self)

    async def disconnect(self, nowait: bool = False) -> None:
        """Let go of the connection."""
        self.break_off()

    def pack_commands(self, commands: Iterable[Sequence[bridge.Word]]) -> list[list[bytes]]:
        """Return commands as they are sent."""
        return [[_bytes(word) for word in words] for words in commands]

    async def send_packed_command(self, command: Iterable[list[bytes]], check_health: bool = True) -> None:
        """Have commands done, one after the other, as far as the connection lasts."""
        await trio.lowlevel.checkpoint()
        for words in command:
            if self.broken:
                raise ConnectionResetError("simulated: the connection broke")
            if self._weather.before(words):
                self.break_off()
                return
            self._do(words)
            if self._weather.after(words):
                self.break_off()
                return

    async def read_response(self, disable_decoding: bool = False) -> Reply:
        """Return the next answer."""
        if self._has_answer():
            await trio.lowlevel.checkpoint()
        while not self._has_answer():
            with trio.CancelScope(deadline=self._inbox[0][0] if self._inbox else inf) as self._wait:
                await trio.sleep_forever()
        answer = self._inbox.popleft()[1]
        if isinstance(answer, Refusal):
            raise ResponseError(str(answer))
        return answer

    def _has_answer(self) -> bool:
        """Whether an answer has arrived.

        Raises:
            ConnectionResetError: if the connection broke, whatever was on its way.
        """
        if self.broken:
            raise ConnectionResetError("simulated: the connection broke")
        return bool(self._inbox) and self._inbox[0][0] <= trio.current_time()

    def hear(self, topic: bytes, data: bytes) -> None:
        """Take a message of a topic."""
        self._answer([b"message", topic, data])

    def break_off(self) -> None:
        """Be broken from now on."""
        if not self.broken:
            self.broken = True
            for topic in self._topics:
                self._hub.double.subscribers[topic].remove(self)
            self._topics.clear()
            if self in self._hub.connections:
                self._hub.connections.remove(self)
            self._wait.cancel()

    @property
    def hears(self) -> bool:
        """Whether it is one on which topics are heard."""
        return bool(self._topics)

    def _do(self, words: list[bytes]) -> None:
        match words:
            case [b"SUBSCRIBE", *topics]:
                for topic in topics:
                    if topic not in self._topics:
                        self._topics.add(topic)
                        self._hub.double.subscribers.setdefault(topic, []).append(self)
                    self._answer([b"subscribe", topic, len(self._topics)])
            case [b"UNSUBSCRIBE", *topics]:
                for topic in topics:
                    if topic in self._topics:
                        self._topics.discard(topic)
                        self._hub.double.subscribers[topic].remove(self)
                    self._answer([b"unsubscribe", topic, len(self._topics)])
            case [b"PING", *rest] if self._topics:
                self._answer([b"pong", *rest] if rest else [b"pong", b""])
            case _:
                try:
                    self._answer(self._hub.double.execute(words))
                except Refusal as refusal:
                    self._answer(refusal)

    def _answer(self, answer: Reply | Refusal) -> None:
        self._last = max(self._last, trio.current_time() + self._weather.delay())
        self._inbox.append((self._last, answer))
        self._wait.deadline = min(self._wait.deadline, self._last)


class Hub:
    """All connections to one double."""

    def __init__(self, double: RedisDouble, weather: Callable[[str], Weather] = lambda process: Calm()) -> None:
        self.double = double
        self.weather = weather
        self.connections: list[DoubleConnection] = []

    async def run(self) -> None:
        """Have keys expire when their time comes, until cancelled."""
        while True:
            await trio.sleep(_EXPIRY_SECONDS)
            self.double.expire_due()

    def break_connections(self, *, of: str | None = None, topics_only: bool = False) -> None:
        """Break all connections, those of one process, or those on which topics are heard."""
        for each in list(self.connections):
            if of in {None, each.process} and (each.hears or not topics_only):
                each.break_off()


class _Event:
    """asyncio's event, on trio."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def set(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()

    def clear(self) -> None:
        self._event = trio.Event()


class _Asyncio:
    """What the bridge has of asyncio."""

    Event = _Event


class _TrioAsyncio:
    """What the bridge has of trio-asyncio, where there is nothing to bridge."""

    @staticmethod
    def aio_as_trio(function: _Function) -> _Function:
        return function

    @staticmethod
    @asynccontextmanager
    async def open_loop() -> AsyncIterator[None]:
        yield


@contextmanager
def linked(hub: Hub) -> Iterator[None]:
    """Have every store on Redis reach the double, in the context."""

    def new_connection(server: bridge.Server) -> DoubleConnection:
        return DoubleConnection(hub, PROCESS.get())

    with ExitStack() as patches:
        for place, name, value in (
            (bridge.Server, "new_connection", new_connection),
            (bridge, "asyncio", _Asyncio),
            (bridge, "trio_asyncio", _TrioAsyncio),
        ):
            patches.enter_context(patched(place, name, value))
        yield


def _bytes(word: bridge.Word) -> bytes:
    return word if isinstance(word, bytes) else str(word).encode()
