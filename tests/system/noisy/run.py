"""One attack beside calm editors: what these measure, how the server grows, and what its log says."""

import json
import resource
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import trio

from pyshare.client import connect
from tests.system.noisy.calm import Calm, RoundTrips, calm_editors
from tests.system.noisy.target import CALM, REST, Target
from tests.system.server import PATIENCE_SECONDS, ROOT, RunningServer, end, running

#: Bounds above what is measured at rest, for machines that do other things besides. What is promised is 50 ms; that is
#: for a benchmark on an idle machine.
MEDIAN_SECONDS: Final = 0.5
WORST_SECONDS: Final = 2.0
GROWTH_BYTES: Final = 268_435_456
#: Seconds at rest before the first attack.
_REST_SECONDS: Final = 1.0
#: Seconds between two looks at the server.
_LOOK_SECONDS: Final = 0.1
#: Words by which the server's log says that something failed.
_FAILURES: Final = (b"Traceback", b'"level": "error"', b'"level": "critical"')
_MIB: Final = 1_048_576


@dataclass
class Result:
    """What one attack did to the calm."""

    name: str
    goes: int
    error: str
    round_trips: RoundTrips
    #: Seconds in which new clients were let in, and in which /readyz answered 200.
    joins: RoundTrips
    health: RoundTrips
    growth_bytes: int
    #: Connections that the calm lost.
    lost: int
    #: Lines of the server's log that tell of a failure.
    log: list[str] = field(default_factory=list)
    #: Seconds that the machine itself cost, at rest: the middle round trip, and the worst wait of any kind.
    rest_median: float = 0.0
    rest_worst: float = 0.0

    def row(self) -> str:
        """Return it as a row of a table."""
        figures = (self.round_trips.median, self.round_trips.worst, self.joins.worst, self.health.worst)
        times = " ".join(f"{1000 * each:8.0f}" for each in figures)
        rest = f"{1000 * self.rest_median:8.0f} {1000 * self.rest_worst:8.0f}"
        return f"{self.name:42} {self.goes:5} {times} {self.growth_bytes / _MIB:8.1f} {rest}"

    def broken(self) -> list[str]:
        """Return what does not hold, in words."""
        found = []
        if self.error:
            found.append(f"the attack itself failed: {self.error}")
        if self.round_trips.median > MEDIAN_SECONDS + self.rest_median:
            found.append(f"half of the edits took more than {self.round_trips.median:.2f} s")
        for what, times in (("an edit", self.round_trips), ("a join", self.joins), ("health", self.health)):
            if times.worst > WORST_SECONDS + self.rest_worst:
                found.append(f"{what} took {times.worst:.1f} s")
        if not self.round_trips.seconds:
            found.append("no edit came back")
        if self.growth_bytes > GROWTH_BYTES:
            found.append(f"the server grew by {self.growth_bytes / _MIB:.0f} MiB")
        if self.lost:
            found.append(f"calm clients lost {self.lost} connections")
        if self.log:
            found.append(f"the log tells of {len(self.log)} failures; the first: {self.log[0][:3000]}")
        return [f"{self.name}: {each}" for each in found]


_COLUMNS: Final = ("goes", "median", "worst", "join", "health", "MiB more", "rest", "rest")
HEAD: Final = f"{'attack':42} {_COLUMNS[0]:>5} " + " ".join(f"{each:>8}" for each in _COLUMNS[1:])


