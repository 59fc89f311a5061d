"""Attacks by the content of frames: small ones that are expensive, and large ones."""

from functools import partial

import trio

from tests.net.scripted import raw_frame
from tests.system.noisy.target import Target, attack, crowd, frame, once, pushed, session, stock_edit, websocket

_MIB = 1_048_576


async def repeat(target: Target, token: str, *data: bytes, stock: bool = False, seconds: float = 0) -> None:
    """Send the same again and again over one connection, reading what comes."""
    async with websocket(target, token, f"?session={session()}", stock=stock, swallows=True) as ws:
        while True:
            for each in data:
                await ws.send(each)
                await trio.sleep(seconds)


@attack
async def descending_changes(target: Target) -> None:
    """A viewer's stock edit has its changes in descending order: N^2 work in parsing (REVIEW.md, C1)."""
    small = stock_edit(2000, *((2 * (800 - index), 2 * (800 - index), "x") for index in range(800)))
    large = stock_edit(80_000, *((80_000 - 2 * index, 80_000 - 2 * index, "") for index in range(20_000)))
    await repeat(target, target.calm("view_only"), small, large, stock=True)


@attack
async def lengths_that_nothing_has(target: Target) -> None:
    """A viewer's stock edits are for texts of 300 million units, and of more than there is memory (C2)."""
    edits = [stock_edit(length, (0, 0, "x")) for length in (300_000_000, 10**15, 2**53 - 1)]
    await repeat(target, target.calm("view_only"), *edits, stock=True)


@attack
async def alternating_lengths(target: Target) -> None:
    """A stock editor says one length, then another, so that nothing explains either."""
    edits = [stock_edit(500_000 + index % 7, (index, index, "x")) for index in range(50)]
    await repeat(target, target.calm("view_only"), *edits, stock=True)


@attack
async def overlapping_changes(target: Target) -> None:
    """A stock edit replaces the same stretch thousands of times."""
    await repeat(target, target.calm("view_only"), stock_edit(9000, *[(0, 9000, "y")] * 20_000), stock=True)


@attack
async def half_pairs_by_a_viewer(target: Target) -> None:
    """A viewer's stock editor takes half of a surrogate pair out; what undoes that inserts half a pair (M9 b)."""
    async with websocket(target, target.calm()) as ws:
        await ws.read_until("welcome")
        await ws.push(1, [[0, "\U0001f600"], *([ws.length] if ws.length else [])])
    edits = [stock_edit(length, (0, 1, "")) for length in range(ws.length, ws.length + 40)]
    await repeat(target, target.calm("view_only"), *edits, stock=True)


@attack
async def surrogate_games(target: Target) -> None:
    """Pushes split pairs, insert halves of them, and join two halves from two pushes."""
    halves: list[list[object]] = [
        [[0, "\ud83d"]],
        [[0, "\ude00"]],
        [[0, "\ude00\ud83d"]],
        [[1]],
        [1, [1]],
        [[0, "\U0001f600"]],
    ]
    await repeat(target, target.own(), *(pushed(seq, 0, half) for seq, half in enumerate(halves, 1)))


@attack
async def empty_updates(target: Target) -> None:
    """A push is a mebibyte of updates that change nothing (M1, M6)."""
    count = _MIB // 3 - 100
    empty: list[object] = []
    await repeat(target, target.calm(), pushed(1, 0, *[empty] * count))


@attack
async def many_updates(target: Target) -> None:
    """Pushes of a hundred thousand updates that change nothing, each on the newest version (M1)."""
    async with websocket(target, target.calm()) as ws:
        await ws.read_until("welcome")
        for seq in range(1, 1000):
            nothing: list[object] = [ws.length] if ws.length else []
            await ws.push(seq, *[nothing] * 20_000)


@attack
async def kept_units(target: Target) -> None:
    """A change set keeps half a million single units, one after the other (M5)."""
    length = _MIB // 2 - 100
    async with websocket(target, target.own()) as ws:
        await ws.read_until("welcome")
        await ws.push(1, [[0, "x" * length]])
        ones: list[object] = [1] * (length - 1)
        for seq in range(2, 1000):
            await ws.push(seq, [*ones, [1, "y"]])


