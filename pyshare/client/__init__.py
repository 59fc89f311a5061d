"""The Python client, for bots, graders and tests: `async with connect(url) as codespace:`.

The one package of pyshare that exports something, since it is the one that
others program against; what is not named here is the client's own.
"""

from pyshare.client.codespace import Codespace
from pyshare.client.errors import (
    CodespaceClosed,
    ConnectError,
    EditsRefused,
    EditsUnconfirmed,
    TextTooLong,
    ViewOnly,
)
from pyshare.client.stay import connect

__all__ = [
    "Codespace",
    "CodespaceClosed",
    "ConnectError",
    "EditsRefused",
    "EditsUnconfirmed",
    "TextTooLong",
    "ViewOnly",
    "connect",
]
