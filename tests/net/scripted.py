"""A client whose every byte a test decides, and the stand-ins for what a connection talks to."""

import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import AcceptConnection, CloseConnection, Event, Ping, Request, TextMessage

from pyshare.actors.messages import ChannelMessage, Leave
from pyshare.core.arrival import format_session
from pyshare.core.errors import Closing, ConnectionRefused
from pyshare.net.addresses import Address, AddressBuckets
from pyshare.net.auth import Admission
from pyshare.net.connection import ConnectionLimits, serve_connection
from pyshare.net.held import HeldBytes

MessageT = TypeVar("MessageT", bound=ChannelMessage)

TOKEN = "c2VjcmV0LXRva2Vu"
SESSION = b"sixteen bytes!!!"
NEW_SESSION = b"sixteen others!!"
CODESPACE = "0d2b6f0e-7a51-4a3e-9c0c-6d3c6f1f7a10"
LIMITS = ConnectionLimits(message_bytes=20_000)


def raw_frame(opcode: int, payload: bytes, *, last: bool = True, length: int | None = None) -> bytes:
    """Return a client's frame, masked with zeros; `length` is what its head claims."""
    claimed = len(payload) if length is None else length
    head = bytes((opcode | (0x80 if last else 0),))
    if claimed < 126:
        head += bytes((0x80 | claimed,))
    elif claimed < 65536:
        head += b"\xfe" + claimed.to_bytes(2, "big")
    else:
        head += b"\xff" + claimed.to_bytes(8, "big")
    return head + bytes(4) + payload


