"""The faults that a world can have do what they say, and the judges see what servers make of them."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
import trio

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.work import Work
from pyshare.store.faults import Faults
from pyshare.store.interface import StoreLimits
from simulation.chance import PROCESS
from simulation.clock import Clock
from simulation.hand import KEYS
from simulation.mutants import MUTANTS
from simulation.plan import FAULTS_APART, Plan, plan
from simulation.play import play
from simulation.redis_double import RedisDouble
from simulation.stores import SharedMemory
from simulation.story import Story
from simulation.turns import Turns


def with_only(seed: int, faults: Iterable[str]) -> Plan:
    """Return the plan of a seed without all faults but some."""
    whole = plan(seed)
    kept = {*KEYS, *faults}
    return replace(whole, steps=[step for step in whole.steps if step.action in kept])


def seeds_with(chosen: Callable[[Plan], bool], count: int) -> list[int]:
    """Return the first seeds whose plans are such."""
    return [seed for seed in range(1, 400) if chosen(plan(seed))][:count]


def has_replicas(whole: Plan) -> bool:
    return sum(step.action == "replica" for step in whole.steps) >= 2


def first_failure(plans: Iterable[Plan]) -> str | None:
    return next((outcome.failure for each in plans if (outcome := play(each)).failure is not None), None)


# Replicas.


def test_a_double_of_redis_knows_what_replicas_have_that_miss_the_newest_writes() -> None:
    double = RedisDouble(lambda: 0.0)
    double.execute([b"SET", b"early", b"0"])
    double.states = type(double.states)(maxlen=3)
    for number in range(5):
        double.execute([b"HSET", b"key", b"field", b"%d" % number])
        double.execute([b"HMGET", b"key", b"field"])
    assert [state.values[b"key"] for state in double.states] == [{b"field": b"%d" % each} for each in (2, 3, 4)]
    double.restart(double.states[0])
    assert double.execute([b"HMGET", b"key", b"field"]) == [b"2"]
    assert not double.states


async def test_a_memory_store_knows_what_replicas_have_that_miss_the_newest_writes() -> None:
    clock = Clock()
    store = SharedMemory(StoreLimits(), Faults(), Story(clock))
    store.keep_states(3)
    assert store.replica(1) is None
    async with trio.open_nursery() as nursery:
        await nursery.start(store.run)
        snapshot = await store.load("c", create=True)
        assert snapshot is not None
        for version in range(5):
            update = Update("ann", version + 1, ChangeSet.of([Change(version, version, "x")], version))
            await store.append("c", snapshot.epoch, expected=version, updates=[update], text=None)
        store.lose(store.replica(2))
        assert store.text("c") == "xxx"
        assert store.replica(1) is None
        nursery.cancel_scope.cancel()


def test_what_a_replica_misses_is_put_back_and_a_server_that_does_not_is_found() -> None:
    plans = [with_only(seed, ["replica"]) for seed in seeds_with(has_replicas, 8)]
    assert first_failure(plans) is None
    with MUTANTS["put-back-another-epoch"].planted():
        assert first_failure(plans) is not None


# The API.


@pytest.mark.parametrize("mistake", ["let-in-unchecked", "blame-the-token"])
def test_what_a_server_makes_of_an_api_that_does_not_answer_is_judged(mistake: str) -> None:
    plans = [
        with_only(seed, [*FAULTS_APART["api"], "kill", "reset", "leave"])
        for seed in seeds_with(lambda whole: whole.api, 12)
    ]
    assert first_failure(plans) is None
    with MUTANTS[mistake].planted():
        assert first_failure(plans) is not None


# Turns.


async def test_a_turn_with_more_steps_than_its_bound_is_told_and_one_of_the_world_is_not() -> None:
    told: list[str] = []
    counted = Turns(Story(Clock()), told.append, small=True)

    async def work(parts: int, process: str) -> None:
        PROCESS.set(process)
        budget = Work()
        for _ in range(parts):
            budget.take(10)

    with counted.counted():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, 17, "a1", name="committer of one")
            nursery.start_soon(work, 18, "", name="committer of two")
        assert told == []
        assert counted.longest == 170
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work, 18, "a1", name="committer of three")
            nursery.start_soon(work, 3, "a1", name="committer of four")
    assert told == ["a turn of committer of three has 180 steps, the largest part 10"]


def test_the_steps_of_a_plan_are_in_order_with_those_that_are_drawn_apart() -> None:
    drawn = [plan(seed) for seed in range(60)]
    for each in drawn:
        times = [(step.phase, step.time) for step in each.steps]
        assert times == sorted(times)
        assert each.api == any(step.action in FAULTS_APART["api"] for step in each.steps)
    apart = {fault for group in FAULTS_APART.values() for fault in group}
    assert {step.action for each in drawn for step in each.steps} >= apart
