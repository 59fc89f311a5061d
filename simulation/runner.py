"""Many seeds in several processes, as they end; and one plan made as short as it can be and still fail."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from itertools import islice

from simulation.plan import Plan, Step, plan
from simulation.play import Outcome, play

#: Seeds that a process is given at once.
_BATCH = 8


def play_seed(seed: int) -> Outcome:
    """Play the world of a seed."""
    return play(plan(seed))


def _play_batch(seeds: list[int]) -> list[Outcome]:
    return [play_seed(seed) for seed in seeds]


def outcomes(seeds: Iterable[int], jobs: int) -> Iterator[Outcome]:
    """Yield the outcomes of seeds in the order in which they end."""
    if jobs == 1:
        yield from map(play_seed, seeds)
        return
    waiting = iter(seeds)
    with ProcessPoolExecutor(jobs) as pool:
        running: set[Future[list[Outcome]]] = set()
        try:
            while True:
                while len(running) < 2 * jobs and (batch := list(islice(waiting, _BATCH))):
                    running.add(pool.submit(_play_batch, batch))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for each in done:
                    yield from each.result()
        finally:
            for each in running:
                each.cancel()


def shrink(failing: Plan, fails: Callable[[Plan], bool], *, tell: Callable[[int], None] = lambda count: None) -> Plan:
    """Return a plan with as few steps of a failing one as make it fail, by leaving out ever smaller parts.

    `tell` is given the number of steps whenever it has become less.
    """
    steps = list(failing.steps)
    part = max(1, len(steps) // 2)
    while True:
        start = 0
        shorter = False
        while start < len(steps):
            tried = steps[:start] + steps[start + part :]
            if fails(replace(failing, steps=tried)):
                steps, shorter = tried, True
                tell(len(steps))
            else:
                start += part
        if part == 1 and not shorter:
            return replace(failing, steps=steps)
        part = max(1, part // 2) if not shorter or part > 1 else 1


def described(step: Step) -> str:
    """Return a step in words."""
    return f"phase {step.phase}, {step.time:.3f} s: {step.action} ({step.actor}, {step.one:.3f}, {step.two:.3f})"
