"""Mistakes, planted one at a time: the simulator is good for something if it finds each within some seeds.

A mistake is a change of one function of pyshare while its world runs. Nothing
of it is left afterwards.
"""

from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

import trio

from pyshare.actors import backlog, channel, collab, commits, fanout, log, members, stock, supervisor
from pyshare.actors.committer import Committer
from pyshare.actors.log import Answer, Append, LogMachine, Request
from pyshare.actors.messages import Join, Leave, Outlet
from pyshare.client.replica import Replica
from pyshare.core import draft, framing, shadow
from pyshare.core.changeset import ChangeSet
from pyshare.core.document import Document, Update
from pyshare.core.errors import CloseCode, Closing
from pyshare.core.protocol import Welcome
from pyshare.core.view import View
from pyshare.core.work import Parts, Work
from pyshare.net import outlet
from pyshare.net.held import HeldBytes
from pyshare.net.token_api import Admission, TokenApi
from pyshare.store import folding, subscriptions
from pyshare.store.interface import Appended, Conflict, Gone, Lost, Snapshot, StoreEvent
from simulation import stores
from simulation.plan import plan
from simulation.play import play
from simulation.world import CODESPACE

#: A patch of one name: the place, the name, and what stands there instead.
Patch = tuple[object, str, object]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake, in words, and how it is planted."""

    name: str
    about: str
    patches: Callable[[], Sequence[Patch]]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have the mistake in the context."""
        patches = self.patches()
        before: list[object] = [getattr(place, name) for place, name, _ in patches]
        for place, name, value in patches:
            setattr(place, name, value)
        try:
            yield
        finally:
            for (place, name, _), value in zip(patches, before, strict=True):
                setattr(place, name, value)


def seed_that_finds(mutant: Mutant, most_seeds: int) -> int | None:
    """Return the first of the seeds from 1 on whose world fails with a mistake; None if none of them does."""
    with mutant.planted():
        return next((seed for seed in range(1, most_seeds + 1) if play(plan(seed)).failure is not None), None)


MUTANTS: Final[dict[str, Mutant]] = {}


def _mutant(about: str) -> Callable[[Callable[[], Sequence[Patch]]], Callable[[], Sequence[Patch]]]:
    """Put the function below into the table, under its name."""

    def add(patches: Callable[[], Sequence[Patch]]) -> Callable[[], Sequence[Patch]]:
        name = patches.__name__.strip("_").replace("_", "-")
        MUTANTS[name] = Mutant(name, about, patches)
        return patches

    return add


def _nothing(*_: object, **__: object) -> None:
    """Do nothing."""


# The way of a push into the log.


@_mutant("a push is not rebased")
def _skip_a_rebase() -> Sequence[Patch]:
    def rebasing(updates: Sequence[ChangeSet], push: Sequence[Update], sender: str) -> Parts[list[ChangeSet]]:
        yield 1
        return draft._without(updates, push) if push[0].sender == sender else list(updates)

    return [(draft, "rebasing", rebasing)]


@_mutant("at a tie the later push stands left")
def _wrong_side_at_a_tie() -> Sequence[Patch]:
    def rebasing(updates: Sequence[ChangeSet], push: Sequence[Update], sender: str) -> Parts[list[ChangeSet]]:
        if push[0].sender == sender:
            return draft._without(updates, push)
        changes = yield from draft.composing([update.changes for update in push])
        rebased = []
        for own in updates:
            rebased.append((yield from own.mapping(changes, before=True)))
            changes = yield from changes.mapping(own)
        return rebased

    return [(draft, "rebasing", rebasing)]


@_mutant("an append does not look at the version")
def _append_without_the_version() -> Sequence[Patch]:
    append = stores.SharedMemory.append

    async def careless(
        self: stores.SharedMemory,
        codespace: str,
        epoch: str,
        *,
        expected: int,
        updates: Sequence[Update],
        text: str | None = None,
    ) -> Appended | Conflict | Gone | Lost:
        standing = self.standing(codespace)
        version = standing.version if standing else expected
        return await append(self, codespace, epoch, expected=version, updates=updates, text=text)

    return [(stores.SharedMemory, "append", careless)]


@_mutant("a push that is sent again is committed again")
def _forget_sender_and_seq() -> Sequence[Patch]:
    def anything(updates: Sequence[ChangeSet], push: Sequence[Update], sender: str) -> Parts[list[ChangeSet]]:
        changes = yield from draft.composing([update.changes for update in push])
        rebased = []
        for own in updates:
            rebased.append((yield from own.mapping(changes)))
            changes = yield from changes.mapping(own, before=True)
        return rebased

    return [
        (Document, "last_seq", lambda self, sender: 0),
        (draft.Draft, "has", lambda self, push: False),
        (draft, "rebasing", anything),
        (commits, "_check_repetition", _nothing),
    ]


