"""Several worker processes that share ports and store: started, watched, replaced, and drained together.

The supervising process listens but accepts nobody, and runs our own Redis if
there is one; each worker is a whole server on the sockets that it inherits.
What a worker needs to know comes through its standard input, which stays open
as long as the supervising process lives: a worker whose supervisor is gone
drains. That it is ready, it says in a line on its standard output.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio
from pydantic import TypeAdapter

from pyshare.core.errors import ConfigurationError, EditsLeft, PyshareError
from pyshare.net.metrics import Siblings
from pyshare.server import Addresses, Group, Sockets, addresses, find_secret, open_redis, open_sockets, serve_with
from pyshare.settings import Settings

logger = logging.getLogger(__name__)

#: The command line of a worker.
_COMMAND = (sys.executable, "-m", "pyshare", "worker")
#: Seconds before a worker that has ended is replaced: at first and, doubled each time, at most.
_FIRST_PAUSE_SECONDS = 0.1
_LAST_PAUSE_SECONDS = 5.0
#: Seconds beyond the time to drain in which a worker must have ended; then it is killed.
_GRACE_SECONDS = 3.0
#: Seconds in which a worker drains whose supervisor is gone.
_ORPHAN_SECONDS = 2.0
#: What a worker says when clients may come.
_READY = b"ready\n"


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker needs to know."""

    #: Which of the workers it is, from 1.
    number: int
    settings: Settings
    redis_url: str | None
    #: What links are signed with.
    secret: str | None
    #: How many there are, and the folder in which they tell each other their metrics.
    workers: int
    folder: Path
    #: File descriptors of the listening sockets.
    ws: tuple[int, ...]
    http: tuple[int, ...]
    metrics: tuple[int, ...]

    @property
    def files(self) -> tuple[int, ...]:
        """The file descriptors that a worker inherits."""
        return self.ws + self.http + self.metrics


_JOBS: TypeAdapter[Job] = TypeAdapter(Job)


async def serve_workers(settings: Settings, *, on_ready: Callable[[Addresses], None]) -> None:
    """Run as many workers as the settings say until SIGINT or SIGTERM, then have them drain; see `server.serve`.

    Raises:
        PyshareError: if a worker cannot start; it has said why.
        EditsLeft: if a worker has ended before the store took all edits.
    """
    async with open_sockets(settings) as sockets, open_redis(settings) as redis_url, AsyncExitStack() as stack:
        secret = find_secret(settings)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pyshare-")))
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                workers = [
                    _Worker(
                        Job(
                            number,
                            settings,
                            redis_url,
                            secret,
                            settings.workers,
                            folder,
                            _files(sockets.ws),
                            _files(sockets.http),
                            _files(sockets.metrics),
                        )
                    )
                    for number in range(1, settings.workers + 1)
                ]
                for worker in workers:
                    await nursery.start(worker.run, name=f"worker {worker.number}")
                on_ready(addresses(settings, sockets))
                number = await anext(signals)
                logger.info("draining", extra={"signal": signal.Signals(number).name, "workers": len(workers)})
                for each in sockets.all:
                    await each.aclose()
                nursery.start_soon(_hurry_when_told, signals, workers, name="second signal")
                async with trio.open_nursery() as draining:
                    for worker in workers:
                        draining.start_soon(worker.drain, settings.drain_seconds + _GRACE_SECONDS)
                nursery.cancel_scope.cancel()
    left = [str(worker.number) for worker in workers if worker.left_edits]
    if left:
        raise EditsLeft(f"not all edits of worker {' and '.join(left)} were saved before the end; it has said how many")


def read_job(line: bytes) -> Job:
    """Return the job that a worker is told in the first line of its standard input.

    Raises:
        ValueError: if it is none.
    """
    return _JOBS.validate_json(line)


