"""An editor as @codemirror/collab makes it, with a connection of its own that speaks pyshare.v1; no I/O.

It maps what it has not pushed over a whole frame at once, as `receiveUpdates`
does, and so shows what a server must take care of; the client of pyshare does
it one by one.
"""

from collections.abc import Sequence

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.protocol import CommittedUpdate, PushFrame, RefusedFrame, ServerFrame, UpdatesFrame, Welcome


class CollabEditor:
    """Text, version and unconfirmed updates of one editor."""

    def __init__(self) -> None:
        # What the screen shows, a units string.
        self.text = ""
        # What is known of the codespace.
        self.id = ""
        self.epoch: str | None = None
        self.version: int | None = None
        # Own updates that the log is not known to have.
        self.unconfirmed: list[ChangeSet] = []
        # The push under way, and the last number given to one.
        self.in_flight: int | None = None
        self.seq = 0
        # What was received besides updates, oldest first.
        self.frames: list[ServerFrame] = []
        # What was refused.
        self.refused: list[RefusedFrame] = []

    def edit(self, *changes: Change) -> None:
        """Change the text, as a person does."""
        change_set = ChangeSet.of(list(changes), len(self.text))
        self.text = change_set.apply(self.text)
        self.unconfirmed.append(change_set)

    def next_push(self) -> PushFrame | None:
        """Return what is to be pushed now, if anything; one push in flight."""
        if self.version is None or not self.unconfirmed or self.in_flight is not None:
            return None
        self.seq += 1
        self.in_flight = self.seq
        return PushFrame(self.seq, self.version, tuple(self.unconfirmed))

    def receive(self, frame: ServerFrame) -> None:
        """Take a frame of the server."""
        self.frames.append(frame)
        match frame:
            case Welcome():
                self._receive_welcome(frame)
            case UpdatesFrame(version, updates):
                self._receive_updates(updates)
                assert self.version == version
            case RefusedFrame():
                self.refused.append(frame)
                self.in_flight = None
            case _:
                pass

    def _receive_welcome(self, welcome: Welcome) -> None:
        self.id = welcome.id
        # A push whose fate the cut connection hid is made anew of all that is unconfirmed.
        self.in_flight = None
        self.seq = max(self.seq, welcome.acked)
        if welcome.updates is None:
            assert welcome.text is not None
            if self.unconfirmed:
                assert self.version is None, "this editor cannot merge a text"
                assert welcome.text == "", "what was typed before it had a text was typed into an empty one"
            else:
                self.text = welcome.text
        else:
            assert welcome.epoch == self.epoch
            self._receive_updates(welcome.updates)
        self.epoch = welcome.epoch
        self.version = welcome.version

    def _receive_updates(self, updates: Sequence[CommittedUpdate]) -> None:
        assert self.version is not None
        foreign: ChangeSet | None = None
        own = 0
        for update in updates:
            if own < len(self.unconfirmed) and update.sender == self.id:
                foreign = foreign.map(self.unconfirmed[own], before=True) if foreign else None
                own += 1
                if update.seq == self.in_flight:
                    self.in_flight = None
            else:
                foreign = foreign.compose(update.changes) if foreign else update.changes
        del self.unconfirmed[:own]
        if foreign:
            changes = foreign
            for index, unconfirmed in enumerate(self.unconfirmed):
                self.unconfirmed[index] = unconfirmed.map(changes)
                changes = changes.map(unconfirmed, before=True)
            self.text = changes.apply(self.text)
        self.version += len(updates)
