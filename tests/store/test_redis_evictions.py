"""What Redis forgets for want of memory, in whole or in part, is put back; what was deleted is not."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
import trio
from redis.exceptions import OutOfMemoryError

from pyshare.store import lua
from pyshare.store.bridge import Reply, Word
from pyshare.store.interface import Appended, Gap, Gone, Lost, Snapshot, StoreLimits, StoreUnavailable, Tail
from pyshare.store.layout import write_update
from pyshare.store.redis import RedisStore
from tests.proxy import open_proxy
from tests.redis import PROGRAMS, RedisServer, running_redis
from tests.store.test_redis import append, loaded, next_event, running, typed, until_answered

KEYS = ("room", "{room}:log", "{room}:seqs")


@pytest.fixture(params=PROGRAMS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with running_redis(request.param) as found:
        yield found


def evict(server: RedisServer, *keys: str) -> None:
    """Have the server forget keys as if its memory were full, and say so."""
    events = server.client.config_get("notify-keyspace-events")["notify-keyspace-events"] or ""
    server.client.config_set("notify-keyspace-events", "")
    server.client.delete(*keys)
    server.client.config_set("notify-keyspace-events", events)
    for key in keys:
        server.client.publish("__keyevent@0__:evicted", key)


async def filled(store: RedisStore, *, count: int = 5) -> Snapshot:
    """Make a codespace of `count` updates, and return what an instance holds of it."""
    epoch = (await loaded(store)).epoch
    for version in range(1, count + 1):
        assert await append(store, epoch, version) == Appended(version)
    return await loaded(store)


@pytest.mark.parametrize("keys", [KEYS[:1], KEYS[1:2], KEYS[2:], KEYS[1:], KEYS[:2], KEYS])
async def test_what_was_evicted_is_put_back_whole_under_its_epoch(server: RedisServer, keys: tuple[str, ...]) -> None:
    async with running(server.url) as store:
        held = await filled(store)
        async with store.subscribe("room") as events:
            await loaded(store)
            evict(server, *keys)
            assert await next_event(events) == Gap(), "its channel is to look"
            assert await store.read_log("room", held.epoch, after=5) == Lost()
            assert await store.put_back("room", held) == Tail(5, ())
            assert await loaded(store) == held
            assert await store.read_log("room", held.epoch, after=0) == Tail(5, held.log)
            assert await append(store, held.epoch, 6) == Appended(6)
            assert all(server.client.pttl(key) > 0 for key in KEYS)


async def test_memory_that_is_full_evicts_codespaces_and_says_so(server: RedisServer) -> None:
    async with running(server.url) as store:
        held = await filled(store)
        async with store.subscribe("room") as events:
            await loaded(store)
            server.client.set("ballast", b"x" * 4_000_000)
            server.client.config_set("maxmemory-policy", "volatile-lru")
            server.client.config_set("maxmemory", "1mb")
            assert await next_event(events) == Gap()
            assert server.client.exists("room") == 0
            server.client.config_set("maxmemory", "0")
            assert await store.read_log("room", held.epoch, after=5) == Lost()
            assert await store.put_back("room", held) == Tail(5, ())
            assert await loaded(store) == held


@pytest.mark.parametrize("deleted", [False, True])
async def test_an_answer_that_comes_before_the_news_waits_for_the_news(server: RedisServer, *, deleted: bool) -> None:
    async with open_proxy(str(server.socket)) as proxy, running(proxy.url) as store:
        held = await filled(store)
        async with store.subscribe("room"):
            await loaded(store)
            proxy.delay(0.3, topics=True)
            if deleted:
                server.client.delete("room")
            else:
                evict(server, "room")
            answer = await append(store, held.epoch, 6)
            assert answer == (Gone() if deleted else Lost())


async def test_news_that_cannot_be_heard_leave_it_open_what_has_become_of_a_codespace(server: RedisServer) -> None:
    async with open_proxy(str(server.socket)) as proxy, running(proxy.url) as store:
        held = await filled(store)
        async with store.subscribe("room"):
            await loaded(store)
            proxy.stall(topics=True)
            server.client.delete("room")
            async with trio.open_nursery() as nursery:

                async def cut() -> None:
                    await trio.sleep(0.2)
                    proxy.cut(topics=True)

                nursery.start_soon(cut)
                with pytest.raises(StoreUnavailable):
                    await append(store, held.epoch, 6)
            assert await until_answered(lambda: append(store, held.epoch, 6)) == Gone()


@pytest.mark.parametrize("evicted", [False, True])
async def test_where_no_news_are_told_a_count_of_evictions_tells_lost_from_deleted(*, evicted: bool) -> None:
    flags = ("--rename-command", "CONFIG", "", "--maxmemory", "4mb", "--maxmemory-policy", "volatile-lru")
    with running_redis("redis-server", *flags) as server:
        async with running(server.url) as store:
            held = await filled(store)
            async with store.subscribe("room"):
                await loaded(store)
                if evicted:
                    with suppress(OutOfMemoryError):
                        for number in range(40):
                            server.client.set(f"ballast {number}", b"x" * 200_000)
                    assert server.client.exists("room") == 0
                    server.client.delete("ballast 0", "ballast 1", "ballast 2")
                else:
                    server.client.delete("room")
                answer = await append(store, held.epoch, 6)
                assert answer == (Lost() if evicted else Gone())


async def test_a_policy_that_evicts_is_named_at_the_start_where_memory_has_a_limit(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    warned = []
    for policy, memory in (("noeviction", "100mb"), ("allkeys-lru", "0"), ("volatile-ttl", "100mb")):
        server.client.config_set("maxmemory-policy", policy)
        server.client.config_set("maxmemory", memory)
        caplog.clear()
        async with open_proxy(str(server.socket)) as proxy, running(proxy.url) as store:
            proxy.cut()
            await until_answered(store.check)
        warned.append(
            [getattr(each, "maxmemory_policy", None) for each in caplog.records if "noeviction" in each.message]
        )
    assert warned == [[], [], ["volatile-ttl"]], "once, and not again with each connection"


# Parts


async def test_a_log_that_outlived_its_codespace_keeps_what_another_instance_has_added(server: RedisServer) -> None:
    async with running(server.url) as store, store.subscribe("room"):
        held = await filled(store, count=3)
        await append(store, held.epoch, 4)
        await append(store, held.epoch, 5)
        ahead = await loaded(store)
        evict(server, "room")
        answer = await store.put_back("room", held)
        assert answer == Tail(5, ahead.log[3:])
        found = await loaded(store)
        assert (found.version, found.text_version, found.log, found.epoch) == (5, 3, ahead.log, held.epoch)
        assert found.last_seqs == ahead.last_seqs


async def test_a_log_of_another_life_that_outlived_its_codespace_is_not_taken_for_its_own(server: RedisServer) -> None:
    async with running(server.url) as store, store.subscribe("room"):
        held = await filled(store, count=3)
        server.client.delete(*KEYS)
        for version in range(1, 6):
            server.client.xadd("{room}:log", {"u": write_update(typed(version, "bob"))}, id=f"{version}-0")
        assert await store.put_back("room", held) == Tail(3, ())
        assert await loaded(store) == held


async def test_a_log_that_was_evicted_and_has_grown_since_is_whole_again(server: RedisServer) -> None:
    async with running(server.url) as store:
        held = await filled(store)
        server.client.delete("{room}:log")
        await append(store, held.epoch, 6)
        log = (*held.log, typed(6))
        whole = replace(held, text="x" * 6, text_version=6, version=6, log=log, last_seqs={"alice": 6})
        assert await store.put_back("room", whole) == Tail(6, ())
        assert await loaded(store) == whole


async def test_a_text_that_differs_where_no_log_shows_why_is_not_replaced(server: RedisServer) -> None:
    async with running(server.url) as store, store.subscribe("room"):
        held = await filled(store)
        server.client.delete("{room}:log")
        server.client.hset("room", "code", "other")
        assert await store.put_back("room", held) == Gone(replaced=True)
        found = await loaded(store)
        assert (found.text, found.before) == ("other", (held.epoch,))


async def test_a_sum_of_bytes_that_another_server_has_not_kept_is_made_again(server: RedisServer) -> None:
    async with running(server.url, keeps=StoreLimits(log_updates=100)) as store:
        epoch = (await loaded(store)).epoch
        await append(store, epoch, 1)
        # As a server does it that keeps no sum.
        server.client.xadd("{room}:log", {"u": write_update(typed(2))}, id="2-0")
        server.client.hset("room", mapping={"version": 2, "code_version": 2, "code": "xx"})
        await append(store, epoch, 3)
        bytes_ = sum(len(write_update(typed(version))) + 64 for version in (1, 2, 3))
        assert int(server.client.hget("room", "log_bytes") or 0) == bytes_


# Other data, while something is asked


@pytest.mark.parametrize("script", [lua.LOAD, lua.READ_LOG, lua.APPEND, lua.TOUCH, lua.PUT_BACK])
async def test_an_answer_about_data_that_are_gone_does_not_make_those_known_that_are_there(
    script: lua.Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_redis("redis-server", "--appendonly", "no") as server:
        async with running(server.url) as store, running(server.url) as other, store.subscribe("room"):
            epoch = (await loaded(store)).epoch
            await append(store, epoch, 1)
            server.client.save()
            await append(store, epoch, 2)
            held = await loaded(store)
            run = store._run
            restarts = [script]

            async def run_and_restart(asked: lua.Script, codespace: str, *arguments: Word) -> Reply:
                answer = await run(asked, codespace, *arguments)
                if asked in restarts:
                    restarts.clear()
                    server.kill()
                    server.start()
                    await until_answered(store.check)
                    await until_answered(other.check)
                    for version in (2, 3, 4):
                        await other.append(
                            "room", epoch, expected=version - 1, updates=[typed(version, "bob")], text=None
                        )
                return answer

            monkeypatch.setattr(store, "_run", run_and_restart)
            match script.digest:
                case lua.LOAD.digest:
                    snapshot = await store.load("room", create=False)
                    assert snapshot is not None
                    assert snapshot.version == 4, "parts of two data make no whole"
                case lua.READ_LOG.digest:
                    with pytest.raises(StoreUnavailable):
                        await store.read_log("room", epoch, after=0)
                case lua.APPEND.digest:
                    await append(store, epoch, 3)
                case lua.TOUCH.digest:
                    await store.touch("room", epoch)
                case _:
                    with pytest.raises(StoreUnavailable):
                        await store.put_back("room", held)
            assert await store.read_log("room", epoch, after=2) == Lost()


async def test_what_is_no_codespace_of_ours_is_none_that_was_evicted(server: RedisServer) -> None:
    async with running(server.url) as store, store.subscribe("room") as events:
        held = await filled(store)
        evict(server, "something else", "{other}:log")
        await append(store, held.epoch, 6)
        with trio.move_on_after(0.2):
            while True:
                assert await next_event(events) != Gap()
