"""The faults, each a short async function that does one thing to the stage and takes it back."""

import math
import signal
from collections.abc import Awaitable, Callable
from random import Random
from typing import Final

import trio

from tests.chaos.stage import Instance, Stage
from tests.network.line import Quality

Fault = Callable[[Stage, Random], Awaitable[None]]
#: Faults that keep all data, those of them that stop no server, and those by which Redis loses data.
KEEPING: Final[dict[str, Fault]] = {}
GENTLE: Final[dict[str, Fault]] = {}
LOSING: Final[dict[str, Fault]] = {}


def _fault(*lists: dict[str, Fault]) -> Callable[[Fault], Fault]:
    def put(fault: Fault) -> Fault:
        for each in lists:
            each[str(getattr(fault, "__name__", "")).replace("_", " ")] = fault
        return fault

    return put


def _some(stage: Stage, random: Random) -> Instance:
    return random.choice(stage.instances)


@_fault(KEEPING)
async def server_killed(stage: Stage, random: Random) -> None:
    instance = _some(stage, random)
    instance.pause_seconds = 2 * random.random()
    instance.tell(signal.SIGKILL)
    await trio.lowlevel.checkpoint()


@_fault(KEEPING)
async def server_told_to_end(stage: Stage, random: Random) -> None:
    instance = _some(stage, random)
    instance.pause_seconds = 2 * random.random()
    instance.tell(signal.SIGTERM)
    await trio.lowlevel.checkpoint()


@_fault(KEEPING)
async def server_stopped(stage: Stage, random: Random) -> None:
    instance = _some(stage, random)
    if instance.tell(signal.SIGSTOP):
        await trio.sleep(0.3 + 4 * random.random())
        instance.tell(signal.SIGCONT)


@_fault(KEEPING, GENTLE)
async def redis_killed(stage: Stage, random: Random) -> None:
    stage.redis.kill()
    await trio.sleep(2 * random.random())
    await stage.start_redis()


@_fault(KEEPING, GENTLE)
async def redis_stopped(stage: Stage, random: Random) -> None:
    stage.redis.tell(signal.SIGSTOP)
    await trio.sleep(0.2 + 4 * random.random())
    stage.redis.tell(signal.SIGCONT)


@_fault(KEEPING, GENTLE)
async def redis_connections_cut(stage: Stage, random: Random) -> None:
    for _ in range(random.randrange(1, 4)):
        _some(stage, random).proxy.cut(topics=random.choice((True, False, None)))
        await trio.sleep(random.random())


@_fault(KEEPING, GENTLE)
async def redis_slow(stage: Stage, random: Random) -> None:
    proxy, topics = _some(stage, random).proxy, random.random() < 0.5
    proxy.delay(0.02 + 0.5 * random.random(), topics=topics)
    await trio.sleep(1 + 2 * random.random())
    proxy.delay(0, topics=topics)


@_fault(KEEPING, GENTLE)
async def answer_of_redis_lost(stage: Stage, random: Random) -> None:
    proxy = _some(stage, random).proxy
    left = random.randrange(1, 4)

    def loses(data: bytes) -> bool:
        nonlocal left
        lost = left > 0 and b"EVALSHA" in data
        left -= lost
        return lost

    proxy.loses_answer = loses
    await trio.sleep(1.5)
    proxy.loses_answer = lambda data: False


@_fault(KEEPING, GENTLE)
async def topics_stalled(stage: Stage, random: Random) -> None:
    # A lane that is silent for six seconds is given up.
    _some(stage, random).proxy.stall(topics=True)
    await trio.lowlevel.checkpoint()


@_fault(KEEPING, GENTLE)
async def clients_cut(stage: Stage, random: Random) -> None:
    for passage in list(stage.clients.passages):
        if random.random() < 0.5:
            passage.cut(reset=random.random() < 0.5)
    await trio.lowlevel.checkpoint()


@_fault(KEEPING, GENTLE)
async def clients_cut_in_the_middle_of_a_frame(stage: Stage, random: Random) -> None:
    for passage in list(stage.clients.passages):
        if random.random() < 0.5:
            passage.cut_after(random.randrange(200), random.choice(("up", "down")))
    await trio.lowlevel.checkpoint()


@_fault(KEEPING, GENTLE)
async def clients_slow(stage: Stage, random: Random) -> None:
    quality = Quality(5_000 + 50_000 * random.random(), delay_seconds=0.3 * random.random(), jitter_seconds=0.1)
    stage.clients.become(up=quality, down=quality)
    await trio.sleep(2 + 2 * random.random())
    stage.clients.become()


@_fault(KEEPING, GENTLE)
async def clients_silent(stage: Stage, random: Random) -> None:
    for passage in list(stage.clients.passages):
        if random.random() < 0.5:
            passage.fall_silent(0.5 + 3 * random.random(), ways=random.choice((("up",), ("down",), ("up", "down"))))
    await trio.lowlevel.checkpoint()


@_fault(KEEPING, GENTLE)
async def connection_half_open(stage: Stage, random: Random) -> None:
    if stage.clients.passages:
        passage = random.choice(stage.clients.passages)
        passage.fall_silent(math.inf)
        await trio.sleep(3)
        passage.cut(reset=True)


@_fault(LOSING)
async def flushall(stage: Stage, random: Random) -> None:
    await trio.to_thread.run_sync(stage.redis.client.flushall)


@_fault(LOSING)
async def old_files(stage: Stage, random: Random) -> None:
    await stage.keep_files()
    await trio.sleep(0.5 + 2 * random.random())
    await stage.restart_with_old_files()
