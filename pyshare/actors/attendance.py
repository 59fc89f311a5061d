"""Who is here, as a channel tells it to its members and to the other instances, at most so often.

The part of a channel that is no text: arrivals, departures, selections. None
of it is kept anywhere, and whoever missed some of it is told what is so now.
"""

import logging
from collections.abc import Iterable

import trio

from pyshare.actors.fanout import FanOut
from pyshare.actors.welcome import server_frame
from pyshare.core.document import Document
from pyshare.core.presence import Announcement, Presence, Selection
from pyshare.core.protocol import GoneFrame, Peer, PeerFrame, PeerSelectFrame
from pyshare.store.interface import Store, StoreUnavailable

logger = logging.getLogger(__name__)

#: Signs of life that an instance may miss before its clients count as gone.
_MISSED_HEARTBEATS = 3


class Attendance:
    """The presence of one channel: an actor's part, touched by that actor's tasks only."""

    def __init__(
        self, codespace: str, store: Store, document: Document, fanout: FanOut, *, instance: str, seconds: float
    ) -> None:
        self._codespace = codespace
        self._store = store
        # Maps selections to the present version.
        self._document = document
        # Tells the members.
        self._fanout = fanout
        # Seconds between two tellings.
        self._seconds = seconds
        self._presence = Presence(instance)
        # Whether the other instances are to hear of all clients, and whether they are asked for theirs.
        self._tells_all = True
        self._asks = True
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

    def select(self, client: str, selection: Selection) -> None:
        """A client has selected something."""
        self._presence.select(client, selection)
        self._news.set()

    def peers(self, client: str) -> list[Peer]:
        """Return everybody but `client`."""
        return [attendee.peer for attendee in self._presence.others(client)]

    def peer_frames(self, clients: Iterable[str]) -> dict[str, bytes]:
        """Return for each of `clients` the frame that says whether it is here."""
        frames = {}
        for client in clients:
            attendee = self._presence.find(client)
            if attendee is None:
                frames[client] = server_frame(GoneFrame(client))
            else:
                peer = attendee.peer
                frames[client] = server_frame(PeerFrame(peer.id, peer.name, peer.mode))
        return frames

    def selection_frames(self, clients: Iterable[str]) -> dict[str, bytes]:
        """Return for each of `clients` the frame of its selection in the present version, where it is known."""
        frames = {}
        for client in clients:
            attendee = self._presence.find(client)
            if attendee is None or attendee.selection is None:
                continue
            ranges = self._document.map_ranges(attendee.selection.version, attendee.selection.ranges)
            if ranges is not None:
                frames[client] = server_frame(PeerSelectFrame(client, self._document.version, ranges))
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

    async def tell(self) -> None:
        """Tell members and the other instances what changes, for as long as the channel lives."""
        while True:
            await self._news.wait()
            self._news = trio.Event()
            news = self._presence.take()
            ended = [client for client in news.peers if self._presence.find(client) is None]
            self._fanout.tell_all(self.peer_frames(news.peers), ended=ended)
            self._fanout.show(self.selection_frames(news.selections))
            announcement = news.announcement
            if self._tells_all:
                announcement = self._presence.whole(asks=self._asks)
                self._tells_all = self._asks = False
            if announcement:
                await self._announce(announcement)
            await trio.sleep(self._seconds)

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
            logger.debug("announcement lost", extra={"codespace": self._codespace, "error": str(error)})
