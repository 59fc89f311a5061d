"""The stock editors of a channel: their edits, placed and pushed for them, and the frames that they are sent.

A stock editor knows no versions and answers nothing, so what other clients do
for themselves is done for it here: its edits are placed where they were made
and pushed one after the other, and it is sent what brings its text to the
committed one with its own edits (see `pyshare.core.shadow`).
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import trio

from pyshare.actors.member import HavePushed, RoomStatistics
from pyshare.actors.messages import Join, Outlet
from pyshare.core.changeset import ChangeSet
from pyshare.core.document import Document, Push, Update, by_push
from pyshare.core.errors import CloseCode, Closing, PushRefused
from pyshare.core.parcel import PartLimits
from pyshare.core.presence import Selection
from pyshare.core.protocol import Peer, Range
from pyshare.core.repair import single_changes, whole_pairs
from pyshare.core.shadow import Shadow, kept_ends
from pyshare.core.sharepython import StockEdit, StockLoss, StockSelection, connected_frame, edit_frame, selection_frame
from pyshare.core.unconfirmed import Unconfirmed
from pyshare.core.view import View
from pyshare.core.work import Work

#: The sender that a stock editor is told of changes that are nobody's, or several people's.
_NOBODY = "pyshare"
#: The reason for giving up edits of an editor that has left; nobody hears it.
_LEFT = Closing(CloseCode.TRY_LATER, "too many editors have left with edits that are not saved")


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


@dataclass(slots=True, eq=False)
class StockMember:
    """One stock editor."""

    outlet: Outlet
    peer: Peer
    room: "StockRoom"
    shadow: Shadow
    #: Time of its last edit.
    edited: float
    #: The address that it comes from.
    remote: str = ""
    #: Its edits that are not committed, behind the committed text.
    unconfirmed: Unconfirmed = field(default_factory=Unconfirmed)
    #: Number of its last push.
    seq: int = 0
    #: True while its socket is full.
    full: bool = False
    #: True once it has left, or was given up: nothing is sent then.
    left: bool = False
    given_up: bool = False
    #: True once it was told that it is connected; before that it is sent nothing else.
    connected: bool = False

    @property
    def sends_again(self) -> bool:
        """False: an edit that the editor has sent is no longer its own."""
        return False

    def receive(self, frame: object) -> None:
        """Take a frame that the editor has sent. An edit of an editor that was given up is not heard."""
        if isinstance(frame, StockSelection):
            self.room.select(self, frame.ranges)
            return
        if not self.given_up:
            now = self.edited = self.room.clock()
            if isinstance(frame, StockEdit):
                self._edit(frame.changes, now)
            elif isinstance(frame, StockLoss):
                # It is healed later.
                self.shadow.lose(frame.length, now)
                self._correct(now, quiet=False)
            else:
                raise TypeError(f"{frame!r} is not a frame of this dialect")
        self.room.push_next()

    def tell(self, frames: bytes) -> None:
        """Do nothing: stock editors have no such news."""

    def show(self, frames: bytes) -> None:
        """Do nothing: stock editors are shown selections in frames of their own (see `StockRoom.select`)."""

    def refuse(self, push: Push, refusal: PushRefused) -> None:
        """Take back a push that can never be, in the editor too."""
        if self.unconfirmed.in_flight is not None:
            _, undoing = self.unconfirmed.take_back(self.room.document.text)
            self.follow(undoing, self.room.clock())
        self.room.push_next()

    def drained(self) -> Collection[str] | None:
        """Bring the editor up to date, now that its socket has room again."""
        now = self.room.clock()
        self.full = False
        if self.connected:
            self.heal(now)
        else:
            self.connect(now)
        return None

    def close(self, closing: Closing) -> None:
        """Have the connection closed, and hear nothing more; edits of it beyond the log are lost to it."""
        self.outlet.close_nowait(closing)
        self.given_up = True
        self.unconfirmed = Unconfirmed()
        self.room.forget(self)

    def leave(self) -> None:
        """Let the editor go; it is kept until what it has made is committed."""
        self.left = True
        self.room.leave(self)

    def connect(self, now: float) -> None:
        """Tell the editor that it is connected, and of what was committed since it loaded its text."""
        self.connected = self._write(connected_frame(self.peer.id, self.peer.mode))
        if self.connected:
            # It has typed nothing yet that it could have sent.
            self._correct(now, quiet=True)

    def next_push(self) -> Push | None:
        """Return the edit that is to be committed next, if the last one is settled."""
        if not self.unconfirmed.count or self.unconfirmed.in_flight:
            return None
        flying = self.unconfirmed.launch(self.seq + 1, self.room.part_limits)
        if flying is None:
            return None
        self.seq += 1
        return Push(self.peer.id, self.seq, self.room.document.version, (flying.changes,))

    def take(self, push: "_Committed", now: float) -> None:
        """Take one committed push."""
        unconfirmed = self.unconfirmed
        if push.sender == self.peer.id and unconfirmed.in_flight:
            # The editor has it, and it is in what it is to hold.
            unconfirmed.land()
            return
        changes = unconfirmed.pass_over(push.changes) if unconfirmed.count else push.changes
        self.follow(changes, now, push=push)

    def follow(self, changes: ChangeSet, now: float, *, push: "_Committed | None" = None) -> None:
        """Have the editor hold the text after `changes`, those of `push` if given, unless it has left."""
        if not self.left and not self.given_up:
            self.shadow.follow(changes)
            self._correct(now, quiet=False, push=push)

    def heal(self, now: float) -> None:
        """Send the editor what it misses; settle a doubt if it is quiet."""
        self._correct(now, quiet=now >= self.edited + self.room.quiet_seconds)

    def aim(self) -> View:
        """Return the text that the editor is to hold: the committed one with its own edits."""
        text = self.room.text
        if not self.unconfirmed.count:
            return text
        return text.after(self.unconfirmed.whole(len(text)))

    def show_selection(self, frame: bytes, furthest: int) -> None:
        """Send the editor a frame with a selection, unless it is behind or has no text at position `furthest`."""
        if self.connected and self.shadow.in_step and furthest <= len(self.aim()):
            self._write(frame)

    def _edit(self, changes: ChangeSet, now: float) -> None:
        work = Work()
        aim = self.aim()

        def allowed(mapped: ChangeSet) -> ChangeSet:
            return ChangeSet.empty_of(mapped.length) if self.peer.mode == "view_only" else whole_pairs(mapped, aim)

        made = self.shadow.receive(changes, now, aim=aim, allow=allowed, work=work)
        if not made.empty:
            self.unconfirmed.add(made)
        self._correct(now, quiet=False)
        self.outlet.charge(work.spent)

    def _correct(self, now: float, *, quiet: bool, push: "_Committed | None" = None) -> None:
        """Send the editor what it misses: `push`, if that is all; nothing while there is a doubt, unless `quiet`."""
        shadow = self.shadow
        if self.full or self.left or self.given_up or shadow.in_step:
            return
        if push is not None and shadow.missing is push.changes:
            parts, data = push.frames()
        else:
            found = shadow.parts(self.aim(), quiet=quiet)
            if found is None:
                self.room.ail()
                return
            parts = found
            sender = push.sender if push else _NOBODY
            data = b"".join(edit_frame(sender, each) for each in parts)
        if not parts or self._write(data):
            shadow.sent(parts, now)

    def _write(self, data: bytes) -> bool:
        self.full = not self.outlet.write_nowait(data)
        return not self.full


class StockRoom:
    """The stock editors of one channel; touched by that channel's tasks only."""

    #: A page may have loaded what this instance has not heard of yet.
    reads_first = True

    def __init__(
        self,
        document: Document,
        limits: StockLimits,
        *,
        push: HavePushed,
        select: Callable[[str, Selection], object],
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        #: The committed text with its log; read here, written by the channel.
        self.document = document
        self._limits = limits
        #: Bounds of one push, and seconds after which an editor counts as quiet.
        self.part_limits = PartLimits(limits.push_bytes)
        self.quiet_seconds = limits.quiet_seconds
        # Has a push of a member committed, and tells all others of a selection.
        self._push = push
        self._select = select
        #: The present time.
        self.clock = clock
        self._members: dict[StockMember, None] = {}
        # Those that have left, and of whose edits some are not committed yet: they cannot send them again.
        self._left: list[StockMember] = []
        #: The committed text that the members know of.
        self.text = View(document.text)
        # Pushes of a while ago: their times, the lengths of the texts before them, and the units at the beginning
        # and at the end that each of them kept. An editor loads its text before it connects.
        # Those of the log that the channel started with may be as late: other instances committed them.
        self._earlier: deque[tuple[float, int, int, int]] = deque(maxlen=limits.loading_pushes)
        logged = document.since(document.oldest) or ()
        for each in by_push(logged[-limits.loading_pushes :]):
            self._earlier.append(_past(each, clock()))
        # Set when somebody is to be healed once quiet.
        self._ailing = trio.Event()

    def __len__(self) -> int:
        return len(self._members)

    def statistics(self) -> RoomStatistics:
        """Return the room's state at this moment."""
        return RoomStatistics(len(self))

    def welcome(self, join: Join) -> StockMember:
        """Let an editor in, which holds the present text or one of those that it may have loaded."""
        now = self.clock()
        shadow = Shadow(len(self.document.text), self._loaded(now))
        member = StockMember(join.outlet, join.peer, self, shadow, edited=now, remote=join.remote)
        self._members[member] = None
        member.connect(now)
        return member

    def leave(self, member: StockMember) -> None:
        """Keep an editor that leaves until what it has made is committed."""
        if member not in self._members:
            return
        del self._members[member]
        if member.unconfirmed.count:
            self._left.append(member)
            for each in self._left[: -self._limits.left]:
                each.close(_LEFT)

    def forget(self, member: StockMember) -> None:
        """Let go of an editor that has left."""
        self._left = [each for each in self._left if each is not member]

    def find_left(self, client: str) -> StockMember | None:
        """Return the editor of that id that has left while what it made is not committed."""
        return next((member for member in self._left if member.peer.id == client), None)

    def push_next(self) -> None:
        """Have committed what editors have made, of each whose last push is settled."""
        pushes = [(member.next_push(), member) for member in self._everybody()]
        for push, member in pushes:
            if push:
                self._push(push, member)

    def publish(self, updates: Sequence[Update]) -> None:
        """Take what was committed, which the document has by now."""
        now = self.clock()
        for push in by_push(updates):
            self._earlier.append(_past(push, now))
            if self._members or self._left:
                committed = _Committed(push[0].sender, _composed(push), self.text)
                self.text = self.text.after(committed.changes)
                for member in self._everybody():
                    member.take(committed, now)
        self._left = [member for member in self._left if member.unconfirmed.count]
        self.text = View(self.document.text)
        self.push_next()

    def tell_all(self, news: Mapping[str, bytes], *, ended: Collection[str] = ()) -> None:
        """Do nothing: stock editors have no such news."""

    def show(self, frames: bytes) -> None:
        """Do nothing: stock editors are shown one another's selections as they come."""

    def select(self, member: StockMember, ranges: tuple[Range, ...]) -> None:
        """Show all what an editor has selected.

        Other stock editors select it themselves, as with the stock server, unless they are behind. That happens only
        if the limits say so, and not for an editor that may only look.
        """
        if self._limits.selections and member.peer.mode != "view_only":
            frame = selection_frame(member.peer.id, ranges)
            furthest = max((pos for pair in ranges for pos in pair), default=0)
            for each in self._members:
                if each is not member:
                    each.show_selection(frame, furthest)
        length = len(self.document.text)
        within = tuple((min(anchor, length), min(head, length)) for anchor, head in ranges)
        self._select(member.peer.id, Selection(self.document.version, within))

    def ail(self) -> None:
        """Have editors healed after a while."""
        self._ailing.set()

    async def run(self) -> None:
        """Settle the doubts about editors as soon as they are quiet, for as long as the channel lives."""
        while True:
            await self._ailing.wait()
            self._ailing = trio.Event()
            await trio.sleep(self._limits.quiet_seconds)
            now = self.clock()
            for member in list(self._members):
                member.heal(now)

    def _everybody(self) -> Iterable[StockMember]:
        return (*self._members, *self._left)

    def _loaded(self, now: float) -> dict[int, tuple[int, int]]:
        """Return the lengths of the texts that an editor may have loaded which connects now.

        For each there are the units at the beginning and at the end that all of
        them share with the present text, at least.
        """
        loaded: dict[int, tuple[int, int]] = {}
        head = tail = len(self.document.text)
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
