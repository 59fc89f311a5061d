"""Codespaces of Redis read in parts, so that no answer holds up the lane that all share.

A script answers about a mebibyte of a log at most. The rest is asked for part
by part: what one codespace keeps costs the others no more than such a part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import trio

from pyshare.core.document import Update
from pyshare.core.names import public_name
from pyshare.core.work import BYTES_A_STEP, TURN_STEPS
from pyshare.store import lua
from pyshare.store.bridge import Reply, Word
from pyshare.store.interface import NotACodespace, Snapshot, StoreUnavailable, Tail
from pyshare.store.layout import damaged, read_snapshot, read_standing, read_update


class RunScript(Protocol):
    """Runs a script for one codespace."""

    async def __call__(self, script: lua.Script, codespace: str, *arguments: Word) -> Reply:
        """Return the answer.

        Raises:
            StoreUnavailable: there is none, or it is an error.
        """


@dataclass(frozen=True, slots=True)
class Found:
    """The first part of a codespace that was read."""

    codespace: str
    fields: Mapping[str, bytes]
    #: Updates of the log: the last ones, or the first that follow the text; None if the log does not reach that far.
    log: tuple[bytes, ...] | None
    #: Updates in the log.
    log_length: int
    seqs: Mapping[str, bytes]


def found_in(codespace: str, answer: Reply) -> Found | None:
    """Return the part of a codespace that `load.lua` has answered; None if there is no codespace.

    Raises:
        NotACodespace: if something else has the place.
        StoreUnavailable: if no script of pyshare answers this.
    """
    match answer:
        case [b"ok", list(fields), log, int(length), list(seqs)]:
            return Found(codespace, by_name(fields), _entries(log), length, by_name(seqs))
        case [b"missing"]:
            return None
        case [b"foreign", bytes(kind)]:
            raise NotACodespace(f"the key {public_name(codespace)} holds a {kind.decode()}, no codespace")
        case _:
            raise unexpected(answer)


async def read_whole(run: RunScript, found: Found) -> Snapshot | None:
    """Return the codespace that was `found`, with what comes before its last updates; None if it has changed since."""
    standing = read_standing(found.codespace, found.fields)
    log = found.log or ()
    while len(log) < found.log_length:
        answer = await run(lua.READ_BACK, found.codespace, standing.epoch, standing.version - len(log) + 1)
        match answer:
            case [b"ok", int(), list(page)] if page:
                log = (*(_entries(page) or ()), *log)
            case _:
                # It was trimmed meanwhile, or is not there any more.
                return None
    return read_snapshot(found.codespace, found.fields, await _parse(found.codespace, log), found.seqs)


async def read_following(run: RunScript, found: Found) -> Snapshot | None:
    """Return the codespace that was `found`, with all that follows its text; None if it has changed since."""
    standing = read_standing(found.codespace, found.fields)
    snapshot = read_snapshot(found.codespace, {**found.fields, "version": found.fields["code_version"]}, (), {})
    answer: Reply = None if found.log is None else [*found.log]
    try:
        tail = await read_tail(run, found.codespace, standing.epoch, snapshot.version, standing.version, answer)
    except StoreUnavailable:
        return None
    if tail.updates is None:
        return None
    updates = tail.updates[: standing.version - snapshot.version]
    return Snapshot(standing.epoch, snapshot.text, snapshot.version, standing.version, updates)


async def read_tail(run: RunScript, codespace: str, epoch: str, after: int, version: int, updates: Reply) -> Tail:
    """Return the log after version `after`; `updates` are those of the first part, up to `version` or less.

    Raises:
        StoreUnavailable: the log is damaged, or the codespace has gone since.
    """
    page = _entries(updates)
    read: list[bytes] = []
    while page is not None:
        read += page
        if after + len(read) >= version:
            newest = max(version, after + len(read)) if read else version
            try:
                return Tail(newest, await _parse(codespace, read))
            except NotACodespace as error:
                raise StoreUnavailable(str(error)) from None
        answer = await run(lua.READ_LOG, codespace, epoch, after + len(read))
        match answer:
            case [b"ok", int(), more] if more != []:
                page = _entries(more)
            case _:
                raise StoreUnavailable("the codespace has changed while its log was read")
    return Tail(version, None)


def by_name(pairs: Sequence[Reply]) -> dict[str, bytes]:
    """Return what a hash holds, from its fields and values by turns."""
    found = [each for each in pairs if isinstance(each, bytes)]
    return {name.decode(errors="replace"): value for name, value in zip(found[::2], found[1::2], strict=True)}


def unexpected(answer: Reply) -> StoreUnavailable:
    """Return the error for an answer that no script of pyshare gives."""
    return StoreUnavailable(f"Redis answered what no script of pyshare does: {answer!r:.80}")


def _entries(updates: Reply) -> tuple[bytes, ...] | None:
    """Return the updates of one part; None if the log does not reach back to them."""
    return tuple(each for each in updates if isinstance(each, bytes)) if isinstance(updates, list) else None


async def _parse(codespace: str, log: Sequence[bytes]) -> tuple[Update, ...]:
    """Return the updates that are written in `log`; others have their turn in between.

    Raises:
        NotACodespace: if one makes no sense.
    """
    updates = []
    steps = 0
    for data in log:
        try:
            update = read_update(data)
        except ValueError as error:
            raise damaged(codespace, repr(error)) from None
        updates.append(update)
        steps += 1 + len(data) // BYTES_A_STEP + len(update.changes.sections)
        if steps >= TURN_STEPS:
            steps = 0
            await trio.lowlevel.checkpoint()
    return tuple(updates)
