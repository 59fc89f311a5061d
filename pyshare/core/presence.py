"""The people of a codespace, on this instance and on others: their selections, and the language that they have chosen.

A `Presence` gathers what has changed until it is taken, so that its owner
decides how often anybody is told. Each selection is of a version; its owner
moves it to newer ones with `place`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pyshare.core.protocol import MAX_INTEGER, LanguageName, Peer, Range


@dataclass(frozen=True, slots=True)
class Selection:
    """Cursors and selections, as (anchor, head) in the text of `version`."""

    version: int
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class Attendee:
    """Somebody who is here, with what they have selected, if it is known."""

    peer: Peer
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class Language:
    """The language that somebody has chosen for all."""

    name: LanguageName
    #: Number of this choice; of two with one number, the one of the greater client holds, on every instance.
    at: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    client: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """What one instance tells the others of its own clients of a codespace."""

    #: The instance that speaks; any string that no other has.
    instance: str
    #: Clients that have come or changed; all of them if `whole`.
    here: tuple[Attendee, ...] = ()
    #: Ids of clients that have left.
    gone: tuple[str, ...] = ()
    #: Whether `here` is everybody, so that whoever is not in it is gone.
    whole: bool = False
    #: Whether the others are asked to announce theirs, whole.
    asks: bool = False
    #: The newest choice of a language that the instance knows of, if any.
    language: Language | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What has changed since it was last taken."""

    #: Ids of those who have come or left.
    peers: tuple[str, ...]
    #: Ids of those whose selection has changed.
    selections: tuple[str, ...]
    #: What the other instances have to hear, if anything.
    announcement: Announcement | None
    #: The language, if another is chosen.
    language: Language | None = None