class Neighbourhood:
    """A server with calm editors, and an attacker."""

    def __init__(self, server: RunningServer, http_port: int, calm: Calm, attacker: trio.Process, url: str) -> None:
        self._server = server
        self._http_port = http_port
        self._calm = calm
        self._attacker = attacker
        self._url = url
        # Bytes of the server's log that were looked at.
        self._looked = 0
        # What was measured at rest.
        self._rest: Result | None = None

    async def attack(self, name: str, seconds: float) -> Result:
        """Have the attacker attack, and return what that did."""
        if self._rest is None:
            self._rest = await self._measure(REST, _REST_SECONDS)
        result = await self._measure(name, seconds)
        rest = self._rest
        result.rest_median = rest.round_trips.median
        result.rest_worst = max(rest.round_trips.worst, rest.joins.worst, rest.health.worst)
        return result

    async def _measure(self, name: str, seconds: float) -> Result:
        await trio.sleep(_LOOK_SECONDS)
        lost = self._calm.lost
        watch = _Watch(self._server.process.pid)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch.look, name="watch on memory")
            nursery.start_soon(self._ask_health, watch, name="watch on health")
            nursery.start_soon(self._join, watch, name="newcomers")
            self._calm.start_measuring()
            done = await self._order({"name": name, "seconds": seconds})
            await trio.sleep(_LOOK_SECONDS)
            trips = self._calm.stop_measuring()
            nursery.cancel_scope.cancel()
        return Result(
            name=name,
            goes=int(str(done["goes"])),
            error=str(done["error"]),
            round_trips=trips,
            joins=watch.joins,
            health=watch.health,
            growth_bytes=watch.growth_bytes,
            lost=self._calm.lost - lost,
            log=self._new_failures(),
        )

    async def _order(self, order: dict[str, object]) -> dict[str, object]:
        """Tell the attacker, and return its answer."""
        assert self._attacker.stdin is not None
        assert self._attacker.stdout is not None
        await self._attacker.stdin.send_all(json.dumps(order).encode() + b"\n")
        answer = b""
        with trio.fail_after(float(str(order["seconds"])) + PATIENCE_SECONDS):
            while not answer.endswith(b"\n"):
                data = await self._attacker.stdout.receive_some()
                assert data, "the attacker has ended"
                answer += data
        done: dict[str, object] = json.loads(answer)
        return done

    async def _ask_health(self, watch: "_Watch") -> None:
        while True:
            with watch.health.measured():
                await self._ready()
            await trio.sleep(3 * _LOOK_SECONDS)

    async def _ready(self) -> None:
        while True:
            stream = await trio.open_tcp_stream("127.0.0.1", self._http_port)
            async with stream:
                await stream.send_all(b"GET /readyz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
                answer = b"".join([part async for part in stream])
            if b" 200 " in answer.partition(b"\r\n")[0]:
                return
            await trio.sleep(_LOOK_SECONDS)

    async def _join(self, watch: "_Watch") -> None:
        while True:
            with watch.joins.measured():
                async with connect(self._url, name="a newcomer"):
                    pass
            await trio.sleep(5 * _LOOK_SECONDS)

    def _new_failures(self) -> list[str]:
        """Return lines of the log that tell of failures since the last look."""
        data = bytes(self._server._log[self._looked :])
        self._looked += data.rfind(b"\n") + 1
        return [line.decode() for line in data.splitlines() if any(word in line for word in _FAILURES)]


class _Watch:
    """The server's memory, and how long others waited, during one attack."""

    def __init__(self, pid: int) -> None:
        self._statm = Path(f"/proc/{pid}/statm")
        self._first = self._most = self._bytes()
        self.joins = RoundTrips()
        self.health = RoundTrips()

    @property
    def growth_bytes(self) -> int:
        """How much more memory there was at most."""
        return self._most - self._first

    async def look(self) -> None:
        """Look again and again."""
        while True:
            self._most = max(self._most, self._bytes())
            await trio.sleep(_LOOK_SECONDS)

    def _bytes(self) -> int:
        return int(self._statm.read_text().split()[1]) * resource.getpagesize()


@asynccontextmanager
async def neighbourhood(*flags: str, seed: int = 1) -> AsyncIterator[Neighbourhood]:
    """Hold a server with calm editors, and an attacker that waits for orders.

    When it is left, the calm editors show one text, with all that they typed, and the server has ended as it should.
    """
    async with running(*flags) as server:
        host, port = server.host_and_port
        http_port = await server.wait_http_port()
        target = Target(host, port, http_port)
        url = server.codespace(target.link(CALM))
        attacker = await trio.lowlevel.open_process(
            [sys.executable, "-m", "tests.system.noisy.attacker", host, str(port), str(http_port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        try:
            async with calm_editors(url, Random(seed)) as calm:
                neighbours = Neighbourhood(server, http_port, calm, attacker, url)
                yield neighbours
            assert neighbours._new_failures() == []
        finally:
            with trio.move_on_after(PATIENCE_SECONDS, shield=True):
                if attacker.stdin is not None:
                    await attacker.stdin.aclose()
                await end(attacker)
