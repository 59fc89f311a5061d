"""The clients of a scene: calm ones of both dialects, which are judged, and hostile ones, which are not."""

import json
from collections.abc import Callable
from random import Random

import trio
from typing_extensions import override

from pyshare.actors.messages import Drained, Join, Leave, Received
from pyshare.actors.supervisor import Mailbox, SupervisorMessage, open_lease
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.core.protocol import AskFrame, Peer, Welcome, parse_client_frame
from pyshare.core.push_limits import UnreadablePush
from pyshare.core.sharepython import StockEdit, parse_stock_frame
from simulation.frames import Maker, Sight
from tests.actors.world import Client
from tests.editors import CollabEditor

#: How a connection closes when its channel is gone, unless the channel has said more.
CHANNEL_GONE = Closing(CloseCode.TRY_LATER, "this codespace is closing; reconnect")


class ForgetfulEditor(CollabEditor):
    """An editor that takes the text that it is welcomed with, and forgets what it had not pushed."""

    @override
    def _receive_welcome(self, welcome: Welcome) -> None:
        if welcome.text is not None:
            self.unconfirmed.clear()
        super()._receive_welcome(welcome)


class CalmClient(Client):
    """A client of pyshare.v1 that does nothing wrong."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.editor = ForgetfulEditor()

    def is_connecting(self) -> None:
        """Count as connecting from now on, before the connection's task has begun."""
        self._connection = trio.CancelScope()


class RawOutlet:
    """A socket of which the other end keeps what it is sent, or may be full; see `messages.Outlet`."""

    def __init__(self, *, keeps: bool = False) -> None:
        # Whole frames that were taken, where they are kept.
        self.taken: list[bytes] = []
        self._keeps = keeps
        # Whether the socket is full, and whether somebody was told so.
        self.full = False
        self.refused = False
        # Why the connection is to be closed.
        self.closing: Closing | None = None

    def write_nowait(self, data: bytes) -> bool:
        """Take whole frames, unless the socket is full."""
        if self.closing is None and self.full:
            self.refused = True
            return False
        if self._keeps and self.closing is None:
            self.taken += payloads(data)
        return True

    def close_nowait(self, closing: Closing) -> None:
        """Note why; the first reason counts."""
        self.closing = self.closing or closing

    def charge(self, steps: int) -> None:
        """Pay for nothing: a client that is read slowly is a client that sends slowly."""


def payloads(data: bytes) -> list[bytes]:
    """Return the payloads of unmasked WebSocket text frames."""
    found = []
    while data:
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4]), 4
        elif length == 127:
            length, start = int.from_bytes(data[2:10]), 10
        found.append(data[start : start + length])
        data = data[start + length :]
    return found


class Joined:
    """A client that joins, sends and leaves as a connection does it, on any outlet."""

    def __init__(self, peer: Peer, *, stock: bool) -> None:
        self.peer = peer
        self.stock = stock
        self.outlet = RawOutlet()
        # The channel's mailbox, while it is joined, and its connection's scope.
        self.mailbox: Mailbox | None = None
        self.scope: trio.CancelScope | None = None

    async def run(
        self, supervisor: trio.MemorySendChannel[SupervisorMessage], epoch: str | None, version: int | None
    ) -> None:
        """Be connected until the scope is cancelled or the channel ends."""
        outlet = self.outlet = RawOutlet(keeps=isinstance(self, CalmStock))
        self.mailbox = None
        self.begins()
        with trio.CancelScope() as scope:
            self.scope = scope
            try:
                async with open_lease(supervisor, "tmp-a", create=True) as mailbox:
                    try:
                        self.loads()
                        await mailbox.send(
                            Join(outlet, self.peer, epoch, version, dialect="stock" if self.stock else "collab")
                        )
                        if self.scope is scope:
                            self.mailbox = mailbox
                        await trio.sleep_forever()
                    finally:
                        with trio.move_on_after(1, shield=True):
                            await mailbox.send(Leave(outlet))
            except ConnectionRefused as refusal:
                outlet.close_nowait(refusal.closing)
            except trio.BrokenResourceError:
                # The channel ended before it knew of this client, or it has told why.
                outlet.close_nowait(CHANNEL_GONE)
            finally:
                if self.scope is scope:
                    self.scope = self.mailbox = None

    def begins(self) -> None:
        """Take note that a new connection begins."""

    def loads(self) -> None:
        """Load a text, with which it joins."""

    def cut(self) -> None:
        """Lose the connection."""
        if self.scope is not None:
            self.scope.cancel()

    async def sends(self, message: Received | Drained) -> None:
        """Put a message into the channel's mailbox."""
        if self.mailbox is not None:
            try:
                await self.mailbox.send(message)
            except trio.BrokenResourceError:
                self.cut()


