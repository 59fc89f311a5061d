"""Dialects: the clients of each subprotocol, how they write, and how they are told that a push cannot be read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyshare.actors.messages import DialectName
from pyshare.core.arrival import Arrival, parse_arrival
from pyshare.core.framing import server_frame
from pyshare.core.protocol import SUBPROTOCOL, RefusedFrame, parse_client_frame
from pyshare.core.push_limits import UnreadablePush
from pyshare.core.sharepython import parse_stock_frame


@dataclass(frozen=True, slots=True)
class Dialect:
    """The functions with which the clients of one subprotocol are understood and answered."""

    parse_arrival: Callable[[str], Arrival]
    parse_frame: Callable[[str], object]
    refused_frame: Callable[[UnreadablePush], bytes]
    #: Its name in the channel.
    name: DialectName


def _refused_frame(push: UnreadablePush) -> bytes:
    return server_frame(RefusedFrame(push.seq, push.code, push.reason))


def _stock_arrival(query: str) -> Arrival:
    """Return what a stock editor says of itself, which is nothing."""
    return Arrival()


#: The dialects by the subprotocol that is offered for them; None: by clients that offer none.
DIALECTS: Mapping[str | None, Dialect] = {
    SUBPROTOCOL: Dialect(parse_arrival, parse_client_frame, _refused_frame, "collab"),
    None: Dialect(_stock_arrival, parse_stock_frame, _refused_frame, "stock"),
}
