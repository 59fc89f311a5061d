"""Pushes put into drafts at once, as tests about single pushes have it."""

from pyshare.core.document import Document, Push
from pyshare.core.draft import Draft, WaitingPush
from pyshare.core.work import Work


def add(draft: Draft, document: Document, push: Push) -> bool:
    """Make `push` ready in one turn and put it at the draft's end; return what `Draft.add` returns."""
    waiting = WaitingPush(push)
    assert draft.has(push) or waiting.go_on(document, Work())
    return draft.add(waiting)
