"""Tests of what pyshare is deployed with: haproxy.cfg and the compose file, image and unit in `ops`.

HAProxy runs as it would for users, in front of servers written here that answer as pyshare does: WebSocket on one
port, HTTP on another. No container engine is needed; the files of one are compared with what they speak of.
"""

import fnmatch
import importlib
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import trio

from pyshare.settings import SETTINGS, Settings
from tests.programs import require

ROOT = Path(__file__).parent.parent
CONFIG = ROOT / "haproxy.cfg"
COMPOSE = ROOT / "ops" / "compose.yaml"
DOCKERFILE = ROOT / "ops" / "Dockerfile"
UNIT = ROOT / "ops" / "pyshare.service"
DEPLOYED = [CONFIG, COMPOSE, DOCKERFILE, UNIT]

#: Where programs for administrators are, which not everyone's PATH names.
SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
#: Seconds for what takes milliseconds, on the slowest machine.
PATIENCE_SECONDS = 30.0
#: Seconds after which haproxy.cfg promises that a server which does not answer is asked no more.
OUT_SECONDS = 2.0
#: As long as the tokens of the API.
TOKENS = [f"{number:03}" + "Ab-_" * 30 for number in range(80)]


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


async def read_head(stream: trio.SocketStream) -> Head | None:
    """Read to the empty line; nothing if the peer leaves before."""
    data = b""
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


