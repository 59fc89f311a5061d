"""The first bytes that a client is sent: its welcome, and the log from where it stands.

A client that comes back may still have a push of its own on its way. Its
editor maps that push over all the updates of one frame together, the server
over those of each push in turn, and the two can differ (see
`pyshare.core.document`). So where it may matter, the welcome holds no updates
and they follow, each push in a frame of its own.
"""

from collections.abc import Iterable, Sequence
from functools import reduce

from pyshare.core.changeset import ChangeSet
from pyshare.core.document import Document, Push, Update, by_push, rebase
from pyshare.core.protocol import Limits, Peer, ServerFrame, Welcome, committed, encode, push_frames, text_frame


def server_frame(frame: ServerFrame) -> bytes:
    """Return `frame` as the bytes of a WebSocket frame."""
    return text_frame(encode(frame))


def at_once(
    updates: Sequence[Update], client: str, *, document: Document, settled: bool, pushed: Push | None = None
) -> bool:
    """Whether `client` may be given `updates`, the last ones of `document`, in one frame.

    It may if no push of its own can have been rebased over two pushes of
    others of which it has not heard: one that stands in `updates` behind them
    or, unless it is `settled`, one that some instance is committing. It may
    all the same if `pushed`, the last push of its own as it was received,
    shows that the editor comes to what was committed.
    """
    others = 0
    passed: list[Update] = []
    for push in by_push(updates):
        if push[0].sender != client:
            others += 1
        elif others > 1:
            return settled and pushed is not None and _comes_to(push, pushed, passed, document)
        passed += push
    return settled or others <= 1


def _comes_to(committed: Sequence[Update], pushed: Push, over: Sequence[Update], document: Document) -> bool:
    """Whether an editor that maps `pushed` over all of `over` together comes to what was `committed`.

    `over` are the updates that the editor is to be given before its own; those
    between the push and them it has had already, push by push.
    """
    since = document.since(pushed.version)
    first = committed[0]
    if since is None or first.seq != pushed.seq or any(update.sender == pushed.sender for update in over):
        return False
    had = next((index for index, update in enumerate(since) if update is first), 0) - len(over)
    if had < 0:
        return False
    held = rebase(pushed.updates, since[:had], pushed.sender)
    together = Update("", 0, reduce(ChangeSet.compose, (update.changes for update in over)))
    return rebase(held, [together], pushed.sender) == [update.changes for update in committed]


def welcome(
    peer: Peer,
    document: Document,
    *,
    epoch: str,
    peers: Iterable[Peer],
    limits: Limits,
    known: int | None,
    settled: bool,
    pushed: Push | None,
) -> bytes:
    """Return the frames that bring a client to the document's version.

    `known` is the version that it has of this epoch's text, if any; `settled`
    says that no push of its session is under way anywhere, and `pushed` is its
    last one that was committed, if that is remembered.
    """
    updates = None if known is None else document.since(known)
    version = document.version
    acked = document.last_seq(peer.id)
    following = b""
    may = not updates or at_once(updates, peer.id, document=document, settled=settled, pushed=pushed)
    if updates and known is not None and not may:
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
