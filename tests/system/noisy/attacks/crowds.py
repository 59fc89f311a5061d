"""Attacks by numbers: connections, sessions, tokens, codespaces and presence."""

import uuid

import trio

from tests.net.scripted import raw_frame
from tests.system.noisy.target import Target, attack, crowd, frame, session, upgrade, websocket


@attack
async def leaving_at_once(target: Target) -> None:
    """Two hundred clients join the calm ones and leave in the same moment (REVIEW.md, M18)."""
    leave = trio.Event()
    arrived = 0

    async def join() -> None:
        nonlocal arrived
        async with websocket(target, target.calm("view_only"), f"?session={session()}", swallows=True):
            arrived += 1
            if arrived >= 200:
                leave.set()
            await leave.wait()

    with trio.move_on_after(1.5):
        await crowd(200, join)


@attack
async def sessions_that_replace_each_other(target: Target) -> None:
    """Ten connections share one session and take one another's place in a loop."""
    query = f"?session={session()}"

    async def take() -> None:
        async with websocket(target, target.calm("view_only"), query) as ws:
            await ws.swallow()

    await crowd(10, take)


@attack
async def comings_and_goings(target: Target) -> None:
    """New sessions join and leave as fast as they can: each is news for all the others."""

    async def come() -> None:
        async with websocket(target, target.calm("view_only"), f"?session={session()}&name={'n' * 64}") as ws:
            await ws.read()

    await crowd(16, come)


@attack
async def a_storm_of_selections(target: Target) -> None:
    """Sixty viewers each move 64 selections, hundreds of times a second (m7)."""

    async def select() -> None:
        async with websocket(target, target.calm("view_only"), f"?session={session()}", swallows=True) as ws:
            step = 0
            while True:
                step += 1
                ranges = [[0, (step + index) % 5] for index in range(64)]
                await ws.send(frame({"type": "select", "version": 1, "ranges": ranges}))
                await trio.sleep(0.01)

    await crowd(60, select)


@attack
async def a_storm_of_languages(target: Target) -> None:
    """Sixty editors each choose another language for all, hundreds of times a second."""

    async def choose() -> None:
        async with websocket(target, target.calm("edit"), f"?session={session()}", swallows=True) as ws:
            step = 0
            while True:
                step += 1
                await ws.send(frame({"type": "language", "name": f"l{step}"}))
                await trio.sleep(0.01)

    await crowd(60, choose)


@attack
async def as_many_connections_as_there_are(target: Target) -> None:
    """A thousand connections are opened and held (M17)."""

    async def hold() -> None:
        stream = await target.tcp()
        async with stream:
            await stream.send_all(b"G")
            await trio.sleep_forever()

    await crowd(1000, hold)


@attack
async def many_codespaces(target: Target) -> None:
    """New temporary codespaces are made as fast as connections can be (M13)."""

    async def make() -> None:
        async with websocket(target, f"tmp-{uuid.uuid4()}") as ws:
            await ws.read()

    await crowd(16, make)


@attack
async def tokens_by_the_thousand(target: Target) -> None:
    """Made-up tokens of every kind, each on a connection of its own."""
    made_up = ["x" * 500, "a.b.c", target.calm()[:-3] + "abc", "tmp-nothing", "%00%ff", "..%2f..", "\xe9" * 30]

    async def guess() -> None:
        for token in made_up:
            async with websocket(target, token) as ws:
                await ws.swallow()

    await crowd(16, guess)


@attack
async def a_storm_of_handshakes(target: Target) -> None:
    """Connections are opened and shaken hands with, and left at once."""

    async def shake() -> None:
        stream = await target.tcp()
        async with stream:
            await stream.send_all(upgrade(target.calm("view_only")))

    await crowd(30, shake)


@attack
async def pushes_of_a_crowd(target: Target) -> None:
    """Eighty editors type as fast as they can in a codespace of their own."""
    token = target.own()

    async def edit() -> None:
        async with websocket(target, token, f"?session={session()}") as ws:
            await ws.read_until("welcome")
            for seq in range(1, 1000):
                body = {"type": "push", "seq": seq, "version": ws.version, "updates": [[[0, "x"], ws.length or 1]]}
                await ws.send(frame(body))
                await ws.read()

    await crowd(80, edit)


@attack
async def tabs_of_one_session(target: Target) -> None:
    """Forty tabs of one session come back at once, each with what the last has left."""
    query = f"?session={session()}&epoch=none&version=1"

    async def open_tab() -> None:
        async with websocket(target, target.calm(), query) as ws:
            await ws.send(raw_frame(1, b'{"type":"push","seq":1,"version":0,"updates":[[]]}'))
            await ws.swallow()

    await crowd(40, open_tab)
