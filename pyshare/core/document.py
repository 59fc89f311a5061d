"""Text, version, history: the pushes that are rebased onto them and the updates that are committed.

A `Document` holds what is committed and changes in one way only, by
`advance`. A `Draft` gathers pushes on top of it for one append to the log; it
never touches the document. Neither waits, and neither knows of frames.

A push made on an older version is rebased over what was committed since, one
push after the other, as an editor built on @codemirror/collab does when it
receives each push in a frame of its own. That unit matters: mapping over two
pushes in turn and mapping over their composition can place an insertion
differently, where one deletes and the other inserts at the same point, and
then an editor that got them in one frame and a server that took them in turn
would part for good. So a push is one unit everywhere: in `rebase`, on the wire.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol, TypeVar

from pyshare.core.changeset import ChangeSet
from pyshare.core.errors import PushRefused, RefusalCode
from pyshare.core.units import has_lone_surrogate, normalise_line_breaks, splits_pair, to_units
from pyshare.core.work import Work, copy_steps


@dataclass(frozen=True, slots=True)
class Update:
    """One change set by one sender; its place in the log is its version."""

    #: Public id of the client.
    sender: str
    #: Number of the push that it came with, counted by the sender; several updates may share one.
    seq: int
    changes: ChangeSet


@dataclass(frozen=True, slots=True)
class Push:
    """What a client asks to commit: updates of its own, each after the one before."""

    sender: str
    seq: int
    #: Version of the text that the first change set applies to.
    version: int
    updates: tuple[ChangeSet, ...]


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """What a document keeps and accepts."""

    #: Longest text, in UTF-16 units.
    text_units: int = 524_288
    #: Updates kept for those who come back or push late.
    history_updates: int = 4096
    #: Weight of those updates: their inserted units, and eight for each section.
    history_bytes: int = 8_388_608
    #: Senders whose last push is remembered; the one that pushed longest ago is forgotten first.
    senders: int = 4096
    #: Steps that one push may cause (see `pyshare.core.work`), and one selection.
    #: What an editor types while nothing can be committed for long takes much, once.
    rebase_steps: int = 2_000_000
    select_steps: int = 200_000


class HistoryGap(ValueError):  # noqa: N818 - a fact about the updates offered, not a failure
    """Updates were offered that do not follow the document's version; those between must be read first."""


def weight(changes: ChangeSet) -> int:
    """Return about how many bytes a change set takes in the history."""
    return sum(map(len, changes.inserted)) + 8 * len(changes.sections)


