"""What Redis refuses: which refusals lead to another connection, which are said, and when all is well again."""

import re
import socket
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import redis
import trio

import pyshare.store
from pyshare.core.presence import Announcement
from pyshare.store.interface import Announced, Appended, Committed, StoreUnavailable, Tail
from pyshare.store.redis import RedisStore
from pyshare.store.refusals import Refused, refused
from tests.proxy import open_proxy
from tests.redis import PROGRAMS, RedisServer, running_redis
from tests.store.test_redis import IMPATIENT, append, loaded, next_event, refusal, running, until_answered

#: A user that may do what docs/operating.md says.
PERMITTED = "~* &* +@all -@dangerous"


@pytest.fixture(params=PROGRAMS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with running_redis(request.param) as found:
        yield found


def set_user(server: RedisServer, rule: str) -> None:
    """Give the user `app` these permissions and no other."""
    words = ("ACL", "SETUSER", "app", "reset", "on", ">word", *rule.split())
    server.client.execute_command(*words)  # type: ignore[no-untyped-call]


def url_of(server: RedisServer) -> str:
    return f"unix://app:word@{server.socket}"


async def why_not(store: RedisStore) -> str:
    """Return what may be told to anybody of why nothing can be stored; empty if something can."""
    try:
        await store.check()
    except StoreUnavailable as error:
        return error.public
    return ""


async def wait_for(is_so: Callable[[], Awaitable[bool]]) -> None:
    with trio.fail_after(10):
        while not await is_so():  # noqa: ASYNC110 - Redis tells nobody
            await trio.sleep(0.02)


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    return [str(getattr(record, "error", "")) for record in caplog.records if record.message == event]


# Reading what was refused


@pytest.mark.parametrize(
    ("message", "code", "expected"),
    [
        ("command not allowed when used memory > 'maxmemory'. script: ab, on @user_script:1.", "OOM", "OOM"),
        ("NOREPLICAS Not enough good replicas to write.", None, "NOREPLICAS"),
        ("MISCONF Errors writing to the AOF file: No space left on device", None, "MISCONF"),
        (
            "The user executing the script can't run this command or subcommand script: ab, on @user_script:1",
            "ERR",
            "NOPERM",
        ),
        ("ACL failure in script: No permissions to access a channel script: on @user_script:1.", "ERR", "NOPERM"),
        (
            "ERR Error running script (call to f_ab): @user_script:12: @user_script: 12: -READONLY You can't write",
            None,
            "READONLY",
        ),
        ("ERR Error running script (call to f_ab): @user_script:12: -OOM command not allowed", None, "OOM"),
        ("No matching script. Please use EVAL.", "NOSCRIPT", "NOSCRIPT"),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", None, "WRONGTYPE"),
        ("BUSY Redis is busy running a script", None, "BUSY"),
    ],
)
def test_a_refusal_is_known_by_its_code_wherever_the_server_puts_it(
    message: str, code: str | None, expected: str
) -> None:
    found = refused(message, code)
    assert found.code == expected
    assert "@user_script:1" not in found.message or "f_ab" in found.message
    assert found.unknown_script == (expected == "NOSCRIPT")


def test_what_is_told_to_anybody_names_no_host_and_no_key() -> None:
    secret = Refused("WRONGTYPE", "WRONGTYPE at secret")
    assert secret.error().public == "the store does not answer"
    assert Refused("OOM", "OOM secret").error().public == "the store is full"
    assert not secret.stops_writes


def test_the_probe_tries_every_command_of_the_scripts() -> None:
    folder = Path(pyshare.store.__file__).parent / "scripts"
    texts = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.lua")}
    used = {
        name for stem, text in texts.items() if stem != "probe" for name in re.findall(r"redis\.p?call\('(\w+)'", text)
    }
    tried = set(re.findall(r"(?:try|redis\.call)\('(\w+)'", texts["probe"]))
    assert len(used) > 15
    assert used <= tried


# A server that is not the one to ask


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


async def test_after_a_failover_both_lanes_go_where_the_name_leads_then() -> None:
    port = free_port()
    with running_redis("redis-server", "--port", str(port)) as old, running_redis("redis-server") as new:
        new.client.replicaof("127.0.0.1", str(port))
        async with open_proxy(str(old.socket)) as name, running(name.url) as store, store.subscribe("room") as events:
            epoch = (await loaded(store)).epoch
            await append(store, epoch, 1)
            await next_event(events)
            await wait_for(partial(_has, new.client, "room", b"1"))
            new.client.replicaof("NO", "ONE")
            old.client.replicaof("127.0.0.1", "1")
            with pytest.raises(StoreUnavailable, match="READONLY"):
                await append(store, epoch, 2)
            assert await why_not(store) == "the store is a replica, and takes no writes"
            name.target = str(new.socket)
            await until_answered(store.check)
            held = await loaded(store)
            assert await store.put_back("room", held) == Tail(1, ())
            assert await append(store, epoch, 2) == Appended(2)
            assert new.client.hget("room", "version") == b"2"
            await until_answered(partial(_hears, store, new.client))


async def _has(client: "redis.Redis", key: str, version: bytes) -> bool:
    return client.hget(key, "version") == version


async def _hears(store: RedisStore, client: "redis.Redis") -> None:
    async with store.subscribe("another") as events:
        assert client.publish("another", b'{"instance":"x"}') == 1
        assert isinstance(await next_event(events), Announced)


async def test_a_start_against_a_replica_is_said(server: RedisServer) -> None:
    server.client.replicaof("127.0.0.1", "1")
    reason = await refusal(server.url)
    assert reason.startswith("StoreUnavailable: Redis at ")
    assert "READONLY" in reason
    assert reason.endswith("tried for 1 seconds")
    server.client.config_set("replica-serve-stale-data", "no")
    assert "MASTERDOWN" in await refusal(server.url)


# A server that takes no writes


@pytest.mark.parametrize(
    ("setting", "value", "well", "public"),
    [
        ("maxmemory", "1", "0", "the store is full"),
        ("min-replicas-to-write", "1", "0", "the store has too few replicas, and takes no writes"),
    ],
)
async def test_a_server_that_takes_no_writes_is_read_from_and_is_not_ready_until_one_was_taken(
    server: RedisServer, caplog: pytest.LogCaptureFixture, setting: str, value: str, well: str, public: str
) -> None:
    caplog.set_level("INFO")
    async with running(server.url) as store, store.subscribe("room"):
        epoch = (await loaded(store)).epoch
        await append(store, epoch, 1)
        server.client.config_set(setting, value)
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match=r"Redis refused: (OOM|NOREPLICAS)"):
                await append(store, epoch, 2)
            assert await why_not(store) == public
        assert await store.read_log("room", epoch, after=0) == Tail(1, (await loaded(store)).log)
        assert len(lines(caplog, "writes are refused")) == 1
        assert sum(store.statistics().refused.values()) == 6
        server.client.config_set(setting, well)
        assert await append(store, epoch, 2) == Appended(2)
        assert await why_not(store) == ""
        assert len(lines(caplog, "writes are taken again")) == 1


