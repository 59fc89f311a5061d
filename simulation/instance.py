"""One server process of a world: its supervisor and its connections, started, drained, killed and stopped."""

import socket
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import cast

import trio
from typing_extensions import override

from pyshare.actors.channel import Channel
from pyshare.actors.supervisor import Supervisor, SupervisorLimits, SupervisorMessage, open_lease
from pyshare.core.work import STEPS_A_SECOND
from pyshare.net.addresses import Address, AddressBuckets
from pyshare.net.auth import Admission
from pyshare.net.connection import ConnectionLimits, serve_connection
from pyshare.net.held import HeldBytes
from pyshare.store.interface import Store
from simulation.chance import PROCESS, Scheduler
from simulation.clock import Clock
from simulation.sockets import Connection
from simulation.story import Story

#: Seconds of work that the clients of one address may cause at once.
_BURST_SECONDS = 10


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """The limits of a server process."""

    supervisor: SupervisorLimits
    connection: ConnectionLimits
    #: Bytes that all connections may hold together.
    held_bytes: int = 4_194_304
    #: Seconds for what is to be finished when the process is told to end.
    drain_seconds: float = 3


class CountedWork(AddressBuckets):
    """The work that clients cause together, which is counted besides."""

    def __init__(self) -> None:
        super().__init__(STEPS_A_SECOND / 2, burst=_BURST_SECONDS * STEPS_A_SECOND / 2)
        #: Steps that clients were charged.
        self.steps = 0.0

    @override
    def take(self, address: Address, tokens: float, now: float) -> None:
        self.steps += tokens
        super().take(address, tokens, now)


class Instance:
    """A server process under one name; it lives once, another one takes its place."""

    def __init__(
        self,
        name: str,
        store: Store,
        limits: ServerLimits,
        *,
        clock: Clock,
        scheduler: Scheduler,
        story: Story,
        admission: AbstractAsyncContextManager[Callable[[str], Awaitable[Admission]]],
    ) -> None:
        self.name = name
        self._clock = clock
        self._scheduler = scheduler
        self._story = story
        # What tells it what tokens are good for, and how that is asked once the process runs.
        self._admission = admission
        self._admit: Callable[[str], Awaitable[Admission]] | None = None
        self._limits = limits
        self.store = store
        self.supervisor = Supervisor(store, instance=name, limits=limits.supervisor)
        self.held = HeldBytes(limits.held_bytes)
        self.work = CountedWork()
        # Messages to the supervisor, and the nursery of connections once the process runs.
        self._mailbox: trio.MemorySendChannel[SupervisorMessage] | None = None
        self._connections: trio.Nursery | None = None
        #: The connections that are open.
        self.open: list[Connection] = []
        self._life = trio.CancelScope()
        # Whether the process takes connections, was told to end, is stopped, and has ended.
        self.accepting = False
        self.draining = False
        self.stopped = False
        self.ended = False
        #: Tasks that it has without clients.
        self.bare_tasks = 0
        #: Close codes of its connections that have ended.
        self.closes: list[str] = []

    async def run(self) -> None:
        """Run until it is drained or killed."""
        PROCESS.set(self.name)
        send, receive = trio.open_memory_channel[SupervisorMessage](float("inf"))
        self._mailbox = send
        try:
            with self._life:
                async with self._admission as admit, trio.open_nursery() as nursery:
                    self._admit = admit
                    await nursery.start(self.store.run, name="store")
                    await nursery.start(partial(self.supervisor.run, receive), name="supervisor")
                    self._connections = nursery
                    self.bare_tasks = len(tasks_of(self.name))
                    self.accepting = True
                    await trio.sleep_forever()
        finally:
            self.accepting = False
            self.ended = True

    def accept(self, connection: Connection, address: Address) -> bool:
        """Take a connection; return False if there is nobody to take it."""
        if not self.accepting or self._connections is None:
            return False
        self.open.append(connection)
        self._connections.start_soon(self._serve, connection, address, name=f"connection {address}")
        return True

    async def _serve(self, connection: Connection, address: Address) -> None:
        PROCESS.set(self.name)
        assert self._mailbox is not None
        assert self._admit is not None
        try:
            await serve_connection(
                cast("socket.socket", connection.server),
                address,
                admit=self._admit,
                open_channel=partial(open_lease, self._mailbox),
                limits=self._limits.connection,
                now=self._clock.wall,
                on_closed=self._on_closed,
                held=self.held,
                address_work=self.work,
            )
        finally:
            self.open.remove(connection)

    def _on_closed(self, code: str) -> None:
        self.closes.append(code)
        self._story.count(f"connection closed: {code}")

    def drain(self) -> None:
        """Tell it to end, as SIGTERM does."""
        if self._connections is not None and not self.draining:
            self.accepting, self.draining = False, True
            self._connections.start_soon(self._drain, name="drain")

    async def _drain(self) -> None:
        PROCESS.set(self.name)
        with trio.move_on_after(self._limits.drain_seconds) as scope:
            await self.supervisor.drain()
        self._story.happened(self.name, "drained" if not scope.cancelled_caught else "drained in part")
        self._life.cancel()

    def kill(self, *, resets: bool = True) -> None:
        """End it without a word: nothing that it does from now on has any effect.

        Its connections are reset, as a system does for a process that ends, or nobody tells the other ends.
        """
        self.accepting = False
        for connection in list(self.open):
            if resets:
                connection.reset()
        self.go_on()
        self._life.cancel()

    def stop(self) -> None:
        """Let none of its tasks run."""
        self.stopped = True
        self._scheduler.stop(self.name)

    def go_on(self) -> None:
        """Let its tasks run again."""
        if self.stopped:
            self.stopped = False
            self._scheduler.go_on(self.name)

    def channel(self, codespace: str) -> Channel | None:
        """Return the channel of a codespace, if there is one."""
        entry = self.supervisor._entries.get(codespace)  # noqa: SLF001 - a judge looks inside
        return entry.channel if entry else None

    @property
    def connections(self) -> int:
        """The connections that are open."""
        return len(self.open)


def tasks_of(process: str) -> list[str]:
    """Return the names of all tasks of a process."""
    root = trio.lowlevel.current_root_task()
    found = []
    waiting = [root] if root else []
    while waiting:
        task = waiting.pop()
        if task.context.get(PROCESS, "") == process:
            found.append(task.name)
        for nursery in task.child_nurseries:
            waiting.extend(nursery.child_tasks)
    return found