class FakeServer:
    """A server as HAProxy meets it: its ports, its health, and an echo in place of codespaces."""

    def __init__(self, name: str) -> None:
        self.name = name
        # Answers that it is ready.
        self.ready = True
        # Accepts connections and answers nothing, as a stopped process does.
        self.hangs = False
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
            request = await read_head(stream)
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
        self._port = port
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
        async with await trio.open_tcp_stream("127.0.0.1", self._port) as stream:
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
async def proxied(*servers: FakeServer) -> AsyncIterator[Proxy]:
    """Run these servers, and HAProxy in front of them with the configuration as it is."""
    program = haproxy()
    variables = {"PATH": SYSTEM_PATH, "PROXY_MAXCONN": "200"}
    async with trio.open_nursery() as nursery:
        for number, server in enumerate(servers, 1):
            await nursery.start(server.run, name=server.name)
            variables[f"SERVER_{number}_HOST"] = "127.0.0.1"
            variables[f"SERVER_{number}_PORT"] = str(server.websocket_port)
            variables[f"SERVER_{number}_HTTP_PORT"] = str(server.http_port)
        # HAProxy is given the socket itself: the port is taken at all times, and clients may come at once.
        with socket.create_server(("127.0.0.1", 0)) as entry:
            port: int = entry.getsockname()[1]
            process = await trio.lowlevel.open_process(
                [program, "-db", "-f", str(CONFIG)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=variables | {"PROXY_BIND": f"fd@{entry.fileno()}"},
                pass_fds=[entry.fileno()],
            )
        proxy = Proxy(port)
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


@pytest.mark.parametrize(
    "option", ["balance leastconn", "http-request deny status 404", "server-template", "statistics"]
)
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
            assert trio.current_time() - asked < OUT_SECONDS
            await trio.sleep(0.02)


async def test_a_server_that_hangs_is_out_in_time() -> None:
    servers = pair()
    async with proxied(*servers) as proxy:
        hanging, other = await of_the_token(proxy, servers)
        hanging.hangs = True
        assert await seconds_until_served_by(other, proxy, TOKENS[0]) < OUT_SECONDS
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
        assert await seconds_until_served_by(other, proxy, TOKENS[0]) < OUT_SECONDS
        away.ready = True
        assert await seconds_until_served_by(away, proxy, TOKENS[0]) < OUT_SECONDS


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


async def test_a_token_is_not_in_the_log() -> None:
    async with proxied(*pair()) as proxy:
        await proxy.join(TOKENS[0])
        await proxy.get(f"/codespace/{TOKENS[0]}/")
        await proxy.wait_logged("GET /codespace", times=2)
    assert TOKENS[0] not in proxy.log


def parsed_yaml(text: str) -> object:
    """Parse YAML with the parser that came with the tools, whichever it is."""
    names = [name for name in ("yaml", "yaml_ft") if importlib.util.find_spec(name) is not None]
    require("PyYAML", bool(names), "pip install pyyaml")
    value: object = importlib.import_module(names[0]).safe_load(text)
    return value


def mapping(value: object) -> dict[str, object]:
    assert isinstance(value, dict), value
    return {str(key): each for key, each in value.items()}


def words(value: object) -> list[str]:
    assert isinstance(value, list), value
    return [str(each) for each in value]


def seconds(text: object) -> float:
    """Read a time as compose files and HAProxy write it."""
    found = re.fullmatch(r"(\d+)(ms|s|m|h)", str(text))
    assert found is not None, text
    return int(found[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[found[2]]


def services() -> dict[str, dict[str, object]]:
    """Return the services of the compose file by name."""
    found = mapping(mapping(parsed_yaml(COMPOSE.read_text(encoding="utf-8")))["services"])
    return {name: mapping(service) for name, service in found.items()}


def servers_of_compose() -> dict[str, dict[str, object]]:
    return {name: service for name, service in services().items() if service["image"] == "pyshare"}


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, lines that go on put together."""
    lines = [line for line in DOCKERFILE.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = []
    for line in filter(None, joined.splitlines()):
        name, _, rest = line.partition(" ")
        found.append((name, rest.strip()))
    return found


def stages() -> list[list[tuple[str, str]]]:
    """Return the Dockerfile's instructions by stage."""
    found: list[list[tuple[str, str]]] = []
    for instruction in instructions():
        if instruction[0] == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def only(stage: list[tuple[str, str]], name: str) -> str:
    """Return what the one instruction of this name says."""
    (rest,) = [rest for each, rest in stage if each == name]
    return rest


def unit() -> dict[str, list[str]]:
    """Return the unit's lines by key; no key is in two sections."""
    found: dict[str, list[str]] = {}
    for key, value in re.findall(r"^(\w+)=(.*)$", UNIT.read_text(encoding="utf-8"), flags=re.MULTILINE):
        found.setdefault(key, []).append(value)
    return found


def of_haproxy(directive: str) -> str:
    """Return the word that follows a directive of haproxy.cfg."""
    found = re.findall(rf"^[^#\n]*\b{directive} (\S+)", CONFIG.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(found) == 1, f"{directive}: {found}"
    return str(found[0])


@pytest.mark.parametrize("path", DEPLOYED, ids=lambda path: path.name)
def test_every_variable_of_pyshare_in_a_file_is_a_setting(path: Path) -> None:
    known = {variable for setting in SETTINGS for variable in setting.variables}
    named = set(re.findall(r"\bPYSHARE_[A-Z0-9_]+", path.read_text(encoding="utf-8")))
    assert named <= known, f"{path.name} names {sorted(named - known)}"


def test_every_variable_that_haproxy_reads_is_explained_in_its_file() -> None:
    text = CONFIG.read_text(encoding="utf-8")
    head, _, rest = text.partition("\nglobal\n")
    read = set(re.findall(r"\$\{(\w+)", rest)) | set(re.findall(r"defined\((\w+)\)", rest))
    assert {re.sub(r"^SERVER_[34]_.*", "SERVER_3_", name) for name in read} <= set(re.findall(r"[A-Z][A-Z0-9_]+", head))


def test_haproxy_expects_servers_where_they_listen() -> None:
    text = CONFIG.read_text(encoding="utf-8")
    settings = Settings()
    assert f"${{SERVER_1_HOST-{settings.host}}}:${{SERVER_1_PORT-{settings.port}}}" in text
    (http_port,) = [setting.default for setting in SETTINGS if setting.name == "http_port"]
    assert f"${{SERVER_1_HOST-{settings.host}}}:${{SERVER_1_HTTP_PORT-{http_port}}}" in text


def test_haproxy_sends_a_server_no_more_connections_than_it_takes() -> None:
    most = int(of_haproxy("default-server maxconn"))
    assert most <= Settings().connections
    for service in servers_of_compose().values():
        assert most <= int(str(mapping(service["environment"])["PYSHARE_CONNECTIONS"]))


def test_haproxy_waits_for_silent_clients_longer_than_servers_do() -> None:
    assert seconds(of_haproxy("timeout tunnel")) > Settings().silence_seconds


def test_haproxy_takes_servers_out_within_its_promise_even_if_they_hang() -> None:
    each, again, check = (seconds(of_haproxy(name)) for name in (" inter", "fastinter", "timeout check"))
    # Just after a good check: the wait for the next, its time, a short wait, the time of the last.
    assert of_haproxy("fall") == "2"
    assert each + check + again + check < OUT_SECONDS


def test_haproxy_leaves_the_connections_of_a_server_that_is_out_alone() -> None:
    assert "on-marked-down" not in CONFIG.read_text(encoding="utf-8")


def test_haproxy_finds_every_server_of_the_compose_file() -> None:
    environment = mapping(services()["haproxy"]["environment"])
    told = [str(value) for name, value in environment.items() if re.fullmatch(r"SERVER_\d_HOST", name)]
    assert sorted(told) == sorted(servers_of_compose())
    assert len(told) >= 2
    image = dict(re.findall(r"(\w+)=(\S+)", only(stages()[-1], "ENV")))
    for number in range(1, len(told) + 1):
        assert environment[f"SERVER_{number}_PORT"] == image["PYSHARE_PORT"]
        assert environment[f"SERVER_{number}_HTTP_PORT"] == image["PYSHARE_HTTP_PORT"]


def test_the_compose_file_mounts_haproxys_configuration_read_only() -> None:
    (volume,) = words(services()["haproxy"]["volumes"])
    source, target, access = volume.split(":")
    assert (COMPOSE.parent / source).resolve() == CONFIG
    assert (target, access) == ("/usr/local/etc/haproxy/haproxy.cfg", "ro")


def test_only_haproxy_is_published_and_only_to_this_machine_unless_told() -> None:
    published = {name: words(service["ports"]) for name, service in services().items() if "ports" in service}
    assert published == {"haproxy": ["${PROXY_PUBLISH:-127.0.0.1:8080}:8080"]}


def test_every_service_has_a_health_check_a_restart_policy_and_a_grace_period() -> None:
    for name, service in services().items():
        assert mapping(service["healthcheck"])["test"], name
        assert service["restart"] == "unless-stopped", name
        assert seconds(service["stop_grace_period"]) > 0, name


def test_every_service_waits_for_the_health_of_those_it_depends_on() -> None:
    everyone = services()
    for service in everyone.values():
        for needed, how in mapping(service.get("depends_on", {})).items():
            assert needed in everyone
            assert mapping(how) == {"condition": "service_healthy"}
    assert set(mapping(everyone["haproxy"]["depends_on"])) == set(servers_of_compose())
    for service in servers_of_compose().values():
        assert set(mapping(service["depends_on"])) == {"redis"}


def test_redis_keeps_what_it_is_told_and_tells_of_expiry_and_deletion() -> None:
    redis = services()["redis"]
    command = words(redis["command"])
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert set(options["--notify-keyspace-events"]) >= set("Egx")
    (volume,) = words(redis["volumes"])
    name, _, target = volume.partition(":")
    assert target == "/data"
    assert name in mapping(mapping(parsed_yaml(COMPOSE.read_text(encoding="utf-8")))["volumes"])


def test_redis_and_servers_have_the_same_password_and_its_default_is_documented() -> None:
    redis = services()["redis"]
    command = words(redis["command"])
    password = command[command.index("--requirepass") + 1]
    found = re.fullmatch(r"\$\{REDIS_PASSWORD:-(\w+)\}", password)
    assert found is not None
    assert mapping(redis["environment"])["REDISCLI_AUTH"] == password
    for service in servers_of_compose().values():
        assert mapping(service["environment"])["PYSHARE_REDIS_PASSWORD"] == password
    assert f'The default, "{found[1]}"' in COMPOSE.read_text(encoding="utf-8")


def test_whoever_stops_a_server_waits_longer_than_it_drains() -> None:
    drain = Settings().drain_seconds
    (unit_seconds,) = unit()["TimeoutStopSec"]
    assert float(unit_seconds) > drain
    for service in servers_of_compose().values():
        told = float(str(mapping(service["environment"])["PYSHARE_DRAIN_SECONDS"]))
        assert seconds(service["stop_grace_period"]) > max(told, drain)
    assert seconds(services()["haproxy"]["stop_grace_period"]) > seconds(of_haproxy("hard-stop-after"))


def test_the_open_files_allowed_are_enough_for_the_connections() -> None:
    # Others than connections: the program's own, the store's, some to spare.
    others = 1024
    (limit,) = unit()["LimitNOFILE"]
    assert int(limit) >= Settings().connections + others
    for service in servers_of_compose().values():
        connections = int(str(mapping(service["environment"])["PYSHARE_CONNECTIONS"]))
        assert int(str(mapping(service["ulimits"])["nofile"])) >= connections + others
    found = re.search(r"PROXY_MAXCONN-(\d+)", CONFIG.read_text(encoding="utf-8"))
    assert found is not None
    # HAProxy needs one for each side of a connection.
    assert int(str(mapping(services()["haproxy"]["ulimits"])["nofile"])) >= 2 * int(found[1]) + others


def test_the_compose_file_builds_the_image_from_the_projects_root() -> None:
    for service in servers_of_compose().values():
        build = mapping(service["build"])
        context = (COMPOSE.parent / str(build["context"])).resolve()
        assert context == ROOT
        assert context / str(build["dockerfile"]) == DOCKERFILE


def test_the_image_is_built_in_one_stage_and_run_in_another_without_the_tools() -> None:
    build, final = stages()
    assert only(build, "FROM") == f"{only(final, 'FROM')} AS build"
    assert only(final, "COPY").startswith("--from=build ")
    assert "-c ops/constraints.txt" in only(build, "RUN")
    assert not re.search(r"\b(pip|apt-get|gcc)\b", only(final, "RUN"))


def test_the_image_runs_pyshare_as_nobody_special_and_signals_reach_it() -> None:
    final = stages()[-1]
    assert only(final, "USER").split(":")[0] not in {"", "root", "0"}
    # The form without a shell, which would keep the signal to itself.
    command = json.loads(only(final, "ENTRYPOINT")) + json.loads(only(final, "CMD"))
    assert command == ["pyshare", "serve"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "pyshare" in project["project"]["scripts"]
    assert only(final, "STOPSIGNAL") == "SIGTERM"
    names = [name for name, _ in final]
    assert names.index("USER") > names.index("RUN")


def test_the_image_listens_to_other_machines_where_it_says_and_keeps_texts_in_its_volume() -> None:
    final = stages()[-1]
    environment = dict(re.findall(r"(\w+)=(\S+)", only(final, "ENV")))
    assert environment["PYSHARE_HOST"] == environment["PYSHARE_HTTP_HOST"] == "0.0.0.0"
    assert only(final, "EXPOSE").split() == [environment["PYSHARE_PORT"], environment["PYSHARE_HTTP_PORT"]]
    assert environment["PYSHARE_DATA_FOLDER"] == only(final, "VOLUME")


def copied() -> list[str]:
    """Return what the image copies of the project."""
    return [
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from=")
        for source in rest.split()[:-1]
    ]


def is_sent(path: str) -> bool:
    """Return whether a file of the project is part of the build context: the last pattern that fits it decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        if not line or line.startswith("#"):
            continue
        parts = path.split("/")
        places = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        names = parts if pattern.startswith("**/") else places
        if any(fnmatch.fnmatchcase(name, pattern.removeprefix("**/")) for name in names):
            sent = line.startswith("!")
    return sent


def test_what_the_image_copies_is_there_and_is_sent_to_the_build() -> None:
    assert copied()
    for source in copied():
        path = ROOT / source
        assert path.exists(), source
        example = f"{source}/__init__.py" if path.is_dir() else source
        assert is_sent(example.removesuffix("/")), f".dockerignore leaves out {example}"


def test_the_build_is_sent_nothing_but_what_the_image_copies() -> None:
    unneeded = [".git/config", ".venv/bin/python", "tests/test_cli.py", "ops/run", "pyshare/core/x.pyc", "ops/.env"]
    assert [path for path in unneeded if is_sent(path)] == []


def test_what_the_wheel_is_made_of_is_copied() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    needed |= set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])
    assert needed <= {source.removesuffix("/") for source in copied()}


async def exit_code_of(command: list[str], port: int) -> int:
    """Run a health check of a container against a server that listens there."""
    assert command[:2] == ["python", "-c"]
    # A proxy that the environment names must not be asked for what is on the same machine.
    environment = os.environ | {"PYSHARE_HTTP_PORT": str(port), "http_proxy": "http://127.0.0.1:1"}
    program = command[2].replace(":8889/", f":{port}/")
    with trio.fail_after(PATIENCE_SECONDS):
        done = await trio.run_process(
            [sys.executable, "-c", program], env=environment, check=False, capture_stdout=True, capture_stderr=True
        )
    return done.returncode


async def test_health_checks_of_containers_tell_ready_from_draining_from_dead() -> None:
    found = re.search(r"CMD (\[.*\])", only(stages()[-1], "HEALTHCHECK"))
    assert found is not None
    lives = words(json.loads(found[1]))
    checks = [words(mapping(service["healthcheck"])["test"]) for service in servers_of_compose().values()]
    assert all(check == checks[0] for check in checks)
    kind, *ready = checks[0]
    assert kind == "CMD"
    server = FakeServer("one")
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        assert [await exit_code_of(check, server.http_port) for check in (lives, ready)] == [0, 0]
        server.ready = False
        assert [await exit_code_of(check, server.http_port) for check in (lives, ready)] == [0, 1]
        server.kill()
    assert [await exit_code_of(check, server.http_port) for check in (lives, ready)] == [1, 1]


def systemd_analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze, of a version that can look at files without a running systemd."""
    path = shutil.which("systemd-analyze", path=SYSTEM_PATH)
    hint = "install systemd 250 or later; it need not run"
    require("systemd-analyze", path is not None, hint)
    assert path is not None

    def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)

    version = re.match(r"systemd (\d+)", run(path, "--version").stdout)
    require("systemd-analyze 250", version is not None and int(version[1]) >= 250, hint)
    return run(path, *arguments)


@pytest.fixture
def installed_unit(tmp_path: Path) -> Path:
    """The unit with a program that is there, as systemd wants it."""
    text = UNIT.read_text(encoding="utf-8")
    (command,) = unit()["ExecStart"]
    assert command == "/opt/pyshare/bin/pyshare serve"
    path = tmp_path / UNIT.name
    path.write_text(text.replace(command, f"{shutil.which('true')} serve"), encoding="utf-8")
    return path


def test_systemd_has_nothing_to_say_of_the_unit(installed_unit: Path) -> None:
    done = systemd_analyze("verify", "--man=no", installed_unit)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_unit_is_exposed_no_more_than_a_server_on_the_network_must_be(installed_unit: Path) -> None:
    # In tenths of systemd's scale from 0 to 10; a unit without any hardening has 96.
    done = systemd_analyze("security", "--offline=true", "--threshold=15", "--no-pager", installed_unit)
    assert done.returncode == 0, done.stdout


def test_the_unit_tells_pyshare_alone_to_stop_and_does_not_repeat_wrong_settings() -> None:
    lines = unit()
    assert lines["KillSignal"] == ["SIGTERM"]
    assert lines["KillMode"] == ["mixed"]
    assert lines["Restart"] == ["on-failure"]
    assert lines["RestartPreventExitStatus"] == ["2"]


def test_the_unit_keeps_texts_in_the_folder_that_systemd_makes_for_it() -> None:
    lines = unit()
    assert lines["StateDirectory"] == ["pyshare"]
    assert "PYSHARE_DATA_FOLDER=%S/pyshare" in lines["Environment"][0].split()
