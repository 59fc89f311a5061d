"""The state machine between a channel and the log in the store: pending pushes, doubt, the due text, and retries.

It has no task, no clock and no store. `next_request` returns the one request that the store is to be asked now;
`on_answer` takes the answer. Both add outcomes, which the channel takes in order (`take_outcomes`).

- One request is under way at a time. Pushes that arrive meanwhile go together into the next append.
- A request that failed is followed by a pause, and then by reading the log: an append whose answer was lost may have
  happened.
- A store that has lost what the channel holds is given it back before anything else.
- After a failed write, a successful read does not end the failure; a successful write does.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from pyshare.actors.commits import PendingPushes
from pyshare.actors.counts import Counts
from pyshare.core.document import Document, Push, Update, weight
from pyshare.core.errors import PushRefused
from pyshare.core.shares import Share
from pyshare.core.work import TURN_STEPS, Work
from pyshare.store.interface import Appended, Conflict, Gone, Lost, Snapshot, StoreUnavailable, Tail

#: The time at which a text is due that is stored already.
_NEVER: Final = float("inf")
#: Bytes of the events that are kept while the log is read, and of one event without updates; as `weight` counts them.
_HEARD_BYTES: Final = 4_194_304
_EVENT_BYTES: Final = 200


@dataclass(frozen=True, slots=True)
class LogLimits:
    """Times at which texts are stored, and pauses after failures."""

    #: Texts up to this length are stored with every append. Longer ones are stored `text_seconds` later at most, or
    #: earlier with the append that makes the updates since weigh as much as the text, and `without_text_bytes`. So a
    #: store's log, which has to keep them until then, is bounded, and texts are at most half of what is written.
    text_with_append_units: int = 65_536
    text_seconds: float = 0.25
    without_text_bytes: int = 1_048_576
    #: Seconds before the first retry, doubled for each next one, and seconds before a retry at most.
    first_retry_seconds: float = 0.1
    last_retry_seconds: float = 2
    #: Seconds before an append is tried again where it is another instance's turn.
    turn_seconds: float = 0.005


@dataclass(frozen=True, slots=True)
class Append:
    """Append `updates` to the log if its version is `base`, and store `text`, if given."""

    base: int
    updates: tuple[Update, ...]
    text: str | None
    #: Clients whose pushes these are.
    clients: frozenset[str]


@dataclass(frozen=True, slots=True)
class ReadLog:
    """Read the updates after this version."""

    after: int


@dataclass(frozen=True, slots=True)
class PutBack:
    """Give the store back what it has lost."""

    held: Snapshot


@dataclass(frozen=True, slots=True)
class WriteText:
    """Store the text of this version."""

    version: int
    text: str


@dataclass(frozen=True, slots=True)
class Check:
    """Write something small: writing failed, and nothing waits to be written."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Ask the store nothing: the next append takes more than a turn of work, and others run before it goes on."""


Request: TypeAlias = Append | ReadLog | PutBack | WriteText | Check | Turn
Answer: TypeAlias = Appended | Conflict | Gone | Lost | Tail | StoreUnavailable | None


@dataclass(frozen=True, slots=True)
class Logged:
    """The log has these updates, the last of which made `version`. Some may be known already."""

    version: int
    updates: Sequence[Update]


@dataclass(frozen=True, slots=True)
class Refused:
    """This push can never be committed."""

    push: Push
    refusal: PushRefused


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """This client waits for the answer to a push that was committed under another number."""

    client: str


@dataclass(frozen=True, slots=True)
class LogLost:
    """The log no longer reaches back to the document's version: the channel cannot go on from where it stands."""


@dataclass(frozen=True, slots=True)
class StorageChanged:
    """From now on edits are not being committed, because of `error`, the newest reason; or (None) they are again."""

    error: StoreUnavailable | None


@dataclass(frozen=True, slots=True)
class Settled:
    """The log has been read: nothing that was heard is in doubt."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing is left to do, and nothing was put off (see `LogMachine.hurry`)."""


Outcome: TypeAlias = Logged | Refused | Unanswerable | Gone | LogLost | StorageChanged | Settled | Finished


