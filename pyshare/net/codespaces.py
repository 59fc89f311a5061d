"""Codespaces over HTTP: a new one, a link to one, the text of one, read and edited.

A link is a token of this server's (`net/tokens.py`). A client that has a token
of a codespace can make links from it that are good for as much, or for less.
A token of the API can be taken back, which a link cannot: a link made from one
works for a short time only.
"""

import math
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, TypeVar

import trio
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.core.explanations import explain
from pyshare.core.protocol import Mode
from pyshare.core.units import from_units, normalise_line_breaks, to_units
from pyshare.net.addresses import Address
from pyshare.net.answers import answer
from pyshare.net.auth import Admission
from pyshare.net.creations import Creations, Refusal
from pyshare.net.edits import Edits, NewEdit
from pyshare.net.tokens import Grant, Signer
from pyshare.store.folding import folded
from pyshare.store.interface import Appended, Standing, Store

#: Seconds that a link may work: ten years.
LONGEST_SECONDS = 315_360_000
#: Who has put the first text into a codespace, in its log. No client's id is empty.
_NOBODY = ""
_JSON = "application/json"

_NO_SUCH = Closing(CloseCode.NO_SUCH_CODESPACE, "no such codespace; it may have expired, or been deleted")
_NOT_ALLOWED = Closing(CloseCode.NOT_ALLOWED, "mode: this token is for looking only, and so are links from it")
_NO_API_LINKS = Closing(CloseCode.NOT_ALLOWED, "this server makes no links from tokens of its API")
_NOT_CHECKED = Closing(CloseCode.TRY_LATER, "the token could not be checked in time; try again later")

_Body = TypeVar("_Body")
_Seconds = Annotated[int, Field(ge=1, le=LONGEST_SECONDS)]
_STRICT = ConfigDict(strict=True, extra="forbid")


@dataclass(frozen=True, slots=True)
class CodespacesLimits:
    """Limits of the endpoints."""

    #: UTF-16 code units of a text.
    text_units: int = 524_288
    #: Bytes of a request that edits a text.
    edit_bytes: int = 1_048_576
    #: Texts that are read from the store at one time; other requests wait.
    texts_at_once: int = 4
    #: Seconds that a link works which is made from a token of the API; with 0 there are none.
    api_link_seconds: int = 3600
    #: Seconds for finding out what a token is good for.
    authentication_seconds: float = 8


@dataclass(frozen=True, slots=True)
class _NewCodespace:
    """What a new codespace is asked to be."""

    __pydantic_config__ = _STRICT

    text: str = ""
    expires_in: _Seconds | None = None


@dataclass(frozen=True, slots=True)
class _NewLink:
    """What a link is asked to be good for."""

    __pydantic_config__ = _STRICT

    mode: Mode = "view_only"
    expires_in: _Seconds | None = None


_NEW_CODESPACE = TypeAdapter(_NewCodespace)
_NEW_LINK = TypeAdapter(_NewLink)
_NEW_EDIT = TypeAdapter(NewEdit)


