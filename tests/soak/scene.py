"""The work of a soak, and its samples: clients of one process, a server with its Redis, and what both occupy."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Final

import httpx
import trio

from pyshare.client import Codespace, connect
from pyshare.top.figures import parse_scrape
from tests.redis import RedisServer, running_redis
from tests.soak.series import Series, Tolerance
from tests.system.server import RunningServer, running

#: Units of the text that is edited without pause, about.
_TEXT_UNITS: Final = 20_000
#: Seconds between two keys in it, and between two visits of one visitor to the other codespaces.
_KEY_SECONDS: Final = 0.02
_VISIT_SECONDS: Final = 0.1
#: Visitors, and seconds after which a codespace that nobody visits is no more.
_VISITORS: Final = 4
_EXPIRE_SECONDS: Final = 20
_PATIENCE_SECONDS: Final = 120.0
#: Times that the text is loaded for one sample; the fastest counts.
_LOADS: Final = 3
_MEBIBYTE: Final = 1_048_576


class Soak:
    """A server at work, and the series of its figures."""

    def __init__(self, server: RunningServer, redis: RedisServer, metrics: str, random: Random) -> None:
        self._server = server
        self._redis = redis
        self._metrics = metrics
        self._random = random
        self._busy = server.codespace()
        self._began = trio.current_time()
        # Set while visitors may go on: where something is measured, all have left.
        self._go_on = trio.Event()
        self._go_on.set()
        #: What was done so far.
        self.keys = self.visits = 0
        self.series = [
            Series("memory of the server", "MiB", Tolerance(0.05, 4)),
            Series("memory of Redis", "MiB", Tolerance(0.05, 1)),
            Series("open files of the server", "", Tolerance(0, 1)),
            Series("tasks of the server", "", Tolerance(0, 2)),
            Series("load time of the codespace", "ms", Tolerance(0.1, 5)),
        ]

    async def type_without_pause(self) -> None:
        """Edit one codespace, at random places, so that its text stays about as long."""
        letters = cycle("abcdefghijklmnopqrstuvwxyz \n")
        async with connect(self._busy, name="types") as codespace:
            codespace.insert(0, "x" * _TEXT_UNITS)
            while True:
                self._type(codespace, next(letters))
                self.keys += 1
                await trio.sleep(_KEY_SECONDS * 2 * self._random.random())

    def _type(self, codespace: Codespace, letter: str) -> None:
        place = self._random.randrange(codespace.length + 1)
        if codespace.length > _TEXT_UNITS and place < codespace.length:
            codespace.replace(place, min(codespace.length, place + 2), letter)
        else:
            codespace.insert(place, letter)

    async def visit(self, number: int, codespaces: int) -> None:
        """Open codespaces one after the other, type into each, and leave."""
        urls = [self._server.codespace(f"tmp-{uuid.uuid4()}") for _ in range(number, codespaces, _VISITORS)]
        for url in cycle(urls):
            await self._go_on.wait()
            with trio.fail_after(_PATIENCE_SECONDS):
                async with connect(url, name=f"visitor {number}") as codespace:
                    for letter in "print('hello')":
                        codespace.insert(codespace.length, letter)
                    await codespace.wait_confirmed()
            self.visits += 1
            await trio.sleep(_VISIT_SECONDS)

    async def sample(self, every: float, seconds: float, tell: Callable[[str], None]) -> None:
        """Take a sample every so often, for some time."""
        told = -1
        async with httpx.AsyncClient() as client:
            while (now := trio.current_time() - self._began) < seconds:
                figures = await self._figures(client)
                for series, value in zip(self.series, figures, strict=True):
                    series.add(now, value)
                if int(20 * now / seconds) != told:
                    told = int(20 * now / seconds)
                    shown = ", ".join(f"{value:.1f}" for value in figures)
                    tell(f"{5 * told:3} %  {now:6.0f} s  {self.keys} keys, {self.visits} visits; {shown}")
                await trio.sleep(every)

    async def _figures(self, client: httpx.AsyncClient) -> list[float]:
        """Return the figures of a moment at which only the codespace that is edited is open."""
        self._go_on = trio.Event()
        with trio.fail_after(_PATIENCE_SECONDS):
            load_ms = min([await self._load_ms() for _ in range(_LOADS)])
            while True:
                scrape = parse_scrape((await client.get(self._metrics)).text, trio.current_time())
                if scrape.total("pyshare_codespaces") <= 1 and scrape.total("pyshare_connections") <= 1:
                    break
                await trio.sleep(0.1)
        self._go_on.set()
        folder = Path(f"/proc/{self._server.process.pid}")
        resident = next(
            int(line.split()[1])
            for line in (folder / "status").read_text(encoding="ascii").splitlines()
            if line.startswith("VmRSS")
        )
        used = (await trio.to_thread.run_sync(self._redis.client.info, "memory"))["used_memory"]
        return [
            resident / 1024,
            used / _MEBIBYTE,
            float(len(list((folder / "fd").iterdir()))),
            scrape.total("pyshare_tasks"),
            load_ms,
        ]

    async def _load_ms(self) -> float:
        """Return the milliseconds in which somebody who joins has the text."""
        begin = trio.current_time()
        async with connect(self._busy, name="loads"):
            return 1000 * (trio.current_time() - begin)


@asynccontextmanager
async def open_soak(seed: int, *, codespaces: int, program: str = "redis-server") -> AsyncIterator[Soak]:
    """Run a server and its Redis, and have people at work, until the context is left."""
    flags = (
        "--tmp-codespace-expire-seconds",
        str(_EXPIRE_SECONDS),
        "--linger-seconds",
        "0.5",
        "--history-updates",
        "1000",
    )
    with running_redis(program) as redis:
        async with running("--redis-url", redis.url, "--codespaces-per-minute", "100000", *flags) as server:
            metrics = f"http://127.0.0.1:{await server.wait_metrics_port()}/metrics"
            soak = Soak(server, redis, metrics, Random(seed))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(soak.type_without_pause)
                for number in range(_VISITORS):
                    nursery.start_soon(soak.visit, number, codespaces)
                yield soak
                nursery.cancel_scope.cancel()
