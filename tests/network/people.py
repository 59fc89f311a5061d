"""People with editors of each kind, on a bad network in memory."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

import trio

from pyshare.client import Codespace
from tests.network.daily import Editor
from tests.network.page import Page, open_page
from tests.network.passages import Network
from tests.network.world import World

KINDS: Final = ("python", "page")


class Person(Editor, Protocol):
    """Somebody whose machine can sleep."""

    async def sleeps(self, seconds: float) -> None:
        """Let nothing run on this machine for some seconds."""


class PythonPerson:
    """A program with the Python client. In its texts each character is one UTF-16 unit."""

    def __init__(self, world: World, network: Network, nursery: trio.Nursery) -> None:
        self._world = world
        self._network = network
        self._nursery = nursery
        self._codespace: Codespace | None = None
        # The session is kept by a program that goes on; the last insertion can be taken back.
        self._session: bytes | None = None
        self._last = 0
        self._leave = trio.Event()
        self._left = trio.Event()

    @property
    def codespace(self) -> Codespace:
        """The codespace that is open."""
        assert self._codespace is not None
        return self._codespace

    @property
    def text(self) -> str:
        return self.codespace.text

    async def opens(self) -> None:
        self._leave, self._left = trio.Event(), trio.Event()
        await self._nursery.start(self._attend)

    async def leaves(self) -> None:
        # A program waits itself for what it has not saved.
        await self.until_saved()
        self._leave.set()
        await self._left.wait()

    def inserts(self, text: str) -> None:
        self.codespace.insert(self.codespace.length, text)
        self._last = len(text)

    def undoes(self) -> None:
        self.codespace.delete(self.codespace.length - self._last, self.codespace.length)

    async def sleeps(self, seconds: float) -> None:
        # Its timers run on, as on systems whose clock does not stop in a sleep; the network is silent.
        await trio.sleep(seconds)

    async def until_saved(self) -> None:
        await self.codespace.wait_confirmed()

    async def until_text(self, length: int) -> None:
        await self.codespace.wait_text(lambda text: len(text) == length)

    async def _attend(self, *, task_status: trio.TaskStatus[None]) -> None:
        async with self._world.joins(self._network, session=self._session) as codespace:
            self._codespace, self._session = codespace, codespace.session
            task_status.started()
            await self._leave.wait()
        self._left.set()


class PagePerson:
    """Somebody before a page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def text(self) -> str:
        return self.page.text

    async def opens(self) -> None:
        self.page.opens()
        await self.page.until(lambda told: told["state"] == "connected")

    async def leaves(self) -> None:
        await trio.lowlevel.checkpoint()
        self.page.leaves()

    def inserts(self, text: str) -> None:
        self.page.inserts(text)

    def undoes(self) -> None:
        self.page.undoes()

    async def sleeps(self, seconds: float) -> None:
        await self.page.sleeps(seconds)

    async def until_saved(self) -> None:
        await self.page.until_saved()

    async def until_text(self, length: int) -> None:
        await self.page.until(lambda told: told["length"] == length)


@asynccontextmanager
async def open_person(kind: str, world: World, network: Network) -> AsyncIterator[Person]:
    """Hold somebody with an editor of a kind; nothing is open yet."""
    if kind == "page":
        async with open_page(world, network) as page:
            yield PagePerson(page)
        return
    async with trio.open_nursery() as nursery:
        yield PythonPerson(world, network, nursery)
        nursery.cancel_scope.cancel()
