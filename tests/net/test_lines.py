"""Lines of those who wait, served in turns."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from pyshare.net.lines import Lines


def served(lines: Lines[str]) -> Iterator[str]:
    """Yield those who are served, until nobody waits."""
    while (waiter := lines.take()) is not None:
        yield waiter


def test_lines_are_served_in_turns_whatever_their_lengths() -> None:
    lines = Lines[str](100)
    for number in range(50):
        lines.enter(f"a{number}", "a")
    lines.enter("b0", "b")
    lines.enter("c0", "c")
    lines.enter("c1", "c")
    assert list(served(lines))[:6] == ["a0", "b0", "c0", "a1", "c1", "a2"]


def test_one_who_stands_in_two_lines_is_served_at_the_first_turn_and_once() -> None:
    lines = Lines[str](100)
    for number in range(5):
        lines.enter(f"a{number}", "a")
    lines.enter("b0", "b")
    lines.enter("a4", "b")
    lines.enter("a4", "b")
    assert list(served(lines)) == ["a0", "b0", "a1", "a4", "a2", "a3"]


def test_one_who_enters_first_is_served_before_those_who_wait() -> None:
    lines = Lines[str](100)
    lines.enter("a0", "a")
    lines.enter("a1", "a", first=True)
    assert list(served(lines)) == ["a1", "a0"]


def test_above_the_bound_the_last_of_the_longest_line_has_to_go() -> None:
    lines = Lines[str](4)
    for number in range(4):
        assert lines.enter(f"a{number}", "a") is None
    assert lines.enter("b0", "b") == "a3"
    assert lines.enter("b1", "b") == "a2"
    assert list(served(lines)) == ["a0", "b0", "a1", "b1"]


def test_one_who_stands_in_another_line_too_does_not_go() -> None:
    lines = Lines[str](3)
    for name, waiter in (("a", "a0"), ("a", "a1"), ("b", "a1")):
        assert lines.enter(waiter, name) is None
    assert lines.enter("c0", "c") is None
    assert list(served(lines)) == ["a0", "a1", "c0"]


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abc"), st.booleans())), st.integers(1, 5))
def test_everybody_is_served_once_or_has_been_told_to_go(steps: list[tuple[int, str, bool]], most: int) -> None:
    lines = Lines[int](most)
    waiting: set[int] = set()
    for waiter, name, leaves in steps:
        if leaves:
            lines.leave(waiter)
            waiting.discard(waiter)
        else:
            waiting.add(waiter)
            waiting.discard(gone) if (gone := lines.enter(waiter, name)) is not None else None
        assert len(lines) == len(waiting) <= most
        assert all(each in lines for each in waiting)
    found = []
    while (waiter_served := lines.take()) is not None:
        found.append(waiter_served)
    assert sorted(found) == sorted(waiting)
