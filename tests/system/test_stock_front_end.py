"""Stock front ends made of the real @codemirror/state, on real servers: one text, with all that was typed."""

import subprocess
from pathlib import Path

import pytest
import trio

from tests.haproxy import open_haproxy
from tests.redis import running_redis
from tests.system.scene import PATIENCE_SECONDS
from tests.system.server import running


async def run_front_ends(
    codemirror: Path, *servers: str, seed: int, keys_a_second: int
) -> subprocess.CompletedProcess[bytes]:
    """Run four stock front ends, spread over the addresses of servers."""
    addresses = ",".join(servers)
    with trio.fail_after(PATIENCE_SECONDS):
        return await trio.run_process(
            ["node", "stock.mjs", addresses, str(seed), str(keys_a_second)],
            cwd=codemirror,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )


@pytest.mark.parametrize("keys_a_second", [10, 40, 200])
async def test_stock_front_ends_end_with_one_text_and_all_that_was_typed(
    codemirror: Path, seed: int, keys_a_second: int
) -> None:
    async with running("--pushes-per-second", "1000") as server:
        done = await run_front_ends(codemirror, server.address, seed=seed, keys_a_second=keys_a_second)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


async def test_stock_front_ends_behind_haproxy_end_with_one_text(codemirror: Path, seed: int) -> None:
    with running_redis("redis-server") as redis:
        async with running("--redis-url", redis.url) as one, running("--redis-url", redis.url) as two:
            ports = [(server.host_and_port[1], await server.wait_http_port()) for server in (one, two)]
            async with open_haproxy(*ports) as proxy:
                # Two come through HAProxy, which sends them to one server; the others are on both.
                address = f"ws://127.0.0.1:{proxy.port}"
                addresses = (address, one.address, address, two.address)
                done = await run_front_ends(codemirror, *addresses, seed=seed, keys_a_second=40)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


async def test_stock_front_ends_keep_their_connections_and_lose_nothing_when_redis_dies_and_comes_back(
    codemirror: Path, seed: int
) -> None:
    with running_redis("redis-server", "--appendonly", "yes") as redis:
        async with running("--redis-url", redis.url) as one, running("--redis-url", redis.url) as two:

            async def kill() -> None:
                await trio.sleep(1)
                redis.kill()
                await trio.sleep(0.7)
                redis.start()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(kill)
                done = await run_front_ends(codemirror, one.address, two.address, seed=seed, keys_a_second=40)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
