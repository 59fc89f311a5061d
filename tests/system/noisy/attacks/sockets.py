"""Attacks by the frames of WebSocket and the bytes of TCP, whatever they say."""

import trio

from tests.net.scripted import raw_frame
from tests.system.noisy.attacks.frames import repeat
from tests.system.noisy.target import Target, attack, crowd, frame, pushed, session, stock_edit, upgrade, websocket

_TEXT, _BINARY, _CLOSE, _PING, _PONG = 1, 2, 8, 9, 10
_MIB = 1_048_576
_LARGE = "\U0001f600" * 25_000


@attack
async def pong_flood(target: Target) -> None:
    """Unasked pongs, thousands in one segment (REVIEW.md, M6)."""
    await repeat(target, target.calm("view_only"), raw_frame(_PONG, b"") * 10_000)


@attack
async def ping_flood(target: Target) -> None:
    """Pings of 125 bytes, each of which wants an answer; nobody reads the answers."""
    data = raw_frame(_PING, b"p" * 125) * 1000
    async with websocket(target, target.calm("view_only"), receive_bytes=4096) as ws:
        while True:
            await ws.send(data)


@attack
async def empty_fragments(target: Target) -> None:
    """A message in fragments without content, and without end (M6)."""
    async with websocket(target, target.calm("view_only"), swallows=True) as ws:
        await ws.send(raw_frame(_TEXT, b" ", last=False))
        while True:
            await ws.send(raw_frame(0, b"", last=False) * 10_000)


@attack
async def tiny_fragments(target: Target) -> None:
    """Messages in fragments of one byte."""
    async with websocket(target, target.calm("view_only"), swallows=True) as ws:
        while True:
            await ws.send(
                raw_frame(_TEXT, b" ", last=False) + raw_frame(0, b" ", last=False) * 5000 + raw_frame(0, b"{}")
            )


@attack
async def a_fragmented_message_without_end(target: Target) -> None:
    """Fragments of 60 kB that never come to an end."""
    async with websocket(target, target.calm("view_only"), swallows=True) as ws:
        await ws.send(raw_frame(_TEXT, b" ", last=False))
        while True:
            await ws.send(raw_frame(0, b" " * 60_000, last=False))


@attack
async def unfinished_messages(target: Target) -> None:
    """Sixty connections each send all but the end of the largest message, and hold it (M17)."""

    async def hold() -> None:
        async with websocket(target, target.calm("view_only")) as ws:
            payload = b'"' + _LARGE[:1].encode() + b"x" * (_MIB - 100)
            await ws.send(raw_frame(_TEXT, payload[:-1000], length=len(payload)))
            await ws.swallow()

    await crowd(60, hold)


@attack
async def one_byte_at_a_time(target: Target) -> None:
    """Forty connections send frames byte by byte."""

    async def drip() -> None:
        async with websocket(target, target.calm("view_only"), swallows=True) as ws:
            ws.stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
            while True:
                for byte in frame({"type": "select", "version": 0, "ranges": []}):
                    await ws.send(bytes((byte,)))
                    await trio.sleep(0.001)

    await crowd(40, drip)


@attack
async def close_frames_with_junk(target: Target) -> None:
    """Close frames with codes that do not exist, reasons that are no UTF-8, or one byte."""
    bodies = (b"\x03", b"\x00\x00", b"\x03\xed", b"\x03\xe8\xff\xfe", b"\xff\xff" + b"r" * 123, b"\x10\x00later")

    async def close() -> None:
        for body in bodies:
            async with websocket(target, target.calm("view_only")) as ws:
                await ws.read()
                await ws.send(raw_frame(_CLOSE, body))

    await crowd(4, close)


@attack
async def frames_that_break_the_rules(target: Target) -> None:
    """Unmasked frames, unknown opcodes, reserved bits, pings that are too long, binary ones, half a character."""
    junk = (
        b"\x81\x02{}",
        raw_frame(3, b"x"),
        b"\xf1\x80\0\0\0\0",
        raw_frame(_PING, b"x" * 126),
        raw_frame(_BINARY, b"x" * 60_000),
        raw_frame(_TEXT, b"\xf0\x9f\x98"),
        raw_frame(0, b"nothing to go on with"),
        raw_frame(_TEXT, b"", length=2**62),
    )

    async def break_rules() -> None:
        for each in junk:
            async with websocket(target, target.calm("view_only")) as ws:
                await ws.send(each)
                await ws.read_until("nothing")

    await crowd(4, break_rules)


@attack
async def half_closed(target: Target) -> None:
    """Connections end their own side at once, and read on."""

    async def half() -> None:
        async with websocket(target, target.calm("view_only")) as ws:
            await ws.stream.send_eof()
            await ws.swallow()

    await crowd(30, half)


@attack
async def resets(target: Target) -> None:
    """Connections are reset in the middle of what they are sent."""

    async def reset() -> None:
        async with websocket(target, target.calm("view_only"), f"?session={session()}", receive_bytes=2048) as ws:
            await ws.send(pushed(1, 0, [[0, "x"]]))
            ws.stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    await crowd(20, reset)


@attack
async def laggards(target: Target) -> None:
    """Thirty clients never read, while one replaces a text of 200 thousand units again and again (M15)."""
    token = target.own()

    async def lag() -> None:
        async with websocket(target, token, receive_bytes=2048):
            await trio.sleep_forever()

    async def edit() -> None:
        async with websocket(target, token) as ws:
            await ws.read_until("welcome")
            length = 0
            for seq in range(1, 10_000):
                await ws.push(seq, [[length, "xy"[seq % 2] * 200_000]])
                length = 200_000

    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd, 30, lag)
        nursery.start_soon(crowd, 1, edit)


@attack
async def welcomes_that_nobody_reads(target: Target) -> None:
    """Fifty clients join a long text, and never read their welcome (M15, M17)."""
    token = target.own()
    async with websocket(target, token) as ws:
        await ws.read_until("welcome")
        await ws.push(1, [[0, _LARGE * 8]])

    async def join() -> None:
        async with websocket(target, token, receive_bytes=2048):
            await trio.sleep_forever()

    await crowd(50, join)


@attack
async def a_join_and_then_nothing(target: Target) -> None:
    """A hundred connections join the calm ones and say nothing."""

    async def join() -> None:
        async with websocket(target, target.calm("view_only"), f"?session={session()}", receive_bytes=4096):
            await trio.sleep_forever()

    await crowd(100, join)


@attack
async def frames_before_the_welcome(target: Target) -> None:
    """The first frames come in one segment with the request."""

    async def hurry() -> None:
        stream = await target.tcp()
        async with stream:
            await stream.send_all(upgrade(target.calm("view_only"), stock=True) + stock_edit(0, (0, 0, "x")) * 100)
            async for _ in stream:
                pass

    await crowd(10, hurry)


@attack
async def compression_is_offered(target: Target) -> None:
    """Every form of compression is offered, and compressed frames are sent whatever was agreed to."""
    offers = ", ".join(["permessage-deflate; client_max_window_bits; server_no_context_takeover"] * 50)

    async def compress() -> None:
        stream = await target.tcp()
        async with stream:
            more = f"Sec-WebSocket-Extensions: {offers}\r\n"
            await stream.send_all(upgrade(target.calm("view_only"), more=more) + b"\xc1\xff" + b"\0" * 4000)
            async for _ in stream:
                pass

    await crowd(10, compress)