class Presence:
    """Who is in one codespace, as one instance knows it."""

    def __init__(self, instance: str) -> None:
        # Name of this instance among the others.
        self._instance = instance
        # Clients of this instance, by id.
        self._here: dict[str, Attendee] = {}
        # Clients of other instances, by instance and id.
        self._elsewhere: dict[str, dict[str, Attendee]] = {}
        # When each other instance was last heard, by the owner's clock.
        self._heard: dict[str, float] = {}
        # Who has come, left or selected since it was last taken; dicts for their order.
        self._changed_peers: dict[str, None] = {}
        self._changed_selections: dict[str, None] = {}
        # Clients of this instance of whom the others must hear.
        self._unannounced: dict[str, None] = {}
        # Clients of this instance that have written before the others heard of them, as they were then.
        self._authors: dict[str, Attendee] = {}
        # The newest choice of a language; whether members must hear of it, and whether the other instances must.
        self._language: Language | None = None
        self._tells_language = False
        self._announces_language = False

    @property
    def language(self) -> Language | None:
        """The newest choice of a language, if there was one."""
        return self._language

    def join(self, peer: Peer) -> None:
        """Put a client of this instance in, in place of one with the same id."""
        self._here[peer.id] = Attendee(peer)
        self._note_peer(peer.id)

    def leave(self, client: str) -> None:
        """Take a client of this instance out."""
        if self._here.pop(client, None):
            self._note_peer(client)

    def select(self, client: str, selection: Selection) -> None:
        """Note what a client of this instance has selected."""
        attendee = self._here.get(client)
        if attendee:
            self._here[client] = Attendee(attendee.peer, selection)
            self._changed_selections[client] = None
            self._unannounced[client] = None

    def wrote(self, client: str) -> None:
        """Note that a client of this instance has written: the others hear of it before they see that."""
        if client in self._unannounced and client in self._here:
            self._authors[client] = self._here[client]

    def untold(self, clients: Iterable[str]) -> tuple[str, ...]:
        """Return those of `clients` who are here and of whom members have not been told; they count as told."""
        untold = [client for client in clients if client in self._changed_peers and self.find(client)]
        for client in untold:
            self._changed_peers.pop(client, None)
        return tuple(dict.fromkeys(untold))

    def choose(self, client: str, name: str) -> None:
        """Note that a client of this instance has chosen a language; to choose what holds is no news."""
        at = self._language.at if self._language else 0
        if self._language is None or self._language.name != name:
            self._language = Language(name, at + 1, client)
            self._tells_language = self._announces_language = True

    def place(self, client: str, selection: Selection | None) -> None:
        """Have the same selection of a client in another version, or none if it is lost; that is not news."""
        for clients in (self._here, *self._elsewhere.values()):
            attendee = clients.get(client)
            if attendee:
                clients[client] = Attendee(attendee.peer, selection)
                return

    def tell_again(self, client: str) -> None:
        """Have the selection of a client told the next time, too."""
        self._changed_selections[client] = None

    def find(self, client: str) -> Attendee | None:
        """Return the client of that id, wherever it is connected; None if nowhere."""
        attendee = self._here.get(client)
        if attendee is None:
            for others in self._elsewhere.values():
                attendee = attendee or others.get(client)
        return attendee

    def others(self, client: str) -> list[Attendee]:
        """Return everybody but `client`, those of this instance first, each once."""
        everybody = dict(self._here)
        for others in self._elsewhere.values():
            for each, attendee in others.items():
                everybody.setdefault(each, attendee)
        everybody.pop(client, None)
        return list(everybody.values())

    def hear(self, announcement: Announcement, now: float) -> bool:
        """Note what an instance announced; return False if it was this one, which knows.

        `now` is by any clock, the one by which `drop_silent` is called.
        """
        instance = announcement.instance
        if instance == self._instance:
            return False
        self._heard[instance] = now
        if announcement.language:
            self._hear_language(announcement.language)
        known = self._elsewhere.setdefault(instance, {})
        gone = set(announcement.gone)
        if announcement.whole:
            gone |= known.keys() - {attendee.peer.id for attendee in announcement.here}
        for client in sorted(gone):
            if known.pop(client, None):
                self._changed_peers[client] = None
        for attendee in announcement.here:
            client = attendee.peer.id
            before = known.get(client)
            known[client] = attendee
            if before is None or before.peer != attendee.peer:
                self._changed_peers[client] = None
            if attendee.selection and (before is None or before.selection != attendee.selection):
                self._changed_selections[client] = None
        return True

    def _hear_language(self, heard: Language) -> None:
        known = self._language
        if known is None or (known.at, known.client) < (heard.at, heard.client):
            self._language = heard
            self._tells_language = True

    def knows(self, instance: str) -> bool:
        """Whether `instance` has been heard and not been dropped since, or is this one."""
        return instance == self._instance or instance in self._heard

    def drop_silent(self, before: float) -> None:
        """Forget the clients of instances that were last heard earlier than `before`."""
        for instance in [each for each, heard in self._heard.items() if heard < before]:
            del self._heard[instance]
            for client in self._elsewhere.pop(instance):
                self._changed_peers[client] = None

    @property
    def changed(self) -> bool:
        """Whether there is news to take."""
        return bool(self._changed_peers or self._changed_selections or self._unannounced or self._tells_language)

    def take(self) -> News:
        """Return what has changed since the last call."""
        language = self._language if self._tells_language else None
        news = News(tuple(self._changed_peers), tuple(self._changed_selections), self._announcement(), language)
        self._tells_language = self._announces_language = False
        self._changed_peers.clear()
        self._changed_selections.clear()
        self._unannounced.clear()
        return news

    def introduction(self) -> Announcement | None:
        """Return an announcement of clients that have written and that the others do not know; None if there are none.

        One that has left since is announced as it was, and that it has left the next time.
        """
        if not self._authors:
            return None
        here = tuple(self._here.get(client, author) for client, author in self._authors.items())
        for client in self._authors:
            self._unannounced.pop(client, None)
            if client not in self._here:
                self._unannounced[client] = None
        self._authors.clear()
        return Announcement(self._instance, here, language=self._language)

    def heartbeat(self) -> Announcement:
        """Return an announcement that says that this instance lives, and which language it knows of."""
        return Announcement(self._instance, language=self._language)

    def whole(self, *, asks: bool = False) -> Announcement:
        """Return an announcement of all clients of this instance."""
        return Announcement(self._instance, tuple(self._here.values()), whole=True, asks=asks, language=self._language)

    def _announcement(self) -> Announcement | None:
        if not self._unannounced and not self._announces_language:
            return None
        here = tuple(self._here[client] for client in self._unannounced if client in self._here)
        gone = tuple(client for client in self._unannounced if client not in self._here)
        return Announcement(self._instance, here, gone, language=self._language)

    def _note_peer(self, client: str) -> None:
        self._changed_peers[client] = None
        self._unannounced[client] = None
        self._changed_selections.pop(client, None)
