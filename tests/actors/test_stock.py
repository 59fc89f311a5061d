"""Stock editors in a channel, beside new ones: whatever is typed, all texts are one in the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from random import Random

import pytest
import trio

from pyshare.actors.messages import Drained, Join, Leave, Received
from pyshare.actors.stock import StockLimits
from pyshare.actors.supervisor import Mailbox, SupervisorLimits, open_lease
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.errors import CloseCode, Closing
from pyshare.core.protocol import Mode, Peer, PeerFrame
from pyshare.core.sharepython import StockEdit, StockFrame, StockSelection, parse_stock_frame
from pyshare.store.faults import Faults
from pyshare.store.memory import MemoryStore
from tests.actors.world import World, channel_limits, open_world

CODESPACE = "tmp-a"


class StockOutlet:
    """The socket of a stock editor, on the server's side."""

    def __init__(self) -> None:
        # Frames on their way to the editor, as JSON.
        self.sent: list[str] = []
        self.closing: Closing | None = None
        self.full = False
        self.refused = False
        # Steps of work that it was charged.
        self.steps = 0

    def write_nowait(self, data: bytes) -> bool:
        """Take whole frames, unless the socket is full."""
        if self.full:
            self.refused = True
            return False
        while data and self.closing is None:
            length, start = data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4]), 4
            elif length == 127:
                length, start = int.from_bytes(data[2:10]), 10
            self.sent.append(data[start : start + length].decode())
            data = data[start + length :]
        return True

    def close_nowait(self, closing: Closing) -> None:
        """Note why."""
        self.closing = self.closing or closing

    def charge(self, steps: int) -> None:
        """Note what the editor has to pay for."""
        self.steps += steps


@dataclass
class StockClient:
    """A stock front end: it loads the text, connects, and applies or drops what it is sent, in silence."""

    name: str
    mailbox: Mailbox
    text: str
    outlet: StockOutlet
    connected: str | None = None
    dropped: int = 0
    selected: tuple[tuple[int, int], ...] = ()

    async def types(self, letters: str, at: int | None = None, *, deletes: int = 0) -> None:
        """Make an edit and send it, as for each key."""
        pos = len(self.text) if at is None else at
        await self.sends(StockEdit(ChangeSet.of([Change(pos, pos + deletes, letters)], len(self.text))))

    async def sends(self, frame: StockFrame) -> None:
        """Send a frame; an edit is made first."""
        if isinstance(frame, StockEdit):
            self.text = frame.changes.apply(self.text)
        await self.mailbox.send(Received(self.outlet, frame))

    def handles(self, count: int = 1_000_000) -> None:
        """Handle what has been sent, oldest first."""
        for _ in range(min(count, len(self.outlet.sent))):
            data = self.outlet.sent.pop(0)
            if '"connected"' in data:
                assert self.connected is None
                self.connected = data
                continue
            assert self.connected, "it is told that it is connected before anything else"
            frame = parse_stock_frame(data)
            if isinstance(frame, StockSelection):
                self.selected = frame.ranges
            elif f'"sender":"{self.name}"' in data:
                pytest.fail("it was sent its own edit")
            elif frame.changes.length == len(self.text):
                self.text = frame.changes.apply(self.text)
            else:
                self.dropped += 1

    async def drains(self) -> None:
        """Have room again."""
        self.outlet.full = False
        if self.outlet.refused:
            self.outlet.refused = False
            await self.mailbox.send(Drained(self.outlet))


@asynccontextmanager
async def stock_client(
    world: World, name: str, text: str = "", *, mode: Mode = "edit", instance: str = "one"
) -> AsyncIterator[StockClient]:
    """Connect a stock editor that has loaded `text`."""
    async with open_lease(world._mailboxes[instance], CODESPACE, create=True) as mailbox:
        outlet = StockOutlet()
        await mailbox.send(Join(outlet, Peer(name, "", mode), stock=True))
        await world.settles()
        try:
            yield StockClient(name, mailbox, text, outlet)
        finally:
            with trio.move_on_after(1, shield=True):
                await mailbox.send(Leave(outlet))


