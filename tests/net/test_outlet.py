"""The outlet, over a pair of connected sockets."""

import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Generator
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from pyshare.core.errors import CloseCode, Closing
from pyshare.core.framing import text_frame
from pyshare.net.bucket import TokenBucket
from pyshare.net.outlet import PING, SocketOutlet, close_frame
from pyshare.net.stream import OutletStream

BYE = Closing(CloseCode.RESTARTING, "the server restarts")
PONG = b"\x8a\x00"


class Drained:
    """Whom the outlet tells that there is room; counts how often."""

    def __init__(self) -> None:
        self.times = 0
        self.heard = trio.Event()

    async def __call__(self) -> None:
        await trio.lowlevel.checkpoint()
        self.times += 1
        self.heard.set()


class Pair:
    """An outlet and the socket at its other end."""

    def __init__(self) -> None:
        here, self.peer = socket.socketpair()
        here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.outlet = SocketOutlet(here, work=TokenBucket(1000, burst=10_000, now=trio.current_time()))
        self.drained = Drained()
        self.peer.setblocking(False)

    def read(self) -> bytes:
        """Return all that has arrived."""
        data = b""
        with suppress(BlockingIOError):
            while part := self.peer.recv(65536):
                data += part
        return data

    async def read_bytes(self, count: int) -> bytes:
        """Return `count` bytes, when they have come."""
        data = b""
        while len(data) < count:
            await trio.lowlevel.wait_readable(self.peer)
            part = self.peer.recv(count - len(data))
            assert part, "the outlet ended"
            data += part
        return data

    def fill(self) -> bytes:
        """Write until the outlet takes nothing more; return what it took."""
        taken = bytearray()
        for number in range(10_000):
            frame = text_frame(b"%05d" % number * 100)
            if not self.outlet.write_nowait(frame):
                return bytes(taken)
            taken += frame
        raise AssertionError("the socket has no end")

    @asynccontextmanager
    async def writing(self, slow_seconds: float = 30) -> AsyncIterator[None]:
        """Have the outlet's writer run."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: self.outlet.run(self.drained, slow_seconds=slow_seconds))
            yield
            nursery.cancel_scope.cancel()


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    await trio.lowlevel.checkpoint()
    pair = Pair()
    yield pair
    pair.outlet.close()
    pair.peer.close()


async def test_a_frame_is_sent_at_once_without_the_writer(pair: Pair) -> None:
    assert pair.outlet.write_nowait(text_frame(b"hello"))

    assert pair.read() == text_frame(b"hello")


async def test_a_partly_sent_write_is_taken_whole_and_the_next_one_refused(pair: Pair) -> None:
    big = text_frame(b"x" * 1_000_000)

    assert pair.outlet.write_nowait(big)
    assert not pair.outlet.write_nowait(text_frame(b"later"))
    async with pair.writing():
        assert await pair.read_bytes(len(big)) == big
        await pair.drained.heard.wait()

    assert pair.read() == b""


async def test_a_full_socket_takes_nothing_of_a_write_and_keeps_what_it_took_in_order(pair: Pair) -> None:
    taken = pair.fill()

    async with pair.writing():
        assert await pair.read_bytes(len(taken)) == taken
        await pair.drained.heard.wait()

    assert pair.read() == b""


async def test_whoever_was_told_false_hears_once_that_there_is_room(pair: Pair) -> None:
    taken = pair.fill()
    assert not pair.outlet.write_nowait(text_frame(b"again"))

    async with pair.writing():
        await pair.read_bytes(len(taken))
        await pair.drained.heard.wait()
        assert pair.outlet.write_nowait(text_frame(b"again"))
        await trio.testing.wait_all_tasks_blocked()

    assert pair.drained.times == 1
    assert pair.read() == text_frame(b"again")


async def test_nobody_hears_of_room_who_was_not_told_false(pair: Pair) -> None:
    big = text_frame(b"x" * 1_000_000)
    assert pair.outlet.write_nowait(big)

    async with pair.writing():
        await pair.read_bytes(len(big))
        await trio.testing.wait_all_tasks_blocked()

    assert not pair.outlet.busy
    assert pair.drained.times == 0


async def test_a_ping_is_left_out_when_the_socket_is_full(pair: Pair) -> None:
    taken = pair.fill()

    assert not pair.outlet.offer_nowait(PING)
    async with pair.writing():
        assert await pair.read_bytes(len(taken)) == taken
        await pair.drained.heard.wait()

    assert pair.read() == b""


async def test_waiting_writers_are_served_when_there_is_room_and_never_within_a_frame(pair: Pair) -> None:
    big = text_frame(b"x" * 1_000_000)
    assert pair.outlet.write_nowait(big)

    async with pair.writing(), trio.open_nursery() as nursery:
        nursery.start_soon(pair.outlet.write, PONG)
        await trio.testing.wait_all_tasks_blocked()
        assert await pair.read_bytes(len(big)) == big
        assert await pair.read_bytes(len(PONG)) == PONG


async def test_a_cancelled_write_leaves_nothing_behind(pair: Pair) -> None:
    taken = pair.fill()

    with trio.CancelScope() as scope:
        scope.cancel()
        await pair.outlet.write(PONG)
    async with pair.writing():
        assert await pair.read_bytes(len(taken)) == taken
        await pair.drained.heard.wait()

    assert pair.read() == b""


async def test_a_socket_that_takes_nothing_is_told_to_close_after_the_limit(
    pair: Pair, autojump_clock: MockClock
) -> None:
    pair.fill()
    start = trio.current_time()

    with pair.outlet.lifetime:
        async with pair.writing(slow_seconds=30):
            await trio.sleep_forever()

    assert trio.current_time() - start == 30
    assert pair.outlet.closing is not None
    assert pair.outlet.closing.code == CloseCode.TOO_SLOW


async def test_a_socket_that_takes_a_little_now_and_then_is_not_told_to_close(
    pair: Pair, autojump_clock: MockClock
) -> None:
    assert pair.outlet.write_nowait(text_frame(b"x" * 300_000))

    async with pair.writing(slow_seconds=30):
        while pair.outlet.busy:
            await trio.sleep(29)
            pair.read()

    assert trio.current_time() > 60
    assert pair.outlet.closing is None


async def test_the_first_reason_to_close_counts_and_ends_the_lifetime(pair: Pair) -> None:
    pair.outlet.close_nowait(BYE)
    pair.outlet.close_nowait(Closing(CloseCode.DONE, "another"))

    assert pair.outlet.closing == BYE
    assert pair.outlet.lifetime.cancel_called


async def test_nothing_is_taken_after_a_close_frame(pair: Pair) -> None:
    answer = close_frame(Closing(CloseCode.DONE, ""))

    assert pair.outlet.offer_nowait(answer)
    assert pair.outlet.write_nowait(text_frame(b"late"))
    pair.outlet.close_nowait(BYE)
    await pair.outlet.finish(close_frame(BYE))

    assert pair.read() == answer
    assert pair.outlet.closing is None


async def test_the_head_of_an_http_response_is_not_taken_for_a_close_frame(pair: Pair) -> None:
    assert pair.outlet.offer_nowait(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")

    assert not pair.outlet.ended


async def test_what_was_taken_is_sent_before_the_close_frame_and_nothing_after(pair: Pair) -> None:
    big = text_frame(b"x" * 1_000_000)
    assert pair.outlet.write_nowait(big)
    pair.outlet.close_nowait(BYE)
    assert pair.outlet.write_nowait(text_frame(b"late"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair.outlet.finish, close_frame(BYE))
        expected = big + close_frame(BYE)
        assert await pair.read_bytes(len(expected)) == expected

    assert pair.read() == b""


async def test_finishing_goes_on_after_it_was_cancelled_and_sends_the_last_bytes_once(pair: Pair) -> None:
    big = text_frame(b"x" * 1_000_000)
    assert pair.outlet.write_nowait(big)

    with trio.CancelScope() as scope:
        scope.cancel()
        await pair.outlet.finish(close_frame(BYE))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair.outlet.finish, close_frame(BYE))
        expected = big + close_frame(BYE)
        assert await pair.read_bytes(len(expected)) == expected
    await pair.outlet.finish(close_frame(BYE))

    assert pair.read() == b""


async def test_a_dead_socket_takes_and_drops_everything_and_ends_the_lifetime(pair: Pair) -> None:
    pair.peer.close()

    assert pair.outlet.write_nowait(text_frame(b"one"))
    assert pair.outlet.write_nowait(text_frame(b"two"))

    assert pair.outlet.lifetime.cancel_called
    await pair.outlet.write(text_frame(b"three"))
    await pair.outlet.finish(close_frame(BYE))


async def test_a_writer_waiting_for_room_is_let_go_when_the_outlet_is_closed(pair: Pair) -> None:
    pair.fill()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair.outlet.write, PONG)
        await trio.testing.wait_all_tasks_blocked()
        pair.outlet.close_nowait(BYE)


async def test_lingering_reads_what_still_comes_until_the_peer_ends(pair: Pair) -> None:
    pair.outlet.close_nowait(BYE)
    await pair.outlet.finish(close_frame(BYE))
    peer = trio.SocketStream(trio.socket.from_stdlib_socket(pair.peer))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(pair.outlet.linger, 10_000_000, quiet_seconds=0))
        await peer.send_all(b"x" * 1_000_000)
        await peer.send_eof()

    assert await peer.receive_some() == close_frame(BYE)
    assert await peer.receive_some() == b""


async def test_a_peer_that_is_sending_is_not_told_of_the_end_before_it_pauses(
    pair: Pair, autojump_clock: MockClock
) -> None:
    peer = trio.SocketStream(trio.socket.from_stdlib_socket(pair.peer))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(pair.outlet.linger, 10_000_000, quiet_seconds=0.5))
        for _ in range(10):
            await peer.send_all(b"x")
            with trio.move_on_after(0.4) as patience:
                await peer.receive_some()
            assert patience.cancelled_caught
        assert await peer.receive_some() == b""
        await peer.send_eof()

    assert trio.current_time() == pytest.approx(4.1)


async def test_lingering_ends_at_its_limit(pair: Pair) -> None:
    async with trio.open_nursery() as nursery:
        peer = trio.SocketStream(trio.socket.from_stdlib_socket(pair.peer))
        nursery.start_soon(peer.send_all, b"x" * 10_000_000)

        await pair.outlet.linger(1_000_000, quiet_seconds=0)

        nursery.cancel_scope.cancel()


def make_stream(pair: Pair, *, message_bytes: int = 1000, silence_seconds: float = 60) -> OutletStream:
    bucket = TokenBucket(10, burst=20, now=trio.current_time())
    return OutletStream(pair.outlet, bucket, silence_seconds=silence_seconds, message_bytes=message_bytes)


async def test_a_stream_is_silent_only_while_it_listens(pair: Pair, autojump_clock: MockClock) -> None:
    stream = make_stream(pair, silence_seconds=60)
    await trio.sleep(1000)
    pair.peer.send(b"x")
    assert await stream.receive_some() == b"x"
    start = trio.current_time()

    with trio.move_on_after(200):
        await stream.receive_some()

    assert pair.outlet.closing is not None
    assert pair.outlet.closing.code == CloseCode.TOO_SLOW
    assert trio.current_time() - start == 200


async def test_a_client_is_not_read_while_it_owes_for_work_that_was_done_for_it(
    pair: Pair, autojump_clock: MockClock
) -> None:
    stream = make_stream(pair)
    pair.peer.send(b"x")
    start = trio.current_time()
    pair.outlet.charge(12_000)

    assert await stream.receive_some() == b"x"

    assert trio.current_time() - start == 2


async def test_the_pause_of_one_in_debt_is_not_silence(pair: Pair, autojump_clock: MockClock) -> None:
    bucket = TokenBucket(10, burst=20, now=trio.current_time())
    stream = OutletStream(pair.outlet, bucket, silence_seconds=60, message_bytes=1000)
    bucket.take(1020, trio.current_time())
    pair.peer.send(b"x")

    assert await stream.receive_some() == b"x"

    assert trio.current_time() == pytest.approx(100)
    assert pair.outlet.closing is None


async def test_a_slow_reader_is_not_silent_while_it_reads(pair: Pair, autojump_clock: MockClock) -> None:
    stream = make_stream(pair, silence_seconds=60)
    assert pair.outlet.write_nowait(text_frame(b"x" * 300_000))

    async with pair.writing(slow_seconds=50), trio.open_nursery() as nursery:
        nursery.start_soon(stream.receive_some)
        while pair.outlet.busy:
            await trio.sleep(40)
            pair.read()
        assert pair.outlet.closing is None
        nursery.cancel_scope.cancel()


async def test_the_streams_end_leaves_the_socket_to_the_outlet_and_is_told(pair: Pair) -> None:
    stream = make_stream(pair)
    scope = trio.CancelScope()
    stream.call_at_end(scope.cancel)

    await stream.aclose()

    assert scope.cancel_called
    with pytest.raises(trio.ClosedResourceError):
        await stream.receive_some()
    await pair.outlet.finish(close_frame(BYE))
    assert pair.read() == close_frame(BYE)


async def test_who_asks_after_the_end_is_told_at_once(pair: Pair) -> None:
    stream = make_stream(pair)
    pair.peer.shutdown(socket.SHUT_WR)
    assert await stream.receive_some() == b""
    scope = trio.CancelScope()

    stream.call_at_end(scope.cancel)

    assert scope.cancel_called


@pytest.mark.parametrize("opcode", [0x0, 0x1, 0x9, 0xA])
async def test_pings_pongs_and_fragments_are_paid_for_as_messages(
    opcode: int, pair: Pair, autojump_clock: MockClock
) -> None:
    stream = make_stream(pair)
    pair.peer.send(b"\r\n\r\n" + bytes((opcode, 0x80, 0, 0, 0, 0)) * 120)
    await stream.receive_some()
    start = trio.current_time()
    pair.peer.send(b"x")

    await stream.receive_some()

    assert trio.current_time() - start == pytest.approx(10, abs=0.1)


async def test_a_message_that_never_ends_is_too_big_however_small_its_frames(
    pair: Pair, autojump_clock: MockClock
) -> None:
    stream = make_stream(pair, message_bytes=1000)

    while pair.outlet.closing is None:
        pair.peer.send(b"\x00\x80\x00\x00\x00\x00" * 100)
        await stream.receive_some()

    assert pair.outlet.closing.code == CloseCode.TOO_BIG


async def test_pongs_between_messages_are_not_taken_for_a_message_that_never_ends(
    pair: Pair, autojump_clock: MockClock
) -> None:
    stream = make_stream(pair, message_bytes=1000)
    messages: list[str] = []

    async def take(message: str) -> None:
        await trio.lowlevel.checkpoint()
        messages.append(message)

    pair.peer.send(b"\r\n\r\n")
    await stream.receive_some()
    stream.open_lane(take)
    for _ in range(700):
        pair.peer.send(b"\x81\x81\x00\x00\x00\x00x" + b"\x8a\xfd\x00\x00\x00\x00" + b"y" * 125)
        await stream.receive_some()

    assert messages == ["x"] * 700
    assert pair.outlet.closing is None


class AtOnce:
    """Waits for nothing."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


