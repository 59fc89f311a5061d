"""`pyshare top` on a real server, in a terminal and without one."""

import os
import pty
import signal
import subprocess
import sys

import trio

from pyshare.client import connect
from tests.system.server import PATIENCE_SECONDS, ROOT, running

COMMAND = [sys.executable, "-m", "pyshare", "top", "--every", "0.3"]


async def test_one_look_shows_what_a_server_is_doing() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running() as server, connect(server.codespace(), name="one") as codespace:
            codespace.insert(0, "x")
            await codespace.wait_confirmed()
            address = f"http://127.0.0.1:{await server.wait_metrics_port()}"
            done = await trio.run_process([*COMMAND, address], capture_stdout=True, cwd=ROOT)
    (row,) = [line.split() for line in done.stdout.decode().splitlines() if "ready" in line]
    assert row[:5] == [address.removeprefix("http://"), "ready", "1", "1", "1"]


async def test_a_server_that_does_not_answer_is_one_line_and_exit_code_69() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        done = await trio.run_process(
            [*COMMAND, "http://127.0.0.1:9"], capture_stdout=True, capture_stderr=True, check=False, cwd=ROOT
        )
    assert done.returncode == 69
    assert done.stderr.decode() == "pyshare: no server answers: http://127.0.0.1:9 is down\n"


async def test_in_a_terminal_it_goes_on_until_a_key_and_leaves_the_terminal_as_it_was() -> None:
    for end in (b"q", signal.SIGINT):
        async with running() as server:
            address = f"http://127.0.0.1:{await server.wait_metrics_port()}"
            here, there = pty.openpty()
            with trio.fail_after(PATIENCE_SECONDS):
                process = await trio.lowlevel.open_process(
                    [*COMMAND, address],
                    stdin=there,
                    stdout=there,
                    stderr=subprocess.DEVNULL,
                    cwd=ROOT,
                    env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"},
                )
                os.close(there)
                shown = b""
                while b"ready" not in shown:
                    await trio.lowlevel.wait_readable(here)
                    shown += os.read(here, 65_536)
                if isinstance(end, bytes):
                    os.write(here, end)
                else:
                    process.send_signal(end)
                while process.returncode is None:
                    with trio.move_on_after(0.1):
                        await process.wait()
                    os.set_blocking(here, False)
                    try:
                        shown += os.read(here, 65_536)
                    except (BlockingIOError, OSError):
                        continue
                assert await process.wait() == 0
            os.close(here)
            # The alternate screen is left, and the cursor shows again.
            assert b"\x1b[?1049l" in shown
            assert b"\x1b[?25h" in shown


async def test_a_proxy_of_the_environment_is_not_asked_for_a_server() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running() as server:
            address = f"http://127.0.0.1:{await server.wait_metrics_port()}"
            proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy"), "http://127.0.0.1:9")
            environment = {**os.environ, **proxies, "no_proxy": ""}
            done = await trio.run_process([*COMMAND, address], capture_stdout=True, cwd=ROOT, env=environment)
    assert "ready" in done.stdout.decode()


async def test_an_address_without_metrics_is_told_where_they_are() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running() as server:
            address = f"http://127.0.0.1:{await server.wait_http_port()}"
            done = await trio.run_process([*COMMAND, address], capture_stderr=True, check=False, cwd=ROOT)
    assert done.returncode == 69
    assert "--metrics-port" in done.stderr.decode()
