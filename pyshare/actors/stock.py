"""The stock editors of a channel: their edits, placed and pushed for them, and the frames that they are sent.

A stock editor knows no versions and answers nothing, so what other clients do
for themselves is done for it here: its edits are placed where they were made
and pushed one after the other, and it is sent what brings its text to the
committed one with its own edits (see `pyshare.core.shadow`).
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce

import trio

from pyshare.actors.fanout import Outlet
from pyshare.core.changeset import ChangeSet
from pyshare.core.document import Document, Push, Update, by_push
from pyshare.core.parcel import PartLimits
from pyshare.core.protocol import Peer, Range
from pyshare.core.repair import single_changes, whole_pairs
from pyshare.core.shadow import Shadow, kept_ends
from pyshare.core.sharepython import StockEdit, StockLoss, connected_frame, edit_frame, selection_frame
from pyshare.core.unconfirmed import Unconfirmed
from pyshare.core.view import View
from pyshare.core.work import Work

#: The sender that a stock editor is told of changes that are nobody's, or several people's.
_NOBODY = "pyshare"


@dataclass(frozen=True, slots=True)
class StockLimits:
    """Limits for following stock editors."""

    #: Seconds without an edit after which an editor counts as quiet: longer than what it sends takes to arrive.
    quiet_seconds: float = 0.5
    #: Seconds before it joins in which an editor may have loaded its text, and pushes of that time that count. An
    #: editor with an older text is brought up to date when it has made an edit: that tells its length.
    loading_seconds: float = 20
    loading_pushes: int = 512
    #: Bytes of one push.
    push_bytes: int = 1_048_576
    #: Editors that have left and whose edits are still to be committed. Above it, those of the first are given up.
    left: int = 1000
    #: Whether an editor is sent the selections of other stock editors. It selects with them: its next key replaces
    #: the text that somebody else has selected.
    selections: bool = False


@dataclass(slots=True, eq=False)
class StockMember:
    """One stock editor."""

    outlet: Outlet
    peer: Peer
    shadow: Shadow
    #: Its edits that are not committed, behind the committed text.
    unconfirmed: Unconfirmed = field(default_factory=Unconfirmed)
    #: Number of its last push.
    seq: int = 0
    #: Time of its last edit.
    edited: float = 0
    #: Whether its socket is full, or it has left, or was given up: nothing is sent then.
    full: bool = False
    left: bool = False
    given_up: bool = False
    #: Whether it was told that it is connected; before that it is sent nothing else.
    connected: bool = False


class _Committed:
    """One committed push, with the frames for the editors that are in step: made once for all of them."""

    def __init__(self, sender: str, changes: ChangeSet, before: View) -> None:
        self.sender = sender
        self.changes = changes
        # The text before it.
        self._before = before
        self._frames: tuple[list[ChangeSet], bytes] | None = None

    def frames(self) -> tuple[list[ChangeSet], bytes]:
        """Return the push as change sets of one change each, and their frames."""
        if self._frames is None:
            parts = single_changes(self.changes, self._before.after(self.changes))
            self._frames = parts, b"".join(edit_frame(self.sender, each) for each in parts)
        return self._frames


class StockRoom:
    """The stock editors of one channel; touched by that channel's tasks only."""

    def __init__(self, document: Document, limits: StockLimits) -> None:
        # Read here, written by the channel.
        self._document = document
        self._limits = limits
        self._members: dict[Outlet, StockMember] = {}
        # Those that have left, and of whose edits some are not committed yet: they cannot send them again.
        self._left: list[StockMember] = []
        # The committed text that the members know of.
        self._text = View(document.text)
        # Pushes of a while ago: their times, the lengths of the texts before them, and the units at the beginning
        # and at the end that each of them kept. An editor loads its text before it connects.
        # Those of the log that the channel started with may be as late: other instances committed them.
        self._earlier: deque[tuple[float, int, int, int]] = deque(maxlen=limits.loading_pushes)
        logged = document.since(document.oldest) or ()
        for push in by_push(logged[-limits.loading_pushes :]):
            self._earlier.append(_past(push, trio.current_time()))
        # Set when somebody is to be healed once quiet.
        self._ailing = trio.Event()

    def __len__(self) -> int:
        return len(self._members)

    def find(self, outlet: Outlet) -> StockMember | None:
        """Return the editor behind `outlet`."""
        return self._members.get(outlet)

    def members(self) -> Iterable[StockMember]:
        """Return all editors."""
        return list(self._members.values())

    def join(self, outlet: Outlet, peer: Peer, now: float) -> None:
        """Let an editor in, which holds the present text or one of those that it may have loaded."""
        shadow = Shadow(len(self._document.text), self._loaded(now))
        member = self._members[outlet] = StockMember(outlet, peer, shadow, edited=now)
        self._connect(member, now)

    def leave(self, outlet: Outlet) -> StockMember | None:
        """Let go of an editor, when what it has made is committed; return who it was."""
        member = self._members.pop(outlet, None)
        if member is not None:
            member.left = True
            if member.unconfirmed.count:
                self._left.append(member)
                for each in self._left[: -self._limits.left]:
                    self.give_up(each)
        return member

    def find_client(self, client: str) -> StockMember | None:
        """Return the editor of that id, one that has left too while what it made is not committed."""
        return next((member for member in self._everybody() if member.peer.id == client), None)

    def take(self, outlet: Outlet, frame: StockEdit | StockLoss, now: float) -> bool:
        """Take a frame of the editor behind `outlet`; return False if there is none. See `next_pushes`."""
        member = self._members.get(outlet)
        if member is None:
            return False
        if isinstance(frame, StockEdit):
            self.edit(member, frame.changes, now)
        else:
            self.lose(member, frame.length, now)
        return True

    def edit(self, member: StockMember, changes: ChangeSet, now: float) -> None:
        """Take an edit that an editor has made; see `next_pushes`. One that was given up is not heard."""
        if member.given_up:
            return
        member.edited = now
        work = Work()
        aim = self._aim(member)

        def allowed(mapped: ChangeSet) -> ChangeSet:
            return ChangeSet.empty_of(mapped.length) if member.peer.mode == "view_only" else whole_pairs(mapped, aim)

        made = member.shadow.receive(changes, now, aim=aim, allow=allowed, work=work)
        if not made.empty:
            member.unconfirmed.add(made)
        self._correct(member, now, quiet=False)
        member.outlet.charge(work.spent)

    def lose(self, member: StockMember, length: int, now: float) -> None:
        """Note that an editor has made an edit that is not taken, and holds a text of `length`; it is healed later."""
        if not member.given_up:
            member.edited = now
            member.shadow.lose(length, now)
            self._correct(member, now, quiet=False)

    def next_pushes(self) -> list[tuple[StockMember, Push]]:
        """Return what editors have made and is to be committed next, of each whose last push is settled."""
        everybody = [(member, self._next_push(member)) for member in self._everybody() if member.unconfirmed.count]
        return [(member, push) for member, push in everybody if push]

    def _everybody(self) -> Iterable[StockMember]:
        return (*self._members.values(), *self._left)

    def _next_push(self, member: StockMember) -> Push | None:
        if member.unconfirmed.in_flight:
            return None
        flying = member.unconfirmed.launch(member.seq + 1, PartLimits(self._limits.push_bytes))
        if flying is None:
            return None
        member.seq += 1
        return Push(member.peer.id, member.seq, self._document.version, (flying.changes,))

    def publish(self, updates: Sequence[Update], now: float) -> None:
        """Take what was committed, which the document has by now."""
        for push in by_push(updates):
            self._earlier.append(_past(push, now))
            if self._members or self._left:
                self._take(_Committed(push[0].sender, _composed(push), self._text), now)
        self._left = [member for member in self._left if member.unconfirmed.count]
        self._text = View(self._document.text)

    def refused(self, member: StockMember, now: float) -> None:
        """An editor's push can never be; take it back, in the editor too."""
        if member.unconfirmed.in_flight is None:
            return
        _, undoing = member.unconfirmed.take_back(self._document.text)
        self._follow(member, undoing, now)

    def give_up(self, member: StockMember) -> None:
        """Hear nothing more of an editor that is being closed; what it has made beyond the log is lost to it."""
        member.given_up = True
        member.unconfirmed = Unconfirmed()
        self._left = [each for each in self._left if each is not member]

    def show(self, sender: Peer, ranges: Sequence[Range]) -> None:
        """Have the other editors select what one has selected, as the stock server does; none that is behind.

        Nothing is shown unless the limits say so, nor the selection of somebody who may only look.
        """
        if not self._limits.selections or sender.mode == "view_only":
            return
        frame = selection_frame(sender.id, ranges)
        furthest = max((pos for pair in ranges for pos in pair), default=0)
        for member in self.members():
            hears = member.connected and member.peer.id != sender.id
            if hears and member.shadow.in_step and furthest <= len(self._aim(member)):
                self._write(member, frame)

    def drained(self, member: StockMember, now: float) -> None:
        """The socket of an editor has room again: bring it up to date."""
        member.full = False
        if member.connected:
            self._correct(member, now, quiet=now >= member.edited + self._limits.quiet_seconds)
        else:
            self._connect(member, now)

    def _connect(self, member: StockMember, now: float) -> None:
        member.connected = self._write(member, connected_frame(member.peer.id, member.peer.mode))
        if member.connected:
            # It has typed nothing yet that it could have sent.
            self._correct(member, now, quiet=True)

    async def heal(self) -> None:
        """Settle the doubts about editors as soon as they are quiet, for as long as the channel lives."""
        while True:
            await self._ailing.wait()
            self._ailing = trio.Event()
            await trio.sleep(self._limits.quiet_seconds)
            now = trio.current_time()
            for member in self.members():
                self._correct(member, now, quiet=now >= member.edited + self._limits.quiet_seconds)

    def _take(self, push: _Committed, now: float) -> None:
        """Take one committed push."""
        self._text = self._text.after(push.changes)
        for member in self._everybody():
            unconfirmed = member.unconfirmed
            if push.sender == member.peer.id and unconfirmed.in_flight:
                # The editor has it, and it is in what it is to hold.
                unconfirmed.land()
                continue
            changes = unconfirmed.pass_over(push.changes) if unconfirmed.count else push.changes
            self._follow(member, changes, now, push=push)

    def _follow(self, member: StockMember, changes: ChangeSet, now: float, *, push: _Committed | None = None) -> None:
        """Have an editor hold the text after `changes`, those of `push` if given, unless it has left."""
        if not member.left and not member.given_up:
            member.shadow.follow(changes)
            self._correct(member, now, quiet=False, push=push)

    def _aim(self, member: StockMember) -> View:
        """Return the text that an editor is to hold: the committed one with its own edits."""
        if not member.unconfirmed.count:
            return self._text
        return self._text.after(member.unconfirmed.whole(len(self._text)))

    def _correct(self, member: StockMember, now: float, *, quiet: bool, push: _Committed | None = None) -> None:
        """Send an editor what it misses: `push`, if that is all; nothing while there is a doubt, unless it is quiet."""
        shadow = member.shadow
        if member.full or member.left or member.given_up or shadow.in_step:
            return
        if push is not None and shadow.missing is push.changes:
            parts, data = push.frames()
        else:
            found = shadow.parts(self._aim(member), quiet=quiet)
            if found is None:
                self._ailing.set()
                return
            parts = found
            sender = push.sender if push else _NOBODY
            data = b"".join(edit_frame(sender, each) for each in parts)
        if not parts or self._write(member, data):
            shadow.sent(parts, now)

    def _write(self, member: StockMember, data: bytes) -> bool:
        member.full = not member.outlet.write_nowait(data)
        return not member.full

    def _loaded(self, now: float) -> dict[int, tuple[int, int]]:
        """Return the lengths of the texts that an editor may have loaded which connects now.

        For each there are the units at the beginning and at the end that all of
        them share with the present text, at least.
        """
        loaded: dict[int, tuple[int, int]] = {}
        head = tail = len(self._document.text)
        for time, length, kept_head, kept_tail in reversed(self._earlier):
            if time < now - self._limits.loading_seconds:
                break
            head, tail = min(head, kept_head), min(tail, kept_tail)
            loaded[length] = (head, tail)
        return loaded


def _composed(push: Sequence[Update]) -> ChangeSet:
    return reduce(ChangeSet.compose, (update.changes for update in push))


def _past(push: Sequence[Update], now: float) -> tuple[float, int, int, int]:
    """Return a push as it is remembered: its time, the length before it, and units that it kept at both ends.

    Nothing is composed: a push of many updates would take long, also where no stock editor is.
    """
    ends = [kept_ends(update.changes) for update in push]
    return now, push[0].changes.length, min(head for head, _ in ends), min(tail for _, tail in ends)
