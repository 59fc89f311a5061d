"""Visits to a channel: single edits of those who are no members, each committed like any push and answered once.

A visitor may be a request of HTTP. It is in nobody's list of people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyshare.actors.member import HavePushed
from pyshare.actors.messages import Submit, Visitor
from pyshare.core.changeset import Change, ChangeSet, ChangeSetError
from pyshare.core.document import Document, Push, Update
from pyshare.core.errors import Closing, PushRefused, RefusalCode
from pyshare.core.protocol import Peer

#: The number of a visitor's only push.
_SEQ = 1


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """One edit that is on its way into the log."""

    visits: "Visits"
    outlet: Visitor
    peer: Peer

    @property
    def sends_again(self) -> bool:
        """False: the edit is known nowhere else."""
        return False

    def refuse(self, push: Push, refusal: PushRefused) -> None:
        """Tell the visitor that the edit can never be committed."""
        self.visits.end(self.peer.id)
        self.outlet.refuse_nowait(refusal)

    def close(self, closing: Closing) -> None:
        """Tell the visitor why the edit is not committed now."""
        self.visits.end(self.peer.id)
        self.outlet.close_nowait(closing)


class Visits:
    """The visits to one channel that are not answered; touched by that channel's tasks only, and no method waits."""

    def __init__(self, document: Document, epoch: str, *, push: HavePushed) -> None:
        # What edits are for; read here only.
        self._document = document
        self._epoch = epoch
        # Has an edit committed.
        self._push = push
        # By the id that stands for the visitor in the log.
        self._visits: dict[str, Visit] = {}

    def take(self, submit: Submit) -> None:
        """Have an edit committed, or refuse it."""
        outlet, version = submit.outlet, submit.version
        outlet.charge(1 + len(submit.changes))
        try:
            changes = self._changes(submit)
        except PushRefused as refusal:
            outlet.refuse_nowait(refusal)
            return
        if changes.empty:
            outlet.committed_nowait(self._epoch, self._document.version)
            return
        visit = self._visits[submit.peer.id] = Visit(self, outlet, submit.peer)
        version = self._document.version if version is None else version
        self._push(Push(submit.peer.id, _SEQ, version, (changes,), exact=submit.exact), visit)

    def _changes(self, submit: Submit) -> ChangeSet:
        """Return what the edit does to the text of its version."""
        document, version = self._document, submit.version
        if version is None:
            length = len(document.text)
            return ChangeSet.of([Change(length, length, submit.append)], length)
        known = document.length_at(version) if submit.epoch == self._epoch else None
        if known is None or (submit.exact and version != document.version):
            raise PushRefused(RefusalCode.TOO_OLD, "the text has changed since; read it again")
        changes = [*submit.changes, Change(known, known, submit.append)]
        try:
            return ChangeSet.of(changes, known)
        except ChangeSetError as error:
            raise PushRefused(RefusalCode.INVALID, str(error)) from None

    def publish(self, updates: Sequence[Update]) -> None:
        """Answer those whose edits are among the newest committed `updates`."""
        for version, update in enumerate(updates, self._document.version - len(updates) + 1):
            visit = self._visits.pop(update.sender, None)
            if visit is not None:
                visit.outlet.committed_nowait(self._epoch, version)

    def find(self, client: str) -> Visit | None:
        """Return the visit of that id."""
        return self._visits.get(client)

    def end(self, client: str) -> None:
        """Forget a visit that has been answered."""
        self._visits.pop(client, None)

    def close_all(self, closing: Closing) -> None:
        """Tell all visitors why their edits are not committed now."""
        for visit in list(self._visits.values()):
            visit.close(closing)
