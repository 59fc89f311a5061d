"""The API that knows tokens, as the processes of a world reach it: it answers late, fails, is silent, or refuses.

The server's own authenticator asks it. So the words that it has given are
known here, and nobody may be let in without one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Final, Literal
from urllib.parse import unquote

import httpx
import trio
from typing_extensions import override

from pyshare.core.errors import CloseCode, ConnectionRefused
from pyshare.net.auth import Admission, ApiLimits, open_authenticator
from simulation.chance import PROCESS
from simulation.clock import Clock
from simulation.story import Story

Mood = Literal["well", "late", "fails", "silent", "refuses"]

LIMITS: Final = ApiLimits(
    request_seconds=1.5,
    requests=2,
    first_retry_seconds=0.2,
    last_retry_seconds=1,
    longest_wait_seconds=5,
    good_seconds=4,
    bad_seconds=2,
)
#: Seconds for which a process may be stopped between the API's word and what follows from the word.
_STOPPED_SECONDS = 10
_ADDRESS = "http://api.example/v1/"
#: Answers about a token that say nothing of the token, with the seconds of `Retry-After`.
_FAILURES = ((500, None), (502, None), (503, None), (429, "1"), (429, "2"))
_REFUSALS = (401, 403, 404)


@dataclass(frozen=True, slots=True)
class _Word:
    """The last word that a process has heard about a token."""

    good: bool
    time: float


class Api(httpx.AsyncBaseTransport):
    """An API that knows one codespace, with any number of tokens: `edit-NAME` and `view_only-NAME`."""

    def __init__(self, codespace: str, clock: Clock, random: Random, story: Story) -> None:
        self._codespace = codespace
        self._clock = clock
        self._random = random
        self._story = story
        self.mood: Mood = "well"
        # By process and token.
        self._words: dict[tuple[str, str], _Word] = {}
        # Tokens that were ever refused.
        self._refused: set[str] = set()

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a question about a token, as the mood has it."""
        token = unquote(request.url.raw_path.decode().split("/")[-2])
        mood, random = self.mood, self._random
        await trio.sleep(random.random() * 2.5 if mood == "late" else 0.002)
        match mood:
            case "silent":
                await trio.sleep_forever()
            case "fails":
                if random.random() < 0.3:
                    raise httpx.ConnectError("simulated: nobody is there")
                status, seconds = random.choice(_FAILURES)
                return httpx.Response(status, headers={"Retry-After": seconds} if seconds else {})
            case "refuses":
                self._words[PROCESS.get(), token] = _Word(False, self._clock.now)
                self._refused.add(token)
                return httpx.Response(random.choice(_REFUSALS), json={"detail": "simulated: no such token"})
            case _:
                pass
        self._words[PROCESS.get(), token] = _Word(True, self._clock.now)
        return httpx.Response(200, json={"uuid": self._codespace, "mode": mode_of(token)})

    def has_refused(self, token: str) -> bool:
        """Return whether the API has ever said that a token is bad."""
        return token in self._refused

    @asynccontextmanager
    async def open_admission(
        self, process: str, fails: Callable[[str], None]
    ) -> AsyncIterator[Callable[[str], Awaitable[Admission]]]:
        """Serve a process's authenticator; `fails` is told if it lets somebody in without the API's word."""
        async with open_authenticator(_ADDRESS, make_missing=True, limits=LIMITS, transport=self) as authenticator:

            async def admit(token: str) -> Admission:
                try:
                    admission = await authenticator.admit(token)
                except ConnectionRefused as refusal:
                    unknown = refusal.closing.code is CloseCode.TRY_LATER
                    self._story.count("token could not be checked" if unknown else "token refused by the API")
                    raise
                word = self._words.get((process, token))
                oldest = self._clock.now - LIMITS.good_seconds - _STOPPED_SECONDS
                if word is None or not word.good or word.time < oldest:
                    fails(f"{process} let {token} in, and the API has said {word} of it")
                if (admission.codespace, admission.mode) != (self._codespace, mode_of(token)):
                    fails(f"{process} gave {token} more or less than the API has said: {admission}")
                return admission

            yield admit


def mode_of(token: str) -> str:
    """Return the mode that a token is good for."""
    return token.partition("-")[0]