async def test_others_have_their_turn_between_two_messages_that_were_read_at_once(pair: Pair) -> None:
    stream = make_stream(pair)
    turns = 0
    taken_at: list[int] = []

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    def take(message: str) -> Awaitable[None]:
        taken_at.append(turns)
        return AtOnce()

    pair.peer.send(b"\r\n\r\n")
    await stream.receive_some()
    stream.open_lane(take)
    pair.peer.send(b"\x81\x81\x00\x00\x00\x00x" * 20 + PING[:1] + b"\x80\x00\x00\x00\x00")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        await stream.receive_some()
        nursery.cancel_scope.cancel()

    assert len(taken_at) == 20
    assert len(set(taken_at)) > 10, "the order within a turn is by chance"


async def test_trio_websockets_own_1009_becomes_a_reason_of_this_server(pair: Pair) -> None:
    stream = make_stream(pair, message_bytes=1000)

    await stream.send_all(bytearray(b"\x88\x02" + struct.pack("!H", 1009)))

    assert pair.read() == b""
    assert pair.outlet.closing == Closing(CloseCode.TOO_BIG, "message too big: more than 1000 bytes; send less at once")


async def test_the_stream_takes_what_it_is_given_even_if_it_has_to_wait_for_room(pair: Pair) -> None:
    stream = make_stream(pair)
    taken = pair.fill()

    async with pair.writing(), trio.open_nursery() as nursery:
        await stream.wait_send_all_might_not_block()
        nursery.start_soon(stream.send_all, PONG)
        assert await pair.read_bytes(len(taken + PONG)) == taken + PONG


async def test_a_reset_connection_breaks_the_stream(pair: Pair) -> None:
    stream = make_stream(pair)
    pair.outlet.write_nowait(text_frame(b"unread"))
    pair.peer.close()

    with pytest.raises(trio.BrokenResourceError):
        await stream.receive_some()

    assert stream.ended
