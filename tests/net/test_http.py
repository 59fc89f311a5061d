"""What is answered over HTTP: by the application alone, and by the server on real sockets."""

import logging
import os
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
import pytest
import trio
import trio.testing
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from pyshare.net.addresses import Address, parse_networks
from pyshare.net.application import build_app
from pyshare.net.http import HttpLimits, serve_http
from pyshare.net.listener import ListenerLimits, open_listeners
from pyshare.net.requests import RequestLimits
from pyshare.net.reserve import Reserve, ReserveLimits

LIMITS = HttpLimits(drain_seconds=0.5)
READY_SECONDS = 0.2
#: Seconds for what takes milliseconds, on the slowest machine.
PATIENCE_SECONDS = 30.0
#: A request that is answered, and after which the connection is kept.
ASK = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"


class Readiness:
    """What the server is told of its readiness."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.hangs = False
        self.failure: Exception | None = None
        # Somebody has asked; and, where a test sets it, what the answer waits for.
        self.asked = trio.Event()
        self.known: trio.Event | None = None

    async def why_not(self) -> str | None:
        await trio.lowlevel.checkpoint()
        self.asked.set()
        if self.known is not None:
            await self.known.wait()
        if self.hangs:
            await trio.sleep_forever()
        if self.failure:
            raise self.failure
        return self.reason


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


@pytest.fixture
async def client(readiness: Readiness) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application, without sockets."""
    transport = httpx.ASGITransport(
        build_app(readiness.why_not, ready_seconds=READY_SECONDS), raise_app_exceptions=False
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://pyshare") as client:
        yield client


@asynccontextmanager
async def serving(
    readiness: Readiness,
    *,
    app: Starlette | None = None,
    limits: HttpLimits = LIMITS,
    answers: Counter[int] | None = None,
) -> AsyncIterator[int]:
    """Serve on a free port, which is given, until the context is left; then there is a second more than the limit."""
    served = app or build_app(readiness.why_not, ready_seconds=READY_SECONDS)
    async with trio.open_nursery() as nursery:
        listeners = await open_listeners("127.0.0.1", 0)
        port = int(listeners[0].socket.getsockname()[1])
        await nursery.start(partial(serve_http, listeners, served, limits=limits, answers=answers))
        yield port
        nursery.cancel_scope.cancel()
        ending = trio.current_time()
    assert trio.current_time() - ending < limits.drain_seconds + 1


async def told(stream: trio.SocketStream) -> bytes:
    """Return all that is said until the other side ends."""
    answer = b""
    with trio.fail_after(PATIENCE_SECONDS):
        async for data in stream:
            answer += data
    return answer


async def test_a_server_lives_whether_or_not_it_is_ready(client: httpx.AsyncClient, readiness: Readiness) -> None:
    for readiness.reason in (None, "draining"):
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert answer.headers["cache-control"] == "no-store"


async def test_a_server_is_ready_until_there_is_a_reason_why_not(
    client: httpx.AsyncClient, readiness: Readiness
) -> None:
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    readiness.reason = "the store does not answer"
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "unready", "reason": "the store does not answer"})
    assert answer.headers["retry-after"] == "1"


async def test_a_server_that_cannot_tell_in_time_is_not_ready(client: httpx.AsyncClient, readiness: Readiness) -> None:
    readiness.hangs = True
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reason"] == "it takes too long to find out"


async def test_a_failure_is_told_without_what_failed(client: httpx.AsyncClient, readiness: Readiness) -> None:
    readiness.failure = RuntimeError("secret")
    answer = await client.get("/readyz")
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal_server_error", "reason": "the server failed"}


