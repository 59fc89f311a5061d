"""The Redis store beyond the contract: what the API shares with it, lost connections and answers, bad servers."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest
import trio

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.errors import ConfigurationError, leaves
from pyshare.core.presence import Announcement
from pyshare.core.units import to_units
from pyshare.store.bridge import LineLimits
from pyshare.store.interface import (
    Announced,
    Appended,
    Committed,
    Conflict,
    Deleted,
    Expired,
    Gap,
    Gone,
    Lost,
    NotACodespace,
    Snapshot,
    StoreEvent,
    StoreLimits,
    StoreUnavailable,
    Tail,
)
from pyshare.store.lanes import LaneLimits
from pyshare.store.redis import RedisStore
from tests.proxy import open_proxy
from tests.redis import RedisServer, running_redis

_Answer = TypeVar("_Answer")

LIMITS = StoreLimits(log_updates=8, senders=4, expire_seconds=1200, tmp_expire_seconds=1200)
#: Impatient, for servers that do not answer on purpose.
IMPATIENT = LaneLimits(
    line=LineLimits(start_seconds=1, answer_seconds=1, first_retry_seconds=0.01), ping_seconds=0.2, silence_seconds=1
)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RedisServer]:
    """A server for all tests that do it no harm."""
    with running_redis("redis-server") as server:
        yield server


@pytest.fixture
def server(shared_server: RedisServer) -> RedisServer:
    """That server, empty, and with what it was started with."""
    shared_server.client.flushall()
    shared_server.client.config_set("notify-keyspace-events", "")
    return shared_server


@asynccontextmanager
async def running(
    url: str, limits: LaneLimits | None = None, *, keeps: StoreLimits = LIMITS
) -> AsyncIterator[RedisStore]:
    """Run a store until the context is left."""
    async with trio.open_nursery() as nursery:
        store = RedisStore(url, keeps, lane_limits=limits)
        await nursery.start(store.run)
        yield store
        nursery.cancel_scope.cancel()


def typed(version: int, sender: str = "alice") -> Update:
    """Return the update that makes `version` out of as many letters less one."""
    return Update(sender, version, ChangeSet.of([Change(version - 1, version - 1, "x")], version - 1))


async def append(store: RedisStore, epoch: str, version: int, codespace: str = "room") -> object:
    """Append the update that makes `version`, with its text."""
    return await store.append(codespace, epoch, expected=version - 1, updates=[typed(version)], text="x" * version)


async def loaded(store: RedisStore, codespace: str = "room", *, create: bool = True) -> Snapshot:
    """Return the codespace, which must be there."""
    snapshot = await store.load(codespace, create=create)
    assert snapshot is not None
    return snapshot


async def next_event(events: trio.MemoryReceiveChannel[StoreEvent]) -> StoreEvent:
    """Return the next event, which must come soon."""
    with trio.fail_after(10):
        return await events.receive()


# What the API shares


async def test_a_codespace_that_the_api_has_loaded_is_taken_as_it_is(server: RedisServer) -> None:
    server.client.hset("room", mapping={"code": "print('é😀')\r\nend", "name": "A name"})
    server.client.expire("room", 100)
    async with running(server.url) as store:
        snapshot = await loaded(store, create=False)
        assert snapshot == Snapshot(snapshot.epoch, to_units("print('é😀')\nend"), 0, 0)
        assert await loaded(store, create=False) == snapshot, "it keeps the epoch that it got"
    assert server.client.hget("room", "name") == b"A name"
    assert 1190_000 < server.client.pttl("room") <= 1200_000


async def test_the_api_reads_the_text_and_finds_its_own_fields_untouched(server: RedisServer) -> None:
    server.client.hset("room", mapping={"code": "", "name": "A name"})
    async with running(server.url) as store:
        epoch = (await loaded(store)).epoch
        text = to_units("é😀\n")
        update = Update("alice", 1, ChangeSet.of([Change(0, 0, text)], 0))
        await store.append("room", epoch, expected=0, updates=[update], text=text)
    assert server.client.hmget("room", ["code", "name"]) == ["é😀\n".encode(), b"A name"]


async def test_a_temporary_codespace_made_here_has_the_uuid_that_the_api_wants(server: RedisServer) -> None:
    async with running(server.url) as store:
        await loaded(store, "tmp-1")
        await loaded(store, "room")
    assert server.client.hget("tmp-1", "uuid") == b"tmp-1"
    assert server.client.hget("room", "uuid") is None


async def test_each_edit_sets_the_time_to_live_and_the_log_outlives_the_text(server: RedisServer) -> None:
    async with running(server.url) as store:
        epoch = (await loaded(store)).epoch
        for seconds in (5, 5000):
            server.client.expire("room", seconds)
            await append(store, epoch, 1 if seconds == 5 else 2)
            assert 1198 <= server.client.ttl("room") <= 1200
        assert server.client.ttl("{room}:log") > server.client.ttl("room")


async def test_what_is_put_back_has_every_field_that_was_there(server: RedisServer) -> None:
    server.client.hset("tmp-1", mapping={"code": "text", "uuid": "tmp-1", "language": "python"})
    async with running(server.url) as store, store.subscribe("tmp-1"):
        held = await loaded(store, "tmp-1", create=False)
        server.client.flushall()
        assert await store.put_back("tmp-1", held) == Tail(0, ())
        assert await loaded(store, "tmp-1", create=False) == held
    assert server.client.hmget("tmp-1", ["code", "uuid", "language"]) == [b"text", b"tmp-1", b"python"]


# Turns


async def test_an_instance_that_was_too_late_too_often_has_the_next_turn(server: RedisServer) -> None:
    async with running(server.url) as fast, running(server.url) as slow, slow.subscribe("room"), fast.subscribe("room"):
        epoch = (await loaded(slow)).epoch
        await loaded(fast)
        for version in (1, 2, 3):
            assert await append(fast, epoch, version) == Appended(version)
            # It has not heard of that yet, and is told.
            answer = await slow.append("room", epoch, expected=version - 1, updates=[typed(version, "bob")], text=None)
            assert answer == Conflict(Tail(version, (typed(version),)))
        assert await append(fast, epoch, 4) == Conflict(Tail(3, ())), "it is not its turn"
        assert await append(slow, epoch, 4) == Appended(4)
        assert await append(slow, epoch, 5) == Appended(5)
        assert await fast.append("room", epoch, expected=5, updates=[typed(6)], text=None) == Appended(6)
        assert server.client.hget("room", "turn") is None


async def test_a_turn_that_is_not_taken_passes(server: RedisServer) -> None:
    async with running(server.url) as fast:
        epoch = (await loaded(fast)).epoch
        server.client.hset("room", "turn", f"somebody {int(server.client.time()[0] * 1000) + 1200}")
        assert await append(fast, epoch, 1) == Conflict(Tail(0, ()))
        with trio.fail_after(10):
            while await append(fast, epoch, 1) != Appended(1):  # noqa: ASYNC110 - nobody tells
                await trio.sleep(0.05)


# Deletion and expiry


async def test_deletion_and_expiry_are_heard_and_what_was_set_is_kept(server: RedisServer) -> None:
    server.client.config_set("notify-keyspace-events", "Kz")
    async with running(server.url) as store, store.subscribe("one") as one, store.subscribe("two") as two:
        flags = server.client.config_get("notify-keyspace-events")["notify-keyspace-events"]
        assert set("KzEgx") <= set(flags or "")
        epoch = (await loaded(store, "one")).epoch
        await loaded(store, "two")
        server.client.delete("one")
        assert await next_event(one) == Deleted()
        assert await store.read_log("one", epoch, after=0) == Gone()
        server.client.pexpire("two", 20)
        assert await next_event(two) == Expired()


async def test_deletion_is_found_where_keyspace_events_may_not_be_set() -> None:
    with running_redis("redis-server", "--rename-command", "CONFIG", "") as server:
        async with running(server.url) as store, store.subscribe("room") as events:
            await loaded(store)
            server.client.delete("room")
            assert await next_event(events) == Deleted()


async def test_a_codespace_that_the_api_has_deleted_and_loaded_again_is_another_one(server: RedisServer) -> None:
    async with running(server.url) as store, store.subscribe("room"):
        epoch = (await loaded(store)).epoch
        await append(store, epoch, 1)
        server.client.delete("room")
        server.client.hset("room", mapping={"code": "saved", "name": "A name"})
        assert await append(store, epoch, 2) == Gone(replaced=True)
        snapshot = await loaded(store)
        assert (snapshot.text, snapshot.version, snapshot.log) == ("saved", 0, ())


async def test_a_codespace_that_could_not_be_touched_for_its_whole_life_was_lost_not_deleted(
    server: RedisServer,
) -> None:
    limits = StoreLimits(tmp_expire_seconds=0.2)
    async with trio.open_nursery() as nursery:
        store = RedisStore(server.url, limits)
        await nursery.start(store.run)
        async with store.subscribe("tmp-1") as events:
            held = await loaded(store, "tmp-1")
            assert await next_event(events) == Expired()
            assert await store.read_log("tmp-1", held.epoch, after=0) == Lost()
        nursery.cancel_scope.cancel()


# Lost connections and answers


async def test_a_script_that_the_server_has_forgotten_is_given_to_it_again(server: RedisServer) -> None:
    async with running(server.url) as store:
        epoch = (await loaded(store)).epoch
        server.client.script_flush()
        assert await append(store, epoch, 1) == Appended(1)


async def test_an_answer_that_was_lost_is_unavailable_and_the_log_knows(server: RedisServer) -> None:
    async with open_proxy(str(server.socket)) as proxy, running(proxy.url) as store:
        epoch = (await loaded(store)).epoch
        proxy.loses_answer = lambda data: b"EVALSHA" in data
        with pytest.raises(StoreUnavailable):
            await append(store, epoch, 1)
        proxy.loses_answer = lambda data: False
        assert await until_answered(partial(store.read_log, "room", epoch, after=0)) == Tail(1, (typed(1),))


async def until_answered(ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Ask until the store is there again, and return the answer."""
    with trio.fail_after(10):
        while True:
            try:
                return await ask()
            except StoreUnavailable:
                await trio.sleep(0.01)


