"""One world: its servers, its store, its network and its people."""

import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from random import Random

import trio

from pyshare.actors.channel_limits import ChannelLimits
from pyshare.actors.fanout import FanOutLimits
from pyshare.actors.supervisor import SupervisorLimits
from pyshare.core.document import DocumentLimits
from pyshare.core.errors import ConnectionRefused
from pyshare.core.protocol import Limits
from pyshare.net.addresses import Address
from pyshare.net.auth import Admission
from pyshare.net.connection import ConnectionLimits
from pyshare.net.tokens import expired
from pyshare.store.faults import Faults
from pyshare.store.interface import StoreLimits, StoreUnavailable
from simulation.api import Api
from simulation.chance import Scheduler
from simulation.clock import Clock
from simulation.frames import Sight
from simulation.hostile import Hostile
from simulation.instance import Instance, ServerLimits
from simulation.letters import Letters
from simulation.people import CollabPerson, Person
from simulation.plan import Plan
from simulation.python_person import PythonPerson
from simulation.redis_storage import RedisStorage
from simulation.sockets import Connection, Weather
from simulation.stock_person import StockPerson
from simulation.storage import Access, Storage
from simulation.stores import SharedMemory
from simulation.story import Story
from simulation.turns import Turns

CODESPACE = "0d2b6f0e-7a51-4a3e-9c0c-6d3c6f1f7a10"
#: Writes that a replica misses at most.
REPLICA_WRITES = 6


class World:
    """All that there is."""

    def __init__(self, plan: Plan, clock: Clock, scheduler: Scheduler, *, detailed: bool = False) -> None:
        self.plan = plan
        self.clock = clock
        self.scheduler = scheduler
        self.random = Random(plan.seed * 7919 + 1)
        self.story = Story(clock, detailed=detailed)
        self.letters = Letters()
        self.faults = Faults()
        limits = _store_limits(plan)
        self.store: Storage = (
            RedisStorage(limits, self.faults, clock, self.story)
            if plan.redis
            else SharedMemory(limits, self.faults, self.story)
        )
        if any(step.action == "replica" for step in plan.steps):
            self.store.keep_states(REPLICA_WRITES)
        #: The API that knows tokens, if there is one.
        self.api = Api(CODESPACE, clock, Random(plan.seed * 13 + 5), self.story) if plan.api else None
        self.limits = _server_limits(plan)
        self.turns = Turns(self.story, self.fails, small=plan.small)
        self.weather = Weather(
            delay_seconds=plan.delay_seconds,
            jitter_seconds=plan.delay_seconds,
            buffer_bytes=plan.buffer_bytes,
        )
        self.sight = Sight()
        #: The process of each place; and all that there ever were.
        self.places: list[Instance] = []
        self.instances: list[Instance] = []
        self.accesses: dict[str, Access] = {}
        self.people: list[Person] = []
        self.connections: list[Connection] = []
        self.closing_time = False
        # What was wrong first.
        self.failure: str | None = None
        #: All tasks; cancelled when something is wrong.
        self.scope = trio.CancelScope()
        # The tasks of processes and people, once the world has begun.
        self._nursery: trio.Nursery | None = None
        self._dialled = 0

    # What people need.

    def dial(self, person: Person) -> Connection | None:
        """Return a new connection to some process; None if none can be reached."""
        open_to = [each for each in self.places if each.accepting]
        if not open_to:
            return None
        instance = open_to[int(person.random.random() * len(open_to))]
        self._dialled += 1
        number = self._dialled
        random = Random(self.plan.seed * 1_000_003 + number)
        connection = Connection(self.clock, random, self.weather, self.story)
        self.connections = [each for each in self.connections if not each.over]
        self.connections.append(connection)
        self.story.tell(person.name, f"connects to {instance.name}, connection {number}")

        def accept() -> None:
            if not instance.accept(connection, Address(f"192.0.2.{number % 250 + 1}", number)):
                self.story.count("connection refused")
                connection.reset()

        self.clock.after(self.weather.delay_seconds, accept)
        return connection

    def token(self, person: Person) -> str:
        """Return a token for the person: its mode, and perhaps an end."""
        mode = "view_only" if person.view_only else "edit"
        if self.api is not None:
            return f"{mode}-{person.name}"
        return f"{mode}.{int(self.clock.wall()) + 1800}" if self.plan.seed % 4 == 0 else mode

    def has_refused(self, person: Person) -> bool:
        """Return whether the API has ever said that the person's token is bad."""
        return self.api is not None and self.api.has_refused(self.token(person))

    def stored_text(self) -> str:
        """Return the text that an API would give out now."""
        return self.store.text(CODESPACE)

    def stored_version(self) -> int:
        """Return the version of that text."""
        standing = self.store.standing(CODESPACE)
        return 0 if standing is None else standing.version

    def knows_since(self, person: Person, version: int) -> bool:
        """Return whether the process that a person is connected to knows all updates after a version."""
        channels = [each.channel(CODESPACE) for each in self.places if person.connection in each.open]
        return all(each is None or each._document.oldest <= version for each in channels)  # noqa: SLF001 - see `see`

    def fails(self, reason: str) -> None:
        """Note what is wrong, and end the world."""
        if self.failure is None:
            self.failure = reason
            self.story.tell("judge", reason)
            for instance in self.places:
                instance.go_on()
            self.scope.cancel()

    # Its beginning, and its processes.

    async def begin(self, nursery: trio.Nursery) -> None:
        """Start the store and the processes, and invite the people."""
        self._nursery = nursery
        await nursery.start(self.store.run)
        for place in range(self.plan.instances):
            self.start(place)
        self._invite(nursery)

    def start(self, place: int) -> None:
        """Start a process at a place."""
        assert self._nursery is not None
        name = f"{'abc'[place]}{len(self.instances) + 1}"
        access = self.store.access(name, Random(self.plan.seed * 31 + len(self.instances)))
        instance = Instance(
            name,
            access.store,
            self.limits,
            clock=self.clock,
            scheduler=self.scheduler,
            story=self.story,
            admission=self._open_admission(name),
        )
        self.accesses[name] = access
        self.instances.append(instance)
        if place < len(self.places):
            self.story.count("process replaced")
            self.places[place] = instance
        else:
            self.places.append(instance)
        self.story.tell(name, "starts")
        self._nursery.start_soon(self._run_instance, instance, name=f"process {name}")

    async def _run_instance(self, instance: Instance) -> None:
        try:
            await instance.run()
        except* StoreUnavailable:
            # It ends, as `pyshare serve` does, and is started again.
            self.story.happened(instance.name, "process could not start")
            if instance in self.places:
                self.clock.after(0.5, partial(self.start_again, instance))
        except* Exception as error:  # noqa: BLE001 - whatever it is, it must not be
            self.fails(f"process {instance.name} failed: {traceback_of(error)}")

    def start_again(self, instance: Instance) -> None:
        """Start another process in the place of one, unless there is one already."""
        if instance in self.places:
            self.start(self.places.index(instance))

    @asynccontextmanager
    async def _open_admission(self, process: str) -> AsyncIterator[Callable[[str], Awaitable[Admission]]]:
        """Serve what tells a process what a token is good for."""
        if self.api is None:
            yield self._admit
        else:
            async with self.api.open_admission(process, self.fails) as admit:
                yield admit

    async def _admit(self, token: str) -> Admission:
        """Take a token by its word: its mode, and perhaps its end."""
        await trio.lowlevel.checkpoint()
        mode, _, end = token.partition(".")
        if end and self.clock.wall() >= int(end):
            raise ConnectionRefused(expired())
        if mode == "view_only":
            return Admission(CODESPACE, "view_only", create=False, expires=int(end) if end else None)
        return Admission(CODESPACE, "edit", create=True, expires=int(end) if end else None)

    def _invite(self, nursery: trio.Nursery) -> None:
        for index, cast in enumerate(self.plan.cast):
            random = Random(self.plan.seed * 101 + index)
            name = f"{cast.kind}{index}"
            person: Person
            match cast.kind:
                case "collab":
                    person = CollabPerson(name, self, random, view_only=cast.view_only)
                case "python":
                    person = PythonPerson(name, self, random, nursery, view_only=cast.view_only)
                case "stock":
                    person = StockPerson(name, self, random, gentle=cast.special, refusable=self.plan.loses_stock_edits)
                case "hostile":
                    person = Hostile(name, self, random, self.sight, stock=cast.special, view_only=cast.view_only)
                    if cast.view_only:
                        self.store.lookers |= person.ids
            self.people.append(person)
            self.clock.after(0.05 * index, person.comes)

    def see(self) -> None:
        """Let hostile clients know what anybody can know."""
        for instance in self.places:
            channel = instance.channel(CODESPACE)
            if channel is not None:
                document = channel._document  # noqa: SLF001 - a judge looks inside
                self.sight.see(channel._epoch, document.version, document.text)  # noqa: SLF001


