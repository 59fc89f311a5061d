"""A client's WebSocket over a stream in memory, with trio-websocket's server at the other end."""

import math
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, memory_stream_pair
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream
from typing_extensions import override
from wsproto.utilities import generate_accept_token

from pyshare.client.errors import ConnectionEnded
from pyshare.client.transport import Connection, open_websocket, wrap_stream
from pyshare.core.errors import CloseCode
from pyshare.core.protocol import SUBPROTOCOL

URL = "ws://server/codespace/x/?name=me"

Serve = Callable[[WebSocketConnection], Awaitable[None]]


async def echo(ws: WebSocketConnection) -> None:
    try:
        while True:
            await ws.send_message(await ws.get_message())
    except ConnectionClosed:
        pass


async def accept(reading: trio.Nursery, stream: trio.abc.Stream, serve: Serve) -> None:
    """Be the server of one connection."""
    request = await wrap_server_stream(reading, stream)
    assert request.path == "/codespace/x/?name=me"
    assert request.proposed_subprotocols == (SUBPROTOCOL,)
    await serve(await request.accept(subprotocol=SUBPROTOCOL))


def hold(stream: trio.abc.Stream) -> AbstractAsyncContextManager[Connection]:
    """Be the client of one connection."""
    return wrap_stream(stream, URL, 1000)


@asynccontextmanager
async def connected(serve: Serve = echo) -> AsyncIterator[tuple[Connection, trio.abc.Stream]]:
    """Hold a connection to a server that accepts it and serves it; and the stream at the server's end."""
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept, nursery, theirs, serve)
        async with hold(ours) as connection:
            yield connection, theirs
        nursery.cancel_scope.cancel()


async def ending(serve: Serve = echo, *, message: str | None = None) -> ConnectionEnded:
    """Return how a connection to such a server ends."""
    ended: list[ConnectionEnded] = []
    try:
        async with connected(serve) as (connection, _):
            if message is not None:
                await connection.send(message)
            while True:
                await connection.receive()
    except* ConnectionEnded as group:
        ended.append(leaf(group))
    return ended[0]


def leaf(group: BaseExceptionGroup[ConnectionEnded]) -> ConnectionEnded:
    error = group.exceptions[0]
    return leaf(error) if isinstance(error, BaseExceptionGroup) else error


async def test_a_client_that_is_cancelled_as_it_begins_ends() -> None:
    ours, theirs = memory_stream_pair()
    with trio.CancelScope() as scope:
        scope.cancel()
        async with hold(ours):
            raise AssertionError("it was cancelled")
    assert scope.cancelled_caught
    assert await theirs.receive_some() == b""


async def test_messages_go_out_and_come_in() -> None:
    async with connected() as (connection, _):
        await connection.send("hello 😀")
        await connection.send("again")
        assert await connection.receive() == "hello 😀"
        assert await connection.receive() == "again"


async def test_the_servers_close_code_and_reason_are_told() -> None:
    ended = await ending(lambda ws: ws.aclose(4404, "no such codespace"))
    assert (ended.code, ended.reason) == (4404, "no such codespace")


async def test_what_is_sent_to_a_connection_that_has_ended_is_not_lost_in_silence() -> None:
    async with connected(lambda ws: ws.aclose(1012, "restarting")) as (connection, _):
        with pytest.raises(ConnectionEnded, match="1012 restarting"):
            await connection.receive()
        with pytest.raises(ConnectionEnded, match="1012 restarting"):
            await connection.send("x")
        await connection.close()


async def test_a_connection_that_breaks_off_has_no_code() -> None:
    async with connected() as (connection, theirs):
        await theirs.aclose()
        with pytest.raises(ConnectionEnded) as caught:
            await connection.receive()
    assert (caught.value.code, caught.value.reason) == (None, "the connection was lost")


async def test_a_binary_message_is_an_error_of_the_servers() -> None:
    ended = await ending(lambda ws: ws.send_message(b"bytes"))
    assert (ended.code, ended.come_back) == (CloseCode.BINARY, False)


async def test_a_message_that_is_too_big_ends_the_connection_with_1009() -> None:
    ended = await ending(message="x" * 1001)
    assert (ended.code, ended.come_back) == (CloseCode.TOO_BIG, False)


async def test_a_server_that_does_not_speak_the_protocol_is_given_up() -> None:
    ended = await answered(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %(accept)s\r\n\r\n"
    )
    assert (ended.code, ended.come_back) == (CloseCode.NOT_UNDERSTOOD, False)


async def test_closing_says_goodbye_and_waits_for_the_answer() -> None:
    heard: list[int] = []
    async with connected(partial(listen, heard)) as (connection, _):
        await connection.close()
        assert heard == [1000]