async def test_answers_are_never_taken_for_those_of_others_however_calls_are_cancelled_and_connections_cut(
    server: RedisServer, seed: int
) -> None:
    random = Random(seed)
    wrong: list[tuple[str, str]] = []
    # What was answered since the last cut.
    answers = 0

    async def ask(store: RedisStore, name: str) -> None:
        nonlocal answers
        answered = 0
        while answered < 20:
            with trio.move_on_after(random.choice((0.0005, 0.002, 5))):
                try:
                    snapshot = await loaded(store, name)
                except StoreUnavailable:
                    await trio.sleep(0.01)
                    continue
                answered += 1
                answers += 1
                if snapshot.epoch != epochs[name]:
                    wrong.append((name, snapshot.epoch))

    async def cut() -> None:
        nonlocal answers
        while True:
            await trio.sleep(random.random() / 10)
            if answers:
                answers = 0
                proxy.cut()

    async with open_proxy(str(server.socket)) as proxy, running(proxy.url) as store:
        epochs = {name: (await loaded(store, name)).epoch for name in map(str, range(10))}
        with trio.fail_after(120):
            async with trio.open_nursery() as cutting:
                cutting.start_soon(cut)
                async with trio.open_nursery() as nursery:
                    for name in epochs:
                        nursery.start_soon(ask, store, name)
                cutting.cancel_scope.cancel()
    assert wrong == []


