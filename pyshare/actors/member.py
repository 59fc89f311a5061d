"""A member of a channel, and a room, which is the members of one dialect: the protocols behind which a dialect stands.

Nothing here waits but `Room.run`. A channel and its table of members know no more of a dialect than this.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from pyshare.actors.messages import Join, Outlet
from pyshare.core.document import Push, Update
from pyshare.core.errors import Closing, PushRefused
from pyshare.core.protocol import Peer


class Member(Protocol):
    """A client in a channel."""

    @property
    def outlet(self) -> Outlet:
        """The way to the client."""

    @property
    def peer(self) -> Peer:
        """The client as the others see it."""

    @property
    def remote(self) -> str:
        """The address that the client comes from, for the server's operator."""

    @property
    def sends_again(self) -> bool:
        """True if the client keeps its edits until they are committed, and sends them again when it comes back."""

    def receive(self, frame: object) -> None:
        """Take a frame that the client has sent."""

    def tell(self, frames: bytes) -> None:
        """Have the client sent `frames`, in order and without loss, if its dialect has such news."""

    def show(self, frames: bytes) -> None:
        """Have the client sent the selections of others, if its dialect has them and its socket has room."""

    def refuse(self, push: Push, refusal: PushRefused) -> None:
        """Take note that a push of the client can never be committed."""

    def drained(self) -> Collection[str] | None:
        """Send the client what it missed, now that its socket has room.

        Return the topics of which it is owed news, or None if it has not been brought up to date by this.
        """

    def close(self, closing: Closing) -> None:
        """Have the connection closed, and commit nothing more of what the client has made."""

    def leave(self) -> None:
        """Let the client go: it is sent nothing more."""


@dataclass(frozen=True, slots=True)
class RoomStatistics:
    """A room at one moment."""

    members: int
    #: Members that lag, and bytes of frames that are kept for them.
    lagging: int = 0
    backlog_bytes: int = 0
    #: Frames of committed pushes that members were sent.
    frames_sent: int = 0


class Room(Protocol):
    """The members of one dialect in a channel."""

    def __len__(self) -> int:
        """Return the number of members."""

    def statistics(self) -> RoomStatistics:
        """Return the room's state at this moment."""

    def welcome(self, join: Join) -> Member:
        """Let a client in, and bring it to the present version."""

    def publish(self, updates: Sequence[Update]) -> None:
        """Send the members what was committed, which the document has by now."""

    def tell_all(self, news: Mapping[str, bytes], *, ended: Collection[str] = ()) -> None:
        """Send the members news by topic; `ended` are the topics that are told of for the last time."""

    def show(self, frames: bytes) -> None:
        """Show the members the selections of others."""

    def find_left(self, client: str) -> Member | None:
        """Return the member of that id that has left while an edit of it is still to be committed."""

    async def run(self) -> None:
        """Do what is due after a while, for as long as the channel lives."""


#: Has a push of a member committed, or refused.
HavePushed: TypeAlias = Callable[[Push, Member], None]
