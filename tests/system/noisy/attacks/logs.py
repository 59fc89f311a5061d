"""Attacks by what was committed before: logs that are long or heavy, and clients that come back to them."""

import trio

from tests.system.noisy.target import Target, attack, crowd, frame, pushed, session, websocket


@attack
async def joins_of_stock_editors(target: Target) -> None:
    """A thousand edits of a long text, then joins of stock editors, each of which may hold any of the texts (C3)."""
    token = target.own()
    async with websocket(target, token) as ws:
        await ws.read_until("welcome")
        await ws.push(1, [[0, "x" * 300_000]])
        await ws.push(2, *([[0, "y"], 300_000 + index] for index in range(1000)))

    async def join() -> None:
        async with websocket(target, token, stock=True) as stock:
            await stock.read()

    await crowd(3, join)


@attack
async def coming_back_to_an_own_push(target: Target) -> None:
    """A client comes back again and again to a version before many pushes of others and one of its own (M2)."""
    token, query = target.own(), f"?session={session()}"
    async with websocket(target, token, query) as one, websocket(target, token, swallows=True) as other:
        welcome = await one.read_until("welcome")
        await other.send(
            b"".join(pushed(seq, seq - 1, [[0, "x"], *([seq - 1] if seq > 1 else [])]) for seq in range(1, 400))
        )
        await trio.sleep(0.5)
        await one.send(pushed(1, 0, [[0, "y"]]))
        await trio.sleep(0.2)

    async def come_back() -> None:
        async with websocket(target, token, f"{query}&epoch={welcome['epoch']}&version=0") as again:
            await again.read()

    await crowd(2, come_back)


@attack
async def coming_back_to_the_oldest_version(target: Target) -> None:
    """Many sessions come back to the oldest version in a loop, and read all that followed."""
    async with websocket(target, target.calm("view_only")) as ws:
        welcome = await ws.read_until("welcome")

    async def come_back() -> None:
        query = f"?session={session()}&epoch={welcome['epoch']}&version={max(0, ws.version - 4000)}"
        async with websocket(target, target.calm("view_only"), query) as again:
            await again.read()

    await crowd(8, come_back)


@attack
async def joins_among_selections(target: Target) -> None:
    """Fifty onlookers select once, an editor goes on, and others join in a loop: each is shown all (M3)."""
    token = target.own()

    async def look() -> None:
        async with websocket(target, token) as ws:
            await ws.read_until("welcome")
            ranges = [[0, index % max(1, ws.length)] for index in range(64)]
            await ws.send(frame({"type": "select", "version": ws.version, "ranges": ranges}))
            await ws.swallow()

    async def join() -> None:
        async with websocket(target, token) as ws:
            await ws.read()

    async def edit() -> None:
        async with websocket(target, token) as ws:
            await ws.read_until("welcome")
            for seq in range(1, 10_000):
                await ws.push(seq, [[0, "x"], *([ws.length + seq - 1] if ws.length + seq > 1 else [])])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd, 50, look)
        nursery.start_soon(crowd, 4, join)
        nursery.start_soon(crowd, 1, edit)


@attack
async def heavy_log(target: Target) -> None:
    """Pushes of half a mebibyte, each of which replaces the whole text (M4)."""
    async with websocket(target, target.own()) as ws:
        await ws.read_until("welcome")
        length = 0
        for seq in range(1, 10_000):
            await ws.push(seq, [[length, "xy"[seq % 2] * 500_000]])
            length = 500_000


@attack
async def pushes_on_the_oldest_version(target: Target) -> None:
    """Each push has a new session and stands on the oldest version, below pushes of thousands of places (M5)."""
    token, places = target.own(), 4000
    async with websocket(target, token) as ws:
        await ws.read_until("welcome")
        await ws.push(1, [[0, "x" * (2 * places)]])
        oldest = ws.version
        for seq in range(2, 42):
            await ws.push(seq, [1, [1, "y"]] * places)

    async def push_late() -> None:
        async with websocket(target, token, f"?session={session()}") as late:
            await late.send(pushed(1, oldest, [1, [1, "z"]] * places))
            await late.read_until("refused")

    await crowd(4, push_late)


@attack
async def ever_more_pieces(target: Target) -> None:
    """Many cut a text in ever more pieces, none of them waiting for the others."""
    token = target.own()

    async def cut() -> None:
        async with websocket(target, token, f"?session={session()}") as ws:
            await ws.read_until("welcome")
            if ws.length < 20_000:
                await ws.push(1, [[ws.length, "x" * 20_000]])
                return
            for seq in range(1, 1000):
                await ws.send(pushed(seq, ws.version, [1, [1, "-"]] * 10_000))
                await ws.read()

    await crowd(8, cut)


@attack
async def pending_pushes(target: Target) -> None:
    """Forty sessions each have a large push wait behind those of the others."""
    token = target.own()
    push = pushed(1, 0, [[0, "z" * 400_000]])

    async def wait() -> None:
        async with websocket(target, token, f"?session={session()}", swallows=True) as ws:
            await ws.send(push)
            await trio.sleep(1)

    await crowd(40, wait)
