"""A person with the Python client of pyshare, as it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import trio
from typing_extensions import override

from pyshare.client import Codespace, CodespaceClosed, connect
from pyshare.client.errors import ConnectionEnded, TextTooLong
from pyshare.client.events import EditRefused, Reconnected
from pyshare.client.link import ClientLimits, State
from pyshare.client.transport import Connection, wrap_stream
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.units import Places, from_units, to_units
from simulation.people import Person, Surroundings, Unsaved
from simulation.sockets import SimulatedStream

LIMITS = ClientLimits(connect_seconds=6, answer_seconds=4, longest_pause_seconds=4, events=100_000, kept_bytes=2**30)


class PythonPerson(Person):
    """A program that edits; its session is a new one each time."""

    kind = "python"

    def __init__(
        self, name: str, world: Surroundings, random: Random, nursery: trio.Nursery, *, view_only: bool = False
    ) -> None:
        super().__init__(name, world, random, view_only=view_only)
        self._nursery = nursery
        self._codespace: Codespace | None = None
        self._scope = trio.CancelScope()
        self._unsaved = Unsaved()
        # Refusals that were seen.
        self._refusals = 0
        # Letters of edits that were not settled when the last connection was dialled, and of those since.
        self._since_dial: list[str] = []

    @property
    @override
    def text(self) -> str | None:
        codespace = self._codespace
        if codespace is None or codespace.state is not State.CONNECTED:
            return None
        return to_units(codespace.text)

    @property
    @override
    def settled(self) -> bool:
        return self._codespace is not None and self._codespace.unconfirmed == 0

    @override
    def comes(self) -> None:
        self.here = True
        self._unsaved = Unsaved()
        self._refusals = 0
        self._scope = trio.CancelScope()
        self._nursery.start_soon(self._attend, self._scope, name=f"person {self.name}")

    @override
    def leaves(self) -> None:
        self._go()

    @override
    def crashes(self) -> None:
        if self.connection is not None:
            self.connection.reset()
        self._go()

    def _go(self) -> None:
        self._see()
        self.world.letters.doubt(self._unsaved.take())
        self.here = False
        self._codespace = None
        self._scope.cancel()

    @override
    def press(self, key: str) -> None:
        codespace = self._codespace
        if codespace is None or codespace.state is State.CLOSED or self.view_only or codespace.mode == "view_only":
            return
        text = to_units(codespace.text)
        changes = self.hand.press(key, text)
        if not changes:
            return
        change_set = ChangeSet.of(changes, len(text))
        if change_set.empty:
            return
        self._see()
        try:
            index = Places(text).index
            codespace.edit([Change(index(each.start), index(each.end), from_units(each.insert)) for each in changes])
        except TextTooLong:
            self.world.story.count("python client: the text would be too long")
            return
        touched = self.world.letters.edited(self.name, text, change_set)
        self._unsaved.add(touched)
        self._since_dial += touched
        self.tell(f"{key}: " + " ".join(f"{each.start}-{each.end} {each.insert!r}" for each in changes))

    def select(self) -> None:
        """Show others a selection."""
        codespace = self._codespace
        if codespace is not None and codespace.state is not State.CLOSED:
            codespace.select([(codespace.length, codespace.length)])

    def _see(self) -> None:
        """Forget the edits that are settled; where some were refused, all that were unsettled may be."""
        codespace = self._codespace
        if codespace is None:
            return
        if codespace._refusals > self._refusals:  # noqa: SLF001 - the event of it comes later than its effect
            self._refusals = codespace._refusals  # noqa: SLF001
            self.world.letters.doubt(self._unsaved.take())
        else:
            self._unsaved.settle(self._unsaved.made - codespace.unconfirmed)

    async def _attend(self, scope: trio.CancelScope) -> None:
        url = f"ws://server/codespace/{self.world.token(self)}/"
        with scope:
            try:
                async with connect(
                    url,
                    name=self.name,
                    session=self.random.randbytes(16),
                    patient=True,
                    limits=LIMITS,
                    open_connection=self._open,
                    jitter=self.random.random,
                ) as codespace:
                    if self._scope is scope:
                        self._codespace = codespace
                    async for event in codespace.events():
                        if isinstance(event, EditRefused):
                            self.refused(event.code, event.reason)
                        elif isinstance(event, Reconnected):
                            self._on_reconnected(event)
                        if self._scope is scope:
                            self._see()
            except CodespaceClosed as closed:
                if self._scope is scope and self.here:
                    self._closed(closed)

    def _on_reconnected(self, event: Reconnected) -> None:
        self.world.story.count(f"python client {'resumed' if event.resumed else 'merged a text'}")
        if not event.resumed:
            # What others did is then known roughly, see `pyshare.core.difference`: a deletion may come to nothing.
            self.world.letters.doubt_deletions(self._since_dial)

    def _closed(self, closed: CodespaceClosed) -> None:
        self.world.letters.doubt(self._unsaved.take())
        self.here = False
        self._codespace = None
        self.farewell(closed.code, closed.reason)
        self.comes_later(0.5 + self.random.random())

    @asynccontextmanager
    async def _open(self, url: str, max_message_bytes: int) -> AsyncIterator[Connection]:
        connection = self.connection = self.world.dial(self)
        self._see()
        self._since_dial = self._unsaved.letters()
        if connection is None:
            await trio.lowlevel.checkpoint()
            raise ConnectionEnded(None, "simulated: no server")
        stream = SimulatedStream(connection.client)
        async with wrap_stream(stream, url, max_message_bytes) as wrapped:
            yield wrapped