class LogMachine:
    """The requests of one channel to its log that are still to be made, and its knowledge of the log."""

    def __init__(
        self,
        codespace: str,
        epoch: str,
        *,
        before: tuple[str, ...] = (),
        document: Document,
        share: Share | None = None,
        counts: Counts,
        limits: LogLimits,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._epoch = epoch
        # The epochs that this one continues.
        self._before = before
        # Read here, written by the channel.
        self._document = document
        # The channel's counts; those about the log are counted here.
        self._counts = counts
        self._limits = limits
        # Called when there may be a request, though none was under way.
        self._wake = wake
        # Pushes that are accepted and not settled.
        self._pending = PendingPushes(share)
        # The request that has no answer yet.
        self._under_way: Request | None = None
        # True while the log has to be read before anything is appended.
        self._must_read = False
        # True while the store has lost something that the document has.
        self._must_put_back = False
        # True from a failed write to the next successful one.
        self._writes_fail = False
        # True while events may have been missed: what the store has may not be what follows the document.
        self._in_doubt = False
        # What was heard while it was in doubt, and its weight in bytes.
        self._heard: list[Logged] = []
        self._heard_bytes = 0
        # The reason, in words for people, that the channel was told of edits not being committed; None while they are.
        self._told_reason: str | None = None
        # Time before which nothing is requested, and seconds of the pause after the next failure. Each codespace has a
        # part of the pause of its own, so that those of one server do not ask at one moment.
        self._not_before = -_NEVER
        self._pause = limits.first_retry_seconds
        self._part = 1 - zlib.crc32(codespace.encode(errors="replace")) / 2**33
        # Time by which the text has to be stored, and weight of the updates appended since it was stored.
        self._text_due = _NEVER
        self._without_text_bytes = 0
        # True when nothing is to be put off any more.
        self._hurries = False
        self._outcomes: list[Outcome] = []

    @property
    def must_read(self) -> bool:
        """True while the log is to be read, or put back, before anything else is done."""
        return self._must_read or self._must_put_back

    @property
    def pending(self) -> int:
        """Number of pushes that wait."""
        return len(self._pending)

    @property
    def weight_bytes(self) -> int:
        """About the bytes that the waiting pushes take."""
        return self._pending.weight_bytes

    @property
    def is_finished(self) -> bool:
        """True when nothing waits, and nothing is under way."""
        return not (self._under_way or self.must_read or len(self._pending) or self._text_due < _NEVER)

    def is_appending(self, client: str) -> bool:
        """Return True if a push of `client` is in the append under way."""
        return isinstance(self._under_way, Append) and client in self._under_way.clients

    def wake_at(self, now: float) -> float:
        """Return the time at which `next_request` may return something though nothing happens until then."""
        return self._not_before if self._not_before > now else self._text_due

    def take_outcomes(self) -> Sequence[Outcome]:
        """Return the outcomes since the last call, in order."""
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    # What the channel asks.

    def add(self, push: Push, *, charge: Callable[[int], None]) -> bool:
        """Have `push` committed; return False if it is known already.

        `charge` is called with the steps of work that the push takes in each turn, until it is settled or dropped.

        Raises:
            PushRefused: if its number cannot be: one push in flight a client, numbers count up.
        """
        if not self._pending.add(push, self._document, charge=charge):
            return False
        self._must_read |= push.version > self._document.version
        self._wake()
        return True

    def drop(self, client: str) -> None:
        """Let go of the push of `client`, if one waits."""
        self._pending.drop((client,))

    def settle(self, updates: Sequence[Update]) -> None:
        """Let go of the pushes that committed `updates` were."""
        self._pending.settle(updates)

    def hear(self, version: int, updates: Sequence[Update]) -> None:
        """Take an event of the store. While its place is in doubt, it is kept until the log was read."""
        if not self._in_doubt:
            self._outcomes.append(Logged(version, updates))
            return
        self._heard.append(Logged(version, updates))
        self._heard_bytes += _EVENT_BYTES + sum(weight(update.changes) for update in updates)
        if self._heard_bytes > _HEARD_BYTES:
            self._forget_heard()
            self.read()

    def _forget_heard(self) -> None:
        self._heard.clear()
        self._heard_bytes = 0

    def read(self) -> None:
        """Read the log before anything else is done: something was missed."""
        self._must_read = True
        self._wake()

    def doubt(self) -> None:
        """Read the log at once, even after a failure, since events may have been missed."""
        self._in_doubt = True
        self._counts.resyncs["gap"] += 1
        self._not_before = -_NEVER
        self.read()

    def hurry(self) -> None:
        """From now on, put nothing off."""
        self._hurries = True
        self._wake()

    # What the store is asked.

    def next_request(self, now: float) -> Request | None:
        """Return what the store is to be asked now; None if nothing, until `wake_at` or the next call of `wake`."""
        self._under_way = self._next(now)
        return self._under_way

    def on_answer(self, request: Request, answer: Answer, now: float) -> None:
        """Take the store's answer to `request`, or the failure to get one."""
        self._under_way = None
        if isinstance(request, Turn):
            return
        if isinstance(answer, StoreUnavailable):
            self._must_read = True
            self._writes_fail |= not isinstance(request, ReadLog)
            self._tell_storage(answer)
            self._not_before = now + self._pause * self._part
            self._pause = min(2 * self._pause, self._limits.last_retry_seconds)
            return
        if self._take(request, answer, now):
            self._writes_fail = False
        if not self._writes_fail:
            self._pause = self._limits.first_retry_seconds
            self._tell_storage(None)
        if not self.must_read:
            self._in_doubt = False
            self._outcomes += [*self._heard, Settled()]
            self._forget_heard()

    def _next(self, now: float) -> Request | None:
        if now < self._not_before:
            return None
        if self._must_put_back:
            self._must_put_back = False
            self._counts.put_backs += 1
            return PutBack(self._held())
        if self._must_read:
            self._must_read = False
            return ReadLog(self._document.version)
        if self._text_due <= now or (self._hurries and self._text_due < _NEVER):
            # Before what is pending: under steady typing it would never be its turn.
            return WriteText(self._document.version, self._document.text)
        if len(self._pending):
            return self._append()
        if self._hurries:
            self._outcomes.append(Finished())
        elif self._writes_fail:
            return Check()
        return None

    def _append(self) -> Append | Turn:
        """Return the next append, of all that wait as far as one turn of work reaches."""
        batch = self._pending.draft(self._document, Work(TURN_STEPS))
        self._outcomes += [Refused(push, refusal) for push, refusal in batch.refused]
        self._outcomes += map(Unanswerable, batch.unanswerable)
        draft = batch.draft
        if not draft.updates:
            return Turn()
        self._without_text_bytes += sum(weight(update.changes) for update in draft.updates)
        with_text = len(draft.text) <= self._limits.text_with_append_units
        with_text |= self._without_text_bytes > max(len(draft.text), self._limits.without_text_bytes)
        return Append(draft.base, tuple(draft.updates), draft.text if with_text else None, batch.clients)

    def _take(self, request: Request, answer: Answer, now: float) -> bool:
        """Take what the store answered; return True if something was written."""
        match request, answer:
            case Append(), Appended(version):
                self._counts.group_pushes.observe(len(request.clients))
                with_text = request.text is not None
                self._text_due = _NEVER if with_text else min(self._text_due, now + self._limits.text_seconds)
                self._without_text_bytes = 0 if with_text else self._without_text_bytes
                self._outcomes.append(Logged(version, request.updates))
                return True
            case Append(base), Conflict(tail):
                self._counts.conflicts += 1
                self._take_tail(tail, after=base)
                if tail.version == base == self._document.version:
                    self._not_before = now + self._limits.turn_seconds
            case WriteText(version), None:
                later = version != self._document.version
                self._text_due = now + self._limits.text_seconds if later else _NEVER
                self._without_text_bytes = 0
                return True
            case Check(), None:
                return True
            case ReadLog(after), Tail():
                self._take_tail(answer, after=after)
            case PutBack(held), Tail():
                self._take_tail(answer, after=held.version)
            case _, Gone():
                self._outcomes.append(answer)
            case _, Lost():
                self._must_put_back = self._in_doubt = True
            case _:
                raise TypeError(f"{answer!r} is not an answer to {request!r}")
        return False

    def _take_tail(self, tail: Tail, *, after: int) -> None:
        """Take what follows version `after` in the log."""
        if tail.version < after:
            self._must_put_back = self._in_doubt = True
        elif tail.updates is None:
            self._outcomes.append(LogLost())
        elif tail.updates:
            self._outcomes.append(Logged(tail.version, tail.updates))

    def _tell_storage(self, error: StoreUnavailable | None) -> None:
        reason = error.public if error else None
        if reason != self._told_reason:
            self._told_reason = reason
            self._outcomes.append(StorageChanged(error))

    def _held(self) -> Snapshot:
        """Return all that is known of the codespace."""
        document = self._document
        return Snapshot(
            epoch=self._epoch,
            text=document.text,
            text_version=document.version,
            version=document.version,
            log=tuple(document.since(document.oldest) or ()),
            last_seqs=document.last_seqs,
            before=self._before,
        )
