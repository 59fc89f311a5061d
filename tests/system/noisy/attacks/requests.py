"""Attacks by HTTP, on both ports: heads, bodies, pipelines, HTTP/2, and what the endpoints answer."""

import json
import struct

import trio

from tests.system.noisy.target import Target, attack, crowd, pushed, upgrade, websocket


async def ask(target: Target, data: bytes, *, http: bool = True, times: int = 1) -> None:
    """Send a request and read all that comes."""
    stream = await target.tcp(http=http)
    async with stream:
        for _ in range(times):
            await stream.send_all(data)
        async for _ in stream:
            pass


def get(path: str, *more: str) -> bytes:
    """Return a request."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: here", *more, "", ""]).encode("latin-1")


def post(path: str, body: bytes, *more: str, length: int | None = None, method: str = "POST") -> bytes:
    """Return a request with a body, of which the head may say another length."""
    head = ["Host: here", "Content-Type: application/json", f"Content-Length: {length or len(body)}", *more]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *head, "", ""]).encode() + body


@attack
async def silent_connections(target: Target) -> None:
    """Three hundred connections to the HTTP port send one byte, and no more (REVIEW.md, M7)."""

    async def hold() -> None:
        stream = await target.tcp(http=True)
        async with stream:
            await stream.send_all(b"G")
            await stream.receive_some()

    await crowd(300, hold)


@attack
async def posts_without_bodies(target: Target) -> None:
    """Three hundred requests promise a body that does not come (M7, m4)."""
    await crowd(300, lambda: ask(target, post("/codespaces", b"", length=1000)))


@attack
async def slow_bodies(target: Target) -> None:
    """Bodies come byte by byte."""

    async def drip() -> None:
        stream = await target.tcp(http=True)
        async with stream:
            await stream.send_all(post("/codespaces", b'{"text":"', length=100_000))
            while True:
                await stream.send_all(b"x")
                await trio.sleep(0.05)

    await crowd(60, drip)


@attack
async def large_bodies(target: Target) -> None:
    """Forty bodies of a megabyte come at once, and again."""
    body = json.dumps({"text": "x" * 1_000_000}).encode()
    await crowd(40, lambda: ask(target, post("/codespaces", body)))


@attack
async def bodies_in_tiny_chunks(target: Target) -> None:
    """A chunked body has chunks of one byte."""
    head = "POST /codespaces HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"

    async def send() -> None:
        await ask(target, head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50_000)

    await crowd(6, send)


@attack
async def new_codespaces(target: Target) -> None:
    """Codespaces are asked for as fast as they are refused."""
    await crowd(8, lambda: ask(target, post("/codespaces", b"{}", "Connection: close")))


@attack
async def pipelines(target: Target) -> None:
    """A thousand requests come in one segment, and nobody reads the answers."""

    async def pipe() -> None:
        stream = await target.tcp(http=True, receive_bytes=2048)
        async with stream:
            while True:
                await stream.send_all(get("/") * 100)

    await crowd(6, pipe)


@attack
async def health_and_metrics(target: Target) -> None:
    """Health and metrics are asked for in a loop."""
    paths = ("/readyz", "/healthz", "/metrics", "/%6Detrics")
    await crowd(8, lambda: ask(target, b"".join(get(path) for path in paths) + get("/", "Connection: close")))


@attack
async def edits_by_http(target: Target) -> None:
    """A text grows and shrinks by requests: small ones, and long ones of many changes."""
    token = target.own()
    async with websocket(target, token) as ws:
        welcome = await ws.read_until("welcome")
        await ws.push(1, [[0, "x" * 200_000]])
    tag = f"{welcome['epoch']}-1"
    insert = [{"from": 100 * number, "to": 100 * number + 50, "insert": "y" * 800} for number in range(1000)]
    bodies = [{"append": "z"}, {"append": "z" * 100_000}, {"base": tag, "changes": insert}]

    async def edit() -> None:
        for body in bodies:
            request = post(f"/codespaces/{token}/text", json.dumps(body).encode(), "Connection: close", method="PATCH")
            await ask(target, request)

    await crowd(8, edit)


@attack
async def text_polling(target: Target) -> None:
    """The text behind a heavy log is asked for in a loop (M4)."""
    token = target.own()
    async with websocket(target, token) as ws:
        await ws.read_until("welcome")
        length = 0
        for seq in range(1, 12):
            await ws.push(seq, [[length, "xy"[seq % 2] * 400_000]])
            length = 400_000
    await crowd(4, lambda: ask(target, get(f"/codespaces/{token}/text", "Connection: close")))


@attack
async def http2_rapid_reset(target: Target) -> None:
    """HTTP/2 by prior knowledge: streams are opened and reset by the thousand (M6)."""
    head = b"\x82\x86\x84\x41\x04here"

    def framed(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return struct.pack("!I", len(payload))[1:] + bytes((kind, flags)) + struct.pack("!I", stream) + payload

    data = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + framed(4, 0, 0, b"")
    data += b"".join(framed(1, 5, stream, head) + framed(3, 0, stream, b"\0\0\0\x08") for stream in range(1, 4000, 2))
    await ask(target, data)


@attack
async def http2_by_upgrade(target: Target) -> None:
    """HTTP/2 is asked for by an upgrade, on both ports."""
    data = get("/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    await crowd(4, lambda: ask(target, data))
    await ask(target, data, http=False)


@attack
async def long_urls(target: Target) -> None:
    """Addresses of 16 KiB, names of 64 KiB, on both ports."""
    requests = [
        upgrade("x" * 16_000),
        upgrade(target.calm("view_only"), f"?name={'n' * 65_000}"),
        upgrade(target.calm("view_only"), "?" + "a=b&" * 4000),
        get("/" + "../" * 5000),
    ]

    async def send() -> None:
        for each in requests:
            for http in (True, False):
                await ask(target, each, http=http)

    await crowd(4, send)


@attack
async def heads_of_many_lines(target: Target) -> None:
    """Heads have thousands of lines, or never end."""
    lines = "".join(f"X-{index}: y\r\n" for index in range(3000))

    async def send() -> None:
        for http in (True, False):
            await ask(target, upgrade(target.calm("view_only"), more=lines), http=http)

    async def never_end() -> None:
        stream = await target.tcp()
        async with stream:
            await stream.send_all(b"GET / HTTP/1.1\r\n")
            while True:
                await stream.send_all(b"X: y\r\n")
                await trio.sleep(0.01)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd, 4, send)
        nursery.start_soon(crowd, 20, never_end)


@attack
async def websockets_by_the_http_port(target: Target) -> None:
    """WebSockets come by the HTTP port, with their first frames in the same segment."""
    data = upgrade(target.calm("view_only")) + pushed(1, 0, [[0, "x"]]) * 50
    await crowd(20, lambda: ask(target, data))


@attack
async def what_is_no_http(target: Target) -> None:
    """Bytes that are no HTTP: TLS, zeros, line breaks, and half a PROXY line."""
    junk = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
        b"\0" * 5000,
        b"\r\n" * 5000,
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\n\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff" + b"\0" * 100,
    ]

    async def send() -> None:
        for each in junk:
            for http in (True, False):
                with trio.move_on_after(0.2):
                    await ask(target, each, http=http)

    await crowd(8, send)
