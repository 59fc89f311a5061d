"""What a supervisor has counted: exact figures, and nothing lost when channels end."""

import pytest
import trio
from trio.testing import MockClock

from pyshare.actors.supervisor import SupervisorLimits
from pyshare.store.faults import Faults
from pyshare.store.interface import StoreLimits
from pyshare.store.memory import MemoryStore
from tests.actors.world import Client, channel_limits, open_world


async def test_edits_are_counted_with_the_time_that_their_commits_took(autojump_clock: MockClock) -> None:
    faults = Faults(call_delay=lambda operation, codespace: 0.2 if operation == "append" else 0)
    async with open_world(MemoryStore(StoreLimits(), faults=faults)) as world:
        alice, bob = world.client("alice"), world.client("bob")
        await world.settles()
        alice.types("one")
        await world.passes(0.1)
        # These two wait for the append under way, and go together.
        bob.types("two")
        await world.passes(1)
        counts = world.supervisors["one"].statistics().counts
        assert (counts.pushes, counts.updates) == (2, 2)
        assert counts.frames == 4
        assert counts.commit_seconds.sum == pytest.approx(0.2 + 0.3)
        assert counts.group_pushes.count == 2
        assert counts.fanout_seconds.count == 2
        assert counts.fanout_seconds.sum == 0


async def test_pushes_that_wait_together_are_one_append(autojump_clock: MockClock) -> None:
    faults = Faults(call_delay=lambda operation, codespace: 0.2 if operation == "append" else 0)
    async with open_world(MemoryStore(StoreLimits(), faults=faults)) as world:
        clients = [world.client(name) for name in ("alice", "bob", "carol")]
        await world.settles()
        for client in clients:
            client.types("x")
            await world.passes(0.05)
        await world.passes(2)
        counts = world.supervisors["one"].statistics().counts
        assert counts.pushes == 3
        assert (counts.group_pushes.count, counts.group_pushes.sum) == (2, 3)


async def test_what_a_channel_has_counted_outlives_it(store: MemoryStore, autojump_clock: MockClock) -> None:
    limits = SupervisorLimits(channel_limits(), linger_seconds=1)
    async with open_world(store, limits=limits) as world:
        for _ in range(2):
            alice = world.client("alice")
            await world.settles()
            alice.types("x")
            await world.settles()
            alice.cut()
            await world.passes(5)
            assert world.supervisors["one"].statistics().channels == {}
        assert world.supervisors["one"].statistics().counts.updates == 2


async def test_conflicts_are_counted_where_they_are_met_and_edits_where_they_are_made(
    store: MemoryStore, autojump_clock: MockClock
) -> None:
    async with open_world(store, instances=("one", "two")) as world:
        alice, bob = world.client("alice"), world.client("bob", instance="two")
        await world.settles()
        alice.types("one")
        bob.types("two")
        await world.passes(1)
        one, two = (world.supervisors[name].statistics().counts for name in ("one", "two"))
        assert (one.updates, two.updates) == (1, 1)
        assert one.conflicts + two.conflicts == 1


async def test_refused_pushes_are_counted_by_why(store: MemoryStore, autojump_clock: MockClock) -> None:
    async with open_world(store) as world:
        viewer = world.client("viewer", mode="view_only")
        await world.settles()
        viewer.types("no")
        await viewer.moves()
        await trio.testing.wait_all_tasks_blocked()
        counts = world.supervisors["one"].statistics().counts
        assert counts.refused == {"view_only": 1}
        assert (counts.pushes, counts.commit_seconds.count) == (0, 0)


async def test_one_that_lagged_is_counted_when_it_is_brought_up(store: MemoryStore, autojump_clock: MockClock) -> None:
    async with open_world(store) as world:
        alice, slow = world.client("alice"), world.client("slow")
        await world.settles()
        slow.outlet.full = True
        alice.types("x")
        await world.settles()
        assert world.supervisors["one"].statistics().channels["tmp-a"].lagging == 1
        slow.outlet.full = False
        await world.settles()
        assert world.supervisors["one"].statistics().counts.resyncs["lag"] == 1


async def test_one_that_comes_back_too_late_for_the_log_is_counted(
    store: MemoryStore, autojump_clock: MockClock
) -> None:
    async with open_world(store) as world:
        late = world.joins(Client("late"))
        await world.settles()
        late.cut()
        late.editor.epoch = "another"
        await world.settles()
        world.joins(late)
        await world.settles()
        assert world.supervisors["one"].statistics().counts.resyncs["text"] == 1