async def test_a_connection_to_a_server_that_is_full_is_used_for_reading(server: RedisServer) -> None:
    async with open_proxy(str(server.socket)) as proxy, running(proxy.url) as store:
        epoch = (await loaded(store)).epoch
        await append(store, epoch, 1)
        server.client.config_set("maxmemory", "1")
        proxy.cut()
        snapshot = await until_answered(partial(store.load, "room", create=False))
        assert snapshot is not None
        assert snapshot.text == "x"
        assert await why_not(store) == "the store is full"


async def test_a_server_without_its_disk_is_heard_all_the_while_and_said_once(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(server.url, IMPATIENT) as store, store.subscribe("room") as events:
        epoch = (await loaded(store)).epoch
        (server.folder / "dump.rdb").mkdir()
        server.client.config_set("save", "3600 1000000")
        server.client.bgsave()
        await wait_for(partial(_refuses_even_pings, server.client))
        with pytest.raises(StoreUnavailable, match="MISCONF"):
            await append(store, epoch, 1)
        # As long as several signs of life between the store and Redis take.
        await trio.sleep(20 * IMPATIENT.ping_seconds)
        assert lines(caplog, "no connection") == []
        assert len(lines(caplog, "writes are refused")) == 1
        server.client.config_set("save", "")
        await until_answered(store.check)
        assert await append(store, epoch, 1) == Appended(1)
        assert isinstance(await next_event(events), Committed)


async def _refuses_even_pings(client: "redis.Redis") -> bool:
    try:
        client.ping()
    except redis.ResponseError as error:
        return "MISCONF" in str(error)
    return False


async def test_a_start_against_a_server_that_is_full_is_said(server: RedisServer) -> None:
    server.client.config_set("maxmemory", "1")
    reason = await refusal(server.url)
    assert reason.startswith("StoreUnavailable: ")
    assert "OOM" in reason


# Permissions


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ("~* +@all", "channel"),
        ("~* &room* +@all", "channel"),
        ("~* &* +@all -subscribe", "subscribe"),
        ("~* &* +@all -publish", "publish"),
        ("~* &* +@all -xadd", "xadd"),
        ("~* &* +@all -hsetnx", "hsetnx"),
        ("~* &* +@all -script|load", "script|load"),
        ("~* &* +@all -evalsha", "evalsha"),
        ("~* &* +@all -set", "set"),
        ("~app:* &* +@all", "keys used as arguments|access a key"),
    ],
)
async def test_a_user_without_a_permission_is_an_error_at_once_that_names_it(
    server: RedisServer, rule: str, named: str
) -> None:
    set_user(server, rule)
    reason = await refusal(url_of(server))
    assert reason.startswith("ConfigurationError: Redis at "), reason
    assert re.search(named, reason, re.IGNORECASE), reason
    assert "tried for" not in reason
    assert "~* &* +@all -@dangerous" in reason
    assert "word" not in reason.replace("password", "")


