"""Starting and retiring channels: join and leave races, linger, crashes, drain."""

from collections.abc import Callable, Sequence

import pytest
import trio
from typing_extensions import override

from pyshare.actors.channel import Channel
from pyshare.actors.messages import ChannelMessage, Drained
from pyshare.actors.supervisor import SupervisorLimits, open_lease
from pyshare.core.document import Update
from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.core.protocol import Welcome
from pyshare.store.faults import Faults
from pyshare.store.interface import Appended, Conflict, Gone, Lost, Snapshot, StoreLimits, StoreUnavailable
from pyshare.store.memory import MemoryStore
from tests.actors.world import Client, channel_limits, open_world


class CountingStore(MemoryStore):
    """Counts the loads with which channels begin, and can fail as no store should."""

    loads = 0
    has_a_bug = False
    fails_at_the_end = False

    @override
    async def load(self, codespace: str, *, create: bool) -> Snapshot | None:
        self.loads += not create
        return await super().load(codespace, create=create)

    @override
    async def append(
        self, codespace: str, epoch: str, *, expected: int, updates: Sequence[Update], text: str | None
    ) -> Appended | Conflict | Gone | Lost:
        if self.has_a_bug:
            self.has_a_bug = False
            raise RuntimeError("a bug")
        if self.fails_at_the_end:
            try:
                await trio.sleep_forever()
            finally:
                raise RuntimeError("a bug, met when cancelled")
        return await super().append(codespace, epoch, expected=expected, updates=updates, text=text)


@pytest.fixture
def counting() -> CountingStore:
    return CountingStore(StoreLimits())


