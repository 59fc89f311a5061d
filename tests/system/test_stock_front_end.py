"""Stock front ends made of the real @codemirror/state, on real servers: one text, with all that was typed."""

import subprocess
from pathlib import Path

import pytest
import trio

from tests.redis import running_redis
from tests.system.scene import PATIENCE_SECONDS
from tests.system.server import RunningServer, running


async def run_front_ends(
    codemirror: Path, *servers: RunningServer, seed: int, keys_a_second: int
) -> subprocess.CompletedProcess[bytes]:
    """Run four stock front ends, spread over the servers."""
    addresses = ",".join(server.address for server in servers)
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
        done = await run_front_ends(codemirror, server, seed=seed, keys_a_second=keys_a_second)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


async def test_stock_front_ends_on_two_servers_end_with_one_text(codemirror: Path, seed: int) -> None:
    with running_redis("redis-server") as redis:
        async with running("--redis-url", redis.url) as one, running("--redis-url", redis.url) as two:
            done = await run_front_ends(codemirror, one, two, seed=seed, keys_a_second=40)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
