"""Daily work on each network, with each client: in the end both texts are equal and exact."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
from trio.testing import MockClock

from pyshare.client import Codespace
from tests.network.daily import LONG, Size, sleeper, work_a_day
from tests.network.line import Quality
from tests.network.passages import WAYS, Network, Passage
from tests.network.people import KINDS, Person, open_person
from tests.network.presets import PRESETS, have_weather
from tests.network.world import World, open_world

#: Seconds of the world's clock in which a day is over.
DAY_SECONDS = 2000
#: Seconds for a short scene, without those of a sleep.
MOMENT_SECONDS = 200
#: A text and a paste that take longer than any deadline, at bytes per second of a network that has little left.
OPENED, OPENED_SPEED = LONG * 10_400, 12_000
PASTED, PASTED_SPEED = "pasted by somebody alone\n" * 4500, 7500
#: Parts of the full texts of a day: to take long they need not be as long on a network that is silent for long.
PARTS = {"slow 3G": 1.0, "train": 0.3, "sleep": 0.1}
#: Seconds of silence after which a client holds a connection for lost: a sign of life that is late, and a question.
NOTICED_SECONDS = 20 + 5 + 10
#: Seconds in which a machine that wakes finds out.
WOKEN_SECONDS = 5


@dataclass
class Scene:
    """A server, a bad network, somebody on it, and somebody else."""

    world: World
    network: Network
    person: Person
    calm: Codespace


@asynccontextmanager
async def open_scene(
    kind: str, network: Network, text: str = "", *, seconds: float = MOMENT_SECONDS
) -> AsyncIterator[Scene]:
    with trio.fail_after(seconds):
        async with open_world() as world, world.joins() as calm, open_person(kind, world, network) as person:
            calm.insert(0, text)
            await calm.wait_confirmed()
            yield Scene(world, network, person, calm)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of the client."""
    kind: str = request.param
    return kind


@pytest.mark.parametrize("name", PRESETS)
async def test_daily_work_loses_nothing_and_doubles_nothing(
    kind: str, name: str, seed: int, autojump_clock: MockClock
) -> None:
    preset = PRESETS[name]
    async with open_scene(kind, preset.network(seed), seconds=DAY_SECONDS) as scene, trio.open_nursery() as nursery:
        nursery.start_soon(have_weather, scene.network, preset, seed)
        await work_a_day(
            scene.person, scene.calm, sleeper(scene.network, preset, scene.person.sleeps), Size(PARTS[name])
        )
        nursery.cancel_scope.cancel()
    if name == "slow 3G":
        assert scene.network.carried == 2, "a slow line is not a lost one"


async def test_a_page_opens_a_long_text_over_a_slow_line_at_the_first_attempt(autojump_clock: MockClock) -> None:
    network = Network(down=Quality(OPENED_SPEED))
    async with open_scene("page", network, OPENED) as scene:
        began = trio.current_time()
        await scene.person.opens()
        seconds = len(OPENED.encode()) / OPENED_SPEED
        assert seconds < trio.current_time() - began < seconds + 3
        assert network.carried == 1
        assert scene.person.text == OPENED


async def test_a_page_saves_a_long_paste_over_a_slow_line_at_the_first_attempt(autojump_clock: MockClock) -> None:
    network = Network(up=Quality(PASTED_SPEED))
    async with open_scene("page", network) as scene:
        await scene.person.opens()
        began = trio.current_time()
        scene.person.inserts(PASTED)
        await scene.person.until_saved()
        seconds = len(PASTED) / PASTED_SPEED
        assert seconds < trio.current_time() - began < seconds + 3
        assert network.carried == 1
        await scene.calm.wait_text(PASTED)


async def test_who_only_reads_notices_that_the_connection_is_dead(kind: str, autojump_clock: MockClock) -> None:
    network = Network()
    async with open_scene(kind, network, "start\n") as scene:
        await scene.person.opens()
        await trio.sleep(7)
        network.fall_silent()
        scene.calm.insert(0, "news")
        began = trio.current_time()
        await scene.person.until_text(len("newsstart\n"))
        assert trio.current_time() - began < NOTICED_SECONDS + 2


async def test_a_page_that_slept_finds_out_in_seconds_that_its_connection_is_dead(autojump_clock: MockClock) -> None:
    network = Network()
    async with open_scene("page", network, "start\n", seconds=DAY_SECONDS) as scene:
        await scene.person.opens()
        await trio.sleep(7)
        network.fall_silent()
        scene.calm.insert(0, "news")
        await scene.person.sleeps(600)
        woken = trio.current_time()
        await scene.person.until_text(len("newsstart\n"))
        assert trio.current_time() - woken < WOKEN_SECONDS + 1


async def test_a_connection_that_is_silent_in_one_direction_is_given_up(kind: str, autojump_clock: MockClock) -> None:
    for way in WAYS:
        network = Network()
        async with open_scene(kind, network, "start\n") as scene:
            await scene.person.opens()
            network.fall_silent(ways=(way,))
            scene.person.inserts("end")
            await scene.person.until_saved()
            await scene.calm.wait_text("start\nend")
            assert network.carried == 2


async def test_a_welcome_that_is_cut_at_any_of_its_bytes_is_had_at_the_next_attempt(
    kind: str, autojump_clock: MockClock
) -> None:
    text = "line\n" * 20_000
    network = Network()
    cuts = iter((0, 1, 100, 400, 1000, 30_000, 99_000))

    def cut(passage: Passage) -> None:
        count = next(cuts, None)
        if count is not None:
            passage.cut_after(count, "down")

    network.on_passage = cut
    async with open_scene(kind, network, text) as scene:
        await scene.person.opens()
        assert scene.person.text == text
        assert network.carried == 8