async def test_a_server_that_is_paused_is_unavailable_and_is_asked_again_when_it_goes_on() -> None:
    with running_redis("redis-server") as server:
        async with running(server.url, IMPATIENT) as store:
            epoch = (await loaded(store)).epoch
            server.tell(signal.SIGSTOP)
            try:
                with pytest.raises(StoreUnavailable):
                    await append(store, epoch, 1)
            finally:
                server.tell(signal.SIGCONT)
            tail = await until_answered(partial(store.read_log, "room", epoch, after=0))
            # What was sent before is done after all, or its connection was closed before the server looked.
            assert isinstance(tail, Tail)
            assert tail.version in {0, 1}


async def test_whoever_is_subscribed_when_topics_are_lost_has_a_gap_and_then_hears_everything(
    server: RedisServer,
) -> None:
    async with open_proxy(str(server.socket)) as proxy, running(proxy.url) as store, running(server.url) as other:
        epoch = (await loaded(store)).epoch
        async with store.subscribe("room") as events:
            for version in range(1, 6):
                assert proxy.cut(topics=True) == 1
                assert [await next_event(events) for _ in ("lost", "heard again")] == [Gap(), Gap()]
                await append(other, epoch, version)
                assert await next_event(events) == Committed(version, (typed(version),), epoch)


