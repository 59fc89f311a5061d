"""The others in a codespace, and the positions that move with the text: all selections, and marks."""

from collections.abc import Callable, Mapping, Sequence
from weakref import WeakSet

from pyshare.client.checks import Range
from pyshare.client.events import Event, PeerJoined, PeerLeft
from pyshare.client.marks import Anchor
from pyshare.core.changeset import ChangeSet
from pyshare.core.protocol import Peer


class Presence:
    """Peers, selections and marks; positions count UTF-16 units."""

    def __init__(self) -> None:
        # Who else is here, by id.
        self.peers: Mapping[str, Peer] = {}
        # What the others have selected, by id; and what this client has.
        self.selections: dict[str, tuple[Range, ...]] = {}
        self.selected: tuple[Range, ...] = ()
        # Anchors of the marks that somebody still holds.
        self.anchors: WeakSet[Anchor] = WeakSet()

    def tell(self, peers: Mapping[str, Peer]) -> list[Event]:
        """Have `peers` be those who are here; return who has left, and who has come or changed."""
        events: list[Event] = [PeerLeft(client) for client in self.peers if client not in peers]
        events += [PeerJoined(peer) for client, peer in peers.items() if self.peers.get(client) != peer]
        self.peers = peers
        self.selections = {client: each for client, each in self.selections.items() if client in peers}
        return events

    def move(self, changes: ChangeSet) -> None:
        """Move all selections and marks with the text."""
        for anchor in self.anchors:
            anchor.move(changes)
        self.selected = mapped(self.selected, changes.map_pos)
        self.selections = {client: mapped(each, changes.map_pos) for client, each in self.selections.items()}


def mapped(ranges: Sequence[Range], map_pos: Callable[[int], int]) -> tuple[Range, ...]:
    """Return ranges with each end where `map_pos` has it."""
    return tuple((map_pos(anchor), map_pos(head)) for anchor, head in ranges)
