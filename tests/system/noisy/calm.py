"""Ten calm editors of one codespace: they type, and measure how long each edit takes to come back."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from random import Random
from statistics import median

import trio

from pyshare.client import Codespace, connect
from pyshare.client.transport import Connection, open_websocket
from tests.system.server import PATIENCE_SECONDS

#: How many there are, and seconds between two edits of one.
EDITORS = 10
PAUSE_SECONDS = 0.15


class Dials:
    """Connections that the calm clients have opened."""

    def __init__(self) -> None:
        self.count = 0

    def open(self, url: str, max_message_bytes: int) -> AbstractAsyncContextManager[Connection]:
        """Open another one."""
        self.count += 1
        return open_websocket(url, max_message_bytes)


@dataclass
class RoundTrips:
    """How long edits took to come back, in seconds."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.seconds) if self.seconds else 0.0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Add the time that the body takes, one that is cancelled as well."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds.append(time.perf_counter() - began)

    @property
    def worst(self) -> float:
        """The longest one."""
        return max(self.seconds, default=0.0)


class Calm:
    """The calm editors together."""

    def __init__(self, codespaces: list[Codespace], dials: Dials, random: Random) -> None:
        self._codespaces = codespaces
        self._dials = dials
        self._random = random
        # Characters that each has typed, of its own kind.
        self._typed = [0] * len(codespaces)
        # Where round trips are counted now, and since when each editor waits.
        self.round_trips = RoundTrips()
        self._waits: dict[int, float] = {}

    def character(self, index: int) -> str:
        """Return the character that only this editor types."""
        return chr(0x4E00 + index)

    async def type_on(self, index: int) -> None:
        """Type at random places for as long as nobody cancels it."""
        codespace = self._codespaces[index]
        await trio.sleep(self._random.random() * PAUSE_SECONDS)
        while True:
            before = codespace.text[: self._random.randrange(len(codespace.text) + 1)]
            codespace.insert(len(before.encode("utf-16-le")) // 2, self.character(index))
            self._typed[index] += 1
            self._waits[index] = time.perf_counter()
            await codespace.wait_confirmed()
            self.round_trips.seconds.append(time.perf_counter() - self._waits.pop(index))
            await trio.sleep(PAUSE_SECONDS)

    @property
    def lost(self) -> int:
        """How many connections they have lost."""
        return self._dials.count - len(self._codespaces)

    def start_measuring(self) -> None:
        """Count from now on."""
        self.round_trips = RoundTrips()

    def stop_measuring(self) -> RoundTrips:
        """Return what was counted, those who still wait as well."""
        now = time.perf_counter()
        waiting = [now - since for since in self._waits.values() if now - since > 0.25]
        return RoundTrips([*self.round_trips.seconds, *waiting])

    async def check(self) -> None:
        """See that all show one text, in which stands what each has typed, and nothing else of theirs.

        Raises:
            AssertionError: if not.
        """
        for codespace in self._codespaces:
            await codespace.wait_confirmed()
        for codespace in self._codespaces:
            await codespace.wait_text(lambda shown: shown == self._codespaces[0].text)
        text = self._codespaces[0].text
        assert [text.count(self.character(index)) for index in range(len(self._typed))] == self._typed


@asynccontextmanager
async def calm_editors(url: str, random: Random) -> AsyncIterator[Calm]:
    """Hold ten calm editors that type until the context is left; then they are checked."""
    async with AsyncExitStack() as stack:
        dials = Dials()
        codespaces = [
            await stack.enter_async_context(connect(url, name=f"calm {index}", open_connection=dials.open))
            for index in range(EDITORS)
        ]
        calm = Calm(codespaces, dials, random)
        async with trio.open_nursery() as nursery:
            for index in range(EDITORS):
                nursery.start_soon(calm.type_on, index, name=f"calm editor {index}")
            yield calm
            nursery.cancel_scope.cancel()
        with trio.fail_after(PATIENCE_SECONDS):
            await calm.check()
