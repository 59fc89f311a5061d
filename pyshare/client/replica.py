"""The text as one client holds it: what is committed, and what it has typed since.

An editor without a screen, as @codemirror/collab is one; but what others
pushed is always mapped push by push, as the server does it (see
`pyshare.core.document`), so that the two agree however updates were put into
frames. It takes the server's frames and gives those to be sent; no I/O, no
clock. Texts are units strings; events, which its user reads, count characters.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import assert_never

from pyshare.client.address import ResumePoint
from pyshare.client.committed import CommittedText
from pyshare.client.errors import TextTooLong
from pyshare.client.events import (
    EditRefused,
    Event,
    ModeChanged,
    PeerSelected,
    StorageChanged,
    TextChanged,
    shown,
)
from pyshare.client.presence import Presence, mapped
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.difference import difference
from pyshare.core.document import by_push, tip_of
from pyshare.core.errors import PyshareError, RefusalCode
from pyshare.core.parcel import deletions, part_limits, push_limits
from pyshare.core.protocol import (
    SELECTION_RANGES,
    CommittedUpdate,
    GoneFrame,
    Limits,
    Mode,
    Peer,
    PeerFrame,
    PeerSelectFrame,
    PushFrame,
    Range,
    RefusedFrame,
    SelectFrame,
    StatusFrame,
    Storage,
    UpdatesFrame,
    Welcome,
)
from pyshare.core.unconfirmed import Unconfirmed
from pyshare.core.units import Places, has_lone_surrogate, splits_pair, to_units

#: The newest edits that are kept apart, so that one that is refused takes no other with it.
_APART = 64

#: Refusals that say nothing of the edits: with the newest text under them they may be pushed again.
_STALE = frozenset({RefusalCode.TOO_OLD, RefusalCode.TOO_NEW, RefusalCode.SEQ, RefusalCode.IN_FLIGHT})

#: What a replica takes from the server besides a welcome.
ReplicaFrame = UpdatesFrame | RefusedFrame | PeerSelectFrame | PeerFrame | GoneFrame | StatusFrame


class OutOfStep(PyshareError):  # noqa: N818 - named for what is so
    """What the server sent does not follow what the replica has: connect again, from its `resume_point`."""


class AnotherLife(PyshareError):  # noqa: N818 - named for what happened
    """Another codespace has the name of the replica's, whose text may be nowhere else than in the replica."""


