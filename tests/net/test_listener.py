"""The listener, on a socket in the file system."""

import errno
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, cast

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked
from typing_extensions import override

from pyshare.core.errors import ConfigurationError
from pyshare.net.addresses import Address, parse_networks
from pyshare.net.listener import Listener, ListenerLimits, ListenerStatistics, open_listeners


async def echo(client: socket.socket, _: Address, received: bytes) -> None:
    """Send back what comes."""
    async with trio.SocketStream(trio.socket.from_stdlib_socket(client)) as stream:
        async for data in stream:
            await stream.send_all(data)


class Place:
    """A listener and the address at which it is found."""

    def __init__(
        self, path: Path, serve: Callable[[socket.socket, Address, bytes], Awaitable[None]], connections: int
    ) -> None:
        self._path = str(path)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(self._path)
        listening.listen()
        sockets = [trio.SocketListener(trio.socket.from_stdlib_socket(listening))]
        self.listener = Listener(sockets, serve, limits=ListenerLimits(connections=connections))
        self.ended = trio.Event()

    # What it calls says that it has started.
    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128
        await self.listener.run(task_status=task_status)
        self.ended.set()

    async def connect(self) -> trio.SocketStream:
        return await trio.open_unix_socket(self._path)


@asynccontextmanager
async def listening(
    path: Path,
    serve: Callable[[socket.socket, Address, bytes], Awaitable[None]] = echo,
    *,
    connections: int = 10,
) -> AsyncIterator[Place]:
    place = Place(path / "socket", serve, connections)
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: place.run(task_status=task_status))
        yield place
        nursery.cancel_scope.cancel()


async def says(stream: trio.SocketStream, text: bytes) -> bytes:
    await stream.send_all(text)
    return bytes(await stream.receive_some())


async def test_each_client_is_served_by_its_own_task(tmp_path: Path) -> None:
    async with listening(tmp_path) as place, await place.connect() as one, await place.connect() as two:
        assert await says(one, b"one") == b"one"
        assert await says(two, b"two") == b"two"

        assert place.listener.statistics() == ListenerStatistics(open=2, accepted=2, refused=0, failed=0)


async def test_a_connection_that_fails_is_logged_and_counted_and_the_others_live_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def serve(client: socket.socket, address: Address, received: bytes) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(echo, client, address, received)
            if place.listener.statistics().accepted == 2:
                raise RuntimeError("a defect")

    async with listening(tmp_path, serve) as place, await place.connect() as one:
        assert await says(one, b"one") == b"one"
        async with await place.connect() as two:
            assert await two.receive_some() == b""
        assert await says(one, b"still") == b"still"

        assert place.listener.statistics() == ListenerStatistics(open=1, accepted=2, refused=0, failed=1)
    assert "a defect" in caplog.text


async def test_above_the_limit_clients_are_refused_at_once_until_there_is_room(tmp_path: Path) -> None:
    async with listening(tmp_path, connections=1) as place:
        async with await place.connect() as one:
            assert await says(one, b"one") == b"one"
            for _ in range(40):
                async with await place.connect() as refused:
                    await refused.send_all(b"GET / HTTP/1.1\r\n\r\n")
                    answer = b"".join([part async for part in refused])
                    assert answer.startswith(b"HTTP/1.1 503 ")
                    assert b"Retry-After: " in answer
            assert place.listener.statistics() == ListenerStatistics(open=1, accepted=1, refused=40, failed=0)
        await wait_all_tasks_blocked()
        async with await place.connect() as two:
            assert await says(two, b"two") == b"two"


async def test_told_to_stop_it_takes_no_more_and_ends_with_its_last_connection(tmp_path: Path) -> None:
    async with listening(tmp_path) as place:
        async with await place.connect() as one:
            assert await says(one, b"one") == b"one"

            place.listener.stop_accepting()
            await wait_all_tasks_blocked()

            with pytest.raises(OSError, match="refused"):
                await place.connect()
            assert await says(one, b"still") == b"still"
            assert not place.ended.is_set()
        await place.ended.wait()