@_mutant("a channel that starts does not know the last push of each sender")
def _start_without_last_pushes() -> Sequence[Patch]:
    folded = folding.folded

    async def forgetful(snapshot: Snapshot) -> Snapshot:
        return replace(await folded(snapshot), last_seqs={}, log=())

    return [(supervisor, "folded", forgetful)]


@_mutant("one append in fifteen is acknowledged and not made")
def _acknowledge_before_the_commit() -> Sequence[Patch]:
    ask, numbers = Committer._ask, count(1)

    async def hasty(self: Committer, request: Request) -> Answer:
        if isinstance(request, Append) and next(numbers) % 15 == 0:
            await trio.lowlevel.checkpoint()
            return Appended(request.base + len(request.updates))
        return await ask(self, request)

    return [(Committer, "_ask", hasty)]


@_mutant("the text is stored without its last unit")
def _store_a_short_text() -> Sequence[Patch]:
    append = stores.SharedMemory.append

    async def short(
        self: stores.SharedMemory,
        codespace: str,
        epoch: str,
        *,
        expected: int,
        updates: Sequence[Update],
        text: str | None = None,
    ) -> Appended | Conflict | Gone | Lost:
        return await append(self, codespace, epoch, expected=expected, updates=updates, text=text and text[:-1])

    return [(stores.SharedMemory, "append", short)]


@_mutant("clients that may only look may push")
def _let_lookers_push() -> Sequence[Patch]:
    receive = collab.CollabMember.receive

    def careless(self: collab.CollabMember, frame: object) -> None:
        self.peer = replace(self.peer, mode="edit")
        receive(self, frame)

    return [(collab.CollabMember, "receive", careless)]


@_mutant("a client is not told that its push is refused")
def _keep_a_refusal_secret() -> Sequence[Patch]:
    return [(members.Members, "refuse", _nothing)]


# What is lost and put back.


@_mutant("a codespace is put back under another epoch")
def _put_back_another_epoch() -> Sequence[Patch]:
    held = LogMachine._held

    def other(self: LogMachine) -> Snapshot:
        return replace(held(self), epoch=f"{self._epoch}-other")

    return [(LogMachine, "_held", other)]


@_mutant("the news that events may have been missed is passed over")
def _pass_over_gaps() -> Sequence[Patch]:
    return [(LogMachine, "doubt", _nothing)]


# The way to the members.


@_mutant("what is committed is sent twice")
def _send_twice() -> Sequence[Patch]:
    publish = fanout.FanOut.publish

    def twice(self: fanout.FanOut, updates: Sequence[Update]) -> None:
        publish(self, updates)
        publish(self, updates)

    return [(fanout.FanOut, "publish", twice)]


@_mutant("one frame in twenty is dropped")
def _drop_a_frame() -> Sequence[Patch]:
    messages, numbers = framing.push_messages, count(1)

    def fewer(version: int, updates: Sequence[Update]) -> list[tuple[int, bytes]]:
        made = list(messages(version, updates))
        return made[:-1] if next(numbers) % 20 == 0 else made

    return [(fanout, "push_messages", fewer)]


@_mutant("a laggard is sent one version too few")
def _skip_a_version_of_a_laggard() -> Sequence[Patch]:
    drained = fanout.FanOut.drained

    def careless(self: fanout.FanOut, member: fanout.Listener) -> Collection[str] | None:
        if member in self._lagging and member.cursor < self._version:
            member.cursor += 1
        return drained(self, member)

    return [(fanout.FanOut, "drained", careless)]


@_mutant("a client that comes back is sent one version too few")
def _skip_a_version_in_a_welcome() -> Sequence[Patch]:
    since = Document.since

    def fewer(self: Document, version: int) -> list[Update] | None:
        found = since(self, version)
        return found and found[1:]

    return [(Document, "since", fewer)]


@_mutant("a client of another epoch goes on from its version")
def _resume_in_another_epoch() -> Sequence[Patch]:
    welcome = collab.CollabRoom.welcome

    def careless(self: collab.CollabRoom, join: Join) -> collab.CollabMember:
        return welcome(self, replace(join, epoch=self._standing.epoch))

    return [(collab.CollabRoom, "welcome", careless)]