async def test_whoever_asks_only_for_the_head_gets_no_body(client: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")


async def test_what_is_not_there_or_not_allowed_is_said_in_json(client: httpx.AsyncClient) -> None:
    answer = await client.get("/other/x/")
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    assert (await client.get("/healthz/")).status_code == 404
    answer = await client.post("/readyz")
    assert (answer.status_code, answer.json()["error"]) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_real_sockets_answer_and_say_nothing_of_the_server(readiness: Readiness) -> None:
    async with serving(readiness) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        answer = await client.get("/readyz")
        assert answer.json() == {"status": "ready"}
        assert "server" not in answer.headers


async def test_connections_that_are_kept_or_silent_do_not_stop_the_end(readiness: Readiness) -> None:
    with trio.fail_after(10):
        async with httpx.AsyncClient() as client, serving(readiness) as port:
            await client.get(f"http://127.0.0.1:{port}/healthz")
            silent = await trio.open_tcp_stream("127.0.0.1", port)
            half = await trio.open_tcp_stream("127.0.0.1", port)
            await half.send_all(b"GET /healthz HT")
            upgraded = await trio.open_tcp_stream("127.0.0.1", port)
            await upgraded.send_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            assert await upgraded.receive_some()
        for stream in (silent, half, upgraded):
            await stream.aclose()


async def test_a_client_that_does_not_read_its_answers_does_not_stop_the_end(readiness: Readiness) -> None:
    with trio.fail_after(20):
        async with serving(readiness) as port:
            stream = await _full_of_answers(port)
        await stream.aclose()


async def test_a_client_that_does_not_read_its_answers_is_gone_in_time(readiness: Readiness) -> None:
    with trio.fail_after(20):
        async with (
            serving(readiness, limits=HttpLimits(request=RequestLimits(seconds=1))) as port,
            await _full_of_answers(port) as stream,
        ):
            with pytest.raises(trio.BrokenResourceError):
                await stream.send_all(ASK * 1_000_000)


async def test_a_long_answer_that_is_read_slowly_but_steadily_is_sent_whatever_time_it_takes(
    readiness: Readiness,
) -> None:
    async def long(request: Request) -> PlainTextResponse:
        return PlainTextResponse("x" * 2_000_000)

    app = build_app(readiness.why_not)
    app.router.routes.append(Route("/long", long))
    limits = HttpLimits(request=RequestLimits(seconds=0.5))
    small = socket.socket()
    # So that little is on its way.
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    client = trio.socket.from_stdlib_socket(small)
    with trio.fail_after(20):
        async with serving(readiness, app=app, limits=limits) as port:
            await client.connect(("127.0.0.1", port))
            async with trio.SocketStream(client) as stream:
                await stream.send_all(b"GET /long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                began, count = trio.current_time(), 0
                while data := await stream.receive_some(32_768):
                    count += len(data)
                    await trio.sleep(0.02)
                assert trio.current_time() - began > 1
                assert count > 2_000_000


async def _full_of_answers(port: int) -> trio.SocketStream:
    """Return a client that asks, without reading, until the server reads no more of it."""
    small = socket.socket()
    # So that little is on its way.
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    client = trio.socket.from_stdlib_socket(small)
    await client.connect(("127.0.0.1", port))
    stream = trio.SocketStream(client)
    full = False
    while not full:
        with trio.move_on_after(0.5) as scope:
            await stream.send_all(ASK * 100)
        full = scope.cancelled_caught
    return stream


async def test_an_answer_under_way_is_finished_at_the_end_and_nobody_else_is_let_in(readiness: Readiness) -> None:
    readiness.known = trio.Event()
    limits = HttpLimits(drain_seconds=10)
    listeners = await open_listeners("127.0.0.1", 0)
    port = int(listeners[0].socket.getsockname()[1])
    async with trio.open_nursery() as server:
        await server.start(partial(serve_http, listeners, build_app(readiness.why_not), limits=limits))
        with trio.fail_after(5, shield=True):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(ASK.replace(b"healthz", b"readyz"))
                await readiness.asked.wait()
                server.cancel_scope.cancel()
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(OSError, match="connect"):
                    await trio.open_tcp_stream("127.0.0.1", port)
                readiness.known.set()
                assert b'"ready"' in await told(stream)


async def test_an_answer_that_takes_longer_than_the_end_is_given_up(readiness: Readiness) -> None:
    readiness.hangs = True
    limits = HttpLimits(request=RequestLimits(seconds=60), drain_seconds=0.2)
    app = build_app(readiness.why_not, ready_seconds=60)
    with trio.fail_after(10):
        async with serving(readiness, app=app, limits=limits) as port:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(ASK.replace(b"healthz", b"readyz"))
            await readiness.asked.wait()
        await stream.aclose()


async def test_cancelled_before_it_has_started_it_ends_and_closes_its_sockets(readiness: Readiness) -> None:
    listeners = await open_listeners("127.0.0.1", 0)
    with trio.fail_after(10), trio.CancelScope() as scope:
        scope.cancel()
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve_http, listeners, build_app(readiness.why_not), limits=LIMITS))
            pytest.fail("it has started")
    assert scope.cancelled_caught
    assert all(each.socket.fileno() == -1 for each in listeners)


