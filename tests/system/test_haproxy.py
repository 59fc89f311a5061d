"""haproxy.cfg: the real HAProxy in front of servers that answer as pyshare does, by WebSocket and by HTTP."""

import re
import subprocess
import uuid
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
import trio

from pyshare.net.tokens import Grant, Signer
from tests.haproxy import (
    CONFIG,
    OUT_SECONDS,
    OUT_SECONDS_UNDER_LOAD,
    PATIENCE_SECONDS,
    SYSTEM_PATH,
    FakeServer,
    Proxy,
    haproxy,
    proxied,
)

#: As long as the tokens of the API.
TOKENS = [f"{number:03}" + "Ab-_" * 30 for number in range(80)]


def check_config(config: Path, cwd: Path, **variables: str) -> str:
    """Return all that HAProxy says of a configuration."""
    done = subprocess.run(
        [haproxy(), "-c", "-f", config],
        cwd=cwd,
        env={"PATH": SYSTEM_PATH} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return done.stdout.strip()


def with_option(text: str, option: str) -> str:
    """Return haproxy.cfg with the lines taken in that are an option and begin so."""
    taken = re.sub(rf"^( *)## (?=\s*{option})", r"\1", text, flags=re.MULTILINE)
    assert taken != text, f"haproxy.cfg has no option {option}"
    return taken


def without_servers(text: str) -> str:
    """Return haproxy.cfg without the servers that it lists one by one."""
    text = re.sub(r"^\.if defined\(SERVER_\d_HOST\)\n(?: .*\n)+\.endif\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^ *server .*\n", "", text, flags=re.MULTILINE)


async def seconds_until_served_by(server: FakeServer, proxy: Proxy, token: str) -> float:
    """Return how long it takes until those who join are answered by this server, over and over trying anew."""
    begin = trio.current_time()
    with trio.fail_after(PATIENCE_SECONDS):
        while True:
            with trio.move_on_after(0.1):
                async with proxy.joined(token) as (answer, _):
                    if answer.status == 101 and answer.server == f"{server.name} websocket":
                        return trio.current_time() - begin
            await trio.sleep(0.02)


async def of_the_token(proxy: Proxy, servers: tuple[FakeServer, FakeServer]) -> tuple[FakeServer, FakeServer]:
    """Return the server where clients with the first token meet, and the other."""
    name = (await proxy.join(TOKENS[0])).server.split()[0]
    one, two = servers
    return (one, two) if one.name == name else (two, one)


def pair() -> tuple[FakeServer, FakeServer]:
    return FakeServer("one"), FakeServer("two")


def test_haproxy_has_nothing_to_say_of_its_configuration_from_any_folder(tmp_path: Path) -> None:
    assert check_config(CONFIG, tmp_path) == "Configuration file is valid"


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_haproxy_accepts_each_number_of_servers_that_variables_can_name(count: int, tmp_path: Path) -> None:
    hosts = {f"SERVER_{number}_HOST": f"192.0.2.{number}" for number in range(1, count + 1)}
    assert check_config(CONFIG, tmp_path, **hosts) == "Configuration file is valid"


@pytest.mark.parametrize("option", ["balance leastconn", "server-template", "statistics"])
def test_haproxy_accepts_each_option_when_its_signs_are_taken_away(option: str, tmp_path: Path) -> None:
    text = CONFIG.read_text(encoding="utf-8")
    if option == "server-template":
        text = without_servers(with_option(text, option))
    elif option == "statistics":
        text = with_option(text, r"(?:frontend statistics|bind 127|stats )")
    else:
        text = with_option(text, option)
    changed = tmp_path / "haproxy.cfg"
    changed.write_text(text, encoding="utf-8")
    # Names are asked for while it runs, which needs a name server that not every machine has.
    variables = {"PROXY_RESOLVE": "1"} if option == "server-template" else {}
    said = check_config(changed, tmp_path, **variables)
    assert "ALERT" not in said
    assert said.endswith("Configuration file is valid")


async def test_a_plain_request_goes_to_the_http_side_and_a_websocket_to_the_other() -> None:
    servers = pair()
    async with proxied(*servers) as proxy:
        for path in ("/", f"/codespace/{TOKENS[0]}/"):
            answer = await proxy.get(path)
            assert answer.status == 200
            assert answer.server in {"one http", "two http"}
        answer = await proxy.join(TOKENS[0])
        assert answer.status == 101
        assert answer.server in {"one websocket", "two websocket"}


async def test_a_websocket_passes_what_is_sent_both_ways() -> None:
    async with proxied(*pair()) as proxy:
        with trio.fail_after(PATIENCE_SECONDS):
            async with proxy.joined(TOKENS[0]) as (_, stream):
                for word in (b"one keystroke", b"and another"):
                    await stream.send_all(word)
                    heard = b""
                    while len(heard) < len(word):
                        heard += await stream.receive_some()
                    assert heard == word


async def test_servers_are_told_the_address_of_the_client_and_never_what_it_forged() -> None:
    servers = pair()
    forged = [f"{name}: 203.0.113.9" for name in ("X-Forwarded-For", "X-Real-IP", "X-Forwarded-Host", "Forwarded")]
    async with proxied(*servers) as proxy:
        await proxy.get("/", *forged, "X-Forwarded-Proto: https")
        with trio.fail_after(PATIENCE_SECONDS):
            async with proxy.joined(TOKENS[0], *forged, "X-Forwarded-Proto: https"):
                pass
        requests = [request for server in servers for request in server.requests]
    assert len(requests) == 2
    for request in requests:
        assert request.headers["x-forwarded-for"] == "127.0.0.1"
        assert request.headers["x-forwarded-proto"] == "http"
        assert "203.0.113.9" not in str(request.headers)


async def test_a_websocket_keeps_its_headers_on_the_way() -> None:
    servers = pair()
    async with proxied(*servers) as proxy:
        with trio.fail_after(PATIENCE_SECONDS):
            async with proxy.joined(TOKENS[0], "Sec-WebSocket-Protocol: pyshare.v1", "Origin: https://a.example"):
                pass
        (request,) = [request for server in servers for request in server.requests]
    assert request.path == f"/codespace/{TOKENS[0]}/"
    assert request.headers["upgrade"] == "websocket"
    assert request.headers["connection"].lower() == "upgrade"
    assert request.headers["sec-websocket-protocol"] == "pyshare.v1"
    assert request.headers["origin"] == "https://a.example"


async def test_no_protocol_but_websocket_is_upgraded_to() -> None:
    servers = pair()
    async with proxied(*servers) as proxy:
        with trio.fail_after(PATIENCE_SECONDS):
            async with proxy.asked("/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c") as (answer, _):
                assert answer.server.endswith(" http")
        (request,) = [request for server in servers for request in server.requests]
    assert "upgrade" not in request.headers


async def test_clients_with_one_token_meet_on_one_server() -> None:
    async with proxied(*pair()) as proxy:
        for token in TOKENS[:10]:
            first, *others = [(await proxy.join(token)).server for _ in range(5)]
            assert others == [first] * 4


@pytest.mark.parametrize("count", [2, 3, 4])
async def test_tokens_are_shared_out_to_all_servers(count: int) -> None:
    servers = [FakeServer(name) for name in ("one", "two", "three", "four")[:count]]
    async with proxied(*servers) as proxy:
        for token in TOKENS:
            await proxy.join(token)
    # Half of an even share is far below what so many tokens come to.
    for server in servers:
        assert len(server.requests) > len(TOKENS) / count / 2, [len(each.requests) for each in servers]


async def test_clients_with_different_links_to_one_codespace_meet_on_one_server() -> None:
    signer = Signer("s" * 32)
    servers = pair()
    async with proxied(*servers) as proxy:
        homes = set()
        for number in range(12):
            grants = [
                Grant(f"class-{number}", mode, expires) for mode in ("edit", "view_only") for expires in (None, 2**40)
            ]
            found = {(await proxy.join(signer.sign(each))).server for each in grants}
            assert len(found) == 1
            homes |= found
    assert len(homes) == 2


async def test_clients_with_the_key_of_a_temporary_codespace_and_with_links_to_it_meet_on_one_server() -> None:
    signer = Signer("s" * 32)
    async with proxied(*pair()) as proxy:
        homes = set()
        for _ in range(12):
            key = f"tmp-{uuid.uuid4()}"
            links = [
                signer.sign(Grant(key, mode, expires)) for mode in ("edit", "view_only") for expires in (None, 2**40)
            ]
            found = {(await proxy.join(token)).server for token in (key, key.upper(), *links)}
            assert len(found) == 1
            homes |= found
    assert len(homes) == 2


@pytest.mark.parametrize("token", ["a.b.c", "..", "eyJhbGciOiJIUzI1NiJ9.e30.x", f"{'a.' * 100}b"])
async def test_a_token_that_only_looks_like_a_links_goes_to_some_server(token: str) -> None:
    async with proxied(*pair()) as proxy:
        assert (await proxy.join(token)).status == 101


async def test_nobody_is_refused_when_a_server_is_killed() -> None:
    servers = pair()
    async with proxied(*servers) as proxy:
        killed, other = await of_the_token(proxy, servers)
        with trio.fail_after(PATIENCE_SECONDS):
            async with proxy.joined(TOKENS[0]) as (_, stream):
                killed.kill()
                assert await stream.receive_some() == b""
        begin = trio.current_time()
        # The first meet a server that is thought to be there, the last know that it is not.
        while (asked := trio.current_time()) < begin + OUT_SECONDS:
            joined, plain = await proxy.join(TOKENS[0]), await proxy.get("/")
            assert (joined.status, joined.server) == (101, f"{other.name} websocket")
            assert (plain.status, plain.server) == (200, f"{other.name} http")
            assert trio.current_time() - asked < OUT_SECONDS_UNDER_LOAD
            await trio.sleep(0.02)


async def test_a_server_that_hangs_is_out_in_time() -> None:
    servers = pair()
    async with proxied(*servers) as proxy:
        hanging, other = await of_the_token(proxy, servers)
        hanging.hangs = True
        assert await seconds_until_served_by(other, proxy, TOKENS[0]) < OUT_SECONDS_UNDER_LOAD
        assert (await proxy.get("/")).server == f"{other.name} http"


async def test_a_server_that_drains_keeps_its_connections_and_gets_no_new_ones() -> None:
    servers = pair()
    async with proxied(*servers) as proxy:
        draining, other = await of_the_token(proxy, servers)
        with trio.fail_after(PATIENCE_SECONDS):
            async with proxy.joined(TOKENS[0]) as (answer, stream):
                assert answer.server == f"{draining.name} websocket"
                draining.drain()
                # Refused there, and so answered by the other, from the first on.
                assert (await proxy.join(TOKENS[0])).server == f"{other.name} websocket"
                await proxy.wait_logged(f"Server websocket/{draining.name} is DOWN")
                await stream.send_all(b"still here")
                heard = b""
                while len(heard) < len(b"still here"):
                    data = await stream.receive_some()
                    assert data, "the connection was closed"
                    heard += data


async def test_a_server_that_is_ready_again_gets_its_clients_back_in_time() -> None:
    servers = pair()
    async with proxied(*servers) as proxy:
        away, other = await of_the_token(proxy, servers)
        away.ready = False
        assert await seconds_until_served_by(other, proxy, TOKENS[0]) < OUT_SECONDS_UNDER_LOAD
        away.ready = True
        assert await seconds_until_served_by(away, proxy, TOKENS[0]) < OUT_SECONDS_UNDER_LOAD


async def test_without_any_server_clients_are_told_to_try_again_and_haproxy_says_that_it_lives() -> None:
    servers = pair()
    async with proxied(*servers) as proxy:
        for server in servers:
            server.kill()
        assert (await proxy.join(TOKENS[0])).status == 503
        assert (await proxy.get("/")).status == 503
        assert (await proxy.get("/proxy/healthz")).status == 200


async def test_a_url_longer_than_any_of_ours_is_refused_and_a_long_token_is_not() -> None:
    servers = pair()
    async with proxied(*servers) as proxy:
        assert (await proxy.get(f"/?{'a' * 5000}")).status == 414
        assert not servers[0].requests
        assert not servers[1].requests
        assert (await proxy.join("a" * 3000)).status == 101


async def test_servers_are_told_who_the_client_is_before_it_says_anything() -> None:
    servers = pair()
    async with proxied(*servers) as proxy:
        await proxy.get("/")
        await proxy.join(TOKENS[0])
        sources = [source for server in servers for source in server.sources]
    # Checks name nobody.
    assert None in sources
    assert {source.host for source in sources if source is not None} == {"127.0.0.1"}
    assert len([source for source in sources if source is not None]) == 2


async def test_an_address_that_asks_too_often_is_told_to_wait() -> None:
    async with proxied(*pair(), PROXY_ADDRESS_REQUESTS="5") as proxy:
        answers = [await proxy.get("/") for _ in range(8)]
    assert [each.status for each in answers] == [200] * 5 + [429] * 3
    assert answers[-1].headers["retry-after"] == "10"


async def test_an_address_with_too_many_connections_is_told_so_and_with_twice_as_many_is_not_heard() -> None:
    async with proxied(*pair(), PROXY_ADDRESS_CONNECTIONS="3") as proxy, AsyncExitStack() as stack:
        with trio.fail_after(PATIENCE_SECONDS):
            for _ in range(3):
                await stack.enter_async_context(proxy.joined(TOKENS[0]))
            assert (await proxy.get("/")).status == 429
            silent = [await open_silent(proxy.port) for _ in range(12)]
            heard = [each for each in silent if each is not None]
            # Those of the WebSockets, and of the one that was told so, count too.
            assert 0 < len(heard) <= 4
            for each in heard:
                await each.aclose()


async def open_silent(port: int) -> trio.SocketStream | None:
    """Return a connection that says nothing, None if HAProxy resets it."""
    try:
        stream = await trio.open_tcp_stream("127.0.0.1", port)
    except OSError:
        return None
    with trio.move_on_after(0.2) as patience, suppress(trio.BrokenResourceError):
        await stream.receive_some()
    if patience.cancelled_caught:
        return stream
    await stream.aclose()
    return None


async def test_bodies_that_do_not_come_are_not_passed_on() -> None:
    servers = pair()
    async with proxied(*servers) as proxy, AsyncExitStack() as stack:
        for _ in range(20):
            slow = await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", proxy.port))
            await slow.send_all(b"POST /codespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        assert (await proxy.get("/")).status == 200
        assert [request.path for server in servers for request in server.requests] == ["/"]


async def test_a_token_is_not_in_the_log() -> None:
    async with proxied(*pair()) as proxy:
        await proxy.join(TOKENS[0])
        await proxy.get(f"/codespace/{TOKENS[0]}/")
        await proxy.wait_logged("GET /codespace", times=2)
    assert TOKENS[0] not in proxy.log
