"""People who type without pause into one codespace, on real servers, while a test does its worst."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import trio

from pyshare.client import Codespace, connect
from pyshare.client.events import EventStream, Reconnected, StorageChanged
from pyshare.core.protocol import Storage

#: Seconds in which everything has to come to rest.
PATIENCE_SECONDS = 60.0
#: Seconds between two keys of one person, at most.
_KEY_SECONDS = 0.02
#: Where the letters begin, of which nobody types one that was typed before.
_FIRST_LETTER = 0x4E00


class Typist:
    """Somebody at an editor."""

    def __init__(self, codespace: Codespace) -> None:
        self.codespace = codespace
        self.typed: list[str] = []
        # What the server has told of the storage, and how often the connection came back.
        self.storage: list[Storage] = []
        self.reconnects = 0

    async def watch(self, events: EventStream) -> None:
        """Note what happens."""
        async for event in events:
            if isinstance(event, StorageChanged):
                self.storage.append(event.storage)
            self.reconnects += isinstance(event, Reconnected)


class Scene:
    """Everybody who types into one codespace."""

    def __init__(self, nursery: trio.Nursery, random: Random) -> None:
        self.typists: list[Typist] = []
        self._nursery = nursery
        self._random = random
        self._letters = iter(map(chr, range(_FIRST_LETTER, 0xD7FF)))
        self._typing: list[trio.CancelScope] = []

    async def joins(self, url: str) -> Typist:
        """Have somebody join; they are connected when this returns."""
        typist = await self._nursery.start(self._attend, url)
        assert isinstance(typist, Typist)
        self.typists.append(typist)
        return typist

    def types(self, *typists: Typist) -> None:
        """Let everybody type, or those who are named, until told to stop."""
        for typist in typists or self.typists:
            self._nursery.start_soon(self._type, typist)

    async def passes(self, seconds: float) -> None:
        """Let time pass."""
        await trio.sleep(seconds)

    async def waits_typed(self, letters: int) -> None:
        """Wait until everybody together has typed so many more."""
        wanted = self.letters + letters
        with trio.fail_after(PATIENCE_SECONDS):
            while self.letters < wanted:  # noqa: ASYNC110 - nobody tells
                await trio.sleep(_KEY_SECONDS)

    @property
    def letters(self) -> int:
        """How many letters were typed so far."""
        return sum(len(typist.typed) for typist in self.typists)

    async def stops(self) -> None:
        """Stop typing, and wait until everybody has everything."""
        while self._typing:
            self._typing.pop().cancel()
        with trio.fail_after(PATIENCE_SECONDS):
            for typist in self.typists:
                await typist.codespace.wait_confirmed()
            version = max(typist.codespace.version for typist in self.typists)
            for typist in self.typists:
                await typist.codespace.wait_version(version)

    async def agrees(self) -> str:
        """Stop typing; return the text once everybody has it, with everything in it that was typed, once."""
        await self.stops()
        texts = {typist.codespace.text for typist in self.typists}
        (text,) = texts
        typed = [letter for typist in self.typists for letter in typist.typed]
        assert sorted(text.replace("\U0001f600", "")) == sorted(typed)
        return text

    async def _attend(self, url: str, *, task_status: trio.TaskStatus[Typist]) -> None:
        async with connect(url, name="a typist") as codespace:
            typist = Typist(codespace)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(typist.watch, codespace.events())
                task_status.started(typist)

    async def _type(self, typist: Typist) -> None:
        with trio.CancelScope() as scope:
            self._typing.append(scope)
            while True:
                place = self._random.randrange(typist.codespace.length + 1)
                letter = next(self._letters)
                emoji = self._random.choice(("", "\U0001f600"))
                typist.codespace.insert(place, letter + emoji)
                typist.typed.append(letter)
                await trio.sleep(self._random.random() * _KEY_SECONDS)


@asynccontextmanager
async def open_scene(seed: int) -> AsyncIterator[Scene]:
    """Hold a scene; everybody has left when the context is left."""
    async with trio.open_nursery() as nursery:
        yield Scene(nursery, Random(seed))
        nursery.cancel_scope.cancel()
