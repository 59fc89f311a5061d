"""Units strings: one character is one UTF-16 code unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshare.core.units import Places, from_units, has_lone_surrogate, normalise_line_breaks, splits_pair, to_units


@given(st.text())
def test_a_text_has_as_many_units_as_javascript_counts_and_comes_back(text: str) -> None:
    units = to_units(text)
    assert len(units) == len(text.encode("utf-16-le", "surrogatepass")) // 2
    if not has_lone_surrogate(units):
        assert from_units(units) == text


def test_half_a_pair_is_found_and_no_text() -> None:
    emoji = to_units("\U0001f600")
    for broken in (emoji[0], emoji[1], "a" + emoji[0] + "b", emoji[::-1]):
        assert has_lone_surrogate(broken)
        with pytest.raises(UnicodeDecodeError):
            from_units(broken)
    assert not has_lone_surrogate("abc")
    assert not has_lone_surrogate("a" + emoji + "\u00e9")


def test_only_the_middle_of_a_pair_splits_it() -> None:
    units = to_units("a\U0001f600b")
    assert [pos for pos in range(len(units) + 1) if splits_pair(units, pos)] == [2]


@pytest.mark.parametrize(("text", "expected"), [("a\r\nb\rc\nd", "a\nb\nc\nd"), ("\r\r\n", "\n\n"), ("ab", "ab")])
def test_every_line_break_becomes_one_unit(text: str, expected: str) -> None:
    assert normalise_line_breaks(text) == expected


@given(st.text(st.sampled_from("ab\u00e9\u5b57\U0001f600\U0001f389")))
def test_indices_of_characters_and_positions_of_units_lead_to_each_other(text: str) -> None:
    places = Places(to_units(text))
    for index in range(len(text) + 1):
        pos = len(to_units(text[:index]))
        assert places.pos(index) == pos
        assert places.index(pos) == index


def test_a_position_inside_a_pair_is_that_of_its_character() -> None:
    assert Places(to_units("a\U0001f600b")).index(2) == 1
