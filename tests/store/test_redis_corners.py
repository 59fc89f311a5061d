"""Corners of the store on Redis: what was lost and made anew meanwhile, what others write there, what is forgotten."""

from collections.abc import Iterator

import pytest
import trio

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.presence import Announcement
from pyshare.store.interface import Announced, Appended, Gone, Lost, StoreUnavailable, Tail
from tests.redis import RedisServer, running_redis
from tests.store.test_redis import append, loaded, next_event, running, until_answered


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with running_redis("redis-server") as found:
        yield found


def inserts(sender: str, seq: int, text: str, length: int) -> Update:
    return Update(sender, seq, ChangeSet.of([Change(0, 0, text)], length))


async def test_the_log_of_a_codespace_that_is_typed_into_at_once_expires_too(server: RedisServer) -> None:
    async with running(server.url) as store:
        epoch = (await loaded(store)).epoch
        await append(store, epoch, 1)
        for key in ("room", "{room}:log", "{room}:seqs"):
            assert server.client.pttl(key) > 0, key


async def test_a_log_that_is_put_back_expires_too(server: RedisServer) -> None:
    async with running(server.url) as store, store.subscribe("room"):
        epoch = (await loaded(store)).epoch
        await append(store, epoch, 1)
        held = await loaded(store)
        server.client.flushall()
        await loaded(store)
        await store.put_back("room", held)
        assert server.client.pttl("{room}:log") > 0


async def test_what_was_lost_and_made_anew_by_another_instance_is_lost_and_not_gone(server: RedisServer) -> None:
    async with running(server.url) as one, running(server.url) as two, one.subscribe("room"):
        epoch = (await loaded(one)).epoch
        await append(one, epoch, 1)
        server.client.flushall()
        await loaded(two)
        assert await one.read_log("room", epoch, after=1) == Lost()


async def test_the_end_that_one_instance_puts_back_is_heard_by_the_other(server: RedisServer) -> None:
    async with (
        running(server.url) as one,
        running(server.url) as two,
        one.subscribe("room") as events,
        two.subscribe("room"),
    ):
        epoch = (await loaded(one)).epoch
        await append(two, epoch, 1)
        behind = await loaded(one)
        await append(two, epoch, 2)
        ahead = await loaded(two)
        server.client.flushall()
        await one.put_back("room", behind)
        with trio.move_on_after(0.3):
            while True:
                await events.receive()
        assert await two.put_back("room", ahead) == Tail(2, ())
        with trio.fail_after(2):
            await events.receive()


async def test_logs_that_have_parted_and_met_again_in_one_update_are_not_taken_for_the_same(
    server: RedisServer,
) -> None:
    async with running(server.url) as store, store.subscribe("room"):
        epoch = (await loaded(store)).epoch
        await append(store, epoch, 1)
        early = await loaded(store)
        same = inserts("bob", 1, "b", 2)
        await store.append("room", epoch, expected=1, updates=[inserts("alice", 1, "A", 1), same], text="bAx")
        held = await loaded(store)
        server.client.flushall()
        await store.put_back("room", early)
        await store.append("room", epoch, expected=1, updates=[inserts("carol", 1, "C", 1), same], text="bCx")
        assert await store.put_back("room", held) == Gone(replaced=True)


async def test_a_sign_of_life_does_not_make_other_data_those_that_were_known() -> None:
    with running_redis("redis-server", "--appendonly", "no") as server:
        async with running(server.url) as store, running(server.url) as other, store.subscribe("room"):
            epoch = (await loaded(store)).epoch
            await append(store, epoch, 1)
            server.client.save()
            await append(store, epoch, 2)
            server.kill()
            server.start()
            await until_answered(store.ping)
            await until_answered(other.ping)
            for version in (2, 3):
                update = inserts("bob", version, "B", version - 1)
                await other.append("room", epoch, expected=version - 1, updates=[update], text=None)
            await store.touch("room", epoch)
            assert await store.read_log("room", epoch, after=2) == Lost()


@pytest.mark.parametrize("kind", ["deep", "without a number", "with a number that is none"])
async def test_a_message_of_nobody_does_not_end_the_store(server: RedisServer, kind: str) -> None:
    async with running(server.url) as store, store.subscribe("room") as events:
        origin = store._origin.encode()
        messages = {
            "deep": b"[" * 200_000,
            "without a number": b'["%s",' % origin,
            "with a number that is none": b'["%s",x,' % origin,
        }
        server.client.publish("room", messages[kind])
        await store.publish("room", Announcement("one"))
        assert await next_event(events) == Announced(Announcement("one"))


async def test_appends_that_came_too_late_are_not_remembered(server: RedisServer) -> None:
    async with running(server.url) as store, store.subscribe("room"):
        epoch = (await loaded(store)).epoch
        await append(store, epoch, 1)
        for _ in range(20):
            await store.append("room", epoch, expected=0, updates=[inserts("bob", 1, "x", 0)], text=None)
        assert len(store._unheard) <= 1


async def test_a_turn_of_a_clock_that_went_back_holds_nobody_up(server: RedisServer) -> None:
    async with running(server.url) as store:
        epoch = (await loaded(store)).epoch
        seconds, _ = server.client.time()
        server.client.hset("room", "turn", f"dead {1000 * seconds + 3_600_000}")
        assert isinstance(await append(store, epoch, 1), Appended)


@pytest.mark.parametrize("key", ["{room}:seqs", "{room}:log"])
async def test_an_append_that_cannot_be_done_wholly_is_not_done_at_all(server: RedisServer, key: str) -> None:
    async with running(server.url) as store, store.subscribe("room"):
        epoch = (await loaded(store)).epoch
        server.client.set(key, "something else")
        with pytest.raises(StoreUnavailable):
            await append(store, epoch, 1)
        assert server.client.hget("room", "version") == b"0"
