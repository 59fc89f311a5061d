"""Change sets cut to the size of messages: the parts do what the whole did, each within the limit."""

from hypothesis import given
from hypothesis import strategies as st

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.parcel import cut
from pyshare.core.protocol import PushFrame, encode
from pyshare.core.units import has_lone_surrogate, splits_pair, to_units

LENGTH = 40
CHANGES = st.lists(st.tuples(st.integers(0, LENGTH), st.integers(0, 5), st.text("a\n\0é😀", max_size=60)), max_size=6)


def made(specs: list[tuple[int, int, str]]) -> ChangeSet:
    specs = sorted(specs, key=lambda spec: spec[0])
    changes = [Change(start, min(LENGTH, start + count), to_units(text)) for start, count, text in specs]
    return ChangeSet.of(changes, LENGTH)


@given(specs=CHANGES, limit=st.integers(200, 2000))
def test_the_parts_together_do_what_the_whole_does_and_each_fits(specs: list[tuple[int, int, str]], limit: int) -> None:
    whole = made(specs)
    text = "".join(chr(0x100 + index) for index in range(LENGTH))
    expected = whole.apply(text)
    rest: ChangeSet | None = whole
    while rest:
        part, rest = cut(rest, limit)
        frame = encode(PushFrame(1, 1, (part,)))
        assert len(frame) - len(encode(PushFrame(1, 1, (ChangeSet.empty_of(0),)))) + 2 <= limit
        assert not any(map(has_lone_surrogate, part.inserted))
        for change in part.changes():
            assert not splits_pair(text, change.from_a)
            assert not splits_pair(text, change.to_a)
        text = part.apply(text)
    assert text == expected


@given(specs=CHANGES)
def test_what_fits_is_not_cut(specs: list[tuple[int, int, str]]) -> None:
    whole = made(specs)
    assert cut(whole, 1_000_000) == (whole, None)


def test_a_limit_that_nothing_fits_is_passed_over_for_the_first_change_of_a_part() -> None:
    whole = made([(0, 0, "😀" * 5), (9, 2, "")])
    parts = 1
    rest: ChangeSet | None = whole
    while rest:
        _, rest = cut(rest, 0)
        parts += 1
    assert parts == 7


def test_parts_are_not_much_smaller_than_they_may_be() -> None:
    part, rest = cut(ChangeSet.of([Change(0, 0, "x" * 100_000)], 0), 65_536)
    assert rest is not None
    assert part.new_length > 65_000
    assert cut(ChangeSet.of([Change(0, 0, "x" * 65_000)], 0), 65_536)[1] is None


def test_a_change_in_many_places_is_cut_by_sections() -> None:
    whole = ChangeSet.of([Change(2 * index, 2 * index + 1, ";") for index in range(40_000)], 80_000)
    text, parts = "a," * 40_000, 0
    rest: ChangeSet | None = whole
    while rest is not None:
        part, rest = cut(rest, 1_000_000)
        assert part.steps <= 8192
        text, parts = part.apply(text), parts + 1
    assert text == ";," * 40_000
    assert parts == 10


def test_the_last_places_that_fit_are_not_cut_off() -> None:
    whole = ChangeSet.of([Change(2 * index + 1, 2 * index + 1, "x") for index in range(10)], 30)
    part, rest = cut(whole, 1_000_000, 7)
    assert (part.steps, rest is None) == (7, False)
    assert cut(whole, 1_000_000, whole.steps) == (whole, None)
