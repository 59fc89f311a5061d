"""The messages in a channel's mailbox, and the outlet through which a channel answers a client.

Connections send all of them but `Left` and `Drain`, which the supervisor sends, and know nothing else of a channel.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from pyshare.core.errors import Closing
from pyshare.core.protocol import Peer

#: The dialects that clients speak; see `pyshare.actors.member`.
DialectName: TypeAlias = Literal["collab", "stock"]


class Outlet(Protocol):
    """The channel's view of a client's socket. All methods return at once and never raise."""

    def write_nowait(self, data: bytes) -> bool:
        """Take `data`, one or more whole frames, to be sent in order; or return False and take nothing of it.

        Data that is taken and cannot be sent at once is kept as it is, not copied: others have the same bytes.

        Whoever was told False is owed a `Drained` in the channel's mailbox as
        soon as there is room. What is written after `close_nowait`, or to a
        dead socket, is taken and dropped.
        """

    def close_nowait(self, closing: Closing) -> None:
        """Have the connection closed after what was taken; the first call counts."""

    def charge(self, steps: int) -> None:
        """Have the client pay for work that was done for it (see `pyshare.core.work`).

        The connection pays from a bucket that fills with time. While it is in debt, nothing more is read from the
        client.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Join:
    """Let this client in; it is sent its welcome, or its outlet is closed with the reason why not."""

    outlet: Outlet
    peer: Peer
    #: What it has, if it comes back.
    epoch: str | None = None
    version: int | None = None
    #: The mark of the update that made that version, if the client knows it.
    tip: str | None = None
    #: The dialect that it speaks.
    dialect: DialectName = "collab"
    #: Whether it takes long messages in pieces (see `pyshare.core.framing`).
    pieces: bool = False
    #: The address that it comes from, for the server's operator.
    remote: str = ""


@dataclass(frozen=True, slots=True)
class Received:
    """A member sent a frame, of the kinds that its dialect has."""

    outlet: Outlet
    frame: object


@dataclass(frozen=True, slots=True)
class Drained:
    """A member's socket has room again, after it had refused a frame."""

    outlet: Outlet


@dataclass(frozen=True, slots=True)
class Leave:
    """A member's connection has ended."""

    outlet: Outlet


@dataclass(frozen=True, slots=True)
class Left:
    """The connections of these members have ended: leaves that came together, or while the mailbox was full."""

    leaves: tuple[Leave, ...]


@dataclass(frozen=True, slots=True)
class Drain:
    """The server stops: commit what is pending, take no more, close all members with 1012."""


ChannelMessage = Join | Received | Drained | Leave | Left | Drain
