"""Several instances on one store: one text, one order, presence across them, faults between them."""

from random import Random

import pytest
import trio

from pyshare.actors.messages import Drained, Received
from pyshare.core.errors import CloseCode
from pyshare.core.protocol import (
    GoneFrame,
    LanguageFrame,
    PeerFrame,
    PeerLanguageFrame,
    PeerSelectFrame,
    RefusedFrame,
    SelectFrame,
    UpdatesFrame,
    Welcome,
)
from pyshare.store.faults import Faults
from pyshare.store.interface import Committed
from pyshare.store.memory import MemoryStore
from tests.actors.world import Client, World, open_world

BOTH = ("one", "two")
EMOJI = ("\U0001f600", "\U0001f680", "e\u0301")


async def test_what_is_typed_on_one_instance_is_seen_on_the_other(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice, bob = world.client("alice"), world.client("bob", instance="two")
        await world.settles()
        alice.types("here")
        await world.settles()
        bob.types(" and there")
        await world.settles()
        assert alice.text == bob.text == "here and there"


async def test_a_storm_of_conflicts_between_two_instances_ends_in_one_text_and_starves_nobody(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock, seed: int
) -> None:
    random = Random(seed)
    faults.call_delay = lambda operation, codespace: random.random() / 50
    async with open_world(store, instances=BOTH) as world:
        clients = [world.client(f"client {index}", instance=BOTH[index % 2]) for index in range(6)]
        await world.until(lambda: all(client.received(Welcome) for client in clients))
        letters = [chr(0x4E00 + index) for index in range(6 * 40)]
        for index, letter in enumerate(letters):
            client = clients[index % 6]
            client.types(letter, at=random.randrange(len(client.text) + 1))
            await world.passes(random.random() / 100)
        await world.until(lambda: agree(clients))
        assert sorted(clients[0].text) == sorted(letters)


async def test_an_editor_that_takes_the_text_anew_finds_its_edits_on_an_instance_that_has_not_heard_of_them(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice, bob = world.client("alice"), world.client("bob", instance="two")
        await world.settles()
        alice.types("one")
        await world.settles()
        faults.drop_event = lambda codespace, event: isinstance(event, Committed)
        alice.types(" two")
        await world.settles()
        assert bob.text == "one"
        again = world.client("alice", instance="two")
        await world.settles()
        assert again.text == "one two"
        again.types(" six", at=3)
        await world.settles()
        assert again.text == "one six two"
        assert not again.received(RefusedFrame)
        assert bob.text == "one six two"


async def test_presence_and_selections_cross_instances(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice = world.client("alice")
        await world.passes(1)
        bob = world.client("bob", instance="two")
        await world.passes(1)
        assert alice.received(PeerFrame) == [PeerFrame("id-of-bob", "bob", "edit")]
        assert bob.received(PeerFrame) == [PeerFrame("id-of-alice", "alice", "edit")]
        alice.types("text")
        await world.passes(1)
        await bob.sends(Received(bob.outlet, SelectFrame(1, ((0, 4),))))
        await world.passes(1)
        assert alice.received(PeerSelectFrame) == [PeerSelectFrame("id-of-bob", 1, ((0, 4),))]
        bob.cut()
        await world.passes(1)
        assert alice.received(GoneFrame) == [GoneFrame("id-of-bob")]


async def test_a_language_that_one_chooses_is_that_of_all_and_of_latecomers_on_every_instance(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice, viewer = world.client("alice"), world.client("viewer", mode="view_only")
        bob = world.client("bob", instance="two")
        await world.passes(1)
        assert [each.language for each in alice.received(Welcome) if isinstance(each, Welcome)] == [""]
        await alice.sends(Received(alice.outlet, LanguageFrame("go")))
        await world.passes(1)
        told = [PeerLanguageFrame("id-of-alice", "go")]
        for each in (alice, viewer, bob):
            assert each.received(PeerLanguageFrame) == told
        # Those who may only look choose for nobody.
        await viewer.sends(Received(viewer.outlet, LanguageFrame("rust")))
        await world.passes(1)
        assert bob.received(PeerLanguageFrame) == told
        for instance in BOTH:
            late = world.client(f"late on {instance}", instance=instance)
            await world.passes(1)
            assert [each.language for each in late.received(Welcome) if isinstance(each, Welcome)] == ["go"]


async def test_a_laggard_is_told_the_language_when_it_has_room_again(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store) as world:
        alice, bob = world.client("alice"), world.client("bob")
        await world.passes(1)
        bob.outlet.full = True
        for name in ("go", "rust"):
            await alice.sends(Received(alice.outlet, LanguageFrame(name)))
            await world.passes(1)
        bob.outlet.full = False
        await bob.sends(Drained(bob.outlet))
        await world.passes(1)
        assert bob.received(PeerLanguageFrame)[-1:] == [PeerLanguageFrame("id-of-alice", "rust")]


async def test_the_clients_of_an_instance_that_dies_are_gone_when_it_has_been_silent(
    store: MemoryStore, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice = world.client("alice")
        bob = world.client("bob", instance="two")
        await world.passes(1)
        faults_of_death = world.supervisors["two"]
        assert faults_of_death.statistics().channels
        world.kills("two")
        bob.cut()
        await world.passes(5)
        assert alice.received(GoneFrame) == []
        await world.passes(60)
        assert alice.received(GoneFrame) == [GoneFrame("id-of-bob")]


async def test_an_instance_that_comes_back_from_silence_is_asked_for_its_clients(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice = world.client("alice")
        world.client("bob", instance="two")
        await world.passes(1)
        faults.drop_event = lambda codespace, event: True
        await world.passes(100)
        assert alice.received(GoneFrame) == [GoneFrame("id-of-bob")]
        faults.drop_event = None
        await world.passes(20)
        assert alice.received(PeerFrame)[-1] == PeerFrame("id-of-bob", "bob", "edit")


async def test_a_client_that_knows_more_than_the_instance_is_let_in_when_that_has_read_the_log(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice, bob = world.client("alice"), world.client("bob", instance="two")
        await world.passes(1)
        faults.drop_event = lambda codespace, event: True
        bob.types("unheard")
        await world.settles()
        assert alice.text == ""
        bob.cut()
        world.joins(bob, instance="one")
        await world.settles()
        assert bob.text == alice.text == "unheard"
        assert bob.received(Welcome)[-1].updates == ()  # type: ignore[union-attr]


async def test_a_lost_event_is_made_good_by_the_next(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice, bob = world.client("alice"), world.client("bob", instance="two")
        await world.passes(1)
        faults.drop_event = lambda codespace, event: True
        bob.types("a")
        await world.settles()
        faults.drop_event = None
        bob.types("b")
        await world.settles()
        assert alice.text == bob.text == "ab"


async def test_an_event_heard_twice_counts_once(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice, bob = world.client("alice"), world.client("bob", instance="two")
        await world.passes(1)
        faults.repeat_event = lambda codespace, event: True
        for letter in "abc":
            bob.types(letter)
            await world.settles()
        assert alice.text == bob.text == "abc"


async def test_one_who_comes_back_on_another_instance_has_its_push_committed_once(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice, bob = world.client("alice"), world.client("bob", instance="two")
        await world.passes(1)
        faults.call_delay = lambda operation, codespace: 1 if operation == "append" else 0
        alice.types("once")
        await world.settles()
        alice.cut()
        world.joins(alice, instance="two")
        await world.until(lambda: agree([alice, bob]))
        assert bob.text == "once"


async def test_one_whose_push_was_committed_under_its_old_number_is_told_to_come_back(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_world(store, instances=BOTH) as world:
        alice, bob = world.client("alice"), world.client("bob", instance="two")
        await world.passes(1)
        delays = iter((1, 2))
        faults.call_delay = lambda operation, codespace: next(delays, 0) if operation == "append" else 0
        alice.types("once")
        await world.settles()
        alice.cut()
        await world.settles()
        world.joins(alice, instance="two")
        await world.passes(5)
        assert alice.closed_with() == CloseCode.TRY_LATER
        world.joins(alice, instance="two")
        await world.settles()
        alice.types(", and on")
        await world.settles()
        assert alice.text == bob.text == "once, and on"


@pytest.mark.parametrize("round_", range(4))
async def test_any_edits_cuts_and_faults_end_in_one_text_with_each_character_once(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock, seed: int, round_: int
) -> None:
    random = Random(seed * 10 + round_)
    faults.call_delay = lambda operation, codespace: random.choice((0, 0, 0.01, 0.05))
    faults.event_delay = lambda codespace: random.choice((0, 0.02))
    faults.drop_event = lambda codespace, event: random.random() < 0.1
    faults.repeat_event = lambda codespace, event: random.random() < 0.1
    async with open_world(store, instances=BOTH) as world:
        clients = [world.client(f"client {index}", instance=BOTH[index % 2]) for index in range(5)]
        await world.until(lambda: all(client.received(Welcome) for client in clients))
        typed = await storm(world, clients, faults, random)
        faults.call_delay = faults.event_delay = faults.drop_event = faults.repeat_event = None
        for client in clients:
            client.outlet.full = False
            client.reads = True
            if not client.connecting:
                world.joins(client, instance=random.choice(BOTH))
        clients[0].types("the end")
        await world.until(lambda: come_back(world, clients) and agree(clients))
        for character in typed:
            assert clients[0].text.count(character) == 1
        snapshot = await store.load("tmp-a", create=False)
        assert snapshot is not None
        assert snapshot.text == clients[0].text


async def storm(world: World, clients: list[Client], faults: Faults, random: Random) -> list[str]:
    """Let clients do anything for a while; return the characters typed, which nobody deletes."""
    typed = []
    for step in range(150):
        client = random.choice(clients)
        match random.randrange(12):
            case 0 if client.connected:
                client.cut()
            case 1 | 2 | 3 if not client.connecting:
                world.joins(client, instance=random.choice(BOTH))
            case 4:
                client.outlet.full = not client.outlet.full
            case 5:
                client.reads = not client.reads
            case 6:
                faults.fail_after = random.choice((0, 1))
            case 7:
                faults.fail_before = random.choice((0, 1))
            case 8 | 9:
                delete_something(client, random)
            case _:
                character = chr(0x4E00 + step)
                typed.append(character)
                text = character + random.choice(("", "x", "-\n-", *EMOJI))
                client.types(text, at=boundary(client.text, random.randrange(len(client.text) + 1)))
        await world.passes(random.choice((0.0, 0.01, 0.1)))
    return typed


def delete_something(client: Client, random: Random) -> None:
    """Delete a stretch in which no unique character stands."""
    spots = [pos for pos, unit in enumerate(client.text) if not "\u4e00" <= unit <= "\u9fff"]
    if spots:
        start = boundary(client.text, random.choice(spots))
        end = start
        while end < len(client.text) and end - start < 4 and not "\u4e00" <= client.text[end] <= "\u9fff":
            end += 1
        client.deletes(start, boundary(client.text, end))


def boundary(text: str, pos: int) -> int:
    """Return `pos`, or the place before it if it would split a surrogate pair."""
    return pos - 1 if 0 < pos < len(text) and "\udc00" <= text[pos] <= "\udfff" else pos


def come_back(world: World, clients: list[Client]) -> bool:
    """Let those connect again whom a server told to; always true."""
    for client in clients:
        if not client.connecting:
            world.joins(client, instance="one")
    return True


def agree(clients: list[Client]) -> bool:
    """Whether all show one text and have nothing left to say."""
    return len({client.text for client in clients}) == 1 and not any(
        client.editor.unconfirmed or client.outlet.taken for client in clients
    )


@pytest.mark.parametrize("leaves", [False, True])
async def test_an_author_on_another_instance_is_told_of_before_its_first_edit(
    store: MemoryStore, faults: Faults, autojump_clock: trio.testing.MockClock, *, leaves: bool
) -> None:
    faults.call_delay = lambda operation, codespace: 0.02 if operation == "append" else 0
    async with open_world(store, instances=BOTH) as world:
        alice = world.client("alice")
        world.client("bob", instance="two")
        await world.passes(1)
        # The next telling of the other instance begins only after a pause.
        world.client("ada", instance="two")
        await world.settles()
        kim = world.client("kim", instance="two")
        kim.types("x")
        await world.settles()
        if leaves:
            kim.cut()
        await world.until(lambda: alice.text == "x")
        frames = alice.editor.frames
        told = frames.index(PeerFrame("id-of-kim", "kim", "edit"))
        assert told < next(place for place, frame in enumerate(frames) if isinstance(frame, UpdatesFrame))
        await world.passes(1)
        assert alice.received(GoneFrame) == ([GoneFrame("id-of-kim")] if leaves else [])
        assert alice.received(PeerFrame)[-1] == PeerFrame("id-of-kim", "kim", "edit")
