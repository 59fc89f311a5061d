"""The messages in a channel's mailbox, and the outlets through which a channel answers.

Connections send all of them but `Left` and `Drain`, which the supervisor sends, and know nothing else of a channel.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from pyshare.core.changeset import Change
from pyshare.core.errors import Closing, PushRefused
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


class Visitor(Protocol):
    """The channel's view of somebody who waits for the answer to one edit: one of the first three calls, once.

    All methods return at once and never raise.
    """

    def committed_nowait(self, epoch: str, version: int) -> None:
        """Say that the edit is committed: it made that version."""

    def refuse_nowait(self, refusal: PushRefused) -> None:
        """Say why the edit can never be committed."""

    def close_nowait(self, closing: Closing) -> None:
        """Say why the edit is not committed here and now."""

    def charge(self, steps: int) -> None:
        """Have the visitor pay for work; see `Outlet.charge`."""


@dataclass(frozen=True, slots=True, eq=False)
class Submit:
    """Commit one edit of somebody who is no member, as a push of theirs; the outlet is answered once."""

    outlet: Visitor
    #: An id that nobody else has, which stands in the log, and the mode.
    peer: Peer
    #: Changes in the text of `version`, in order; and text for its end.
    changes: tuple[Change, ...] = ()
    append: str = ""
    #: The text that the changes are for; None if there are none, for whatever text is the newest.
    epoch: str | None = None
    version: int | None = None
    #: Whether the edit is for that version only.
    exact: bool = False


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


ChannelMessage = Join | Submit | Received | Drained | Leave | Left | Drain
