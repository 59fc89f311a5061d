"""Ask servers for their metrics again and again, and show what they say until a key or a signal ends it."""

import os
import signal
import sys
import termios
import tty
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx
import trio
from rich.console import Console
from rich.live import Live

from pyshare.core.errors import PyshareError
from pyshare.top.figures import Figures, Scrape, compare, parse_scrape
from pyshare.top.screen import Row, render

#: Seconds in which a server must have answered.
_ANSWER_SECONDS = 2.0
#: Intervals of which edits are remembered.
_INTERVALS = 60
_END_KEYS = b"qQ"


@dataclass(slots=True)
class _Server:
    """A server that is watched."""

    url: str
    scrape: Scrape | None = None
    figures: Figures | None = None
    reason: str = ""
    history: deque[float] = field(default_factory=lambda: deque(maxlen=_INTERVALS))

    @property
    def row(self) -> Row:
        name = self.url.removeprefix("http://").rstrip("/")
        return Row(name, self.figures, self.reason, tuple(self.history))

    async def ask(self, client: httpx.AsyncClient) -> None:
        """Have the figures since the last answer, or the reason why there are none."""
        self.reason = "no answer"
        scrape = None
        try:
            with trio.move_on_after(_ANSWER_SECONDS):
                response = await client.get(f"{self.url}/metrics", headers={"Accept": "text/plain"})
                if response.status_code == HTTPStatus.OK:
                    scrape = parse_scrape(response.text, trio.current_time())
                elif response.status_code == HTTPStatus.NOT_FOUND:
                    self.reason = "without metrics; give the address of --metrics-port"
                else:
                    self.reason = f"HTTP {response.status_code}"
        except httpx.ConnectError:
            self.reason = "down"
        except httpx.HTTPError as error:
            self.reason = type(error).__name__
        except ValueError:
            self.reason = "no pyshare"
        before, self.scrape = self.scrape, scrape
        self.figures = compare(before, scrape) if before and scrape else None
        if scrape:
            self.reason = ""
        if self.figures:
            self.history.append(self.figures.edits)


async def watch(urls: Sequence[str], *, every_seconds: float, once: bool) -> None:
    """Show servers until told to end; once only, or where there is no terminal, one interval.

    Raises:
        PyshareError: if that was one interval, and no server has answered.
    """
    servers = [_Server(url.rstrip("/")) for url in urls]
    console = Console()
    live = not once and console.is_terminal and sys.stdin.isatty()
    # Servers are asked themselves: a proxy of the environment knows nothing of this machine's.
    async with httpx.AsyncClient(timeout=None, trust_env=False) as client:
        await _ask_all(servers, client)
        if not live:
            await trio.sleep(every_seconds)
            await _ask_all(servers, client)
            console.print(render([each.row for each in servers], seconds=every_seconds, keys=False))
            if not any(each.scrape for each in servers):
                raise PyshareError(
                    "no server answers: " + "; ".join(f"{each.url} is {each.reason}" for each in servers)
                )
            return
        # The order of leaving puts the terminal back whatever ends this.
        with _keys(), Live(console=console, screen=True, auto_refresh=False) as screen:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_end_by_key, nursery.cancel_scope, name="keys")
                nursery.start_soon(_end_by_signal, nursery.cancel_scope, name="signals")
                while True:
                    rows = [each.row for each in servers]
                    screen.update(render(rows, seconds=every_seconds, keys=True), refresh=True)
                    await trio.sleep(every_seconds)
                    await _ask_all(servers, client)


async def _ask_all(servers: Sequence[_Server], client: httpx.AsyncClient) -> None:
    async with trio.open_nursery() as nursery:
        for server in servers:
            nursery.start_soon(server.ask, client, name=f"ask {server.url}")


async def _end_by_key(scope: trio.CancelScope) -> None:
    file = sys.stdin.fileno()
    while True:
        await trio.lowlevel.wait_readable(file)
        keys = os.read(file, 64)
        if not keys or any(key in _END_KEYS for key in keys):
            scope.cancel()
            return


async def _end_by_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return


@contextmanager
def _keys() -> Iterator[None]:
    """Have keys come one by one, and unseen, until the context is left."""
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    tty.setcbreak(file)
    try:
        yield
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)