async def test_topics_that_are_silent_for_too_long_are_given_up_and_heard_anew(server: RedisServer) -> None:
    async with (
        open_proxy(str(server.socket)) as proxy,
        running(proxy.url, IMPATIENT) as store,
        store.subscribe("room") as events,
    ):
        proxy.stall(topics=True)
        await store.publish("room", Announcement("lost"))
        assert [await next_event(events) for _ in ("lost", "heard again")] == [Gap(), Gap()]
        await store.publish("room", Announcement("heard"))
        assert await next_event(events) == Announced(Announcement("heard"))


async def wait_logged(caplog: pytest.LogCaptureFixture, event: str) -> None:
    """Wait until something is in the log."""
    with trio.fail_after(10):
        while event not in caplog.messages:  # noqa: ASYNC110 - the log tells nobody
            await trio.sleep(0.01)


async def test_subscribing_fails_while_topics_cannot_be_heard(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_proxy(str(server.socket)) as proxy, running(proxy.url) as store:
        proxy.network.refuses = True
        proxy.cut(topics=True)
        # It is said with the first try to connect again.
        await wait_logged(caplog, "no connection")
        with pytest.raises(StoreUnavailable):
            async with store.subscribe("room"):
                pytest.fail("nothing would be heard")
        proxy.network.refuses = False
        await until_answered(partial(heard, store))


async def heard(store: RedisStore) -> None:
    """Subscribe and hear something."""
    async with store.subscribe("room") as events:
        await store.publish("room", Announcement("one"))
        assert await next_event(events) == Announced(Announcement("one"))


async def test_what_another_store_commits_is_heard_as_it_was(server: RedisServer) -> None:
    async with running(server.url) as one, running(server.url) as two, two.subscribe("room") as events:
        epoch = (await loaded(one)).epoch
        update = Update("é😀", 3, ChangeSet.of([Change(0, 0, to_units("a\n😀\\u0000"))], 0))
        await one.append("room", epoch, expected=0, updates=[update], text=None)
        assert await next_event(events) == Committed(1, (update,), epoch)


async def test_a_message_that_is_none_of_pyshare_is_passed_over(server: RedisServer) -> None:
    async with running(server.url) as store, store.subscribe("room") as events:
        for junk in (
            b"",
            b"hello",
            b"[1]",
            b'{"a":1}',
            b"\xff",
            b'["x",1,"e",1,[["s"]]]',
            b'["x",1,"e",1,[["s",1,"?"]]]',
        ):
            server.client.publish("room", junk)
        await store.publish("room", Announcement("one"))
        assert await next_event(events) == Announced(Announcement("one"))


async def test_what_is_asked_at_once_shares_a_round_trip_and_what_is_asked_alone_has_its_own(
    server: RedisServer,
) -> None:
    async with running(server.url) as store:
        before = store.statistics()
        async with trio.open_nursery() as nursery:
            for index in range(100):
                nursery.start_soon(loaded, store, f"room {index}")
        after = store.statistics()
        assert after.commands - before.commands == 100
        assert after.batches - before.batches <= 2
        for _ in range(10):
            await loaded(store)
        assert store.statistics().batches - after.batches == 10


# Servers and data that are of no use


async def refusal(url: str) -> str:
    """Return why a store on `url` cannot start."""
    try:
        async with running(url, IMPATIENT):
            pytest.fail("it started")
    except* (ConfigurationError, StoreUnavailable) as group:
        (error,) = leaves(group)
        reason = f"{type(error).__name__}: {error}"
    return reason


async def test_a_wrong_password_or_database_is_said_at_once_and_the_password_is_not() -> None:
    with running_redis("redis-server", "--requirepass", "secret", client_password="secret") as server:
        wrong = await refusal(f"unix://:wr0ng@{server.socket}")
        assert wrong.startswith("ConfigurationError: Redis at ")
        assert "invalid username-password pair" in wrong
        assert "wr0ng" not in wrong
        assert "Authentication required" in await refusal(server.url)
        assert "DB index is out of range" in await refusal(f"unix://:secret@{server.socket}?db=99")
        async with running(f"unix://:secret@{server.socket}?db=3") as store:
            await loaded(store)
        assert server.client.dbsize() == 0, "it is in another database"


async def test_another_database_has_its_own_events() -> None:
    with running_redis("redis-server") as server:
        async with running(f"{server.url}?db=3") as store, store.subscribe("room") as events:
            await loaded(store)
            server.client.select(3)
            server.client.delete("room")
            assert await next_event(events) == Deleted()


async def test_a_server_that_is_not_there_is_waited_for_and_then_given_up(tmp_path: Path) -> None:
    reason = await refusal(f"unix://{tmp_path}/none")
    assert reason.startswith("StoreUnavailable: Redis at ")
    assert reason.endswith("tried for 1 seconds")


async def test_a_server_that_is_too_old_is_refused() -> None:
    async def answer(stream: trio.SocketStream) -> None:
        # Whoever is refused may go before it has read everything.
        with suppress(trio.BrokenResourceError):
            async for data in stream:
                for _ in range(data.count(b"*")):
                    info = b"# Server\r\nredis_version:6.0.16\r\n"
                    await stream.send_all(b"$%d\r\n%s\r\n" % (len(info), info))

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        port = listener.socket.getsockname()[1]
        reason = await refusal(f"redis://127.0.0.1:{port}")
        assert reason.startswith("ConfigurationError: ")
        assert reason.endswith("Redis 6.0.16 is too old; 6.2 or later is needed")
        nursery.cancel_scope.cancel()


async def test_a_server_that_is_loading_is_waited_for_however_often_it_says_so(server: RedisServer) -> None:
    refused = 0

    async def answer(stream: trio.SocketStream) -> None:
        nonlocal refused
        async with stream, await trio.open_unix_socket(str(server.socket)) as redis, trio.open_nursery() as nursery:
            nursery.start_soon(pass_on, redis, stream)
            async for data in stream:
                if b"SCRIPT" in data and refused < 5:
                    refused += 1
                    await stream.send_all(b"-LOADING Redis is loading the dataset in memory\r\n")
                else:
                    await redis.send_all(data)
            nursery.cancel_scope.cancel()

    async def pass_on(redis: trio.SocketStream, stream: trio.SocketStream) -> None:
        async for data in redis:
            await stream.send_all(data)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, answer, [listener])
        async with running(f"redis://127.0.0.1:{listener.socket.getsockname()[1]}") as store:
            await loaded(store)
        assert refused == 5
        nursery.cancel_scope.cancel()