def traceback_of(error: BaseException) -> str:
    """Return an exception with its traceback, as text."""
    return "".join(traceback.format_exception(error))


def _store_limits(plan: Plan) -> StoreLimits:
    if plan.small:
        return StoreLimits(log_updates=25, senders=64, expire_seconds=300, tmp_expire_seconds=300)
    return StoreLimits(expire_seconds=300, tmp_expire_seconds=300)


def _server_limits(plan: Plan) -> ServerLimits:
    told = Limits(
        message_bytes=65_536,
        text_units=plan.text_units,
        clients=20,
        pushes_per_second=50,
        history_updates=30 if plan.small else 4096,
        presence_ms=100,
        alive_ms=4000,
    )
    document = DocumentLimits(text_units=plan.text_units)
    channel = ChannelLimits(told=told, document=document, clients=20, heartbeat_seconds=5, finish_seconds=2)
    if plan.small:
        document = DocumentLimits(text_units=plan.text_units, history_updates=30, history_bytes=20_000, senders=64)
        fanout = FanOutLimits(backlog_bytes=20_000, answers=4)
        channel = replace(channel, document=document, fanout=fanout, pending_bytes=50_000)
    supervisor = SupervisorLimits(channel, linger_seconds=1, mailbox_messages=8 if plan.small else 64)
    connection = ConnectionLimits(
        message_bytes=65_536,
        handshake_seconds=4,
        authentication_seconds=4,
        ping_seconds=4,
        silence_seconds=12,
        slow_seconds=5,
        close_seconds=1,
    )
    return ServerLimits(supervisor, connection, held_bytes=24_000 if plan.small else 4_194_304)
