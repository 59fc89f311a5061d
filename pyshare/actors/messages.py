"""The messages in a channel's mailbox.

Connections send all of them but `Left` and `Drain`, which the supervisor sends, and know nothing else of a channel.
"""

from dataclasses import dataclass

from pyshare.actors.fanout import Outlet
from pyshare.core.protocol import LanguageFrame, Peer, PushFrame, SelectFrame
from pyshare.core.sharepython import StockFrame


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
    #: Whether it is a stock editor, which speaks the sharepython dialect.
    stock: bool = False
    #: Whether it takes long messages in pieces (see `pyshare.core.framing`).
    pieces: bool = False
    #: The address that it comes from, for the server's operator.
    remote: str = ""


@dataclass(frozen=True, slots=True)
class Received:
    """A member sent a frame."""

    outlet: Outlet
    frame: PushFrame | SelectFrame | LanguageFrame | StockFrame


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