class Replica:
    """One client's text, and what it knows of the codespace.

    Changed by `edit` and `select`, which are the user's, and `resume` and
    `receive`, which are the server's. What changes by the server is told by
    `take_events`. Whatever the server does, no edit is lost in silence: it is
    unconfirmed, or in the log, or in an `EditRefused` event.
    """

    def __init__(self, *, updates: int = 1024, kept_bytes: int = 16_777_216) -> None:
        # Text on the screen, a units string: the committed one with the unconfirmed edits.
        self.text = ""
        # What is committed, with the newest so many updates.
        self.committed = CommittedText(updates, kept_bytes)
        # What leads from the committed text to the one on the screen.
        self._unconfirmed = Unconfirmed(apart=_APART)
        # Number of the last push.
        self._seq = 0
        # Whether only a whole text helps.
        self._must_fetch = False
        # What the last welcome said.
        self.id = ""
        self.mode: Mode = "view_only"
        self.limits: Limits | None = None
        # Whether edits are being committed, and why not, if the server said so.
        self.storage: Storage = "ok"
        self.storage_reason = ""
        # Who else is here, and the positions that move with the text on the screen.
        self.presence = Presence()
        # Whether one's own selection is to be sent, and whether it was sent when unconfirmed edits hid where it
        # really is.
        self._select_due = False
        self._select_rough = False
        # What happened and was not taken.
        self._events: list[Event] = []

    @property
    def version(self) -> int:
        """The version up to which the log is known."""
        return self.committed.version or 0

    @property
    def resume_point(self) -> ResumePoint | None:
        """The point from which the server is to go on; None: it has to send the text."""
        return None if self._must_fetch else self.committed.resume_point

    @property
    def must_fetch(self) -> bool:
        """Whether to connect again, since nothing helps but a welcome with a text."""
        return self._must_fetch

    @property
    def awaits_answer(self) -> bool:
        """Whether the server owes an answer to a push that was sent; while it cannot store edits, it owes none."""
        flying = self._unconfirmed.in_flight
        return flying is not None and flying.sent and self.storage == "ok"

    @property
    def made(self) -> int:
        """Edits ever made."""
        return self._unconfirmed.made

    @property
    def settled(self) -> int:
        """The first so many edits are committed or were refused."""
        return self._unconfirmed.settled

    @property
    def unsaved(self) -> tuple[Change, ...]:
        """Edits that are neither committed nor refused, as one edit of the committed text."""
        return shown(self._unconfirmed.whole(len(self.committed.text)), self.committed.text)

    @property
    def peers(self) -> Mapping[str, Peer]:
        """Who else is here, by id."""
        return self.presence.peers

    @property
    def selections(self) -> Mapping[str, tuple[Range, ...]]:
        """What the others have selected, by id, in the text on the screen."""
        return self.presence.selections

    @property
    def selected(self) -> tuple[Range, ...]:
        """What this client has selected, in the text on the screen."""
        return self.presence.selected

    def take_events(self) -> list[Event]:
        """Return what the server did since the last call."""
        events, self._events = self._events, []
        return events

    # The user's side.

    def edit(self, changes: Sequence[Change]) -> ChangeSet:
        """Change the text at once, and return how; all positions are those of the text before.

        Raises:
            ValueError: if a change reaches outside the text, splits a surrogate
                pair or inserts half of one; nothing is changed.
            TextTooLong: if the text would be longer than the server takes; nothing is changed.
        """
        for change in changes:
            self._check_range(change.start, change.end)
            if has_lone_surrogate(to_units(change.insert)):
                raise ValueError(f"the text to insert at {change.start} has half a surrogate pair")
        change_set = ChangeSet.of(changes, len(self.text))
        length = change_set.new_length
        if self.limits is not None and length > max(self.limits.text_units, change_set.length):
            most = self.limits.text_units
            raise TextTooLong(f"the text would have {length} UTF-16 units, and {most} are the most; delete some first")
        if not change_set.empty:
            self.text = change_set.apply(self.text)
            self._unconfirmed.add(change_set)
            self.presence.move(change_set)
        return change_set

    def select(self, ranges: Sequence[Range]) -> None:
        """Select in the text as it is; the selection then moves with it.

        Raises:
            ValueError: if there are too many ranges or one reaches outside the text.
        """
        if len(ranges) > SELECTION_RANGES:
            raise ValueError(f"{len(ranges)} ranges; at most {SELECTION_RANGES} are shown to others")
        for anchor, head in ranges:
            self._check_range(min(anchor, head), max(anchor, head))
        self.presence.selected = tuple(ranges)
        self._select_due = True

    def _check_range(self, start: int, end: int) -> None:
        if not 0 <= start <= end <= len(self.text):
            raise ValueError(f"{start} to {end} is no part of the text, which has {len(self.text)} UTF-16 units")
        for pos in (start, end):
            if splits_pair(self.text, pos):
                raise ValueError(f"position {pos} is inside a surrogate pair")

    # What is to be sent.

    def next_push(self) -> PushFrame | None:
        """Return the push to be sent now, if any; it counts as sent.

        One is in flight at a time: a push that the last connection took with it
        is sent again under its number before any other.
        """
        if self.committed.version is None or self._must_fetch or self.limits is None or self.mode != "edit":
            return None
        unconfirmed = self._unconfirmed
        if unconfirmed.in_flight is not None and not unconfirmed.in_flight.sent:
            unconfirmed.fit(push_limits(self.limits))
        if unconfirmed.in_flight is None and unconfirmed.count:
            launched = unconfirmed.launch(self._seq + 1, part_limits(self.limits))
            self._seq += launched is not None
        flying = unconfirmed.in_flight
        if flying is None or flying.sent:
            return None
        flying.sent = True
        return PushFrame(flying.seq, self.committed.version, (flying.changes,))

    def next_select(self) -> SelectFrame | None:
        """Return the selection to be sent now, if any, in the text that is committed; it counts as sent.

        A selection in text that is not committed is sent once more when it is.
        """
        hidden = self._unconfirmed.count > 0
        if self.committed.version is None or not (self._select_due or (self._select_rough and not hidden)):
            return None
        self._select_due, self._select_rough = False, hidden
        ranges = self.presence.selected
        if hidden:
            undo = self._unconfirmed.whole(len(self.committed.text)).invert(self.committed.text)
            ranges = mapped(ranges, undo.map_pos)
        return SelectFrame(self.committed.version, ranges)

    # The server's side.

    def resume(self, welcome: Welcome) -> None:
        """Take the first frame of a connection: go on from the log, or merge the text.

        Raises:
            OutOfStep: if it does not follow what the replica has.
            AnotherLife: if the codespace is gone, and another has begun at its address; nothing is changed.
        """
        if self._is_another_life(welcome):
            raise AnotherLife("another codespace has begun at this address")
        if self.committed.version is not None and welcome.mode != self.mode:
            self._events.append(ModeChanged(welcome.mode))
        self.id, self.mode, self.limits = welcome.id, welcome.mode, welcome.limits
        self._tell_peers({peer.id: peer for peer in welcome.peers})
        self._tell_storage("ok")
        self._select_due = bool(self.presence.selected)
        if self._unconfirmed.in_flight:
            self._unconfirmed.in_flight.sent = False
        if welcome.text is not None:
            self._merge(welcome, welcome.text)
        else:
            self._follow(welcome)
        self._seq = max(self._seq, welcome.acked)
        flying = self._unconfirmed.in_flight
        if flying and flying.seq <= welcome.acked:
            # Somebody else has used the number: the log up to here has no such push of this replica's.
            self._seq += 1
            flying.seq = self._seq
        if self.mode != "edit" and self._unconfirmed.count:
            refused = self._unconfirmed.take_back_all(self.committed.text)
            self._give_back(RefusalCode.VIEW_ONLY, "this client may only look at the codespace now", *refused)

    def receive(self, frame: ReplicaFrame) -> None:
        """Take any other frame.

        Raises:
            OutOfStep: if it does not follow what the replica has.
        """
        match frame:
            case UpdatesFrame(version, updates):
                self._advance(version, updates)
            case RefusedFrame():
                self._take_back(frame)
            case PeerSelectFrame():
                self._on_select(frame)
            case PeerFrame(client, name, mode):
                self._tell_peers({**self.peers, client: Peer(client, name, mode)})
            case GoneFrame(client):
                self._tell_peers({each: peer for each, peer in self.peers.items() if each != client})
            case StatusFrame(storage, reason):
                self._tell_storage(storage, reason or "")
            case _:
                assert_never(frame)

    def _is_another_life(self, welcome: Welcome) -> bool:
        """Whether the welcome is to a codespace that does not continue the one that is known.

        Where nothing was committed, no text could be lost: the replica goes on in any other.
        """
        if self.committed.version is None or welcome.epoch == self.committed.epoch or not self.committed.text:
            return False
        if welcome.before is None:
            # The server is too old to say: an empty one has certainly begun since.
            return welcome.version == 0 and welcome.text == ""
        return self.committed.epoch not in welcome.before

    def _follow(self, welcome: Welcome) -> None:
        if welcome.updates is None or self.resume_point is None or welcome.epoch != self.committed.epoch:
            self._must_fetch = True
            raise OutOfStep("the welcome has no text, and nothing that this client could go on from")
        self._advance(welcome.version, welcome.updates)
        if self.committed.version != welcome.version:
            self._must_fetch = True
            raise OutOfStep(
                f"welcome to version {welcome.version}, which is older than version {self.committed.version}"
            )

    def _merge(self, welcome: Welcome, text: str) -> None:
        """Take a whole text: what differs from the committed one was done by others, in one step."""
        begins = self.committed.version is None and not self._unconfirmed.count
        flying = self._unconfirmed.in_flight
        before = self.committed.text
        if flying and flying.seq <= welcome.acked:
            before = self._unconfirmed.land().apply(before)
        self.committed.fetched(welcome.epoch, welcome.version, text)
        self._must_fetch = False
        if begins:
            self.text = text
        else:
            self._change(self._unconfirmed.pass_over(difference(before, text)), None)

    def _advance(self, version: int, updates: Sequence[CommittedUpdate]) -> None:
        first = version - len(updates)
        if self.committed.version is None or first > self.committed.version:
            raise OutOfStep(f"version {self.committed.version} is followed by {first + 1}")
        for push in by_push(updates[self.committed.version - first :]):
            length = len(self.committed.text)
            for number, update in enumerate(push, self.committed.version + 1):
                if update.changes.length != length:
                    self._must_fetch = True
                    raise OutOfStep(f"update {number} is for a text of {update.changes.length} units")
                length = update.changes.new_length
            changes = reduce(ChangeSet.compose, (update.changes for update in push))
            sender, seq = push[0].sender, push[0].seq
            self.committed.note(len(push), changes, sender, seq, tip_of(push[-1]), own=sender == self.id)
            self._take_push(sender, seq, changes)

    def _take_push(self, sender: str, seq: int, changes: ChangeSet) -> None:
        flying = self._unconfirmed.in_flight
        is_own = sender == self.id
        is_flying = is_own and flying is not None and flying.seq == seq
        if is_flying and flying is not None and flying.is_done_by(changes):
            self._confirm(changes)
            return
        self.committed.text = changes.apply(self.committed.text)
        self._change(self._unconfirmed.pass_over(changes), sender)
        if is_own:
            self._seq = max(self._seq, seq)
        if is_flying and flying is not None:
            # An earlier holder of the session has used the number: the server took this push for that one sent again.
            self._seq += 1
            flying.seq, flying.sent = self._seq, False

    def _confirm(self, changes: ChangeSet) -> None:
        """The push in flight is in the log, as `changes`.

        These are its own as rebased here, with two exceptions. A push that was
        made to fit has left deletions to the next one, and was committed with
        them. Or the push was rebased on a text that the server had merged in
        another way; the log is right.
        """
        after = changes.apply(self.committed.text)
        own = self._unconfirmed.land()
        self.committed.text = after if own == changes else own.apply(self.committed.text)
        if self.committed.text == after:
            return
        left = deletions(changes).map(own)
        if left.apply(self.committed.text) == after:
            self.committed.text = after
            self._change(self._unconfirmed.pass_over(left), self.id)
        else:
            changes = difference(self.committed.text, after)
            self.committed.text = after
            self._change(self._unconfirmed.pass_over(changes), self.id)

    def _take_back(self, refused: RefusedFrame) -> None:
        flying = self._unconfirmed.in_flight
        if flying is None or not flying.sent or flying.seq != refused.seq:
            return
        self._must_fetch = True
        if refused.code in _STALE:
            self._unconfirmed.recall()
            return
        # Of several edits it shows which is refused when each is sent by itself; what is too much is sent in parts.
        is_sent_again = self._unconfirmed.divide() or (
            refused.code == RefusalCode.TOO_MUCH and self._unconfirmed.shrink()
        )
        if not is_sent_again:
            self._give_back(refused.code, refused.reason, *self._unconfirmed.take_back(self.committed.text))

    def _give_back(self, code: str, reason: str, changes: ChangeSet, undo: ChangeSet) -> None:
        """Take edits out of the text on the screen by `undo`, and tell that they were refused."""
        self._change(undo, None)
        self._events.append(EditRefused(code, reason, shown(changes, self.committed.text)))

    def _change(self, changes: ChangeSet, sender: str | None) -> None:
        """Change the text on the screen, and tell so."""
        before = self.text
        if not self._unconfirmed.count:
            # One string for both.
            self.text = self.committed.text
        else:
            self.text = changes.apply(self.text)
        if not changes.empty:
            self.presence.move(changes)
            self._events.append(TextChanged(shown(changes, before), self.version, sender))

    # Presence.

    def _tell_peers(self, peers: dict[str, Peer]) -> None:
        peers.pop(self.id, None)
        self._events += self.presence.tell(peers)

    def _tell_storage(self, storage: Storage, reason: str = "") -> None:
        if (storage, reason) != (self.storage, self.storage_reason):
            self.storage, self.storage_reason = storage, reason
            self._events.append(StorageChanged(storage, reason))

    def _on_select(self, frame: PeerSelectFrame) -> None:
        """Note a peer's selection; one of another version than the log is known to cannot be placed."""
        positions = [pos for pair in frame.ranges for pos in pair]
        if frame.id == self.id:
            return
        if frame.version == self.committed.version and all(pos <= len(self.committed.text) for pos in positions):
            changes = self._unconfirmed.whole(len(self.committed.text))
            ranges = self.presence.selections[frame.id] = mapped(frame.ranges, changes.map_pos)
            self._events.append(PeerSelected(frame.id, mapped(ranges, Places(self.text).index)))
