"""Text, version and history: the updates that are committed.

A `Document` holds what is committed and changes in one way only, by
`advance`. It does not wait, and does not know of frames.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol, TypeVar

from pyshare.core.changeset import ChangeSet
from pyshare.core.errors import PushRefused, RefusalCode
from pyshare.core.shares import Share, unlimited_share
from pyshare.core.units import has_lone_surrogate, normalise_line_breaks, to_units
from pyshare.core.work import Work


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
    #: Whether it is for this version only, and refused when anything else was committed first.
    exact: bool = False


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """What a document keeps and accepts."""

    #: Longest text, in UTF-16 units.
    text_units: int = 524_288
    #: Updates kept for those who come back or push late; the updates of one push count as one, so that nobody can
    #: flush the history with a few pushes.
    history_updates: int = 4096
    #: Weight of those updates (see `weight`).
    history_bytes: int = 8_388_608
    #: Senders whose last push is remembered; the one that pushed longest ago is forgotten first.
    senders: int = 4096
    #: Steps that one push may cause until it is committed (see `pyshare.core.work`). Edits that were typed while
    #: nothing could be committed for long take many, once.
    rebase_steps: int = 4_000_000
    #: Steps of composing the updates of one push: all who push at the same time have to take them too.
    compose_steps: int = 40_000
    #: Updates of one push that change nothing; an editor has some after others deleted the same text.
    empty_updates: int = 16


#: Bytes that an update takes in memory besides its sections and texts, about.
_UPDATE_BYTES = 256


class HistoryGap(ValueError):  # noqa: N818 - a fact about the updates offered, not a failure
    """Updates were offered that do not follow the document's version; those between must be read first."""


def weight(changes: ChangeSet) -> int:
    """Return about how many bytes an update takes in the history: so many itself, and its sections and texts."""
    return _UPDATE_BYTES + sum(map(len, changes.inserted)) + 8 * len(changes.sections)


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


def tip_of(update: Sent) -> str:
    """Return the mark of an update by which two logs of one epoch are told apart: its sender and the push's number."""
    return f"{update.sender}:{update.seq}"


def by_push(updates: Iterable[_Sent]) -> Iterator[list[_Sent]]:
    """Return `updates`, in order, as the pushes that they came with."""
    for _, push in groupby(updates, key=lambda update: (update.sender, update.seq)):
        yield list(push)


class Document:
    """The committed text of a codespace with its recent past.

    `history` are the updates that lead to `version`, the last one first
    making it; `text` is a units string. Limits bound the history from its old
    end, and so does `share`, what the codespace may hold of a limit for all;
    the text is taken as it is, since it is committed.
    """

    def __init__(
        self,
        text: str = "",
        version: int = 0,
        *,
        limits: DocumentLimits,
        history: Iterable[Update] = (),
        share: Share | None = None,
    ) -> None:
        # The committed text, a units string.
        self._text = text
        # Updates committed since the codespace was made.
        self._version = version
        # The last updates, oldest first.
        self._history: deque[Update] = deque()
        # Sum of the history's weights, and the pushes that its updates came with.
        self._history_bytes = 0
        self._history_pushes = 0
        self._share = share or unlimited_share()
        # The last push of each sender, the latest sender last.
        self._last_seqs: dict[str, int] = {}
        self._limits = limits
        for update in history:
            self._remember(update)
        self.trim()

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
        share: Share | None = None,
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
        document = cls(text, version, limits=limits, history=log[:known], share=share)
        document.advance(log_version, log[known:])
        document._last_seqs = {**last_seqs, **document._last_seqs}
        document.trim()
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
        self.trim()
        return new

    def behind(self, push: Push) -> list[Update]:
        """Return the updates that `push` has to be rebased over.

        Raises:
            PushRefused: if its version is to come, or older than the history.
        """
        over = self.since(push.version)
        if over is None and push.version > self._version:
            reason = f"version {push.version} does not exist yet; the newest is {self._version}"
            raise PushRefused(RefusalCode.TOO_NEW, reason)
        if over is None:
            reason = f"version {push.version} is older than the history, which begins at {self.oldest}"
            raise PushRefused(RefusalCode.TOO_OLD, reason)
        return over

    def length_at(self, version: int) -> int | None:
        """Return the length of the text of `version`, None if the history does not reach back to it."""
        if version == self._version:
            return len(self._text)
        index = len(self._history) - (self._version - version)
        return self._history[index].changes.length if 0 <= index < len(self._history) else None

    def tip_at(self, version: int) -> str | None:
        """Return the mark of the update that made `version` (see `tip_of`), None if the history does not have it."""
        index = len(self._history) - (self._version - version) - 1
        return tip_of(self._history[index]) if 0 <= index < len(self._history) else None

    def move(self, version: int, positions: Sequence[int], work: Work) -> tuple[int, list[int]]:
        """Move `positions` of `version`, in ascending order, towards the present version, update by update.

        Returns the version that they have come to when `work` is spent or
        nothing is left to do. The history has to reach back to `version`, and
        the text of `version` to each position.
        """
        moved = list(positions)
        for update in self.since(version) or ():
            if work.left <= 0:
                break
            work.take(update.changes.steps + len(moved))
            moved = update.changes.map_sorted(moved)
            version += 1
        return version, moved

    def _remember(self, update: Update) -> None:
        self._history_pushes += not self._history or not _is_one_push(self._history[-1], update)
        self._history.append(update)
        self._weigh(weight(update.changes))
        last = self._last_seqs.pop(update.sender, 0)
        self._last_seqs[update.sender] = max(last, update.seq)

    def trim(self) -> None:
        """Let go of the oldest history that is above the limits, or above the share of a limit that others use too."""
        limits = self._limits
        history = self._history
        while history and (
            self._history_pushes > limits.history_updates
            or self._history_bytes > limits.history_bytes
            or self._share.is_over
        ):
            oldest = history.popleft()
            self._weigh(-weight(oldest.changes))
            self._history_pushes -= not history or not _is_one_push(oldest, history[0])
        while len(self._last_seqs) > limits.senders:
            del self._last_seqs[next(iter(self._last_seqs))]

    def _weigh(self, size_bytes: int) -> None:
        self._history_bytes += size_bytes
        self._share.change(size_bytes)


def _is_one_push(first: Update, second: Update) -> bool:
    return (first.sender, first.seq) == (second.sender, second.seq)