async def test_leaving_without_a_goodbye_cuts_the_connection() -> None:
    heard: list[int] = []
    done = trio.Event()

    async def listen_until_the_end(ws: WebSocketConnection) -> None:
        await listen(heard, ws)
        done.set()

    async with trio.open_nursery() as nursery:
        ours, theirs = memory_stream_pair()
        nursery.start_soon(accept, nursery, theirs, listen_until_the_end)
        async with hold(ours):
            pass
        await done.wait()
        nursery.cancel_scope.cancel()
    assert heard == [1006]


async def listen(heard: list[int], ws: WebSocketConnection) -> None:
    """Note the code with which the client ends it."""
    with pytest.raises(ConnectionClosed) as caught:
        await ws.get_message()
    assert caught.value.reason is not None
    heard.append(caught.value.reason.code)


# Parts of messages.


async def test_what_was_heard_last_is_known_by_the_byte(autojump_clock: MockClock) -> None:
    async def dribble(ws: WebSocketConnection) -> None:
        await trio.sleep(10)
        await ws.send_message("hello")
        await trio.sleep(10)
        # The head of a frame of which no more comes.
        await ws._stream.send_all(b"\x81\x05")
        await trio.sleep_forever()

    started = trio.current_time()
    async with connected(dribble) as (connection, _):
        assert connection.heard == started
        assert await connection.receive() == "hello"
        assert connection.heard == started + 10
        with trio.move_on_after(15):
            await connection.receive()
        assert connection.heard == started + 20