async def test_a_channel_is_loaded_once_for_many_who_join_at_once(
    counting: CountingStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(counting) as world:
        clients = [world.client(f"client {index}") for index in range(20)]
        await world.settles()
        assert counting.loads == 1
        assert all(client.received(Welcome) for client in clients)


async def test_an_empty_channel_is_kept_for_the_linger_and_then_retired(
    counting: CountingStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(counting) as world:
        alice = world.client("alice")
        alice.types("kept")
        await world.settles()
        alice.cut()
        await world.passes(9)
        assert "tmp-a" in world.supervisors["one"].statistics().channels
        bob = world.client("bob")
        await world.settles()
        assert counting.loads == 1
        bob.cut()
        await world.passes(9)
        assert "tmp-a" in world.supervisors["one"].statistics().channels, "the linger starts anew with each leave"
        await world.passes(2)
        assert world.supervisors["one"].statistics().channels == {}
        kim = world.client("kim")
        await world.settles()
        assert counting.loads == 2
        assert kim.text == "kept"


async def test_one_who_joins_and_leaves_again_and_again_leaves_one_linger(
    counting: CountingStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(counting) as world:
        for index in range(10):
            client = world.client(f"client {index}")
            await world.settles()
            client.cut()
            await world.passes(1)
        tasks = trio.lowlevel.current_statistics().tasks_living
        await world.passes(8)
        assert world.supervisors["one"].statistics().channels
        await world.passes(2)
        assert world.supervisors["one"].statistics().channels == {}
        assert trio.lowlevel.current_statistics().tasks_living < tasks


async def test_one_who_joins_while_the_channel_ends_is_let_into_the_next(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        faults.call_delay = lambda operation, codespace: 5 if operation == "append" else 0
        alice.types("slowly stored")
        await world.settles()
        alice.cut()
        await world.settles()
        supervisor = world.supervisors["one"]
        entry = supervisor._entries["tmp-a"]
        supervisor._retire_if_empty(entry)
        await world.settles()
        bob = world.client("bob")
        await world.settles()
        assert bob.received(Welcome) == []
        await world.passes(6)
        assert bob.text == "slowly stored"
        assert bob.closed_with() is None


async def test_one_who_gives_up_while_the_channel_starts_leaves_nothing_behind(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        faults.call_delay = lambda operation, codespace: 5
        alice = world.client("alice")
        await world.settles()
        alice.cut()
        await world.passes(30)
        assert world.supervisors["one"].statistics().channels == {}
        assert world.supervisors["one"]._owners == {}


async def test_a_lease_that_is_cancelled_with_its_answer_unread_is_given_back(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        world.client("alice").pushes = False
        await world.settles()
        mailbox = world._mailboxes["one"]
        for patience in range(8):
            with trio.CancelScope() as scope:

                async def cancel(scope: trio.CancelScope, patience: int) -> None:
                    for _ in range(patience):
                        await trio.lowlevel.checkpoint()
                    scope.cancel()

                world.nursery.start_soon(cancel, scope, patience)
                async with open_lease(mailbox, "tmp-a", create=True):
                    await trio.sleep_forever()
            await world.settles()
        assert len(world.supervisors["one"]._owners) == 1


async def test_a_codespace_that_does_not_exist_and_may_not_be_made_is_refused_with_4404(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        mailbox = world._mailboxes["one"]
        with pytest.raises(ConnectionRefused) as refused:
            async with open_lease(mailbox, "nobody-made-this", create=False):
                raise AssertionError("it was let in")
        assert refused.value.closing.code == CloseCode.NO_SUCH_CODESPACE
        await world.settles()
        assert world.supervisors["one"]._owners == {}


@pytest.mark.parametrize("first_may_create", [False, True])
async def test_one_who_may_make_a_codespace_has_it_whoever_else_asked_before(
    first_may_create: bool, store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        faults.call_delay = lambda operation, codespace: 1
        first = world.joins(Client("first"), create=first_may_create)
        await world.passes(0.5)
        second = world.joins(Client("second"), create=not first_may_create)
        await world.passes(3)
        assert first.closed_with() is None
        assert second.closed_with() is None


async def test_nobody_makes_a_codespace_for_one_who_may_not(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        faults.call_delay = lambda operation, codespace: 1
        creator = world.joins(Client("creator"))
        looker = world.joins(Client("looker"), create=False)
        await world.passes(0.5)
        creator.cut()
        await world.passes(3)
        assert looker.closed_with() == CloseCode.NO_SUCH_CODESPACE
        assert await store.load("tmp-a", create=False) is None


async def test_one_who_asks_while_another_is_told_that_there_is_none_is_given_the_next_try(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        late: list[Client] = []

        def count() -> Closing | None:
            late.append(world.joins(Client("late")))
            return Closing(CloseCode.TRY_LATER, "not now")

        with pytest.raises(ConnectionRefused, match="not now"):
            async with open_lease(world._mailboxes["one"], "tmp-a", create=True, count=count):
                raise AssertionError("it was let in")
        await world.settles()
        assert late[0].closed_with() is None
        assert late[0].received(Welcome)


async def test_a_bound_that_one_has_reached_is_told_to_that_one_only(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    counted: list[str] = []

    def refuse() -> Closing | None:
        counted.append("refused")
        return Closing(CloseCode.TRY_LATER, "too many new codespaces")

    def allow() -> Closing | None:
        counted.append("allowed")
        return None

    async with open_world(store) as world:
        faults.call_delay = lambda operation, codespace: 1
        mailbox = world._mailboxes["one"]

        async def ask(count: Callable[[], Closing | None]) -> None:
            async with open_lease(mailbox, "tmp-a", create=True, count=count):
                pass

        with pytest.raises(ConnectionRefused, match="too many new codespaces"):
            await ask(refuse)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, refuse)
            nursery.start_soon(ask, allow)
        assert counted[0] == "refused"
        assert counted.count("allowed") == 1
        before = list(counted)
        await ask(refuse)
        assert counted == before, "a codespace that there is is nobody's creation"


async def test_of_many_who_leave_a_busy_channel_at_once_nobody_remains(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    """The mailbox has 64 places, and each message takes the channel longer than any connection waits."""
    handle = Channel._on_message

    def handle_slowly(self: Channel, message: ChannelMessage) -> None:
        autojump_clock.jump(10)
        handle(self, message)

    async with open_world(store) as world:
        clients = [world.client(f"client {index}") for index in range(250)]
        await world.settles()
        supervisor = world.supervisors["one"]
        assert supervisor.statistics().channels["tmp-a"].members == 250
        monkeypatch.setattr(Channel, "_on_message", handle_slowly)
        for client in clients[1:]:
            client.cut()
        await world.settles()
        assert supervisor.statistics().channels["tmp-a"].members == 1
        clients[0].cut()
        await world.passes(11)
        assert supervisor.statistics().channels == {}
        assert supervisor._owners == {}


async def test_a_channel_whose_messages_take_long_gives_others_their_turn_after_each(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    handled: list[int] = []
    turns: list[int] = []
    handle = Channel._on_message

    def handle_slowly(self: Channel, message: ChannelMessage) -> None:
        autojump_clock.jump(0.004)
        handled.append(len(turns))
        handle(self, message)

    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        monkeypatch.setattr(Channel, "_on_message", handle_slowly)

        async def count_turns() -> None:
            while len(handled) < 40:
                turns.append(len(handled))
                await trio.lowlevel.checkpoint()

        assert alice._mailbox is not None
        for _ in range(40):
            alice._mailbox.send_nowait(Drained(alice.outlet))
        await count_turns()
        # Three messages a turn, and two turns of the channel between two of this task at most.
        assert max(handled.count(turn) for turn in handled) <= 6


async def test_one_who_cannot_join_is_told_why_in_words_that_name_no_host(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, autojump_clock: trio.testing.MockClock
) -> None:
    async def load(codespace: str, *, create: bool) -> None:
        await trio.lowlevel.checkpoint()
        raise StoreUnavailable("10.0.0.1 refused", public="the store is full")

    monkeypatch.setattr(store, "load", load)
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.passes(1)
        assert alice.closing == Closing(CloseCode.TRY_LATER, "the store is full; try again later")


async def test_a_store_that_is_down_refuses_joins_with_1013_and_lets_them_in_later(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        faults.down = True
        alice = world.client("alice")
        await world.passes(1)
        assert alice.closed_with() == CloseCode.TRY_LATER
        faults.down = False
        world.joins(alice)
        await world.settles()
        assert alice.closed_with() is None
        assert alice.received(Welcome)


async def test_a_channel_that_fails_closes_its_own_clients_and_nobody_elses(
    counting: CountingStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(counting) as world:
        alice, bob = world.client("alice"), world.client("bob")
        other = world.client("kim", codespace="tmp-b")
        await world.settles()
        counting.has_a_bug = True
        alice.types("x")
        await world.settles()
        for member in (alice, bob):
            assert member.closed_with() == CloseCode.OUR_FAULT
        assert other.closed_with() is None
        other.types("y")
        await world.settles()
        assert other.text == "y"
        again = world.client("lee")
        await world.settles()
        assert again.received(Welcome), "the next join starts it afresh"


async def test_a_channel_that_fails_when_it_is_cancelled_fails_nothing_else(
    counting: CountingStore, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.CancelScope() as everything:
        async with open_world(counting) as world:
            alice = world.client("alice")
            await world.settles()
            counting.fails_at_the_end = True
            alice.types("x")
            await world.settles()
            everything.cancel()
            await trio.lowlevel.checkpoint()
    assert everything.cancelled_caught


async def test_draining_commits_what_is_pending_closes_with_1012_and_ends(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=("one", "two")) as world:
        alice, bob = world.client("alice"), world.client("bob", codespace="tmp-b")
        await world.settles()
        faults.call_delay = lambda operation, codespace: 2 if operation == "append" else 0
        alice.types("not yet stored")
        await world.settles()
        drained = trio.Event()

        async def drain() -> None:
            await world.supervisors["one"].drain()
            drained.set()

        world.nursery.start_soon(drain)
        await world.settles()
        assert bob.closed_with() == CloseCode.RESTARTING
        assert alice.closed_with() is None, "its push is under way"
        late = world.client("late", codespace="tmp-c")
        await world.settles()
        assert late.closed_with() == CloseCode.RESTARTING
        await world.passes(3)
        assert alice.closed_with() == CloseCode.RESTARTING
        assert alice.text == "not yet stored"
        assert alice.editor.unconfirmed == []
        assert drained.is_set()
        world.joins(alice, instance="two")
        await world.passes(3)
        assert alice.text == "not yet stored"


async def test_a_drain_that_takes_too_long_is_cancelled_and_clients_still_hear_why(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        faults.down = True
        alice.types("never stored")
        await world.settles()
        with trio.move_on_after(5) as scope:
            await world.supervisors["one"].drain()
        assert scope.cancelled_caught
        world.kills("one")
        await world.settles()
        assert alice.outlet.closing is not None
        assert alice.outlet.closing.code == CloseCode.RESTARTING


async def test_edits_whose_clients_left_while_it_drained_are_counted_as_not_saved(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob", codespace="tmp-b")
        await world.settles()
        bob.types("stored")
        await world.settles()
        faults.down = True
        alice.types("never stored")
        await world.settles()
        supervisor = world.supervisors["one"]
        assert supervisor.statistics().unsaved == {"tmp-a": 1}
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(supervisor.drain)
                await world.passes(1)
                alice.cut()
        assert not supervisor.statistics().channels
        assert supervisor.statistics().unsaved == {"tmp-a": 1}


async def test_nobody_waits_for_an_instance_that_has_ended(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        world.kills("one")
        await world.settles()
        alice = world.client("alice")
        await world.settles()
        assert alice.closed_with() == CloseCode.RESTARTING


async def test_a_message_sent_before_the_last_sender_closed_is_still_handled(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    limits = SupervisorLimits(channel_limits(), linger_seconds=0)
    async with open_world(store, limits=limits) as world:
        alice = world.client("alice")
        await world.settles()
        alice.types("last words")
        await alice.moves()
        alice.cut()
        await world.passes(1)
        bob = world.client("bob")
        await world.settles()
        assert bob.text == "last words"
