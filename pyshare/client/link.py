"""The task that keeps a replica connected: one connection after the other, with pauses between.

A `Link` is one task. It hands the server's frames to the replica and the
replica's to the server, and has its listener told of what that changes.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import trio

from pyshare.client.address import joining_url, server_of
from pyshare.client.errors import CodespaceClosed, ConnectError, ConnectionEnded
from pyshare.client.events import ConnectionLost, Event, Reconnected
from pyshare.client.patience import LOOK_SECONDS, Clocks, Patience, Step
from pyshare.client.replica import AnotherLife, OutOfStep, Replica, ReplicaFrame
from pyshare.client.transport import Connection, OpenConnection
from pyshare.core.errors import CloseCode, ConnectionRefused
from pyshare.core.protocol import (
    AliveFrame,
    AskFrame,
    ClientFrame,
    Limits,
    PeerLanguageFrame,
    PushFrame,
    RefusedFrame,
    Welcome,
    encode,
    parse_server_frame,
)

logger = logging.getLogger("pyshare.client")

#: Bytes of a message that is taken before any welcome has told how long a text can be.
FIRST_MESSAGE_BYTES = 268_435_456
#: Bytes of one UTF-16 unit in JSON, at most; and of what else is in a frame with a text or a history.
_UNIT_BYTES = 6
_SLACK_BYTES = 67_108_864


class State(Enum):
    """What a client does about its connection."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    #: Given up, or left; for good.
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """How patient a client is, and what it keeps."""

    #: Seconds from dialling to the connection; and then, until the welcome, seconds without a byte from the server.
    connect_seconds: float = 15
    #: Seconds in which the first connection is tried again, if the client is not patient; an attempt that has begun by
    #: then is not cut short.
    first_connect_seconds: float = 5
    #: Seconds in which nothing comes, and nothing of a long message leaves, while the server owes an answer: then the
    #: connection counts as lost.
    answer_seconds: float = 10
    #: The pause before the client connects again: the first one, and the longest. Each is twice the one
    #: before, less up to a half by chance, so that many clients do not come back in one moment.
    first_pause_seconds: float = 0.25
    longest_pause_seconds: float = 10
    #: Seconds that a connection has to last for the next pause to be a first one.
    settled_seconds: float = 1
    #: Seconds that saying goodbye may take.
    close_seconds: float = 1
    #: Events that wait to be read, of each stream; and committed updates that are kept for those who read them.
    events: int = 1024
    updates: int = 1024
    #: Bytes of those of each stream, and of the updates that are kept, about.
    kept_bytes: int = 16_777_216


