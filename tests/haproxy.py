"""HAProxy with haproxy.cfg, in front of servers written here that answer as pyshare does, or of any others."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from pyshare.net.addresses import Address
from pyshare.net.proxy_header import parse_proxy_header
from tests.programs import require

CONFIG = Path(__file__).parent.parent / "haproxy.cfg"
#: Where programs for administrators are, which not everyone's PATH names.
SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
#: Seconds for what takes milliseconds, on the slowest machine.
PATIENCE_SECONDS = 30.0
#: Seconds after which haproxy.cfg promises that a server which does not answer is asked no more.
OUT_SECONDS = 2.0
#: The same as tests measure it, who run on machines that do other things beside.
OUT_SECONDS_UNDER_LOAD = 3 * OUT_SECONDS


def haproxy() -> str:
    """Return HAProxy's path; without one that understands the file, the test is skipped."""
    path = shutil.which("haproxy", path=SYSTEM_PATH)
    hint = "install HAProxy 2.6 or later (on Debian and Ubuntu: apt-get install haproxy)"
    require("HAProxy", path is not None, hint)
    assert path is not None
    told = subprocess.run([path, "-v"], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True).stdout
    version = re.search(r"version (\d+)\.(\d+)", told)
    assert version is not None, told
    require("HAProxy 2.6", (int(version[1]), int(version[2])) >= (2, 6), hint)
    return path


@dataclass(frozen=True)
class Head:
    """The first lines of a request or of an answer."""

    line: str
    #: Values by name in small letters; those of one name are joined with a comma.
    headers: dict[str, str]

    @property
    def path(self) -> str:
        """What a request asks for."""
        return self.line.split()[1]

    @property
    def status(self) -> int:
        """What an answer says."""
        return int(self.line.split()[1])

    @property
    def server(self) -> str:
        """Who answers, and on which side."""
        return self.headers["x-server"]


#: How a side of a server answers one request.
Answer = Callable[[trio.SocketStream, Head], Awaitable[None]]


async def read_head(stream: trio.SocketStream, data: bytes = b"") -> Head | None:
    """Read to the empty line, from behind what was read before; nothing if the peer leaves before."""
    while not data.endswith(b"\r\n\r\n"):
        more = await stream.receive_some(1)
        if not more:
            return None
        data += more
    line, *rest = data.decode("latin-1").rstrip().split("\r\n")
    headers: dict[str, str] = {}
    for each in rest:
        name, _, value = each.partition(":")
        name = name.lower()
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    return Head(line, headers)


async def read_source(stream: trio.SocketStream) -> tuple[list[Address | None], bytes]:
    """Read the header with which HAProxy begins; return whom it names, if there is one, and what was read beyond it."""
    data = b""
    while (header := parse_proxy_header(data)) is None:
        more = await stream.receive_some(1)
        if not more:
            return [], b""
        data += more
    return [header.source] if header.size else [], data[header.size :]


