"""Change sets cut to the size of messages: the parts do what the whole did, each within the limit."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.parcel import PartLimits, cut, deletions, fits, part_limits, push_limits, shed
from pyshare.core.protocol import Limits, PushFrame, encode
from pyshare.core.units import has_lone_surrogate, splits_pair, to_units

LENGTH = 40
CHANGES = st.lists(st.tuples(st.integers(0, LENGTH), st.integers(0, 5), st.text("a\n\0é😀", max_size=60)), max_size=6)


def made(specs: list[tuple[int, int, str]]) -> ChangeSet:
    specs = sorted(specs, key=lambda spec: spec[0])
    changes = [Change(start, min(LENGTH, start + count), to_units(text)) for start, count, text in specs]
    return ChangeSet.of(changes, LENGTH)


@settings(deadline=None)
@given(specs=CHANGES, limit=st.integers(200, 2000))
def test_the_parts_together_do_what_the_whole_does_and_each_fits(specs: list[tuple[int, int, str]], limit: int) -> None:
    whole = made(specs)
    text = "".join(chr(0x100 + index) for index in range(LENGTH))
    expected = whole.apply(text)
    rest: ChangeSet | None = whole
    while rest:
        part, rest = cut(rest, PartLimits(limit))
        frame = encode(PushFrame(1, 1, (part,)))
        assert len(frame) - len(encode(PushFrame(1, 1, (ChangeSet.empty_of(0),)))) + 2 <= limit
        assert not any(map(has_lone_surrogate, part.inserted))
        for change in part.changes():
            assert not splits_pair(text, change.from_a)
            assert not splits_pair(text, change.to_a)
        text = part.apply(text)
    assert text == expected


@settings(deadline=None)
@given(specs=CHANGES)
def test_what_fits_is_not_cut(specs: list[tuple[int, int, str]]) -> None:
    whole = made(specs)
    assert cut(whole, PartLimits(1_000_000)) == (whole, None)


def test_a_limit_that_nothing_fits_is_passed_over_for_the_first_change_of_a_part() -> None:
    whole = made([(0, 0, "😀" * 5), (9, 2, "")])
    parts = 1
    rest: ChangeSet | None = whole
    while rest:
        _, rest = cut(rest, PartLimits(0))
        parts += 1
    assert parts == 7


def test_parts_are_not_much_smaller_than_they_may_be() -> None:
    part, rest = cut(ChangeSet.of([Change(0, 0, "x" * 100_000)], 0), PartLimits(65_536))
    assert rest is not None
    assert part.new_length > 65_000
    assert cut(ChangeSet.of([Change(0, 0, "x" * 65_000)], 0), PartLimits(65_536))[1] is None


def test_a_change_in_many_places_is_cut_by_sections() -> None:
    whole = ChangeSet.of([Change(2 * index, 2 * index + 1, ";") for index in range(40_000)], 80_000)
    text, parts = "a," * 40_000, 0
    rest: ChangeSet | None = whole
    while rest is not None:
        part, rest = cut(rest, PartLimits(1_000_000))
        assert part.steps <= 8192
        text, parts = part.apply(text), parts + 1
    assert text == ";," * 40_000
    assert parts == 10


def test_the_last_places_that_fit_are_not_cut_off() -> None:
    whole = ChangeSet.of([Change(2 * index + 1, 2 * index + 1, "x") for index in range(10)], 30)
    part, rest = cut(whole, PartLimits(1_000_000, 7))
    assert (part.steps, rest is None) == (7, False)
    assert cut(whole, PartLimits(1_000_000, whole.steps)) == (whole, None)


def split_by_others(count: int, insert: str = "") -> ChangeSet:
    """Return a replacement of a long text by `insert` as it is when others have typed in many places of it."""
    own = ChangeSet.of([Change(0, 10 * count, insert)], 10 * count)
    return own.map(ChangeSet.of([Change(10 * at + 5, 10 * at + 5, "x") for at in range(count)], 10 * count))


@settings(deadline=None)
@given(specs=CHANGES, sections=st.integers(16, 40), limit=st.integers(3000, 6000))
def test_what_is_shed_are_deletions_and_the_parts_together_do_what_the_whole_does(
    specs: list[tuple[int, int, str]], sections: int, limit: int
) -> None:
    deletions = [Change(3 * at, 3 * at + 1) for at in range(LENGTH // 3)]
    own = made(specs).map(ChangeSet.empty_of(LENGTH))
    whole = own.compose(ChangeSet.of(deletions, LENGTH).map(own))
    limits = PartLimits(limit, sections)
    part, rest = shed(whole, limits)
    assert fits(part, limits)
    assert "".join(part.inserted) == "".join(whole.inserted)
    assert rest is None or not any(rest.inserted)
    assert (part.compose(rest) if rest else part).apply("." * LENGTH) == whole.apply("." * LENGTH)


def test_what_fits_sheds_nothing_and_what_only_inserts_has_nothing_to_shed() -> None:
    whole = split_by_others(50, "new")
    assert shed(whole, PartLimits(100_000)) == (whole, None)
    typed = ChangeSet.of([Change(0, 0, "x" * 100)], 0)
    assert shed(typed, PartLimits(50)) == (typed, None)


def test_a_push_and_its_first_part_differ_by_deletions_only() -> None:
    whole = split_by_others(50, "new")
    part, rest = shed(whole, PartLimits(100_000, 21))
    assert deletions(whole).map(part) == rest


def test_as_many_deletions_are_kept_as_fit() -> None:
    part, rest = shed(split_by_others(50, "new"), PartLimits(100_000, 21))
    assert part.steps in (20, 21)
    assert rest is not None


def test_a_push_may_have_half_of_what_the_server_takes_and_never_many_sections() -> None:
    limits = Limits(10_000, 1, 1, 1, 1, 1, push_sections=100)
    assert part_limits(limits) == PartLimits(5000, 50)
    assert part_limits(replace(limits, push_sections=81_920)) == PartLimits(5000, 8192)
    assert push_limits(limits) == PartLimits(9900, 100)
