"""Positions in Python count characters, whatever the protocol counts; edits are small by themselves."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from pyshare.client import EditsRefused, EditsUnconfirmed
from pyshare.client.events import EditRefused, PeerSelected, TextChanged
from pyshare.core.changeset import Change
from pyshare.core.protocol import PeerFrame, PeerSelectFrame, RefusedFrame, SelectFrame
from pyshare.core.units import to_units
from tests.client.test_codespace import others, read
from tests.client.world import World

#: Two emoji: five characters, seven UTF-16 units.
TEXT = "a\U0001f600b\U0001f389c"


async def test_a_place_that_str_finds_is_the_place_of_an_edit() -> None:
    world = World(to_units(TEXT))
    async with world.client() as codespace:
        assert codespace.length == len(codespace.text) == 5
        codespace.insert(codespace.text.index("b"), "1")
        codespace.replace(codespace.text.index("\U0001f389"), codespace.text.index("c"), "2")
        codespace.insert(len(codespace.text), "3")
        codespace.edit([Change(0, 1, "\U0001f389\U0001f389"), Change(2, 3), Change(5, 6, "C")])
        assert codespace.text == "\U0001f389\U0001f389\U0001f600b2C3"
        codespace.delete(2, 3)
        assert codespace.text == "\U0001f389\U0001f389b2C3"
    assert world.server.document.text == to_units("\U0001f389\U0001f389b2C3")


async def test_append_puts_a_text_at_the_end() -> None:
    world = World(to_units("print('\U0001f389\U0001f389')\nx = 1\n"))
    async with world.client() as codespace:
        codespace.append("# end\n")
        assert codespace.text.endswith("x = 1\n# end\n")


async def test_a_place_outside_the_text_is_a_value_error_that_counts_characters() -> None:
    async with World(to_units(TEXT)).client() as codespace:
        for start, end in ((0, 6), (-1, 0), (3, 2)):
            with pytest.raises(ValueError, match=f"{start} to {end} is no part of the text, which has 5 characters"):
                codespace.delete(start, end)
        with pytest.raises(ValueError, match="5 to 6 is no part of the text, which has 5 characters"):
            codespace.select([(6, 5)])
        assert codespace.text == TEXT


async def test_half_a_character_is_not_inserted() -> None:
    async with World(to_units(TEXT)).client() as codespace:
        with pytest.raises(ValueError, match="half a surrogate pair"):
            codespace.insert(1, "\ud83d")
        with pytest.raises(ValueError, match="half a surrogate pair"):
            codespace.set_text("\ude00")
        assert codespace.text == TEXT


async def test_set_text_leaves_alone_what_is_in_both_texts_and_edits_of_others_are_kept(
    autojump_clock: MockClock,
) -> None:
    world = World(to_units("\U0001f600 one\ntwo\nthree\n"))
    async with world.client() as codespace:
        world.connection.deliver(PeerFrame("bob", "Bob", "edit"))
        world.connection.deliver(PeerSelectFrame("bob", 0, ((7, 10),)))
        await wait_all_tasks_blocked()
        assert codespace.selections == {"bob": ((6, 9),)}
        codespace.set_text("\U0001f389 one\r\ntwo\nTHREE\n")
        assert codespace.text == "\U0001f389 one\ntwo\nTHREE\n"
        assert codespace.selections == {"bob": ((6, 9),)}
        others(world, Change(7, 10, "TWO"))
    assert world.server.document.text == to_units("\U0001f389 one\nTWO\nTHREE\n")


async def test_set_text_to_the_text_that_there_is_is_no_edit() -> None:
    async with World(to_units(TEXT)).client() as codespace:
        codespace.set_text(TEXT)
        assert codespace.unconfirmed == 0


async def test_selections_count_characters_both_ways() -> None:
    world = World(to_units(TEXT))
    async with world.client() as codespace:
        codespace.select([(2, 4), (5, 5)])
        assert codespace.selected == ((2, 4), (5, 5))
        await wait_all_tasks_blocked()
        assert world.connection.selected == [SelectFrame(0, ((3, 6), (7, 7)))]
        codespace.insert(0, "\U0001f600\U0001f600")
        assert codespace.selected == ((4, 6), (7, 7))


async def test_events_count_characters(autojump_clock: MockClock) -> None:
    world = World(to_units(TEXT))
    async with world.client() as codespace:
        events = codespace.events()
        world.connection.deliver(PeerFrame("bob", "Bob", "edit"))
        world.connection.deliver(PeerSelectFrame("bob", 0, ((3, 6),)))
        others(world, Change(4, 6, "\U0001f600\U0001f600"), Change(7, 7, "!"))
        assert (await read(events))[1:] == [
            PeerSelected("bob", ((2, 4),)),
            TextChanged((Change(3, 4, "\U0001f600\U0001f600"), Change(5, 5, "!")), 1, "others"),
        ]


async def test_edits_that_are_given_back_count_characters(autojump_clock: MockClock) -> None:
    world = World(to_units(TEXT))
    world.holds_pushes = True

    async def stay() -> None:
        async with world.client() as codespace:
            events = codespace.events()
            codespace.insert(5, "x")
            await wait_all_tasks_blocked()
            world.connection.deliver(RefusedFrame(1, "invalid", "no"))
            refused = [event for event in await read(events) if isinstance(event, EditRefused)]
            assert [event.changes for event in refused] == [(Change(5, 5, "x"),)]
            with pytest.raises(EditsRefused):
                await codespace.wait_confirmed()
            await codespace.wait_connected()
            codespace.insert(4, "y")

    with pytest.raises(EditsUnconfirmed) as caught:
        await stay()
    assert caught.value.changes == (Change(4, 4, "y"),)


@given(st.lists(st.text(st.sampled_from("ab\n\U0001f600\U0001f389")), min_size=2, max_size=5))
def test_set_text_makes_any_text_of_any_other(texts: list[str]) -> None:
    async def play() -> None:
        world = World(to_units(texts[0]))
        async with world.client() as codespace:
            for text in texts[1:]:
                codespace.set_text(text)
                assert codespace.text == text
        assert world.server.document.text == to_units(texts[-1])

    trio.run(play, clock=MockClock(autojump_threshold=0))