async def test_cancelled_its_connections_are_too(tmp_path: Path) -> None:
    async with listening(tmp_path) as place:
        stream = await place.connect()
        assert await says(stream, b"one") == b"one"

    async with stream:
        assert await stream.receive_some() == b""


class ExhaustedListener(trio.abc.Listener[trio.SocketStream]):
    """A listening socket of a system that has no room for another connection, for so many tries."""

    def __init__(self, tries: int) -> None:
        self.tries = tries
        self.times: list[float] = []

    @override
    async def accept(self) -> trio.SocketStream:
        self.times.append(trio.current_time())
        if len(self.times) > self.tries:
            await trio.sleep_forever()
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    @override
    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


async def test_a_system_without_room_is_logged_once_and_tried_again_after_a_pause(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    exhausted = ExhaustedListener(tries=3)
    listener = Listener([cast("trio.SocketListener", exhausted)], echo, limits=ListenerLimits(pause_seconds=0.5))

    with trio.move_on_after(10):
        await listener.run()

    assert exhausted.times == [0, 0.5, 1, 1.5]
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


class Resolver(trio.abc.HostnameResolver):
    """Finds no host, and says so with this error."""

    def __init__(self, error: OSError) -> None:
        self._error = error

    @override
    async def getaddrinfo(self, *_: object, **__: object) -> NoReturn:
        await trio.lowlevel.checkpoint()
        raise self._error

    @override
    async def getnameinfo(self, *_: object) -> NoReturn:
        await trio.lowlevel.checkpoint()
        raise self._error


ERRORS = [
    (socket.gaierror(socket.EAI_NONAME, "unknown"), "--host: unknown host 'here'"),
    (OSError(errno.EADDRINUSE, "in use"), "--port: port 8888 is in use on here"),
    (OSError(errno.EACCES, "denied"), "--port: port 8888 is not for this user"),
    (OSError(errno.EADDRNOTAVAIL, "none"), "--host: here is no address of this machine"),
    (OSError(errno.EIO, "broken"), "--host here --port 8888: broken"),
]


@pytest.mark.parametrize(("error", "sentence"), ERRORS)
async def test_an_address_that_cannot_be_had_is_one_clear_line(error: OSError, sentence: str) -> None:
    before = trio.socket.set_custom_hostname_resolver(Resolver(error))
    try:
        with pytest.raises(ConfigurationError) as caught:
            await open_listeners("here", 8888)
    finally:
        trio.socket.set_custom_hostname_resolver(before)

    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("port", [-1, 65536])
async def test_a_number_that_is_no_port_is_not_cut_to_one(port: int) -> None:
    with pytest.raises(ConfigurationError, match=f"--web-port: {port} is no port"):
        await open_listeners("127.0.0.1", port, port_option="--web-port")


async def test_a_client_of_another_listener_is_served_as_one_of_its_own(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def serve(client: socket.socket, address: Address, received: bytes) -> None:
        seen.append(received)
        await echo(client, address, received)

    here, there = socket.socketpair()
    async with listening(tmp_path, serve) as place:
        place.listener.adopt(here, Address("local"), b"read before")
        async with trio.SocketStream(trio.socket.from_stdlib_socket(there)) as stream:
            assert await says(stream, b"one") == b"one"
            assert place.listener.statistics().open == 1
    assert seen == [b"read before"]


async def test_a_client_that_is_handed_on_too_late_is_told_to_come_back(tmp_path: Path) -> None:
    async with listening(tmp_path) as place:
        place.listener.stop_accepting()
        await place.ended.wait()
        here, there = socket.socketpair()
        place.listener.adopt(here, Address("local"), b"")
        assert b"503" in there.recv(1000)
        there.close()
    assert here.fileno() == -1


@asynccontextmanager
async def listening_at_a_port(limits: ListenerLimits) -> AsyncIterator[tuple[Listener, int]]:
    """Have a listener at a free port that answers each client with its address and what it has sent so far."""

    async def serve(client: socket.socket, address: Address, received: bytes) -> None:
        async with trio.SocketStream(trio.socket.from_stdlib_socket(client)) as stream:
            await stream.send_all(f"{address.host} ".encode() + received)
            async for _ in stream:
                pass

    listeners = await open_listeners("127.0.0.1", 0)
    port: int = listeners[0].socket.getsockname()[1]
    listener = Listener(listeners, serve, limits=limits)
    async with trio.open_nursery() as nursery:
        await nursery.start(listener.run)
        yield listener, port
        nursery.cancel_scope.cancel()


async def asked_from(port: int, sent: bytes, *, source: str = "127.0.0.1") -> tuple[trio.SocketStream, bytes]:
    """Return a connection from an address of this machine, and the first answer on it."""
    stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=source)
    await stream.send_all(sent)
    return stream, bytes(await stream.receive_some())


TRUSTING = ListenerLimits(trusted_proxies=parse_networks("127.0.0.1"), connections_per_address=2, beginning_seconds=0.2)
HEADER_2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c" + bytes([192, 0, 2, 9, 192, 0, 2, 1]) + b"\x30\x39\x22\xb8"


async def test_an_address_has_so_many_connections_and_other_addresses_have_theirs() -> None:
    limits = ListenerLimits(connections_per_address=2, beginning_seconds=5)
    async with listening_at_a_port(limits) as (listener, port):
        (first, _), (second, _) = [await asked_from(port, b"a") for _ in range(2)]
        third, answer = await asked_from(port, b"a")
        assert answer.startswith(b"HTTP/1.1 429 ")
        other, answer = await asked_from(port, b"a", source="127.0.0.2")
        assert answer == b"127.0.0.2 a"
        assert listener.statistics() == ListenerStatistics(open=3, accepted=3, refused=0, failed=0, crowded=1)
        await first.aclose()
        await wait_all_tasks_blocked(0.01)
        again, answer = await asked_from(port, b"b")
        assert answer == b"127.0.0.1 b"
        for each in (second, third, other, again):
            await each.aclose()


async def test_silent_connections_of_one_address_leave_room_for_others_and_end_in_time() -> None:
    limits = ListenerLimits(connections_per_address=3, beginning_seconds=1)
    async with listening_at_a_port(limits) as (listener, port):
        silent = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(12)]
        answers = [await each.receive_some() for each in silent[3:]]
        assert all(answer.startswith(b"HTTP/1.1 429 ") for answer in answers)
        other, answer = await asked_from(port, b"a", source="127.0.0.2")
        assert answer == b"127.0.0.2 a"
        for each in silent[:3]:
            assert (await each.receive_some()).startswith(b"HTTP/1.1 408 ")
        await wait_all_tasks_blocked(0.01)
        assert listener.statistics().open == 1
        for each in (*silent, other):
            await each.aclose()


