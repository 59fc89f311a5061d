"""Edits over HTTP: each is one push of somebody without a connection, and answered with the version that it made."""

import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import pairwise
from typing import Annotated, Protocol

import trio
from pydantic import ConfigDict, Field
from starlette.exceptions import HTTPException

from pyshare.actors.messages import Submit
from pyshare.actors.supervisor import Mailbox
from pyshare.core.changeset import Change
from pyshare.core.errors import CloseCode, Closing, ConnectionRefused, PushRefused, RefusalCode
from pyshare.core.protocol import MAX_INTEGER, Peer
from pyshare.core.work import BYTES_A_STEP
from pyshare.net.addresses import Address, AddressBuckets
from pyshare.net.auth import Admission
from pyshare.net.bucket import TokenBucket
from pyshare.store.interface import Standing

#: Changes of one edit.
_CHANGES = 1024
#: Steps that an edit counts besides those that its text takes: a channel may have to be started for it.
_STEPS = 2000
#: Steps a second of an edit by itself; those of an address together are what counts.
_OWN_STEPS = 1_000_000
#: The ETag of a text; as `base` the quotes may be missing.
_TAG = re.compile(r'"?(?P<epoch>[^"]+)-(?P<version>[0-9]{1,15})"?')

_ENDED = Closing(CloseCode.TRY_LATER, "this codespace is closing; try again")
_VIEW_ONLY = "mode: this token is for looking only; an edit needs another link"
_TOO_LATE = "it is not known whether the edit was saved; read the text before you try again"
_NO_BASE = "the positions of changes need a text: send its ETag as If-Match, or as base"
_STATUSES: Mapping[RefusalCode, HTTPStatus] = {
    RefusalCode.INVALID: HTTPStatus.UNPROCESSABLE_ENTITY,
    RefusalCode.TOO_LONG: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    RefusalCode.TOO_MUCH: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
}

_STRICT = ConfigDict(strict=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class NewChange:
    """One change of an edit."""

    __pydantic_config__ = _STRICT

    start: Annotated[int, Field(alias="from", ge=0, le=MAX_INTEGER)]
    to: Annotated[int | None, Field(ge=0, le=MAX_INTEGER)] = None
    insert: str = ""


@dataclass(frozen=True, slots=True)
class NewEdit:
    """The body of an edit."""

    __pydantic_config__ = _STRICT

    changes: Annotated[tuple[NewChange, ...], Field(strict=False, max_length=_CHANGES)] = ()
    append: str = ""
    base: str | None = None


class OpenChannel(Protocol):
    """The way to the channel of a codespace; see `pyshare.actors.supervisor.open_lease`."""

    def __call__(self, codespace: str, *, create: bool) -> AbstractAsyncContextManager[Mailbox]:
        """Hold a sending end of the channel's mailbox."""


class Edits:
    """The way of edits from requests to channels."""

    def __init__(
        self,
        open_channel: OpenChannel,
        work: AddressBuckets,
        *,
        seconds: float,
        new_id: Callable[[], str] = lambda: secrets.token_urlsafe(12),
    ) -> None:
        self._open_channel = open_channel
        # What the clients of one address may cause together, their connections included.
        self._work = work
        # Seconds in which an edit is committed or refused.
        self._seconds = seconds
        # Gives ids under which edits stand in the log.
        self._new_id = new_id

    async def commit(
        self, admission: Admission, address: Address, wanted: NewEdit, if_match: str | None, size_bytes: int
    ) -> Standing:
        """Have an edit of a request committed; return the version that it made.

        Raises:
            HTTPException: if it is wrong, too much, or for a text that has changed; says how.
            ConnectionRefused: if there is no such codespace, or it cannot be edited now, or by this token.
        """
        if admission.mode != "edit":
            raise HTTPException(HTTPStatus.FORBIDDEN, _VIEW_ONLY)
        bucket = self._work.beside(TokenBucket(_OWN_STEPS, burst=_OWN_STEPS, now=trio.current_time()), address)
        debt_seconds = bucket.debt_seconds(trio.current_time())
        if debt_seconds > 0:
            reason = "edits from your address take too much work; wait a moment"
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, reason, {"Retry-After": str(int(debt_seconds) + 1)})
        changes, base = _changes(wanted), _base(wanted, None if if_match == "*" else if_match)
        visitor = _Visitor(lambda steps: bucket.take(steps, trio.current_time()))
        visitor.charge(_STEPS + size_bytes // BYTES_A_STEP)
        exact = base is not None and wanted.base is None
        peer = Peer(self._new_id(), "", "edit")
        submit = Submit(
            visitor,
            peer,
            changes,
            wanted.append,
            epoch=base.epoch if base else None,
            version=base.version if base else None,
            exact=exact,
        )
        with trio.move_on_after(self._seconds):
            async with self._open_channel(admission.codespace, create=False) as mailbox:
                try:
                    await mailbox.send(submit)
                except trio.BrokenResourceError:
                    raise ConnectionRefused(_ENDED) from None
                outcome = await visitor.wait()
            return _committed(outcome, exact=exact)
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, _TOO_LATE, {"Retry-After": "1"})


