"""The limits of a channel: for its members, its parts, and its patience."""

from dataclasses import dataclass, field

from pyshare.actors.fanout import FanOutLimits
from pyshare.actors.log import LogLimits
from pyshare.actors.stock import StockLimits
from pyshare.core.document import DocumentLimits
from pyshare.core.protocol import Limits


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """Limits that a channel holds its members to, and times that it waits."""

    #: What members are told of the limits that concern them.
    told: Limits
    document: DocumentLimits = field(default_factory=DocumentLimits)
    fanout: FanOutLimits = field(default_factory=FanOutLimits)
    log: LogLimits = field(default_factory=LogLimits)
    stock: StockLimits = field(default_factory=StockLimits)
    #: Members at one time.
    clients: int = 1000
    #: Bytes of pushes that wait to be committed; whoever pushes above it is told to come back later.
    pending_bytes: int = 16_777_216
    #: Seconds between two tellings of selections and arrivals.
    presence_seconds: float = 0.1
    #: Seconds between two signs of life to the store and the other instances; three missed: gone.
    heartbeat_seconds: float = 15
    #: Seconds that a retired channel has for what is still to be stored.
    finish_seconds: float = 10
