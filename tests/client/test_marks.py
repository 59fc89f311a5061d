"""Marks: positions that move with the text, whoever changes it; and changes that cannot be one edit."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from pyshare.client import Change
from pyshare.core.units import to_units
from tests.client.model import ModelServer
from tests.client.test_codespace import others
from tests.client.world import World


async def test_a_mark_moves_with_own_edits_and_those_of_others() -> None:
    world = World(to_units("\U0001f600 one two"))
    async with world.client() as codespace:
        mark = codespace.mark(codespace.text.index("two"))
        codespace.insert(0, "\U0001f389\U0001f389")
        assert mark.pos == codespace.text.index("two") == 8
        others(world, Change(0, 2, "zero"))
        await wait_all_tasks_blocked()
        assert mark.pos == codespace.text.index("two")
        codespace.replace(mark.pos, mark.pos + 3, "2")
        assert codespace.text[mark.pos :] == "2"


async def test_a_mark_stays_before_what_is_inserted_at_it_unless_it_is_to_stand_behind() -> None:
    async with World("ab").client() as codespace:
        before, behind = codespace.mark(1), codespace.mark(1, behind=True)
        codespace.insert(1, "xyz")
        assert (before.pos, behind.pos) == (1, 4)


async def test_a_mark_in_deleted_text_is_where_that_text_was() -> None:
    async with World("abcdef").client() as codespace:
        mark = codespace.mark(3)
        codespace.delete(1, 5)
        assert mark.pos == 1


async def test_a_mark_outside_the_text_is_a_value_error() -> None:
    async with World("ab").client() as codespace:
        for pos in (-1, 3):
            with pytest.raises(ValueError, match=f"{pos} to {pos} is no part of the text"):
                codespace.mark(pos)


async def test_a_mark_moves_with_a_text_that_is_fetched_again(autojump_clock: MockClock) -> None:
    world = World(server=ModelServer("one\ntwo\nthree\n", history=1))
    async with world.client() as codespace:
        mark = codespace.mark(8)
        world.connection.end()
        others(world, Change(0, 0, "zero\n"))
        others(world, Change(0, 0, "minus one\n"))
        await codespace.wait_text(lambda text: text.startswith("minus one"))
        assert codespace.text[mark.pos :] == "three\n"


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 99), st.integers(0, 3), st.text("a\U0001f600", max_size=3))))
def test_a_mark_stays_before_its_character_through_any_edits(edits: list[tuple[bool, int, int, str]]) -> None:
    async def play() -> None:
        world = World("aaaa|aaaa")
        async with world.client() as codespace:
            mark = codespace.mark(4, behind=True)
            for is_own, place, length, insert in edits:
                text = codespace.text
                start = place % (len(text) + 1)
                end = min(start + length, len(text))
                if "|" in text[start:end]:
                    continue
                if is_own:
                    codespace.replace(start, end, insert)
                else:
                    await codespace.wait_confirmed()
                    others(world, Change(len(to_units(text[:start])), len(to_units(text[:end])), insert))
                    await wait_all_tasks_blocked()
                assert codespace.text[mark.pos] == "|"

    trio.run(play, clock=MockClock(autojump_threshold=0))


async def test_changes_that_overlap_are_no_edit() -> None:
    async with World("abcdef").client() as codespace:
        with pytest.raises(ValueError, match="changes of one edit overlap: 0 to 3, and 2 to 4"):
            codespace.edit([Change(2, 4), Change(0, 3, "x")])
        assert codespace.text == "abcdef"
        codespace.edit([Change(3, 4), Change(0, 3, "x"), Change(3, 3, "y"), Change(4, 4, "z")])
        assert codespace.text == "xyzef"