@pytest.mark.parametrize("header", [b"PROXY TCP4 192.0.2.9 192.0.2.1 12345 8888\r\n", HEADER_2])
async def test_a_trusted_proxy_names_the_client_which_is_counted_by_its_own_address(header: bytes) -> None:
    async with listening_at_a_port(TRUSTING) as (listener, port):
        kept = []
        for _ in range(2):
            stream, answer = await asked_from(port, header + b"GET /")
            assert answer == b"192.0.2.9 GET /"
            kept.append(stream)
        third, answer = await asked_from(port, header + b"GET /")
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert listener.statistics().crowded == 1
        # Without a header, a proxy is a client as any other.
        own, answer = await asked_from(port, b"GET /")
        assert answer == b"127.0.0.1 GET /"
        for each in (*kept, third, own):
            await each.aclose()
        await wait_all_tasks_blocked(0.01)
        assert listener.statistics().open == 0


def request_for(client: str) -> bytes:
    return f"GET / HTTP/1.1\r\nX-Forwarded-For: {client}\r\n\r\n".encode()


async def test_a_trusted_proxy_names_the_client_in_its_request_if_a_setting_says_so() -> None:
    async with listening_at_a_port(replace(TRUSTING, forwarded_for=True)) as (listener, port):
        kept = []
        for client, host in (
            ("192.0.2.9", b"192.0.2.9"),
            ("198.51.100.1, 192.0.2.9", b"192.0.2.9"),
            ("?", b"127.0.0.1"),
        ):
            stream, answer = await asked_from(port, request_for(client))
            assert answer.startswith(host + b" GET / HTTP/1.1\r\n")
            kept.append(stream)
        third, answer = await asked_from(port, request_for("192.0.2.9"))
        assert answer.startswith(b"HTTP/1.1 429 ")
        # A PROXY header is as good as before, and what its client writes behind it names nobody.
        both, answer = await asked_from(port, HEADER_2.replace(bytes([2, 9]), bytes([2, 7])) + request_for("192.0.2.9"))
        assert answer.startswith(b"192.0.2.7 GET / ")
        for each in (*kept, third, both):
            await each.aclose()
        await wait_all_tasks_blocked(0.01)
        assert listener.statistics().open == 0