async def test_nothing_stays_open_after_the_end(readiness: Readiness) -> None:
    # What trio and httpx open once and keep.
    async with serving(readiness) as port, httpx.AsyncClient() as client:
        await client.get(f"http://127.0.0.1:{port}/healthz")
    files = _open_files()
    async with serving(readiness) as port, httpx.AsyncClient() as client:
        await client.get(f"http://127.0.0.1:{port}/healthz")
    assert _open_files() == files


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0


async def test_a_body_in_many_parts_that_nobody_reads_does_not_stop_the_connection(readiness: Readiness) -> None:
    readiness.known = trio.Event()
    head = b"GET /readyz HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    app = build_app(readiness.why_not, ready_seconds=PATIENCE_SECONDS)
    async with (
        serving(readiness, app=app, limits=HttpLimits()) as port,
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
    ):
        await stream.send_all(head + b"1\r\na\r\n" * 5_000)
        await readiness.asked.wait()
        await trio.testing.wait_all_tasks_blocked(0.01)
        readiness.known.set()
        assert (await told(stream)).startswith(b"HTTP/1.1 200 ")


async def test_a_body_reaches_the_application_up_to_its_limit(readiness: Readiness) -> None:
    async def length(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    limits = HttpLimits(request=RequestLimits(body_bytes=10_000))
    app = build_app(readiness.why_not)
    app.router.routes.append(Route("/length", length, methods=["POST"]))
    async with serving(readiness, app=app, limits=limits) as port, httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{port}/length"
        assert (await client.post(url, content=b"a" * 9_000)).text == "9000"
        refused = await client.post(url, content=b"a" * 10_001)
        assert (refused.status_code, refused.json()["reason"]) == (413, "a body has at most 10000 bytes")
        assert (await client.post(url, content=b"a")).text == "1"


async def test_an_application_that_does_not_answer_is_given_up_and_that_is_logged(
    readiness: Readiness, caplog: pytest.LogCaptureFixture
) -> None:
    readiness.hangs = True
    limits = HttpLimits(request=RequestLimits(seconds=1))
    app = build_app(readiness.why_not, ready_seconds=60)
    async with serving(readiness, app=app, limits=limits) as port, httpx.AsyncClient() as client:
        with trio.fail_after(10):
            # Silent so long, the client may be taken to be gone first.
            try:
                assert (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 500
            except httpx.RemoteProtocolError as error:
                assert "disconnected" in str(error)  # noqa: PT017
    assert "TooSlowError" in caplog.text


async def test_a_failure_is_logged_and_the_connection_goes_on(
    readiness: Readiness, caplog: pytest.LogCaptureFixture
) -> None:
    readiness.failure = RuntimeError("a defect")
    async with serving(readiness) as port, httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/readyz")
        assert (answer.status_code, answer.json()["error"]) == (500, "internal_server_error")
        assert "a defect" not in answer.text
        assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
    assert "a defect" in caplog.text


async def test_clients_that_leave_before_their_answer_are_no_errors(
    readiness: Readiness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with serving(readiness) as port, httpx.AsyncClient() as client:
        for _ in range(20):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(ASK * 10)
                await stream.receive_some(1)
        assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
    assert not caplog.records


async def test_above_the_limit_a_client_is_refused_until_there_is_room(readiness: Readiness) -> None:
    async with serving(readiness, limits=HttpLimits(listener=ListenerLimits(connections=1))) as port:
        async with await trio.open_tcp_stream("127.0.0.1", port) as first:
            await first.send_all(ASK)
            assert (await first.receive_some()).startswith(b"HTTP/1.1 200 ")
            async with await trio.open_tcp_stream("127.0.0.1", port) as second:
                assert (await told(second)).startswith(b"HTTP/1.1 503 ")
            await first.send_all(b"nonsense\r\n\r\n")
            await told(first)
        with trio.fail_after(10):
            answer = b""
            while not answer.startswith(b"HTTP/1.1 200 "):
                async with await trio.open_tcp_stream("127.0.0.1", port) as third:
                    await third.send_all(ASK)
                    answer = bytes(await third.receive_some())


async def test_a_request_that_is_none_is_refused_and_others_are_served(readiness: Readiness) -> None:
    async with serving(readiness) as port, httpx.AsyncClient() as client:
        for nonsense in (b"\x16\x03\x01\x00\xff" * 20, b"GET /" + b"a" * 40_000, b"HELLO\r\n\r\n"):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(nonsense)
                answer = await told(stream)
                assert answer.startswith(b"HTTP/1.1 4"), answer
        assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200


# WebSockets on the HTTP port.


class Adopted:
    """Takes the sockets of clients that are handed on."""

    def __init__(self) -> None:
        self.clients: list[tuple[socket.socket, bytes]] = []
        self.came = trio.Event()

    def adopt(self, client: socket.socket, address: Address, received: bytes) -> None:
        assert address.host == "127.0.0.1"
        self.clients.append((client, received))
        self.came.set()


@asynccontextmanager
async def serving_both(readiness: Readiness, adopted: Adopted) -> AsyncIterator[int]:
    app = build_app(readiness.why_not)
    async with trio.open_nursery() as nursery:
        listeners = await open_listeners("127.0.0.1", 0)
        await nursery.start(partial(serve_http, listeners, app, adopt=adopted.adopt, limits=LIMITS))
        yield int(listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()
    for client, _ in adopted.clients:
        client.close()


@pytest.mark.parametrize("pieces", [[b"GET /codespace/x/ HTTP/1.1\r\n"], [b"GE", b"T /code", b"space/x/"]])
async def test_a_client_that_asks_for_a_codespace_is_handed_on_with_what_was_read(
    readiness: Readiness, pieces: list[bytes]
) -> None:
    adopted = Adopted()
    with trio.fail_after(10):
        async with serving_both(readiness, adopted) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
            for piece in pieces:
                await stream.send_all(piece)
                await trio.sleep(0.02)
            await adopted.came.wait()
            ((client, received),) = adopted.clients
            client.setblocking(False)
            rest = b"".join(pieces).removeprefix(received)
            assert received.startswith(b"GET /codespace/")
            assert rest == b"" or client.recv(100) == rest


@pytest.mark.parametrize(
    "request_", [ASK, b"GET /codespaces HTTP/1.1\r\nHost: x\r\n\r\n", b"HEAD /codespace/ HTTP/1.1\r\nHost: x\r\n\r\n"]
)
async def test_whoever_asks_for_anything_else_is_answered_here(readiness: Readiness, request_: bytes) -> None:
    adopted = Adopted()
    with trio.fail_after(10):
        async with serving_both(readiness, adopted) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
            # In pieces: what was looked at first is still the first that is read.
            await stream.send_all(request_[:3])
            await trio.sleep(0.02)
            await stream.send_all(request_[3:])
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 ")
    assert adopted.clients == []


async def test_a_client_that_says_nothing_does_not_hold_up_the_end(readiness: Readiness) -> None:
    with trio.fail_after(5):
        async with serving_both(readiness, Adopted()) as port:
            stream = await trio.open_tcp_stream("127.0.0.1", port)
            await stream.send_all(b"GET /co")
            await trio.testing.wait_all_tasks_blocked()
        await stream.aclose()


async def test_all_bodies_together_take_no_more_than_their_limit(readiness: Readiness) -> None:
    async def read(request: Request) -> PlainTextResponse:
        await request.body()
        return PlainTextResponse("read")

    app = build_app(readiness.why_not, [Route("/", read, methods=["POST"])])
    limits = HttpLimits(request=RequestLimits(body_bytes=1000, bodies_bytes=1500), drain_seconds=0.5)
    async with serving(readiness, app=app, limits=limits) as port, httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{port}/"
        async with await trio.open_tcp_stream("127.0.0.1", port) as slow:
            await slow.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 710\r\n\r\n" + b"x" * 700)
            with trio.fail_after(10):
                while (answer := await client.post(url, content=b"x" * 800)).status_code == 200:  # noqa: ASYNC110
                    await trio.sleep(0.01)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            await slow.send_all(b"x" * 10)
            assert b"200" in await slow.receive_some()
        # What was kept is let go, soon after the answer.
        with trio.fail_after(10):
            while (await client.post(url, content=b"x" * 800)).status_code == 503:  # noqa: ASYNC110
                await trio.sleep(0.01)
        assert (await client.post(url, content=b"x" * 1100)).status_code == 413


async def test_the_application_is_told_the_address_that_a_trusted_proxy_names(readiness: Readiness) -> None:
    async def who(request: Request) -> PlainTextResponse:
        assert request.client is not None
        return PlainTextResponse(f"{request.client.host} {request.client.port}")

    app = build_app(readiness.why_not)
    app.router.routes.append(Route("/who", who))
    limits = HttpLimits(listener=ListenerLimits(trusted_proxies=parse_networks("127.0.0.1")))
    ask = b"GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with serving(readiness, app=app, limits=limits) as port:
        for header, host in ((b"PROXY TCP6 2001:db8::9 ::1 4321 80\r\n", b"2001:db8::9 4321"), (b"", b"127.0.0.1 ")):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(header + ask)
                assert host in await told(stream)


async def test_a_connection_on_which_a_request_names_its_client_has_one_request(readiness: Readiness) -> None:
    async def who(request: Request) -> PlainTextResponse:
        assert request.client is not None
        return PlainTextResponse(f"it is {request.client.host}")

    app = build_app(readiness.why_not)
    app.router.routes.append(Route("/who", who))
    listener = ListenerLimits(trusted_proxies=parse_networks("127.0.0.1"), forwarded_for=True)
    async with serving(readiness, app=app, limits=HttpLimits(listener=listener)) as port:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"GET /who HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.4\r\n\r\n")
            # All until the server ends.
            answer = await told(stream)
        assert answer.endswith(b"it is 192.0.2.4")
        assert b"connection: close" in answer


async def test_answers_are_counted_by_status_those_for_want_of_room_with_them(readiness: Readiness) -> None:
    limits = HttpLimits(listener=ListenerLimits(connections=3, connections_per_address=2), drain_seconds=0.5)
    answers: Counter[int] = Counter()
    async with serving(readiness, limits=limits, answers=answers) as port, AsyncExitStack() as stack:
        for path in (b"/healthz", b"/other"):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                await told(stream)
        for number, source in enumerate(["127.0.0.1"] * 3 + ["127.0.0.2"] * 2):
            stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=source)
            await stack.enter_async_context(stream)
            await stream.send_all(b"GET /x" if number in {2, 4} else b"G")
            if number in {2, 4}:
                await told(stream)
    assert answers == {200: 1, 404: 1, 429: 1, 503: 1}


async def test_health_is_answered_while_a_crowd_holds_all_connections(readiness: Readiness) -> None:
    limits = HttpLimits(listener=ListenerLimits(connections=5), drain_seconds=0.5)
    async with serving(readiness, limits=limits) as port, httpx.AsyncClient() as client:
        crowd = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(100)]
        for each in crowd[:50]:
            await each.send_all(b"G")
        for path in ("healthz", "readyz", "healthz"):
            # Each on a connection of its own: one with a reserved place is for one request.
            answer = await client.get(f"http://127.0.0.1:{port}/{path}")
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        other = await client.get(f"http://127.0.0.1:{port}/other")
        assert other.status_code == 503
        for each in crowd:
            await each.aclose()


async def test_health_is_answered_to_an_address_that_has_all_the_connections_it_may_have(readiness: Readiness) -> None:
    trusted = parse_networks("127.0.0.1")
    for header in (b"", b"PROXY UNKNOWN\r\n"):
        listener = ListenerLimits(connections_per_address=2, trusted_proxies=trusted if header else ())
        limits = HttpLimits(listener=listener, drain_seconds=0.5)
        async with serving(readiness, limits=limits) as port:
            crowd = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(4)]
            for each in crowd:
                await each.send_all(header + b"G")
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(header + ASK)
                assert (await told(stream)).startswith(b"HTTP/1.1 200 ")
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(header + ASK.replace(b"healthz", b"other"))
                assert (await told(stream)).startswith(b"HTTP/1.1 429 ")
            for each in crowd:
                await each.aclose()


