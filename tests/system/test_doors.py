"""The doors of a real server: crowds, slow clients, and HAProxy that says who comes."""

from contextlib import AsyncExitStack

import httpx
import trio

from tests.haproxy import open_haproxy
from tests.system.server import PATIENCE_SECONDS, RunningServer, running

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: pyshare.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: pyshare.v1\r\n\r\n"
)


async def joined_from(source: str, port: int, server: RunningServer) -> tuple[trio.SocketStream, bytes]:
    """Join a new codespace from an address of this machine; return the connection and its first answer."""
    stream = await trio.open_tcp_stream("127.0.0.1", port, local_address=source)
    path = "/" + server.codespace().split("/", 3)[3]
    await stream.send_all(HANDSHAKE.format(path=path).encode())
    return stream, bytes(await stream.receive_some())


async def test_silent_connections_of_one_address_keep_nobody_else_out() -> None:
    flags = ("--connections-per-address", "5", "--handshake-seconds", "1", "--connections", "20")
    with trio.fail_after(PATIENCE_SECONDS):
        async with running(*flags) as server, AsyncExitStack() as stack:
            _, port = server.host_and_port
            silent = [await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port)) for _ in range(40)]
            for each in silent[5:]:
                assert (await each.receive_some()).startswith(b"HTTP/1.1 429 ")
            calm, answer = await joined_from("127.0.0.2", port, server)
            await stack.enter_async_context(calm)
            assert answer.startswith(b"HTTP/1.1 101 ")
            # The silent ones that were let in have the time of a handshake, and their address is free again.
            for each in silent[:5]:
                assert (await each.receive_some()).startswith(b"HTTP/1.1 408 ")
            again, answer = await joined_from("127.0.0.1", port, server)
            await stack.enter_async_context(again)
            assert answer.startswith(b"HTTP/1.1 101 ")
            await server.wait_logged("full for one address")


async def test_behind_haproxy_a_server_logs_and_limits_the_clients_own_address() -> None:
    with trio.fail_after(2 * PATIENCE_SECONDS):
        async with running("--connections-per-address", "2") as server, AsyncExitStack() as stack:
            ports = (server.host_and_port[1], await server.wait_http_port())
            proxy = await stack.enter_async_context(open_haproxy(ports))
            await wait_ready(proxy.port)
            answers = []
            for source in ("127.0.0.3", "127.0.0.3", "127.0.0.3", "127.0.0.4"):
                stream, answer = await joined_from(source, proxy.port, server)
                await stack.enter_async_context(stream)
                answers.append(answer.split()[1])
            await server.wait_logged("joined", times=3)
            hosts = [str(line["remote"]).partition(":")[0] for line in server.log if line["event"] == "joined"]
    assert answers == [b"101", b"101", b"429", b"101"]
    assert hosts == ["127.0.0.3", "127.0.0.3", "127.0.0.4"]


async def test_a_server_that_is_not_told_to_trust_haproxy_says_so_in_its_log() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running("--trusted-proxies", "none") as server:
            ports = (server.host_and_port[1], await server.wait_http_port())
            async with open_haproxy(ports) as proxy:
                await server.wait_logged("PROXY header from an address that is not in --trusted-proxies")
                await proxy.wait_logged("is DOWN")


async def test_posts_without_bodies_through_haproxy_leave_page_websockets_and_readiness_to_others() -> None:
    with trio.fail_after(2 * PATIENCE_SECONDS):
        async with running() as server, AsyncExitStack() as stack:
            ports = (server.host_and_port[1], await server.wait_http_port())
            proxy = await stack.enter_async_context(open_haproxy(ports, PROXY_MAXCONN="1000"))
            await wait_ready(proxy.port)
            for _ in range(300):
                slow = await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", proxy.port))
                await slow.send_all(b"POST /codespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{proxy.port}", trust_env=False) as client:
                for path in ("/", "/readyz"):
                    assert (await client.get(path)).status_code == 200
            stream, answer = await joined_from("127.0.0.1", proxy.port, server)
            await stack.enter_async_context(stream)
            assert answer.startswith(b"HTTP/1.1 101 ")


async def test_readiness_is_answered_while_silent_connections_hold_all_of_http() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running("--http-connections", "20") as server, AsyncExitStack() as stack:
            port = await server.wait_http_port()
            for _ in range(60):
                silent = await stack.enter_async_context(await trio.open_tcp_stream("127.0.0.1", port))
                await silent.send_all(b"G")
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                for path in ("/readyz", "/healthz"):
                    assert (await client.get(path)).status_code == 200
                assert (await client.get("/")).status_code == 503


async def wait_ready(port: int) -> None:
    """Wait until HAProxy passes requests on to a server."""
    async with httpx.AsyncClient(trust_env=False) as client:
        while (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code != 200:  # noqa: ASYNC110
            await trio.sleep(0.1)
