"""The first bytes that a client is sent: its welcome, and the log from where it stands.

A client that comes back may still have a push of its own on its way. Its
editor maps that push over all the updates of one frame together, the server
over those of each push in turn, and the two can differ (see
`pyshare.core.draft`). So a welcome holds the updates of one push of others at
most. If there are more, it holds none, and all follow, each push in a frame of
its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyshare.core.document import Document, Update, by_push
from pyshare.core.framing import in_frames, message_frames, push_messages
from pyshare.core.protocol import (
    Limits,
    Peer,
    Welcome,
    committed,
    encode,
    encode_text,
    encode_welcome,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """The facts about a codespace that every welcome tells."""

    epoch: str
    #: The limits that concern clients.
    limits: Limits
    #: The epochs that this one continues.
    before: tuple[str, ...] = ()
    #: The mark by which a client knows the codespace again.
    codespace: str = ""


class EncodedText:
    """The text of a document as JSON, encoded once for all clients that join at one version."""

    def __init__(self, document: Document) -> None:
        self._document = document
        # The version whose text is encoded, and that text.
        self._version = -1
        self._json = b""
        #: Number of times that a text was encoded.
        self.encoded = 0

    def json(self) -> bytes:
        """Return the present text as JSON in UTF-8."""
        if self._version != self._document.version:
            self._json = encode_text(self._document.text)
            self._version = self._document.version
            self.encoded += 1
        return self._json


def may_be_one_frame(updates: Sequence[Update], client: str) -> bool:
    """Whether `client` may be given `updates` in one frame: they have one push of others at most."""
    return sum(1 for push in by_push(updates) if push[0].sender != client) <= 1


def welcome(
    peer: Peer,
    document: Document,
    standing: Standing,
    *,
    peers: Iterable[Peer],
    known: int | None,
    text: EncodedText | None = None,
    language: str = "",
    pieces: bool = False,
) -> bytes:
    """Return the frames that bring a client to the document's version.

    `known` is the version that it has of this epoch's text, if any. `text` is
    the document's, shared with others who join. `language` is the one that was
    chosen for all. With `pieces`, long messages are sent in pieces.
    """
    updates = None if known is None else document.since(known)
    version = document.version
    acked = document.last_seq(peer.id)
    following = b""
    if updates and known is not None and not may_be_one_frame(updates, peer.id):
        version = known
        own = [update.seq for update in updates if update.sender == peer.id]
        acked = min(own) - 1 if own else acked
        following = b"".join(frame for _, frame in in_frames(push_messages(known, updates), pieces=pieces))
        updates = []
    body = Welcome(
        id=peer.id,
        mode=peer.mode,
        epoch=standing.epoch,
        before=standing.before,
        version=version,
        acked=acked,
        peers=tuple(peers),
        limits=standing.limits,
        text="" if updates is None else None,
        updates=None if updates is None else tuple(map(committed, updates)),
        codespace=standing.codespace,
        language=language,
    )
    message = encode(body) if body.text is None else encode_welcome(body, (text or EncodedText(document)).json())
    return message_frames(message, pieces=pieces) + following
