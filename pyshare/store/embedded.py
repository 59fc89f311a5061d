"""The Valkey or Redis server that pyshare runs itself: started, watched, stopped last.

Here are the data folder with its locks and its socket, and one child process after the other. The choice of a program
is elsewhere, and so is every client but the few words that ask if it answers.

Three things in the folder say who has it. `lock` is locked by the pyshare that uses the folder, and names its
process. `redis.lock` is locked by the server, which inherits it and has it as long as it lives: so one whose pyshare
was killed is known even before it listens. `redis.sock` is the socket, or a link to it where the path is too long.
"""

import fcntl
import logging
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import quote

import trio

from pyshare.core.errors import ConfigurationError
from pyshare.store.programs import Release, find_program, note_program, prepare_folder

logger = logging.getLogger(__name__)

#: What the server is told beside where its files are. Of what was written a second is lost with the machine at most,
#: and nothing with the process; what does not fit is refused, not forgotten; keys that are deleted or expire are told.
_OPTIONS: Final = (
    *("--port", "0", "--unixsocketperm", "700", "--daemonize", "no", "--save", "", "--appendonly", "yes"),
    *("--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--notify-keyspace-events", "Kgxe"),
)
#: Bytes of the longest path that a socket is given: sun_path has 108 on Linux and 104 on macOS, one is a zero.
LONGEST_SOCKET_BYTES: Final = 100
#: What precedes the text of a line of the server's log: process id, role, time, level.
_LINE_HEAD: Final = re.compile(r"^\d+:\w .{1,40}?\.\d+ [.*#-] ?")
#: The beginning of what a server advises its users to do: its advice is for people who run it by hand, and some of
#: it ("redis-check-aof --fix", "sysctl") would cut data or change the machine.
_ADVICE: Final = re.compile(
    r"[\s.,:;!]*\b(make a backup|you (can|may|should|must)|please|to fix|in order to|alternatively|consider|try |"
    r"add |remove |delete |run |use \S*(redis|valkey)-|\S*-check-(aof|rdb)|sysctl|echo ).*",
    re.IGNORECASE,
)
#: Bytes of a line of the log that are read.
_LINE_BYTES: Final = 2000
#: Seconds between two looks whether the server answers, or is gone.
_POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class EmbeddedLimits:
    """How long a server may take, and how soon it is started again."""

    #: Seconds until it answers; one that says that it is loading its file is given as many again.
    start_seconds: float = 60
    #: Seconds in which it ends by itself, before it is killed.
    stop_seconds: float = 10
    #: Seconds before a server that has ended is started again: at first, and at most. Each time they double,
    #: until a server has answered and lived for as many as are most.
    first_restart_seconds: float = 0.1
    last_restart_seconds: float = 5


@asynccontextmanager
async def open_embedded(
    folder: Path, *, limits: EmbeddedLimits | None = None, program: Path | None = None
) -> AsyncIterator["Embedded"]:
    """Run a server on the data folder until the context is left; it answers when the context is entered.

    It outlives every task in the context: cancelled from outside, it is stopped when the body has ended, not
    before. No process outlives the context. What the body raises comes out as it is. The folder is made if it is
    not there, and is for one pyshare at a time. `program` is chosen by `find_program` unless it is given.

    Raises:
        ConfigurationError: if there is no program, or the folder is of no use to it; says what to do.
    """
    limits = limits or EmbeddedLimits()
    with _claimed(folder) as claimed:
        program = await find_program(claimed, program)
        await _end_orphan(claimed, limits.stop_seconds)
        with _socket_in(claimed) as socket:
            embedded = Embedded(program, claimed, socket=socket, limits=limits)
            running = trio.CancelScope()
            failure: BaseException | None = None
            try:
                async with trio.open_nursery() as nursery:
                    await nursery.start(embedded.run, running, name="embedded server")
                    # The body says goodbye to the store, however it is ended. Ends when the body does.
                    running.shield = True
                    try:
                        yield embedded
                    finally:
                        running.cancel()
            except BaseExceptionGroup as group:
                # The nursery's wrapping of what the body raised.
                if len(group.exceptions) > 1:
                    raise
                failure = group.exceptions[0]
            if failure is not None:
                raise failure


@dataclass(slots=True, eq=False)
class _Life:
    """What is known of one process of the server."""

    process: trio.Process
    #: When it answered first, by trio's clock.
    ready_at: float | None = None
    #: Whether it was given up since it did not answer.
    silent: bool = False
    #: The last line of its log that is not empty: that of one which ended by itself says why.
    last_words: str = ""

    def reason(self, limits: EmbeddedLimits) -> str:
        """Return why it ended, in words."""
        code = self.process.returncode or 0
        if self.silent:
            reason = f"it did not answer for {limits.start_seconds:g} seconds"
        else:
            reason = f"it was ended by signal {-code}" if code < 0 else f"it ended with exit code {code}"
        return f"{reason}, its last words: {self.last_words}" if self.last_words else reason


