"""Two real servers on one real Redis behind the real HAProxy: drained, killed, cut, and nobody loses a letter."""

import signal
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio

from pyshare.client import connect
from tests.haproxy import Proxy, open_haproxy
from tests.redis import RedisServer, running_redis
from tests.system.scene import PATIENCE_SECONDS, Scene, open_scene
from tests.system.server import RunningServer, running

#: Seconds in which every editor has to be on another server.
AWAY_SECONDS = 2.0


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis server that keeps its data."""
    with running_redis("redis-server", "--appendonly", "yes") as server:
        yield server


@asynccontextmanager
async def two_servers(redis: RedisServer) -> AsyncIterator[tuple[Proxy, list[RunningServer]]]:
    """Run two servers and HAProxy in front of them. A server may be ended before the context is."""
    flags = ("--redis-url", redis.url)
    async with running(*flags, exit_code=None) as one, running(*flags, exit_code=None) as two:
        servers = [one, two]
        ports = [(server.host_and_port[1], await server.wait_http_port()) for server in servers]
        async with open_haproxy(*ports) as proxy:
            yield proxy, servers


def codespace_of(proxy: Proxy) -> str:
    """Return the URL of a codespace that nobody has used, through HAProxy."""
    return f"ws://127.0.0.1:{proxy.port}/codespace/tmp-{uuid.uuid4()}/"


async def server_of(scene: Scene, servers: list[RunningServer]) -> tuple[RunningServer, RunningServer]:
    """Return the server where everybody is, who came through HAProxy, and the other."""
    with trio.fail_after(PATIENCE_SECONDS):
        while True:
            joined = [[line["event"] for line in server.log].count("joined") for server in servers]
            if sum(joined) >= len(scene.typists):
                break
            await trio.sleep(0.02)
    assert 0 in joined, "clients of one codespace meet on one server"
    return (servers[0], servers[1]) if joined[0] else (servers[1], servers[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_server_that_is_drained_or_killed_loses_nothing_and_its_editors_are_on_the_other_at_once(
    redis: RedisServer, seed: int, number: signal.Signals
) -> None:
    async with two_servers(redis) as (proxy, servers), open_scene(seed) as scene:
        url = codespace_of(proxy)
        for _ in range(6):
            await scene.joins(url)
        scene.types()
        await scene.waits_typed(100)
        first, second = await server_of(scene, servers)
        # Two more, who are on the other server without HAProxy: the codespace is on both.
        token = url.split("/")[-2]
        scene.types(*[await scene.joins(second.codespace(token)) for _ in range(2)])
        await scene.waits_typed(50)
        first.tell(number)
        with trio.fail_after(AWAY_SECONDS):
            await second.wait_logged("joined", times=8)
        assert await first.wait() == (0 if number == signal.SIGTERM else -number)
        await scene.waits_typed(100)
        text = await scene.agrees()
        assert [typist.reconnects for typist in scene.typists] == [1] * 6 + [0] * 2
        stored = redis.client.hget(token, "code")
        assert isinstance(stored, bytes)
        assert stored.decode() == text


async def test_a_server_that_comes_back_serves_the_codespace_again(redis: RedisServer, seed: int) -> None:
    async with two_servers(redis) as (proxy, servers), open_scene(seed) as scene:
        url = codespace_of(proxy)
        for server in servers:
            await scene.joins(server.codespace(url.split("/")[-2]))
        await scene.joins(url)
        scene.types()
        await scene.waits_typed(50)
        redis.kill()
        await scene.waits_typed(20)
        assert (await proxy.get("/readyz")).status == 503
        redis.start()
        await scene.waits_typed(20)
        with trio.fail_after(PATIENCE_SECONDS):
            while (await proxy.get("/readyz")).status != 200:  # noqa: ASYNC110 - nobody tells
                await trio.sleep(0.1)
        await scene.joins(url)
        await scene.agrees()


async def test_editors_of_the_real_codemirror_behind_haproxy_survive_kills_of_everything(
    codemirror: Path, redis: RedisServer, seed: int
) -> None:
    async with two_servers(redis) as (proxy, servers):

        async def kill() -> None:
            await trio.sleep(1)
            redis.kill()
            await trio.sleep(0.5)
            redis.start()
            await trio.sleep(1)
            servers[seed % 2].tell(signal.SIGKILL)

        with trio.fail_after(PATIENCE_SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(kill)
                done: subprocess.CompletedProcess[bytes] = await trio.run_process(
                    ["node", "editors.mjs", f"ws://127.0.0.1:{proxy.port}", str(seed), "160", "40"],
                    cwd=codemirror,
                    capture_stdout=True,
                    capture_stderr=True,
                    check=False,
                )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


async def test_behind_haproxy_the_page_links_and_websockets_have_one_address_and_links_are_good_at_both_servers(
    redis: RedisServer,
) -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with two_servers(redis) as (proxy, _):
            address = f"http://127.0.0.1:{proxy.port}"
            async with httpx.AsyncClient(base_url=address) as client:
                page = await client.get("/")
                assert page.headers["content-type"] == "text/html; charset=utf-8"
                assert f"ws://127.0.0.1:{proxy.port} " in page.headers["content-security-policy"]
                made = (await client.post("/codespaces", json={"text": "x"})).json()
                for _ in range(4):
                    # Whichever server is asked, and wherever the token leads.
                    link = (await client.post(f"/codespaces/{made['edit']['token']}/links", json={})).json()["token"]
                    assert (await client.get(f"/codespaces/{link}/text")).text == "x"
                    async with connect(f"{address}/#{link}") as codespace:
                        assert (codespace.text, codespace.mode) == ("x", "view_only")
