"""What keeps a replica connected: one connection after the other, with pauses between, until it is of no use.

A `Link` is one task. It hands the server's frames to the replica and the
replica's to the server, and has its listener told of what that changes.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

import trio

from pyshare.client.address import joining_url
from pyshare.client.errors import CodespaceClosed, ConnectionEnded
from pyshare.client.events import Event, Reconnected
from pyshare.client.replica import OutOfStep, Replica
from pyshare.client.transport import PING_SECONDS, SILENCE_SECONDS, Connection, OpenConnection
from pyshare.core.errors import CloseCode, ConnectionRefused
from pyshare.core.protocol import ClientFrame, Limits, ServerFrame, Welcome, encode, parse_server_frame

logger = logging.getLogger(__name__)

#: Bytes of a message that is taken before any welcome has told how long a text can be.
FIRST_MESSAGE_BYTES = 268_435_456
#: Bytes of one UTF-16 unit in JSON, at most; and of what else is in a frame with a text or a history.
_UNIT_BYTES = 6
_SLACK_BYTES = 67_108_864


class State(Enum):
    """What a client does about its connection."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    #: Given up, or left; for good.
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """How patient a client is, and what it keeps."""

    #: Seconds from dialling to the welcome.
    connect_seconds: float = 15
    #: The pause before the client connects again: the first one, and the longest. Each is twice the one before,
    #: less up to a half by chance, so that many clients do not come back in one moment.
    first_pause_seconds: float = 0.25
    longest_pause_seconds: float = 10
    #: Seconds that a connection has to last for the next pause to be a first one.
    settled_seconds: float = 1
    #: Seconds that saying goodbye may take.
    close_seconds: float = 1
    #: Seconds between a pong of the server and the next ping to it.
    ping_seconds: float = PING_SECONDS
    #: Seconds without a byte from the server after which the connection counts as lost.
    silence_seconds: float = SILENCE_SECONDS
    #: Events that wait to be read, of each stream.
    events: int = 1024


class Listener:
    """Whom a link tells."""

    def on_change(self, events: Sequence[Event]) -> None:
        """The replica or the link's state may have changed; `events` are what happened."""
        raise NotImplementedError
