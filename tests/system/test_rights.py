"""Rights: nothing that a client is shown, and nothing in a log, gives more than the client has.

A real server in this process, so that the names of its tasks can be seen, with raw clients beside it.
"""

import base64
import http.client
import json
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import pytest
import trio
from typing_extensions import override
from wsproto.events import AcceptConnection

from pyshare.client import CodespaceClosed, connect
from pyshare.core.arrival import format_session
from pyshare.core.names import public_name
from pyshare.net.tokens import Grant, Signer
from pyshare.server import Addresses, serve
from pyshare.settings import Settings
from tests.net.scripted import Client
from tests.system.server import PATIENCE_SECONDS, SECRET, running

JSON = {"Content-Type": "application/json"}


class Recorded:
    """A socket's stream that keeps all it has received."""

    def __init__(self, stream: trio.SocketStream, into: bytearray) -> None:
        self.send_all = stream.send_all
        self.aclose = stream.aclose
        self._stream = stream
        self._into = into

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive, and keep it."""
        data = await self._stream.receive_some(max_bytes)
        self._into += data
        return data


class TaskNames(trio.abc.Instrument):
    """The names of all tasks that were started."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    @override
    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        self.names.add(task.name)


@dataclass
class Here:
    """A server in this process."""

    port: int
    http_port: int
    #: All that the client with the lesser right was sent.
    shown: bytearray = field(default_factory=bytearray)
    #: Sockets of clients.
    sockets: list[trio.SocketStream] = field(default_factory=list)

    async def ask(
        self, method: str, path: str, body: object = None, *, record: bool = False, **headers: str
    ) -> tuple[int, bytes]:
        """Send a request over HTTP."""

        def request() -> tuple[int, bytes, bytes]:
            client = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=PATIENCE_SECONDS)
            client.request(method, path, None if body is None else json.dumps(body), {**JSON, **headers})
            answer = client.getresponse()
            found = answer.status, answer.read(), str(answer.headers).encode()
            client.close()
            return found

        status, content, head = await trio.to_thread.run_sync(request)
        if record:
            self.shown += head + content
        return status, content

    async def link(self, token: str, mode: str) -> str:
        """Make a link from a token."""
        status, content = await self.ask("POST", f"/codespaces/{token}/links", {"mode": mode, "expires_in": 60})
        assert status == 201, content
        return str(json.loads(content)["token"])

    async def join(self, token: str, query: str, *, record: bool = False, port: int | None = None) -> Client:
        """Open a codespace with a client whose every byte is seen."""
        plain = await trio.open_tcp_stream("127.0.0.1", port or self.port)
        self.sockets.append(plain)
        client = Client(cast(trio.SocketStream, Recorded(plain, self.shown)) if record else plain)
        answer = await client.open(query, path=f"/codespace/{token}/")
        assert isinstance(answer, AcceptConnection)
        return client


@asynccontextmanager
async def serving_here(**settings: object) -> AsyncIterator[Here]:
    """Run a server in this process until the context is left."""
    places: list[Addresses] = []
    ready = trio.Event()

    def on_ready(where: Addresses) -> None:
        places.append(where)
        ready.set()

    async with trio.open_nursery() as nursery:
        chosen = Settings(port=0, http_port=0, store="memory", secret=SECRET, **settings)  # type: ignore[arg-type]
        # It says by itself that it is ready, and that is waited for.
        nursery.start_soon(partial(serve, chosen, on_ready=on_ready), name="server")  # noqa: ASYNC113
        await ready.wait()
        [where] = places
        here = Here(urlsplit(where.client).port or 0, urlsplit(where.page or "").port or 0)
        yield here
        for each in here.sockets:
            await each.aclose()
        nursery.cancel_scope.cancel()


async def read_until(client: Client, kind: str) -> dict[str, object]:
    """Return the next frame of a kind."""
    while True:
        frame: dict[str, object] = json.loads(await client.message())
        if frame["type"] == kind:
            return frame