class Embedded:
    """The server of one data folder: one process after the other, while `run` runs; made by `open_embedded`."""

    def __init__(self, program: Path, folder: Path, *, socket: Path, limits: EmbeddedLimits) -> None:
        #: The program that is run.
        self.program = program
        #: The server's address, as redis-py's `from_url` takes it; the same for every process.
        self.url = f"unix://{quote(os.fsencode(socket))}"
        self._folder = folder
        self._socket = socket
        self._limits = limits
        # The process that runs, if one does.
        self._life: _Life | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process that answers; None while there is none."""
        return self._life.process.pid if self._life and self._life.ready_at is not None else None

    async def run(  # noqa: ASYNC128 - the first server that answers calls it
        self, running: trio.CancelScope, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run one server after the other until `running` is cancelled; started when the first one answers.

        Raises:
            ConfigurationError: if the first one ends before it answers.
        """
        with running:
            first = True
            seconds = self._limits.first_restart_seconds
            while True:
                reason, lived_seconds = await self._run_server(task_status if first else trio.TASK_STATUS_IGNORED)
                if first and lived_seconds is None:
                    raise ConfigurationError(
                        f"{self.program} does not run with the data folder {self._folder}: {reason}; restore a backup"
                        " of the folder, name another program with --redis-server, or give another --data-folder"
                    )
                if lived_seconds is not None and lived_seconds >= self._limits.last_restart_seconds:
                    seconds = self._limits.first_restart_seconds
                extra = {"folder": str(self._folder), "reason": reason, "again_seconds": seconds}
                level = logging.ERROR if lived_seconds is None else logging.WARNING
                logger.log(level, "server not started" if lived_seconds is None else "server ended", extra=extra)
                await trio.sleep(seconds)
                seconds = min(2 * seconds, self._limits.last_restart_seconds)
                first = False

    async def _run_server(  # noqa: ASYNC128 - `_wait_ready` calls it
        self, task_status: trio.TaskStatus[None]
    ) -> tuple[str, float | None]:
        """Run one server until it ends; return why, and for how many seconds it has answered if it ever did."""
        try:
            # The program may have become another one since the last time.
            release = await prepare_folder(self._folder, self.program)
            process = await self._open_process()
        except OSError as error:
            return f"it cannot be started ({error.strerror or error})", None
        except ConfigurationError as error:
            return str(error), None
        self._life = life = _Life(process)
        logger.info("server started", extra={"program": str(self.program), "pid": process.pid})
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, life, name="log of the server")
                wait_ready = partial(self._wait_ready, life, release, nursery, task_status)
                nursery.start_soon(wait_ready, name="first answer of the server")
                await process.wait()
                nursery.cancel_scope.cancel()
        finally:
            self._life = None
            with trio.move_on_after(2 * self._limits.stop_seconds, shield=True) as patience:
                await self._end(life)
            if patience.cancelled_caught:
                logger.error("server cannot be killed", extra={"pid": process.pid})
        return life.reason(self._limits), None if life.ready_at is None else trio.current_time() - life.ready_at

    async def _open_process(self) -> trio.Process:
        """Start a server that holds `redis.lock`."""
        where = ("--unixsocket", self._socket, "--pidfile", self._folder / "redis.pid")
        with _locked(self._folder / "redis.lock") as lock:
            return await trio.lowlevel.open_process(
                [self.program, *_OPTIONS, "--dir", self._folder, *where],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(lock,),
                # Ctrl-C is for pyshare, which drains first.
                start_new_session=True,
                umask=0o077,
            )

    async def _wait_ready(
        self, life: _Life, release: Release | None, nursery: trio.Nursery, task_status: trio.TaskStatus[None]
    ) -> None:
        """Wait for the first answer, and give the server up if it says nothing for too long."""
        with trio.move_on_after(self._limits.start_seconds) as patience:
            while (answer := await _ask(self._socket, b"PING")) != b"+PONG":
                if answer and answer.startswith(b"-LOADING"):
                    patience.deadline = trio.current_time() + self._limits.start_seconds
                await trio.sleep(_POLL_SECONDS)
            # It has read the folder, and writes it from now on.
            if release is not None:
                note_program(self._folder, self.program, release)
            life.ready_at = trio.current_time()
            task_status.started()
            return
        life.silent = True
        nursery.cancel_scope.cancel()

    async def _read(self, life: _Life) -> None:
        """Read the server's log to its end."""
        rest = b""
        assert life.process.stdout is not None
        async for data in life.process.stdout:
            *lines, rest = (rest[:_LINE_BYTES] + data).split(b"\n")
            for line in lines:
                text = _LINE_HEAD.sub("", line[:_LINE_BYTES].decode("utf-8", "replace").strip())
                life.last_words = _ADVICE.sub("", text) or life.last_words
                logger.debug("server said", extra={"pid": life.process.pid, "line": text})

    async def _end(self, life: _Life) -> None:
        """End the process and what it has forked, the hard way if it must be, and read its last words."""
        with trio.move_on_after(self._limits.stop_seconds):
            life.process.terminate()
            await life.process.wait()
        # Its session is its own: the fork that rewrites the file is left when the server was killed.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(life.process.pid, signal.SIGKILL)
        await life.process.wait()
        await self._read(life)
        assert life.process.stdout is not None
        await life.process.stdout.aclose()


