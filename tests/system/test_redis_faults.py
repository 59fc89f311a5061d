"""Real servers on a real Redis that dies, forgets, stops, or cannot be reached: nobody loses a letter."""

import os
import signal
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest
import trio

from pyshare.client import CodespaceClosed, connect
from pyshare.core.changeset import Change
from pyshare.core.errors import CloseCode
from tests.proxy import Proxy, open_proxy
from tests.redis import PROGRAMS, RedisServer, running_redis
from tests.system.scene import PATIENCE_SECONDS, Scene, Typist, open_scene
from tests.system.server import RunningServer, command, running

DURABLE = ("--appendonly", "yes", "--appendfsync", "everysec")


@pytest.fixture
def codespace() -> str:
    """The id of a codespace that nobody has used."""
    return f"tmp-{uuid.uuid4()}"


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A Redis server that keeps its data."""
    with running_redis("redis-server", *DURABLE) as server:
        yield server


def stored(redis: RedisServer, codespace: str) -> str:
    """Return the text as the API would read it."""
    text = redis.client.hget(codespace, "code")
    assert isinstance(text, bytes)
    return text.decode()


async def join_all(scene: Scene, codespace: str, *servers: RunningServer, each: int = 2) -> list[Typist]:
    """Have `each` typists join the codespace on each server."""
    return [await scene.joins(server.codespace(codespace)) for server in servers for _ in range(each)]


async def hear_storage(typists: list[Typist], storage: str) -> None:
    """Wait until everybody was told that the storage is in this state."""
    with trio.fail_after(PATIENCE_SECONDS):
        while not all(typist.storage and typist.storage[-1] == storage for typist in typists):  # noqa: ASYNC110
            await trio.sleep(0.02)


async def test_redis_is_killed_and_started_again_with_its_file(redis: RedisServer, codespace: str, seed: int) -> None:
    flags = ("--redis-url", redis.url)
    async with running(*flags) as one, running(*flags) as two, open_scene(seed) as scene:
        typists = await join_all(scene, codespace, one, two)
        scene.types()
        await scene.waits_typed(100)
        redis.kill()
        await hear_storage(typists, "down")
        await scene.waits_typed(100)
        redis.start()
        await hear_storage(typists, "ok")
        await scene.waits_typed(100)
        text = await scene.agrees()
        assert stored(redis, codespace) == text
        assert [typist.storage for typist in typists] == [["down", "ok"]] * 4
        assert sum(typist.reconnects for typist in typists) == 0, "clients stay"


async def test_whoever_only_reads_is_told_at_once_that_redis_is_away_and_that_it_is_back(
    redis: RedisServer, codespace: str, seed: int
) -> None:
    async with running("--redis-url", redis.url) as server, open_scene(seed) as scene:
        typists = await join_all(scene, codespace, server)
        await scene.passes(0.5)
        redis.kill()
        with trio.fail_after(5):
            await hear_storage(typists, "down")
        redis.start()
        with trio.fail_after(5):
            await hear_storage(typists, "ok")


@pytest.mark.parametrize("program", PROGRAMS)
async def test_redis_is_started_again_empty_and_the_channels_put_back_what_they_hold(
    program: str, codespace: str, seed: int
) -> None:
    with running_redis(program) as redis:
        flags = ("--redis-url", redis.url)
        async with running(*flags) as one, running(*flags) as two, open_scene(seed) as scene:
            typists = await join_all(scene, codespace, one, two)
            scene.types()
            await scene.waits_typed(100)
            redis.kill()
            await scene.waits_typed(50)
            redis.start()
            await scene.waits_typed(100)
            text = await scene.agrees()
            assert stored(redis, codespace) == text
            assert redis.client.xlen(f"{{{codespace}}}:log") > 0
            assert sum(typist.reconnects for typist in typists) == 0
            # A newcomer on either has it from the store.
            await scene.joins(one.codespace(codespace))
            assert await scene.agrees() == text


async def test_a_text_that_redis_has_lost_is_put_back_though_nobody_types(codespace: str, seed: int) -> None:
    with running_redis("redis-server") as redis:
        async with running("--redis-url", redis.url) as server, open_scene(seed) as scene:
            await join_all(scene, codespace, server)
            scene.types()
            await scene.waits_typed(20)
            text = await scene.agrees()
            redis.kill()
            redis.start()
            with trio.fail_after(PATIENCE_SECONDS):
                while not redis.client.exists(codespace):  # noqa: ASYNC110
                    await trio.sleep(0.02)
            assert stored(redis, codespace) == text


async def test_redis_is_started_again_with_an_old_file(codespace: str, seed: int) -> None:
    with running_redis("redis-server") as redis:
        flags = ("--redis-url", redis.url)
        async with running(*flags) as one, running(*flags) as two, open_scene(seed) as scene:
            typists = await join_all(scene, codespace, one, two)
            scene.types()
            await scene.waits_typed(60)
            redis.client.save()
            await scene.waits_typed(100)
            redis.kill()
            await scene.waits_typed(20)
            redis.start()
            await scene.waits_typed(60)
            text = await scene.agrees()
            assert stored(redis, codespace) == text
            assert sum(typist.reconnects for typist in typists) == 0


async def test_redis_is_emptied_on_the_spot(redis: RedisServer, codespace: str, seed: int) -> None:
    async with running("--redis-url", redis.url) as server, open_scene(seed) as scene:
        await join_all(scene, codespace, server)
        scene.types()
        for _ in range(3):
            await scene.waits_typed(30)
            redis.client.flushall()
        await scene.waits_typed(30)
        text = await scene.agrees()
        assert stored(redis, codespace) == text


async def test_redis_is_paused_for_ten_seconds(redis: RedisServer, codespace: str, seed: int) -> None:
    flags = ("--redis-url", redis.url)
    async with running(*flags) as one, running(*flags) as two, open_scene(seed) as scene:
        typists = await join_all(scene, codespace, one, two)
        scene.types()
        await scene.waits_typed(50)
        redis.tell(signal.SIGSTOP)
        try:
            await scene.passes(10)
        finally:
            redis.tell(signal.SIGCONT)
        await hear_storage(typists, "ok")
        text = await scene.agrees()
        assert stored(redis, codespace) == text
        assert sum(typist.reconnects for typist in typists) == 0


async def trouble(proxy: Proxy, random: Random) -> None:
    """Cut connections in the middle of commands, and lose answers to what was done."""
    while True:
        await trio.sleep(random.random() / 5)
        if random.random() < 0.5:
            proxy.cut()
        else:
            proxy.loses_answer = lambda data: b"EVALSHA" in data and random.random() < 0.3
            await trio.sleep(random.random() / 10)
            proxy.loses_answer = lambda data: False


async def test_connections_are_cut_and_answers_lost_and_nothing_is_committed_twice(
    redis: RedisServer, codespace: str, seed: int
) -> None:
    random = Random(seed)
    async with AsyncExitStack() as stack:
        proxies = [await stack.enter_async_context(open_proxy(str(redis.socket))) for _ in range(2)]
        servers = [await stack.enter_async_context(running("--redis-url", proxy.url)) for proxy in proxies]
        scene = await stack.enter_async_context(open_scene(seed))
        await join_all(scene, codespace, *servers)
        scene.types()
        async with trio.open_nursery() as nursery:
            for proxy in proxies:
                nursery.start_soon(trouble, proxy, random)
            await scene.passes(6)
            nursery.cancel_scope.cancel()
        for proxy in proxies:
            proxy.loses_answer = lambda data: False
        text = await scene.agrees()
        assert stored(redis, codespace) == text


async def test_slow_topics_and_topics_alone_that_are_cut_lose_nothing(
    redis: RedisServer, codespace: str, seed: int
) -> None:
    async with (
        open_proxy(str(redis.socket)) as proxy,
        running("--redis-url", redis.url) as one,
        running("--redis-url", proxy.url) as two,
        open_scene(seed) as scene,
    ):
        typists = await join_all(scene, codespace, one, two)
        # Whoever is behind the proxy only reads, so that nothing but topics tells its server.
        scene.types(*typists[:2])
        proxy.delay(0.1, topics=True)
        await scene.passes(2)
        proxy.delay(0, topics=True)
        for _ in range(5):
            proxy.cut(topics=True)
            await scene.passes(0.3)
        proxy.network.refuses = True
        proxy.cut(topics=True)
        await scene.passes(2)
        proxy.network.refuses = False
        await scene.passes(1.5)
        text = await scene.agrees()
        assert stored(redis, codespace) == text
        assert sum(typist.reconnects for typist in typists) == 0


async def commit_without_pause(servers: Sequence[RunningServer], codespace: str, commits: int) -> list[int]:
    """Have three clients on each server push again as soon as they are answered, until there are so many commits.

    Returns each server's commits.
    """
    confirmed = [0] * len(servers)
    enough = trio.Event()

    async def push(index: int) -> None:
        async with connect(servers[index].codespace(codespace)) as space:
            while True:
                space.insert(0, "ab"[index])
                await space.wait_confirmed()
                confirmed[index] += 1
                if sum(confirmed) >= commits:
                    enough.set()

    with trio.fail_after(PATIENCE_SECONDS):
        async with trio.open_nursery() as nursery:
            for index in range(len(servers)):
                for _ in range(3):
                    nursery.start_soon(push, index)
            await enough.wait()
            nursery.cancel_scope.cancel()
    return confirmed


async def test_two_servers_that_append_to_one_codespace_without_pause_both_make_progress(
    redis: RedisServer, codespace: str
) -> None:
    flags = ("--redis-url", redis.url, "--pushes-per-second", "10000")
    async with running(*flags) as one, running(*flags) as two:
        confirmed = await commit_without_pause((one, two), codespace, 400)
    assert min(confirmed) * 5 > max(confirmed), f"one of them starves: {confirmed}"


async def test_a_server_that_is_far_from_redis_makes_progress_beside_one_that_is_near(
    redis: RedisServer, codespace: str
) -> None:
    flags = ("--pushes-per-second", "10000")
    async with open_proxy(str(redis.socket)) as proxy:
        proxy.delay(0.01, topics=False)
        async with running("--redis-url", redis.url, *flags) as near, running("--redis-url", proxy.url, *flags) as far:
            confirmed = await commit_without_pause((near, far), codespace, 1500)
    assert min(confirmed) * 100 > sum(confirmed), f"one of them starves: {confirmed}"


async def test_a_push_of_very_many_changes_is_committed_while_others_type_on_another_server(
    redis: RedisServer, codespace: str, seed: int
) -> None:
    flags = ("--redis-url", redis.url)
    async with running(*flags) as one, running(*flags) as two, open_scene(seed) as scene:
        big = await scene.joins(one.codespace(codespace))
        big.codespace.insert(0, "." * 21_000)
        await big.codespace.wait_confirmed()
        typists = [await scene.joins(two.codespace(codespace)) for _ in range(4)]
        scene.types(*typists)
        await scene.waits_typed(200)
        text = big.codespace.text
        places = [index for index, letter in enumerate(text) if letter == "."][::14][:1500]
        big.codespace.edit([Change(place, place + 1, "!") for place in places])
        with trio.fail_after(10):
            await big.codespace.wait_confirmed()
        await scene.waits_typed(20)
        await scene.stops()
        assert stored(redis, codespace).count("!") == 1500


async def test_a_codespace_that_is_deleted_closes_its_clients_with_4410_and_its_log_goes_with_it(
    redis: RedisServer, codespace: str
) -> None:
    async with running("--redis-url", redis.url) as server, connect(server.codespace(codespace)) as space:
        space.insert(0, "text")
        await space.wait_confirmed()
        redis.client.delete(codespace)
        with trio.fail_after(5), pytest.raises(CodespaceClosed) as closed:
            await space.wait_text("never")
        assert closed.value.code == CloseCode.GONE
        assert redis.client.keys("*tmp-*") == []


async def test_a_codespace_lives_as_long_as_a_client_is_there_and_expires_when_it_has_left(
    redis: RedisServer, codespace: str
) -> None:
    flags = ("--redis-url", redis.url, "--tmp-codespace-expire-seconds", "2", "--linger-seconds", "0")
    async with running(*flags) as server:
        async with connect(server.codespace(codespace)) as space:
            space.insert(0, "kept")
            await space.wait_confirmed()
            await trio.sleep(5)
            assert stored(redis, codespace) == "kept"
        with trio.fail_after(10):
            while redis.client.exists(codespace):  # noqa: ASYNC110
                await trio.sleep(0.05)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("unix://:wrong@{socket}", ("invalid username-password pair", "--redis-password")),
        ("unix://{socket}", ("Authentication required", "--redis-password")),
        ("unix://:secret@{socket}?db=99", ("DB index is out of range", "--redis-url")),
    ],
)
async def test_a_redis_that_cannot_be_used_is_said_in_a_line_that_names_the_setting(
    url: str, words: tuple[str, ...]
) -> None:
    with running_redis("redis-server", "--requirepass", "secret", client_password="secret") as redis:
        done = await failed_start("--redis-url", url.format(socket=redis.socket))
        assert done[0] == 2
        assert all(word in done[1] for word in words), done[1]
        assert "secret" not in done[1]


async def failed_start(*flags: str) -> tuple[int, str]:
    """Start a server that cannot; return its exit code and the last line that it wrote."""
    with trio.fail_after(PATIENCE_SECONDS):
        done = await trio.run_process(
            command("--port", "0", "--http-port", "0", *flags), capture_stderr=True, capture_stdout=True, check=False
        )
    return done.returncode, done.stderr.decode().splitlines()[-1]


async def test_a_key_that_holds_something_else_is_told_to_its_client_without_what_the_store_says(
    redis: RedisServer, codespace: str
) -> None:
    redis.client.lpush(codespace, "a list")
    async with running("--redis-url", redis.url) as server:
        with trio.fail_after(5), pytest.raises(CodespaceClosed) as closed:
            async with connect(server.codespace(codespace)):
                pytest.fail("it was let in")
        assert closed.value.code == CloseCode.NO_SUCH_CODESPACE
        assert "cannot be read" in str(closed.value)
        assert codespace not in str(closed.value)
        async with connect(server.codespace()) as other:
            other.insert(0, "others notice nothing")
            await other.wait_confirmed()


# The server that pyshare runs itself


async def test_texts_are_there_after_a_restart_and_after_a_kill_of_pyshare(tmp_path: Path, codespace: str) -> None:
    flags = ("--data-folder", str(tmp_path))
    expected = ""
    for stop in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        exit_code = 0 if stop == signal.SIGTERM else -signal.SIGKILL
        async with running(*flags, exit_code=exit_code) as server, connect(server.codespace(codespace)) as space:
            assert space.text == expected
            space.insert(0, f"{stop.name} ")
            await space.wait_confirmed()
            expected = space.text
            server.tell(stop)
            await server.wait()


async def test_the_embedded_server_is_killed_and_nobody_loses_a_letter(
    tmp_path: Path, codespace: str, seed: int
) -> None:
    async with running("--data-folder", str(tmp_path)) as server, open_scene(seed) as scene:
        typists = await join_all(scene, codespace, server, each=4)
        scene.types()
        for _ in range(3):
            await scene.waits_typed(50)
            with trio.fail_after(PATIENCE_SECONDS):
                while not (embedded := server.children("-server")):  # noqa: ASYNC110
                    await trio.sleep(0.02)
            os.kill(embedded[0], signal.SIGKILL)
        await scene.waits_typed(50)
        await scene.agrees()
        assert sum(typist.reconnects for typist in typists) == 0


# Workers


async def test_workers_share_a_codespace_and_one_that_is_killed_is_replaced(
    tmp_path: Path, codespace: str, seed: int
) -> None:
    async with running("--data-folder", str(tmp_path), "--workers", "3") as server, open_scene(seed) as scene:
        await join_all(scene, codespace, server, each=6)
        scene.types()
        for _ in range(3):
            await scene.waits_typed(50)
            workers = server.children("worker")
            assert len(workers) == 3
            os.kill(workers[0], signal.SIGKILL)
            with trio.fail_after(PATIENCE_SECONDS):
                while workers[0] in (now := server.children("worker")) or len(now) < 3:  # noqa: ASYNC110
                    await trio.sleep(0.02)
        await scene.agrees()
