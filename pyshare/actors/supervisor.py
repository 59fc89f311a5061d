"""The only owner of the table of channels: acquire, retire, isolate a crash.

Nobody else starts a channel, ends one or knows which there are. A connection
takes a lease (`open_lease`): a sending end of the channel's mailbox that stays
good as long as the channel lives. When the last lease on a channel has been
given back, it is kept for a short linger, then retired; whoever asks for it
while it ends is given the next one, loaded afresh.

Each lease stands for itself: a right that one client has, to make the codespace
or not, is never applied to another.
"""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import assert_never

import trio

from pyshare.actors.channel import Channel
from pyshare.actors.channel_limits import ChannelLimits
from pyshare.actors.counts import ChannelStatistics, Counts
from pyshare.actors.messages import ChannelMessage, Drain, Leave, Left
from pyshare.core.errors import CloseCode, Closing, ConnectionRefused, leaves
from pyshare.core.names import public_name
from pyshare.core.shares import SharedLimit
from pyshare.store.folding import folded
from pyshare.store.interface import NotACodespace, Snapshot, Store, StoreUnavailable

logger = logging.getLogger(__name__)

Mailbox = trio.MemorySendChannel[ChannelMessage]

_NO_SUCH = Closing(CloseCode.NO_SUCH_CODESPACE, "there is no such codespace, or it has expired")
_DAMAGED = Closing(CloseCode.NO_SUCH_CODESPACE, "what is stored of this codespace cannot be read; open another one")


def at_any_rate() -> Closing | None:
    """Allow a codespace to be made, however many have been."""
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Acquire:
    """Answer with a sending end of the codespace's channel, started if need be, or with why there is none.

    The message itself is the lease's name; whoever sends it sends a
    `Release` of it too, whatever the answer was, and closes the sending end.
    """

    codespace: str
    #: Whether a codespace that does not exist is to be made for this lease.
    create: bool
    #: Takes one answer without waiting.
    reply: trio.MemorySendChannel["Mailbox | Closing"]
    #: Called when the codespace is about to be made for this lease: counts it, or says why not now.
    count: Callable[[], Closing | None] = at_any_rate


@dataclass(frozen=True, slots=True)
class Release:
    """A lease, or the wish for one, is given back."""

    lease: Acquire
    #: The leave of the member that had the lease, if it had joined.
    leave: Leave | None = None


SupervisorMessage = Acquire | Release


@dataclass(frozen=True, slots=True)
class SupervisorLimits:
    """How the supervisor keeps its channels."""

    channel: ChannelLimits
    #: Seconds that a channel without clients is kept.
    linger_seconds: float = 10
    #: Messages that a channel's mailbox holds before those who send wait.
    mailbox_messages: int = 64
    #: Bytes of histories, of pushes that wait, and of frames for laggards, of all channels together. Above it each
    #: channel has an equal share.
    codespaces_bytes: int = 1_073_741_824


@asynccontextmanager
async def open_lease(
    supervisor: trio.MemorySendChannel[SupervisorMessage],
    codespace: str,
    *,
    create: bool,
    count: Callable[[], Closing | None] = at_any_rate,
    last: Leave | None = None,
) -> AsyncIterator[Mailbox]:
    """Hold a sending end of the codespace's channel; it is closed and given back when the context is left.

    `count` is called if the codespace is made for this lease. The channel gets
    `last` when the context is left, behind all that was sent before: it arrives
    as long as the channel lives, however busy the channel is, and nobody here
    waits for that.

    Raises:
        ConnectionRefused: if there is no such codespace, or it cannot be had at the moment.
    """
    send_reply, receive_reply = trio.open_memory_channel[Mailbox | Closing](1)
    lease = Acquire(codespace, create, send_reply, count)
    _send(supervisor, lease)
    leave: Leave | None = None
    try:
        answer = await receive_reply.receive()
        if isinstance(answer, Closing):
            raise ConnectionRefused(answer)
        leave = last
        with answer:
            yield answer
    finally:
        _give_back(supervisor, lease, receive_reply, leave)


