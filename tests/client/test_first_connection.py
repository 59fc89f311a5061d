"""The first connection: it fails after a stated time with the address and the reason, unless the client is patient."""

import logging

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pyshare.client import ConnectError
from pyshare.client.link import ClientLimits, State
from pyshare.core.errors import CloseCode
from tests.client.world import World


async def test_a_server_that_is_not_there_is_an_error_that_names_address_and_reason(autojump_clock: MockClock) -> None:
    world = World()
    world.fails(99)
    with pytest.raises(ConnectError) as caught:
        async with world.client():
            pytest.fail("there was no connection")
    assert (caught.value.address, caught.value.reason) == ("ws://server", "out of order")
    assert str(caught.value).startswith("no connection to ws://server: out of order; check the address")
    assert [dial.time for dial in world.dials] == [0, 0.25, 0.75, 1.75, 3.75]
    assert trio.current_time() == 3.75, "the next attempt would be after 5 seconds"


async def test_a_server_that_is_there_soon_is_waited_for(autojump_clock: MockClock) -> None:
    world = World("hi")
    world.fails(4, CloseCode.RESTARTING)
    async with world.client() as codespace:
        assert codespace.text == "hi"
    assert trio.current_time() == 3.75


async def test_the_time_is_a_limit_and_nothing_is_cut_short_by_it(autojump_clock: MockClock) -> None:
    world = World()
    world.fails(1)
    with pytest.raises(ConnectError):
        async with world.client(limits=ClientLimits(first_connect_seconds=0)):
            pytest.fail("there was no connection")
    assert trio.current_time() == 0
    world.unreachable = True
    with pytest.raises(ConnectError, match="no connection within 15 seconds"):
        async with world.client():
            pytest.fail("there was no connection")
    assert trio.current_time() == 15


async def test_a_server_that_says_no_welcome_is_an_error(autojump_clock: MockClock) -> None:
    world = World()
    world.silent = True
    with pytest.raises(ConnectError, match="the server does not answer"):
        async with world.client():
            pytest.fail("there was no welcome")
    assert trio.current_time() == 15


async def test_a_patient_client_waits_for_a_server_that_is_still_to_come(autojump_clock: MockClock) -> None:
    world = World("hi")
    world.fails(20)
    async with world.client(patient=True) as codespace:
        assert codespace.text == "hi"
    assert trio.current_time() > 100


async def test_a_server_that_is_lost_later_is_waited_for_however_long_it_takes(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:
        world.fails(20)
        world.connection.end()
        await wait_all_tasks_blocked()
        await codespace.wait_connected()
    assert trio.current_time() > 100


async def test_each_attempt_that_fails_is_a_warning_with_reason_and_next_attempt_and_without_the_token(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pyshare.client")
    world = World()
    world.fails(2)
    async with world.client() as codespace:
        world.connection.end(CloseCode.RESTARTING, "restarts")
        await wait_all_tasks_blocked()
        await codespace.wait_connected()
        caplog.set_level(logging.WARNING, "pyshare.client")
        await codespace.reconnect()
        world.connection.end(CloseCode.GONE, "deleted")
        await wait_all_tasks_blocked()
    assert {(record.name, record.levelname) for record in caplog.records} == {("pyshare.client", "WARNING")}
    assert [record.getMessage() for record in caplog.records] == [
        "no connection: ws://server: out of order; next attempt in 0.25 s",
        "no connection: ws://server: out of order; next attempt in 0.5 s",
        "connection lost: ws://server: 1012 restarts; next attempt in 1 s",
        "connection lost: ws://server: 4410 deleted; not tried again",
    ]


async def test_one_can_see_why_there_is_no_connection_and_when_it_is_tried_again(autojump_clock: MockClock) -> None:
    world = World()
    async with world.client() as codespace:

        def shown() -> tuple[State, str, float | None]:
            return codespace.state, codespace.ended, codespace.retry_at

        assert shown() == (State.CONNECTED, "", None)
        await trio.sleep(2)
        world.connection.end(CloseCode.RESTARTING, "restarts")
        await wait_all_tasks_blocked()
        assert shown() == (State.CONNECTING, "1012 restarts", 2.25)
        await codespace.wait_connected()
        assert shown() == (State.CONNECTED, "1012 restarts", None)
        codespace.drop_connection()
        await wait_all_tasks_blocked()
        assert codespace.ended == "this client has dropped the connection"