async def rests(world: World, *clients: StockClient) -> None:
    """Let everything arrive, and time pass in which nobody types."""
    for _ in range(6):
        await world.passes(0.4)
        for client in clients:
            client.handles()


async def stored_text(store: MemoryStore) -> str:
    snapshot = await store.load(CODESPACE, create=False)
    assert snapshot is not None
    return snapshot.text


async def test_a_stock_editor_is_told_who_it_is_and_in_which_mode(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world, stock_client(world, "ann", mode="view_only") as ann:
        ann.handles()
        assert ann.connected == '{"operation":"connected","data":{"id":"ann","mode":"view_only"}}'


async def test_stock_and_new_editors_see_one_text_and_one_another(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world, stock_client(world, "ann") as ann, stock_client(world, "ben") as ben:
        new = world.client("new")
        await world.passes(1)
        assert {frame.id for frame in new.received(PeerFrame) if isinstance(frame, PeerFrame)} <= {"ann", "ben"}
        await ann.types("from ann, ")
        await world.settles()
        ben.handles()
        assert ben.text == "from ann, "
        new.types("from new, ")
        await world.settles()
        ben.handles()
        await ben.types("from ben")
        await rests(world, ann, ben)
        assert ann.text == ben.text == new.text == "from ann, from new, from ben" == await stored_text(store)


async def test_two_stock_editors_that_type_at_once_lose_nothing(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world, stock_client(world, "ann") as ann, stock_client(world, "ben") as ben:
        for _ in range(60):
            await ann.types("a")
            await ben.types("b", at=0)
            await trio.sleep(0.025)
            ann.handles(1)
            ben.handles(2)
        await rests(world, ann, ben)
        assert ann.text == ben.text == await stored_text(store)
        assert (ann.text.count("a"), ann.text.count("b"), len(ann.text)) == (60, 60, 120)


async def test_an_editor_that_leaves_right_after_typing_has_it_committed(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    faults.call_delay = lambda operation, codespace: 0.2 if operation == "append" else 0
    async with open_world(store) as world:
        new = world.client("new")
        async with stock_client(world, "ann") as ann:
            for letter in "typed and gone":
                await ann.types(letter)
        await world.passes(5)
        assert new.text == "typed and gone"


async def test_an_editor_whose_edits_are_too_much_to_wait_is_closed_and_forgotten(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    limits = SupervisorLimits(replace(channel_limits(), pending_bytes=1000))
    async with open_world(store, limits=limits) as world:
        new = world.client("new")
        await world.settles()
        faults.down = True
        async with stock_client(world, "ann") as ann:
            await ann.types("x" * 1000)
            await world.settles()
            assert ann.outlet.closing is not None
            assert ann.outlet.closing.code == CloseCode.TRY_LATER
        faults.down = False
        await world.passes(5)
        new.types("others go on")
        await world.passes(5)
        assert new.text == await stored_text(store) == "others go on"


async def test_a_stock_editor_that_may_only_look_has_what_it_typed_taken_back(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world, stock_client(world, "ann", mode="view_only") as ann:
        new = world.client("new")
        await world.settles()
        new.types("text")
        await world.settles()
        ann.handles()
        await ann.types("forbidden")
        await rests(world, ann)
        assert ann.text == new.text == "text"


async def test_a_stock_editor_that_reads_slowly_is_brought_up_to_date_when_it_reads(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world, stock_client(world, "ann") as ann:
        new = world.client("new")
        await world.settles()
        ann.outlet.full = True
        for letter in "a long text":
            new.types(letter)
            await world.settles()
        assert len(ann.outlet.sent) == 1, "only that it is connected"
        await ann.drains()
        await rests(world, ann)
        assert ann.text == "a long text"


async def test_an_editor_that_loaded_its_text_before_others_typed_is_brought_up_to_date_when_it_connects(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        new = world.client("new")
        await world.settles()
        new.types("loaded")
        await world.settles()
        new.types(" and more", at=6)
        await world.settles()
        async with stock_client(world, "ann", "loaded") as ann:
            ann.handles()
            assert ann.text == "loaded and more"


@pytest.mark.parametrize("seconds", [0, 5, 15])
async def test_whatever_text_of_late_an_editor_has_loaded_it_is_brought_up_to_date_without_typing(
    store: MemoryStore, autojump_clock: trio.testing.MockClock, seconds: float
) -> None:
    async with open_world(store) as world:
        new = world.client("new")
        await world.settles()
        texts = []
        for index in range(40):
            new.types(f"{index} ", at=0) if index % 3 else new.types("", at=0)
            if index % 3 == 0 and new.text:
                new.deletes(0, 1)
            await world.passes(1)
            texts.append(new.text)
        await world.passes(seconds)
        for back in (1, 4, 4 + int(seconds)):
            if back <= 18 - seconds:
                async with stock_client(world, f"ann{back}", texts[-back]) as ann:
                    ann.handles()
                    assert ann.text == texts[-1]


async def test_selections_reach_stock_editors_and_new_ones(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world, stock_client(world, "ann") as ann, stock_client(world, "ben") as ben:
        await ann.types("some text")
        await world.settles()
        ben.handles()
        await ann.sends(StockSelection(((0, 4),)))
        await world.passes(1)
        ben.handles()
        assert ben.selected == ((0, 4),)
        ann.handles()
        assert ann.selected == ()


async def test_stock_editors_on_two_instances_see_one_text(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with (
        open_world(store, instances=("one", "two")) as world,
        stock_client(world, "ann") as ann,
        stock_client(world, "ben", instance="two") as ben,
    ):
        for _ in range(30):
            await ann.types("a")
            await ben.types("b")
            await trio.sleep(0.01)
            ann.handles(1)
            ben.handles(1)
        await rests(world, ann, ben)
        assert ann.text == ben.text == await stored_text(store)
        assert (ann.text.count("a"), ann.text.count("b")) == (30, 30)


@pytest.mark.parametrize("round_", range(6))
async def test_any_number_of_stock_and_new_editors_that_type_at_random_agree_in_the_end(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock, seed: int, round_: int
) -> None:
    random = Random(seed * 6 + round_)
    faults.call_delay = lambda operation, codespace: random.random() / 20
    letters = [chr(0x4E00 + index) for index in range(120)]
    async with (
        open_world(store, instances=("one", "two")) as world,
        stock_client(world, "s1") as s1,
        stock_client(world, "s2", instance="two") as s2,
        stock_client(world, "s3") as s3,
    ):
        stock = [s1, s2, s3]
        new = [world.client("n1"), world.client("n2", instance="two")]
        await world.passes(1)
        for letter in letters:
            if random.random() < 0.3:
                client = random.choice(new)
                client.types(letter, at=random.randrange(len(client.text) + 1))
            else:
                typist = random.choice(stock)
                await typist.types(letter, at=random.randrange(len(typist.text) + 1))
            await trio.sleep(random.random() / 20)
            for each in stock:
                each.handles(random.randrange(3))
            if random.random() < 0.2:
                await world.settles()
        await rests(world, *stock)
        await rests(world, *stock)
        texts = {each.text for each in stock} | {client.text for client in new}
        assert texts == {await stored_text(store)}
        assert sorted(texts.pop()) == sorted(letters)


async def test_an_editor_that_is_too_much_work_to_follow_is_closed_and_nobody_else_is(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    stock = StockLimits(work_units_per_second=1000, work_seconds=2)
    limits = SupervisorLimits(replace(channel_limits(), stock=stock))
    async with open_world(store, limits=limits) as world:
        other = world.client("other")
        await world.settles()
        other.types("x" * 400)
        await world.settles()
        async with stock_client(world, "hasty", other.text) as hasty, stock_client(world, "calm", other.text) as calm:
            await world.settles()
            await calm.types("c")
            await world.settles()
            hasty.handles()
            for _ in range(8):
                await hasty.types("h")
                await world.settles()
            assert hasty.outlet.closing
            assert hasty.outlet.closing.code == CloseCode.TOO_MANY
            assert calm.outlet.closing is None
        await world.settles()
        assert other.text.count("c") == 1
        assert other.text.count("h") < 8
