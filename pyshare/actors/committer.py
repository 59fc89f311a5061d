"""Requests of a channel to the store about the log, one at a time: append, read, put back, store the text.

Pushes that arrive while an append is under way go together into the next. A
request that fails is tried again after a pause, and always by reading the log
first: an append whose answer was lost may have happened. A store that has lost
what the channel holds is given it back before anything else. Where writing has
failed, to be able to read is not good news: all is well when something was
written.
"""

import logging
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import trio

from pyshare.actors.commits import Batch, PendingPushes
from pyshare.actors.counts import Counts
from pyshare.core.document import Document, Push, Update, weight
from pyshare.core.errors import PushRefused
from pyshare.core.names import public_name
from pyshare.core.work import TURN_STEPS, Work
from pyshare.store.interface import (
    Appended,
    Conflict,
    Gone,
    Lost,
    Snapshot,
    Store,
    StoreUnavailable,
    Tail,
)

logger = logging.getLogger(__name__)

#: When the text is due that is stored already.
_NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class CommitterLimits:
    """Times at which texts are stored, and the patience of the committer."""

    #: Texts up to this length are stored with every append, longer ones `text_seconds` later at most; earlier with
    #: the append that makes the updates since weigh as much as the text, and this much. So a store's log, which has
    #: to keep them until then, is bounded, and texts are half of what is written at most.
    text_with_append_units: int = 65_536
    text_seconds: float = 0.25
    without_text_bytes: int = 1_048_576
    #: Seconds before the first and, doubled each time, at most before a later try of what failed.
    first_retry_seconds: float = 0.1
    #: Seconds before an append is tried again where it is another instance's turn.
    turn_seconds: float = 0.005
    last_retry_seconds: float = 2


class LogListener(Protocol):
    """The channel as its committer knows it: told what becomes of its requests. No method waits."""

    def on_log(self, version: int, updates: Sequence[Update]) -> None:
        """The log has these updates, the last of which made `version`; some may be known already."""

    def on_refused(self, push: Push, refusal: PushRefused) -> None:
        """This push can never be committed."""

    def on_unanswerable(self, client: str) -> None:
        """This client waits for the answer to a push that was committed under another number."""

    def on_gone(self, *, replaced: bool) -> None:
        """The codespace is no more; if `replaced`, another one has its place."""

    def on_log_lost(self) -> None:
        """The log no longer reaches back to the document's version: the channel cannot go on from where it stands."""

    def on_storage(self, error: StoreUnavailable | None) -> None:
        """A request failed, or (None) one succeeded."""

    def on_settled(self) -> None:
        """Everything that was asked of the store has been answered, and the log has been read."""

    def on_idle(self) -> None:
        """There is nothing to commit, to read or to store."""


