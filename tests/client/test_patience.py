"""Patience with a connection, as a table of times: no clock, no connection."""

import pytest

from pyshare.client.patience import Clocks, Due, Patience, Step

NEVER = float("-inf")


def patience(alive_seconds: float | None = 20.0) -> Patience:
    """Return the patience with a connection that was dialled at 0 and welcomed at once, unless None is given."""
    found = Patience(0, welcome_seconds=15, answer_seconds=10)
    if alive_seconds is not None:
        found.welcomed(alive_seconds)
    return found


def test_before_the_welcome_all_that_is_heard_gives_it_fifteen_seconds_more() -> None:
    waiting = patience(None)
    assert waiting.due(0, NEVER, waits=False) == Due(15, Step.LOSE)
    assert waiting.due(14, NEVER, waits=False) == Due(29, Step.LOSE)
    assert waiting.woke(28.9, 29, 14, NEVER, waits=False) is None
    assert waiting.woke(29, 29, 14, NEVER, waits=False) is Step.LOSE


def test_a_push_that_waits_has_ten_seconds_since_it_left_or_something_was_heard() -> None:
    waiting = patience()
    waiting.pushed(100, 100)
    assert waiting.due(90, NEVER, waits=True) == Due(110, Step.LOSE)
    assert waiting.due(109, NEVER, waits=True) == Due(119, Step.LOSE)
    waiting.pushed(112, 100)
    assert waiting.due(109, NEVER, waits=True) == Due(122, Step.LOSE)
    assert waiting.woke(122, 122, 109, NEVER, waits=True) is Step.LOSE


def test_a_silent_server_is_asked_and_lost_ten_seconds_later() -> None:
    waiting = patience()
    assert waiting.due(100, NEVER, waits=False) == Due(125, Step.ASK)
    assert waiting.woke(125, 125, 100, NEVER, waits=False) is Step.ASK
    assert waiting.due(100, NEVER, waits=False) == Due(135, Step.LOSE)
    assert waiting.woke(135, 135, 100, NEVER, waits=False) is Step.LOSE


def test_a_server_that_answers_is_asked_again_after_the_next_silence() -> None:
    waiting = patience()
    assert waiting.woke(25, 25, 0, NEVER, waits=False) is Step.ASK
    assert waiting.due(26, NEVER, waits=False) == Due(51, Step.ASK)
    assert waiting.woke(35, 35, 26, NEVER, waits=False) is None


def test_a_server_that_cannot_be_asked_has_a_minute_whatever_waits() -> None:
    waiting = patience(0)
    waiting.pushed(50, 100)
    for waits in (True, False):
        assert waiting.due(100, NEVER, waits=waits) == Due(160, Step.LOSE)


@pytest.mark.parametrize("waits", [True, False])
def test_one_who_slept_asks_at_once_and_gives_the_server_five_seconds(waits: bool) -> None:
    waiting = patience()
    assert waiting.woke(500, 125, 100, NEVER, waits=waits) is Step.ASK
    assert waiting.due(100, NEVER, waits=waits) == Due(505, Step.LOSE)
    assert waiting.due(500, NEVER, waits=False) == Due(525, Step.ASK)


def test_one_who_slept_behind_a_long_push_gives_the_server_ten_seconds_from_when_the_last_of_it_left() -> None:
    waiting = patience()
    waiting.pushed(100, 100_000)
    assert waiting.woke(500, 110, 100, NEVER, waits=True) is Step.ASK
    assert waiting.due(100, 100, waits=True) == Due(510, Step.LOSE)
    assert waiting.due(100, 508, waits=True) == Due(518, Step.LOSE)
    assert waiting.woke(518, 518, 100, 508, waits=True) is Step.LOSE


def test_one_who_slept_with_a_long_push_that_was_answered_has_five_seconds() -> None:
    waiting = patience()
    waiting.pushed(100, 100_000)
    assert waiting.woke(500, 126, 101, 100, waits=False) is Step.ASK
    assert waiting.due(101, 100, waits=False) == Due(505, Step.LOSE)


@pytest.mark.parametrize("alive_seconds", [None, 0.0, 20.0])
@pytest.mark.parametrize("waits", [True, False])
def test_what_leaves_moves_each_deadline_as_what_comes_does(alive_seconds: float | None, waits: bool) -> None:
    comes, leaves = patience(alive_seconds), patience(alive_seconds)
    assert comes.due(100, NEVER, waits=waits) == leaves.due(10, 100, waits=waits)


@pytest.mark.parametrize("alive_seconds", [None, 0.0])
def test_one_who_slept_and_cannot_ask_begins_to_wait_again(alive_seconds: float | None) -> None:
    waiting = patience(alive_seconds)
    assert waiting.woke(500, 15, 0, NEVER, waits=False) is None
    assert waiting.due(0, NEVER, waits=False).time == 500 + (15 if alive_seconds is None else 60)


def test_a_clock_that_stood_still_is_a_reason_to_ask_whatever_it_says() -> None:
    waiting = patience()
    assert waiting.woke(101, 125, 100, NEVER, waits=False, stood_still=True) is Step.ASK
    assert waiting.due(100, NEVER, waits=False) == Due(106, Step.LOSE)
    assert patience(0).woke(101, 160, 100, NEVER, waits=False, stood_still=True) is None


def test_a_clock_stood_still_if_the_other_one_is_ahead_by_more_than_before() -> None:
    clocks = Clocks(5, 1000)
    assert not clocks.slept(10, 1005.9)
    assert clocks.slept(11, 1008)
    assert not clocks.slept(12, 1009)
    assert not clocks.slept(13, 10)
    assert clocks.slept(14, 100)


def test_what_was_heard_while_one_slept_needs_no_question() -> None:
    waiting = patience()
    assert waiting.woke(500, 125, 499, NEVER, waits=False) is None
