"""Stock editors in a channel, beside new ones: whatever is typed, all texts are one in the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from random import Random

import pytest
import trio

from pyshare.actors.member import Author
from pyshare.actors.messages import Drained, Join, Leave, Received
from pyshare.actors.stock import StockLimits, StockRoom
from pyshare.actors.supervisor import Mailbox, SupervisorLimits, open_lease
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Document, DocumentLimits, Push, Update
from pyshare.core.errors import CloseCode
from pyshare.core.protocol import Mode, Peer, PeerFrame, PeerSelectFrame
from pyshare.core.sharepython import StockEdit, StockFrame, StockLoss, StockSelection, parse_stock_frame
from pyshare.core.units import has_lone_surrogate, to_units
from pyshare.store.faults import Faults
from pyshare.store.interface import Committed
from pyshare.store.memory import MemoryStore
from simulation.stock_model import FrontEnd, InsertValue
from simulation.stock_model.wire import as_json, from_json
from tests.actors.world import World, channel_limits, open_world
from tests.stock_socket import StockSocket

CODESPACE = "tmp-a"


class StockClient:
    """A person at a stock front end that has loaded a text and connects."""

    def __init__(self, name: str, mailbox: Mailbox, text: str, outlet: StockSocket) -> None:
        self.name = name
        self.mailbox = mailbox
        self.outlet = outlet
        self.front_end = FrontEnd(text)
        self.connected: str | None = None

    @property
    def text(self) -> str:
        """What the editor shows."""
        return self.front_end.text

    @property
    def dropped(self) -> int:
        """How many frames of others threw."""
        return self.front_end.dropped

    async def types(self, letters: str, at: int | None = None, *, deletes: int = 0) -> None:
        """Click, at the end unless a place is given, and press a key there."""
        pos = len(self.text) if at is None else at
        self.front_end.selects((pos, pos + deletes))
        self.front_end.types(letters)
        await self.sends()

    async def presses(self, letters: str) -> None:
        """Press a key wherever the cursors are."""
        self.front_end.types(letters)
        await self.sends()

    async def sends(self, *more: StockFrame) -> None:
        """Send what has left the front end, and some frames that it never sends by itself."""
        for frame in self.front_end.takes_sent():
            if isinstance(frame, InsertValue):
                await self.mailbox.send(Received(self.outlet, parse_stock_frame(as_json(frame))))
        for each in more:
            await self.mailbox.send(Received(self.outlet, each))

    async def makes(self, changes: ChangeSet) -> None:
        """Make an edit that no key makes, and send it."""
        self.front_end = FrontEnd(changes.apply(self.text))
        await self.sends(StockEdit(changes))

    def handles(self, count: int = 1_000_000) -> None:
        """Handle what has been sent, oldest first."""
        for _ in range(min(count, len(self.outlet.sent))):
            data = self.outlet.sent.popleft()
            if '"connected"' in data:
                assert self.connected is None
                self.connected = data
                continue
            assert self.connected, "it is told that it is connected before anything else"
            assert f'"sender":"{self.name}"' not in data, "it was sent its own edit"
            self.front_end.receives(from_json(data))

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
        outlet = StockSocket()
        await mailbox.send(Join(outlet, Peer(name, "", mode), dialect="stock"))
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


@pytest.mark.parametrize("mode", ["edit", "view_only"])
@pytest.mark.parametrize("selections", [False, True])
async def test_stock_editors_are_sent_selections_if_a_setting_says_so_and_never_those_of_viewers(
    store: MemoryStore, autojump_clock: trio.testing.MockClock, mode: Mode, selections: bool
) -> None:
    limits = SupervisorLimits(replace(channel_limits(), stock=StockLimits(selections=selections)))
    async with (
        open_world(store, limits=limits) as world,
        stock_client(world, "ann", mode=mode) as ann,
        stock_client(world, "ben") as ben,
    ):
        new = world.client("new")
        await ben.types("some text")
        await world.settles()
        ann.handles()
        await ann.sends(StockSelection(((0, 9),)))
        await world.passes(1)
        ben.handles()
        assert (ben.front_end.ranges == [(0, 9)]) == (selections and mode == "edit")
        assert new.received(PeerSelectFrame), "a new editor shows it, and does not select with it"


async def test_selections_reach_stock_editors_and_new_ones(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    limits = SupervisorLimits(replace(channel_limits(), stock=StockLimits(selections=True)))
    async with (
        open_world(store, limits=limits) as world,
        stock_client(world, "ann") as ann,
        stock_client(world, "ben") as ben,
    ):
        await ann.types("some text")
        await world.settles()
        ben.handles()
        await ann.sends(StockSelection(((0, 4),)))
        await world.passes(1)
        ben.handles()
        assert ben.front_end.ranges == [(0, 4)]
        ann.handles()
        assert ann.front_end.ranges != [(0, 4)]


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


async def test_an_editor_that_was_closed_is_not_heard_and_its_neighbours_notice_nothing(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    limits = SupervisorLimits(replace(channel_limits(), pending_bytes=1000))
    async with open_world(store, limits=limits) as world, stock_client(world, "calm") as calm:
        new = world.client("new")
        await world.settles()
        faults.call_delay = lambda operation, codespace: 10 if operation == "append" else 0
        async with stock_client(world, "hasty") as hasty:
            await hasty.types("h")
            await world.settles()
            await hasty.types("x" * 2000)
            await world.passes(11)
            assert hasty.outlet.closing is not None
            for _ in range(10):
                await hasty.types("y")
                await world.passes(3)
            assert calm.outlet.closing is None
            assert new.closing is None
        faults.call_delay = lambda operation, codespace: 0
        await calm.types("c")
        await rests(world, calm)
        assert "y" not in new.text
        assert calm.text == new.text == await stored_text(store)


async def test_an_edit_that_is_refused_after_its_editor_has_left_fails_nobody(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    limits = SupervisorLimits(replace(channel_limits(), document=DocumentLimits(text_units=10)))
    async with open_world(store, limits=limits) as world:
        new = world.client("new")
        await world.settles()
        async with stock_client(world, "ann") as ann:
            ann.handles()
            faults.call_delay = lambda operation, codespace: 1 if operation == "append" else 0
            new.types("123456789")
            await world.settles()
            await ann.types("abc")
            await world.settles()
        await world.passes(5)
        assert new.closing is None
        assert new.text == await stored_text(store) == "123456789"


@pytest.mark.parametrize("mode", ["edit", "view_only"])
@pytest.mark.parametrize("change", [Change(2, 3), Change(1, 2), Change(2, 2, "\ud83d"), Change(0, 2, "x")])
async def test_half_a_pair_in_an_edit_of_a_stock_editor_fails_nobody(
    store: MemoryStore, autojump_clock: trio.testing.MockClock, mode: Mode, change: Change
) -> None:
    async with open_world(store) as world:
        new = world.client("new")
        await world.settles()
        new.types(to_units("a\U0001f600b"))
        await world.settles()
        async with stock_client(world, "ann", new.text, mode=mode) as ann:
            await ann.makes(ChangeSet.of([change], len(ann.text)))
            await rests(world, ann)
            assert ann.outlet.closing is None
            assert ann.text == new.text == await stored_text(store)
            assert not has_lone_surrogate(new.text)
            assert (new.text == to_units("a\U0001f600b")) == (mode == "view_only")


async def test_an_edit_at_too_many_places_is_taken_back_in_its_editor(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world, stock_client(world, "ann") as ann:
        await ann.types("text")
        await world.settles()
        ann.front_end = FrontEnd("t.e.x.t.")
        await ann.sends(StockLoss(8))
        await rests(world, ann)
        assert ann.text == "text" == await stored_text(store)


async def test_an_editor_pays_for_the_work_of_following_it(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world, stock_client(world, "ann") as ann, stock_client(world, "ben") as ben:
        await ann.types("a")
        await world.settles()
        assert ann.outlet.steps > 0
        assert ben.outlet.steps == 0


async def test_to_join_takes_no_more_of_the_store_than_bounds_say_and_no_copies_of_the_text(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        new = world.client("new")
        await world.settles()
        new.types("x" * 60_000)
        await world.settles()
        for index in range(1000):
            new.types("y", at=index)
            await world.settles()
        async with stock_client(world, "ann", new.text) as ann:
            assert sum(map(len, ann.outlet.sent)) < 100_000
            ann.handles()
            assert ann.text == new.text


async def test_what_one_types_behind_an_edit_at_many_places_is_typed_once(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world, stock_client(world, "ann") as ann, stock_client(world, "ben") as ben:
        ann.front_end.pastes_lines(12, "some line of text")
        await ann.sends()
        await rests(world, ann, ben)
        ann.front_end.selects_all()
        ann.front_end.indent()
        await ann.sends()
        await rests(world, ann, ben)
        assert ben.text == ann.text
        for letter in "0123456789":
            await ben.presses(letter)
        await rests(world, ann, ben)
        assert ann.text == ben.text == await stored_text(store)
        assert all(ben.text.count(letter) == 1 for letter in "0123456789")


@pytest.mark.parametrize("pushes", [1, 100, 500])
async def test_an_editor_that_loaded_its_text_before_the_channel_started_here_is_brought_up_to_date(
    store: MemoryStore, autojump_clock: trio.testing.MockClock, pushes: int
) -> None:
    async with open_world(store, instances=("one", "two")) as world:
        new = world.client("new")
        await world.settles()
        new.types("loaded")
        await world.settles()
        for index in range(pushes):
            new.types("x", at=6 + index)
            await world.settles()
        async with stock_client(world, "ann", "loaded", instance="two") as ann:
            ann.handles()
            assert ann.text == "loaded" + pushes * "x"


def stock_room(document: Document) -> StockRoom:
    def push(push: Push, author: Author) -> None:
        raise AssertionError("nobody types here")

    times = count(1)
    return StockRoom(document, StockLimits(), push=push, select=lambda client, selection: 0, clock=lambda: next(times))


async def test_an_editor_that_loaded_what_its_instance_has_not_heard_is_brought_up_to_date_without_typing(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=("one", "two")) as world:
        new, behind = world.client("new"), world.client("behind", instance="two")
        await world.settles()
        new.types("text")
        await world.settles()
        faults.drop_event = lambda codespace, event: isinstance(event, Committed)
        new.types("s and more", at=4)
        await world.settles()
        assert behind.text == "text"
        loaded = await stored_text(store)
        async with stock_client(world, "ann", loaded, instance="two") as ann:
            faults.drop_event = None
            ann.handles()
            new.types("!", at=14)
            new.types("?", at=0)
            await rests(world, ann)
            assert ann.text == behind.text == new.text == "?texts and more!"


async def test_an_editor_that_comes_while_its_instance_does_not_reach_the_store_is_connected_when_it_does_again(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        new = world.client("new")
        await world.settles()
        faults.down = True
        new.types("text")
        await world.passes(3)
        async with stock_client(world, "ann") as ann:
            await world.passes(3)
            assert not ann.outlet.sent
            faults.down = False
            await rests(world, ann)
            assert ann.connected
            assert ann.text == "text"


async def test_what_an_editor_sends_before_it_is_told_that_it_is_connected_is_committed(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        new = world.client("new")
        await world.settles()
        faults.down = True
        async with stock_client(world, "ann") as ann:
            await ann.types("early")
            await world.passes(1)
            faults.down = False
            await rests(world, ann)
            assert ann.connected
            assert ann.text == new.text == "early"


def test_a_push_is_not_composed_where_there_is_no_stock_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    text = Document("x" * 1000, limits=DocumentLimits())
    room = stock_room(text)
    places = [Change(10 + 2 * index, 10 + 2 * index, "y") for index in range(400)]
    updates = [Update("ann", 1, ChangeSet.of([place], 1000 + index)) for index, place in enumerate(places)]

    def compose(one: ChangeSet, two: ChangeSet) -> ChangeSet:
        raise AssertionError("this takes very many steps at once in the end")

    monkeypatch.setattr(ChangeSet, "compose", compose)
    room.publish(text.advance(400, updates))


def test_an_editor_whose_socket_is_full_when_it_joins_is_told_that_it_is_connected_before_anything_else() -> None:
    document = Document("text", limits=DocumentLimits())
    room = stock_room(document)
    socket = StockSocket()
    socket.full = True
    member = room.welcome(Join(socket, Peer("id", "", "edit"), dialect="stock"))
    assert not socket.sent
    new = document.advance(1, [Update("other", 1, ChangeSet.of([Change(4, 4, "!")], 4))])
    room.publish(new)
    socket.full = False
    member.drained()
    first, *others = socket.sent
    assert '"connected"' in first
    assert [from_json(each) for each in others] == [InsertValue(4, (Change(4, 4, "!"),))]
