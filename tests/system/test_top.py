"""`pyshare top` on a real server, in a terminal and without one."""

import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import trio

from pyshare.client import connect
from tests.system.server import PATIENCE_SECONDS, ROOT, SECRET, running

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


async def listed(*words: str, exit_code: int = 0, **environment: str) -> tuple[str, str]:
    """Run `pyshare codespaces` with these words; return what it printed, and what it said of errors."""
    done = await trio.run_process(
        [sys.executable, "-m", "pyshare", "codespaces", *words],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    assert done.returncode == exit_code, done.stderr
    return done.stdout.decode(), done.stderr.decode()


async def test_an_operator_with_the_secret_lists_people_of_all_workers_and_others_are_told_what_to_give(
    tmp_path: Path,
) -> None:
    folder = str(tmp_path)
    with trio.fail_after(2 * PATIENCE_SECONDS):
        async with running("--data-folder", folder, "--workers", "2") as server:
            address = f"http://127.0.0.1:{await server.wait_metrics_port()}"
            async with AsyncExitStack() as stack:
                for name in ("Ada", "Ben", "Cleo"):
                    codespace = await stack.enter_async_context(connect(server.codespace(), name=name))
                    codespace.insert(0, "seen by nobody")
                    await codespace.wait_confirmed()
                text, _ = await listed(address, "--data-folder", folder)
                found, _ = await listed(address, "--json", "--data-folder", folder)
            _, wrong = await listed(address, exit_code=2, PYSHARE_SECRET=SECRET)
            page = f"http://127.0.0.1:{await server.wait_http_port()}"
            _, elsewhere = await listed(page, exit_code=2, PYSHARE_SECRET=SECRET)
            _, away = await listed("http://127.0.0.1:9", exit_code=69, PYSHARE_SECRET=SECRET)
    assert {name for name in ("Ada", "Ben", "Cleo") if f"  {name} " in text} == {"Ada", "Ben", "Cleo"}
    assert text.splitlines()[-1] == "open codespaces: 3, people: 3"
    assert "seen by nobody" not in text + found
    assert len(json.loads(found)["codespaces"]) == 3
    assert f"{address} has another secret" in wrong
    assert "--metrics-port" in elsewhere
    assert away == "pyshare: http://127.0.0.1:9 does not answer; give the address of the server's --metrics-port\n"
