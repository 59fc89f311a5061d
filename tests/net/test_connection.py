"""One connection's life, over a pair of sockets, with a scripted client and stand-ins for the rest."""

import json
import logging
import re
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import trio
from trio.testing import MockClock
from wsproto.events import AcceptConnection, CloseConnection

from pyshare.actors.messages import Drained, Join, Leave, Received
from pyshare.core.arrival import format_session, public_id
from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.core.framing import text_frame
from pyshare.core.names import public_name
from pyshare.core.protocol import PushFrame, SelectFrame
from pyshare.net.addresses import Address, AddressBuckets
from pyshare.net.auth import Admission
from tests.net.scripted import (
    CODESPACE,
    LIMITS,
    NEW_SESSION,
    SESSION,
    TOKEN,
    Client,
    World,
    let_in,
    raw_frame,
    serving,
)

SELECT = '{"type":"select","version":0,"ranges":[]}'
PUSH = '{"type":"push","seq":1,"version":0,"updates":[[[0,"a"]]]}'


async def joined(world: World, query: str | None = None) -> Join:
    """Have the client join; return the message that the channel got."""
    await let_in(world.client, query)
    return await world.next(Join)


async def leaves(world: World) -> None:
    """Have the client end the connection."""
    await world.client.close()
    await world.next(Leave)
    assert await world.client.closing_answer() == 1000


# Joining and leaving.


async def test_a_client_joins_with_what_its_query_says(autojump_clock: MockClock) -> None:
    async with serving() as world:
        query = f"?session={format_session(SESSION)}&epoch=e1&version=7&tip=a:3&name=Ada+L."
        join = await joined(world, query)

        assert join.peer.id == public_id(SESSION)
        assert (join.peer.name, join.peer.mode) == ("Ada L.", "edit")
        assert (join.epoch, join.version, join.tip) == ("e1", 7, "a:3")
        assert world.asked == [(CODESPACE, False)]
        await leaves(world)


async def test_a_client_without_a_session_gets_a_new_one(autojump_clock: MockClock) -> None:
    async with serving() as world:
        join = await joined(world, "")

        assert join.peer.id == public_id(NEW_SESSION)
        await leaves(world)