def _send(supervisor: trio.MemorySendChannel[SupervisorMessage], message: SupervisorMessage) -> None:
    try:
        supervisor.send_nowait(message)
    except trio.BrokenResourceError:
        raise ConnectionRefused(Closing(CloseCode.RESTARTING, "the server restarts; reconnect")) from None


def _give_back(
    supervisor: trio.MemorySendChannel[SupervisorMessage],
    lease: Acquire,
    reply: trio.MemoryReceiveChannel[Mailbox | Closing],
    leave: Leave | None,
) -> None:
    """Close what was answered and not received, for a cancelled wait, and release the lease."""
    with lease.reply, reply, suppress(trio.WouldBlock):
        unread = reply.receive_nowait()
        if not isinstance(unread, Closing):
            unread.close()
    # A supervisor that has ended has no leases left, and no channels.
    with suppress(ConnectionRefused):
        _send(supervisor, Release(lease, leave))


@dataclass(slots=True, eq=False)
class _Entry:
    """A channel as its owner sees it."""

    codespace: str
    #: The codespace's name for logs and tasks.
    name: str
    #: The sending end from which leases are cloned; closed when the channel is retired.
    mailbox: Mailbox
    #: Leases that are held, and wishes for one that wait until the channel has started or the next can.
    leases: set[Acquire] = field(default_factory=set)
    waiting: dict[Acquire, None] = field(default_factory=dict)
    #: The channel, once it has started.
    channel: Channel | None = None
    #: Whether it ends: its mailbox is closed, or it failed.
    retired: bool = False
    #: Since when nobody has a lease on it, and whether somebody waits for the linger to pass.
    empty_since: float = 0
    lingering: bool = False
    #: Leaves of which the channel has not been told, and whether a task does that.
    leaves: list[Leave] = field(default_factory=list)
    delivering: bool = False

    @property
    def in_use(self) -> bool:
        """Whether somebody has a lease on the channel or waits for one."""
        return bool(self.leases or self.waiting)


@dataclass(frozen=True, slots=True)
class SupervisorStatistics:
    """An instance at one moment."""

    #: The channels that serve, by codespace.
    channels: Mapping[str, ChannelStatistics]
    #: What they and all before them have counted.
    counts: Counts
    #: Channels that have failed.
    failed: int
    #: Pushes that are not saved, by codespace, where there are any: of channels that serve, and of those that ended
    #: while the instance was draining.
    unsaved: Mapping[str, int] = field(default_factory=dict)


