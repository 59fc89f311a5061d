"""A world for actor tests: instances on one store, editors that join them, and sockets that may be slow.

Everything is in memory and on trio's mock clock. An editor's socket is a
`FakeOutlet`, which keeps the promises of `messages.Outlet` and can be held back;
the world moves frames between sockets and editors until nothing moves.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio
from trio.testing import wait_all_tasks_blocked

from pyshare.actors.channel_limits import ChannelLimits
from pyshare.actors.messages import Drained, Join, Leave, Received
from pyshare.actors.supervisor import (
    Mailbox,
    Supervisor,
    SupervisorLimits,
    SupervisorMessage,
    open_lease,
)
from pyshare.core.changeset import Change
from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.core.framing import Assembly
from pyshare.core.protocol import Limits, Mode, Peer, ServerFrame, Welcome, parse_server_frame
from pyshare.store.interface import Store
from tests.editors import CollabEditor

#: Rounds of reading and pushing after which something goes in circles.
_MOST_MOVES = 1000

LIMITS = Limits(
    message_bytes=65_536,
    text_units=65_536,
    clients=100,
    pushes_per_second=1000,
    history_updates=4096,
    presence_ms=100,
)


def split_texts(data: bytes) -> list[str]:
    """Return the texts of one or more unmasked WebSocket text frames."""
    texts = []
    while data:
        assert data[0] == 0x81, "a final text frame"
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4]), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10]), 10
        texts.append(data[start : start + length].decode())
        data = data[start + length :]
    return texts


def split_frames(data: bytes) -> list[ServerFrame]:
    """Return the messages in WebSocket text frames, of which those in pieces are put together."""
    assembly = Assembly(len(data))
    messages = [assembly.take(text) for text in split_texts(data)]
    assert not messages or messages[-1] is not None, "more pieces would follow"
    frames = [parse_server_frame(message) for message in messages if message is not None]
    known = [frame for frame in frames if frame is not None]
    assert len(known) == len(frames), "the server sends frames that its own client knows"
    return known


class FakeOutlet:
    """A socket whose other end may read or not; see `messages.Outlet`."""

    def __init__(self) -> None:
        # Whole frames taken and not yet read at the other end.
        self.taken: list[ServerFrame] = []
        # Whether the socket is full.
        self.full = False
        # Whether somebody was told so, and is owed a `Drained`.
        self.refused = False
        # Why the connection is to be closed.
        self.closing: Closing | None = None
        # Text messages taken in all, bytes, and writes.
        self.texts: list[str] = []
        self.bytes = 0
        self.writes = 0
        # Steps of work that it was charged.
        self.steps = 0

    def write_nowait(self, data: bytes) -> bool:
        """Take whole frames, unless the socket is full."""
        if self.closing is None and self.full:
            self.refused = True
            return False
        if self.closing is None:
            self.taken.extend(split_frames(data))
            self.texts.extend(split_texts(data))
            self.bytes += len(data)
            self.writes += 1
        return True

    def close_nowait(self, closing: Closing) -> None:
        """Note why; the first reason counts."""
        self.closing = self.closing or closing

    def charge(self, steps: int) -> None:
        """Note what the client has to pay for."""
        self.steps += steps


class Client:
    """An editor with its connection, as a test writes about it."""

    def __init__(self, name: str, mode: Mode = "edit") -> None:
        self.peer = Peer(f"id-of-{name}", name, mode)
        self.editor = CollabEditor()
        self.outlet = FakeOutlet()
        # Whether the editor reads what its socket has, and whether it pushes by itself.
        self.reads = True
        self.pushes = True
        # Whether it takes long messages in pieces.
        self.pieces = False
        # The mark of the update that made its version, if it tells one.
        self.tip: str | None = None
        # Why it was not let in at all.
        self.refusal: Closing | None = None
        # Whether it has read the welcome of the present connection.
        self.welcomed = False
        self._mailbox: Mailbox | None = None
        self._connection: trio.CancelScope | None = None

    @property
    def text(self) -> str:
        """What this editor shows."""
        return self.editor.text

    @property
    def closing(self) -> Closing | None:
        """Why its connection was closed or refused."""
        return self.refusal or self.outlet.closing

    def closed_with(self) -> CloseCode | None:
        """Return the code that its connection was closed or refused with."""
        return self.closing.code if self.closing else None

    @property
    def connected(self) -> bool:
        """Whether it has joined a channel."""
        return self._mailbox is not None

    @property
    def connecting(self) -> bool:
        """Whether it has a connection, joined or not."""
        return self._connection is not None

    def types(self, text: str, at: int | None = None) -> None:
        """Insert `text`, at the end unless a position is given."""
        pos = len(self.text) if at is None else at
        self.editor.edit(Change(pos, pos, text))

    def deletes(self, start: int, end: int) -> None:
        """Delete what stands from `start` to `end`."""
        self.editor.edit(Change(start, end, ""))

    def received(self, kind: type[ServerFrame]) -> list[ServerFrame]:
        """Return the frames of one kind that it has read, oldest first."""
        return [frame for frame in self.editor.frames if isinstance(frame, kind)]

    async def sends(self, frame: Received | Drained) -> None:
        """Put a message into the channel's mailbox, as its connection would."""
        assert self._mailbox is not None
        await self._mailbox.send(frame)

    def cut(self) -> None:
        """Lose the connection; what the socket held is lost with it."""
        if self._connection:
            self._connection.cancel()
        self.outlet.taken.clear()

    async def run(self, supervisor: trio.MemorySendChannel[SupervisorMessage], codespace: str, *, create: bool) -> None:
        """Be connected until the connection is cut, as `net.connection` does it."""
        self.outlet = outlet = FakeOutlet()
        self.welcomed = False
        self._mailbox = None
        with trio.CancelScope() as scope:
            self._connection = scope
            try:
                async with open_lease(supervisor, codespace, create=create, last=Leave(outlet)) as mailbox:
                    known = self.editor.epoch, self.editor.version, self.tip
                    await mailbox.send(Join(outlet, self.peer, *known, pieces=self.pieces))
                    if self._connection is scope:
                        self._mailbox = mailbox
                    await trio.sleep_forever()
            except ConnectionRefused as refusal:
                self.refusal = refusal.closing
            except trio.BrokenResourceError:
                # The channel ended before it knew of this client, or it has told why.
                outlet.close_nowait(Closing(CloseCode.TRY_LATER, "this codespace is closing; reconnect"))
            finally:
                if self._connection is scope:
                    self._connection = self._mailbox = None

    async def moves(self) -> bool:
        """Read what the socket has and push what is due; return whether anything was done."""
        moved = False
        if self.outlet.closing is not None and self._connection is not None and self.connected:
            self._connection.cancel()
            moved = True
        while self.reads and self.outlet.taken:
            frame = self.outlet.taken.pop(0)
            self.welcomed = self.welcomed or isinstance(frame, Welcome)
            self.editor.receive(frame)
            moved = True
        if not self.outlet.full and self.outlet.refused and self.connected:
            self.outlet.refused = False
            await self.sends(Drained(self.outlet))
            moved = True
        may_push = self.pushes and self.welcomed and self.connected and not self.outlet.closing
        push = self.editor.next_push() if may_push else None
        if push:
            await self.sends(Received(self.outlet, push))
            moved = True
        return moved