async def test_a_user_that_may_do_what_the_docs_say_lacks_nothing(server: RedisServer) -> None:
    docs = Path(__file__).parents[2] / "docs" / "operating.md"
    assert f"ACL SETUSER pyshare on >password {PERMITTED}\n" in await trio.Path(docs).read_text(encoding="utf-8")
    set_user(server, PERMITTED)
    async with running(url_of(server)) as store, store.subscribe("room") as events:
        epoch = (await loaded(store)).epoch
        assert await append(store, epoch, 1) == Appended(1)
        assert await why_not(store) == ""
        await next_event(events)
        await store.publish("room", Announcement("one"))
        assert await next_event(events) == Announced(Announcement("one"))


async def test_channels_that_are_taken_away_are_said_once_and_who_subscribes_is_told_at_once(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    set_user(server, PERMITTED)
    async with running(url_of(server), IMPATIENT) as store:
        await loaded(store)
        set_user(server, PERMITTED.replace(" &*", ""))
        # Redis ends the connections of those who hear what they no longer may.

        async def is_said() -> bool:
            try:
                store._topics.check()
            except StoreUnavailable as error:
                return "NOPERM" in str(error)
            return False

        await wait_for(is_said)
        assert await why_not(store) == "the store does not permit what this server needs"
        start = trio.current_time()
        with pytest.raises(StoreUnavailable, match="NOPERM"):
            async with store.subscribe("room"):
                pytest.fail("nothing would be heard")
        assert trio.current_time() - start < IMPATIENT.line.answer_seconds / 2, "nobody waits for an answer"
        await trio.sleep(1.5)
        assert len([each for each in lines(caplog, "no connection") if "NOPERM" in each]) <= 2, "once on each lane"
        set_user(server, PERMITTED)
        await until_answered(store.check)


async def test_a_permission_to_write_that_is_taken_away_is_said_once(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    set_user(server, PERMITTED)
    async with running(url_of(server)) as store:
        epoch = (await loaded(store)).epoch
        set_user(server, f"{PERMITTED} -evalsha")
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="evalsha"):
                await append(store, epoch, 1)
        assert await why_not(store) == "the store does not permit what this server needs"
        assert len(lines(caplog, "writes are refused")) == 1
        assert "evalsha" in lines(caplog, "writes are refused")[0]
        set_user(server, PERMITTED)
        assert await append(store, epoch, 1) == Appended(1)
