"""Who has been sent what: a cursor for each member, each frame encoded once.

A member that keeps up costs one write of bytes that all share. One whose
socket is full lags: nothing is queued for it but its place in the log, and
when its socket has drained it is sent what it missed in one write. Nothing
here waits, and nothing here knows what a socket is.

Each push is a frame of its own, also when many are written at once: an editor
built on @codemirror/collab maps its unconfirmed changes over the updates of a
frame together, and the document over those of a push (see there).
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pyshare.core.document import Update
from pyshare.core.errors import CloseCode, Closing
from pyshare.core.protocol import Peer, push_frames


class Outlet(Protocol):
    """The channel's view of a client's socket. All methods return at once and never raise."""

    def write_nowait(self, data: bytes) -> bool:
        """Take `data`, one or more whole frames, to be sent in order; or return False and take nothing of it.

        Whoever was told False is owed a `Drained` in the channel's mailbox as
        soon as there is room. What is written after `close_nowait`, or to a
        dead socket, is taken and dropped.
        """

    def close_nowait(self, closing: Closing) -> None:
        """Have the connection closed after what was taken; the first call counts."""

    def charge(self, steps: int) -> None:
        """Have the client pay for work that was done for it (see `pyshare.core.work`).

        The connection pays from a bucket that fills with time. While it is in debt, nothing more is read from the
        client.
        """


@dataclass(frozen=True, slots=True)
class FanOutLimits:
    """What is kept for members that lag."""

    #: Bytes of update frames kept for all laggards together; those furthest behind are closed above it.
    backlog_bytes: int = 8_388_608
    #: Answers to a member's own pushes that wait for its socket.
    answers: int = 16
    #: Topics that a laggard has missed news of.
    topics: int = 4096


@dataclass(slots=True, eq=False)
class Member:
    """A client as the fan-out sees it."""

    outlet: Outlet
    peer: Peer
    #: Version that it has been sent up to; kept up to date while it lags only.
    cursor: int = 0
    #: Answers that it has yet to be sent.
    answers: list[bytes] = field(default_factory=list)
    #: Topics of which it has missed news, in order.
    missed: dict[str, None] = field(default_factory=dict)


class FanOut:
    """The members of one channel and what each of them has been sent."""

    def __init__(self, version: int, limits: FanOutLimits) -> None:
        self._limits = limits
        # Version that every current member has been sent up to.
        self._version = version
        # Members that have been sent everything, and those that lag.
        self._current: dict[Outlet, Member] = {}
        self._lagging: dict[Outlet, Member] = {}
        # Frames that some laggard has not been sent, each with the version that it leads to.
        self._backlog: deque[tuple[int, bytes]] = deque()
        self._backlog_bytes = 0
        # Frames of committed pushes that members were sent.
        self.frames_sent = 0

    def __len__(self) -> int:
        return len(self._current) + len(self._lagging)

    @property
    def lagging(self) -> int:
        """How many members lag."""
        return len(self._lagging)

    @property
    def backlog_bytes(self) -> int:
        """Bytes of frames that are kept for laggards."""
        return self._backlog_bytes

    def members(self) -> Iterable[Member]:
        """Return all members."""
        return [*self._current.values(), *self._lagging.values()]

    def find(self, outlet: Outlet) -> Member | None:
        """Return the member behind `outlet`."""
        return self._current.get(outlet) or self._lagging.get(outlet)

    def join(self, outlet: Outlet, peer: Peer, first: bytes) -> Member:
        """Let a client in, with `first` as the first bytes it is sent; they bring it to the present version."""
        member = Member(outlet, peer)
        if outlet.write_nowait(first):
            self._current[outlet] = member
        else:
            member.answers.append(first)
            self._lag(member, self._version)
        return member

    def leave(self, outlet: Outlet) -> Member | None:
        """Let go of a client; return who it was."""
        member = self._current.pop(outlet, None) or self._lagging.pop(outlet, None)
        self._trim()
        return member

    def publish(self, updates: Sequence[Update]) -> None:
        """Send committed `updates`, which follow those published before, to everybody who can take them."""
        before = self._version
        self._version += len(updates)
        if not len(self):
            return
        frames = push_frames(before, updates)
        data = frames[0][1] if len(frames) == 1 else b"".join(frame for _, frame in frames)
        full = [member for outlet, member in self._current.items() if not outlet.write_nowait(data)]
        for member in full:
            self._lag(member, before)
        self.frames_sent += len(self._current) * len(frames)
        if self._lagging:
            self._backlog.extend(frames)
            self._backlog_bytes += len(data)
            self._shed()

    def tell_all(self, news: Mapping[str, bytes]) -> None:
        """Send news by topic to everybody but the member whose id the topic is.

        The newest frame of a topic is the only one that matters: a laggard is
        not sent it, but is owed news of the topic (see `drained`).
        """
        self.show(news)
        for member in list(self._lagging.values()):
            member.missed.update(dict.fromkeys(news))
            if len(member.missed) > self._limits.topics:
                self._drop(member)

    def show(self, selections: Mapping[str, bytes]) -> None:
        """Send frames by client id to everybody but the one whose it is; laggards never see them."""
        everything = b"".join(selections.values())
        for outlet, member in list(self._current.items()):
            data = everything
            if member.peer.id in selections:
                data = b"".join(frame for client, frame in selections.items() if client != member.peer.id)
            if data and not outlet.write_nowait(data):
                self._lag(member, self._version)

    def answer(self, outlet: Outlet, frame: bytes) -> None:
        """Send `frame` to one member, later if it lags; one that reads no answers is closed."""
        member = self.find(outlet)
        if member is None:
            return
        if outlet in self._lagging or not outlet.write_nowait(frame):
            self._lag(member, self._version)
            member.answers.append(frame)
            if len(member.answers) > self._limits.answers:
                self._drop(member)

    def drained(self, outlet: Outlet) -> Collection[str]:
        """Send a laggard what it missed, now that it has room; return the topics of which it is owed news.

        Nothing is returned for a member that lags still.
        """
        member = self._lagging.get(outlet)
        if member is None:
            return ()
        frames = [frame for version, frame in self._backlog if version > member.cursor]
        data = b"".join((*member.answers, *frames))
        if data and not outlet.write_nowait(data):
            return ()
        del self._lagging[outlet]
        self._current[outlet] = member
        self._trim()
        self.frames_sent += len(frames)
        missed = list(member.missed)
        member.answers.clear()
        member.missed.clear()
        return missed

    def close(self, outlet: Outlet, closing: Closing) -> None:
        """Have one member's connection closed; it stays a member until it leaves."""
        outlet.close_nowait(closing)

    def close_all(self, closing: Closing) -> None:
        """Have every member's connection closed."""
        for member in self.members():
            member.outlet.close_nowait(closing)

    def _lag(self, member: Member, cursor: int) -> None:
        if self._current.pop(member.outlet, None) or member.outlet not in self._lagging:
            member.cursor = cursor
            self._lagging[member.outlet] = member

    def _shed(self) -> None:
        """Close those furthest behind until the backlog is within its limit."""
        while self._backlog_bytes > self._limits.backlog_bytes and self._lagging:
            self._drop(min(self._lagging.values(), key=lambda member: member.cursor))

    def _drop(self, member: Member) -> None:
        del self._lagging[member.outlet]
        # It stays a member until it leaves, and takes and drops all that it is sent from now on.
        self._current[member.outlet] = member
        reason = "too slow: more was written than you read; reconnect to go on"
        member.outlet.close_nowait(Closing(CloseCode.TOO_SLOW, reason))
        self._trim()

    def _trim(self) -> None:
        """Let go of the frames that every laggard has been sent."""
        oldest = min((member.cursor for member in self._lagging.values()), default=self._version)
        while self._backlog and self._backlog[0][0] <= oldest:
            self._backlog_bytes -= len(self._backlog.popleft()[1])