@attack
async def replacements_everywhere(target: Target) -> None:
    """Each push replaces every second unit of a long text, in hundred thousand places."""
    length = 100_000
    async with websocket(target, target.own()) as ws:
        await ws.read_until("welcome")
        await ws.push(1, [[0, "x" * length]])
        for seq in range(2, 1000):
            await ws.push(seq, [1, [1, "y"]] * (length // 2))


@attack
async def whole_text_out_and_in(target: Target) -> None:
    """The longest text is deleted and put back, as undo and redo do, as fast as it goes."""
    text = "x\n" * 200_000
    async with websocket(target, target.own()) as ws:
        await ws.read_until("welcome")
        for seq in range(1, 1000, 2):
            await ws.push(seq, [[0, *text.split("\n")]])
            await ws.push(seq + 1, [[len(text)]])


@attack
async def lines_without_end(target: Target) -> None:
    """An insertion is hundreds of thousands of empty lines, each a string of its own in JSON."""
    lines = [""] * (_MIB // 3 - 100)
    await repeat(target, target.own(), pushed(1, 0, [[0, *lines]]))


@attack
async def deep_json(target: Target) -> None:
    """JSON is nested half a million deep."""
    await repeat(target, target.calm("view_only"), raw_frame(1, b"[" * (_MIB // 2)))


@attack
async def huge_integers(target: Target) -> None:
    """Integers have a million digits."""
    body = b'{"type":"push","seq":1,"version":' + b"9" * 1_000_000 + b',"updates":[[]]}'
    await repeat(target, target.calm("view_only"), raw_frame(1, body))


@attack
async def duplicate_keys(target: Target) -> None:
    """An object names the same field a hundred thousand times."""
    body = b"{" + b'"version":1,' * 80_000 + b'"type":"select","version":1,"ranges":[]}'
    await repeat(target, target.calm("view_only"), raw_frame(1, body))


@attack
async def unknown_fields(target: Target) -> None:
    """An object has a hundred thousand fields that nobody knows: each may become an error."""
    body = b'{"type":"select","version":1,"ranges":[]' + b"".join(b',"f%d":1' % index for index in range(80_000)) + b"}"
    await repeat(target, target.calm("view_only"), raw_frame(1, body))


@attack
async def wrong_types(target: Target) -> None:
    """Lists have hundreds of thousands of parts of the wrong type, each of which may become an error."""
    nulls = b"[" + b"null," * 190_000 + b"null]}"
    push = b'{"type":"push","seq":1,"version":0,"updates":' + nulls
    select = b'{"type":"select","version":0,"ranges":' + nulls
    edit = b'{"operation":"insert_value","doc_length":0,"changes":' + nulls
    stock_select = b'{"operation":"create_selection","selections":' + nulls
    token = target.calm("view_only")
    for body, stock in ((push, False), (select, False), (edit, True), (stock_select, True)):
        with trio.move_on_after(1):
            await once(partial(repeat, target, token, raw_frame(1, body), stock=stock))


@attack
async def escapes(target: Target) -> None:
    """Text is made of escapes for lone surrogates, which are looked at twice."""
    body = b'{"type":"push","seq":1,"version":0,"updates":[[[0,"' + b"\\ud83d" * 170_000 + b'"]]]}'
    await repeat(target, target.own(), raw_frame(1, body))


@attack
async def stale_selections(target: Target) -> None:
    """Ten viewers select 64 ranges in the oldest version that is kept, again and again (M3)."""
    async with websocket(target, target.calm("view_only")) as ws:
        await ws.read_until("welcome")
        oldest = max(0, ws.version - 4000)
    select = frame({"type": "select", "version": oldest, "ranges": [[0, index] for index in range(64)]})
    await crowd(10, partial(repeat, target, target.calm("view_only"), *[select] * 50, seconds=0.001))


@attack
async def selections_beyond(target: Target) -> None:
    """A viewer selects what is not in the text, in versions that do not exist."""
    far = 2**53 - 1
    selects = [
        frame({"type": "select", "version": version, "ranges": [[far, 0]] * 64}) for version in (0, 1, far, 2**31)
    ]
    await repeat(target, target.calm("view_only"), *selects)


@attack
async def stock_selections(target: Target) -> None:
    """A viewer's stock editor selects everything, hundreds of times a second (STOCK.md, 4)."""
    everything = [{"anchor": 0, "head": 2**53 - 1}] * 1000
    data = frame({"operation": "create_selection", "selections": everything})
    await repeat(target, target.calm("view_only"), data, stock=True)


@attack
async def refused_pushes(target: Target) -> None:
    """A viewer pushes as fast as it goes and does not read the refusals."""
    data = b"".join(pushed(seq, 0, [[0, "x"]]) for seq in range(1, 500))
    async with websocket(target, target.calm("view_only"), receive_bytes=4096) as ws:
        while True:
            await ws.send(data)


@attack
async def pushes_in_flight(target: Target) -> None:
    """An editor pushes hundreds of times without waiting for an answer."""
    data = b"".join(pushed(seq, 0, [[0, "x"]]) for seq in range(1, 500))
    await repeat(target, target.own(), data)


@attack
async def pushes_of_the_future(target: Target) -> None:
    """Pushes and selections are for versions far ahead: each asks the store for its log."""
    await repeat(target, target.calm(), *(pushed(seq, 10**9, [[0, "x"]]) for seq in range(1, 100)))


@attack
async def the_same_number_with_another_content(target: Target) -> None:
    """A push repeats a number with other updates, on an older version, behind somebody else's (M9 a)."""
    query = f"?session={session()}"
    token = target.own()
    async with websocket(target, token, query) as one, websocket(target, token) as other:
        await one.read_until("welcome")
        await other.read_until("welcome")
        await one.push(1, [[0, "abc"]])
        await other.read_until("updates")
        await other.push(1, [3, [0, "d"]])
        for seq in (1, 2, 3):
            await one.send(pushed(seq, 0, [[0, "long enough"]], [[0, "x"], 11]))
        await one.read()
