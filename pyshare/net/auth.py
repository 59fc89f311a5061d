"""Who may join a codespace, and in which mode.

A token is tried in one order of ways, and the first that knows it decides. A
failure that is not the token's never says that the token is bad: the client is
asked to come back. Tokens are secrets; no log line and no task's name has one.
"""

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import quote

import httpx
import trio
from pydantic import UUID4, ConfigDict, TypeAdapter, ValidationError

from pyshare.core.errors import CloseCode, Closing, ConfigurationError, ConnectionRefused
from pyshare.core.protocol import Mode
from pyshare.net.tokens import Signer

logger = logging.getLogger(__name__)

#: What any token looks like: the API's are URL-safe base64 (SHAREPYTHON.md, "The API"), signed ones have dots too.
_TOKEN = re.compile(r"[A-Za-z0-9_.=-]{1,512}")
_TMP = re.compile(r"tmp-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
#: Bytes of an answer of the API that are read; what it sends to us is far below that.
_ANSWER_BYTES = 65_536

_NOT_A_TOKEN = Closing(CloseCode.NOT_AUTHENTICATED, "this is no token; open the codespace anew")
_NO_API = Closing(CloseCode.NOT_AUTHENTICATED, "unknown token; this server expects tmp-<uuid4>, or a link of its own")
_NO_ANSWER = Closing(CloseCode.TRY_LATER, "the token could not be checked; try again later")
_BAD_ANSWER = Closing(CloseCode.OUR_FAULT, "the API's answer was not understood; try again later")
_NO_SUCH = Closing(CloseCode.NO_SUCH_CODESPACE, "no such codespace; it may have been deleted")


@dataclass(frozen=True, slots=True)
class Admission:
    """What a token is good for."""

    codespace: str
    mode: Mode
    #: Whether the codespace is made if the store has none of that id.
    create: bool
    #: When that ends, in seconds since 1970; None: not before the codespace does.
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """How the API is asked."""

    #: Seconds for one request.
    request_seconds: float = 5
    #: Requests for one token, the first one included, before the client is told to come back.
    requests: int = 4
    #: Seconds before the first and, doubled each time, at most before a later request after a failure.
    first_retry_seconds: float = 0.25
    last_retry_seconds: float = 4
    #: Longest `Retry-After` that is waited for; told to wait longer, the client is told to come back.
    longest_wait_seconds: float = 60
    #: Requests at one time.
    concurrent: int = 16


@dataclass(slots=True, eq=False)
class _Question:
    """One token that the API is being asked about, and how many wait for the answer."""

    answer: Admission | Closing = _NO_ANSWER
    answered: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Retry:
    """No answer about the token; `seconds` is for how long the API wants to be left alone, if it said."""

    cause: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """What the API says of a good token."""

    __pydantic_config__ = ConfigDict(strict=True, extra="ignore")

    uuid: UUID4
    mode: Mode


@dataclass(frozen=True, slots=True)
class _Detail:
    """What the API says of a bad one."""

    detail: str


_KNOWN = TypeAdapter(_Known)
_DETAIL = TypeAdapter(_Detail)


class Authenticator:
    """Says what a token is good for. `open_authenticator` makes one."""

    def __init__(self, api: "TokenApi | None", signer: Signer | None = None, *, make_missing: bool = True) -> None:
        self._api = api
        self._signer = signer
        # Whether a token of ours may make its codespace.
        self._make_missing = make_missing
        # The ways in which a token is tried, in order; None from a way: it is for another to say.
        self._ways: tuple[Callable[[str], Awaitable[Admission | None]], ...] = (
            self._by_id,
            self._by_signature,
            self._by_api,
        )

    async def admit(self, token: str) -> Admission:
        """Return what `token` is good for. Cancelled, it is forgotten; others who ask the same are not.

        Raises:
            ConnectionRefused: 4401, 4404 or 4410 if it is good for nothing, 1011 or 1013 if that is not known.
        """
        if not _TOKEN.fullmatch(token):
            raise ConnectionRefused(_NOT_A_TOKEN)
        for way in self._ways:
            admission = await way(token)
            if admission is not None:
                return admission
        raise ConnectionRefused(_NO_API)

    async def _by_id(self, token: str) -> Admission | None:
        """Admit to a temporary codespace, whose id is its token; with an API, only the API makes them."""
        if not _TMP.fullmatch(token):
            return None
        return Admission(token.lower(), "edit", create=self._api is None)

    async def _by_signature(self, token: str) -> Admission | None:  # noqa: ASYNC124 - as the other ways
        """Admit to what a token of ours names."""
        grant = self._signer.read(token) if self._signer else None
        if grant is None:
            return None
        create = grant.create and self._make_missing
        return Admission(grant.codespace, grant.mode, create=create, expires=grant.expires)

    async def _by_api(self, token: str) -> Admission | None:
        if "." in token:
            # Signed by somebody, and none of the API's.
            raise ConnectionRefused(_NOT_A_TOKEN)
        return await self._api.ask(token) if self._api else None


class TokenApi:
    """The API that knows tokens, asked once for all who want to know the same at the same time."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        nursery: trio.Nursery,
        base_url: str,
        *,
        make_missing: bool,
        limits: ApiLimits,
    ) -> None:
        self._client = client
        # Where questions are asked, so that none depends on a caller's fate.
        self._nursery = nursery
        self._base_url = base_url.rstrip("/") + "/"
        self._make_missing = make_missing
        self._limits = limits
        # What is being asked, by token.
        self._questions: dict[str, _Question] = {}
        # Requests under way.
        self._slots = trio.CapacityLimiter(limits.concurrent)
        # Until when the API wants to be left alone; it throttles all questions of one server together.
        self._quiet_until = float("-inf")

    async def ask(self, token: str) -> Admission:
        """Return what the API says of `token`.

        Raises:
            ConnectionRefused: as `Authenticator.admit` does.
        """
        question = self._questions.get(token)
        if question is None:
            question = self._questions[token] = _Question()
            self._nursery.start_soon(self._answer, token, question, name="question to the API")
        question.waiting += 1
        try:
            await question.answered.wait()
        finally:
            question.waiting -= 1
            if not question.waiting:
                question.scope.cancel()
                self._forget(token, question)
        if isinstance(question.answer, Closing):
            raise ConnectionRefused(question.answer)
        return question.answer

    async def _answer(self, token: str, question: _Question) -> None:
        try:
            with question.scope:
                question.answer = await self._request_until_known(token)
        finally:
            self._forget(token, question)
            question.answered.set()

    def _forget(self, token: str, question: _Question) -> None:
        if self._questions.get(token) is question:
            del self._questions[token]

    async def _request_until_known(self, token: str) -> Admission | Closing:
        pause = self._limits.first_retry_seconds
        for left in reversed(range(self._limits.requests)):
            async with self._slots:
                await trio.sleep_until(self._quiet_until)
                outcome = await self._request(token)
            if not isinstance(outcome, _Retry):
                return outcome
            logger.warning("the API did not answer about a token", extra={"cause": outcome.cause})
            if (outcome.seconds or 0) > self._limits.longest_wait_seconds or not left:
                break
            if outcome.seconds is not None:
                self._quiet_until = trio.current_time() + outcome.seconds
            else:
                await trio.sleep(pause)
                pause = min(2 * pause, self._limits.last_retry_seconds)
        return _NO_ANSWER

    async def _request(self, token: str) -> Admission | Closing | _Retry:
        url = f"{self._base_url}codespace/{quote(token, safe='')}/?fields=uuid,mode"
        try:
            with trio.move_on_after(self._limits.request_seconds):
                async with self._client.stream("GET", url) as response:
                    return self._understand(response, await _read(response))
        except httpx.HTTPError as error:
            # Its text may hold the address, and that the token.
            return _Retry(type(error).__name__)
        return _Retry("time-out")

    def _understand(self, response: httpx.Response, body: bytes) -> Admission | Closing | _Retry:
        status = response.status_code
        if status == HTTPStatus.OK:
            try:
                known = _KNOWN.validate_json(body)
            except ValidationError:
                # Without the error, which quotes what was answered.
                logger.error("the API's answer about a token was not understood")
                return _BAD_ANSWER
            return Admission(str(known.uuid), known.mode, create=self._make_missing)
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return Closing(CloseCode.NOT_AUTHENTICATED, _detail(body))
        if status == HTTPStatus.NOT_FOUND:
            return _NO_SUCH
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return _Retry("throttled", _seconds(response.headers.get("Retry-After")))
        if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return _Retry(f"status {status}")
        logger.error("the API answered about a token with an unexpected status", extra={"status": status})
        return _BAD_ANSWER


async def _read(response: httpx.Response) -> bytes:
    """Return the body; of one that is too long only so much that it is no JSON any more."""
    body = b""
    async for part in response.aiter_bytes(_ANSWER_BYTES):
        if len(body) <= _ANSWER_BYTES:
            body += part
    return body[: _ANSWER_BYTES + 1]


def _detail(body: bytes) -> str:
    try:
        return _DETAIL.validate_json(body).detail or _NOT_A_TOKEN.reason
    except ValidationError:
        return "the token is not valid, or no longer; open the codespace anew"


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a `Retry-After`; None for a date, which is not worth a clock, or nonsense."""
    return float(retry_after) if retry_after and re.fullmatch(r"[0-9]{1,9}", retry_after) else None


def _check_address(api_base_url: str) -> None:
    try:
        url = httpx.URL(api_base_url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"API_BASE_URL is no address: {error}") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigurationError("API_BASE_URL should be like https://example.org/api/")


@asynccontextmanager
async def open_authenticator(
    api_base_url: str | None,
    *,
    make_missing: bool,
    signer: Signer | None = None,
    limits: ApiLimits | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[Authenticator]:
    """Serve an authenticator until the context is left; questions under way end with it, unanswered.

    `make_missing` says whether codespaces of which the API knows, but the
    store does not, are made. Without `api_base_url` there are only temporary
    codespaces, and whoever comes first makes them, and those that tokens of
    ours name, which are read by `signer`, if there is one. `transport` stands
    in for the network.

    Raises:
        ConfigurationError: if `api_base_url` is no address of an API.
    """
    if api_base_url is None:
        yield Authenticator(None, signer)
        return
    _check_address(api_base_url)
    limits = limits or ApiLimits()
    # Its lines tell of each request with the address, and that holds the token.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    connections = httpx.Limits(max_connections=limits.concurrent, max_keepalive_connections=limits.concurrent)
    # The time limit of a request is the scope round it.
    async with (
        httpx.AsyncClient(transport=transport, limits=connections, timeout=None) as client,
        trio.open_nursery() as nursery,
    ):
        api = TokenApi(client, nursery, api_base_url, make_missing=make_missing, limits=limits)
        yield Authenticator(api, signer, make_missing=make_missing)
        nursery.cancel_scope.cancel()
