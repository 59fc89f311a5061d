"""Corners of the store on Redis: what was lost and made anew meanwhile, what others write there, what is forgotten."""

from collections.abc import Iterator
from functools import partial

import pytest
import trio

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.presence import Announcement
from pyshare.store import lua
from pyshare.store.bridge import LineLimits, Reply, Word
from pyshare.store.interface import Announced, Appended, Gone, Lost, Snapshot, StoreLimits, StoreUnavailable, Tail
from pyshare.store.lanes import LaneLimits
from pyshare.store.layout import keys_of, write_update
from pyshare.store.redis import RedisStore
from tests.proxy import open_proxy
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
            await until_answered(store.check)
            await until_answered(other.check)
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


# Logs in parts

#: Logs that have more bytes than they may before they have more updates.
LONG = StoreLimits(log_updates=100)


def long_edit(version: int) -> Update:
    """Return an update that puts 300 000 letters in the place of as many, or of none for the first one."""
    length = 300_000 if version > 1 else 0
    return Update("alice", version, ChangeSet.of([Change(0, length, "xy"[version % 2] * 300_000)], length))


async def append_long(store: RedisStore, epoch: str, version: int, *, text: bool = False) -> None:
    """Append the long edit that makes `version`."""
    written = "xy"[version % 2] * 300_000 if text else None
    answer = await store.append("room", epoch, expected=version - 1, updates=[long_edit(version)], text=written)
    assert answer == Appended(version)


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        (lua.LOAD, ["0", "e", 1000, "all"]),
        (lua.LOAD, ["0", "e", 1000, "text"]),
        (lua.READ_LOG, ["e1", 0]),
        (lua.READ_BACK, ["e1", 13]),
    ],
)
async def test_no_answer_has_more_of_a_log_than_a_mebibyte_and_an_update(
    server: RedisServer, script: lua.Script, arguments: list[str | int]
) -> None:
    async with running(server.url) as store:
        epoch = (await loaded(store)).epoch
        for version in range(1, 13):
            await append_long(store, epoch, version)
    server.client.hset("room", "epoch", "e1")
    answer = server.client.eval(script.text, 3, *keys_of("room"), *arguments)
    assert isinstance(answer, list)
    updates = answer[1] if isinstance(answer[1], list) and not isinstance(answer[1][0], bytes) else answer[2]
    assert 1_000_000 < sum(map(len, updates)) < 1_400_000


async def test_a_log_without_a_sum_of_its_bytes_is_bounded_all_the_same(server: RedisServer) -> None:
    async with running(server.url, keeps=LONG) as store:
        epoch = (await loaded(store)).epoch
        for version in range(1, 31):
            # As servers left it that kept no sum.
            server.client.hdel("room", "log_bytes")
            await append_long(store, epoch, version, text=version == 30)
        assert len((await loaded(store)).log) == 27
        assert int(server.client.hget("room", "log_bytes") or 0) < LONG.log_bytes
        await append_long(store, epoch, 31, text=True)
        assert len((await loaded(store)).log) == 27


async def test_a_log_that_is_trimmed_while_it_is_read_is_read_again(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(server.url, keeps=LONG) as store:
        epoch = (await loaded(store)).epoch
        for version in range(1, 13):
            await append_long(store, epoch, version)
        run = store._run

        async def run_late(script: lua.Script, codespace: str, *arguments: Word) -> Reply:
            if script in {lua.READ_BACK, lua.READ_LOG}:
                # Somebody else has stored the text, and all that it has taken in is forgotten.
                server.client.hset("room", mapping={"code": "x" * 300_000, "code_version": 12})
                server.client.xtrim("{room}:log", minid="12-0", approximate=False)
            return await run(script, codespace, *arguments)

        monkeypatch.setattr(store, "_run", run_late)
        snapshot = await loaded(store)
        assert (snapshot.text_version, snapshot.version, len(snapshot.log)) == (12, 12, 1)
        server.client.hset("room", mapping={"code": "", "code_version": 0})
        server.client.delete("{room}:log")
        for version in range(1, 13):
            server.client.xadd("{room}:log", {"u": write_update(long_edit(version))}, id=f"{version}-0")
        text = await store.read_text("room")
        assert text == Snapshot(epoch, "x" * 300_000, 12, 12)


async def test_reading_the_text_does_not_make_other_data_those_that_were_known() -> None:
    with running_redis("redis-server", "--appendonly", "no") as server:
        async with running(server.url) as store, running(server.url) as other, store.subscribe("room"):
            epoch = (await loaded(store)).epoch
            await append(store, epoch, 1)
            server.client.save()
            await append(store, epoch, 2)
            server.kill()
            server.start()
            await until_answered(store.check)
            await until_answered(other.check)
            for version in (2, 3):
                update = inserts("bob", version, "B", version - 1)
                await other.append("room", epoch, expected=version - 1, updates=[update], text=None)
            for read in (store.read_text, store.look, partial(store.load, create=False)):
                assert await read("room") is not None
                assert await store.read_log("room", epoch, after=2) == Lost()


async def test_a_log_that_was_evicted_without_its_codespace_is_as_long_afterwards_as_any(server: RedisServer) -> None:
    async with running(server.url, keeps=LONG) as store:
        epoch = (await loaded(store)).epoch
        for version in range(1, 31):
            await append_long(store, epoch, version, text=version == 30)
        server.client.delete("{room}:log")
        for version in range(31, 36):
            await append_long(store, epoch, version, text=True)
        assert len((await loaded(store)).log) == 5


async def test_a_large_command_has_as_much_longer_as_its_bytes_need(server: RedisServer) -> None:
    line = LineLimits(answer_seconds=0.6, sent_bytes_per_second=300_000, first_retry_seconds=0.01)
    async with open_proxy(str(server.socket)) as proxy, running(proxy.url, LaneLimits(line=line), keeps=LONG) as store:
        epoch = (await loaded(store)).epoch
        proxy.delay(0.9, topics=False)
        # 0.6 seconds, and two for its 600 000 bytes and more.
        await append_long(store, epoch, 1, text=True)
        with pytest.raises(StoreUnavailable, match="no answer within"):
            await store.look("room")
