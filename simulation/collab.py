"""An editor as @codemirror/collab makes it, with a connection that keeps to docs/protocol.md; no I/O.

It maps what it has not pushed over all foreign updates of a frame at once, as
`receiveUpdates` does. A push whose fate a lost connection has hidden is sent
again under its number. A text makes it forget what it has not saved.
"""

from collections.abc import Sequence

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import tip_of
from pyshare.core.protocol import CommittedUpdate, PushFrame, UpdatesFrame, Welcome


class CollabEditor:
    """Text, version and unconfirmed updates of one editor; texts are units strings."""

    def __init__(self) -> None:
        self.text = ""
        # What is known of the codespace.
        self.id = ""
        self.epoch: str | None = None
        # The mark of the update that made the version, if it was heard.
        self.tip: str | None = None
        self.version: int | None = None
        # Own updates that the log is not known to have.
        self.unconfirmed: list[ChangeSet] = []
        # The number of the push whose fate is not known, its updates, and whether this connection has sent it.
        self._flying: int | None = None
        self._flying_updates = 0
        self._sent = False
        # The last number given to a push.
        self._seq = 0

    def edit(self, changes: Sequence[Change]) -> ChangeSet:
        """Change the text, as a person does; return the change set."""
        change_set = ChangeSet.of(changes, len(self.text))
        self.text = change_set.apply(self.text)
        self.unconfirmed.append(change_set)
        return change_set

    def forget(self) -> None:
        """Forget what is not confirmed; the text is the server's then, once it comes."""
        self.unconfirmed.clear()
        self._flying = None

    def next_push(self) -> PushFrame | None:
        """Return what is to be pushed now, if anything."""
        if self.version is None or not self.unconfirmed or self._sent:
            return None
        if self._flying is None:
            self._seq += 1
            self._flying, self._flying_updates = self._seq, len(self.unconfirmed)
        self._sent = True
        return PushFrame(self._flying, self.version, tuple(self.unconfirmed[: self._flying_updates]))

    def welcome(self, welcome: Welcome) -> None:
        """Take the first frame of a connection."""
        self.id = welcome.id
        self._sent = False
        if welcome.text is not None:
            self.forget()
            self.text = welcome.text
            self.version = welcome.version
            self.tip = None
        else:
            assert welcome.updates is not None
            assert self.version is not None
            assert welcome.epoch == self.epoch, "updates of another epoch than the editor's"
            self._receive(welcome.updates)
            assert self.version == welcome.version, "the updates of a welcome lead to another version than its own"
        self.epoch = welcome.epoch
        self._count_from(welcome.acked)

    def receive(self, frame: UpdatesFrame) -> None:
        """Take committed updates."""
        self._receive(frame.updates)
        assert self.version == frame.version, f"version {frame.version} follows {self.version}"

    def _receive(self, updates: Sequence[CommittedUpdate]) -> None:
        assert self.version is not None
        foreign: ChangeSet | None = None
        own = 0
        for update in updates:
            if update.sender == self.id and update.seq == self._flying and own < self._flying_updates:
                foreign = foreign.map(self.unconfirmed[own], before=True) if foreign else None
                own += 1
            else:
                foreign = foreign.compose(update.changes) if foreign else update.changes
        if own:
            assert own == self._flying_updates, "a push was committed in part"
            del self.unconfirmed[:own]
            self._flying, self._sent = None, False
        if foreign:
            changes = foreign
            for index, unconfirmed in enumerate(self.unconfirmed):
                self.unconfirmed[index] = unconfirmed.map(changes)
                changes = changes.map(unconfirmed, before=True)
            self.text = changes.apply(self.text)
        self.version += len(updates)
        if updates:
            self.tip = tip_of(updates[-1])
        self._count_from(max((update.seq for update in updates if update.sender == self.id), default=0))

    def _count_from(self, seq: int) -> None:
        """Give no number again that this session has used up to `seq`."""
        self._seq = max(self._seq, seq)
        if self._flying is not None and self._flying <= seq:
            # A push of before, which this editor has forgotten, has the number.
            self._seq += 1
            self._flying, self._sent = self._seq, False
