"""The API that knows tokens: asked once about each, in turns by address, and its word remembered for some seconds.

No log line and no task's name has a token.
"""

import logging
import re
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal
from urllib.parse import quote

import httpx
import trio
from pydantic import UUID4, ConfigDict, TypeAdapter, ValidationError

from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.core.protocol import Mode
from pyshare.net.lines import Lines

logger = logging.getLogger(__name__)

#: Bytes of an answer of the API that are read; what it sends to us is far below that.
_ANSWER_BYTES = 65_536

_INVALID = "invalid token, or one that has ended; open the codespace again"
_NO_ANSWER = Closing(CloseCode.TRY_LATER, "the token could not be checked; try again later")
_BAD_ANSWER = Closing(CloseCode.OUR_FAULT, "the API's answer was not understood; try again later")
_TOO_MANY = Closing(CloseCode.TRY_LATER, "too many tokens wait to be checked; try again later")
_NO_SUCH = Closing(CloseCode.NO_SUCH_CODESPACE, "no such codespace; it may have been deleted")


@dataclass(frozen=True, slots=True)
class Admission:
    """The rights that a token gives."""

    codespace: str
    mode: Mode
    #: Whether the codespace is made if the store has none of that id.
    create: bool
    #: When that ends, in seconds since 1970; None: not before the codespace does.
    expires: int | None = None
    #: The way in which the token was understood: as the id of a temporary codespace, as a link, or by the API.
    by: Literal["id", "link", "api"] = "link"


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
    #: Requests at one time, and tokens that wait for theirs; one more has to come back later.
    concurrent: int = 16
    waiting: int = 1024
    #: Seconds for which the API's word that a token is good, or bad, is taken again without a question.
    good_seconds: float = 10
    bad_seconds: float = 5
    #: Tokens of each kind that are remembered; above it the oldest is forgotten.
    remembered: int = 10_000


@dataclass(slots=True, eq=False)
class _Question:
    """One token that the API is being asked about, and how many wait for the answer."""

    answer: Admission | Closing = _NO_ANSWER
    answered: trio.Event = field(default_factory=trio.Event)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    waiting: int = 0
    #: The lines in which it waits for its turn, one for each address that asks.
    lines: set[str] = field(default_factory=set)
    #: Set when it is its turn, or when it had to leave all lines.
    turn: trio.Event = field(default_factory=trio.Event)
    #: Whether it has one of the places of requests under way.
    has_place: bool = False


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


