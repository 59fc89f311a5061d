"""The document that a snapshot adds up to, made with turns for others in between."""

from dataclasses import replace

import trio

from pyshare.core.document import Document, DocumentLimits
from pyshare.core.shares import Share
from pyshare.core.work import TURN_STEPS, copy_steps
from pyshare.store.interface import Snapshot


async def folded(snapshot: Snapshot) -> Snapshot:
    """Return `snapshot` with the text of its version; its log stays as it is.

    Each update copies the text, so a long log of a long text is much work: every few milliseconds others go on.

    Raises:
        ChangeSetError: if an update does not fit the text.
    """
    text = snapshot.text
    following = snapshot.version - snapshot.text_version
    steps = 0
    for update in snapshot.log[len(snapshot.log) - following :]:
        steps += copy_steps(len(text)) + len(update.changes.sections)
        if steps >= TURN_STEPS:
            steps = 0
            await trio.lowlevel.checkpoint()
        text = update.changes.apply(text)
    return replace(snapshot, text=text, text_version=snapshot.version)


def document_of(snapshot: Snapshot, *, limits: DocumentLimits, share: Share | None = None) -> Document:
    """Return the document that `snapshot` adds up to; see `Document.load`."""
    return Document.load(
        snapshot.text,
        snapshot.text_version,
        log=snapshot.log,
        log_version=snapshot.version,
        last_seqs=snapshot.last_seqs,
        limits=limits,
        share=share,
    )