class World:
    """Instances, clients and a store."""

    def __init__(self, store: Store, nursery: trio.Nursery, limits: SupervisorLimits) -> None:
        self.store = store
        self.nursery = nursery
        self.limits = limits
        self.clients: list[Client] = []
        self.supervisors: dict[str, Supervisor] = {}
        self._mailboxes: dict[str, trio.MemorySendChannel[SupervisorMessage]] = {}
        self._scopes: dict[str, trio.CancelScope] = {}

    async def starts(self, instance: str = "one") -> Supervisor:
        """Start an instance."""
        supervisor = Supervisor(self.store, instance=instance, limits=self.limits)
        send, receive = trio.open_memory_channel[SupervisorMessage](float("inf"))
        self.supervisors[instance] = supervisor
        self._mailboxes[instance] = send
        scope = self._scopes[instance] = trio.CancelScope()

        # What it calls says that it has started.
        async def run(task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128
            with scope:
                await supervisor.run(receive, task_status=task_status)

        await self.nursery.start(run, name=f"instance {instance}")
        return supervisor

    def kills(self, instance: str) -> None:
        """Cancel an instance, as the end of its time to drain does."""
        self._scopes[instance].cancel()

    def joins(self, client: Client, *, codespace: str = "tmp-a", instance: str = "one", create: bool = True) -> Client:
        """Let a client connect; it is in when the world has settled."""
        if client not in self.clients:
            self.clients.append(client)
        client.refusal = None
        run = client.run
        mailbox = self._mailboxes[instance]

        async def connection() -> None:
            await run(mailbox, codespace, create=create)

        self.nursery.start_soon(connection, name=f"connection of {client.peer.name}")
        return client

    def client(self, name: str, *, mode: Mode = "edit", codespace: str = "tmp-a", instance: str = "one") -> Client:
        """Return a new client that joins."""
        return self.joins(Client(name, mode), codespace=codespace, instance=instance)

    async def settles(self) -> None:
        """Move frames until nothing moves any more, without letting time pass."""
        for _ in range(_MOST_MOVES):
            await wait_all_tasks_blocked()
            moved = [await client.moves() for client in self.clients]
            if not any(moved):
                return
        refused = {client.peer.name: client.editor.refused[-1:] for client in self.clients}
        raise AssertionError(f"the world never settles; refused last: {refused}")

    async def passes(self, seconds: float) -> None:
        """Let time pass, then settle."""
        await self.settles()
        await trio.sleep(seconds)
        await self.settles()

    async def until(self, holds: Callable[[], bool], *, within: float = 60) -> None:
        """Let time pass in small steps until something holds."""
        deadline = trio.current_time() + within
        while not holds():
            assert trio.current_time() < deadline, "it never came to hold"
            await self.passes(0.05)


def channel_limits() -> ChannelLimits:
    """Return the limits of a channel in tests."""
    return ChannelLimits(told=LIMITS)


@asynccontextmanager
async def open_world(
    store: Store, *, limits: SupervisorLimits | None = None, instances: tuple[str, ...] = ("one",)
) -> AsyncIterator[World]:
    """Hold a world with running instances; all of it has ended when the context is left."""
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        world = World(store, nursery, limits or SupervisorLimits(channel_limits()))
        for instance in instances:
            await world.starts(instance)
        yield world
        nursery.cancel_scope.cancel()
