"""What chaos is made of: servers that are started again, Redis with its files, HAProxy, and the networks between."""

import random
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import trio

from tests.haproxy import open_haproxy
from tests.network.line import Quality
from tests.network.passages import Network
from tests.network.sockets import dial_tcp, open_port
from tests.proxy import Proxy, open_proxy
from tests.redis import RedisServer, running_redis
from tests.system.server import RunningServer, running

PATIENCE_SECONDS: Final = 60.0
_FINE: Final = Quality(buffer_bytes=1_048_576)
_LOGS: Final = "appendonlydir"
#: Below those that the system gives to connections: a server that is started again finds its ports free.
_PORTS: Final = range(20_000, 32_000)


class Instance:
    """A pyshare server with ports of its own, which is started again whenever it has ended."""

    def __init__(self, name: str, proxy: Proxy) -> None:
        self.name = name
        # The network between it and Redis.
        self.proxy = proxy
        self.ports = free_ports(3)
        self.server: RunningServer | None = None
        self.up = trio.Event()
        # Seconds before it is started again.
        self.pause_seconds = 0.5
        # Exit codes so far, and the logs of the lives that have ended.
        self.exits: list[int] = []
        self._logs: list[dict[str, object]] = []

    async def run(self) -> None:
        """Keep it running until cancelled."""
        port, http_port, metrics_port = map(str, self.ports)
        flags = ("--port", port, "--http-port", http_port, "--metrics-port", metrics_port, "--linger-seconds", "5")
        while True:
            async with running("--redis-url", self.proxy.url, *flags, exit_code=None) as server:
                self.server = server
                self.up.set()
                self.exits.append(await server.process.wait())
                self.up = trio.Event()
                self.server = None
                self._logs += server.log
            await trio.sleep(self.pause_seconds)

    @property
    def log(self) -> list[dict[str, object]]:
        """The lines of its log so far."""
        return self._logs + (self.server.log if self.server is not None else [])

    @property
    def failures(self) -> list[str]:
        """The lines of its log that tell of failures, and ends that are none of a server that was killed or drained."""
        lines = [f"{self.name}: {line}" for line in self.log if line.get("level") in {"error", "critical"}]
        return lines + [f"{self.name} ended with {code}" for code in self.exits if code not in {0, -signal.SIGKILL}]

    def tell(self, number: signal.Signals) -> bool:
        """Send it a signal, if it runs; return whether it did."""
        if self.server is None or not self.up.is_set():
            return False
        self.server.tell(number)
        return True

    @property
    def address(self) -> str:
        """Where clients connect without HAProxy."""
        return f"127.0.0.1:{self.ports[0]}"

    @property
    def http(self) -> str:
        """Where its HTTP is."""
        return f"http://127.0.0.1:{self.ports[1]}"


class Stage:
    """Everything that can fail."""

    def __init__(self, redis: RedisServer, folder: Path) -> None:
        self.redis = redis
        self.instances: list[Instance] = []
        # The network in front of HAProxy, and the port that leads there.
        self.clients = Network(up=_FINE, down=_FINE)
        self.entry_port = 0
        self._old = folder / "old"

    @property
    def entry(self) -> str:
        """Where clients connect to HAProxy, through the network."""
        return f"127.0.0.1:{self.entry_port}"

    async def heal(self) -> None:
        """Have everything work again, and wait until it does."""
        self.clients.become(up=_FINE, down=_FINE)
        self.clients.fall_silent(0)
        for instance in self.instances:
            instance.tell(signal.SIGCONT)
            for topics in (True, False):
                instance.proxy.delay(0, topics=topics)
            instance.proxy.loses_answer = lambda data: False
        with trio.fail_after(PATIENCE_SECONDS):
            await self.start_redis()
            for instance in self.instances:
                while instance.server is None or not instance.up.is_set():
                    await instance.up.wait()

    async def start_redis(self) -> None:
        """Have Redis run, if it does not."""
        if self.redis.runs:
            self.redis.tell(signal.SIGCONT)
        else:
            await trio.to_thread.run_sync(self.redis.start)

    async def keep_files(self) -> None:
        """Keep a copy of Redis' files as they are now."""

        def copy() -> None:
            shutil.rmtree(self._old, ignore_errors=True)
            shutil.copytree(self.redis.folder / _LOGS, self._old)

        await trio.to_thread.run_sync(copy)

    async def restart_with_old_files(self) -> None:
        """Start Redis again with the files that were kept."""

        def swap() -> None:
            self.redis.kill()
            shutil.rmtree(self.redis.folder / _LOGS)
            shutil.copytree(self._old, self.redis.folder / _LOGS)
            self.redis.start()

        await trio.to_thread.run_sync(swap)


def free_ports(count: int) -> list[int]:
    """Return ports at which nothing listens, and which no connection is given for its own end."""
    ports: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            ports.append(port)
        if len(ports) == count:
            break
    return ports


@asynccontextmanager
async def open_stage(servers: int, program: str) -> AsyncIterator[Stage]:
    """Run everything until the context is left."""
    async with AsyncExitStack() as stack:
        flags = ("--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
        redis = stack.enter_context(running_redis(program, *flags))
        stage = Stage(redis, Path(stack.enter_context(TemporaryDirectory(prefix="pyshare-chaos-"))))
        for number in range(servers):
            proxy = await stack.enter_async_context(open_proxy(str(redis.socket)))
            stage.instances.append(Instance(f"server {number + 1}", proxy))
        async with trio.open_nursery() as nursery, AsyncExitStack() as within:
            for instance in stage.instances:
                nursery.start_soon(instance.run, name=instance.name)
            ports = [(instance.ports[0], instance.ports[1]) for instance in stage.instances]
            haproxy = await within.enter_async_context(open_haproxy(*ports, PROXY_ADDRESS_REQUESTS="100000"))
            dial = dial_tcp("127.0.0.1", haproxy.port)
            stage.entry_port = await within.enter_async_context(open_port(stage.clients, dial))
            await stage.heal()
            yield stage
            nursery.cancel_scope.cancel()
