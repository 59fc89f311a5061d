"""Counts of a channel, which add up over channels that have ended and channels that serve."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from pyshare.core.document import Update
from pyshare.core.measures import Histogram
from pyshare.core.protocol import Peer, Storage

#: Upper bounds of times in seconds: from what an append takes in memory to what nobody waits for.
SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Upper bounds of times that nothing is waited for in.
SHORT_SECONDS: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
#: Upper bounds of how many pushes go together.
PUSHES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0)


@dataclass(slots=True, eq=False)
class Counts:
    """Counts of what has happened since the channel began."""

    #: What this instance has committed of its own members.
    updates: int = 0
    pushes: int = 0
    #: Pushes that were refused, by why.
    refused: Counter[str] = field(default_factory=Counter)
    #: Frames of committed pushes that members were sent.
    frames: int = 0
    #: Appends before which another instance had committed something.
    conflicts: int = 0
    #: How often something had to be brought up from behind: `gap`: the log was read since events may have been
    #: missed; `lag`: a member was sent what it had missed; `text`: one that came back got the whole text.
    resyncs: Counter[str] = field(default_factory=Counter)
    #: How often the store was given back what it had lost.
    put_backs: int = 0
    #: Seconds from the push's being taken from the mailbox to its being committed.
    commit_seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    #: Seconds in which what was committed at once was written to all members that could take it.
    fanout_seconds: Histogram = field(default_factory=lambda: Histogram(SHORT_SECONDS))
    #: Pushes of one append.
    group_pushes: Histogram = field(default_factory=lambda: Histogram(PUSHES))

    def add(self, other: "Counts") -> None:
        """Count what another channel has counted."""
        self.updates += other.updates
        self.pushes += other.pushes
        self.refused.update(other.refused)
        self.frames += other.frames
        self.conflicts += other.conflicts
        self.resyncs.update(other.resyncs)
        self.put_backs += other.put_backs
        self.commit_seconds.add(other.commit_seconds)
        self.fanout_seconds.add(other.fanout_seconds)
        self.group_pushes.add(other.group_pushes)


class CommitTimes:
    """The times for which pushes have been under way."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        # When the push of each client was taken.
        self._taken: dict[str, float] = {}
        #: When the log last grew, whoever typed; None if it has not since the channel began.
        self.last: float | None = None

    def taken(self, client: str, now: float) -> None:
        """A push of `client` waits to be committed from now on."""
        self._taken[client] = now

    def dropped(self, client: str) -> None:
        """The push of `client` waits no more, and was not committed."""
        self._taken.pop(client, None)

    def committed(self, updates: Sequence[Update], now: float) -> None:
        """These updates are in the log; those of our own members count."""
        counts = self._counts
        self.last = now
        own = set()
        for update in updates:
            start = self._taken.pop(update.sender, None)
            if start is not None:
                own.add(update.sender)
                counts.pushes += 1
                counts.commit_seconds.observe(now - start)
            counts.updates += update.sender in own


@dataclass(frozen=True, slots=True)
class Guest:
    """A member of a channel, as the server's operator is shown it."""

    peer: Peer
    #: The address that it comes from.
    remote: str


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """A channel at one moment."""

    version: int
    #: UTF-16 code units of the text.
    units: int
    #: When the channel began, and when the log last grew since then, by trio's clock.
    began: float
    edited: float | None
    guests: Collection[Guest]
    #: Those of them that are stock editors.
    stock: int
    lagging: int
    backlog_bytes: int
    pending: int
    storage: Storage
    #: What has happened; the channel's own, which goes on counting.
    counts: Counts

    @property
    def members(self) -> int:
        """Members of the channel."""
        return len(self.guests)
