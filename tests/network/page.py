"""A page of the browser client, in Node, under the clock of a test and with the sockets of its world.

Node is told what happens and says what the page does, in turns (see `web/tests/window.mjs`). No
time passes meanwhile: the page's clock and timers are this world's. So the real client meets
ten minutes of silence in no time, and does the same in each run.
"""

import json
import math
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, TypedDict

import trio

from tests.network.browser_socket import BrowserSocket
from tests.network.passages import Network
from tests.network.world import URL, World
from tests.programs import require

_WEB: Final = Path(__file__).parents[2] / "web"


class Told(TypedDict):
    """The state of a page after a turn."""

    #: What it does: to dial, send or close a socket.
    out: list[tuple[str, int, str]]
    #: Milliseconds from the page's first turn on when its next timer is due.
    next: float | None
    state: str
    unsaved: int
    #: Whether the connection is known to live: nobody was asked who has not answered.
    certain: bool
    #: Length of its text in UTF-16 units.
    length: int
    text: str | None
    #: What went wrong in the page.
    failed: str | None


class Page:
    """One window with one codespace; it can be closed and opened again, and its machine can sleep."""

    def __init__(self, world: World, network: Network, node: "subprocess.Popen[str]", nursery: trio.Nursery) -> None:
        self._world = world
        self._network = network
        self._node = node
        self._nursery = nursery
        self._began = trio.current_time()
        self._sockets: dict[int, BrowserSocket] = {}
        # Events that the page is told when its machine wakes; None: it is awake.
        self._missed: list[tuple[object, ...]] | None = None
        # When its next timer is due; what is set next when that or the page has changed.
        self._next = math.inf
        self._changed = trio.Event()
        self.told: Told = self._turn()

    @property
    def text(self) -> str:
        """The text on the screen."""
        text = self._turn("text")["text"]
        assert text is not None
        return text

    def opens(self) -> None:
        """Open the codespace."""
        self._turn("load", URL)

    def leaves(self) -> None:
        """Close the window, without waiting for anything."""
        self._turn("unload")
        for key in list(self._sockets):
            self._sockets.pop(key).close(1001)

    def inserts(self, text: str) -> None:
        """Type or paste a text at the end."""
        self._turn("insert", text)

    def undoes(self) -> None:
        """Take back the last edit."""
        self._turn("undo")

    def is_told(self, event: str) -> None:
        """Have the browser tell the page of something: `online`, `visibilitychange`."""
        self._turn("fire", event)

    async def sleeps(self, seconds: float) -> None:
        """Have the page's machine sleep: nothing runs there. What it missed happens when it wakes."""
        self._missed = []
        await trio.sleep(seconds)
        missed, self._missed = self._missed, None
        self._turn("wake", 1000 * seconds)
        for event in missed:
            self._turn(*event)

    async def until(self, holds: Callable[[Told], bool]) -> None:
        """Wait until something holds of the page."""
        while not holds(self.told):
            await self._changed.wait()

    async def until_saved(self) -> None:
        """Wait until the page is connected, has a text, and everything is saved."""
        await self.until(lambda told: told["state"] == "connected" and not told["unsaved"])

    async def run(self) -> None:
        """Have the page's timers run, until cancelled."""
        while True:
            if self._next <= trio.current_time() and self._missed is None:
                self._turn()
            with trio.move_on_at(math.inf if self._missed is not None else self._next):
                await self._changed.wait()

    def _turn(self, *event: object) -> Told:
        """Tell the page of an event, or that time has passed; do what it says."""
        if self._missed is not None:
            self._missed.append(event)
            return self.told
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        now = math.ceil(1000 * (trio.current_time() - self._began))
        buffered = {key: socket.buffered_bytes for key, socket in self._sockets.items()}
        self._node.stdin.write(f"{json.dumps([now, buffered, event])}\n")
        self._node.stdin.flush()
        told: Told = json.loads(self._node.stdout.readline())
        assert told["failed"] is None, told["failed"]
        self.told = told
        self._next = math.inf if told["next"] is None else self._began + told["next"] / 1000
        for act, key, value in told["out"]:
            if act == "dial":
                self._nursery.start_soon(self._connect, key, value, name=f"socket {key} of a page")
            elif key in self._sockets:
                if act == "send":
                    self._sockets[key].send(value)
                else:
                    self._sockets[key].close(1000)
        self._changed.set()
        self._changed = trio.Event()
        return told

    async def _connect(self, key: int, url: str) -> None:
        def tell(what: str, code: str | int, text: str) -> None:
            if key in self._sockets:
                self._turn(what, key, code, text)

        socket = self._sockets[key] = BrowserSocket(url, tell)
        await socket.run(await self._world.dial(self._network))
        self._sockets.pop(key, None)


@asynccontextmanager
async def open_page(world: World, network: Network) -> AsyncIterator[Page]:
    """Hold a browser in which nothing is open yet."""
    require("node", shutil.which("node") is not None, "install Node.js 18 or later")
    require("the page's packages", (_WEB / "node_modules" / "esbuild").is_dir(), "run ops/test, or npm ci in web")
    with _start() as node:
        try:
            async with trio.open_nursery() as nursery:
                page = Page(world, network, node, nursery)
                nursery.start_soon(page.run, name="timers of a page")
                yield page
                nursery.cancel_scope.cancel()
        finally:
            node.kill()


def _start() -> "subprocess.Popen[str]":
    command = ["node", "tests/window.mjs"]
    return subprocess.Popen(command, cwd=_WEB, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
