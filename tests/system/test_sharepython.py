"""pyshare in the place of SharePython's WebSocket server: beside a double of the API, on the Redis that both share."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
import trio

from pyshare.client import CodespaceClosed, ViewOnly, connect
from pyshare.core.errors import CloseCode
from tests.api import Api, open_api
from tests.redis import RedisServer, running_redis
from tests.system.server import RunningServer, running


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """The Redis server of the stock set-up: with a password, and the events that it asks for."""
    flags = ("--requirepass", "secret", "--notify-keyspace-events", "Kx")
    with running_redis("redis-server", *flags, client_password="secret") as server:
        yield server


@asynccontextmanager
async def stock_setup(
    redis: RedisServer, *flags: str, requests_a_minute: int = 60
) -> AsyncIterator[tuple[Api, RunningServer, str]]:
    """Run the API and pyshare on one Redis; gives the API's address too."""
    url = redis.url.replace("unix://", "unix://:secret@")
    api = Api(url, requests_a_minute=requests_a_minute)
    async with open_api(api) as address, running("--redis-url", url, "--api-base-url", address, *flags) as server:
        yield api, server, address


async def test_what_is_saved_is_what_the_editors_show(redis: RedisServer) -> None:
    async with stock_setup(redis) as (api, server, address):
        codespace = api.make(name="mine", code="print('é😀')\r\n")
        async with (
            connect(server.codespace(api.token(codespace))) as one,
            connect(server.codespace(api.token(codespace))) as two,
            httpx.AsyncClient() as browser,
        ):
            assert one.text == "print('é😀')\n", "line breaks are as editors have them"
            for index in range(50):
                one.insert(0, str(index % 10))
                two.insert(two.length, "x")
                await one.wait_confirmed()
                answer = await browser.patch(f"{address}codespace/save_changes/{codespace}/")
                assert answer.status_code == 200
                assert api.saved[codespace]["code"].startswith(one.text[: index + 1])
            await two.wait_confirmed()
            await one.wait_version(two.version)
            await api.save(codespace)
            assert api.saved[codespace] == {"name": "mine", "code": one.text}


async def test_a_token_is_good_for_its_mode_and_its_time(redis: RedisServer) -> None:
    async with stock_setup(redis) as (api, server, _):
        codespace = api.make(code="look")
        async with connect(server.codespace(api.token(codespace, "view_only"))) as viewer:
            assert viewer.mode == "view_only"
            with pytest.raises(ViewOnly):
                viewer.insert(0, "x")
            assert viewer.text == "look"
        for token, reason in ((api.token(codespace, seconds=-1), "expired"), ("made-up", "Invalid token")):
            with pytest.raises(CodespaceClosed) as closed:
                async with connect(server.codespace(token)):
                    pytest.fail("it was let in")
            assert closed.value.code == CloseCode.NOT_AUTHENTICATED
            assert reason in str(closed.value)


async def test_a_class_that_arrives_at_once_is_let_in_though_the_api_throttles(redis: RedisServer) -> None:
    async with stock_setup(redis, requests_a_minute=10) as (api, server, _):
        codespace = api.make(code="class")
        shared = api.token(codespace)
        texts = []

        async def arrive(token: str) -> None:
            async with connect(server.codespace(token)) as pupil:
                texts.append(pupil.text)
                await trio.sleep(0.5)

        async with trio.open_nursery() as nursery:
            for _index in range(60):
                nursery.start_soon(arrive, shared)
        assert texts == ["class"] * 60
        assert api.answered + api.throttled < 10, "equal questions are asked once"
        # One by one, more than it answers in a minute: those who come too early wait, they are not turned away.
        api._asked.clear()
        api._asked.extend([api._now() - 58] * 10)
        async with trio.open_nursery() as nursery:
            for _index in range(9):
                nursery.start_soon(arrive, api.token(codespace))
        assert texts == ["class"] * 69


async def test_a_temporary_codespace_that_the_api_made_is_joined_and_another_is_not(redis: RedisServer) -> None:
    async with stock_setup(redis) as (_, server, address), httpx.AsyncClient() as browser:
        made = (await browser.post(f"{address}codespace/", json={})).json()["uuid"]
        async with connect(server.codespace(made)) as space:
            space.insert(0, "text")
            await space.wait_confirmed()
        assert redis.client.hget(made, "uuid") == made.encode()
        with pytest.raises(CodespaceClosed) as closed:
            async with connect(server.codespace()):
                pytest.fail("nobody has made it")
        assert closed.value.code == CloseCode.NO_SUCH_CODESPACE


async def test_deleting_through_the_api_closes_the_editors_and_unused_codespaces_expire(redis: RedisServer) -> None:
    flags = ("--codespace-expire-seconds", "1", "--linger-seconds", "0")
    async with stock_setup(redis, *flags) as (api, server, address), AsyncExitStack() as stack:
        kept, deleted = api.make(code="kept"), api.make(code="deleted")
        async with connect(server.codespace(api.token(deleted))) as space:
            async with httpx.AsyncClient() as browser:
                assert (await browser.delete(f"{address}codespace/{deleted}/")).status_code == 204
            with trio.fail_after(5), pytest.raises(CodespaceClosed) as closed:
                await space.wait_text("never")
            assert closed.value.code == CloseCode.GONE
        open_space = await stack.enter_async_context(connect(server.codespace(api.token(kept))))
        await trio.sleep(3)
        assert redis.client.exists(kept), "open ones stay"
        assert open_space.text == "kept"
        await stack.aclose()
        with trio.fail_after(10):
            while redis.client.exists(kept):  # noqa: ASYNC110 - nobody tells
                await trio.sleep(0.05)