@_mutant("what a socket has taken in part counts as sent")
def _take_a_part_for_the_whole() -> Sequence[Patch]:
    send = outlet.SocketOutlet._send

    def careless(self: outlet.SocketOutlet, data: bytes | memoryview) -> int:
        return len(data) if send(self, data) else 0

    return [(outlet.SocketOutlet, "_send", careless)]


# Stock editors.


@_mutant("a frame to a stock editor has all changes at once")
def _two_changes_in_a_frame() -> Sequence[Patch]:
    def whole(changes: ChangeSet, target: View) -> list[ChangeSet]:
        return [] if changes.empty else [changes]

    return [(stock, "single_changes", whole), (shadow, "single_changes", whole)]


@_mutant("a doubt about a stock editor is never settled")
def _leave_a_stock_editor_in_doubt() -> Sequence[Patch]:
    async def sleeps(self: stock.StockRoom) -> None:
        await trio.sleep_forever()

    return [(stock.StockRoom, "run", sleeps)]


# Those who leave, and what they leave.


@_mutant("a member that leaves stays in the table")
def _leak_a_member() -> Sequence[Patch]:
    def careless(self: members.Members, outlet: Outlet) -> None:
        member = self.find(outlet)
        if member is not None:
            member.leave()

    return [(members.Members, "leave", careless)]


@_mutant("a channel does not hear that a member leaves")
def _lose_a_leave() -> Sequence[Patch]:
    release = supervisor.Supervisor._on_release

    def careless(
        self: supervisor.Supervisor, lease: supervisor.Acquire, leave: Leave | None, nursery: trio.Nursery
    ) -> None:
        release(self, lease, None, nursery)

    return [(supervisor.Supervisor, "_on_release", careless)]


@_mutant("a lease is never given back")
def _keep_a_lease() -> Sequence[Patch]:
    return [(supervisor.Supervisor, "_on_release", _nothing)]


@_mutant("a subscription outlives its channel")
def _leak_a_subscription() -> Sequence[Patch]:
    @contextmanager
    def careless(self: subscriptions.Subscriptions, codespace: str) -> Iterator[trio.MemoryReceiveChannel[StoreEvent]]:
        send, receive = trio.open_memory_channel[StoreEvent](self._most_events)
        self._subscribers.setdefault(codespace, []).append(send)
        with send, receive:
            yield receive

    return [(subscriptions.Subscriptions, "open", careless)]


@_mutant("the bytes of a connection that has ended are held for ever")
def _hold_bytes_for_ever() -> Sequence[Patch]:
    return [(HeldBytes, "let_go", _nothing)]


@_mutant("frames that every laggard has stay in the backlog")
def _keep_the_backlog() -> Sequence[Patch]:
    return [(backlog.Backlog, "forget", _nothing)]


# Work, words and clients.


@_mutant("no client pays for the work that is done for it")
def _charge_nobody() -> Sequence[Patch]:
    return [(outlet.SocketOutlet, "charge", _nothing)]


@_mutant("a turn of work has no end")
def _never_end_a_turn() -> Sequence[Patch]:
    return [(log, "Work", lambda steps: Work())]


@_mutant("a client whose token cannot be checked is let in")
def _let_in_unchecked() -> Sequence[Patch]:
    return [(TokenApi, "_request", _request_or(Admission(CODESPACE, "edit", create=True, by="api")))]


@_mutant("a token that cannot be checked counts as a bad one")
def _blame_the_token() -> Sequence[Patch]:
    return [(TokenApi, "_request", _request_or(Closing(CloseCode.NOT_AUTHENTICATED, "no answer")))]


def _request_or(answer: Admission | Closing) -> Callable[[TokenApi, str], Coroutine[object, object, object]]:
    """Return the question to the API, with `answer` where the API says nothing of a token."""
    request = TokenApi._request

    async def careless(self: TokenApi, token: str) -> object:
        outcome = await request(self, token)
        return outcome if isinstance(outcome, Admission | Closing) else answer

    return careless


@_mutant("clients of a server that restarts are told to stay away")
def _say_goodbye_for_good() -> Sequence[Patch]:
    done = Closing(CloseCode.DONE, "the server restarts; reconnect")
    return [(channel, "_RESTARTING", done)]


@_mutant("the Python client sends a push again under another number")
def _count_on_when_sending_again() -> Sequence[Patch]:
    resume = Replica.resume

    def careless(self: Replica, welcome: Welcome) -> None:
        resume(self, welcome)
        if self._unconfirmed.in_flight is not None:
            self._seq += 1
            self._unconfirmed.in_flight.seq = self._seq

    return [(Replica, "resume", careless)]