async def test_the_newest_take_the_reserved_places_and_none_keeps_one_for_long() -> None:
    async def serve(client: socket.socket, address: Address, received: bytes) -> None:
        await trio.sleep_forever()

    reserve = Reserve(serve, (b"GET /healthz ",), limits=ReserveLimits(places=2, seconds=0.3))
    ended: list[int] = []

    async def hold(number: int) -> None:
        with reserve.place():
            await trio.Event().wait()
        ended.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(hold, number)
            await trio.testing.wait_all_tasks_blocked()
        assert list(ended) == [0, 1, 2]
    assert sorted(ended) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("begun", [b"", b"x" * 5])
async def test_a_body_that_does_not_come_is_answered_with_a_sentence_and_is_not_an_error(
    begun: bytes, readiness: Readiness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    limits = HttpLimits(request=RequestLimits(seconds=0.3), drain_seconds=0.5)
    async with serving_bodies(readiness, limits) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n" + begun)
        answer = await told(stream)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"the body did not come in time" in answer
    assert b"connection: close" in answer.lower()
    assert not caplog.records


async def test_a_body_that_comes_slowly_but_steadily_is_taken_whatever_time_it_takes(readiness: Readiness) -> None:
    limits = HttpLimits(request=RequestLimits(seconds=0.5, body_bytes_per_second=1), drain_seconds=0.5)
    async with serving_bodies(readiness, limits) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await trio.sleep(0.1)
            await stream.send_all(b"x")
        assert (await told(stream)).endswith(b"10")


async def drip(stream: trio.SocketStream) -> None:
    """Send a byte now and then, as long as that is possible."""
    with suppress(trio.BrokenResourceError):
        while True:
            await stream.send_all(b"x")
            await trio.sleep(0.05)


async def test_a_body_of_single_bytes_does_not_hold_its_connection_for_long(readiness: Readiness) -> None:
    limits = HttpLimits(request=RequestLimits(seconds=0.3, body_bytes_per_second=100), drain_seconds=0.5)
    async with (
        serving_bodies(readiness, limits) as port,
        await trio.open_tcp_stream("127.0.0.1", port) as stream,
        trio.open_nursery() as nursery,
    ):
        await stream.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        nursery.start_soon(drip, stream)
        with trio.fail_after(10):
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 408 ")
        nursery.cancel_scope.cancel()


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_not_an_error(
    readiness: Readiness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with serving_bodies(readiness, LIMITS) as port, httpx.AsyncClient() as client:
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nxx")
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert (await client.post(f"http://127.0.0.1:{port}/", content=b"abc")).text == "3"
    assert [each for each in caplog.records if not each.name.startswith("httpx")] == []


async def test_the_bodies_of_one_address_leave_room_for_those_of_others(readiness: Readiness) -> None:
    listener = ListenerLimits(trusted_proxies=parse_networks("127.0.0.1"))
    request = RequestLimits(body_bytes=1000, bodies_bytes=8000)
    limits = HttpLimits(listener=listener, request=request, drain_seconds=0.5)
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    async with serving_bodies(readiness, limits) as port, AsyncExitStack() as stack:
        for _ in range(5):
            slow = await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port))
            await slow.send_all(head % 900 + b"x" * 800)
        await trio.testing.wait_all_tasks_blocked(0.05)
        for header, status in ((b"", b"503"), (b"PROXY TCP4 192.0.2.9 192.0.2.1 1 2\r\n", b"200")):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(header + head % 900 + b"x" * 900)
                assert (await told(stream)).startswith(b"HTTP/1.1 " + status)