class Link:
    """Keeps one replica connected to one codespace."""

    def __init__(
        self,
        replica: Replica,
        address: str,
        *,
        session: bytes,
        name: str,
        patient: bool,
        limits: ClientLimits,
        open_connection: OpenConnection,
        jitter: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._replica = replica
        self._address = address
        self._session = session
        # What the others are shown, from the next connection on.
        self.name = name
        # Whether the first connection is waited for, however long that takes.
        self._patient = patient
        self._limits = limits
        self._open_connection = open_connection
        # Gives numbers from 0 up to 1, by chance.
        self._jitter = jitter
        # Tells the time in seconds, also that which passes while the machine sleeps.
        self._wall_clock = wall_clock
        # Called in the link's task whenever anything may have changed, with the events of that.
        self.on_change: Callable[[Sequence[Event]], None] = _ignore
        self.state = State.CONNECTING
        # Why the link has given up; and what its user is raised if there never was a connection.
        self.closed: CodespaceClosed | None = None
        self.failure: ConnectError | None = None
        # How the last connection or attempt has ended; and when the next one begins, during a pause.
        self.ended: ConnectionEnded | None = None
        self.retry_at: float | None = None
        # Connections that came as far as the welcome, and when the last one did.
        self.welcomes = 0
        self._welcomed = 0.0
        # The next pause, before chance has its say.
        self._pause_seconds = limits.first_pause_seconds
        # Set when the replica may have something to send, and when a pause is to end.
        self._to_send = trio.Event()
        self._hurry = trio.Event()
        # Whether the server is to be asked for a sign of life; and what is set when the next deadline may have moved.
        self._ask_due = False
        self._moved = trio.Event()
        # The present connection, and whether it is to be cut without a word.
        self._conversation = trio.CancelScope()
        self._cut = False

    def wake(self) -> None:
        """Have what the replica has to send sent."""
        self._to_send.set()

    def cut(self) -> None:
        """Lose the connection, if there is one, without a word; the next pause is a first one."""
        if self.state is State.CONNECTED:
            self._cut = True
            self._pause_seconds = self._limits.first_pause_seconds
            self._conversation.cancel()

    def hurry(self) -> None:
        """Let the present pause end, or the next one if there is none."""
        self._hurry.set()

    def close(self, closed: CodespaceClosed) -> None:
        """Give up for good."""
        self.closed = self.closed or closed
        self.state = State.CLOSED
        self.on_change(())

    async def run(self) -> None:
        """Connect, converse, pause, and again; return when the server's answer says that it is of no use.

        Cancelled, it says goodbye to the server, for `close_seconds` at most.
        """
        started = trio.current_time()
        while self.closed is None:
            welcomes, self._cut = self.welcomes, False
            lost: ConnectionEnded | None = None
            try:
                await self._converse()
            except* ConnectionEnded as group:
                lost = _gravest(group)
            if self.closed is None:
                on_purpose = "this client has dropped the connection" if self._cut else "the text is fetched again"
                self.ended = ended = lost or ConnectionEnded(None, on_purpose)
                pause_seconds = self._next_pause(connected=welcomes != self.welcomes)
                late = self.welcomes == 0 and not self._patient and self._is_late(started, pause_seconds)
                if late or not ended.come_back:
                    self._give_up(ended)
                else:
                    logger.log(
                        logging.WARNING if lost else logging.INFO, self._told(f"next attempt in {pause_seconds:.2g} s")
                    )
                    await self._pause(ended, pause_seconds)

    def _next_pause(self, *, connected: bool) -> float:
        """Return the seconds before the next attempt; a connection that lasted makes it a first pause."""
        lasted = trio.current_time() - self._welcomed
        if connected and lasted >= self._limits.settled_seconds:
            self._pause_seconds = self._limits.first_pause_seconds
        seconds = self._pause_seconds
        self._pause_seconds = min(2 * seconds, self._limits.longest_pause_seconds)
        return seconds * (1 - self._jitter() / 2)

    def _is_late(self, started: float, pause_seconds: float) -> bool:
        return trio.current_time() + pause_seconds > started + self._limits.first_connect_seconds

    def _give_up(self, ended: ConnectionEnded) -> None:
        if ended.come_back:
            self.failure = ConnectError(server_of(self._address), ended.reason)
        logger.warning(self._told("not tried again"))
        self.close(CodespaceClosed(ended.code or CloseCode.OUR_FAULT, ended.reason))

    def _told(self, next_step: str) -> str:
        """Return how the last connection or attempt has ended, for the log."""
        head = "connection lost" if self.state is State.CONNECTED else "no connection"
        return f"{head}: {server_of(self._address)}: {self.ended}; {next_step}"

    async def _pause(self, ended: ConnectionEnded, seconds: float) -> None:
        """Let so many seconds pass, or fewer in a hurry."""
        self.state = State.CONNECTING
        self.retry_at = trio.current_time() + seconds
        self.on_change([ConnectionLost(ended.reason, ended.code, self.retry_at)])
        with trio.move_on_at(self.retry_at):
            await self._hurry.wait()
        self._hurry = trio.Event()
        self.retry_at = None

    async def _converse(self) -> None:
        """Have one connection, until it ends, is cut, or is not good for more."""
        replica = self._replica
        known = replica.resume_point
        url = joining_url(self._address, session=self._session, name=self.name, known=known)
        limits, now = self._limits, trio.current_time()
        patience = Patience(now, welcome_seconds=limits.connect_seconds, answer_seconds=limits.answer_seconds)
        self._conversation = trio.CancelScope(deadline=now + limits.connect_seconds)
        with self._conversation as conversation:
            async with self._open_connection(url, _max_message_bytes(replica.limits)) as connection:
                conversation.deadline = float("inf")
                try:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._watch, connection, patience, name="patience of a client")
                        self._on_welcome(await _receive_frame(connection), patience)
                        nursery.start_soon(self._send_all, connection, patience, name="sender of a client")
                        await self._receive_all(connection)
                        nursery.cancel_scope.cancel()
                finally:
                    if not self._cut:
                        with trio.move_on_after(self._limits.close_seconds, shield=True):
                            await connection.close()
        if conversation.cancelled_caught and not self._cut:
            raise ConnectionEnded(None, f"no connection within {limits.connect_seconds:g} seconds")

    def _on_welcome(self, frame: Welcome | ReplicaFrame, patience: Patience) -> None:
        if not isinstance(frame, Welcome):
            raise ConnectionEnded(CloseCode.NOT_UNDERSTOOD, f"the server's first frame is no welcome: {frame.type}")
        first: list[Event] = [Reconnected(resumed=frame.text is None)] if self.welcomes else []
        try:
            self._replica.resume(frame)
            patience.welcomed(frame.limits.alive_ms / 1000)
            self._moved.set()
            self.state = State.CONNECTED
            self.welcomes += 1
            self._welcomed = trio.current_time()
        except OutOfStep as error:
            first = []
            raise ConnectionEnded(None, str(error)) from None
        except AnotherLife:
            first = []
            reason = "this codespace has expired, and another one has begun at its address; its text is still here"
            raise ConnectionEnded(CloseCode.GONE, reason) from None
        finally:
            self.on_change([*first, *self._replica.take_events()])

    async def _receive_all(self, connection: Connection) -> None:
        replica = self._replica
        while not replica.must_fetch:
            frame = await _receive_frame(connection)
            if isinstance(frame, Welcome):
                raise ConnectionEnded(CloseCode.NOT_UNDERSTOOD, "the server sent a second welcome")
            settled = replica.settled
            try:
                replica.receive(frame)
            except OutOfStep as error:
                raise ConnectionEnded(None, str(error)) from None
            finally:
                self.on_change(replica.take_events())
            if isinstance(frame, RefusedFrame) and replica.settled > settled:
                # There are only so many edits to be taken back, and others wait for that.
                self._pause_seconds = self._limits.first_pause_seconds
            self.wake()

    async def _send_all(self, connection: Connection, patience: Patience) -> None:
        self._ask_due = False
        while True:
            self._to_send = trio.Event()
            while frame := self._next_frame():
                message = encode(frame)
                if isinstance(frame, PushFrame):
                    patience.pushed(trio.current_time(), len(message))
                    self._moved.set()
                await connection.send(message.decode())
                if isinstance(frame, PushFrame):
                    # All of it has left, which may have taken long.
                    patience.pushed(trio.current_time(), len(message))
            # What comes to nothing is settled without being sent.
            self.on_change(())
            await self._to_send.wait()

    def _next_frame(self) -> ClientFrame | None:
        if self._ask_due:
            self._ask_due = False
            return AskFrame()
        return self._replica.next_push() or self._replica.next_select()

    async def _watch(self, connection: Connection, patience: Patience) -> None:
        """Ask the server for a sign of life when nothing was heard for long, and end a connection that is lost."""
        replica = self._replica
        clocks = Clocks(trio.current_time(), self._wall_clock())
        while True:
            self._moved = trio.Event()
            due = patience.due(connection.heard, connection.left, waits=replica.awaits_answer)
            with trio.move_on_at(min(due.time, trio.current_time() + LOOK_SECONDS)):
                await self._moved.wait()
            now = trio.current_time()
            step = patience.woke(
                now,
                due.time,
                connection.heard,
                connection.left,
                waits=replica.awaits_answer,
                stood_still=clocks.slept(now, self._wall_clock()),
            )
            if step is Step.LOSE:
                # Nobody would hear a goodbye.
                self._cut = True
                raise ConnectionEnded(None, "the server does not answer")
            if step is Step.ASK:
                self._ask_due = True
                self.wake()


def _ignore(_events: Sequence[Event]) -> None:
    """Let nobody know."""


def _max_message_bytes(limits: Limits | None) -> int:
    if limits is None:
        return FIRST_MESSAGE_BYTES
    return _UNIT_BYTES * limits.text_units + _SLACK_BYTES


async def _receive_frame(connection: Connection) -> Welcome | ReplicaFrame:
    """Return the next frame for a replica: signs of life, languages, and frames of unknown types are passed over."""
    while True:
        message = await connection.receive()
        try:
            frame = parse_server_frame(message)
        except ConnectionRefused as refused:
            reason = f"the server sent what is no frame: {refused.closing.reason}"
            raise ConnectionEnded(CloseCode.NOT_UNDERSTOOD, reason) from None
        if frame is not None and not isinstance(frame, AliveFrame | PeerLanguageFrame):
            return frame


def _gravest(group: BaseExceptionGroup[ConnectionEnded]) -> ConnectionEnded:
    """Return the one that says most: several tasks meet the end of one connection."""
    leaves = (_gravest(each) if isinstance(each, BaseExceptionGroup) else each for each in group.exceptions)
    return max(leaves, key=lambda ended: (ended.code is not None, not ended.come_back))
