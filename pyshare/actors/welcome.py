"""The first bytes that a client is sent: its welcome, and the log from where it stands.

A client that comes back may still have a push of its own on its way. Its
editor maps that push over all the updates of one frame together, the server
over those of each push in turn, and the two can differ (see
`pyshare.core.document`). So where it may matter, the welcome holds no updates
and they follow, each push in a frame of its own.
"""

from collections.abc import Iterable

from pyshare.core.document import Document, Update, by_push
from pyshare.core.protocol import (
    Limits,
    Peer,
    ServerFrame,
    Welcome,
    committed,
    encode,
    push_frames,
    text_frame,
)


def server_frame(frame: ServerFrame) -> bytes:
    """Return `frame` as the bytes of a WebSocket frame."""
    return text_frame(encode(frame))


def at_once(updates: list[Update], client: str, *, settled: bool) -> bool:
    """Whether `client` may be given `updates` in one frame.

    It may if no push of its own can have been rebased over two pushes of
    others of which it has not heard: one that stands in `updates` behind them
    or, unless it is `settled`, one that some instance is committing.
    """
    others = 0
    for push in by_push(updates):
        if push[0].sender != client:
            others += 1
        elif others > 1:
            return False
    return settled or others <= 1


def welcome(
    peer: Peer,
    document: Document,
    *,
    epoch: str,
    peers: Iterable[Peer],
    limits: Limits,
    known: int | None,
    settled: bool,
) -> bytes:
    """Return the frames that bring a client to the document's version.

    `known` is the version that it has of this epoch's text, if any; `settled`
    says that no push of its session is under way anywhere.
    """
    updates = None if known is None else document.since(known)
    version = document.version
    acked = document.last_seq(peer.id)
    following = b""
    if updates and known is not None and not at_once(updates, peer.id, settled=settled):
        version = known
        own = [update.seq for update in updates if update.sender == peer.id]
        acked = min(own) - 1 if own else acked
        following = b"".join(frame for _, frame in push_frames(known, updates))
        updates = []
    body = Welcome(
        id=peer.id,
        mode=peer.mode,
        epoch=epoch,
        version=version,
        acked=acked,
        peers=tuple(peers),
        limits=limits,
        text=document.text if updates is None else None,
        updates=None if updates is None else tuple(map(committed, updates)),
    )
    return server_frame(body) + following
