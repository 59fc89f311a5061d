"""Frames to the members of a channel: a cursor for each member, each frame encoded once.

A member that keeps up costs one write of bytes that all share. One whose
socket is full lags: nothing is queued for it but its place in the log. Each
time its socket has room, it is sent what it missed, in slices of shared bytes,
until the socket is full again. Nothing here waits, and nothing here knows what
a socket is.

Each push is a frame of its own, also when many are written at once: an editor
built on @codemirror/collab maps its unconfirmed changes over the updates of a
frame together, and the document over those of a push (see there).

Some members take a long frame in pieces, the others take it whole (see
`pyshare.core.framing`). Each way has frames and a backlog of its own, made only
while it has members.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pyshare.actors.backlog import SLICE_BYTES, Backlog
from pyshare.actors.messages import Outlet
from pyshare.core.document import Update
from pyshare.core.errors import CloseCode, Closing
from pyshare.core.framing import in_frames, push_messages
from pyshare.core.protocol import Peer
from pyshare.core.shares import Share, unlimited_share


@dataclass(frozen=True, slots=True)
class FanOutLimits:
    """Limits of the data that are kept for members that lag."""

    #: Bytes of update frames kept for all laggards together; those furthest behind are closed above it.
    backlog_bytes: int = 8_388_608
    #: Answers to a member's own pushes that wait for its socket.
    answers: int = 16


@dataclass(slots=True, eq=False)
class Listener:
    """A client as the fan-out sees it."""

    outlet: Outlet
    peer: Peer
    #: True if it takes long frames in pieces.
    pieces: bool = False
    #: Version that it has been sent up to; kept up to date while it lags only.
    cursor: int = 0
    #: Answers that it has yet to be sent.
    answers: list[bytes] = field(default_factory=list)
    #: Topics of which it has missed news, in order, and whether it had not heard of the topic before.
    missed: dict[str, bool] = field(default_factory=dict)
    #: Topics that its first bytes told it of, and that the others were told of later.
    told: frozenset[str] = frozenset()


class FanOut:
    """The members of one channel and what each of them has been sent."""

    def __init__(
        self,
        version: int,
        limits: FanOutLimits,
        share: Share | None = None,
        *,
        trim_history: Callable[[], None] = lambda: None,
    ) -> None:
        self._limits = limits
        # Lets go of the history that is above the share; called before a laggard is closed because of the share.
        self._trim_history = trim_history
        # The codespace's part of the limit for all, which the backlogs count in; and what they count there now.
        self._share = share or unlimited_share()
        self._counted_bytes = 0
        # Version that every current member has been sent up to.
        self._version = version
        # Members that have been sent everything, and those that lag.
        self._current: dict[Listener, None] = {}
        self._lagging: dict[Listener, None] = {}
        # What some laggard has not been sent, of those that take pieces and of those that do not.
        slice_bytes = min(SLICE_BYTES, limits.backlog_bytes // 16)
        self._backlogs = {pieces: Backlog(slice_bytes) for pieces in (False, True)}
        # Topics that members have been told of and that have not ended.
        self._topics: set[str] = set()
        # Frames of committed pushes that members were sent.
        self.frames_sent = 0

    def __len__(self) -> int:
        return len(self._current) + len(self._lagging)

    @property
    def lagging(self) -> int:
        """The number of members that lag."""
        return len(self._lagging)

    @property
    def backlog_bytes(self) -> int:
        """Bytes of frames that are kept for laggards."""
        return sum(backlog.bytes for backlog in self._backlogs.values())

    def listeners(self) -> Iterable[Listener]:
        """Return all members."""
        return [*self._current, *self._lagging]

    def join(self, member: Listener, first: bytes, *, told: Iterable[str] = ()) -> None:
        """Let a client in, with `first` as the first bytes it is sent; they bring it to the present version.

        `told` are the topics that `first` tells of.
        """
        member.told = frozenset(told) - self._topics
        if member.outlet.write_nowait(first):
            self._current[member] = None
        else:
            member.answers.append(first)
            self._lag(member, self._version)

    def leave(self, member: Listener) -> None:
        """Let go of a client."""
        self._current.pop(member, None)
        self._lagging.pop(member, None)
        self._trim()

    def publish(self, updates: Sequence[Update]) -> None:
        """Send committed `updates`, which follow those published before, to everybody who can take them."""
        before = self._version
        self._version += len(updates)
        if not len(self):
            return
        messages = push_messages(before, updates)
        ways = {member.pieces for member in self.listeners()}
        slices = {pieces: self._backlogs[pieces].cut(in_frames(messages, pieces=pieces)) for pieces in ways}
        for member in list(self._current):
            version = before
            for each in slices[member.pieces]:
                data, frames = each.after(version)
                if not member.outlet.write_nowait(data):
                    self._lag(member, version)
                    break
                version = each.version
                self.frames_sent += frames
        for pieces in {member.pieces for member in self._lagging}:
            self._backlogs[pieces].keep(slices[pieces])
        self._shed()

    def tell_all(self, news: Mapping[str, bytes], *, ended: Collection[str] = ()) -> None:
        """Send news by topic to everybody but the member whose id the topic is.

        The newest frame of a topic is the only one that matters: a laggard is
        not sent it, but is owed news of the topic (see `drained`). `ended` are
        the topics that are told of for the last time. One that began and ended
        while a member lagged is not owed to it, so however many come and go,
        a laggard is owed no more topics than it knew and there are now.
        """
        everything = b"".join(news.values())
        for member in list(self._current):
            data = everything
            if member.peer.id in news:
                data = b"".join(frame for client, frame in news.items() if client != member.peer.id)
            if data and not member.outlet.write_nowait(data):
                self._lag(member, self._version)
        for member in self._lagging:
            for topic in news:
                is_new = topic not in self._topics and topic not in member.told
                if topic in ended and member.missed.get(topic, is_new):
                    member.missed.pop(topic, None)
                else:
                    member.missed.setdefault(topic, is_new)
        self._topics |= news.keys()
        self._topics -= set(ended)
        for member in self.listeners():
            member.told = frozenset()

    def show(self, frames: bytes) -> None:
        """Send `frames` of selections to everybody, the same bytes to all; laggards never see them."""
        for member in list(self._current):
            self.show_to(member, frames)

    def show_to(self, member: Listener, frames: bytes) -> None:
        """Send `frames` of selections to one member, unless it lags or has left."""
        if member in self._current and frames and not member.outlet.write_nowait(frames):
            self._lag(member, self._version)

    def answer(self, member: Listener, frame: bytes) -> None:
        """Send `frame` to one member, later if it lags; one that reads no answers is closed."""
        lags = member in self._lagging
        if not lags and member not in self._current:
            return
        if lags or not member.outlet.write_nowait(frame):
            self._lag(member, self._version)
            member.answers.append(frame)
            if len(member.answers) > self._limits.answers:
                self._drop(member)

    def drained(self, member: Listener) -> Collection[str] | None:
        """Send a laggard what it missed, now that it has room; return the topics of which it is owed news.

        None is returned for a member that lags still, or did not lag.
        """
        if member not in self._lagging:
            return None
        outlet = member.outlet
        while member.answers:
            if not outlet.write_nowait(member.answers[0]):
                return None
            del member.answers[0]
        while (missed := self._backlogs[member.pieces].next_after(member.cursor)) is not None:
            data, frames = missed.after(member.cursor)
            if not outlet.write_nowait(data):
                self._trim()
                return None
            member.cursor = missed.version
            self.frames_sent += frames
        del self._lagging[member]
        self._current[member] = None
        self._trim()
        owed = list(member.missed)
        member.missed.clear()
        return owed

    def _lag(self, member: Listener, cursor: int) -> None:
        if member not in self._lagging:
            self._current.pop(member, None)
            member.cursor = cursor
            self._lagging[member] = None

    def _shed(self) -> None:
        """Close those furthest behind until the backlog is within its limit, and the codespace within its share."""
        self._count()
        self._trim_history()
        while self._lagging and (self.backlog_bytes > self._limits.backlog_bytes or self._share.is_over):
            self._drop(min(self._lagging, key=lambda member: member.cursor))

    def _count(self) -> None:
        """Count the bytes of the backlogs in the share."""
        self._share.change(self.backlog_bytes - self._counted_bytes)
        self._counted_bytes = self.backlog_bytes

    def _drop(self, member: Listener) -> None:
        del self._lagging[member]
        # It stays a member until it leaves, and takes and drops all that it is sent from now on.
        self._current[member] = None
        reason = "too slow: more was written than you read; reconnect to go on"
        member.outlet.close_nowait(Closing(CloseCode.TOO_SLOW, reason))
        self._trim()

    def _trim(self) -> None:
        """Let go of the frames that every laggard that takes them so has been sent."""
        for pieces, backlog in self._backlogs.items():
            cursors = (member.cursor for member in self._lagging if member.pieces is pieces)
            backlog.forget(min(cursors, default=self._version))
        self._count()
