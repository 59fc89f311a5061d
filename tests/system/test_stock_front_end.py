"""Stock front ends made of their own packages, on real servers: one text, with exactly what was typed."""

import subprocess
from pathlib import Path
from typing import Final

import pytest
import trio

from tests.haproxy import open_haproxy
from tests.redis import running_redis
from tests.system.server import RunningServer, running

#: Seconds for all scenes of a test, which take about thirty.
_PATIENCE_SECONDS: Final = 240.0
#: Scenes that are played wherever the people are connected.
_EVERYWHERE: Final = "two,long,indents"


async def play(
    front_end: Path, *addresses: str, http: RunningServer, seed: int, scenes: str, keys: int = 40
) -> subprocess.CompletedProcess[bytes]:
    """Play scenes of tests/codemirror/stock_scenes.mjs; the people are spread over the addresses."""
    web = f"http://127.0.0.1:{await http.wait_http_port()}"
    flags = ("--seed", str(seed), "--scene", scenes, "--keys", str(keys))
    with trio.fail_after(_PATIENCE_SECONDS):
        return await trio.run_process(
            ["node", "stock.mjs", ",".join(addresses), web, *flags],
            cwd=front_end.parent,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )


def assert_right(done: subprocess.CompletedProcess[bytes]) -> None:
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize(
    "scenes",
    [
        "two,three,slow",
        "long,longest,pastes",
        "indents,tabs,undo",
        "emoji,backspace,erasing",
        "deletes,selects,unsent,anything",
    ],
)
async def test_people_at_stock_front_ends_end_with_one_text_and_exactly_what_they_typed(
    front_end: Path, seed: int, scenes: str
) -> None:
    async with running() as server:
        assert_right(await play(front_end, server.address, http=server, seed=seed, scenes=scenes))


@pytest.mark.parametrize("keys", [40, 200])
async def test_it_is_exact_however_fast_they_type_at_any_places(front_end: Path, seed: int, keys: int) -> None:
    async with running("--pushes-per-second", "1000") as server:
        assert_right(await play(front_end, server.address, http=server, seed=seed, scenes="places", keys=keys))


async def test_it_is_exact_through_haproxy(front_end: Path, seed: int) -> None:
    with running_redis("redis-server") as redis:
        async with running("--redis-url", redis.url) as one, running("--redis-url", redis.url) as two:
            ports = [(server.host_and_port[1], await server.wait_http_port()) for server in (one, two)]
            async with open_haproxy(*ports) as proxy:
                address = f"ws://127.0.0.1:{proxy.port}"
                assert_right(await play(front_end, address, http=one, seed=seed, scenes=_EVERYWHERE))


async def test_it_is_exact_with_each_person_on_a_server_of_their_own(front_end: Path, seed: int) -> None:
    with running_redis("redis-server") as redis:
        async with running("--redis-url", redis.url) as one, running("--redis-url", redis.url) as two:
            assert_right(await play(front_end, one.address, two.address, http=two, seed=seed, scenes=_EVERYWHERE))


async def test_stock_front_ends_keep_their_connections_and_lose_nothing_when_redis_dies_and_comes_back(
    front_end: Path, seed: int
) -> None:
    with running_redis("redis-server", "--appendonly", "yes") as redis:
        async with running("--redis-url", redis.url) as one, running("--redis-url", redis.url) as two:

            async def kill() -> None:
                await trio.sleep(2)
                redis.kill()
                await trio.sleep(0.7)
                redis.start()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(kill)
                done = await play(front_end, one.address, two.address, http=one, seed=seed, scenes="places", keys=20)
    assert_right(done)