def readable(data: bytes) -> bytes:
    """Return data with what is base64 in it decoded too, as the parts of tokens are."""
    found = bytearray(data)
    for word in data.replace(b'"', b" ").replace(b".", b" ").replace(b"/", b" ").split():
        with suppress(ValueError):
            found += base64.urlsafe_b64decode(word + b"=" * (-len(word) % 4))
    return bytes(found)


async def test_nothing_that_a_client_for_looking_is_sent_lets_it_edit() -> None:
    key = f"tmp-{uuid.uuid4()}"
    owners, looks = uuid.uuid4().bytes, uuid.uuid4().bytes
    with trio.fail_after(PATIENCE_SECONDS):
        async with serving_here(presence_ms=1) as here:
            owner = await here.join(key, f"?session={format_session(owners)}&name=owner")
            welcome = await read_until(owner, "welcome")
            edit, look = await here.link(key, "edit"), await here.link(key, "view_only")
            editor = await here.join(edit, "?name=editor")
            looker = await here.join(look, f"?session={format_session(looks)}&name=looker", record=True)
            await read_until(looker, "welcome")
            await owner.say('{"type":"push","seq":1,"version":0,"updates":[[[0,"secret"]]]}')
            await read_until(looker, "updates")
            await owner.say('{"type":"select","version":1,"ranges":[[0,1]]}')
            await read_until(looker, "select")
            await looker.say('{"type":"push","seq":1,"version":1,"updates":[[6,[0,"x"]]]}')
            assert (await read_until(looker, "refused"))["code"] == "view_only"
            for method, path, body in (
                ("GET", f"/codespaces/{look}/text", None),
                ("POST", f"/codespaces/{look}/links", {}),
                ("POST", f"/codespaces/{look}/links", {"mode": "edit"}),
                ("POST", f"/codespaces/{look}/links", {"mode": 1}),
                ("GET", f"/codespaces/{look}/nothing", None),
                ("GET", f"/codespace/{look}/", None),
                ("GET", "/metrics", None),
                ("GET", "/readyz", None),
            ):
                await here.ask(method, path, body, record=True)
            await editor.close()
            await read_until(looker, "gone")
            again = await here.join(
                look, f"?session={format_session(looks)}&epoch={welcome['epoch']}&version=0", record=True
            )
            assert "updates" in await read_until(again, "welcome")
            await again.say("nonsense")
            await again.closing()
            shown = readable(bytes(here.shown))
    assert b"secret" in shown
    assert b"owner" in shown
    secrets = {
        "key": key.encode(),
        "key without its prefix": key[4:].encode(),
        "bytes of the key": uuid.UUID(key[4:]).bytes,
        "edit link": edit.rpartition(".")[2].encode(),
        "session": format_session(owners).encode(),
        "bytes of the session": owners,
    }
    assert [name for name, secret in secrets.items() if secret.lower() in shown.lower()] == []


