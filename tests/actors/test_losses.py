"""A store that loses what it had: channels put back what they hold, and nobody's text parts from anybody else's."""

from collections.abc import Sequence
from random import Random

import pytest
import trio
from typing_extensions import override

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.errors import CloseCode
from pyshare.core.protocol import StatusFrame, Welcome
from pyshare.store.faults import Faults
from pyshare.store.interface import Appended, Committed, Conflict, Gone, Lost, Snapshot, StoreLimits, Tail
from pyshare.store.memory import MemoryStore
from tests.actors.world import Client, World, open_world
from tests.editors import CollabEditor

#: What members are told while the store does not answer.
DOWN = StatusFrame("down", "the store does not answer")
BOTH = ("one", "two")


async def stored(store: MemoryStore, codespace: str = "tmp-a") -> Snapshot:
    """Return what the store holds of the codespace."""
    snapshot = await store.load(codespace, create=False)
    assert snapshot is not None
    return snapshot


async def come_back(world: World, clients: list[Client], *, to: str) -> None:
    """Have every client that was told to come back do so."""
    for client in clients:
        if client.closed_with() is not None:
            assert client.closed_with() == CloseCode.TRY_LATER
            # It is given the other text whole, as after loading its page again.
            client.editor = CollabEditor()
            world.joins(client, instance=to)
    await world.passes(5)