async def _end_orphan(folder: Path, seconds: float) -> None:
    """End the server that was left in `folder` when its pyshare was killed; return when there is none.

    Two servers would both write to one file, and spoil it.
    """
    link = folder / "redis.sock"
    socket = link.readlink() if link.is_symlink() else link
    with trio.move_on_after(seconds):
        for tries in count():
            # What it holds is in its file already: there is nothing to save.
            answer = await _ask(socket, b"SHUTDOWN NOSAVE")
            with _refused(folder), suppress(BlockingIOError), _locked(folder / "redis.lock"):
                if answer is None:
                    return
            if tries == 0:
                logger.warning("ending the server of a pyshare that was killed", extra={"folder": str(folder)})
            await trio.sleep(_POLL_SECONDS)
    raise ConfigurationError(
        f"the data folder {folder} has a server that a killed pyshare has left (process"
        f" {_pid_in(folder / 'redis.pid')}) and that does not stop: kill it, or give another --data-folder"
    )


async def _ask(socket: Path, command: bytes) -> bytes | None:
    """Return the first line of the answer, empty if the server hangs up instead; None if none listens."""
    try:
        stream = await trio.open_unix_socket(os.fspath(socket))
    except OSError:
        return None
    answer = b""
    async with stream:
        with suppress(trio.BrokenResourceError):
            await stream.send_all(command + b"\r\n")
            async for data in stream:
                answer += data
                if b"\n" in answer:
                    break
    return answer.partition(b"\r\n")[0]


@contextmanager
def _claimed(folder: Path) -> Iterator[Path]:
    """Have `folder`, made if it is not there, for this process alone; it is given with its whole path."""
    folder = folder.absolute()
    with ExitStack() as stack:
        with _refused(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = stack.enter_context(_locked(folder / "lock"))
            os.ftruncate(lock, 0)
            os.write(lock, b"%d\n" % os.getpid())
        yield folder


@contextmanager
def _socket_in(folder: Path) -> Iterator[Path]:
    """Give the server's socket a place, which is empty, and remove what is there in the end."""
    socket = link = folder / "redis.sock"
    with ExitStack() as stack:
        with _refused(folder):
            if link.is_symlink():
                # The directory was made below, by a pyshare that was killed.
                with suppress(OSError):
                    link.readlink().unlink(missing_ok=True)
                    link.readlink().parent.rmdir()
            link.unlink(missing_ok=True)
            stack.callback(link.unlink, missing_ok=True)
            if len(os.fsencode(link)) > LONGEST_SOCKET_BYTES:
                socket = Path(stack.enter_context(TemporaryDirectory(prefix="pyshare-"))) / "redis.sock"
                link.symlink_to(socket)
        yield socket


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Lock a file for this process, and for a child that it is passed to until that ends.

    Raises:
        BlockingIOError: if it is locked already.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock
    finally:
        os.close(lock)


@contextmanager
def _refused(folder: Path) -> Iterator[None]:
    try:
        yield
    except BlockingIOError:
        other = _pid_in(folder / "lock")
        reason = f"is in use by another pyshare (process {other}): stop that one, or give this one another"
    except OSError as error:
        reason = f"cannot be used ({error.strerror or error}): give another"
    else:
        return
    raise ConfigurationError(f"the data folder {folder} {reason} --data-folder")


def _pid_in(path: Path) -> str:
    with suppress(OSError, ValueError):
        return str(int(path.read_text().partition("\n")[0]))
    return "unknown"