class Supervisor:
    """The actor that owns all channels of one instance."""

    def __init__(self, store: Store, *, instance: str, limits: SupervisorLimits) -> None:
        self._store = store
        self._instance = instance
        self._limits = limits
        #: What the channels hold together.
        self.held = SharedLimit(limits.codespaces_bytes)
        # The table of channels, by codespace.
        self._entries: dict[str, _Entry] = {}
        # Which entry each lease, or wish for one, belongs to.
        self._owners: dict[Acquire, _Entry] = {}
        # Whether the server stops.
        self._draining = False
        # What channels have counted that have ended, and how many of them have failed.
        self._counts = Counts()
        self._failed = 0
        # Pushes that channels had not saved when they ended while draining, by codespace.
        self._left: dict[str, int] = {}
        # Set when there is no channel left.
        self._empty = trio.Event()

    def statistics(self) -> SupervisorStatistics:
        """Return the state of this instance at this moment."""
        channels = {name: each.channel.statistics() for name, each in self._entries.items() if each.channel}
        counts = Counts()
        for each in (self._counts, *(channel.counts for channel in channels.values())):
            counts.add(each)
        waiting = {name: each.pending for name, each in channels.items() if each.pending}
        return SupervisorStatistics(channels, counts, self._failed, {**self._left, **waiting})

    async def run(
        self,
        mailbox: trio.MemoryReceiveChannel[SupervisorMessage],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled; then every channel is cancelled with it, and has closed its clients with 1012."""
        with mailbox:
            async with trio.open_nursery() as nursery:
                task_status.started()
                async for message in mailbox:
                    self._on_message(message, nursery)

    async def drain(self) -> None:
        """Have every channel commit what is pending, close its clients with 1012 and end; wait until all have.

        From its first moment on, nobody is given a channel any more.
        """
        self._draining = True
        async with trio.open_nursery() as nursery:
            for entry in list(self._entries.values()):
                for lease in list(entry.waiting):
                    self._answer(lease, Closing(CloseCode.RESTARTING, "the server restarts; reconnect"))
                entry.waiting.clear()
                nursery.start_soon(self._drain_channel, entry, name=f"drain of {entry.name}")
            while self._entries:
                self._empty = trio.Event()
                await self._empty.wait()
            nursery.cancel_scope.cancel()

    async def _drain_channel(self, entry: _Entry) -> None:
        if entry.retired:
            return
        with entry.mailbox.clone() as mailbox:
            try:
                await mailbox.send(Drain())
            except trio.BrokenResourceError:
                logger.debug("channel ended before it was drained", extra={"codespace": entry.name})
        self._retire_if_empty(entry)

    def _on_message(self, message: SupervisorMessage, nursery: trio.Nursery) -> None:
        match message:
            case Acquire():
                self._on_acquire(message, nursery)
            case Release(lease, leave):
                self._on_release(lease, leave, nursery)
            case _:
                assert_never(message)

    def _on_acquire(self, lease: Acquire, nursery: trio.Nursery) -> None:
        if self._draining:
            self._answer(lease, Closing(CloseCode.RESTARTING, "the server restarts; reconnect"))
            return
        entry = self._entries.get(lease.codespace)
        if entry is None:
            entry = self._start(lease.codespace, nursery)
        self._owners[lease] = entry
        if entry.retired or entry.channel is None:
            entry.waiting[lease] = None
        else:
            self._hand_out(entry, lease)

    def _on_release(self, lease: Acquire, leave: Leave | None, nursery: trio.Nursery) -> None:
        entry = self._owners.pop(lease, None)
        if entry is None:
            return
        if leave is not None and not entry.retired:
            entry.leaves.append(leave)
            if not entry.delivering:
                entry.delivering = True
                mailbox = entry.mailbox.clone()
                nursery.start_soon(self._deliver_leaves, entry, mailbox, name=f"leaves of {entry.name}")
        entry.waiting.pop(lease, None)
        entry.leases.discard(lease)
        if self._draining:
            self._retire_if_empty(entry)
        elif not entry.in_use and not entry.retired:
            entry.empty_since = trio.current_time()
            if not entry.lingering:
                entry.lingering = True
                nursery.start_soon(self._linger, entry, name=f"linger of {entry.name}")

    async def _deliver_leaves(self, entry: _Entry, mailbox: Mailbox) -> None:
        """Tell a channel of leaves, of several at once where they came together; it does not end before that."""
        with mailbox, suppress(trio.BrokenResourceError):
            while entry.leaves:
                untold, entry.leaves = tuple(entry.leaves), []
                await mailbox.send(Left(untold))
        entry.delivering = False

    async def _linger(self, entry: _Entry) -> None:
        """Retire a channel that has had no lease for the linger; give up when it is in use."""
        while not entry.in_use and trio.current_time() < self._end_of_linger(entry):  # noqa: ASYNC110 - the end moves
            await trio.sleep_until(self._end_of_linger(entry))
        entry.lingering = False
        self._retire_if_empty(entry)

    def _end_of_linger(self, entry: _Entry) -> float:
        return entry.empty_since + self._limits.linger_seconds

    def _retire_if_empty(self, entry: _Entry) -> None:
        if not entry.in_use and not entry.retired:
            entry.retired = True
            entry.mailbox.close()

    def _start(self, codespace: str, nursery: trio.Nursery) -> _Entry:
        send, receive = trio.open_memory_channel[ChannelMessage](self._limits.mailbox_messages)
        entry = _Entry(codespace, public_name(codespace), send)
        self._entries[codespace] = entry
        nursery.start_soon(self._run_channel, entry, receive, nursery, name=f"channel {entry.name}")
        return entry

    async def _run_channel(
        self, entry: _Entry, mailbox: trio.MemoryReceiveChannel[ChannelMessage], nursery: trio.Nursery
    ) -> None:
        """Run one channel from its load to its end; what it raises ends it and nobody else."""
        # Why the channel could not start, if it could not.
        closing: Closing | None = None
        try:
            with mailbox:
                await self._serve(entry, mailbox)
        except* StoreUnavailable as group:
            error = next(leaves(group))
            logger.warning("channel not started", extra={"codespace": entry.name, "error": str(error)})
            assert isinstance(error, StoreUnavailable)
            closing = Closing(CloseCode.TRY_LATER, f"{error.public}; try again later")
        except* NotACodespace as group:
            error = next(leaves(group))
            logger.error("channel not started", extra={"codespace": entry.name, "error": str(error)})
            closing = _DAMAGED
        except* Exception:
            # The bulkhead: a channel that fails is gone, its clients come back to the next one. A cancellation beside
            # the failure goes on.
            self._failed += 1
            logger.exception("channel failed", extra={"codespace": entry.name})
            closing = Closing(CloseCode.OUR_FAULT, "this codespace failed here; reconnect to go on")
        self._on_ended(entry, closing, nursery)

    async def _serve(self, entry: _Entry, mailbox: trio.MemoryReceiveChannel[ChannelMessage]) -> None:
        codespace = entry.codespace
        async with self._store.subscribe(codespace) as events:
            snapshot = await self._load(entry)
            if snapshot is None:
                return
            snapshot = await folded(snapshot)
            limits = self._limits.channel
            share = self.held.share()
            channel = Channel(codespace, snapshot, self._store, instance=self._instance, limits=limits, share=share)
            entry.channel = channel
            logger.info("channel started", extra={"codespace": entry.name, "version": snapshot.version})
            for lease in list(entry.waiting):
                self._hand_out(entry, lease)
            entry.waiting.clear()
            # Whoever waited may have gone while the codespace was loaded.
            self._retire_if_empty(entry)
            try:
                await channel.run(mailbox, events)
            finally:
                share.give_back()
            logger.info("channel ended", extra={"codespace": entry.name})

    async def _load(self, entry: _Entry) -> Snapshot | None:
        """Load a codespace, made if it is missing and somebody who waits may make it; None if nobody may."""
        snapshot = await self._store.load(entry.codespace, create=False)
        if snapshot is None and self._may_create(entry):
            snapshot = await self._store.load(entry.codespace, create=True)
        return snapshot

    def _may_create(self, entry: _Entry) -> bool:
        """Return whether one of those who wait makes the codespace; if not, all of them have been told why."""
        refusals: dict[Acquire, Closing] = {}
        for lease in entry.waiting:
            refusal = lease.count() if lease.create else _NO_SUCH
            if refusal is None:
                return True
            refusals[lease] = refusal
        for lease, refusal in refusals.items():
            self._answer(lease, refusal)
        entry.waiting.clear()
        return False

    def _on_ended(self, entry: _Entry, closing: Closing | None, nursery: trio.Nursery) -> None:
        """Forget a channel that has ended; start the next for those who wait, or say why this one never started."""
        if entry.channel is not None:
            statistics = entry.channel.statistics()
            self._counts.add(statistics.counts)
            if self._draining and statistics.pending:
                self._left[entry.codespace] = statistics.pending
            closing = None
        entry.retired = True
        entry.channel = None
        entry.mailbox.close()
        del self._entries[entry.codespace]
        if entry.waiting and closing is None:
            waiting = list(entry.waiting)
            following = self._start(entry.codespace, nursery)
            following.waiting.update(entry.waiting)
            self._owners.update(dict.fromkeys(waiting, following))
        elif closing is not None:
            for lease in entry.waiting:
                self._answer(lease, closing)
            entry.waiting.clear()
        if not self._entries:
            self._empty.set()

    def _hand_out(self, entry: _Entry, lease: Acquire) -> None:
        mailbox = entry.mailbox.clone()
        entry.leases.add(lease)
        if not self._answer(lease, mailbox):
            mailbox.close()

    def _answer(self, lease: Acquire, answer: Mailbox | Closing) -> bool:
        """Answer, unless whoever asked has gone; their `Release` is on its way then."""
        try:
            lease.reply.send_nowait(answer)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return False
        return True
