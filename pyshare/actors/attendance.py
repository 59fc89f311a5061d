"""Presence, as a channel tells it to its members and to the other instances, at most so often.

The part of a channel beside the text: arrivals, departures, selections, the
language. None of it is kept anywhere, and those who missed some of it are told what is so now.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import trio

from pyshare.core.document import Document
from pyshare.core.framing import server_frame
from pyshare.core.names import public_name
from pyshare.core.presence import Announcement, Attendee, Presence, Selection
from pyshare.core.protocol import SELECTION_RANGES, GoneFrame, Peer, PeerFrame, PeerLanguageFrame, PeerSelectFrame
from pyshare.core.work import Work
from pyshare.store.interface import Store, StoreUnavailable

logger = logging.getLogger(__name__)

#: Steps of moving selections to the present version in one telling; the rest is moved in the next.
_TELLING_STEPS = 20_000
#: Versions that a selection may be behind before it is moved; the history reaches back further.
_BEHIND_VERSIONS = 512
#: Positions that are moved together, and bytes of selections that all members together are sent each second: more are
#: sent less often.
_POSITIONS = 2000
_BYTES_A_SECOND = 33_554_432
#: The topic under which members hear of the language; no client id is that short.
_LANGUAGE = "language"
#: Signs of life that an instance may miss before its clients count as gone.
_MISSED_HEARTBEATS = 3


class Newcomer(Protocol):
    """A member that has not been shown the selections of those who were here before."""

    def show(self, frames: bytes) -> None:
        """Have the client sent selections; not if it lags or has left."""


class Audience(Protocol):
    """The members of a channel."""

    def __len__(self) -> int:
        """Return the number of members."""

    def tell_all(self, news: Mapping[str, bytes], *, ended: Collection[str] = ()) -> None:
        """Send all members news by topic; `ended` are the topics that are told of for the last time."""

    def show(self, frames: bytes) -> None:
        """Show all members selections."""


class Attendance:
    """The presence of one channel: an actor's part, touched by that actor's tasks only."""

    def __init__(self, codespace: str, store: Store, document: Document, *, instance: str, seconds: float) -> None:
        self._codespace = codespace
        self._store = store
        # Maps selections to the present version.
        self._document = document
        # Seconds between two tellings.
        self._seconds = seconds
        self._presence = Presence(instance)
        # Whether the other instances are to hear of all clients, and whether they are asked for theirs.
        self._tells_all = True
        self._asks = True
        # Members that have not been shown the selections of those who were here before.
        self._newcomers: list[Newcomer] = []
        # Version that no selection is known to be behind of.
        self._moved_to = document.version
        # Set when there is something to tell.
        self._news = trio.Event()
        self._news.set()

    def join(self, peer: Peer) -> None:
        """A client has come."""
        self._presence.join(peer)
        self._news.set()

    def leave(self, client: str) -> None:
        """A client has left."""
        self._presence.leave(client)
        self._news.set()

    def wrote(self, client: str) -> None:
        """A client has sent an edit: other instances are told who it is before they see that."""
        self._presence.wrote(client)

    def introductions(self, clients: Iterable[str]) -> dict[str, bytes]:
        """Return the frames of those of `clients` of whom members have not been told, and now are."""
        return self.frames(self._presence.untold(clients))

    async def introduce_authors(self) -> None:
        """Tell the other instances of clients that have written and that they do not know."""
        introduction = self._presence.introduction()
        if introduction:
            self._news.set()
            await self._announce(introduction)

    def select(self, client: str, selection: Selection) -> int:
        """Note what a client has selected; return the steps of bringing it to the present version."""
        document = self._document
        length = document.length_at(selection.version)
        if length is None or any(pos > length for pair in selection.ranges for pos in pair):
            return 1
        self._presence.select(client, selection)
        self._news.set()
        return (document.version - selection.version + 1) * (1 + 2 * len(selection.ranges))

    @property
    def language(self) -> str:
        """The language that was chosen for all; empty if none was."""
        language = self._presence.language
        return language.name if language else ""

    def choose(self, client: str, name: str) -> None:
        """A client has chosen a language for all."""
        self._presence.choose(client, name)
        self._news.set()

    def show(self, member: Newcomer) -> None:
        """Have a member shown the selections of all, with the next telling."""
        self._newcomers.append(member)
        self._news.set()

    def advanced(self) -> None:
        """The document has moved on: have selections that are far behind moved."""
        if self._document.version - self._moved_to > _BEHIND_VERSIONS:
            self._news.set()

    def peers(self, client: str) -> list[Peer]:
        """Return everybody but `client`."""
        return [attendee.peer for attendee in self._presence.others(client)]

    def frames(self, topics: Iterable[str]) -> dict[str, bytes]:
        """Return the newest frame of each topic: a client's id, or the language."""
        frames = {}
        for client in topics:
            attendee = self._presence.find(client)
            language = self._presence.language
            if client == _LANGUAGE and language:
                frames[client] = server_frame(PeerLanguageFrame(language.client, language.name))
            elif attendee is None:
                frames[client] = server_frame(GoneFrame(client))
            else:
                peer = attendee.peer
                frames[client] = server_frame(PeerFrame(peer.id, peer.name, peer.mode))
        return frames

    def on_announcement(self, announcement: Announcement, now: float) -> None:
        """Another instance has told of its clients, or this one has heard itself."""
        if not announcement.whole and not self._presence.knows(announcement.instance):
            self.ask()
        if not self._presence.hear(announcement, now):
            return
        self._tells_all |= announcement.asks
        if self._presence.changed or self._tells_all:
            self._news.set()

    def ask(self) -> None:
        """Something was missed: have the other instances tell of all their clients."""
        self._tells_all = self._asks = True
        self._news.set()

    async def tell(self, audience: Audience) -> None:
        """Tell members and the other instances what changes, for as long as the channel lives."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            news = self._presence.take()
            ended = [client for client in news.peers if self._presence.find(client) is None]
            topics = [*news.peers, _LANGUAGE] if news.language else news.peers
            audience.tell_all(self.frames(topics), ended=ended)
            shown_bytes = self._show_selections(audience, news.selections)
            announcement = news.announcement
            if self._tells_all:
                announcement = self._presence.whole(asks=self._asks)
                self._tells_all = self._asks = False
            if announcement:
                await self._announce(announcement)
            await trio.sleep(max(self._seconds, shown_bytes / _BYTES_A_SECOND))

    def _show_selections(self, audience: Audience, changed: Iterable[str]) -> int:
        """Show the selections of `changed` to all, and those of all to newcomers; return how many bytes that takes.

        Each frame is made once for all, so that a member is shown its own too.
        """
        work = Work(_TELLING_STEPS)
        self._move(changed, work)
        newcomers, self._newcomers = self._newcomers, []
        shown = list(changed)
        if newcomers or self._document.version - self._moved_to > _BEHIND_VERSIONS:
            everybody = [attendee.peer.id for attendee in self._presence.others("")]
            self._move(everybody, work)
            if work.left > 0:
                self._moved_to = self._document.version
            if newcomers:
                shown = everybody
        for client in shown:
            attendee = self._presence.find(client)
            if attendee and self._is_behind(attendee.selection):
                # It could not be moved in time, and is shown to all with a later telling.
                self._presence.tell_again(client)
                self._news.set()
        everything = self._frames(shown) if newcomers else b""
        for member in newcomers:
            member.show(everything)
        data = self._frames(changed)
        audience.show(data)
        return len(data) * len(audience)

    def _move(self, clients: Iterable[str], work: Work) -> None:
        """Move the selections of `clients` to the present version, or as far as `work` reaches."""
        behind: dict[int, list[Attendee]] = {}
        for client in clients:
            attendee = self._presence.find(client)
            if attendee and attendee.selection and self._is_behind(attendee.selection):
                behind.setdefault(attendee.selection.version, []).append(attendee)
        for version, attendees in sorted(behind.items()):
            for index in range(0, len(attendees), _POSITIONS // (2 * SELECTION_RANGES)):
                if work.left <= 0:
                    return
                self._move_some(version, attendees[index : index + _POSITIONS // (2 * SELECTION_RANGES)], work)

    def _move_some(self, version: int, attendees: Sequence[Attendee], work: Work) -> None:
        selections = [attendee.selection.ranges for attendee in attendees if attendee.selection]
        positions = sorted({pos for ranges in selections for pair in ranges for pos in pair})
        length = self._document.length_at(version)
        if length is None or (positions and positions[-1] > length):
            for attendee in attendees:
                self._presence.place(attendee.peer.id, None)
            return
        reached, moved = self._document.move(version, positions, work)
        places = dict(zip(positions, moved, strict=True))
        for attendee, ranges in zip(attendees, selections, strict=True):
            placed = tuple((places[anchor], places[head]) for anchor, head in ranges)
            self._presence.place(attendee.peer.id, Selection(reached, placed))

    def _is_behind(self, selection: Selection | None) -> bool:
        return selection is not None and selection.version < self._document.version

    def _frames(self, clients: Iterable[str]) -> bytes:
        """Return the frames of the selections of `clients` that are of the present version."""
        version = self._document.version
        frames = []
        for client in clients:
            attendee = self._presence.find(client)
            if attendee and attendee.selection and attendee.selection.version == version:
                frames.append(server_frame(PeerSelectFrame(client, version, attendee.selection.ranges)))
        return b"".join(frames)

    async def beat(self, seconds: float) -> None:
        """Give the other instances a sign of life, as is due every `seconds`, and drop those that gave none."""
        self._presence.drop_silent(trio.current_time() - _MISSED_HEARTBEATS * seconds)
        if self._presence.changed:
            self._news.set()
        await self._announce(self._presence.heartbeat())

    async def take_leave(self) -> None:
        """Tell the other instances that nobody is here any more."""
        await self._announce(self._presence.whole())

    async def _announce(self, announcement: Announcement) -> None:
        try:
            await self._store.publish(self._codespace, announcement)
        except StoreUnavailable as error:
            # Whoever missed it hears the next one, or asks.
            logger.debug("announcement lost", extra={"codespace": public_name(self._codespace), "error": str(error)})
