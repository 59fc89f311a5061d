"""The stock editors of a channel: what each of them has typed, what it holds, and what it is sent.

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
from pyshare.core.errors import CloseCode, Closing
from pyshare.core.protocol import Peer, Range
from pyshare.core.shadow import Shadow
from pyshare.core.sharepython import connected_frame, edit_frame, selection_frame
from pyshare.core.unconfirmed import Unconfirmed

#: Whose changes a stock editor is sent that are nobody's, or several people's.
_NOBODY = "pyshare"


@dataclass(frozen=True, slots=True)
class StockLimits:
    """How stock editors are followed."""

    #: Seconds without an edit after which an editor counts as quiet: longer than what it sends takes to arrive.
    quiet_seconds: float = 0.5
    #: How long before it connects an editor may have loaded its text; the texts, and the units of them together,
    #: that are tried then.
    loading_seconds: float = 20
    loading_texts: int = 512
    loading_units: int = 4_194_304
    #: Bytes of one push.
    push_bytes: int = 1_048_576
    #: Units of text that may be copied to follow one editor, for each second, and seconds that may be used up at once.
    #: About a twentieth of a processor.
    work_units_per_second: int = 67_108_864
    work_seconds: float = 4


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
    #: When it made an edit last.
    edited: float = 0
    #: When the work that following it has been will have been made good.
    made_good: float = 0
    #: Whether its socket is full, or it has left: nothing is sent then.
    full: bool = False
    left: bool = False


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
        self._text = document.text
        # Texts of a while ago, with their times and versions: an editor loads its text before it connects.
        self._earlier: deque[tuple[float, int, str]] = deque()
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
        shadow = Shadow(self._text, self._loaded())
        member = self._members[outlet] = StockMember(outlet, peer, shadow, edited=now)
        # It has typed nothing yet that it could have sent.
        frames = [connected_frame(peer.id, peer.mode)]
        frames += [edit_frame(_NOBODY, changes) for changes in shadow.corrections(quiet=True)]
        if not outlet.write_nowait(b"".join(frames)):
            member.full = True

    def leave(self, outlet: Outlet) -> StockMember | None:
        """Let go of an editor, when what it has made is committed; return who it was."""
        member = self._members.pop(outlet, None)
        if member is not None:
            member.left = True
            if member.unconfirmed.count:
                self._left.append(member)
        return member

    def find_client(self, client: str) -> StockMember | None:
        """Return the editor of that id, one that has left too while what it made is not committed."""
        return next((member for member in self._everybody() if member.peer.id == client), None)

    def edit(self, member: StockMember, changes: ChangeSet, now: float) -> None:
        """Take an edit that an editor has made; see `next_pushes`. One that is too much work is closed."""
        limits = self._limits
        member.made_good = max(now, member.made_good) + member.shadow.work_units / limits.work_units_per_second
        if member.made_good > now + limits.work_seconds:
            reason = "more edits than can be followed in a text of this length; reload, and go on more slowly"
            member.outlet.close_nowait(Closing(CloseCode.TOO_MANY, reason))
            self.give_up(member)
            return
        member.edited = now
        member.unconfirmed.add(member.shadow.receive(changes))
        self._correct(member, quiet=False)

    def next_pushes(self) -> list[tuple[StockMember, Push]]:
        """Return what editors have made and is to be committed next, of each whose last push is settled."""
        everybody = [(member, self._next_push(member)) for member in self._everybody() if member.unconfirmed.count]
        return [(member, push) for member, push in everybody if push]

    def _everybody(self) -> Iterable[StockMember]:
        return (*self._members.values(), *self._left)

    def _next_push(self, member: StockMember) -> Push | None:
        if member.unconfirmed.in_flight:
            return None
        flying = member.unconfirmed.launch(member.seq + 1, self._limits.push_bytes)
        if flying is None:
            return None
        member.seq += 1
        return Push(member.peer.id, member.seq, self._document.version, (flying.changes,))

    def publish(self, updates: Sequence[Update], now: float) -> None:
        """Take what was committed, which the document has by now."""
        self._note_earlier(now, self._document.version - len(updates))
        if self._members or self._left:
            for push in by_push(updates):
                self._take(push[0].sender, reduce(ChangeSet.compose, (update.changes for update in push)))
        self._left = [member for member in self._left if member.unconfirmed.count]
        self._text = self._document.text

    def refused(self, member: StockMember) -> None:
        """An editor's push can never be; take it back, in the editor too."""
        if member.unconfirmed.in_flight is None:
            return
        _, undoing = member.unconfirmed.take_back(self._text)
        self._follow(member, undoing, undoing.apply(member.shadow.aim), edit_frame(_NOBODY, undoing))

    def give_up(self, member: StockMember) -> None:
        """An editor is being closed and its push is not waited for: what it has made beyond the log is lost to it."""
        member.unconfirmed = Unconfirmed()
        self._left = [each for each in self._left if each is not member]

    def show(self, sender: str, ranges: Sequence[Range]) -> None:
        """Have the other editors select what one has selected, as the stock server does; none that is behind."""
        frame = selection_frame(sender, ranges)
        for member in self._members.values():
            furthest = max((pos for pair in ranges for pos in pair), default=0)
            if member.peer.id != sender and member.shadow.in_step and furthest <= len(member.shadow.aim):
                self._write(member, frame)

    def drained(self, member: StockMember, now: float) -> None:
        """The socket of an editor has room again: bring it up to date."""
        member.full = False
        self._correct(member, quiet=now >= member.edited + self._limits.quiet_seconds)

    async def heal(self) -> None:
        """Settle the doubts about editors as soon as they are quiet, for as long as the channel lives."""
        while True:
            await self._ailing.wait()
            self._ailing = trio.Event()
            await trio.sleep(self._limits.quiet_seconds)
            now = trio.current_time()
            for member in self.members():
                self._correct(member, quiet=now >= member.edited + self._limits.quiet_seconds)

    def _take(self, sender: str, changes: ChangeSet) -> None:
        """Take one committed push."""
        self._text = changes.apply(self._text)
        frame = edit_frame(sender, changes)
        for member in self._everybody():
            unconfirmed = member.unconfirmed
            if sender == member.peer.id and unconfirmed.in_flight:
                # The editor has it, and it is in what it is to hold.
                unconfirmed.land()
            elif unconfirmed.count:
                passed = unconfirmed.pass_over(changes)
                self._follow(member, passed, passed.apply(member.shadow.aim), edit_frame(sender, passed))
            else:
                self._follow(member, changes, self._text, frame)

    def _follow(self, member: StockMember, changes: ChangeSet, aim: str, frame: bytes) -> None:
        if member.shadow.follow(changes, aim):
            if member.full or member.left or not self._write(member, frame):
                member.shadow.take_back(1)
        else:
            self._correct(member, quiet=False)

    def _correct(self, member: StockMember, *, quiet: bool) -> None:
        if member.full or member.left:
            return
        corrections = member.shadow.corrections(quiet=quiet)
        if corrections and not self._write(member, b"".join(edit_frame(_NOBODY, each) for each in corrections)):
            member.shadow.take_back(len(corrections))
        elif not member.shadow.in_step:
            self._ailing.set()

    def _write(self, member: StockMember, data: bytes) -> bool:
        member.full = not member.outlet.write_nowait(data)
        return not member.full

    def _note_earlier(self, now: float, version: int) -> None:
        """Keep the text of `version`, the last one before what is committed now, if it is time for another."""
        earlier, seconds = self._earlier, self._limits.loading_seconds
        if not earlier or earlier[-1][0] <= now - seconds / 2:
            earlier.append((now, version, self._text))
        while len(earlier) > 1 and earlier[1][0] <= now - seconds:
            earlier.popleft()

    def _loaded(self) -> list[str]:
        """Return the texts that an editor which connects now may have loaded, the newest first."""
        if not self._earlier:
            return []
        _, version, text = self._earlier[0]
        texts = [text]
        for update in self._document.since(version) or ():
            text = update.changes.apply(text)
            texts.append(text)
        most = max(1, self._limits.loading_units // (max(map(len, texts)) or 1))
        return texts[::-1][: min(most, self._limits.loading_texts)]
