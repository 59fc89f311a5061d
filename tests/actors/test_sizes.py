"""Tables grow with the clients that are here, not with those that have been."""

import gc
from collections import deque
from dataclasses import replace

from trio.testing import MockClock

from pyshare.actors.messages import Received
from pyshare.actors.stock import StockLimits
from pyshare.actors.supervisor import Supervisor, SupervisorLimits
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import DocumentLimits
from pyshare.core.errors import CloseCode
from pyshare.core.protocol import PushFrame
from pyshare.store.faults import Faults
from pyshare.store.interface import StoreLimits
from pyshare.store.memory import MemoryStore
from tests.actors.test_stock import stock_client
from tests.actors.world import Client, World, channel_limits, open_world


def items_of(root: object, *, without: object = None) -> int:
    """Return how many items are in all the containers that pyshare's objects below `root` hold."""
    seen = {id(without)}
    waiting = [root]
    items = 0
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, dict | list | set | tuple | deque | frozenset):
            items += len(each)
            waiting += [*each.keys(), *each.values()] if isinstance(each, dict) else [*each]
        elif type(each).__module__.startswith("pyshare."):
            waiting += [found for found in gc.get_referents(each) if not isinstance(found, type)]
    return items


def largest(root: object) -> str:
    """Return the largest containers below `root`, with the class that holds each."""
    seen: set[int] = set()
    waiting: list[tuple[object, str]] = [(root, "")]
    found: list[tuple[int, str]] = []
    while waiting:
        each, where = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, dict | list | set | tuple | deque | frozenset):
            found.append((len(each), where))
            waiting += [(item, where) for item in ([*each.keys(), *each.values()] if isinstance(each, dict) else each)]
        elif type(each).__module__.startswith("pyshare."):
            names = {id(value): name for name, value in getattr(each, "__dict__", {}).items()}
            for item in gc.get_referents(each):
                if not isinstance(item, type):
                    waiting.append((item, f"{where}/{type(each).__name__}.{names.get(id(item), '')}"))
    return "\n".join(f"{size} {where}" for size, where in sorted(found, reverse=True)[:12])


def small_limits() -> SupervisorLimits:
    """Return limits of what may be remembered of those who were here, all small."""
    document = DocumentLimits(history_updates=20, history_bytes=10_000, senders=8)
    limits = replace(channel_limits(), document=document, stock=StockLimits(loading_pushes=8, left=8))
    return SupervisorLimits(limits, linger_seconds=1)


def store_of(faults: Faults) -> MemoryStore:
    return MemoryStore(StoreLimits(log_updates=20, senders=8), faults=faults)


async def editors_come_and_go(world: World, start: int, count: int) -> None:
    for number in range(start, start + count):
        client = world.client(f"editor {number}")
        await world.settles()
        client.types("x")
        await world.settles()
        client.deletes(0, 1)
        await world.settles()
        client.cut()
        world.clients.remove(client)
        await world.passes(0.2)


async def test_a_channel_is_no_larger_after_many_editors_have_come_and_gone(autojump_clock: MockClock) -> None:
    store = store_of(Faults())
    async with open_world(store, limits=small_limits()) as world:
        world.client("stays")
        await world.settles()
        await editors_come_and_go(world, 0, 50)
        before = items_of((world.supervisors["one"], store))
        await editors_come_and_go(world, 50, 300)
        assert items_of((world.supervisors["one"], store)) <= before + 50, largest((world.supervisors["one"], store))


async def test_a_channel_is_no_larger_after_many_clients_have_pushed_again_under_another_number(
    autojump_clock: MockClock,
) -> None:
    store = store_of(Faults())
    async with open_world(store, limits=small_limits()) as world:
        world.client("stays")
        await world.settles()

        async def push_twice(start: int, count: int) -> None:
            for number in range(start, start + count):
                client = Client(f"editor {number}")
                client.pushes = False
                version = world.clients[0].editor.version or 0
                changes = ChangeSet.of([Change(0, 0, "x")], version)
                for seq in (1, 2):
                    await world.passes(0.2)
                    world.joins(client)
                    await world.settles()
                    await client.sends(Received(client.outlet, PushFrame(seq, version, (changes,))))
                    await world.settles()
                    assert (client.closed_with() is CloseCode.TRY_LATER) == (seq == 2)
                    client.cut()
                world.clients.remove(client)
                await world.passes(0.2)

        await push_twice(0, 30)
        before = items_of((world.supervisors["one"], store))
        await push_twice(30, 100)
        assert items_of((world.supervisors["one"], store)) <= before + 50, largest((world.supervisors["one"], store))


async def test_a_channel_is_no_larger_after_many_stock_editors_have_come_and_gone(autojump_clock: MockClock) -> None:
    store = store_of(Faults())
    async with open_world(store, limits=small_limits()) as world:
        world.client("stays")
        await world.settles()

        async def come_and_go(start: int, count: int) -> None:
            for number in range(start, start + count):
                async with stock_client(world, f"stock {number}") as client:
                    await client.types("x", 0)
                    await world.passes(0.2)
                await world.passes(0.2)

        await come_and_go(0, 50)
        before = items_of((world.supervisors["one"], store))
        await come_and_go(50, 200)
        # The text has a letter of each.
        assert items_of((world.supervisors["one"], store)) <= before + 50, largest((world.supervisors["one"], store))


async def test_a_server_is_no_larger_after_many_codespaces_have_been_open(autojump_clock: MockClock) -> None:
    store = store_of(Faults())
    supervisor: Supervisor
    async with open_world(store, limits=small_limits()) as world:
        supervisor = world.supervisors["one"]
        before = items_of(supervisor, without=store)
        for number in range(200):
            client = world.client("alice", codespace=f"tmp-{number}")
            await world.settles()
            client.cut()
            world.clients.remove(client)
        await world.passes(3)
        assert supervisor.statistics().channels == {}
        assert items_of(supervisor, without=store) <= before + 5, largest(supervisor)