class Codespaces:
    """The endpoints of codespaces."""

    def __init__(
        self,
        store: Store,
        admit: Callable[[str, str], Awaitable[Admission]],
        signer: Signer,
        *,
        edits: Edits,
        creations: Creations | None = None,
        limits: CodespacesLimits | None = None,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._store = store
        # Says what a token is good for; of those that wait, each address, which it is told, has its turn.
        self._admit = admit
        self._signer = signer
        # Has edits committed.
        self._edits = edits
        self._limits = limits or CodespacesLimits()
        self._new_id = new_id
        # Who reads a text: each takes memory and turns for it.
        self._reading = trio.CapacityLimiter(self._limits.texts_at_once)
        self._creations = creations or Creations()

    @property
    def routes(self) -> Sequence[Route]:
        """Where the endpoints are found."""
        return (
            Route("/codespaces", self._create, methods=["POST"]),
            # Else the page, which comes last, would say that there is nothing.
            Route("/codespaces", _only_post, methods=["GET"]),
            Route("/codespaces/{token}/links", self._link, methods=["POST"]),
            Route("/codespaces/{token}/text", self._text_or_edit, methods=["GET", "PATCH"]),
        )

    async def _create(self, request: Request) -> JSONResponse:
        """Make a codespace with a text, and a link to it of each kind."""
        _check(self._creations.foreign(request.headers))
        wanted = await _parse(request, _NEW_CODESPACE)
        text = normalise_line_breaks(to_units(wanted.text))
        if len(text) > self._limits.text_units:
            reason = f"text: {len(text)} UTF-16 code units; a text has at most {self._limits.text_units}"
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, reason)
        _check(self._creations.by_http(_address(request)))
        codespace = self._new_id()
        await self._make(codespace, text)
        expires = self._until(wanted.expires_in)
        links = {mode: self._sign(Grant(codespace, mode, expires)) for mode in ("edit", "view_only")}
        return answer(HTTPStatus.CREATED, {"codespace": codespace, **links})

    async def _link(self, request: Request) -> JSONResponse:
        """Make a link from a token, good for as much as the token or for less."""
        _check(self._creations.foreign(request.headers))
        wanted = await _parse(request, _NEW_LINK)
        admission = await self._admitted(request)
        if wanted.mode == "edit" and admission.mode != "edit":
            raise ConnectionRefused(_NOT_ALLOWED)
        ends = [each for each in (admission.expires, self._until(wanted.expires_in)) if each is not None]
        if admission.by == "api":
            if not self._limits.api_link_seconds:
                raise ConnectionRefused(_NO_API_LINKS)
            ends.append(int(self._signer.now()) + self._limits.api_link_seconds)
        create = admission.create and wanted.mode == "edit"
        grant = Grant(admission.codespace, wanted.mode, min(ends, default=None), create)
        return answer(HTTPStatus.CREATED, {"mode": grant.mode, **self._sign(grant)})

    async def _text_or_edit(self, request: Request) -> Response:
        return await (self._edit(request) if request.method == "PATCH" else self._text(request))

    async def _edit(self, request: Request) -> Response:
        """Have an edit committed; answer the version that it made."""
        _check(self._creations.foreign(request.headers))
        size_bytes = len(await request.body())
        if size_bytes > self._limits.edit_bytes:
            reason = f"an edit has at most {self._limits.edit_bytes} bytes; send it in parts"
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
        wanted = await _parse(request, _NEW_EDIT)
        admission = await self._admitted(request)
        if_match = request.headers.get("if-match")
        standing = await self._edits.commit(admission, _address(request), wanted, if_match, size_bytes)
        return answer(HTTPStatus.OK, {"version": standing.version}, {"ETag": _tag(standing)})

    async def _text(self, request: Request) -> Response:
        """Answer the committed text."""
        admission = await self._admitted(request)
        standing = await self._store.look(admission.codespace)
        if standing is None:
            raise ConnectionRefused(_NO_SUCH)
        if _tag(standing) in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=_text_headers(_tag(standing)))
        async with self._reading:
            snapshot = await self._store.read_text(admission.codespace)
            if snapshot is None:
                raise ConnectionRefused(_NO_SUCH)
            snapshot = await folded(snapshot)
        tag = _tag(Standing(snapshot.epoch, snapshot.version))
        return Response(from_units(snapshot.text), headers=_text_headers(tag), media_type="text/plain")

    async def _admitted(self, request: Request) -> Admission:
        with trio.move_on_after(self._limits.authentication_seconds):
            return await self._admit(request.path_params["token"], _address(request).network or "")
        raise ConnectionRefused(_NOT_CHECKED)

    async def _make(self, codespace: str, text: str) -> None:
        snapshot = await self._store.load(codespace, create=True)
        if not text:
            return
        changes = ChangeSet.of([Change(0, 0, text)], 0)
        update = Update(_NOBODY, 1, changes)
        # Nobody knows its id yet, so that nothing else can be in its log.
        made = snapshot and await self._store.append(
            codespace, snapshot.epoch, expected=snapshot.version, updates=[update], text=text
        )
        if not isinstance(made, Appended):
            raise ConnectionRefused(Closing(CloseCode.TRY_LATER, "the text could not be stored; try again"))

    def _until(self, seconds: int | None) -> int | None:
        # Tokens count whole seconds: a link works for those that were asked for, and less than one more.
        return None if seconds is None else math.ceil(self._signer.now()) + seconds

    def _sign(self, grant: Grant) -> dict[str, object]:
        return {"token": self._signer.sign(grant), "expires": grant.expires}


async def _only_post(request: Request) -> Response:  # noqa: ASYNC124 - Starlette has threads for others
    raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})


def _tag(standing: Standing) -> str:
    """Return the tag of the text of that epoch and version."""
    return f'"{standing.epoch}-{standing.version}"'


def _text_headers(tag: str) -> Mapping[str, str]:
    return {"ETag": tag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}


def _address(request: Request) -> Address:
    """Return the address that a request comes from."""
    return Address(*request.client) if request.client else Address("unknown")


def _check(refusal: Refusal | None) -> None:
    """Raise what a refusal is answered with, if there is one."""
    if refusal is not None:
        if refusal.seconds is None:
            raise ConnectionRefused(refusal.closing)
        retry = {"Retry-After": str(int(refusal.seconds) + 1)}
        raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, refusal.closing.reason, retry)


async def _parse(request: Request, adapter: TypeAdapter[_Body]) -> _Body:
    """Return what the body asks for; without one, what is asked for by default.

    No form of another page can send this type, with a body or without.
    """
    body = await request.body()
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type: must be {_JSON}, also without a body")
    try:
        return adapter.validate_json(body or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise HTTPException(HTTPStatus.BAD_REQUEST, f"body: {first['msg']}") from None
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, explain(first, whole="body")) from None
