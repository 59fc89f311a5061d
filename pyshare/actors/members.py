"""The members of a channel: one table of all, let in with a welcome, told the news, found by outlet or by id, let go.

The part of a channel that is about its members and not about the text; touched
by that channel's tasks only, and no method waits. A dialect is a room, and one line in `Members.rooms`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from pyshare.actors.attendance import Attendance
from pyshare.actors.channel_limits import ChannelLimits
from pyshare.actors.collab import CollabRoom
from pyshare.actors.counts import Counts, Guest
from pyshare.actors.member import Author, HavePushed, Member, Room, RoomStatistics
from pyshare.actors.messages import DialectName, Join, Outlet, Submit
from pyshare.actors.stock import StockRoom
from pyshare.actors.visits import Visits
from pyshare.actors.welcome import Standing
from pyshare.core.document import Document, Push, Update
from pyshare.core.errors import CloseCode, Closing, PushRefused
from pyshare.core.framing import server_frame
from pyshare.core.protocol import StatusFrame, Storage
from pyshare.core.shares import Share

#: The topic under which members hear whether edits are being committed; no client id is that short.
_STORAGE = "storage"


class Members:
    """The members of one channel."""

    def __init__(
        self,
        document: Document,
        attendance: Attendance,
        standing: Standing,
        limits: ChannelLimits,
        share: Share,
        *,
        counts: Counts,
        push: HavePushed,
    ) -> None:
        self._attendance = attendance
        #: The members of each dialect.
        self.rooms: Mapping[DialectName, Room] = {
            "collab": CollabRoom(document, attendance, standing, limits.fanout, share, push=push, counts=counts),
            "stock": StockRoom(document, limits.stock, push=push, select=attendance.select),
        }
        # The visits of those who are no members.
        self._visits = Visits(document, standing.epoch, push=push)
        # All members, by the ways to them; and by their ids.
        self._by_outlet: dict[Outlet, Member] = {}
        self._by_id: dict[str, Member] = {}
        # Members at one time.
        self._most_clients = limits.clients
        # The channel's counts; those about members are counted here.
        self._counts = counts
        # Whether edits are being committed, as the members know it.
        self._status = StatusFrame("ok")

    @property
    def storage(self) -> Storage:
        """Whether edits are being committed, as the members know it."""
        return self._status.storage

    @property
    def guests(self) -> Collection[Guest]:
        """The members at this moment, as the operator is shown them."""
        return tuple(Guest(member.peer, member.remote) for member in self._by_outlet.values())

    def __len__(self) -> int:
        return len(self._by_outlet)

    def statistics(self) -> Mapping[DialectName, RoomStatistics]:
        """Return the state of each room at this moment."""
        return {dialect: room.statistics() for dialect, room in self.rooms.items()}

    def find(self, outlet: Outlet) -> Member | None:
        """Return the member behind `outlet`."""
        return self._by_outlet.get(outlet)

    def admit(self, join: Join) -> bool:
        """Let somebody in, in place of an older connection of the same session; return False if there is no room."""
        client = join.peer.id
        replaced = self._by_id.get(client)
        if replaced is None and len(self) >= self._most_clients:
            reason = f"this codespace has its {self._most_clients} clients; try again later"
            join.outlet.close_nowait(Closing(CloseCode.TOO_MANY, reason))
            return False
        if replaced is not None:
            del self._by_outlet[replaced.outlet]
            replaced.leave()
            replaced.outlet.close_nowait(Closing(CloseCode.DONE, "this session has connected again"))
        member = self.rooms[join.dialect].welcome(join)
        self._by_outlet[join.outlet] = self._by_id[client] = member
        if self.storage == "down":
            member.tell(server_frame(self._status))
        self._attendance.join(join.peer)
        return True

    def submit(self, submit: Submit) -> None:
        """Have the edit of a visitor committed, or say why not; while edits are not being committed, none is taken."""
        if self.storage == "down":
            reason = self._status.reason or "edits are not being saved"
            submit.outlet.close_nowait(Closing(CloseCode.TRY_LATER, f"{reason}; try again later"))
        else:
            self._visits.take(submit)

    def leave(self, outlet: Outlet) -> None:
        """Let a member go, if it is one."""
        member = self._by_outlet.pop(outlet, None)
        if member is not None:
            del self._by_id[member.peer.id]
            member.leave()
            self._attendance.leave(member.peer.id)

    def close_all(self, closing: Closing) -> None:
        """Have all connections closed, and all visits ended."""
        self._visits.close_all(closing)
        for outlet in self._by_outlet:
            outlet.close_nowait(closing)

    def publish(self, updates: Sequence[Update]) -> None:
        """Send all members what was committed, which the document has by now, and before that who wrote it."""
        self.introduce(update.sender for update in updates)
        for room in self.rooms.values():
            room.publish(updates)
        self._visits.publish(updates)

    def introduce(self, clients: Iterable[str]) -> None:
        """Tell all members at once of those of `clients` of whom they have not been told."""
        frames = self._attendance.introductions(clients)
        if frames:
            self.tell_all(frames)

    def tell_all(self, news: Mapping[str, bytes], *, ended: Collection[str] = ()) -> None:
        """Send all members news by topic; `ended` are the topics that are told of for the last time."""
        for room in self.rooms.values():
            room.tell_all(news, ended=ended)

    def show(self, frames: bytes) -> None:
        """Show all members the selections of others."""
        for room in self.rooms.values():
            room.show(frames)

    def catch_up(self, outlet: Outlet) -> None:
        """Send a member whose outlet has room again what it has missed."""
        member = self.find(outlet)
        owed = member.drained() if member is not None else None
        if member is None or owed is None:
            return
        self._counts.resyncs["lag"] += 1
        self._attendance.show(member)
        if owed:
            frames = self._news([topic for topic in owed if topic != member.peer.id])
            member.tell(b"".join(frames.values()))

    def refuse(self, push: Push, refusal: PushRefused) -> None:
        """Tell the author of `push`, if it is here, that the push can never be committed."""
        self._counts.refused[refusal.code] += 1
        author = self._find_sender(push.sender)
        if author is not None:
            author.refuse(push, refusal)

    def close(self, client: str, closing: Closing) -> None:
        """Close the author of that id, if it is here, and commit nothing more of what it has made."""
        author = self._find_sender(client)
        if author is not None:
            author.close(closing)

    def tell_storage(self, status: StatusFrame) -> None:
        """Tell all members whether edits are being committed."""
        self._status = status
        self.tell_all(self._news([_STORAGE]))

    def _find_sender(self, client: str) -> Author | None:
        """Return the member of that id, the one that has left and whose edits are to be committed, or the visitor."""
        if client in self._by_id:
            return self._by_id[client]
        left = (room.find_left(client) for room in self.rooms.values())
        return next((member for member in left if member is not None), None) or self._visits.find(client)

    def _news(self, topics: Collection[str]) -> dict[str, bytes]:
        """Return the newest frame of each topic: the storage, or one of the attendance."""
        frames = self._attendance.frames(topic for topic in topics if topic != _STORAGE)
        if _STORAGE in topics:
            frames[_STORAGE] = server_frame(self._status)
        return frames