class _Visitor:
    """One request that waits for the answer of a channel; see `pyshare.actors.messages.Visitor`."""

    def __init__(self, charge: Callable[[int], None]) -> None:
        self.charge = charge
        self._outcome: Standing | PushRefused | Closing | None = None
        self._come = trio.Event()

    def committed_nowait(self, epoch: str, version: int) -> None:
        self._take(Standing(epoch, version))

    def refuse_nowait(self, refusal: PushRefused) -> None:
        self._take(refusal)

    def close_nowait(self, closing: Closing) -> None:
        self._take(closing)

    async def wait(self) -> Standing | PushRefused | Closing:
        """Return the first answer."""
        await self._come.wait()
        assert self._outcome is not None
        return self._outcome

    def _take(self, outcome: Standing | PushRefused | Closing) -> None:
        self._outcome = self._outcome or outcome
        self._come.set()


def _changes(wanted: NewEdit) -> tuple[Change, ...]:
    """Return the changes of an edit, which stand in order."""
    changes = tuple(
        Change(each.start, each.start if each.to is None else each.to, each.insert) for each in wanted.changes
    )
    for index, each in enumerate(changes):
        if each.end < each.start:
            raise _wrong(f"changes[{index}]: from {each.start} to {each.end} goes backwards")
    for index, (one, two) in enumerate(pairwise(changes), 1):
        if two.start < one.end:
            raise _wrong(f"changes[{index}]: begins at {two.start}, before the end of the change before it")
    return changes


def _base(wanted: NewEdit, if_match: str | None) -> Standing | None:
    """Return the text that an edit is for, if it names one."""
    if if_match is not None and wanted.base is not None:
        raise _wrong("base: not beside If-Match; with base an edit is moved behind others, with If-Match it is refused")
    tag = if_match or wanted.base
    if tag is None:
        if wanted.changes:
            raise HTTPException(HTTPStatus.PRECONDITION_REQUIRED, _NO_BASE)
        return None
    match = _TAG.fullmatch(tag.strip())
    if match is None:
        raise _wrong(f"{'base' if if_match is None else 'If-Match'}: should be one ETag, as GET of the text answers it")
    return Standing(match["epoch"], int(match["version"]))


def _wrong(reason: str) -> HTTPException:
    return HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, reason)


def _committed(outcome: Standing | PushRefused | Closing, *, exact: bool) -> Standing:
    """Return the version that an edit made, or raise what its request is answered with."""
    if isinstance(outcome, Standing):
        return outcome
    if isinstance(outcome, Closing):
        raise ConnectionRefused(outcome)
    changed = HTTPStatus.PRECONDITION_FAILED if exact else HTTPStatus.CONFLICT
    raise HTTPException(_STATUSES.get(outcome.code, changed), outcome.reason)
