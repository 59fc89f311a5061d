"""A member of a channel, and a room, which is the members of one dialect: the protocols behind which a dialect stands.

Nothing here waits but `Room.run`. A channel and its table of members know no more of a dialect than this.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from typing_extensions import override

from pyshare.actors.messages import Join, Outlet, Visitor
from pyshare.core.document import Push, Update
from pyshare.core.errors import Closing, PushRefused
from pyshare.core.protocol import Peer


class Author(Protocol):
    """Somebody whose pushes a channel has committed: a member, or a visitor."""

    @property
    def outlet(self) -> Outlet | Visitor:
        """The way to the author, who pays for the work."""

    @property
    def peer(self) -> Peer:
        """The author's id in the log, name and mode."""

    @property
    def sends_again(self) -> bool:
        """True if the author keeps edits until they are committed, and sends them again after coming back."""

    def refuse(self, push: Push, refusal: PushRefused) -> None:
        """Take note that a push of the author can never be committed."""

    def close(self, closing: Closing) -> None:
        """Have the connection closed, and commit nothing more of what the author has made."""


class Member(Author, Protocol):
    """A client in a channel."""

    @property
    @override
    def outlet(self) -> Outlet:
        """The way to the client."""

    @property
    def remote(self) -> str:
        """The address that the client comes from, for the server's operator."""

    def receive(self, frame: object) -> None:
        """Take a frame that the client has sent."""

    def tell(self, frames: bytes) -> None:
        """Have the client sent `frames`, in order and without loss, if its dialect has such news."""

    def show(self, frames: bytes) -> None:
        """Have the client sent the selections of others, if its dialect has them and its socket has room."""

    def drained(self) -> Collection[str] | None:
        """Send the client what it missed, now that its socket has room.

        Return the topics of which it is owed news, or None if it has not been brought up to date by this.
        """

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

    @property
    def reads_first(self) -> bool:
        """Return whether a client waits for a read of the log, or until it sends: it cannot say what it has."""

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


#: Has a push committed, or refused.
HavePushed: TypeAlias = Callable[[Push, Author], None]