class Client:
    """A WebSocket client at the other end of a pair of sockets; by itself it answers pings only."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._events: deque[Event] = deque()

    async def open(
        self,
        query: str = f"?session={format_session(SESSION)}",
        *,
        path: str = f"/codespace/{TOKEN}/",
        subprotocols: tuple[str, ...] = ("pyshare.v1",),
    ) -> Event:
        """Ask to be let in; return the answer."""
        await self._send(Request(host="here", target=path + query, subprotocols=list(subprotocols)))
        return await self.event()

    async def say(self, text: str) -> None:
        """Send a text message."""
        await self._send(TextMessage(data=text))

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        await self.stream.send_all(data)

    async def close(self, code: int = 1000) -> None:
        """Send a close frame."""
        await self._send(CloseConnection(code=code))

    async def event(self) -> Event:
        """Return what comes next that is no ping."""
        while True:
            while not self._events:
                data = await self.stream.receive_some()
                assert data, "the server ended without a word"
                self._ws.receive_data(data)
                self._events.extend(self._ws.events())
            event = self._events.popleft()
            if not isinstance(event, Ping):
                return event
            if self._ws.state is ConnectionState.OPEN:
                await self._send(event.response())

    async def message(self) -> str:
        """Return the next text message."""
        text = ""
        while True:
            event = await self.event()
            assert isinstance(event, TextMessage)
            text += event.data
            if event.message_finished:
                return text

    async def answer(self, event: Ping | CloseConnection) -> None:
        """Send the answer that the protocol has for it."""
        await self._send(event.response())

    async def closing_answer(self) -> int:
        """Return the code of the server's answer to this client's close frame, and see the server end."""
        while not isinstance(event := await self.event(), CloseConnection):
            pass
        assert await self.stream.receive_some() == b""
        await self.stream.aclose()
        return event.code

    async def closing(self) -> tuple[int, str]:
        """Return code and reason of the close frame that comes, answer it, and see the server end."""
        while not isinstance(event := await self.event(), CloseConnection):
            pass
        await self.answer(event)
        assert await self.stream.receive_some() == b""
        await self.stream.aclose()
        return event.code, event.reason or ""

    async def rest(self) -> bytes:
        """Return all that comes until the server ends, as it is."""
        data = b"".join([part async for part in self.stream])
        await self.stream.aclose()
        return data

    async def http(self) -> str:
        """Return all that comes until the server ends, as text."""
        return (await self.rest()).decode()

    async def _send(self, event: Event) -> None:
        await self.stream.send_all(self._ws.send(event))


class World:
    """What a connection talks to: a client, an authenticator, a supervisor with one channel."""

    def __init__(
        self,
        nursery: trio.Nursery,
        limits: ConnectionLimits,
        address: Address,
        admit: Callable[[str], Awaitable[Admission]],
        received: bytes,
        held: HeldBytes | None = None,
        address_work: AddressBuckets | None = None,
    ) -> None:
        self._nursery = nursery
        self._limits = limits
        # What all connections hold, if there are others.
        self._held = held
        # The work that the connections of one address may cause together, if it is bounded.
        self._address_work = address_work
        self._address = address
        self._admit = admit
        # What was read from the client before.
        self._received = received
        # What the connection was closed with; how much the wall clock was set forward.
        self.closes: list[str] = []
        self.set_seconds = 0.0
        here, there = socket.socketpair()
        for each in (here, there):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self._socket = here
        self.client = Client(trio.SocketStream(trio.socket.from_stdlib_socket(there)))
        self._mailbox_sender, self.mailbox = trio.open_memory_channel[ChannelMessage](2)
        # Leases that were asked for; why there is none, if so; how many are held.
        self.asked: list[tuple[str, bool]] = []
        self.refusal: Closing | None = None
        self.leases = 0
        # Counts a codespace that is made for this client, as the connection asks for it.
        self.count: Callable[[], Closing | None] = lambda: None
        self.counted: list[tuple[Admission, Mapping[str, str]]] = []
        # The connection's life.
        self.scope = trio.CancelScope()
        self.ended = trio.Event()

    async def serve(self) -> None:
        """Serve the client."""
        with self.scope:
            await serve_connection(
                self._socket,
                self._address,
                self._received,
                admit=self._admit,
                open_channel=self.open_channel,
                limits=self._limits,
                new_session=lambda: NEW_SESSION,
                now=lambda: trio.current_time() + self.set_seconds,
                on_closed=self.closes.append,
                held=self._held,
                count_creation=self._count_creation,
                address_work=self._address_work,
            )
        assert self._socket.fileno() == -1
        self.ended.set()

    def _count_creation(self, admission: Admission, headers: Mapping[str, str]) -> Closing | None:
        self.counted.append((admission, headers))
        return None

    async def _send_last(self, sender: trio.MemorySendChannel[ChannelMessage], last: Leave) -> None:
        with sender, suppress(trio.BrokenResourceError):
            await sender.send(last)

    @asynccontextmanager
    async def open_channel(
        self, codespace: str, *, create: bool, count: Callable[[], Closing | None], last: Leave
    ) -> AsyncIterator[trio.MemorySendChannel[ChannelMessage]]:
        """Hold a sending end of the channel, as `open_lease` does."""
        self.count = count
        self.asked.append((codespace, create))
        await trio.lowlevel.checkpoint()
        if self.refusal is not None:
            raise ConnectionRefused(self.refusal)
        with self._mailbox_sender.clone() as sender:
            self.leases += 1
            try:
                yield sender
            finally:
                self.leases -= 1
                self._nursery.start_soon(self._send_last, self._mailbox_sender.clone(), last)

    async def next(self, kind: type[MessageT]) -> MessageT:
        """Return the next message to the channel, which is of this kind."""
        message = await self.mailbox.receive()
        assert isinstance(message, kind)
        return message


async def admit_anyone(token: str) -> Admission:
    """Let everybody edit the one codespace."""
    await trio.lowlevel.checkpoint()
    assert token == TOKEN
    return Admission(CODESPACE, "edit", create=False)


@asynccontextmanager
async def serving(
    limits: ConnectionLimits = LIMITS,
    *,
    admit: Callable[[str], Awaitable[Admission]] = admit_anyone,
    received: bytes = b"",
    held: HeldBytes | None = None,
    address_work: AddressBuckets | None = None,
) -> AsyncIterator[World]:
    """Have one connection served; it has to end, and give back all it had, before the context is left."""
    async with trio.open_nursery() as nursery:
        world = World(nursery, limits, Address("192.0.2.1", 1), admit, received, held, address_work)
        # It has nothing to wait for: the client's bytes wait for it.
        nursery.start_soon(world.serve, name="connection test")  # noqa: ASYNC113
        try:
            yield world
            with trio.fail_after(1000):
                await world.ended.wait()
            assert world.leases == 0
        finally:
            world.client.stream.socket.close()
            world.mailbox.close()


async def let_in(client: Client, query: str | None = None) -> None:
    """Have the client's handshake accepted."""
    answer = await (client.open() if query is None else client.open(query))
    assert isinstance(answer, AcceptConnection)
    assert answer.subprotocol == "pyshare.v1"
