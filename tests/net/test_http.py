"""What is answered over HTTP: by the application alone, and by the server on real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trio

from pyshare.net.http import HttpLimits, build_app, serve_http
from pyshare.net.listener import open_listeners

LIMITS = HttpLimits(ready_seconds=0.2, drain_seconds=0.5)


class Readiness:
    """What the server is told of its readiness."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.hangs = False
        self.failure: Exception | None = None

    async def why_not(self) -> str | None:
        await trio.lowlevel.checkpoint()
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
    transport = httpx.ASGITransport(build_app(readiness.why_not, limits=LIMITS), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://pyshare") as client:
        yield client


@asynccontextmanager
async def serving(readiness: Readiness) -> AsyncIterator[int]:
    """Serve on a free port, which is given, until the context is left."""
    async with trio.open_nursery() as nursery:
        listeners = await open_listeners("127.0.0.1", 0)
        port = int(listeners[0].socket.getsockname()[1])

        async def serve(task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128 - what it calls says it
            app = build_app(readiness.why_not, limits=LIMITS)
            await serve_http(listeners, app, limits=LIMITS, task_status=task_status)

        await nursery.start(serve)
        yield port
        nursery.cancel_scope.cancel()


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
    answer = await client.get("/codespace/x/")
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
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
        await silent.aclose()
        await half.aclose()


async def test_a_request_that_is_none_is_refused_and_others_are_served(readiness: Readiness) -> None:
    async with serving(readiness) as port, httpx.AsyncClient() as client:
        for nonsense in (b"\x16\x03\x01\x00\xff" * 20, b"GET /" + b"a" * 40_000, b"HELLO\r\n\r\n"):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(nonsense)
                answer = b""
                with trio.fail_after(10):
                    async for data in stream:
                        answer += data
                assert answer.startswith(b"HTTP/1.1 4"), answer
        assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