async def test_http_2_is_refused_with_a_sentence(readiness: Readiness) -> None:
    async with serving(readiness) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        answer = await told(stream)
    assert answer.startswith(b"HTTP/1.1 505 ")
    assert b"use HTTP/1.1" in answer


async def test_an_upgrade_to_http_2_is_passed_over_and_so_is_its_preface_later(readiness: Readiness) -> None:
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    async with serving(readiness) as port, await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + upgrade)
        await stream.send_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        answer = await told(stream)
    # The request, one for a path that is not there, and what is not a request.
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"404", b"400"]


@pytest.mark.parametrize(
    ("method", "status", "words"),
    [("POST", 405, "use GET, HEAD"), ("PUT", 405, "use GET, HEAD"), ("GET", 426, "no header 'Upgrade: websocket'")],
)
async def test_a_codespace_asked_for_without_a_websocket_says_what_is_missing(
    method: str, status: int, words: str, client: httpx.AsyncClient
) -> None:
    answer = await client.request(method, "/codespace/x/")
    assert answer.status_code == status
    assert words in answer.json()["reason"]


@asynccontextmanager
async def serving_bodies(readiness: Readiness, limits: HttpLimits) -> AsyncIterator[int]:
    """Serve an application that answers a body with its length."""

    async def length(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    app = build_app(readiness.why_not, [Route("/", length, methods=["POST"])])
    async with serving(readiness, app=app, limits=limits) as port:
        yield port


async def test_an_address_that_asks_too_fast_waits_and_health_and_other_addresses_do_not(readiness: Readiness) -> None:
    listener = ListenerLimits(trusted_proxies=parse_networks("127.0.0.1"))
    limits = HttpLimits(listener=listener, request=RequestLimits(requests_per_second=0.1), drain_seconds=0.5)
    ask = b"GET /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    other = b"PROXY TCP4 192.0.2.9 192.0.2.1 1 2\r\n"
    async with serving(readiness, limits=limits) as port, AsyncExitStack() as stack:
        for sent, answered in (
            (ask, True),
            (ask, False),
            (other + ask, True),
            (ASK, True),
            (ASK.replace(b"healthz", b"readyz"), True),
        ):
            stream = await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port))
            await stream.send_all(sent)
            with trio.move_on_after(10 if answered else 0.3) as patience:
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 ")
            assert patience.cancelled_caught is not answered
