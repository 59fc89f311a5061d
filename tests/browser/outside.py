"""The outside of a browser: a bad network between page and server, and a calm person, in a thread of their own.

Playwright has an event loop in the thread of the tests, so trio runs in another one.
"""

import math
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Final, TypeVar
from urllib.parse import urlsplit

import trio

from pyshare.client import Codespace, connect
from tests.browser.conftest import PATIENCE_SECONDS, Server
from tests.network.passages import Network, Passage, Way
from tests.network.sockets import dial_tcp, open_port

T = TypeVar("T")
#: The first bytes of a connection that is a WebSocket of a codespace.
_ASKS: Final = b"GET /codespace/"
#: Letters of which the calm person types each once, and seconds between two.
_CALM_LETTERS: Final = range(0x1400, 0x1680)
_CALM_SECONDS: Final = 0.25


class Outside:
    """One network to a server, and somebody who edits one codespace without it."""

    def __init__(self, server: Server, link: str, network: Network) -> None:
        self._server = urlsplit(server.address)
        self._token = urlsplit(link).fragment
        self._network = network
        network.on_passage = self._on_passage
        # The WebSockets that pages have opened, ever.
        self.sockets: list[Passage] = []
        # Texts that are looked for, and when the calm person saw each, in seconds since 1970.
        self._sought: list[str] = []
        self._seen: dict[str, float] = {}
        # What the calm person has typed, at the start of the text.
        self._typed: list[str] = []
        self._leave = trio.Event()
        self._began: Future[tuple[trio.lowlevel.TrioToken, trio.Nursery, Codespace, str]] = Future()
        self._typing = trio.CancelScope()

    @property
    def address(self) -> str:
        """The server's address through the network."""
        return self._began.result()[3]

    @property
    def link(self) -> str:
        """The page's address of the codespace, through the network."""
        return f"{self.address}/#{self._token}"

    @property
    def typed(self) -> str:
        """What the calm person has typed."""
        return "".join(self._typed)

    def tell(self, act: Callable[[Network], T]) -> T:
        """Do something to the network, in its thread."""
        return trio.from_thread.run_sync(act, self._network, trio_token=self._began.result()[0])

    def silence(self, seconds: float = math.inf, *, new: bool = False) -> None:
        """Let nothing pass for some seconds on what is open; with `new`, neither on what is opened meanwhile."""
        self.tell(lambda network: network.fall_silent(seconds, new=new))

    def refuse(self, refuses: bool = True) -> None:
        """Refuse new connections, or take them again."""
        self.tell(lambda network: setattr(network, "refuses", refuses))

    def passed(self, way: Way) -> int:
        """Return how many bytes have passed through the last WebSocket."""
        return self.sockets[-1].passed_bytes(way)

    def seek(self, *texts: str) -> None:
        """Look for texts from now on, which are about to be written."""
        self.tell(lambda network: self._sought.extend(texts))

    def wait_seen(self, text: str) -> float:
        """Wait until the calm person sees a text that is sought; return when that was."""
        self.wait_text(lambda _: text in self._seen)
        return self._seen[text]

    def wait_text(self, wanted: str | Callable[[str], bool]) -> None:
        """Wait until the calm person's text is as it should be, and committed."""

        async def wait(calm: Codespace) -> None:
            await calm.wait_text(wanted)
            await calm.wait_confirmed()

        self._ask(wait)

    def wait_alone(self) -> None:
        """Wait until the server has given up everybody but the calm person."""
        self._ask(lambda calm: calm.wait_text(lambda _: not calm.peers))

    def starts_typing(self) -> None:
        """Have the calm person type from now on."""
        self.tell(lambda network: self._began.result()[1].start_soon(self._type))

    def stops_typing(self) -> None:
        """Have the calm person stop."""
        self.tell(lambda network: self._typing.cancel())

    def types(self, text: str) -> None:
        """Have the calm person type a text."""
        self.tell(lambda network: self._insert(text))

    def leave(self) -> None:
        """End the network and leave the codespace."""
        self.tell(lambda network: self._leave.set())

    async def _run(self) -> None:
        host, port = self._server.hostname or "", self._server.port or 0
        url = f"ws://{host}:{port}/codespace/{self._token}/"
        async with (
            open_port(self._network, dial_tcp(host, port)) as through,
            connect(url, name="Calm") as calm,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(calm.wait_text, self._see, name="eyes of the calm person")
            address = f"http://127.0.0.1:{through}"
            self._began.set_result((trio.lowlevel.current_trio_token(), nursery, calm, address))
            await self._leave.wait()
            nursery.cancel_scope.cancel()

    def start(self, thread: ThreadPoolExecutor) -> Future[None]:
        """Begin in another thread; return what is done when everything has ended."""
        done = thread.submit(trio.run, self._run)
        done.add_done_callback(self._on_end)
        self._began.result(PATIENCE_SECONDS)
        return done

    def _on_end(self, done: Future[None]) -> None:
        if not self._began.done():
            self._began.set_exception(done.exception() or RuntimeError("it ended before it began"))

    def _ask(self, act: Callable[[Codespace], Awaitable[None]]) -> None:
        token, _, calm, _ = self._began.result()

        async def wait() -> None:
            with trio.fail_after(PATIENCE_SECONDS):
                await act(calm)

        trio.from_thread.run(wait, trio_token=token)

    def _insert(self, text: str) -> None:
        self._began.result()[2].insert(len(self.typed), text)
        self._typed.append(text)

    async def _type(self) -> None:
        with self._typing:
            for code in _CALM_LETTERS:
                self._insert(chr(code))
                await trio.sleep(_CALM_SECONDS)

    def _see(self, text: str) -> bool:
        """Note which of the sought texts are there; there is always more to see."""
        for each in self._sought:
            if each not in self._seen and each in text:
                self._seen[each] = time.time()
        return False

    def _on_passage(self, passage: Passage) -> None:
        def notice(data: bytes) -> None:
            passage.notice = lambda data: None
            if data.startswith(_ASKS):
                self.sockets.append(passage)

        passage.notice = notice


@contextmanager
def open_outside(server: Server, network: Network, text: str = "") -> Iterator[Outside]:
    """Hold a new codespace of a server with a text, a network to it, and a calm person, until the context is left."""
    outside = Outside(server, server.new_link(text=text), network)
    with ThreadPoolExecutor(1) as thread:
        done = outside.start(thread)
        try:
            yield outside
        finally:
            # If it has ended by itself, that is told by its result.
            with suppress(trio.RunFinishedError):
                outside.leave()
            done.result(PATIENCE_SECONDS)
