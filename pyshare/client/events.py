"""Events of a codespace for the user of the Python client, and the bounded streams that tell them.

Positions are indices of characters, as those of `str` are.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Self

import trio
from typing_extensions import override

from pyshare.client.checks import Range
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.errors import PyshareError
from pyshare.core.protocol import Mode, Peer, Storage
from pyshare.core.units import Places, from_units


@dataclass(frozen=True, slots=True)
class TextChanged:
    """The text has changed; positions are those of the text before, the changes ascend.

    Who starts with the text at the time of `Codespace.events` and makes the
    changes of each such event has the text. `sender` is the id of the author;
    None if it cannot be told: the text was fetched anew, or own edits were
    refused. `own`: an edit of this client, told when it is made. `version` is
    the number of updates known to be committed; an own edit is not among them.
    """

    changes: tuple[Change, ...]
    version: int
    sender: str | None
    own: bool = False


@dataclass(frozen=True, slots=True)
class PeerJoined:
    """Somebody has come, or has another name or mode now."""

    peer: Peer


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """Somebody has left."""

    id: str


@dataclass(frozen=True, slots=True)
class PeerSelected:
    """Somebody has put their cursors and selections there, as (anchor, head) in the text as it is now."""

    id: str
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class StorageChanged:
    """Edits are committed again, or are not for now; `reason` says why not, in words for people."""

    storage: Storage
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ModeChanged:
    """This client may do more now, or less."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The connection was lost, or an attempt to make a new one has failed.

    `reason` says why, and `code` is the close code, or the HTTP status, if
    there was one. The next attempt begins at `retry_at`, on trio's clock.
    """

    reason: str
    code: int | None
    retry_at: float


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The connection is back; `resumed` says whether the log did it, and not a text fetched anew."""

    resumed: bool


@dataclass(frozen=True, slots=True)
class EditRefused:
    """Edits of one's own were refused by the server and taken back here.

    `changes` are the edits, several perhaps as one, for who wants to make them
    again: positions are those of the committed text that they were to change.
    """

    code: str
    reason: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Missed:
    """More happened than the stream keeps; what follows happens after this was read."""

    count: int


Event = (
    TextChanged
    | PeerJoined
    | PeerLeft
    | PeerSelected
    | StorageChanged
    | ModeChanged
    | ConnectionLost
    | Reconnected
    | EditRefused
    | Missed
)


def shown(changes: ChangeSet, before: str) -> tuple[Change, ...]:
    """Return the changes of a change set as its user has them: ordinary strings, positions in characters.

    `before` is the text before the changes, a units string.
    """
    index = Places(before).index
    return tuple(
        Change(index(change.from_a), index(change.to_a), from_units(change.text)) for change in changes.changes()
    )


#: Bytes that a change takes besides its text, and an event besides its changes, about; and of a character of a text.
_CHANGE_BYTES = 100
_EVENT_BYTES = 200
_CHARACTER_BYTES = 4


def changes_bytes(changes: Iterable[Change]) -> int:
    """Return about how many bytes an event or update takes in memory with these changes, at most."""
    return _EVENT_BYTES + sum(_CHANGE_BYTES + _CHARACTER_BYTES * len(change.insert) for change in changes)


def _event_bytes(event: Event) -> int:
    return changes_bytes(event.changes if isinstance(event, TextChanged | EditRefused) else ())


class EventStream(AsyncIterator[Event]):
    """Events in the order in which they happened, from the moment the stream was made.

    At most `limit` events wait to be read, of `limit_bytes` together. One more,
    and all of them are let go of: the reader is given one `Missed` with their number, and then what
    happens after that. For one reader; cancelled while it waits, it has lost
    nothing.
    """

    def __init__(self, limit: int, limit_bytes: int) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        # What waits to be read, and its bytes; and what was let go of, while that is not read either.
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._missed = 0
        # What the stream ends with.
        self._end: PyshareError | None = None
        # Set when there is something to read.
        self._news = trio.Event()

    def put(self, events: Iterable[Event]) -> None:
        """Have `events` read."""
        for event in events:
            size = _event_bytes(event)
            if self._missed or len(self._events) >= self._limit or self._bytes + size > self._limit_bytes:
                self._missed += len(self._events) + 1
                self._events.clear()
                self._bytes = 0
            else:
                self._events.append(event)
                self._bytes += size
            self._news.set()

    def end(self, error: PyshareError) -> None:
        """Have `error` raised when everything has been read."""
        self._end = self._end or error
        self._news.set()

    @override
    def __aiter__(self) -> Self:
        return self

    @override
    async def __anext__(self) -> Event:
        """Return the next event, as soon as there is one.

        Raises:
            CodespaceClosed: after the last one.
        """
        await trio.lowlevel.checkpoint()
        while not self._missed and not self._events and self._end is None:
            self._news = trio.Event()
            await self._news.wait()
        if self._missed:
            missed = Missed(self._missed)
            self._missed = 0
            return missed
        if self._events:
            event = self._events.popleft()
            self._bytes -= _event_bytes(event)
            return event
        assert self._end is not None
        raise self._end

    def read_nowait(self) -> list[Event]:
        """Return all events that wait to be read, oldest first, without waiting for any.

        The reader then knows of everything that has made the text what it is
        now, and can edit before anything else happens.

        Raises:
            CodespaceClosed: after the last one.
        """
        events: list[Event] = [Missed(self._missed)] if self._missed else list(self._events)
        self._missed = self._bytes = 0
        self._events.clear()
        if not events and self._end is not None:
            raise self._end
        return events