async def test_a_key_that_holds_something_else_is_named(server: RedisServer) -> None:
    server.client.lpush("room", "a list")
    async with running(server.url) as store:
        with pytest.raises(NotACodespace, match="the key room holds a list, no codespace"):
            await loaded(store)
        assert await append(store, "epoch", 1) == Gone(replaced=True)
        assert await store.touch("room", "epoch") is False
        assert await store.put_back("room", Snapshot("epoch", "", 0, 0)) == Gone(replaced=True)
    assert server.client.lrange("room", 0, -1) == [b"a list"]


@pytest.mark.parametrize(
    ("field", "value"), [("version", "many"), ("code_version", "9"), ("version", "9"), ("code_version", "")]
)
async def test_a_codespace_that_makes_no_sense_is_named(server: RedisServer, field: str, value: str) -> None:
    async with running(server.url) as store:
        epoch = (await loaded(store)).epoch
        await append(store, epoch, 1)
        server.client.hset("room", field, value)
        with pytest.raises(NotACodespace, match="codespace room is damaged"):
            await loaded(store)


async def test_a_log_that_makes_no_sense_is_named(server: RedisServer) -> None:
    async with running(server.url) as store:
        epoch = (await loaded(store)).epoch
        await append(store, epoch, 1)
        server.client.xadd("{room}:log", {"u": "junk"}, id="2-0")
        server.client.hset("room", mapping={"version": 2, "code_version": 2})
        with pytest.raises(NotACodespace, match="codespace room is damaged"):
            await loaded(store)
        with pytest.raises(StoreUnavailable, match="damaged"):
            await store.read_log("room", epoch, after=0)


async def test_an_address_that_is_none_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        RedisStore("http://127.0.0.1", LIMITS)


async def test_after_a_restart_with_an_old_file_the_log_is_put_back_before_anything_is_committed(
    tmp_path: Path,
) -> None:
    with running_redis("redis-server", "--appendonly", "no") as server:
        async with running(server.url) as store, store.subscribe("room"):
            epoch = (await loaded(store)).epoch
            await append(store, epoch, 1)
            server.client.save()
            await append(store, epoch, 2)
            held = await loaded(store)
            server.kill()
            server.start()
            assert await until_answered(partial(append, store, epoch, 3)) == Lost(), "it may have any end now"
            assert await store.put_back("room", held) == Tail(2, ())
            assert await append(store, epoch, 3) == Appended(3)
            assert (await loaded(store)).text == "xxx"