async def test_what_a_store_has_lost_is_put_back_while_its_clients_type_on(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice, bob = world.client("alice"), world.client("bob", instance="two")
        await world.settles()
        alice.types("before ")
        await world.settles()
        store.go_back({})
        alice.types("and ")
        bob.types("after")
        await world.passes(5)
        assert alice.closing is bob.closing is None
        assert alice.text == bob.text == (await stored(store)).text
        assert sorted(alice.text.split()) == sorted(["before", "and", "after"])


async def test_what_a_store_has_lost_is_put_back_though_nobody_types(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        alice.types("kept")
        await world.settles()
        store.go_back({})
        await world.passes(20)
        assert alice.closing is None
        assert (await stored(store)).text == "kept"


async def test_the_end_of_a_log_that_a_store_has_lost_is_put_back_by_whoever_holds_it(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice, bob = world.client("alice"), world.client("bob", instance="two")
        await world.settles()
        alice.types("one ")
        await world.settles()
        saved = store.save()
        for word in ("two ", "three ", "four "):
            bob.types(word)
            await world.settles()
        store.go_back(saved)
        alice.types("five ")
        await world.passes(5)
        assert alice.closing is bob.closing is None
        assert alice.text == bob.text == (await stored(store)).text == "one two three four five "


async def test_a_codespace_that_was_made_anew_too_early_gives_way_to_the_one_that_was_lost(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice = world.client("alice")
        await world.settles()
        alice.types("kept")
        await world.settles()
        faults.call_delay = lambda operation, codespace: 1 if operation == "read_log" else 0
        store.go_back({})
        early = world.client("early", instance="two")
        await world.settles()
        assert early.text == ""
        alice.types(" and more")
        await world.passes(20)
        assert alice.closing is None
        await come_back(world, [early], to="two")
        assert alice.text == early.text == (await stored(store)).text == "kept and more"


async def test_a_codespace_that_was_made_anew_and_written_to_stays_and_all_come_to_it(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice = world.client("alice")
        await world.settles()
        alice.types("lost")
        await world.settles()
        store.go_back({})
        early = world.client("early", instance="two")
        await world.settles()
        faults.call_delay = lambda operation, codespace: 1 if operation == "read_log" else 0
        early.types("new")
        await world.settles()
        alice.types(" and more")
        await world.passes(20)
        await come_back(world, [alice], to="one")
        assert early.closing is None
        assert alice.text == early.text == (await stored(store)).text


async def test_a_channel_whose_log_has_parted_ends_without_applying_what_it_heard_of_the_other_log(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        alice.types("one")
        await world.settles()
        behind = await stored(store)
        alice.types(" two")
        await world.settles()
        faults.call_delay = lambda operation, codespace: 1 if operation == "read_log" else 0
        store.go_back({})
        # Another instance was behind, puts back what it has, and goes on.
        await store.put_back("tmp-a", behind)
        for version in (behind.version, behind.version + 1):
            changes = ChangeSet.of([Change(0, 0, "x")], 3 + version - behind.version)
            updates = [Update("other", version, changes)]
            await store.append("tmp-a", behind.epoch, expected=version, updates=updates, text=None)
        # The channel asks for what it holds only now.
        store._lost.add(("tmp-a", behind.epoch))
        await world.passes(5)
        assert world.supervisors["one"].statistics().failed == 0
        assert alice.closed_with() == CloseCode.TRY_LATER
        await come_back(world, [alice], to="one")
        assert alice.text == "xxone"


class SuddenStore(MemoryStore):
    """A store that tells of many updates, and loses them, in the moment before it answers an append.

    As soon as something is put back, another instance goes on from there.
    """

    armed = False
    goes_on = True

    @override
    async def put_back(self, codespace: str, held: Snapshot) -> Tail | Gone:
        answer = await super().put_back(codespace, held)
        if self.goes_on:
            self.goes_on = False
            for number in range(3):
                changes = ChangeSet.of([Change(0, 0, "yy")], len(held.text) + 2 * number)
                updates = [Update("third", number, changes)]
                expected = held.version + number
                await super().append(codespace, held.epoch, expected=expected, updates=updates, text=None)
        return answer

    @override
    async def append(
        self, codespace: str, epoch: str, *, expected: int, updates: Sequence[Update], text: str | None = None
    ) -> Appended | Conflict | Gone | Lost:
        if self.armed:
            self.armed = False
            for number in range(40):
                changes = ChangeSet.of([Change(0, 0, "x")], 3 + number)
                self._publish(codespace, Committed(expected + number + 1, (Update("other", number, changes),), epoch))
            self.go_back({})
        return await super().append(codespace, epoch, expected=expected, updates=updates, text=text)


async def test_what_was_heard_before_a_loss_is_taken_before_the_answer_that_tells_of_the_loss(
    autojump_clock: trio.testing.MockClock,
) -> None:
    store = SuddenStore(StoreLimits())
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        alice.types("one")
        await world.settles()
        store.armed = True
        alice.types("!")
        await world.passes(20)
        assert world.supervisors["one"].statistics().failed == 0
        await come_back(world, [alice], to="one")
        await world.passes(5)
        assert alice.text == (await stored(store)).text


async def test_a_welcome_tells_which_epochs_the_codespace_continues_and_a_loss_does_not_change_that(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    update = Update("bob", 1, ChangeSet.of([Change(0, 0, "text")], 0))
    await store.put_back("tmp-a", Snapshot("present", "text", 1, 1, (update,), before=("last", "first")))
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        store.go_back({})
        await world.passes(20)
        bob = world.client("bob")
        await world.settles()
        assert (await stored(store)).before == ("last", "first")
        for client in (alice, bob):
            welcome = client.received(Welcome)[-1]
            assert isinstance(welcome, Welcome)
            assert (welcome.epoch, welcome.before) == ("present", ("last", "first"))


async def test_whatever_is_lost_and_whenever_all_texts_are_one_in_the_end(
    store: MemoryStore, autojump_clock: trio.testing.MockClock, seed: int
) -> None:
    for round_ in range(5):
        random = Random(seed * 5 + round_)
        codespace = f"tmp-{round_}"
        async with open_world(store, instances=BOTH) as world:
            clients = [world.client(f"{index}", instance=BOTH[index % 2], codespace=codespace) for index in range(4)]
            await world.settles()
            saved = store.save()
            letters = [chr(0x4E00 + index) for index in range(60)]
            for letter in letters:
                client = random.choice(clients)
                client.types(letter, at=random.randrange(len(client.text) + 1))
                if random.random() < 0.5:
                    await world.settles()
                if random.random() < 0.1:
                    saved = store.save()
                if random.random() < 0.1:
                    store.go_back(random.choice((saved, {})))
            await world.passes(30)
            text = (await stored(store, codespace)).text
            assert [client.text for client in clients] == [text] * 4
            assert sorted(text) == sorted(letters), "channels were open all the time, so nothing is lost"


async def test_one_who_joins_while_the_store_is_away_is_shown_the_text_that_the_channel_holds(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        alice.types("hello")
        await world.settles()
        faults.down = True
        alice.types(" you")
        await world.passes(1)
        bob = world.client("bob")
        await world.passes(1)
        assert bob.text == "hello"
        assert bob.received(StatusFrame) == [DOWN]
        faults.down = False
        await world.passes(5)
        assert alice.text == bob.text == "hello you"


async def test_one_who_knows_more_than_a_store_that_went_back_is_let_in_all_the_same(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice = world.client("alice")
        await world.settles()
        alice.types("text")
        await world.settles()
        alice.cut()
        await world.settles()
        assert alice.editor.version is not None
        alice.editor.version += 5
        world.joins(alice)
        await world.passes(2)
        assert alice.outlet.bytes > 0, "it has its welcome"


async def test_while_writing_fails_all_are_told_once_and_are_told_that_it_is_well_when_something_was_written(
    store: MemoryStore, faults: Faults, caplog: pytest.LogCaptureFixture, autojump_clock: trio.testing.MockClock
) -> None:
    caplog.set_level("DEBUG")
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        await world.settles()
        faults.fail_before = tries = 1_000_000
        alice.types("waits")
        await world.passes(60)
        assert [client.received(StatusFrame) for client in (alice, bob)] == 2 * [[DOWN]]
        assert len([record for record in caplog.records if record.message == "storage"]) == 1
        assert 20 < tries - faults.fail_before < 80, "pauses grow, and are bounded"
        faults.fail_before = 0
        await world.passes(5)
        assert bob.received(StatusFrame) == [DOWN, StatusFrame("ok")]
        assert (await stored(store)).text == bob.text == "waits"


async def test_a_channel_whose_edits_have_gone_tries_to_write_until_it_can(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        await world.settles()
        faults.fail_before = 1_000_000
        alice.types("waits")
        await world.passes(1)
        # It comes back, and sends its push again only when it is asked to.
        alice.pushes = False
        alice.cut()
        await world.settles()
        world.joins(alice)
        await world.passes(10)
        assert bob.received(StatusFrame) == [DOWN, StatusFrame("ok")], "something else was written"


async def test_codespaces_do_not_try_again_at_the_same_moments(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    moments: dict[str, list[float]] = {}

    def note(operation: str, codespace: str) -> float:
        if operation == "append":
            moments.setdefault(codespace, []).append(trio.current_time())
        return 0

    async with open_world(store) as world:
        codespaces = [f"tmp-{number}" for number in range(5)]
        clients = [world.client(each, codespace=each) for each in codespaces]
        await world.settles()
        faults.fail_before = 1_000_000
        faults.call_delay = note
        for client in clients:
            client.types("x")
        await world.passes(30)
    last = {round(each[-1], 6) for each in moments.values()}
    assert len(last) == len(codespaces)
