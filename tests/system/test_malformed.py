"""Malformed input of every kind to a real server: the right close code, and the other clients undisturbed."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection

from pyshare.client import Codespace, connect
from tests.net.scripted import Client, raw_frame
from tests.net.test_connection import MALFORMED
from tests.system.server import PATIENCE_SECONDS, RunningServer, running

FLAGS = ("--message-bytes", "20000", "--ping-seconds", "0.3", "--silence-seconds", "1", "--handshake-seconds", "0.5")


async def open_client(server: RunningServer, path: str, query: str = "") -> Client:
    """Return a client that was let into the WebSocket protocol."""
    client = Client(await trio.open_tcp_stream(*server.host_and_port))
    assert isinstance(await client.open(query, path=path), AcceptConnection)
    return client


async def type_on(typist: Codespace, reader: Codespace, stop: trio.Event) -> None:
    """Type, one confirmed letter after the other, and have it read, until told to stop."""
    count = 0
    while not stop.is_set():
        typist.insert(0, "x")
        count += 1
        await typist.wait_confirmed()
        await reader.wait_text("x" * count)


@asynccontextmanager
async def others_undisturbed(server: RunningServer, url: str) -> AsyncIterator[None]:
    """Have two clients type and read all the while; neither may lose its connection, or a letter."""
    stop = trio.Event()
    async with connect(url) as typist, connect(url) as reader, trio.open_nursery() as nursery:
        nursery.start_soon(type_on, typist, reader, stop)
        yield
        stop.set()
    reasons = [line for line in server.log if line["event"] == "joined" and line.get("resumed")]
    assert reasons == [], "one of them had to come back"


async def expect(client: Client, code: int, reason: str) -> None:
    """See the connection closed with that code, and a reason that says so."""
    found = await client.closing()
    assert found[0] == code
    assert re.search(reason, found[1]), found[1]


async def test_every_kind_of_malformed_input_gets_its_close_code_while_others_type() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running(*FLAGS) as server:
            url = server.codespace()
            path = url.removeprefix(server.address)
            async with others_undisturbed(server, url):
                for data, code, reason in MALFORMED.values():
                    client = await open_client(server, path)
                    await client.message()
                    await client.send(data)
                    await expect(client, code, reason)
                await check_half_a_frame(server, path)
                await check_slow_handshake(server)
                await check_endless_message(server, path)
                await check_queries(server, path)
                await check_addresses(server, path)
                await check_refused_pushes(server, path)


async def check_half_a_frame(server: RunningServer, path: str) -> None:
    client = await open_client(server, path)
    await client.message()
    await client.send(raw_frame(1, b'{"type"', length=100))
    assert b"silent" in await client.rest()


async def check_slow_handshake(server: RunningServer) -> None:
    client = Client(await trio.open_tcp_stream(*server.host_and_port))
    await client.send(b"GET / HTTP/1.1\r\n")
    answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 408 "), answer


async def check_endless_message(server: RunningServer, path: str) -> None:
    client = await open_client(server, path)
    await client.message()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.send, raw_frame(1, b" " * 4_000_000))
        while not isinstance(event := await client.event(), CloseConnection):
            pass
    assert event.code == 1009
    await client.stream.aclose()


async def check_queries(server: RunningServer, path: str) -> None:
    for query, field in {
        "?session=short": "session",
        "?version=-1": "version",
        "?version=one": "version",
        f"?epoch={'e' * 65}": "epoch",
        f"?name={'n' * 65}": "name",
    }.items():
        await expect(await open_client(server, path, query), 4400, f"^{field}: ")


async def check_addresses(server: RunningServer, path: str) -> None:
    await expect(await open_client(server, "/codespace/nobody-knows-it/"), 4401, "tmp-<uuid4>")
    client = Client(await trio.open_tcp_stream(*server.host_and_port))
    await client.open(path=path, subprotocols=("other",))
    await expect(client, 4400, "offer subprotocol pyshare.v1")
    client = Client(await trio.open_tcp_stream(*server.host_and_port))
    rejected = await client.open(path="/elsewhere/")
    assert isinstance(rejected, RejectConnection)
    assert rejected.status_code == 404
    await client.stream.aclose()


async def check_refused_pushes(server: RunningServer, path: str) -> None:
    client = await open_client(server, path)
    welcome = json.loads(await client.message())
    assert welcome["type"] == "welcome"
    newest = welcome["version"]
    pushes = [
        ("[999999]", newest, "invalid"),
        (r'[[0,"\ud83d"]]', newest, "invalid"),
        ("[1]", newest + 9999, "too_new"),
    ]
    for seq, (changes, version, code) in enumerate(pushes, 1):
        await client.say(f'{{"type":"push","seq":{seq},"version":{version},"updates":[{changes}]}}')
        while (frame := json.loads(await client.message()))["type"] != "refused":
            pass
        assert (frame["seq"], frame["code"]) == (seq, code)
    await client.stream.aclose()


async def test_one_client_too_many_is_told_so_and_one_connection_too_many_too() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running("--clients", "2", "--connections", "3") as server:
            path = server.codespace().removeprefix(server.address)
            first, second = await open_client(server, path), await open_client(server, path)
            await first.message()
            await second.message()
            third = await open_client(server, path)
            fourth = Client(await trio.open_tcp_stream(*server.host_and_port))
            rejected = await fourth.open(path=path)
            assert isinstance(rejected, RejectConnection)
            assert rejected.status_code == 503
            await expect(third, 4429, "2 clients")
            for client in (first, second, fourth):
                await client.stream.aclose()
