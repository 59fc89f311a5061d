"""`pyshare serve` as a process: what it prints, how it ends, and that a slow reader is nobody else's trouble."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from pyshare.client import connect
from pyshare.core.protocol import SUBPROTOCOL
from pyshare.settings import Settings
from tests.net.scripted import Client
from tests.system.server import PATIENCE_SECONDS, ROOT, command, end, running


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    """Run a server that is expected to end by itself."""
    return subprocess.run(
        command(*flags), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, cwd=ROOT
    )


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds that nobody can be asked to tell."""
    while not holds():  # noqa: ASYNC110
        await trio.sleep(0.02)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that a user's error is answered with."""
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("pyshare: ")
    return line


def test_a_port_that_is_taken_is_one_line_that_names_it_and_exit_code_2() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = one_line(run("--port", str(port)))
    assert "--port" in line
    assert str(port) in line


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--port", "99999"), "--port 99999"),
        (("--host", "no.such.host.invalid"), "--host"),
        (("--prot", "1"), "--port"),
        (("--api-base-url", "nowhere"), "--api-base-url nowhere"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line_that_names_it(flags: tuple[str, ...], named: str) -> None:
    assert named in one_line(run(*flags))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_clients_hear_1012_and_the_exit_code_is_0(number: signal.Signals) -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running() as server:
            client = Client(await trio.open_tcp_stream(*server.host_and_port))
            await client.open(path=server.codespace().removeprefix(server.address))
            await client.message()
            server.tell(number)
            assert await client.closing() == (1012, "the server restarts; reconnect")
            assert await server.wait() == 0
        events = {line["event"]: line for line in server.log}
        assert "drained" in events
        # The rest of the time is for goodbyes, as docs/operating.md says.
        settings = Settings()
        assert events["draining"]["seconds"] == settings.drain_seconds - 2 * settings.close_seconds


async def test_what_was_pushed_before_the_signal_is_acknowledged() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running() as server, connect(server.codespace()) as codespace:
            codespace.insert(0, "kept")
            await codespace.wait_confirmed()
            server.tell(signal.SIGTERM)
            assert await server.wait() == 0
            assert codespace.text == "kept"


async def test_the_log_is_json_when_it_goes_to_no_terminal_and_holds_no_secret() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running() as server, connect(server.codespace(), session=b"0123456789abcdef") as codespace:
            await codespace.wait_connected()
            await codespace.reconnect()
        log = server.log
    assert {"serving", "joined", "left"} <= {line["event"] for line in log}
    assert all({"event", "level", "logger", "timestamp"} <= line.keys() for line in log)
    assert "MDEyMzQ1Njc4OWFiY2RlZg" not in str(log)


async def test_one_that_reads_nothing_is_dropped_and_the_others_go_on() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running("--slow-seconds", "0.5") as server:
            url = server.codespace()
            async with connect(url) as alice, connect(url) as bob:
                deaf = await trio.open_tcp_stream(*server.host_and_port)
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                path = url.removeprefix(server.address)
                await deaf.send_all(
                    f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n"
                    f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n".encode()
                )
                await until(lambda: len(alice.peers) == 2)
                while len(alice.peers) == 2:
                    alice.insert(0, "x" * 50_000)
                    await alice.wait_confirmed()
                    alice.delete(0, 50_000)
                    await alice.wait_confirmed()
                alice.insert(0, "still here")
                await bob.wait_text("still here")
                await deaf.aclose()


async def test_ops_run_serves_with_its_flags(tmp_path: Path) -> None:
    await trio.run_process([ROOT / "ops" / "environment"])
    process = await trio.lowlevel.open_process(
        [ROOT / "ops" / "run", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=tmp_path
    )
    try:
        with trio.fail_after(PATIENCE_SECONDS):
            assert process.stdout is not None
            line = (await process.stdout.receive_some()).decode()
            assert "point a client to ws://127.0.0.1:" in line
            process.terminate()
            assert await process.wait() == 0
    finally:
        with trio.move_on_after(PATIENCE_SECONDS, shield=True):
            await end(process)


async def test_the_python_example_of_the_readme_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    example = readme.partition("```python\n")[2].partition("```")[0]
    assert "connect(URL" in example
    with trio.fail_after(PATIENCE_SECONDS):
        async with running() as server:
            given = example.partition('URL = "')[2].partition('"')[0]
            done = await trio.run_process(
                [sys.executable, "-c", example.replace(given, server.codespace())], capture_stdout=True
            )
    assert done.stdout.decode().startswith("print('hello')")
