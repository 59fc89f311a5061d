"""A server as a process of its own, for tests that use it as its users do."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

ROOT = Path(__file__).parent.parent.parent
#: What servers sign links with that have no folder for a secret.
SECRET = "for the tests of pyshare, and nowhere else"
#: Seconds in which a server starts, or ends, on the slowest machine.
PATIENCE_SECONDS = 60.0


class RunningServer:
    """A server process that serves, and what it has written."""

    def __init__(self, process: trio.Process, address: str) -> None:
        self.process = process
        # As ws://127.0.0.1:8888.
        self.address = address
        self._log = bytearray()
        # Set, and made anew, when the log has grown.
        self._grown = trio.Event()

    def codespace(self, token: str | None = None) -> str:
        """Return the URL of a codespace, a new one unless a token is given."""
        return f"{self.address}/codespace/{token or f'tmp-{uuid.uuid4()}'}/"

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Where it listens."""
        host, _, port = self.address.removeprefix("ws://").rpartition(":")
        return host, int(port)

    async def wait_http_port(self) -> int:
        """Return where its page is, once that is in its log."""
        return await self._wait_port("http")

    async def wait_metrics_port(self) -> int:
        """Return where it tells its metrics, once that is in its log."""
        return await self._wait_port("metrics")

    async def _wait_port(self, name: str) -> int:
        await self.wait_logged("serving")
        serving = next(line for line in self.log if line["event"] == "serving")
        return int(str(serving[name]).rpartition(":")[2])

    async def wait_logged(self, event: str, *, times: int = 1) -> None:
        """Wait until its log has an event so often."""
        with trio.fail_after(PATIENCE_SECONDS):
            while [line["event"] for line in self.log].count(event) < times:
                await self._grown.wait()

    @property
    def log(self) -> list[dict[str, object]]:
        """The lines of its log so far."""
        return [json.loads(line) for line in self._log.splitlines(keepends=True) if line.endswith(b"\n")]

    def children(self, word: str) -> list[int]:
        """Return the ids of its child processes, in whose command line a word ends with `word`."""
        pid = self.process.pid
        # They are listed with the thread that has started them.
        lists = [each.read_text(encoding="utf-8") for each in Path(f"/proc/{pid}/task").glob("*/children")]
        found = map(int, " ".join(lists).split())
        lines = {each: Path(f"/proc/{each}/cmdline").read_text(encoding="utf-8") for each in found}
        return [each for each, line in lines.items() if f"{word} " in f"{line} ".replace("\0", " ")]

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def wait(self) -> int:
        """Wait until it has ended, and return its exit code."""
        with trio.fail_after(PATIENCE_SECONDS):
            return await self.process.wait()

    async def read_log(self) -> None:
        """Keep what it logs, until it ends."""
        assert self.process.stderr is not None
        async for data in self.process.stderr:
            self._log += data
            self._grown.set()
            self._grown = trio.Event()


def command(*flags: str) -> list[str]:
    """Return the command that serves with these flags."""
    return [sys.executable, "-m", "pyshare", "serve", *flags]


@asynccontextmanager
async def running(*flags: str, exit_code: int | None = 0) -> AsyncIterator[RunningServer]:
    """Run a server on free ports; it is told to stop when the context is left, and must end as it should.

    With `exit_code` None, however it ends is right.
    Its texts are in memory unless the flags say where else they are.
    """
    if not any(flag in {"--store", "--redis-url", "--data-folder"} for flag in flags):
        flags = (*flags, "--store", "memory")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYSHARE_")}
    if "--data-folder" not in flags:
        # None is to be kept in the home of whoever runs the tests.
        environment["PYSHARE_SECRET"] = SECRET
    async with trio.open_nursery() as nursery:
        process = await trio.lowlevel.open_process(
            command("--port", "0", "--http-port", "0", *flags),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
        )
        try:
            server = RunningServer(process, await _address(process))
            nursery.start_soon(server.read_log, name="log of the server")
            yield server
            if process.returncode is None:
                server.tell(signal.SIGTERM)
            code = await server.wait()
            assert exit_code in {None, code}, server.log
        finally:
            nursery.cancel_scope.cancel()
            with trio.move_on_after(PATIENCE_SECONDS, shield=True):
                await end(process)


async def end(process: trio.Process) -> None:
    """Kill a process if it still runs, and let go of its pipes."""
    if process.returncode is None:
        process.kill()
    await process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            await pipe.aclose()


async def _address(process: trio.Process) -> str:
    assert process.stdout is not None
    line = b""
    with trio.fail_after(PATIENCE_SECONDS):
        while not line.endswith(b"\n"):
            data = await process.stdout.receive_some()
            assert data, "the server ended before it served"
            line += data
    return line.decode().split()[-1].partition("/codespace/")[0]