async def serve_as_worker(job: Job) -> None:
    """Serve as a worker until told to stop."""
    sockets = Sockets(*(tuple(map(_listener, files)) for files in (job.ws, job.http, job.metrics)))
    siblings = Siblings(job.folder, job.workers)
    group = Group(siblings, await _listen_at(siblings.socket_of(job.number)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_drain_without_supervisor, name="supervisor's life")
        await serve_with(job.settings, sockets, job.redis_url, job.secret, group=group, on_ready=_say_ready)
        nursery.cancel_scope.cancel()


class _Worker:
    """One place for a worker, and the process that has it."""

    def __init__(self, job: Job) -> None:
        self.number = job.number
        self._job = job
        # The process that runs, and whether it is the last one.
        self._process: trio.Process | None = None
        self._draining = False
        # Set when the last process has ended.
        self._ended = trio.Event()
        #: True when the last process has ended before the store took all edits.
        self.left_edits = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run one process after the other until drained; started when the first one serves.

        Raises:
            PyshareError: if the first one ends before it serves; a ConfigurationError if it says so.
        """
        pause = _FIRST_PAUSE_SECONDS
        first = True
        while True:
            async with self._running() as process:
                ready = await _wait_ready(process)
                if ready and first:
                    task_status.started()
                if ready:
                    pause = _FIRST_PAUSE_SECONDS
                code = await process.wait()
            if self._draining:
                self.left_edits = code == EditsLeft.exit_code
                self._ended.set()
                return
            if first and not ready:
                kind = ConfigurationError if code == ConfigurationError.exit_code else PyshareError
                raise kind(f"worker {self.number} did not start; what it said stands above")
            first = False
            logger.warning("worker ended", extra={"worker": self.number, "exit_code": code, "again_seconds": pause})
            await trio.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE_SECONDS)

    async def drain(self, seconds: float) -> None:
        """Have the process drain, and wait until it has ended; kill it after so many seconds."""
        self._draining = True
        self.tell(signal.SIGTERM)
        with trio.move_on_after(seconds) as patience:
            if self._process is not None:
                await self._ended.wait()
        if patience.cancelled_caught:
            logger.error("worker killed, it did not end in time", extra={"worker": self.number})
            self.tell(signal.SIGKILL)

    def tell(self, number: signal.Signals) -> None:
        """Send the process a signal, if there is one."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[trio.Process]:
        """Run a process that has been told its job; it has ended when the context is left."""
        process = self._process = await trio.lowlevel.open_process(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=self._job.files,
            # Ctrl-C is for the supervising process, which tells the workers.
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            try:
                await process.stdin.send_all(_JOBS.dump_json(self._job) + b"\n")
            except trio.BrokenResourceError:
                logger.debug("worker ended before it read its job", extra={"worker": self.number})
            yield process
        finally:
            self._process = None
            with trio.move_on_after(_GRACE_SECONDS, shield=True):
                if process.returncode is None:
                    process.terminate()
                    await process.wait()
            with trio.move_on_after(_GRACE_SECONDS, shield=True):
                if process.returncode is None:
                    process.kill()
                await process.wait()
                await process.stdin.aclose()
                await process.stdout.aclose()


async def _wait_ready(process: trio.Process) -> bool:
    """Wait until a worker serves; return False if it ended before."""
    assert process.stdout is not None
    said = b""
    async for data in process.stdout:
        said += data
        if said.endswith(_READY):
            return True
    return False


async def _hurry_when_told(signals: AsyncIterator[int], workers: Sequence[_Worker]) -> None:
    """Pass on the second signal, at which a worker ends at once."""
    await anext(signals)
    for worker in workers:
        worker.tell(signal.SIGTERM)


async def _drain_without_supervisor() -> None:
    async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as supervisor:
        async for _ in supervisor:
            # It says nothing but that it lives.
            pass
    logger.warning("the supervising process is gone")
    os.kill(os.getpid(), signal.SIGTERM)
    # The ports are wanted by whoever takes its place.
    await trio.sleep(_ORPHAN_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _say_ready(where: Addresses) -> None:
    sys.stdout.buffer.write(_READY)
    sys.stdout.buffer.flush()


def _files(listeners: Sequence[trio.SocketListener]) -> tuple[int, ...]:
    return tuple(each.socket.fileno() for each in listeners)


async def _listen_at(path: Path) -> trio.SocketListener:
    """Listen on a socket in the file system; one that a worker before has left there makes way."""
    await trio.Path(path).unlink(missing_ok=True)
    listening = trio.socket.socket(socket.AF_UNIX)
    await listening.bind(str(path))
    listening.listen()
    return trio.SocketListener(listening)


def _listener(file: int) -> trio.SocketListener:
    return trio.SocketListener(trio.socket.from_stdlib_socket(socket.socket(fileno=file)))