class SlowReader(trio.abc.Stream):
    """A stream whose reader pauses before each part."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.pause_seconds = 0.0

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        await trio.sleep(self.pause_seconds)
        return await self._stream.receive_some(max_bytes)

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    @override
    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    @override
    async def aclose(self) -> None:
        await self._stream.aclose()


async def test_a_long_message_is_seen_to_leave_part_by_part(autojump_clock: MockClock) -> None:
    got: list[str | bytes] = []
    done = trio.Event()

    async def read(ws: WebSocketConnection) -> None:
        got.extend([await ws.get_message(), await ws.get_message()])
        done.set()
        await trio.sleep_forever()

    async def send() -> None:
        await connection.send("short")
        assert connection.left == -math.inf, "a dead path takes many short ones"
        await connection.send("x" * 50_000)

    ours, theirs = lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        slow = SlowReader(theirs)
        nursery.start_soon(accept, nursery, slow, read)
        async with hold(ours) as connection:
            slow.pause_seconds = 9
            nursery.start_soon(send)
            await trio.sleep(50)
            for _ in range(8):
                assert trio.current_time() - connection.left <= 9
                await trio.sleep(5)
            slow.pause_seconds = 0
            await done.wait()
            assert got == ["short", "x" * 50_000]
        nursery.cancel_scope.cancel()


async def test_a_message_that_was_sent_in_part_is_followed_by_nothing_and_not_by_a_goodbye(
    autojump_clock: MockClock,
) -> None:
    ours, theirs = lockstep_stream_pair()
    async with trio.open_nursery() as nursery:
        slow = SlowReader(theirs)
        nursery.start_soon(accept, nursery, slow, echo)
        async with hold(ours) as connection:
            slow.pause_seconds = 1
            with trio.move_on_after(5):
                await connection.send("x" * 50_000)
            started = trio.current_time()
            await connection.close()
            with pytest.raises(ConnectionEnded):
                await connection.send("more")
            assert trio.current_time() == started
        nursery.cancel_scope.cancel()


async def test_messages_in_pieces_arrive_whole_also_if_the_wait_for_them_was_cancelled(
    autojump_clock: MockClock,
) -> None:
    pieces = ["+hel", "+lo", "=!", "{}"]

    async def send(ws: WebSocketConnection) -> None:
        for each in pieces:
            await trio.sleep(1)
            await ws.send_message(each)
        await trio.sleep_forever()

    async with connected(send) as (connection, _):
        with trio.move_on_after(1.5):
            await connection.receive()
        assert await connection.receive() == "hello!"
        assert await connection.receive() == "{}"


@pytest.mark.parametrize(("second", "code"), [("+" + "x" * 501, CloseCode.TOO_BIG), ("{}", CloseCode.NOT_UNDERSTOOD)])
async def test_pieces_without_end_or_with_something_between_end_the_connection(second: str, code: CloseCode) -> None:
    async def send(ws: WebSocketConnection) -> None:
        await ws.send_message("+" + "x" * 500)
        await ws.send_message(second)
        await trio.sleep_forever()

    ended = await ending(send)
    assert (ended.code, ended.come_back) == (code, False)


# Handshakes that come to nothing.


async def answered(answer: bytes | None) -> ConnectionEnded:
    """Return how a connection ends whose handshake is answered so; None: by the end of the stream."""
    ours, theirs = memory_stream_pair()

    async def answer_the_handshake() -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += await theirs.receive_some()
        if answer is None:
            await theirs.aclose()
        else:
            key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
            await theirs.send_all(answer.replace(b"%(accept)s", generate_accept_token(key)))

    ended: list[ConnectionEnded] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer_the_handshake)
        try:
            async with hold(ours):
                pytest.fail("there is no connection")
        except* ConnectionEnded as group:
            ended.append(leaf(group))
    return ended[0]


@pytest.mark.parametrize(
    ("status", "come_back"),
    [
        ("404 Not Found", False),
        ("403 Forbidden", False),
        ("302 Found", False),
        ("408 Request Timeout", True),
        ("429 Too Many Requests", True),
        ("503 Service Unavailable", True),
        ("500 Internal Server Error", True),
    ],
)
async def test_an_http_answer_is_told_with_its_status_and_sentence(status: str, come_back: bool) -> None:
    answer = f"HTTP/1.1 {status}\r\nContent-Length: 9\r\n\r\nSorry.   ".encode()
    ended = await answered(answer)
    assert (ended.code, ended.come_back) == (int(status[:3]), come_back)
    assert ended.reason == f"HTTP status {status[:3]}. Sorry."


async def test_an_http_answer_without_a_body_is_told_by_its_status() -> None:
    ended = await answered(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    assert (ended.code, ended.reason) == (404, "HTTP status 404.")


async def test_an_answer_that_is_no_http_ends_it_at_once() -> None:
    ended = await answered(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    assert (ended.code, ended.come_back) == (None, True)


async def test_a_stream_that_ends_before_the_handshake_does_is_not_waited_for() -> None:
    ended = await answered(None)
    assert (ended.code, ended.come_back) == (None, True)
    assert ended.reason == "the connection ended before the handshake: 'end of stream'"


async def test_a_stream_that_takes_nothing_is_not_waited_for() -> None:
    ours, theirs = memory_stream_pair()
    await theirs.aclose()
    with pytest.RaisesGroup(ConnectionEnded, flatten_subgroups=True) as caught:
        async with hold(ours):
            pytest.fail("there is no connection")
    assert "before the handshake: BrokenResourceError" in str(leaf(caught.value))


# Finding the server.


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("ws://server/codespace/x/", ("server", 80, None)),
        ("ws://server:8888/codespace/x/", ("server", 8888, None)),
        ("wss://[::1]/codespace/x/", ("::1", 443, "tls")),
    ],
)
async def test_the_address_says_where_to_connect_and_how(
    url: str, where: tuple[str, int, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    dialled: list[tuple[str, int, str | None]] = []

    async def open_tcp(host: str, port: int) -> trio.abc.Stream:
        dialled.append((host, port, None))
        raise OSError("nobody listens")

    async def open_tls(
        host: str, port: int, *, https_compatible: bool, ssl_context: ssl.SSLContext | None
    ) -> trio.abc.Stream:
        assert https_compatible
        assert ssl_context is None
        dialled.append((host, port, "tls"))
        raise OSError("nobody listens")

    monkeypatch.setattr(trio, "open_tcp_stream", open_tcp)
    monkeypatch.setattr(trio, "open_ssl_over_tcp_stream", open_tls)
    with pytest.raises(ConnectionEnded, match=f"cannot connect to {where[0]} port {where[1]}: nobody listens"):
        async with open_websocket(url, 1000):
            pytest.fail("there is no connection")
    assert dialled == [where]


@pytest.mark.parametrize("several", [False, True])
async def test_an_address_that_cannot_be_reached_is_told_with_the_systems_reason(
    several: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def open_tcp(host: str, port: int) -> trio.abc.Stream:
        refused = ConnectionRefusedError(111, "Connection refused")
        cause = ExceptionGroup("several addresses", [refused, refused]) if several else refused
        raise OSError(f"all attempts to connect to {host}:{port} failed") from cause

    monkeypatch.setattr(trio, "open_tcp_stream", open_tcp)
    with pytest.raises(ConnectionEnded, match=r"cannot connect to server port 80: Connection refused$"):
        async with open_websocket("ws://server/codespace/x/?", 1000):
            pytest.fail("there is no connection")


async def test_a_websocket_is_opened_over_what_was_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = memory_stream_pair()

    async def open_tcp(host: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return ours

    monkeypatch.setattr(trio, "open_tcp_stream", open_tcp)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept, nursery, theirs, echo)
        async with open_websocket(URL, 1000) as connection:
            await connection.send("hello")
            assert await connection.receive() == "hello"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("code", "come_back"), [(None, True), (1001, True), (1014, True), (4400, False), (4999, False)]
)
def test_codes_that_pyshare_does_not_use_are_lost_connections_unless_they_are_an_applications(
    code: int | None, come_back: bool
) -> None:
    assert ConnectionEnded(code, "").come_back is come_back