async def test_the_path_may_lack_its_last_slash_and_the_token_may_be_quoted(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        answer = await world.client.open(path=f"/codespace/%63{TOKEN[1:]}")

        assert isinstance(answer, AcceptConnection)
        await world.next(Join)
        await leaves(world)


@pytest.mark.parametrize(
    ("offered", "agreed"), [(("pyshare.v2", "pyshare.v1"), "pyshare.v1"), (("pyshare.v1", "pyshare.v0"), "pyshare.v1")]
)
async def test_of_several_versions_the_one_is_agreed_on_that_is_known(
    offered: tuple[str, ...], agreed: str, autojump_clock: MockClock
) -> None:
    async with serving() as world:
        answer = await world.client.open(subprotocols=offered)

        assert isinstance(answer, AcceptConnection)
        assert answer.subprotocol == agreed
        await world.next(Join)
        await leaves(world)


@pytest.mark.parametrize("offered", [("pyshare.v2",), ("pyshare.v3", "pyshare.v2"), ("graphql-ws",)])
async def test_an_offer_of_unknown_versions_alone_is_agreed_to_and_ended_with_a_sentence(
    offered: tuple[str, ...], autojump_clock: MockClock
) -> None:
    async with serving() as world:
        answer = await world.client.open(subprotocols=offered)

        assert isinstance(answer, AcceptConnection)
        # Browsers fail a connection that agrees to nothing of what they have offered, and tell no reason.
        assert answer.subprotocol == offered[0]
        code, reason = await world.client.closing()
        assert code == 4400
        assert "offer subprotocol pyshare.v1: this server speaks no other" in reason
        assert world.asked == []


async def test_what_the_channel_writes_arrives_and_what_the_client_says_is_received(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        join = await joined(world)
        assert join.outlet.write_nowait(text_frame(b"welcome") + text_frame(b"more"))
        assert await world.client.message() == "welcome"
        assert await world.client.message() == "more"

        await world.client.say(PUSH)
        await world.client.say(SELECT)

        received = await world.next(Received)
        assert received.outlet is join.outlet
        assert isinstance(received.frame, PushFrame)
        assert isinstance((await world.next(Received)).frame, SelectFrame)
        await leaves(world)


async def test_what_a_client_said_before_it_closed_is_received_before_it_leaves(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        await joined(world)

        for _ in range(5):
            await world.client.say(SELECT)
        await world.client.close()

        for _ in range(5):
            await world.next(Received)
        await world.next(Leave)
        assert await world.client.closing_answer() == 1000


async def test_a_client_that_vanishes_leaves(autojump_clock: MockClock) -> None:
    async with serving() as world:
        await joined(world)

        await world.client.stream.aclose()

        await world.next(Leave)


async def test_an_unreadable_push_is_refused_and_the_connection_goes_on(autojump_clock: MockClock) -> None:
    async with serving() as world:
        await joined(world)

        await world.client.say('{"type":"push","seq":3,"version":0,"updates":[[[0,"\\ud800"]]]}')
        answer = json.loads(await world.client.message())
        await world.client.say(SELECT)

        assert (answer["type"], answer["seq"], answer["code"]) == ("refused", 3, "invalid")
        await world.next(Received)
        await leaves(world)


async def test_neither_token_nor_session_is_logged(caplog: pytest.LogCaptureFixture, autojump_clock: MockClock) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving() as world:
        await joined(world)
        await leaves(world)

    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert "joined" in logged
    assert "left" in logged
    assert "'code': 1000" in logged
    assert TOKEN not in logged
    assert format_session(SESSION) not in logged
    assert str(SESSION) not in logged


# Malformed input.

MALFORMED = {
    "not JSON": (raw_frame(1, b"hello"), 1007, "not JSON"),
    "nothing": (raw_frame(1, b""), 1007, "not JSON"),
    "binary": (raw_frame(2, SELECT.encode()), 1003, "binary"),
    "invalid UTF-8": (raw_frame(1, b'{"type":"\xff"}'), 1007, "utf-8"),
    "a wrong type": (raw_frame(1, SELECT.replace("0", '"0"').encode()), 4400, r"select\.version"),
    "a negative version": (raw_frame(1, SELECT.replace("0", "-1").encode()), 4400, r"select\.version"),
    "a field too many": (raw_frame(1, SELECT.replace("{", '{"x":1,').encode()), 4400, r"select\.x"),
    "an unknown type": (raw_frame(1, b'{"type":"pull"}'), 4400, "type: 'pull'"),
    "no type": (raw_frame(1, b"{}"), 4400, "type"),
    "no object": (raw_frame(1, b"[]"), 4400, "frame"),
    "too many bytes": (raw_frame(1, b" " * 20_001), 1009, "20000 bytes"),
    "too many bytes in few characters": (raw_frame(1, "😀".encode() * 5_001), 1009, "20000 bytes"),
    "an unmasked frame": (b"\x81\x01x", 4400, "unmasked"),
    "an unknown opcode": (raw_frame(3, b""), 4400, "opcode"),
    "a long ping": (raw_frame(9, b"x" * 126), 4400, "broken frame"),
}


@pytest.mark.parametrize(("data", "code", "reason"), MALFORMED.values(), ids=MALFORMED)
async def test_malformed_input_is_answered_with_its_close_code(
    data: bytes, code: int, reason: str, autojump_clock: MockClock
) -> None:
    async with serving() as world:
        await joined(world)

        await world.client.send(data)

        found = await world.client.closing()
        assert found[0] == code
        assert re.search(reason, found[1])
        await world.next(Leave)


async def test_a_client_that_goes_on_sending_what_is_too_big_still_reads_why(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        await joined(world)
        start = trio.current_time()

        async with trio.open_nursery() as nursery:
            # Eight megabytes, of which the socket holds a few thousand bytes.
            nursery.start_soon(world.client.send, raw_frame(1, b" " * 8_000_000))
            while not isinstance(event := await world.client.event(), CloseConnection):
                pass

        assert event.code == 1009
        assert await world.client.stream.receive_some() == b""
        await world.client.stream.aclose()
        await world.next(Leave)
        assert trio.current_time() - start < LIMITS.close_seconds


async def test_what_follows_a_message_too_big_does_no_harm(autojump_clock: MockClock) -> None:
    async with serving() as world:
        await joined(world)

        await world.client.send(raw_frame(1, b" " * 20_001) + raw_frame(9, b"ping") + raw_frame(1, b"{}"))

        assert (await world.client.closing())[0] == 1009
        await world.next(Leave)


async def test_half_a_frame_and_then_silence_is_closed_when_the_silence_is_long(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        await joined(world)
        start = trio.current_time()

        await world.client.send(raw_frame(1, b'{"type":', length=100))
        with trio.move_on_after(1):
            await world.client.event()
        # From here on not even pings are answered.
        await world.next(Leave)

        assert trio.current_time() - start == LIMITS.silence_seconds
        assert struct.pack("!H", 4408) + b"silent" in await world.client.rest()


async def test_a_client_that_answers_pings_is_not_silent(autojump_clock: MockClock) -> None:
    async with serving() as world:
        await joined(world)
        with trio.move_on_after(10 * LIMITS.silence_seconds):
            await world.client.event()

        await leaves(world)


async def test_a_message_of_empty_frames_without_end_is_too_big(autojump_clock: MockClock) -> None:
    async with serving(replace(LIMITS, pushes_per_second=10_000)) as world:
        await joined(world)

        async with trio.open_nursery() as nursery:
            frames = raw_frame(1, b"", last=False) + raw_frame(0, b"", last=False) * 100_000
            nursery.start_soon(world.client.send, frames)
            while not isinstance(event := await world.client.event(), CloseConnection):
                pass

        assert event.code == 1009
        await world.client.stream.aclose()
        await world.next(Leave)


# The handshake.


async def test_a_handshake_that_does_not_come_is_answered_with_408(autojump_clock: MockClock) -> None:
    async with serving() as world:
        start = trio.current_time()

        assert (await world.client.http()).startswith("HTTP/1.1 408 ")

        assert trio.current_time() - start == LIMITS.handshake_seconds


async def test_half_a_handshake_is_answered_with_408(autojump_clock: MockClock) -> None:
    async with serving() as world:
        await world.client.send(b"GET /codespace/x/ HTTP/1.1\r\nHost: x\r\n")

        assert (await world.client.http()).startswith("HTTP/1.1 408 ")


@pytest.mark.parametrize("path", ["/", "/codespace/", "/codespace//", "/codespace/a/b/", "/other/x/", "/x"])
async def test_another_path_is_answered_with_404(path: str, autojump_clock: MockClock) -> None:
    async with serving() as world:
        request = f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        await world.client.send((request + key).encode())

        answer = await world.client.http()

        assert answer.startswith("HTTP/1.1 404 ")
        assert answer.endswith("There is nothing here; a codespace is at /codespace/{token}/.\n")


KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
UPGRADE = b"GET /codespace/x/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "status", "words"),
    [
        (b"GET /codespace/x/ HTTP/1.1\r\nHost: x\r\n\r\n", 426, b"no header 'Upgrade: websocket'"),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 426, b"are at --http-port"),
        (b"GET /codespace/x/ HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n", 426, b"no header 'Upgrade: websocket'"),
        (UPGRADE + b"\r\n", 426, b"no header 'Connection: Upgrade'"),
        (UPGRADE + b"Connection: Upgrade\r\n" + KEY + b"\r\n", 426, b"no header 'Sec-WebSocket-Version: 13'"),
        (
            UPGRADE + b"Connection: Upgrade\r\n" + KEY + b"Sec-WebSocket-Version: 8\r\n\r\n",
            426,
            b"no header 'Sec-WebSocket-Version: 13'",
        ),
        (
            UPGRADE + b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
            400,
            b"no header 'Sec-WebSocket-Key'",
        ),
        (b"POST /codespace/x/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405, b"Allow: GET"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, b"not HTTP/1.1"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, b"TLS"),
        (b"GET /codespace/x/ HTTP/1.1\r\nHost: \xff\r\n\r\n", 400, b"no HTTP"),
        (b"GET /codespace/x/ HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40_000, 4, b"\n"),
    ],
    ids=[
        "no upgrade",
        "health",
        "another upgrade",
        "no connection",
        "no version",
        "another version",
        "no key",
        "no GET",
        "HTTP/2",
        "TLS",
        "no host",
        "endless head",
    ],
)
async def test_what_is_no_websocket_handshake_is_told_at_once_what_is_missing(
    request_bytes: bytes, status: int, words: bytes, autojump_clock: MockClock
) -> None:
    async with serving() as world:
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.client.send, request_bytes)
            parts = [part async for part in world.client.stream]

        answer = b"".join(parts)
        assert answer.startswith(b"HTTP/1.1 %d" % status)
        assert words in answer
        assert trio.current_time() == start
        await world.client.stream.aclose()


@pytest.mark.parametrize(
    ("query", "field"),
    [("?version=x", "version"), ("?version=-1", "version"), ("?session=short", "session")],
)
async def test_a_bad_query_is_refused_with_the_fields_name(query: str, field: str, autojump_clock: MockClock) -> None:
    async with serving() as world:
        await let_in(world.client, query)

        code, reason = await world.client.closing()

        assert code == 4400
        assert reason.startswith(field)


# Being let in.


async def test_a_refused_token_closes_with_the_authenticators_reason(autojump_clock: MockClock) -> None:
    async def refuse(_: str) -> Admission:
        raise ConnectionRefused(Closing(CloseCode.NOT_AUTHENTICATED, "expired"))

    async with serving(admit=refuse) as world:
        await let_in(world.client)

        assert await world.client.closing() == (4401, "expired")
        assert world.asked == []


async def test_a_token_that_cannot_be_checked_in_time_is_not_called_bad(autojump_clock: MockClock) -> None:
    async def never(_: str) -> Admission:
        await trio.sleep_forever()
        raise AssertionError

    async with serving(admit=never) as world:
        await let_in(world.client)
        start = trio.current_time()

        assert (await world.client.closing())[0] == 1013
        assert trio.current_time() - start == LIMITS.authentication_seconds


async def test_a_token_is_not_checked_any_longer_when_its_client_has_gone(autojump_clock: MockClock) -> None:
    async def never(_: str) -> Admission:
        await trio.sleep_forever()
        raise AssertionError

    async with serving(admit=never) as world:
        await let_in(world.client)
        start = trio.current_time()

        await world.client.stream.aclose()
        await world.ended.wait()

        assert trio.current_time() == start


async def test_a_token_too_long_is_not_looked_at(autojump_clock: MockClock) -> None:
    async with serving() as world:
        answer = await world.client.open(path=f"/codespace/{'x' * 513}/")

        assert isinstance(answer, AcceptConnection)
        assert (await world.client.closing())[0] == 4401


async def test_a_codespace_that_cannot_be_had_closes_with_the_supervisors_reason(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        world.refusal = Closing(CloseCode.NO_SUCH_CODESPACE, "no such codespace")
        await let_in(world.client)

        assert await world.client.closing() == (4404, "no such codespace")


@pytest.mark.parametrize("defect", [RuntimeError("a defect"), UnicodeError("another")])
async def test_what_nobody_foresaw_is_told_as_the_servers_fault_and_raised(
    defect: Exception, autojump_clock: MockClock
) -> None:
    async def fail(_: str) -> Admission:
        raise defect

    async def talk(world: World) -> None:
        await let_in(world.client)
        while not isinstance(event := await world.client.event(), CloseConnection):
            pass
        assert event.code == 1011
        await world.client.stream.aclose()

    with pytest.RaisesGroup(type(defect), flatten_subgroups=True):
        async with serving(admit=fail) as world:
            with trio.CancelScope(shield=True):
                await talk(world)


# Slow clients, fast clients.


def fill(join: Join) -> bytes:
    """Write to the client until it takes no more; return what it took."""
    taken = bytearray()
    while join.outlet.write_nowait(frame := text_frame(b"%06d" % len(taken) * 50)):
        taken += frame
    return bytes(taken)


async def read_bytes(client: Client, count: int) -> bytes:
    """Read `count` bytes, past the WebSocket."""
    data = b""
    while len(data) < count:
        part = await client.stream.receive_some(count - len(data))
        assert part
        data += part
    return data


async def test_a_slow_client_that_reads_again_lags_and_the_channel_hears_of_it_once(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        join = await joined(world)
        taken = fill(join)

        assert await read_bytes(world.client, len(taken)) == taken
        assert (await world.next(Drained)).outlet is join.outlet
        assert join.outlet.write_nowait(text_frame(b"caught up"))

        assert await world.client.message() == "caught up"
        await leaves(world)


async def test_a_client_that_reads_nothing_is_closed_and_leaves_after_the_limit(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        start = trio.current_time()
        fill(await joined(world))

        await world.next(Leave)

        assert trio.current_time() - start == LIMITS.slow_seconds
        await world.ended.wait()
        assert trio.current_time() - start == LIMITS.slow_seconds + 2 * LIMITS.close_seconds
        await world.client.stream.aclose()


async def test_a_client_that_read_nothing_and_then_does_learns_why_it_was_closed(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        taken = fill(await joined(world))
        await world.next(Leave)

        assert await read_bytes(world.client, len(taken)) == taken

        assert (await world.client.closing())[0] == 4408


async def test_a_fast_client_is_read_no_faster_than_the_limit_and_that_is_not_its_silence(
    autojump_clock: MockClock,
) -> None:
    limits = replace(LIMITS, pushes_per_second=10, silence_seconds=3)
    async with serving(limits) as world:
        await joined(world)
        start = trio.current_time()
        times = []

        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.client.send, raw_frame(1, SELECT.encode()) * 120)
            for _ in range(120):
                await world.next(Received)
                times.append(trio.current_time() - start)

        assert times[15] == 0
        # A burst of twenty is free, and bytes are paid for too.
        assert times[119] == pytest.approx(10, abs=0.5)
        await world.client.close()
        await world.next(Leave)
        assert await world.client.closing_answer() == 1000


async def test_a_large_message_counts_as_several(autojump_clock: MockClock) -> None:
    async with serving(replace(LIMITS, pushes_per_second=1)) as world:
        await joined(world)
        start = trio.current_time()

        await world.client.say(SELECT + " " * 4096 * 4)
        await world.client.say(SELECT)
        await world.next(Received)
        await world.next(Received)

        assert trio.current_time() - start == pytest.approx(3, abs=0.5)
        await leaves(world)


# Ends that do not come from the client.


async def test_the_channel_can_close_a_client_with_its_reason(autojump_clock: MockClock) -> None:
    async with serving() as world:
        join = await joined(world)
        assert join.outlet.write_nowait(text_frame(b"last"))

        join.outlet.close_nowait(Closing(CloseCode.GONE, "deleted"))

        assert await world.client.message() == "last"
        assert await world.client.closing() == (4410, "deleted")
        await world.next(Leave)


async def test_a_client_that_does_not_answer_the_close_frame_is_waited_for_within_bounds(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        join = await joined(world)
        start = trio.current_time()

        join.outlet.close_nowait(Closing(CloseCode.GONE, "deleted"))
        await world.next(Leave)
        assert trio.current_time() == start
        await world.ended.wait()

        assert trio.current_time() - start == 2 * LIMITS.close_seconds
        assert b"deleted" in await world.client.stream.receive_some()
        await world.client.stream.aclose()


async def test_a_client_with_much_unread_input_hears_the_reason_and_is_heard(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        join = await joined(world)
        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            # Its mailbox is not read, so the connection's task waits there and the rest in the socket.
            nursery.start_soon(world.client.send, raw_frame(1, SELECT.encode()) * 60)
            await trio.testing.wait_all_tasks_blocked()

            join.outlet.close_nowait(Closing(CloseCode.GONE, "deleted"))
            while not isinstance(await world.mailbox.receive(), Leave):
                pass
            while not isinstance(event := await world.client.event(), CloseConnection):
                pass
            await world.client.answer(event)

        assert await world.client.stream.receive_some() == b""
        assert trio.current_time() == start
        await world.client.stream.aclose()


async def test_a_channel_that_is_gone_closes_with_come_again(autojump_clock: MockClock) -> None:
    async with serving() as world:
        await joined(world)

        world.mailbox.close()
        await world.client.say(SELECT)

        assert (await world.client.closing())[0] == 1013


async def test_a_failed_channels_own_reason_comes_first(autojump_clock: MockClock) -> None:
    async with serving() as world:
        join = await joined(world)

        join.outlet.close_nowait(Closing(CloseCode.OUR_FAULT, "failed"))
        world.mailbox.close()
        await world.client.say(SELECT)

        assert await world.client.closing() == (1011, "failed")


async def test_cancelled_it_says_that_the_server_restarts(autojump_clock: MockClock) -> None:
    async with serving() as world:
        await joined(world)

        world.scope.cancel()

        assert (await world.client.closing())[0] == 1012
        await world.next(Leave)


async def test_cancelled_after_it_was_told_why_it_says_that(autojump_clock: MockClock) -> None:
    async with serving() as world:
        join = await joined(world)

        join.outlet.close_nowait(Closing(CloseCode.GONE, "deleted"))
        world.scope.cancel()

        assert await world.client.closing() == (4410, "deleted")


async def test_cancelled_with_a_client_that_reads_nothing_it_ends_within_its_bound(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        fill(await joined(world))
        start = trio.current_time()

        world.scope.cancel()
        await world.ended.wait()

        assert trio.current_time() - start == LIMITS.close_seconds
        await world.client.stream.aclose()


async def test_cancelled_before_the_handshake_it_answers_503(autojump_clock: MockClock) -> None:
    async with serving() as world:
        await trio.testing.wait_all_tasks_blocked()

        world.scope.cancel()

        answer = await world.client.http()
        assert answer.startswith("HTTP/1.1 503 ")
        assert "Retry-After: 1\r\n" in answer


async def test_no_message_arrives_without_those_before_it_when_a_connection_with_a_full_mailbox_ends(
    autojump_clock: MockClock,
) -> None:
    selects = [f'{{"type":"select","version":{number},"ranges":[]}}'.encode() for number in range(4)]
    async with serving() as world:
        join = await joined(world)
        # Two fill the mailbox. The third one comes in parts, so it goes by trio-websocket, and the fourth could not.
        await world.client.send(raw_frame(1, selects[0]) + raw_frame(1, selects[1]))
        await world.client.send(raw_frame(1, selects[2][:9], last=False) + raw_frame(0, selects[2][9:]))
        await trio.testing.wait_all_tasks_blocked()
        await world.client.send(raw_frame(1, selects[3]))
        await trio.testing.wait_all_tasks_blocked()
        join.outlet.close_nowait(Closing(CloseCode.RESTARTING, "the server restarts"))
        arrived = [world.mailbox.receive_nowait(), world.mailbox.receive_nowait()]
        while not isinstance(message := await world.mailbox.receive(), Leave):
            arrived.append(message)
        assert await world.client.closing() == (CloseCode.RESTARTING, "the server restarts")
    frames = [each.frame for each in arrived if isinstance(each, Received)]
    versions = [frame.version for frame in frames if isinstance(frame, SelectFrame)]
    assert versions == list(range(len(versions)))


async def test_a_full_mailbox_does_not_keep_a_cancelled_connection(autojump_clock: MockClock) -> None:
    async with serving() as world:
        await let_in(world.client)
        for _ in range(5):
            await world.client.say(SELECT)
        await trio.testing.wait_all_tasks_blocked()
        start = autojump_clock.current_time()

        world.scope.cancel()
        assert (await world.client.closing())[0] == 1012
        await world.ended.wait()

        assert autojump_clock.current_time() - start <= 2 * LIMITS.close_seconds


# Tokens that end.


def admit_until(expires: int) -> Callable[[str], Awaitable[Admission]]:
    async def admit(token: str) -> Admission:
        await trio.lowlevel.checkpoint()
        return Admission(CODESPACE, "edit", create=False, expires=expires)

    return admit


async def test_a_connection_ends_when_its_token_does(autojump_clock: MockClock) -> None:
    expires = int(trio.current_time()) + 200
    limits = replace(LIMITS, silence_seconds=1000)
    async with serving(limits, admit=admit_until(expires)) as world:
        await joined(world)
        assert await world.client.closing() == (4410, "this link has expired; ask for a new one")
        assert trio.current_time() == expires
        await world.next(Leave)
    assert world.closes == ["4410"]


async def test_a_clock_that_was_set_is_met_within_a_minute(autojump_clock: MockClock) -> None:
    start = trio.current_time()
    limits = replace(LIMITS, silence_seconds=1000)
    async with serving(limits, admit=admit_until(int(start) + 10_000)) as world:
        await joined(world)
        await trio.sleep(1)
        world.set_seconds = 20_000
        await world.client.closing()
        assert trio.current_time() - start <= 61
        await world.next(Leave)


async def test_what_was_read_before_is_part_of_the_request(autojump_clock: MockClock) -> None:
    async with serving(received=b"GET /codespace/") as world:
        await world.client.stream.send_all(
            f"{TOKEN}/ HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: pyshare.v1\r\n\r\n".encode()
        )
        assert (await world.client.stream.receive_some()).startswith(b"HTTP/1.1 101 ")
        await world.next(Join)
        world.client.stream.socket.close()
        await world.next(Leave)
    assert world.closes == ["1006"]


async def test_a_connection_that_was_no_websocket_is_counted_as_http(autojump_clock: MockClock) -> None:
    async with serving() as world:
        await world.client.stream.send_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert "426" in await world.client.http()
    assert world.closes == ["http"]


@pytest.mark.parametrize(
    ("code", "label"),
    [(1000, "1000"), (1001, "1001"), (3000, "other"), (4123, "other"), (4999, "other"), (4410, "4410")],
)
async def test_a_code_that_a_client_makes_up_is_not_a_label_of_its_own(
    code: int, label: str, autojump_clock: MockClock
) -> None:
    async with serving() as world:
        await joined(world)
        await world.client.close(code)
        await world.client.closing_answer()
        await world.next(Leave)
    assert world.closes == [label]


# Rights.


async def test_a_codespace_that_is_made_is_counted_for_its_client_with_the_headers_of_its_request(
    autojump_clock: MockClock,
) -> None:
    async with serving() as world:
        request = f"GET /codespace/{TOKEN}/ HTTP/1.1\r\nHost: pad.example:80\r\nOrigin: https://evil.example\r\n"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        await world.client.send(f"{request}Upgrade: websocket\r\nConnection: Upgrade\r\n{key}".encode())
        await world.next(Join)
        assert world.counted == []

        assert world.count() is None

        [(admission, headers)] = world.counted
        assert admission.codespace == CODESPACE
        assert (headers["host"], headers["origin"]) == ("pad.example:80", "https://evil.example")
        await world.client.stream.aclose()
        await world.next(Leave)


async def test_the_key_of_a_temporary_codespace_is_not_logged(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    caplog.set_level(logging.DEBUG)
    key = "tmp-9b2d8c7e-1f3a-4c5d-8e6f-0a1b2c3d4e5f"

    async def admit(_: str) -> Admission:
        await trio.lowlevel.checkpoint()
        return Admission(key, "edit", create=True, by="id")

    async with serving(admit=admit) as world:
        await joined(world)
        assert world.asked == [(key, True)]
        await leaves(world)

    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert public_name(key) in logged
    assert key not in logged


async def test_the_first_connection_of_an_address_draws_from_the_bucket_of_the_address(
    autojump_clock: MockClock,
) -> None:
    address_work = AddressBuckets(1, burst=1)
    async with serving(address_work=address_work) as world:
        await joined(world)
        await world.client.say(PUSH.replace('"a"', f'"{"a" * 1000}"'))
        await world.next(Received)
        assert address_work.debt_seconds(Address("192.0.2.1", 2), trio.current_time()) > 0
        await leaves(world)
