"""The Python client, for bots, graders and tests: `async with connect(url) as codespace:`.

The one package of pyshare that exports something, since it is the one that
others program against; what is not named here is the client's own. The page
docs/python-client.md has recipes. Programs without trio use `pyshare.client.sync`.
"""

from pyshare.client.checks import Range
from pyshare.client.codespace import Codespace
from pyshare.client.committed import Update, UpdatesMissed, UpdateStream
from pyshare.client.errors import (
    CodespaceClosed,
    ConnectError,
    ConnectionEnded,
    EditsRefused,
    EditsUnconfirmed,
    TextTooLong,
    TrioNeeded,
    ViewOnly,
)
from pyshare.client.events import (
    ConnectionLost,
    EditRefused,
    Event,
    EventStream,
    Missed,
    ModeChanged,
    PeerJoined,
    PeerLeft,
    PeerSelected,
    Reconnected,
    StorageChanged,
    TextChanged,
)
from pyshare.client.link import ClientLimits, State
from pyshare.client.marks import Mark
from pyshare.client.stay import connect
from pyshare.client.transport import Connection, OpenConnection, open_websocket
from pyshare.core.changeset import Change
from pyshare.core.errors import PyshareError
from pyshare.core.protocol import Limits, Mode, Peer, Storage

__all__ = [
    "Change",
    "ClientLimits",
    "Codespace",
    "CodespaceClosed",
    "ConnectError",
    "Connection",
    "ConnectionEnded",
    "ConnectionLost",
    "EditRefused",
    "EditsRefused",
    "EditsUnconfirmed",
    "Event",
    "EventStream",
    "Limits",
    "Mark",
    "Missed",
    "Mode",
    "ModeChanged",
    "OpenConnection",
    "Peer",
    "PeerJoined",
    "PeerLeft",
    "PeerSelected",
    "PyshareError",
    "Range",
    "Reconnected",
    "State",
    "Storage",
    "StorageChanged",
    "TextChanged",
    "TextTooLong",
    "TrioNeeded",
    "Update",
    "UpdateStream",
    "UpdatesMissed",
    "ViewOnly",
    "connect",
    "open_websocket",
]
