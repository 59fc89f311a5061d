"""The actor of one codespace: mailbox loop, committer, pub/sub reader, keeper.

The tasks wait; everything that decides is a plain function between two waits. Only `_advance` writes the
document: what the log has, whoever committed it and however it was heard.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import assert_never

import trio

from pyshare.actors.attendance import Attendance
from pyshare.actors.channel_limits import ChannelLimits
from pyshare.actors.committer import Committer
from pyshare.actors.counts import ChannelStatistics, CommitTimes, Counts
from pyshare.actors.keeper import Keeper
from pyshare.actors.log import (
    Finished,
    Logged,
    LogLost,
    LogMachine,
    Outcome,
    Refused,
    Settled,
    StorageChanged,
    Unanswerable,
)
from pyshare.actors.member import Author
from pyshare.actors.members import Members
from pyshare.actors.messages import ChannelMessage, Drain, Drained, Join, Leave, Left, Outlet, Received, Submit
from pyshare.actors.welcome import Standing
from pyshare.core.document import HistoryGap, Push, Update
from pyshare.core.errors import CloseCode, Closing, PushRefused, RefusalCode
from pyshare.core.names import fingerprint, public_name
from pyshare.core.protocol import StatusFrame
from pyshare.core.shares import Share
from pyshare.core.work import STEPS_A_SECOND, TURN_STEPS
from pyshare.store.folding import document_of
from pyshare.store.interface import (
    Announced,
    Committed,
    Deleted,
    Expired,
    Gap,
    Gone,
    Snapshot,
    Store,
    StoreEvent,
    StoreUnavailable,
)

logger = logging.getLogger(__name__)

#: Messages that a channel handles before others have their turn, and seconds after which it begins no other.
_MESSAGES_A_TURN = 64
_TURN_SECONDS = TURN_STEPS / STEPS_A_SECOND
#: What members hear when the server stops.
_RESTARTING = Closing(CloseCode.RESTARTING, "the server restarts; reconnect")


class Channel:
    """One codespace on one instance.

    The actor's owner keeps the object; everybody else holds the sending end of
    its mailbox. It lives as long as somebody holds one: what was sent before
    the last was closed is still handled, and what was accepted is committed
    before it ends, as far as the store allows within `finish_seconds`.
    """

    def __init__(
        self, codespace: str, snapshot: Snapshot, store: Store, *, instance: str, limits: ChannelLimits, share: Share
    ) -> None:
        # Its name in logs and in the names of tasks.
        self._name = public_name(codespace)
        self._limits = limits
        # What it holds of the limit for all codespaces.
        self._share = share
        # The mark of this codespace's life; another one under the same id is another codespace.
        self._epoch = snapshot.epoch
        # What the log adds up to; written by `_advance` alone.
        self._document = document_of(snapshot, limits=limits.document, share=share)
        # When it began, what has happened since, and how long the pushes that wait have done so.
        self._began = trio.current_time()
        self._counts = Counts()
        self._times = CommitTimes(self._counts)
        # Presence.
        self._attendance = Attendance(
            codespace, store, self._document, instance=instance, seconds=limits.presence_seconds
        )
        # The log: who asks the store about it, and what is asked and believed.
        self._committer = Committer(
            codespace,
            snapshot.epoch,
            store,
            on_outcomes=self._take_outcomes,
            introduce=self._attendance.introduce_authors,
        )
        self._log = LogMachine(
            codespace,
            snapshot.epoch,
            before=snapshot.before,
            document=self._document,
            share=share,
            counts=self._counts,
            limits=limits.log,
            wake=self._committer.wake,
        )
        # The members, and the keeper of the codespace.
        standing = Standing(snapshot.epoch, limits.told, snapshot.before, fingerprint(codespace))
        self._members = Members(
            self._document, self._attendance, standing, limits, share, counts=self._counts, push=self._on_push
        )
        self._keeper = Keeper(
            codespace,
            snapshot.epoch,
            store,
            document=self._document,
            log=self._log,
            attendance=self._attendance,
            members=self._members,
        )
        # Joins and visits that wait for the log to be read or for an append to end.
        self._waiting: list[Join | Submit] = []
        # Whether the server stops.
        self._draining = False
        # Why the members are closed in the end.
        self._closing: Closing | None = None
        # All tasks of the channel.
        self._tasks = trio.CancelScope()

    def statistics(self) -> ChannelStatistics:
        """Return the channel's state at this moment."""
        rooms = self._members.statistics()
        self._counts.frames = sum(room.frames_sent for room in rooms.values())
        return ChannelStatistics(
            version=self._document.version,
            units=len(self._document.text),
            began=self._began,
            edited=self._times.last,
            guests=self._members.guests,
            stock=rooms["stock"].members,
            lagging=sum(room.lagging for room in rooms.values()),
            backlog_bytes=sum(room.backlog_bytes for room in rooms.values()),
            pending=self._log.pending,
            storage=self._members.storage,
            counts=self._counts,
        )

    async def run(
        self, mailbox: trio.MemoryReceiveChannel[ChannelMessage], events: trio.MemoryReceiveChannel[StoreEvent]
    ) -> None:
        """Serve until the mailbox has no sender left, or the codespace is no more.

        However it ends, all members, and those still in the mailbox, have been told to close, and why.
        """
        closing = Closing(CloseCode.OUR_FAULT, "this codespace failed here; reconnect to go on")
        try:
            with self._tasks:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._read_events, events, name=f"reader of {self._name}")
                    take = partial(self._take_events, events)
                    nursery.start_soon(self._committer.run, self._log, take, name=f"committer of {self._name}")
                    nursery.start_soon(self._attendance.tell, self._members, name=f"presence of {self._name}")
                    for dialect, room in self._members.rooms.items():
                        nursery.start_soon(room.run, name=f"{dialect} members of {self._name}")
                    nursery.start_soon(self._keeper.run, self._limits.heartbeat_seconds, name=f"keeper of {self._name}")
                    async for message in mailbox:
                        self._on_message(message)
                        self._take_more(mailbox)
                    await self._finish()
                    nursery.cancel_scope.cancel()
            closing = self._closing or Closing(CloseCode.TRY_LATER, "this codespace is closing; reconnect")
        finally:
            if trio.current_effective_deadline() == float("-inf"):
                closing = _RESTARTING
            self._dismiss(mailbox, closing)

    # The mailbox.

    def _on_message(self, message: ChannelMessage) -> None:
        match message:
            case Received(outlet, frame):
                self._on_received(outlet, frame)
            case Drained(outlet):
                self._members.catch_up(outlet)
            case Join() | Submit():
                self._on_join(message)
            case Leave(outlet):
                self._on_leave(outlet)
            case Left(leaves):
                for leave in leaves:
                    self._on_leave(leave.outlet)
            case Drain():
                self._draining = True
                self._log.hurry()
            case _:
                assert_never(message)

    def _take_more(self, mailbox: trio.MemoryReceiveChannel[ChannelMessage]) -> None:
        """Handle what else has arrived, for a turn of the scheduler at most: it goes into one append."""
        end = trio.current_time() + _TURN_SECONDS
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            for _ in range(_MESSAGES_A_TURN):
                if trio.current_time() >= end:
                    break
                self._on_message(mailbox.receive_nowait())

    def _on_join(self, join: Join | Submit) -> None:
        if self._draining:
            join.outlet.close_nowait(_RESTARTING)
            return
        if self._must_wait(join):
            # It may know more than this instance, or it is not known yet what became of its push.
            self._waiting.append(join)
            self._log.read()
        else:
            self._admit(join)

    def _must_wait(self, join: Join | Submit) -> bool:
        """Return whether the log is read first. While the store is away, a client that knows no more need not wait."""
        if self._log.is_appending(join.peer.id) or self._reads_first(join):
            return True
        ahead = join.epoch == self._epoch and (join.version or 0) > self._document.version
        # Without a version it may have had one, and an edit in the log that this instance has not heard of.
        return ahead or ((self._log.must_read or join.version is None) and self._members.storage == "ok")

    def _reads_first(self, join: Join | Submit) -> bool:
        """Return whether a client cannot say what it has."""
        return isinstance(join, Join) and self._members.rooms[join.dialect].reads_first

    def _admit(self, join: Join | Submit) -> None:
        client = join.peer.id
        if isinstance(join, Submit):
            self._members.submit(join)
        elif self._members.admit(join):
            # It is being told what is committed, and sends again what is not.
            self._log.drop(client)
            self._times.dropped(client)

    def _on_leave(self, outlet: Outlet) -> None:
        self._waiting = [join for join in self._waiting if join.outlet is not outlet]
        self._members.leave(outlet)

    def _on_received(self, outlet: Outlet, frame: object) -> None:
        join = next((join for join in self._waiting if join.outlet is outlet), None)
        if join is not None:
            if not self._reads_first(join):
                outlet.close_nowait(Closing(CloseCode.NOT_UNDERSTOOD, "wait for the welcome before you send"))
                return
            self._waiting.remove(join)
            self._admit(join)
        member = self._members.find(outlet)
        if member is not None:
            member.receive(frame)

    def _on_push(self, push: Push, author: Author) -> None:
        """Have a push committed, or refused.

        While draining, only those are taken that cannot be sent again: all connections are about to be closed.
        """
        if self._draining and author.sends_again:
            return
        try:
            if author.peer.mode == "view_only":
                raise PushRefused(RefusalCode.VIEW_ONLY, "you may look at this codespace, not edit it")
            if not self._log.add(push, charge=author.outlet.charge):
                return
        except PushRefused as refusal:
            self._members.refuse(push, refusal)
            return
        self._times.taken(push.sender, trio.current_time())
        self._attendance.wrote(push.sender)
        self._members.introduce([push.sender])
        # What is kept for those who are behind goes first.
        self._document.trim()
        if self._log.weight_bytes > self._limits.pending_bytes or self._share.is_over:
            self._log.drop(push.sender)
            self._times.dropped(push.sender)
            reason = "edits are not being stored at the moment; keep yours and reconnect later"
            self._members.close(push.sender, Closing(CloseCode.TRY_LATER, reason))

    async def _finish(self) -> None:
        """Have what was accepted committed and the text stored, within a time limit."""
        with trio.move_on_after(self._limits.finish_seconds) as scope:
            await self._committer.wait_finished(self._log)
            await self._attendance.take_leave()
        if scope.cancelled_caught:
            extra = {"codespace": self._name, "pending": self._log.pending}
            logger.error("channel retired before the store took everything", extra=extra)

    def _dismiss(self, mailbox: trio.MemoryReceiveChannel[ChannelMessage], closing: Closing) -> None:
        self._members.close_all(closing)
        joins = self._waiting
        while True:
            try:
                message = mailbox.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
                break
            if isinstance(message, Join | Submit):
                joins.append(message)
        for join in joins:
            join.outlet.close_nowait(closing)
        mailbox.close()

    # The log.

    async def _read_events(self, events: trio.MemoryReceiveChannel[StoreEvent]) -> None:
        async for event in events:
            self._on_event(event, trio.current_time())

    def _take_events(self, events: trio.MemoryReceiveChannel[StoreEvent]) -> None:
        while events.statistics().current_buffer_used:
            self._on_event(events.receive_nowait(), trio.current_time())

    def _on_event(self, event: StoreEvent, now: float) -> None:
        match event:
            case Committed(version, updates, epoch):
                if epoch != self._epoch:
                    self._log.read()
                else:
                    self._log.hear(version, updates)
                    self._take_outcomes()
            case Announced(announcement):
                self._attendance.on_announcement(announcement, now)
            case Gap():
                self._log.doubt()
                self._attendance.ask()
            case Expired() | Deleted():
                # Whether that is so is in the log: the event may be older than this codespace.
                self._log.read()
            case _:
                assert_never(event)

    def _advance(self, version: int, updates: Sequence[Update]) -> None:
        """Take what the log has: the one place where the document changes. Idempotent."""
        try:
            new = self._document.advance(version, updates)
        except HistoryGap:
            self._log.read()
            return
        if new:
            self._log.settle(new)
            start = trio.current_time()
            self._times.committed(new, start)
            self._members.publish(new)
            self._counts.fanout_seconds.observe(trio.current_time() - start)
            self._attendance.advanced()

    def _take_outcomes(self) -> None:
        for outcome in self._log.take_outcomes():
            # A channel that ends takes nothing more: the log may be another one that has the same epoch.
            if self._closing is None:
                self._take_outcome(outcome)

    def _take_outcome(self, outcome: Outcome) -> None:
        match outcome:
            case Logged(version, updates):
                self._advance(version, updates)
            case Settled():
                self._admit_waiting(read=True)
            case Refused(push, refusal):
                self._times.dropped(push.sender)
                self._members.refuse(push, refusal)
            case Unanswerable(client):
                self._on_unanswerable(client)
            case StorageChanged(error):
                self._on_storage(error)
            case Gone(replaced):
                self._on_gone(replaced=replaced)
            case LogLost():
                self._on_log_lost()
            case Finished():
                if self._draining:
                    self._members.close_all(_RESTARTING)
            case _:
                assert_never(outcome)

    def _on_unanswerable(self, client: str) -> None:
        """Have it come back: a welcome tells it what is committed.

        An editor built on @codemirror/collab would take an update with that number for the next of its own.
        """
        self._times.dropped(client)
        reason = "your push was committed before you reconnected; reconnect to go on"
        self._members.close(client, Closing(CloseCode.TRY_LATER, reason))

    def _on_gone(self, *, replaced: bool) -> None:
        """End; whoever is here is closed with 4410, or 1013 if there is something to come back to."""
        if replaced:
            self._closing = Closing(CloseCode.TRY_LATER, "this codespace was made anew; reconnect")
        else:
            self._closing = Closing(CloseCode.GONE, "this codespace has expired or was deleted; open another one")
        self._tasks.cancel()

    def _on_log_lost(self) -> None:
        """End; whoever is here comes back to the channel that starts afresh from the store."""
        logger.warning("log lost", extra={"codespace": self._name, "version": self._document.version})
        reason = "this server missed more edits than the log keeps; reconnect"
        self._closing = Closing(CloseCode.TRY_LATER, reason)
        self._tasks.cancel()

    def _on_storage(self, error: StoreUnavailable | None) -> None:
        """Tell all members whether edits are being committed."""
        status = StatusFrame("down", error.public) if error else StatusFrame("ok")
        self._members.tell_storage(status)
        logger.debug("storage", extra={"codespace": self._name, "storage": status.storage, "error": str(error or "")})
        if error:
            self._admit_waiting(read=False)

    def _admit_waiting(self, *, read: bool) -> None:
        """Let those in who need not wait any longer; nobody waits once the log was read, even if it is behind them."""
        joins, self._waiting = self._waiting, []
        for join in joins:
            if not read and self._must_wait(join):
                self._waiting.append(join)
            else:
                self._admit(join)
