"""Real servers on a real Redis that is full, forgets what is open, is replaced by another, or permits too little."""

import signal
import uuid
from collections.abc import Iterator

import httpx
import pytest
import trio

from pyshare.client import EditsUnconfirmed, StorageChanged, connect
from pyshare.core.errors import EditsLeft
from tests.proxy import open_proxy
from tests.redis import RedisServer, running_redis
from tests.system.scene import PATIENCE_SECONDS
from tests.system.server import RunningServer, running
from tests.system.test_redis_faults import failed_start


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis server that keeps nothing on a disk."""
    with running_redis("redis-server") as server:
        yield server


def http(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False)


async def test_a_full_redis_is_said_once_to_all_and_the_server_is_not_ready(redis: RedisServer) -> None:
    async with (
        running("--redis-url", redis.url) as server,
        http(await server.wait_http_port()) as client,
        connect(server.codespace()) as alice,
    ):
        alice.insert(0, "before ")
        await alice.wait_confirmed()
        events = alice.events()
        redis.client.config_set("maxmemory", "1")
        alice.insert(7, "after")
        await server.wait_logged("writes are refused")
        await trio.sleep(3)
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["reason"]) == (503, "the store is full")
        made = await client.post("/codespaces", json={})
        assert (made.status_code, made.json()["reason"]) == (503, "the store is full; try again later")
        redis.client.config_set("maxmemory", "0")
        with trio.fail_after(PATIENCE_SECONDS):
            await alice.wait_confirmed()
        said: list[str] = []
        with trio.move_on_after(1):
            async for event in events:
                said += [event.storage] if isinstance(event, StorageChanged) else []
        assert said == ["down", "ok"]
        assert (await client.get("/readyz")).status_code == 200
    warned = [line["event"] for line in server.log if line["level"] == "warning"]
    assert warned.count("writes are refused") == 1
    assert len([line for line in server.log if "OOM" in str(line)]) <= 2, "once, and once for the request"


async def type_until_the_end(server: RunningServer, redis: RedisServer) -> None:
    """Type what Redis takes and what it refuses, and stop the server."""
    async with connect(server.codespace(), save_seconds=0) as alice:
        alice.insert(0, "before ")
        await alice.wait_confirmed()
        redis.client.config_set("maxmemory", "1")
        alice.insert(7, "after")
        await server.wait_logged("writes are refused")
        server.tell(signal.SIGTERM)
        assert await server.wait() == EditsLeft.exit_code


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_edits_that_were_not_saved_at_the_end_are_told_by_the_log_and_the_exit_code(
    redis: RedisServer, workers: str
) -> None:
    flags = ("--redis-url", redis.url, "--drain-seconds", "2", "--close-seconds", "0.5", "--workers", workers)
    async with running(*flags, exit_code=EditsLeft.exit_code) as server:
        with pytest.raises(EditsUnconfirmed) as caught:
            await type_until_the_end(server, redis)
    assert caught.value.text == "before after"
    (left,) = [line for line in server.log if line["event"] == "edits were not saved before the end"]
    assert (left["level"], left["pushes"], left["codespaces"]) == ("error", 1, 1)


async def test_codespaces_that_are_evicted_while_they_are_open_live_on_and_nobody_notices(redis: RedisServer) -> None:
    redis.client.config_set("maxmemory-policy", "volatile-lru")
    redis.client.config_set("maxmemory", "5mb")
    async with running("--redis-url", redis.url) as server:
        codespace = server.codespace(name := f"tmp-{uuid.uuid4()}")
        async with connect(codespace) as alice, connect(codespace) as bob:
            alice.insert(0, "kept ")
            await alice.wait_confirmed()
            epoch = redis.client.hget(name, "epoch")
            for number in range(5000):
                redis.client.set(f"fill {number}", b"x" * 2000, ex=10_000)
            with trio.fail_after(PATIENCE_SECONDS):
                alice.insert(5, "and typed")
                await alice.wait_confirmed()
                await bob.wait_version(alice.version)
            assert alice.text == bob.text == "kept and typed"
            assert redis.client.hget(name, "epoch") == epoch
    assert [line["maxmemory_policy"] for line in server.log if "maxmemory_policy" in line] == ["volatile-lru"]


async def test_after_a_failover_edits_are_committed_on_the_new_primary(redis: RedisServer) -> None:
    with running_redis("redis-server") as new:
        async with (
            open_proxy(str(redis.socket)) as name,
            running("--redis-url", name.url) as server,
            http(await server.wait_http_port()) as client,
            connect(server.codespace(codespace := f"tmp-{uuid.uuid4()}")) as alice,
        ):
            alice.insert(0, "before ")
            await alice.wait_confirmed()
            redis.client.replicaof("127.0.0.1", "1")
            alice.insert(7, "after")
            await wait_unready(client, "the store is a replica, and takes no writes")
            name.target = str(new.socket)
            with trio.fail_after(PATIENCE_SECONDS):
                await alice.wait_confirmed()
            assert new.client.hget(codespace, "code") == b"before after"
            assert (await client.get("/readyz")).status_code == 200


async def wait_unready(client: httpx.AsyncClient, reason: str) -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        while (await client.get("/readyz")).json().get("reason") != reason:  # noqa: ASYNC110 - it is asked
            await trio.sleep(0.05)


async def test_a_redis_user_without_channels_is_an_error_at_the_start(redis: RedisServer) -> None:
    words = ("ACL", "SETUSER", "app", "on", ">word", "~*", "+@all")
    redis.client.execute_command(*words)  # type: ignore[no-untyped-call]
    code, line = await failed_start("--redis-url", f"unix://app:word@{redis.socket}")
    assert code == 2
    for part in ("NOPERM", "channels", "~* &* +@all -@dangerous", "--redis-url"):
        assert part in line
