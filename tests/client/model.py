"""A server made of the core's document, and replicas that reach it over connections moved by hand."""

from collections import deque
from typing import Protocol

from pyshare.client.address import ResumePoint
from pyshare.client.replica import OutOfStep, Replica, ReplicaFrame
from pyshare.core.document import Document, DocumentLimits, Push, Update, by_push
from pyshare.core.draft import Draft
from pyshare.core.errors import PushRefused
from pyshare.core.protocol import (
    AliveFrame,
    Limits,
    PeerLanguageFrame,
    PushFrame,
    RefusedFrame,
    UpdatesFrame,
    Welcome,
    committed,
    encode,
    parse_client_frame,
    parse_server_frame,
)
from tests.core.drafts import add

LIMITS = Limits(
    message_bytes=65_536,
    text_units=65_536,
    clients=100,
    pushes_per_second=1000,
    history_updates=4096,
    presence_ms=100,
    alive_ms=20_000,
)


def frame_of(version: int, *updates: Update) -> UpdatesFrame:
    """Return the frame of `updates`, the last of which made `version`."""
    return UpdatesFrame(version, tuple(committed(update) for update in updates))


class Recipient(Protocol):
    """A connection, as the server writes to it."""

    def deliver(self, frame: Welcome | ReplicaFrame) -> None:
        """Have the client get `frame` after those before it."""


class ModelServer:
    """One codespace. Committed updates go to all connections, those of one push in one frame."""

    def __init__(self, text: str = "", *, history: int = 4096, limits: Limits = LIMITS) -> None:
        self.limits = limits
        self.epoch = "first"
        # The epochs that it continues; None: the server is too old to say.
        self.before: tuple[str, ...] | None = ()
        self._document_limits = DocumentLimits(history_updates=history, text_units=limits.text_units)
        self.document = Document(text, limits=self._document_limits)
        # Every update since the codespace was made.
        self.log: list[Update] = []
        self.connections: list[Recipient] = []

    def make_anew(self, text: str, *, continued: bool = False) -> None:
        """Put another codespace in place of this one; if `continued`, it is this one as it was put back."""
        self.before = (self.epoch,) if continued else self.before and ()
        self.epoch += "'"
        self.document = Document(text, limits=self._document_limits)
        self.log.clear()

    def welcome(
        self, client: str, known: ResumePoint | tuple[str, int] | None, *, log_later: bool = False
    ) -> list[Welcome | UpdatesFrame]:
        """Return the first frames for `client`; with `log_later` the log follows the welcome push by push."""
        version = self.document.version
        acked = self.document.last_seq(client)
        updates = self.document.since(known[1]) if known and known[0] == self.epoch else None
        following: list[UpdatesFrame] = []
        if updates is not None and known and log_later:
            own = [update.seq for update in updates if update.sender == client]
            acked = min(own) - 1 if own else acked
            version = known[1]
            for push in by_push(updates):
                version += len(push)
                following.append(frame_of(version, *push))
            version = known[1]
            updates = []
        welcome = Welcome(
            id=client,
            mode="edit",
            epoch=self.epoch,
            before=self.before,
            version=version,
            acked=acked,
            peers=(),
            limits=self.limits,
            text=self.document.text if updates is None else None,
            updates=None if updates is None else tuple(map(committed, updates)),
        )
        return [welcome, *following]

    def commit(self, push: Push) -> None:
        """Commit `push` and tell everybody.

        Raises:
            PushRefused: if that cannot be.
        """
        draft = Draft(self.document)
        if not add(draft, self.document, push):
            return
        self.document.advance(self.document.version + len(draft.updates), draft.updates)
        self.log.extend(draft.updates)
        for connection in self.connections:
            connection.deliver(frame_of(self.document.version, *draft.updates))


class ModelConnection:
    """Frames on their way between one client and the server; all go through JSON."""

    def __init__(self, server: ModelServer, client: str) -> None:
        self.server = server
        self.client = client
        self.inbox: deque[Welcome | ReplicaFrame] = deque()
        self.outbox: deque[PushFrame] = deque()
        server.connections.append(self)

    def deliver(self, frame: Welcome | ReplicaFrame) -> None:
        """Put `frame` on its way to the client."""
        self.inbox.append(frame)

    def arrive(self) -> None:
        """Have the oldest push on its way arrive; also when the client has cut the connection since."""
        if self.outbox:
            frame = parse_client_frame(encode(self.outbox.popleft()).decode())
            assert isinstance(frame, PushFrame)
            try:
                self.server.commit(Push(self.client, frame.seq, frame.version, frame.updates))
            except PushRefused as refusal:
                self.inbox.append(RefusedFrame(frame.seq, refusal.code, refusal.reason))

    def cut(self) -> None:
        """Have nothing more come from the server."""
        if self in self.server.connections:
            self.server.connections.remove(self)
        self.inbox.clear()


class ModelClient:
    """A replica and its connections, as the client's link drives them."""

    def __init__(self, server: ModelServer, name: str) -> None:
        self.server = server
        self.name = name
        self.replica = Replica()
        self.connection: ModelConnection | None = None
        # Connections that were cut, whose pushes may arrive yet.
        self.former: list[ModelConnection] = []
        # Whether the welcome of the present connection was received: nothing is sent before.
        self.is_welcome = False

    @property
    def moving(self) -> bool:
        """Whether there is something to receive, to send or to connect for."""
        return self.connection is None or bool(self.connection.inbox or self.connection.outbox)

    def connects(self, *, log_later: bool = False) -> None:
        """Lose the connection, if there is one, and have another."""
        self.cut()
        self.is_welcome = False
        self.connection = connection = ModelConnection(self.server, self.name)
        connection.inbox.extend(self.server.welcome(self.name, self.replica.resume_point, log_later=log_later))

    def cut(self) -> None:
        """Lose the connection."""
        if self.connection:
            self.connection.cut()
            self.former.append(self.connection)
            self.connection = None

    def receives(self, count: int = 1_000_000) -> None:
        """Take up to `count` frames of those that are there."""
        while count and self.connection and self.connection.inbox:
            frame = parse_server_frame(encode(self.connection.inbox.popleft()).decode())
            try:
                if isinstance(frame, Welcome):
                    self.replica.resume(frame)
                    self.is_welcome = True
                elif frame is not None and not isinstance(frame, AliveFrame | PeerLanguageFrame):
                    self.replica.receive(frame)
            except OutOfStep:
                self.cut()
            if self.replica.must_fetch:
                self.cut()
            count -= 1

    def pushes(self) -> None:
        """Send what the replica has to push."""
        if self.connection and self.is_welcome:
            while push := self.replica.next_push():
                self.connection.outbox.append(push)


def settle(server: ModelServer, *clients: ModelClient) -> None:
    """Connect everybody and move frames until nothing moves."""
    for client in clients:
        for connection in client.former:
            connection.outbox.clear()
    moving = True
    while moving:
        moving = False
        for client in clients:
            if client.connection is None:
                client.connects()
            client.receives()
            client.pushes()
            if client.connection:
                client.connection.arrive()
            moving = moving or client.moving