class Committer:
    """The one task of a channel that reads and writes the log."""

    def __init__(
        self,
        codespace: str,
        epoch: str,
        store: Store,
        *,
        before: tuple[str, ...] = (),
        document: Document,
        pending: PendingPushes,
        listener: LogListener,
        counts: Counts,
        limits: CommitterLimits,
    ) -> None:
        self._codespace = codespace
        self._epoch = epoch
        # The epochs that this one continues.
        self._before = before
        self._store = store
        # Read here, written by the listener.
        self._document = document
        # The pushes that wait; filled by the channel, emptied here.
        self._pending = pending
        self._listener = listener
        # The channel's counts; those about the log are counted here.
        self._counts = counts
        self._limits = limits
        # Whose pushes are in the append under way.
        self._appending: frozenset[str] = frozenset()
        # Whether the log has to be read before anything is appended.
        self._must_read = False
        # Whether the store has lost something that the document has.
        self._must_put_back = False
        # Whether writing has failed, and nothing was written since.
        self._writes_fail = False
        # The part of each pause that this codespace makes, so that not all of a server ask at one moment.
        self._share = 1 - zlib.crc32(codespace.encode(errors="replace")) / 2**33
        # Whether events may have been missed, and what the store has may not be what follows the document.
        self._in_doubt = False
        # By when the text has to be stored, and what the updates appended since it was weigh.
        self._text_due = _NEVER
        self._without_text_bytes = 0
        # Whether nothing is to be put off any more, and set when nothing is left.
        self._hurries = False
        self._done = trio.Event()
        # Set when there may be work, and when it need not wait for what failed to have had its pause.
        self._work = trio.Event()
        self._retry = trio.Event()

    @property
    def must_read(self) -> bool:
        """True while the log is to be read, or put back, before anything else is done."""
        return self._must_read or self._must_put_back

    @property
    def in_doubt(self) -> bool:
        """True while the log has to be read, or put back, before anything that was heard is taken for its end."""
        return self._in_doubt

    def is_appending(self, client: str) -> bool:
        """Return True if a push of `client` is in the append under way."""
        return client in self._appending

    def wake(self) -> None:
        """Look at what is pending."""
        self._work.set()

    def read_log(self) -> None:
        """Read the log before anything else is done: something was missed."""
        self._must_read = True
        self._work.set()

    def doubt(self) -> None:
        """Events may have been missed: read the log at once, even if the store failed just now; it may be back."""
        self._in_doubt = True
        self._counts.resyncs["gap"] += 1
        self._retry.set()
        self.read_log()

    def hurry(self) -> None:
        """From now on, put nothing off."""
        self._hurries = True
        self._work.set()

    async def wait_done(self) -> None:
        """Wait until there is nothing left to do, once no more pushes come."""
        self.hurry()
        await self._done.wait()

    async def run(self) -> None:
        """Serve until cancelled; what is under way then may or may not happen, and nobody has been told that it did.

        Raises:
            ChangeSetError: if what the log holds does not fit the document.
        """
        limits = self._limits
        pause = limits.first_retry_seconds
        while True:
            await self._wait_work()
            reads = self._must_read and not self._must_put_back
            try:
                written = await self._do_next()
            except StoreUnavailable as error:
                self._must_read = True
                self._writes_fail |= not reads
                self._listener.on_storage(error)
                self._retry = trio.Event()
                with trio.move_on_after(pause * self._share):
                    await self._retry.wait()
                pause = min(2 * pause, limits.last_retry_seconds)
            else:
                self._writes_fail &= not written
                if not self._writes_fail:
                    pause = limits.first_retry_seconds
                    self._listener.on_storage(None)
                if not self.must_read:
                    self._in_doubt = False
                    self._listener.on_settled()

    async def _wait_work(self) -> None:
        while not self._has_work():
            self._listener.on_idle()
            if self._hurries:
                self._done.set()
            self._work = trio.Event()
            with trio.move_on_at(self._text_due):
                await self._work.wait()

    def _has_work(self) -> bool:
        tries = self._writes_fail and not self._hurries
        return self.must_read or len(self._pending) > 0 or self._is_text_due() or tries

    def _is_text_due(self) -> bool:
        return self._text_due <= trio.current_time() or (self._hurries and self._text_due < _NEVER)

    async def _do_next(self) -> bool:
        """Do what is to be done first; return whether something was written."""
        if self._must_put_back:
            self._must_put_back = False
            held = self._held()
            self._counts.put_backs += 1
            logger.warning("put back", extra={"codespace": public_name(self._codespace), "version": held.version})
            self._on_answer(await self._store.put_back(self._codespace, held), after=held.version)
        elif self._must_read:
            self._must_read = False
            after = self._document.version
            self._on_answer(await self._store.read_log(self._codespace, self._epoch, after=after), after=after)
        elif self._is_text_due():
            # Before what is pending: under steady typing it would never be its turn.
            await self._write_text()
            return True
        elif len(self._pending):
            return await self._append(self._pending.draft(self._document, Work(TURN_STEPS)))
        elif self._writes_fail:
            # Nothing waits to be written any more.
            await self._store.check()
            return True
        return False

    async def _write_text(self) -> None:
        document = self._document
        version = document.version
        await self._store.write_text(self._codespace, self._epoch, version=version, text=document.text)
        self._text_due = _NEVER if version == document.version else self._text_by()
        self._without_text_bytes = 0

    def _text_by(self) -> float:
        return trio.current_time() + self._limits.text_seconds

    async def _append(self, batch: Batch) -> bool:
        """Append what can be; return whether it was."""
        for push, refusal in batch.refused:
            self._listener.on_refused(push, refusal)
        for client in batch.unanswerable:
            self._listener.on_unanswerable(client)
        draft = batch.draft
        if not draft.updates:
            # The rest of the work is done in later turns; others run between two.
            await trio.lowlevel.checkpoint()
            return False
        self._without_text_bytes += sum(weight(update.changes) for update in draft.updates)
        with_text = len(draft.text) <= self._limits.text_with_append_units
        with_text |= self._without_text_bytes > max(len(draft.text), self._limits.without_text_bytes)
        self._appending = batch.clients
        try:
            answer = await self._store.append(
                self._codespace,
                self._epoch,
                expected=draft.base,
                updates=draft.updates,
                text=draft.text if with_text else None,
            )
        finally:
            self._appending = frozenset()
        if isinstance(answer, Appended):
            self._counts.group_pushes.observe(len(batch.clients))
            self._text_due = _NEVER if with_text else min(self._text_due, self._text_by())
            self._without_text_bytes = 0 if with_text else self._without_text_bytes
            self._listener.on_log(answer.version, draft.updates)
            return True
        self._on_answer(answer.tail if isinstance(answer, Conflict) else answer, after=draft.base)
        self._counts.conflicts += isinstance(answer, Conflict)
        if isinstance(answer, Conflict) and self._document.version == draft.base:
            await trio.sleep(self._limits.turn_seconds)
        return False

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

    def _on_answer(self, answer: Tail | Gone | Lost, *, after: int) -> None:
        """Take what the store said when it was asked what follows version `after`."""
        if isinstance(answer, Gone):
            self._listener.on_gone(replaced=answer.replaced)
        elif isinstance(answer, Lost) or answer.version < after:
            self._must_put_back = self._in_doubt = True
        elif answer.updates is None:
            self._listener.on_log_lost()
        else:
            self._listener.on_log(answer.version, answer.updates)
