"""The first bytes of a connection: they tell which address it comes from, and what it is."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import trio

from pyshare.net.proxy_header import HEADER_BYTES

_Found = TypeVar("_Found")


async def read_beginning(
    client: trio.socket.SocketType, received: bytes, decide: Callable[[bytes], _Found | None]
) -> tuple[_Found | None, bytes]:
    """Read until `decide` finds out from all that was received; return what it found, and all that was received.

    What was found is None if the client ended, or its connection broke, before.
    `decide` has to find out within some kilobytes.
    """
    while (found := decide(received)) is None:
        try:
            data = await client.recv(HEADER_BYTES)
        except OSError:
            data = b""
        if not data:
            break
        received += data
    return found, received


def begins_with(received: bytes, beginnings: Sequence[bytes]) -> bool | None:
    """Return whether what was received begins with one of some beginnings; None if that takes more bytes to tell."""
    if received.startswith(tuple(beginnings)):
        return True
    return None if any(each.startswith(received) for each in beginnings) else False
