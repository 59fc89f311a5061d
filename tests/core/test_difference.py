"""What leads from one text to another: right for any two texts, fine for those people write, and bounded."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshare.core.difference import difference
from pyshare.core.units import splits_pair, to_units

TEXTS = st.lists(st.sampled_from(["a", "b", "\n", "}\n", "😀", "😁", "𝄞", "one line\n"]), max_size=30).map("".join)


def pieces(old: str, new: str) -> list[tuple[str, str]]:
    """Return what is replaced by what."""
    changes = difference(old, new).changes()
    return [(old[change.from_a : change.to_a], change.text) for change in changes]


@given(old=TEXTS, new=TEXTS)
def test_it_makes_the_new_text_of_the_old_one_and_splits_no_pair(old: str, new: str) -> None:
    old, new = to_units(old), to_units(new)
    changes = difference(old, new)
    assert changes.apply(old) == new
    for change in changes.changes():
        assert not splits_pair(old, change.from_a)
        assert not splits_pair(old, change.to_a)


@given(text=TEXTS)
def test_equal_texts_do_not_differ(text: str) -> None:
    assert difference(text, text).empty


def test_characters_are_compared_inside_lines_that_were_replaced() -> None:
    old = "def add(a, b):\n    return a + b\n\nadd(1, 2)\n"
    new = "def add(a, b, c):\n    return a + b\n\nprint(add(1, 2))\n"
    assert pieces(old, new) == [("", ", c"), ("add(1, 2", "print(add(1, 2)")]


@pytest.mark.parametrize("other", ["\U0001fa00", "\U0001f601"])
def test_pairs_with_one_half_in_common_are_replaced_whole(other: str) -> None:
    old, new = to_units("a\U0001f600b"), to_units(f"a{other}b")
    assert pieces(old, new) == [(old[1:3], new[1:3])]


def test_whole_lines_come_and_go_as_such() -> None:
    assert pieces("one\ntwo\nthree\n", "one\nthree\n") == [("two\n", "")]
    assert pieces("one\nthree", "one\ntwo\nthree") == [("", "two\n")]
    assert pieces("x\na\ny\nb\nz", "x\ny\nb\nnew\nz") == [("a\n", ""), ("", "new\n")]


def test_lines_that_stand_out_are_found_among_those_that_do_not() -> None:
    old = "\n}\nfirst\n}\n\n}\nsecond\n}\n}\n"
    new = "}\nfirst\n\n}\n}\nsecond\n}\n"
    changes = pieces(old, new)
    assert all("first" not in gone and "second" not in gone for gone, _ in changes)


def test_large_texts_without_lines_that_stand_out_are_compared_at_the_ends_of_blocks() -> None:
    chance = random.Random(1)
    lines = ["a\n", "b\n", "c\n"]
    old = "head\n" + "".join(chance.choices(lines, k=50_000)) + "tail\n"
    new = "head\n" + "".join(chance.choices(lines, k=50_000)) + "tail\n"
    changes = difference(old, new)
    assert changes.apply(old) == new
    assert len(pieces(old, new)) == 1


def test_what_many_small_blocks_cost_together_is_bounded() -> None:
    chance = random.Random(2)

    def text() -> str:
        blocks = ("".join(chance.choices(["a\n", "b\n"], k=45)) for _ in range(400))
        return "".join(f"{block}{index}\n" for index, block in enumerate(blocks))

    old, new = text(), text()
    assert difference(old, new).apply(old) == new