async def test_no_key_and_no_token_is_in_a_log_line_or_in_the_name_of_a_task(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    key, missing = f"tmp-{uuid.uuid4()}", f"tmp-{uuid.uuid4()}"
    tasks = TaskNames()
    trio.lowlevel.add_instrument(tasks)
    try:
        with trio.fail_after(PATIENCE_SECONDS):
            async with serving_here(linger_seconds=0.0, presence_ms=1, codespaces_per_minute=1) as here:
                tokens = [key, await here.link(key, "edit"), await here.link(key, "view_only")]
                for token in (*tokens, missing, f"{tokens[1]}x", "made-up"):
                    for port in (here.port, here.http_port):
                        client = await here.join(token, "?name=somebody", port=port)
                        await client.say('{"type":"push","seq":1,"version":0,"updates":[[[0,"text"]]]}')
                        await client.close()
                        with suppress(AssertionError):
                            await client.closing_answer()
                        await client.stream.aclose()
                    await here.ask("GET", f"/codespaces/{token}/text")
                    await here.ask("POST", f"/codespaces/{token}/links", {"mode": "edit"})
                    await here.ask("POST", f"/codespaces/{token}/links", {"mode": 1})
                    await here.ask("GET", f"/codespace/{token}/")
                    await here.ask("GET", f"/{token}")
                monkeypatch.setattr("pyshare.actors.channel.Channel._on_push", None)
                failed = await here.join(key, "")
                await read_until(failed, "welcome")
                await failed.say('{"type":"push","seq":1,"version":0,"updates":[[[0,"text"]]]}')
                assert (await failed.closing())[0] == 1011
    finally:
        trio.lowlevel.remove_instrument(tasks)
    logged = "\n".join(f"{record.__dict__} {record.exc_text}" for record in caplog.records) + caplog.text
    names = "\n".join(tasks.names)
    # Each of these says something of the codespace, under its public name.
    for word in ("joined", "left", "channel started", "channel ended", "channel failed"):
        assert word in logged
    assert public_name(key) in logged
    assert public_name(key) in names
    for secret in (*tokens, key[4:], missing, missing[4:], "made-up"):
        assert secret not in logged
        assert secret not in names


async def test_a_link_for_looking_stays_one_at_every_server_with_the_same_secret() -> None:
    key = f"tmp-{uuid.uuid4()}"
    link = Signer(SECRET).sign(Grant(key, "view_only"))
    with trio.fail_after(PATIENCE_SECONDS):
        async with running() as server, connect(server.codespace(key)) as owner:
            owner.insert(0, "x")
            await owner.wait_confirmed()
            async with connect(server.codespace(link)) as looker:
                assert looker.mode == "view_only"
                assert looker.text == "x"


@pytest.mark.parametrize(("flags", "is_made"), [((), True), (("--page", "off"), False), (("--create", "links"), False)])
async def test_strangers_make_codespaces_only_where_they_may(flags: tuple[str, ...], is_made: bool) -> None:
    by_link = Signer(SECRET).sign(Grant("class-7", "edit", create=True))
    with trio.fail_after(2 * PATIENCE_SECONDS):
        async with running(*flags) as server:
            ports = server.host_and_port[1], await server.wait_http_port()
            for port in ports:
                address = f"ws://127.0.0.1:{port}/codespace"
                async with connect(f"{address}/{by_link}/") as codespace:
                    assert codespace.mode == "edit"
                refused = nullcontext() if is_made else pytest.raises(CodespaceClosed, match="no such codespace")
                with refused:
                    async with connect(f"{address}/tmp-{uuid.uuid4()}/"):
                        assert is_made


async def test_codespaces_that_are_made_by_joining_are_counted_and_joining_one_that_exists_is_not() -> None:
    with trio.fail_after(2 * PATIENCE_SECONDS):
        async with serving_here(codespaces_per_minute_per_address=2) as here:
            keys = [f"tmp-{uuid.uuid4()}" for _ in range(3)]
            for _ in range(3):
                for key in keys[:2]:
                    client = await here.join(key, "")
                    await read_until(client, "welcome")
                    await client.stream.aclose()
            client = await here.join(keys[2], "")
            assert await client.closing() == (
                1013,
                "more than 2 new codespaces in a minute from your address; try again later",
            )
            assert (await here.ask("POST", "/codespaces", {}))[0] == 429


async def test_a_page_of_another_origin_joins_a_codespace_and_makes_none() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with serving_here() as here:
            key = f"tmp-{uuid.uuid4()}"

            async def join(token: str) -> tuple[int, str]:
                stream = await trio.open_tcp_stream("127.0.0.1", here.port)
                client = Client(stream)
                await stream.send_all(
                    f"GET /codespace/{token}/ HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\n"
                    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: pyshare.v1\r\n"
                    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
                )
                data = b""
                while b"welcome" not in data and b"--allowed-origins" not in data:
                    data += await client.stream.receive_some()
                await stream.aclose()
                return (101, "") if b"welcome" in data else (4403, "")

            assert (await join(key))[0] == 4403
            own = await here.join(key, "")
            await read_until(own, "welcome")
            assert (await join(key))[0] == 101
            await own.stream.aclose()