@pytest.mark.parametrize("forwarded_for", [True, False])
async def test_a_client_names_nobody_in_its_request_unless_it_is_a_proxy_and_a_setting_says_so(
    forwarded_for: bool,
) -> None:
    source = "127.0.0.2" if forwarded_for else "127.0.0.1"
    async with listening_at_a_port(replace(TRUSTING, forwarded_for=forwarded_for)) as (_, port):
        stream, answer = await asked_from(port, request_for("192.0.2.9"), source=source)
        assert answer.startswith(source.encode())
        await stream.aclose()


async def test_a_request_that_a_proxy_does_not_finish_is_answered_in_time() -> None:
    async with listening_at_a_port(replace(TRUSTING, forwarded_for=True)) as (_, port):
        stream, answer = await asked_from(port, b"GET / HTTP/1.1\r\n")
        assert answer.startswith(b"HTTP/1.1 408 ")
        await stream.aclose()


async def test_a_header_in_many_parts_is_read_whole_and_what_follows_is_kept() -> None:
    async with listening_at_a_port(TRUSTING) as (_, port), await trio.open_tcp_stream("127.0.0.1", port) as stream:
        for byte in HEADER_2:
            await stream.send_all(bytes([byte]))
        await stream.send_all(b"GET /")
        answer = b""
        while len(answer) < len(b"192.0.2.9 "):
            answer += await stream.receive_some()
        assert answer.startswith(b"192.0.2.9 ")


async def test_a_header_that_does_not_come_in_time_or_is_wrong_ends_the_connection_with_a_sentence(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with listening_at_a_port(TRUSTING) as (listener, port):
        for sent, status in ((HEADER_2[:20], b"408"), (b"PROXY TCP4 nonsense\r\n", b"400")):
            stream, answer = await asked_from(port, sent)
            assert answer.startswith(b"HTTP/1.1 " + status)
            await stream.aclose()
        await wait_all_tasks_blocked(0.01)
        assert listener.statistics().open == 0
    assert [record.message for record in caplog.records] == ["wrong PROXY header"]


async def test_a_header_from_any_other_address_is_refused_and_the_log_names_the_setting_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with listening_at_a_port(TRUSTING) as (_, port):
        for _ in range(3):
            stream, answer = await asked_from(port, HEADER_2 + b"GET /", source="127.0.0.2")
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert b"--trusted-proxies" in answer
            await stream.aclose()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "--trusted-proxies" in record.message


async def test_told_to_stop_it_sends_away_who_has_said_nothing_yet() -> None:
    limits = ListenerLimits(beginning_seconds=1000)
    async with listening_at_a_port(limits) as (listener, port), await trio.open_tcp_stream("127.0.0.1", port) as silent:
        await wait_all_tasks_blocked(0.01)
        listener.stop_accepting()
        assert (await silent.receive_some()).startswith(b"HTTP/1.1 503 ")


async def test_an_address_that_connects_too_fast_waits_and_other_addresses_do_not() -> None:
    limits = ListenerLimits(connects_per_second=0.1)
    async with listening_at_a_port(limits) as (_, port):
        first, answer = await asked_from(port, b"a")
        assert answer == b"127.0.0.1 a"
        second = await trio.open_tcp_stream("127.0.0.1", port)
        await second.send_all(b"a")
        with trio.move_on_after(0.3) as patience:
            await second.receive_some()
        assert patience.cancelled_caught
        other, answer = await asked_from(port, b"a", source="127.0.0.2")
        assert answer == b"127.0.0.2 a"
        for each in (first, second, other):
            await each.aclose()
