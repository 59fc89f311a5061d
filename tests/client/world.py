"""A network in memory between clients of codespaces and a model server; a fake of `transport.OpenConnection`.

Nothing waits for time here: what a client sends has arrived when it was sent,
unless a test holds it back.
"""

import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

import trio

from pyshare.client.codespace import Codespace
from pyshare.client.errors import ConnectionEnded
from pyshare.client.link import ClientLimits
from pyshare.client.replica import ReplicaFrame
from pyshare.client.stay import connect
from pyshare.core.arrival import Arrival, parse_arrival, public_id
from pyshare.core.document import Push
from pyshare.core.errors import PushRefused
from pyshare.core.protocol import (
    AliveFrame,
    AskFrame,
    Mode,
    Peer,
    PushFrame,
    RefusedFrame,
    SelectFrame,
    Welcome,
    encode,
    parse_client_frame,
)
from tests.client.model import ModelServer

URL = "ws://server/codespace/tmp-1/"


@dataclass(frozen=True, slots=True)
class Dial:
    """An attempt to connect."""

    time: float
    arrival: Arrival
    max_message_bytes: int


class MemoryConnection:
    """Both ends of one connection."""

    def __init__(self, world: "World", client: str) -> None:
        self._world = world
        self.client = client
        self._to_client, self._inbox = trio.open_memory_channel[str](math.inf)
        # When the client heard the server last, a part of a message included.
        self.heard = trio.current_time()
        # When a part of a long message left the client last.
        self.left = -math.inf
        # How the connection has ended.
        self._ended: ConnectionEnded | None = None
        # Pushes that are held back, all selections, the number of questions for a sign of life, and whether the client
        # has said goodbye.
        self.held: list[PushFrame] = []
        self.selected: list[SelectFrame] = []
        self.asked = 0
        # Whether the path leads nowhere any more, which neither end is told; and whether it takes nothing, either.
        self.dead = False
        self.stuck = False
        self.goodbye = False

    # The client's end.

    async def send(self, message: str) -> None:
        """Have the server get `message`."""
        await trio.lowlevel.checkpoint()
        if self._ended is not None:
            raise self._ended
        for seconds in self._world.send_seconds:
            await trio.sleep(seconds)
            self.left = trio.current_time()
        frame = parse_client_frame(message)
        if self.dead:
            await trio.sleep(math.inf if self.stuck else 0)
        elif isinstance(frame, AskFrame):
            self.asked += 1
            self.deliver(AliveFrame(self.asked))
        elif isinstance(frame, SelectFrame):
            self.selected.append(frame)
        elif isinstance(frame, PushFrame):
            (self.held.append if self._world.holds_pushes else self.arrive)(frame)

    async def receive(self) -> str:
        """Return what the server has sent, then how the connection ended."""
        try:
            return await self._inbox.receive()
        except trio.EndOfChannel:
            assert self._ended is not None
            raise self._ended from None

    async def close(self) -> None:
        """Say goodbye; a deaf server does not answer."""
        if self._ended is None:
            self.goodbye = True
            if self._world.deaf:
                await trio.sleep_forever()
        await trio.lowlevel.checkpoint()

    # The server's end.

    def arrive(self, frame: PushFrame) -> None:
        """Have the server take a push."""
        try:
            self._world.server.commit(Push(self.client, frame.seq, frame.version, frame.updates))
        except PushRefused as refusal:
            self.deliver(RefusedFrame(frame.seq, refusal.code, refusal.reason))

    def deliver(self, frame: Welcome | ReplicaFrame | AliveFrame) -> None:
        """Have the client get `frame`."""
        self.tell(encode(frame).decode())

    def tell(self, message: str) -> None:
        """Have the client get any message."""
        if self._ended is None and not self.dead:
            self.heard = trio.current_time()
            self._to_client.send_nowait(message)

    def trickle(self) -> None:
        """Have a part of a message arrive at the client."""
        self.heard = trio.current_time()

    def end(self, code: int | None = None, reason: str = "lost") -> None:
        """End the connection from the server's side or the network's."""
        self._ended = ConnectionEnded(code, reason)
        self._to_client.close()
        if self in self._world.server.connections:
            self._world.server.connections.remove(self)


class World:
    """One server and the network that leads to it."""

    def __init__(self, text: str = "", *, server: ModelServer | None = None) -> None:
        self.server = server or ModelServer(text)
        # All attempts to connect, and all connections, oldest first.
        self.dials: list[Dial] = []
        self.connections: list[MemoryConnection] = []
        # What the next attempts meet in place of a server.
        self.outages: deque[ConnectionEnded] = deque()
        # Whether pushes are held back, no welcome is said, no goodbye answered.
        self.holds_pushes = False
        self.silent = False
        self.deaf = False
        # Whether dialling leads nowhere.
        self.unreachable = False
        # Seconds that each part of a message takes to leave.
        self.send_seconds: list[float] = []
        # Messages that connections begin with before a welcome.
        self.greetings: list[str] = []
        # What the next connection begins with in place of a welcome.
        self.first: Welcome | ReplicaFrame | None = None
        # Seconds that the clients' machine has slept, while trio's clock stood still.
        self.slept_seconds = 0.0
        # What welcomes say.
        self.mode: Mode = "edit"
        self.peers: tuple[Peer, ...] = ()

    @property
    def connection(self) -> MemoryConnection:
        """The newest connection."""
        return self.connections[-1]

    @asynccontextmanager
    async def open(self, url: str, max_message_bytes: int) -> AsyncIterator[MemoryConnection]:
        """Hold a connection; see `transport.OpenConnection`."""
        arrival = parse_arrival(url.partition("?")[2])
        self.dials.append(Dial(trio.current_time(), arrival, max_message_bytes))
        await trio.lowlevel.checkpoint()
        if self.outages:
            raise self.outages.popleft()
        if self.unreachable:
            await trio.sleep_forever()
        assert arrival.session is not None
        connection = MemoryConnection(self, public_id(arrival.session))
        self.connections.append(connection)
        for message in self.greetings:
            connection.tell(message)
        if self.first is not None:
            connection.deliver(self.first)
            self.first = None
        elif not self.silent:
            known = None
            if arrival.epoch is not None and arrival.version is not None:
                known = (arrival.epoch, arrival.version)
            for frame in self.server.welcome(connection.client, known):
                shown = replace(frame, mode=self.mode, peers=self.peers) if isinstance(frame, Welcome) else frame
                connection.deliver(shown)
            self.server.connections.append(connection)
        try:
            yield connection
        finally:
            connection.end()

    def client(
        self,
        name: str = "",
        *,
        limits: ClientLimits | None = None,
        jitter: Callable[[], float] = lambda: 0.0,
        session: bytes | None = None,
        patient: bool = False,
        save_seconds: float = 15,
    ) -> AbstractAsyncContextManager[Codespace]:
        """Connect a client whose pauses are not shortened by chance."""
        return connect(
            URL,
            name=name,
            limits=limits,
            jitter=jitter,
            session=session,
            patient=patient,
            save_seconds=save_seconds,
            open_connection=self.open,
            wall_clock=lambda: trio.current_time() + self.slept_seconds,
        )

    def fails(self, count: int, code: int | None = None) -> None:
        """Have the next `count` attempts to connect fail."""
        self.outages.extend(ConnectionEnded(code, "out of order") for _ in range(count))
