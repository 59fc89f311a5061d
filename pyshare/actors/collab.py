"""The members that speak pyshare.v1: their frames, their welcome, and the answers to their pushes."""

from collections.abc import Collection
from dataclasses import dataclass, field

import trio

from pyshare.actors.attendance import Attendance
from pyshare.actors.counts import Counts
from pyshare.actors.fanout import FanOut, FanOutLimits, Listener
from pyshare.actors.member import HavePushed, RoomStatistics
from pyshare.actors.messages import Join
from pyshare.actors.welcome import EncodedText, Standing, welcome
from pyshare.core.document import Document, Push
from pyshare.core.errors import Closing, PushRefused
from pyshare.core.framing import server_frame
from pyshare.core.presence import Selection
from pyshare.core.protocol import LanguageFrame, PushFrame, RefusedFrame, SelectFrame
from pyshare.core.shares import Share
from pyshare.core.work import BYTES_A_STEP


@dataclass(slots=True, eq=False)
class CollabMember(Listener):
    """A client that speaks pyshare.v1."""

    room: "CollabRoom" = field(kw_only=True)
    #: The address that it comes from.
    remote: str = ""

    @property
    def sends_again(self) -> bool:
        """True: the editor keeps what is not committed."""
        return True

    def receive(self, frame: object) -> None:
        """Take a frame that the client has sent."""
        attendance, client = self.room.attendance, self.peer.id
        match frame:
            case PushFrame(seq, version, updates):
                self.room.push(Push(client, seq, version, updates), self)
            case SelectFrame(version, ranges):
                self.outlet.charge(attendance.select(client, Selection(version, ranges)))
            case LanguageFrame(name):
                if self.peer.mode == "edit":
                    attendance.choose(client, name)
            case _:
                raise TypeError(f"{frame!r} is not a frame of this dialect")

    def tell(self, frames: bytes) -> None:
        """Have the client sent `frames`, later if it lags."""
        self.room.answer(self, frames)

    def show(self, frames: bytes) -> None:
        """Have the client sent the selections of others, unless it lags."""
        self.room.show_to(self, frames)

    def refuse(self, push: Push, refusal: PushRefused) -> None:
        """Tell the client that its push can never be committed."""
        self.tell(server_frame(RefusedFrame(push.seq, refusal.code, refusal.reason)))

    def drained(self) -> Collection[str] | None:
        """Send the client what it missed; return the topics of which it is owed news, None if it lags still."""
        return self.room.drained(self)

    def close(self, closing: Closing) -> None:
        """Have the connection closed."""
        self.outlet.close_nowait(closing)

    def leave(self) -> None:
        """Let the client go."""
        self.room.leave(self)


class CollabRoom(FanOut):
    """The members of one channel that speak pyshare.v1."""

    #: A client of pyshare.v1 says which version it has.
    reads_first = False

    def __init__(
        self,
        document: Document,
        attendance: Attendance,
        standing: Standing,
        limits: FanOutLimits,
        share: Share,
        *,
        push: HavePushed,
        counts: Counts,
    ) -> None:
        super().__init__(document.version, limits, share, trim_history=document.trim)
        # The text that members have, or get; read here only.
        self._document = document
        self._text = EncodedText(document)
        #: Presence: the members select, and choose a language for all.
        self.attendance = attendance
        # The codespace as members are told of it.
        self._standing = standing
        #: Has the pushes of members committed.
        self.push = push
        # The channel's counts; welcomes that bring the whole text are counted here.
        self._counts = counts

    def statistics(self) -> RoomStatistics:
        """Return the room's state at this moment."""
        return RoomStatistics(len(self), self.lagging, self.backlog_bytes, self.frames_sent)

    def welcome(self, join: Join) -> CollabMember:
        """Let a client in: it is sent its welcome, and the log from where it stands."""
        document, attendance = self._document, self.attendance
        peers = attendance.peers(join.peer.id)
        known = join.version if join.epoch == self._standing.epoch else None
        if known is not None and join.tip is not None and document.tip_at(known) not in {None, join.tip}:
            # The store came back with an older log, which has grown another way: to this version, and another text.
            known = None
        if join.version is not None and (known is None or document.since(known) is None):
            self._counts.resyncs["text"] += 1
        first = welcome(
            join.peer,
            document,
            self._standing,
            peers=peers,
            known=known,
            text=self._text,
            language=attendance.language,
            pieces=join.pieces,
        )
        join.outlet.charge(len(peers) + len(first) // BYTES_A_STEP)
        member = CollabMember(join.outlet, join.peer, join.pieces, room=self, remote=join.remote)
        self.join(member, first, told=[peer.id for peer in peers])
        attendance.show(member)
        return member

    def find_left(self, client: str) -> CollabMember | None:
        """Return None: a client that has left sends its edits again."""
        return None

    async def run(self) -> None:
        """Do nothing: nothing is due after a while."""
        await trio.lowlevel.checkpoint()