class CalmStock(Joined):
    """A stock editor that does nothing wrong: it applies what fits its text, drops the rest, and sends its edits."""

    def __init__(self, name: str, load: Callable[[], str]) -> None:
        super().__init__(Peer(f"id-of-{name}", "", "edit"), stock=True)
        # Returns the text that an API would give out.
        self._load = load
        self._name = name
        self._connections = 0
        self.text = ""
        # Whether it was told that it is connected; it sends nothing before.
        self.connected = False

    @override
    def begins(self) -> None:
        # Without a session it is somebody else each time.
        self._connections += 1
        self.peer = Peer(f"id-of-{self._name}-{self._connections}", "", "edit")
        self.connected = False

    @override
    def loads(self) -> None:
        self.text = self._load()

    async def types(self, pos: int, letters: str) -> None:
        """Insert something and send it."""
        changes = ChangeSet.of([Change(pos, pos, letters)], len(self.text))
        self.text = changes.apply(self.text)
        await self.sends(Received(self.outlet, StockEdit(changes)))

    def handles(self) -> None:
        """Take what has arrived."""
        for payload in self.outlet.taken:
            frame = json.loads(payload)
            self.connected = self.connected or frame["operation"] == "connected"
            if frame["operation"] == "insert_value" and frame["doc_length"] == len(self.text):
                edit = parse_stock_frame(payload.decode())
                assert isinstance(edit, StockEdit)
                self.text = edit.changes.apply(self.text)
        self.outlet.taken.clear()


class Hostile(Joined):
    """A client that sends anything; its connection parses that as `net.connection` does."""

    def __init__(self, peer: Peer, *, stock: bool, maker: Maker, random: Random, sight: Sight) -> None:
        super().__init__(peer, stock=stock)
        self._maker = maker
        self._random = random
        self._sight = sight
        # The number of its last push.
        self.seq = 0
        # The text that it says it holds, and the frame that it sent last.
        self._text = ""
        self.last = ""

    async def send_frame(self) -> None:
        """Send one frame; what is no frame closes the connection, with a code that says whose fault it is."""
        if self._random.random() < 0.12 and self.last:
            text = self.last
        elif self.stock:
            if self._random.random() < 0.7:
                self._text = self._sight.texts[self._sight.version]
            text = self._maker.stock(self._text)
        else:
            self.seq += self._random.random() < 0.8
            text = self._maker.collab(self.seq)
        self.last = text
        try:
            frame = parse_stock_frame(text) if self.stock else parse_client_frame(text)
        except UnreadablePush:
            return
        except ConnectionRefused as refused:
            self.outlet.close_nowait(refused.closing)
            self.cut()
            return
        if isinstance(frame, AskFrame):
            # Its connection answers, and the channel does not hear of it.
            return
        if isinstance(frame, StockEdit) and self._random.random() < 0.8 and frame.changes.length == len(self._text):
            self._text = frame.changes.apply(self._text)
        await self.sends(Received(self.outlet, frame))

    async def drains(self) -> None:
        """Read what its socket has."""
        self.outlet.full = False
        if self.outlet.refused or self._random.random() < 0.1:
            self.outlet.refused = False
            await self.sends(Drained(self.outlet))


#: How a client that does anything may be closed: for what it did itself, or with "try again later".
OWN_FAULT = frozenset(
    {
        CloseCode.DONE,
        CloseCode.NOT_TEXT,
        CloseCode.TOO_BIG,
        CloseCode.NOT_UNDERSTOOD,
        CloseCode.NOT_ALLOWED,
        CloseCode.TOO_SLOW,
        CloseCode.TOO_MANY,
        CloseCode.TRY_LATER,
        CloseCode.GONE,
    }
)
#: How one that does nothing wrong may be closed, and comes back.
NOBODYS_FAULT = frozenset({CloseCode.TRY_LATER, CloseCode.GONE})