def normalise(text: str) -> str:
    r"""Return an ordinary text as a document holds it: UTF-16 units, every line break one `\n`.

    A lone surrogate, which no UTF-8 text can hold, becomes U+FFFD.
    """
    units = to_units(normalise_line_breaks(text))
    if has_lone_surrogate(units):
        units = to_units(units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
    return units


class Sent(Protocol):
    """Something that came with a push."""

    @property
    def sender(self) -> str:
        """Public id of the client."""

    @property
    def seq(self) -> int:
        """Number of the push."""


_Sent = TypeVar("_Sent", bound=Sent)


def by_push(updates: Iterable[_Sent]) -> Iterator[list[_Sent]]:
    """Return `updates`, in order, as the pushes that they came with."""
    for _, push in groupby(updates, key=lambda update: (update.sender, update.seq)):
        yield list(push)


def rebase(
    updates: Sequence[ChangeSet], over: Iterable[Update], sender: str, *, work: Work | None = None
) -> list[ChangeSet]:
    """Return `updates` of `sender` moved behind `over`, whose first update starts in the same text.

    What stands in `over` as the sender's own is taken for the first of
    `updates`, committed already, and dropped; what was committed earlier stays
    left at a tie. The same as calling `rebaseUpdates` of @codemirror/collab
    once for each push in `over`.

    Raises:
        WorkSpent: if it takes more than `work`. That cannot be known before: what others insert into
            a range that is deleted cuts it into ever more sections.
    """
    work = work or Work()
    for each in updates:
        work.charge(each.steps)
    rebased = list(updates)
    for push in by_push(over):
        if not rebased:
            break
        if push[0].sender == sender:
            del rebased[: len(push)]
            continue
        changes = push[0].changes
        for update in push[1:]:
            work.charge(changes.steps + update.changes.steps)
            changes = changes.compose(update.changes)
        for index, own in enumerate(rebased):
            work.charge(own.steps + changes.steps)
            rebased[index] = own.map(changes)
            if index + 1 < len(rebased):
                changes = changes.map(own, before=True)
    return rebased


class Document:
    """The committed text of a codespace with its recent past.

    `history` are the updates that lead to `version`, the last one first
    making it; `text` is a units string. Limits bound the history from its old
    end; the text is taken as it is, since it is committed.
    """

    def __init__(
        self, text: str = "", version: int = 0, *, limits: DocumentLimits, history: Iterable[Update] = ()
    ) -> None:
        # The committed text, a units string.
        self._text = text
        # Updates committed since the codespace was made.
        self._version = version
        # The last updates, oldest first.
        self._history: deque[Update] = deque()
        # Sum of the history's weights.
        self._history_bytes = 0
        # The last push of each sender, the latest sender last.
        self._last_seqs: dict[str, int] = {}
        self._limits = limits
        for update in history:
            self._remember(update)
        self._trim()

    @classmethod
    def load(
        cls,
        text: str,
        version: int,
        *,
        log: Sequence[Update],
        log_version: int,
        last_seqs: Mapping[str, int],
        limits: DocumentLimits,
    ) -> "Document":
        """Return the document that `text` at `version` and the tail of the log add up to.

        `log_version` is the version of the log's last update; the log may
        begin before `version` (that part becomes history) but not after it.
        `last_seqs` are the last pushes of senders that the log may have
        forgotten, the latest sender last.

        Raises:
            HistoryGap: if updates between the text and the log are missing.
        """
        start = log_version - len(log)
        if not start <= version <= log_version:
            raise HistoryGap(f"the text is of version {version}, the log holds {start} to {log_version}")
        known = version - start
        document = cls(text, version, limits=limits, history=log[:known])
        document.advance(log_version, log[known:])
        document._last_seqs = {**last_seqs, **document._last_seqs}
        document._trim()
        return document

    @property
    def text(self) -> str:
        """The committed text, a units string."""
        return self._text

    @property
    def version(self) -> int:
        """How many updates have been committed since the codespace was made."""
        return self._version

    @property
    def oldest(self) -> int:
        """The oldest version from which the history leads to the present one."""
        return self._version - len(self._history)

    @property
    def limits(self) -> DocumentLimits:
        """What this document keeps and accepts."""
        return self._limits

    def since(self, version: int) -> list[Update] | None:
        """Return the updates after `version`; None if it is to come, or the history does not reach back to it."""
        if not self.oldest <= version <= self._version:
            return None
        count = self._version - version
        if count * 2 < len(self._history):
            tail = [self._history[-1 - index] for index in range(count)]
            tail.reverse()
            return tail
        return list(self._history)[len(self._history) - count :]

    @property
    def last_seqs(self) -> Mapping[str, int]:
        """The last push of each sender that is remembered, the latest sender last; a copy."""
        return dict(self._last_seqs)

    def last_seq(self, sender: str) -> int:
        """Return the number of the last push of `sender` that was committed, 0 for none."""
        return self._last_seqs.get(sender, 0)

    def advance(self, version: int, updates: Sequence[Update]) -> list[Update]:
        """Commit `updates`, the last of which makes `version`; return those that were new, in order.

        Idempotent: what the document has already is passed over.

        Raises:
            HistoryGap: if updates between the document and these are missing; nothing is committed.
            ChangeSetError: if an update does not fit the text; those before it are committed.
        """
        first = version - len(updates)
        if first > self._version:
            raise HistoryGap(f"version {self._version} is followed by {first + 1}")
        new = list(updates[self._version - first :]) if version > self._version else []
        for update in new:
            self._text = update.changes.apply(self._text)
            self._version += 1
            self._remember(update)
        self._trim()
        return new

    def rebased(self, push: Push, work: Work) -> Push:
        """Return `push` as it applies to the present text; what of it is committed already is dropped.

        What was rebased once is rebased further at the price of what was
        committed since.

        Raises:
            PushRefused: if it cannot be committed, ever.
            WorkSpent: if it takes more than `work`.
        """
        over = self.since(push.version)
        if over is None and push.version > self._version:
            reason = f"version {push.version} does not exist yet; the newest is {self._version}"
            raise PushRefused(RefusalCode.TOO_NEW, reason)
        if over is None:
            reason = f"version {push.version} is older than the history, which begins at {self.oldest}"
            raise PushRefused(RefusalCode.TOO_OLD, reason)
        _check_lengths(push.updates, over[0].changes.length if over else len(self._text))
        return Push(push.sender, push.seq, self._version, tuple(rebase(push.updates, over, push.sender, work=work)))

    def map_ranges(self, version: int, ranges: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...] | None:
        """Return selection `ranges` (anchor, head) of `version` as they are now, None if that is not known.

        That is so when the history does not reach back to `version`, when
        `version` is to come, when a position lies outside its text, or when it
        would take more than `select_steps`.
        """
        over = self.since(version)
        if over is None:
            return None
        length = over[0].changes.length if over else len(self._text)
        if any(not 0 <= pos <= length for pair in ranges for pos in pair):
            return None
        if len(ranges) * sum(len(update.changes.sections) for update in over) > self._limits.select_steps:
            return None
        mapped = list(ranges)
        for update in over:
            map_pos = update.changes.map_pos
            mapped = [(map_pos(anchor), map_pos(head)) for anchor, head in mapped]
        return tuple(mapped)

    def _remember(self, update: Update) -> None:
        self._history.append(update)
        self._history_bytes += weight(update.changes)
        last = self._last_seqs.pop(update.sender, 0)
        self._last_seqs[update.sender] = max(last, update.seq)

    def _trim(self) -> None:
        limits = self._limits
        while len(self._history) > limits.history_updates or self._history_bytes > limits.history_bytes:
            self._history_bytes -= weight(self._history.popleft().changes)
        while len(self._last_seqs) > limits.senders:
            del self._last_seqs[next(iter(self._last_seqs))]


class Draft:
    """Pushes gathered for one append, each rebased on the document and on those before it.

    Valid as long as the document's version is `base`.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        # Version that the draft's first update follows.
        self.base = document.version
        # Text after the draft's last update, a units string.
        self.text = document.text
        # What the append will commit, in order.
        self.updates: list[Update] = []
        # Last push of each sender that is in the draft.
        self._seqs: dict[str, int] = {}

    def add(self, push: Push, work: Work | None = None) -> bool:
        """Put `push` at the draft's end; return False if all of it is committed already.

        What that takes is taken from `work`, as much as one push may cause unless given.

        That is so when a push of its number, or a later one, is; and when its
        updates are, under the number that they had before a reconnect.

        Raises:
            PushRefused: if it cannot be committed, ever; the draft is as it was.
            WorkSpent: if it takes more than `work`; the draft is as it was.
        """
        if push.seq <= max(self._document.last_seq(push.sender), self._seqs.get(push.sender, 0)):
            return False
        text = self.text
        limits = self._document.limits
        work = work or Work(limits.rebase_steps)
        work.charge(len(push.updates) * copy_steps(len(text)))
        current = self._document.rebased(push, work)
        rebased = rebase(current.updates, self.updates, push.sender, work=work)
        for changes in rebased:
            text = _applied(changes, text)
        if len(text) > max(limits.text_units, len(self.text)):
            reason = f"the text would have {len(text)} units; the limit is {limits.text_units}"
            raise PushRefused(RefusalCode.TOO_LONG, reason)
        self.text = text
        self.updates.extend(Update(push.sender, push.seq, changes) for changes in rebased)
        if rebased:
            self._seqs[push.sender] = push.seq
        return bool(rebased)


def _check_lengths(updates: Sequence[ChangeSet], length: int) -> None:
    for index, changes in enumerate(updates):
        if changes.length != length:
            reason = f"updates[{index}] is for a text of {changes.length} units; there it has {length}"
            raise PushRefused(RefusalCode.INVALID, reason)
        if any(map(has_lone_surrogate, changes.inserted)):
            raise PushRefused(RefusalCode.INVALID, f"updates[{index}] inserts half a surrogate pair")
        length = changes.new_length


def _applied(changes: ChangeSet, text: str) -> str:
    """Return `text` after `changes`, none of which may cut a surrogate pair in two."""
    if not text.isascii():
        for change in changes.changes():
            if splits_pair(text, change.from_a) or splits_pair(text, change.to_a):
                reason = f"the change at {change.from_a} to {change.to_a} splits a surrogate pair"
                raise PushRefused(RefusalCode.INVALID, reason)
    return changes.apply(text)