class _Answers:
    """Answers about tokens, each known for some seconds, a bounded number of them."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        # By token, the oldest first: the answer, and until when it is known.
        self._known: OrderedDict[str, tuple[Admission | Closing, float]] = OrderedDict()

    def find(self, token: str) -> Admission | Closing | None:
        """Return the answer about a token, if it is known."""
        answer, until = self._known.get(token, (None, 0.0))
        return answer if until > trio.current_time() else None

    def keep(self, token: str, answer: Admission | Closing) -> None:
        """Know an answer from now on."""
        now = trio.current_time()
        self._known.pop(token, None)
        self._known[token] = (answer, now + self._seconds)
        while len(self._known) > self._most or next(iter(self._known.values()))[1] <= now:
            self._known.popitem(last=False)
            if not self._known:
                break


class TokenApi:
    """The API that knows tokens, asked once for all who want to know the same within some seconds.

    Questions that cannot be asked at once wait in lines, one for each address,
    and are asked in turns. So a thousand made-up tokens of one address delay
    nobody else by more than what is under way.
    """

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
        # What is remembered of tokens that were good, and of those that were bad: apart, so that made-up tokens
        # do not have good ones forgotten.
        self._good = _Answers(limits.good_seconds, limits.remembered)
        self._bad = _Answers(limits.bad_seconds, limits.remembered)
        # Requests that may be made now, and the questions that wait for their turn.
        self._free = limits.concurrent
        self._lines = Lines[_Question](limits.waiting)
        # Until when the API wants to be left alone; it throttles all questions of one server together.
        self._quiet_until = float("-inf")
        # Whether a task waits for that.
        self._is_quiet = False

    async def ask(self, token: str, line: str = "") -> Admission:
        """Return what the API says of `token`; `line` is the line in which its question waits.

        Raises:
            ConnectionRefused: as `Authenticator.admit` does.
        """
        known = self._good.find(token) or self._bad.find(token)
        answer = await self._ask(token, line) if known is None else known
        if isinstance(answer, Closing):
            raise ConnectionRefused(answer)
        return answer

    async def _ask(self, token: str, line: str) -> Admission | Closing:
        question = self._questions.get(token)
        if question is None:
            question = self._questions[token] = _Question()
            self._nursery.start_soon(self._answer, token, question, name="question to the API")
        question.waiting += 1
        # Who asks the same from elsewhere does not wait behind the first one's neighbours.
        if line not in question.lines:
            question.lines.add(line)
            if question in self._lines:
                self._enter(question, line)
        try:
            await question.answered.wait()
        finally:
            question.waiting -= 1
            if not question.waiting:
                question.scope.cancel()
                self._forget(token, question)
        return question.answer

    async def _answer(self, token: str, question: _Question) -> None:
        try:
            with question.scope:
                question.answer = await self._request_until_known(token, question)
        finally:
            self._forget(token, question)
            question.answered.set()

    def _forget(self, token: str, question: _Question) -> None:
        if self._questions.get(token) is question:
            del self._questions[token]

    @asynccontextmanager
    async def _turn(self, question: _Question, *, first: bool) -> AsyncIterator[bool]:
        """Wait for one of the places of requests, and hold it; yield False if there is no room to wait."""
        question.turn = trio.Event()
        question.has_place = False
        for line in question.lines:
            self._enter(question, line, first=first)
        self._let_in()
        try:
            await question.turn.wait()
            yield question.has_place
        finally:
            self._lines.leave(question)
            if question.has_place:
                self._free += 1
                self._let_in()

    def _enter(self, question: _Question, line: str, *, first: bool = False) -> None:
        gone = self._lines.enter(question, line, first=first)
        if gone is not None:
            gone.turn.set()

    def _let_in(self) -> None:
        """Give the places that are free to those whose turn it is, unless the API wants to be left alone."""
        while self._free and not self._is_quiet and (question := self._lines.take()):
            self._free -= 1
            question.has_place = True
            question.turn.set()

    async def _keep_quiet(self) -> None:
        while trio.current_time() < self._quiet_until:  # noqa: ASYNC110 - the end moves
            await trio.sleep_until(self._quiet_until)
        self._is_quiet = False
        self._let_in()

    def _throttle(self, seconds: float) -> None:
        """Leave the API alone for some seconds."""
        self._quiet_until = max(self._quiet_until, trio.current_time() + seconds)
        if not self._is_quiet:
            self._is_quiet = True
            self._nursery.start_soon(self._keep_quiet, name="pause of questions to the API")

    async def _request_until_known(self, token: str, question: _Question) -> Admission | Closing:
        pause = self._limits.first_retry_seconds
        for left in reversed(range(self._limits.requests)):
            # A question that was put off was at the head of its lines.
            async with self._turn(question, first=left < self._limits.requests - 1) as has_place:
                if not has_place:
                    return _TOO_MANY
                outcome = await self._request(token)
                if not isinstance(outcome, _Retry):
                    self._remember(token, outcome)
                    return outcome
                logger.warning("the API did not answer about a token", extra={"cause": outcome.cause})
                if (outcome.seconds or 0) > self._limits.longest_wait_seconds:
                    return _NO_ANSWER
                if outcome.seconds is not None:
                    self._throttle(outcome.seconds)
            if left and outcome.seconds is None:
                await trio.sleep(pause)
                pause = min(2 * pause, self._limits.last_retry_seconds)
        return _NO_ANSWER

    def _remember(self, token: str, answer: Admission | Closing) -> None:
        """Remember what the API has said of a token, if it was about the token."""
        if isinstance(answer, Admission):
            self._good.keep(token, answer)
        elif answer.code is not CloseCode.OUR_FAULT:
            self._bad.keep(token, answer)

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
            return Admission(str(known.uuid), known.mode, create=self._make_missing, by="api")
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
        return _DETAIL.validate_json(body).detail or _INVALID
    except ValidationError:
        return _INVALID


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a `Retry-After`; None for a date, which is not worth a clock, or nonsense."""
    return float(retry_after) if retry_after and re.fullmatch(r"[0-9]{1,9}", retry_after) else None