class FakeServer:
    """A server as HAProxy meets it: its ports, its health, and an echo in place of codespaces."""

    def __init__(self, name: str) -> None:
        self.name = name
        # Answers that it is ready.
        self.ready = True
        # Accepts connections and answers nothing, as a stopped process does.
        self.hangs = False
        # The clients that HAProxy has named; None for its own checks.
        self.sources: list[Address | None] = []
        # What has been asked, without health checks.
        self.requests: list[Head] = []
        self.websocket_port = 0
        self.http_port = 0
        self._life = trio.CancelScope()
        self._accepting = trio.CancelScope()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Serve until killed."""
        with self._life:
            websocket = await trio.open_tcp_listeners(0, host="127.0.0.1")
            http = await trio.open_tcp_listeners(0, host="127.0.0.1")
            self.websocket_port = websocket[0].socket.getsockname()[1]
            self.http_port = http[0].socket.getsockname()[1]
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._accept, websocket, nursery, name=f"{self.name}: WebSocket")
                nursery.start_soon(
                    trio.serve_listeners, partial(self._serve, self._answer_http), http, name=f"{self.name}: HTTP"
                )
                task_status.started()

    def kill(self) -> None:
        """Close all it has open at once, as the kernel does for a process that is killed."""
        self._life.cancel()

    def drain(self) -> None:
        """Be ready no more and accept no WebSocket, but keep those there are."""
        self.ready = False
        self._accepting.cancel()

    async def _accept(self, listeners: list[trio.SocketListener], connections: trio.Nursery) -> None:
        with self._accepting:
            await trio.serve_listeners(
                partial(self._serve, self._answer_websocket), listeners, handler_nursery=connections
            )

    async def _serve(self, answer: Answer, stream: trio.SocketStream) -> None:
        try:
            sources, received = await read_source(stream)
            self.sources += sources
            request = await read_head(stream, received)
            if self.hangs:
                await trio.sleep_forever()
            if request is not None:
                await answer(stream, request)
        except trio.BrokenResourceError:
            pass

    async def _answer_http(self, stream: trio.SocketStream, request: Head) -> None:
        healthy = True
        if request.path in {"/healthz", "/readyz"}:
            healthy = self.ready or request.path == "/healthz"
        else:
            self.requests.append(request)
        status = "200 OK" if healthy else "503 Service Unavailable"
        headers = f"X-Server: {self.name} http\r\nContent-Length: 0\r\nConnection: close\r\n"
        await stream.send_all(f"HTTP/1.1 {status}\r\n{headers}\r\n".encode())

    async def _answer_websocket(self, stream: trio.SocketStream, request: Head) -> None:
        self.requests.append(request)
        await stream.send_all(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Server: {self.name} websocket\r\n\r\n".encode()
        )
        async for data in stream:
            await stream.send_all(data)


class Proxy:
    """A running HAProxy, as its clients meet it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._log = bytearray()
        # Set, and made anew, when the log has grown.
        self._grown = trio.Event()

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.decode()

    @asynccontextmanager
    async def asked(self, path: str, *headers: str) -> AsyncIterator[tuple[Head, trio.SocketStream]]:
        """Ask for a path; the answer, and the connection after it."""
        async with await trio.open_tcp_stream("127.0.0.1", self.port) as stream:
            lines = [f"GET {path} HTTP/1.1", "Host: pyshare.example", *headers]
            await stream.send_all("".join(f"{line}\r\n" for line in [*lines, ""]).encode())
            answer = await read_head(stream)
            assert answer is not None, f"no answer to {path}: {self.log}"
            yield answer, stream

    async def get(self, path: str, *headers: str) -> Head:
        """Ask for a path, without upgrading."""
        with trio.fail_after(PATIENCE_SECONDS):
            async with self.asked(path, "Connection: close", *headers) as (answer, _):
                return answer

    @asynccontextmanager
    async def joined(self, token: str, *headers: str) -> AsyncIterator[tuple[Head, trio.SocketStream]]:
        """Open a WebSocket to a codespace; the answer, and the connection after it."""
        handshake = (
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        async with self.asked(f"/codespace/{token}/", *handshake, *headers) as (answer, stream):
            yield answer, stream

    async def join(self, token: str) -> Head:
        """Open a WebSocket to a codespace and leave."""
        with trio.fail_after(PATIENCE_SECONDS):
            async with self.joined(token) as (answer, _):
                return answer

    async def read_log(self, process: trio.Process) -> None:
        """Keep what it logs, until it ends."""
        assert process.stdout is not None
        async for data in process.stdout:
            self._log += data
            self._grown.set()
            self._grown = trio.Event()

    async def wait_logged(self, text: str, *, times: int = 1) -> None:
        """Wait until the log has a text so often."""
        with trio.fail_after(PATIENCE_SECONDS):
            while self.log.count(text) < times:
                await self._grown.wait()


@asynccontextmanager
async def proxied(*servers: FakeServer, **variables: str) -> AsyncIterator[Proxy]:
    """Run these servers, and HAProxy in front of them, told by variables what is not the default."""
    async with trio.open_nursery() as nursery:
        for server in servers:
            await nursery.start(server.run, name=server.name)
        ports = [(server.websocket_port, server.http_port) for server in servers]
        async with open_haproxy(*ports, **variables) as proxy:
            yield proxy
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_haproxy(*servers: tuple[int, int], **more: str) -> AsyncIterator[Proxy]:
    """Run HAProxy with the configuration as it is, in front of servers by their ports for WebSocket and HTTP."""
    program = haproxy()
    variables = {"PATH": SYSTEM_PATH, "PROXY_MAXCONN": "200", **more}
    async with trio.open_nursery() as nursery:
        for number, (port, http_port) in enumerate(servers, 1):
            variables[f"SERVER_{number}_HOST"] = "127.0.0.1"
            variables[f"SERVER_{number}_PORT"] = str(port)
            variables[f"SERVER_{number}_HTTP_PORT"] = str(http_port)
        # HAProxy is given the socket itself: the port is taken at all times, and clients may come at once.
        with socket.create_server(("127.0.0.1", 0)) as entry:
            entry_port: int = entry.getsockname()[1]
            process = await trio.lowlevel.open_process(
                [program, "-db", "-f", str(CONFIG)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=variables | {"PROXY_BIND": f"fd@{entry.fileno()}"},
                pass_fds=[entry.fileno()],
            )
        proxy = Proxy(entry_port)
        nursery.start_soon(proxy.read_log, process, name="log of HAProxy")
        try:
            yield proxy
        finally:
            nursery.cancel_scope.cancel()
            with trio.move_on_after(PATIENCE_SECONDS, shield=True):
                process.kill()
                await process.wait()
                if process.stdout is not None:
                    await process.stdout.aclose()
