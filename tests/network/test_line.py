"""Lines, by arithmetic."""

import math
from random import Random

import pytest

from tests.network.line import Line, Quality
from tests.network.presets import SLEEP, SLOW_3G, TRAIN, clear_spells

SLOW = Quality(1000, buffer_bytes=4000)


def passed(line: Line, seconds: float, *, start: float = 0.0) -> list[tuple[float, int]]:
    """Take from a line as soon as anything comes, until a time; return the times and counts."""
    found: list[tuple[float, int]] = []
    now = start
    while now <= seconds:
        if data := line.take(now):
            found.append((round(now, 6), len(data)))
        now = max(line.next_at(now), math.nextafter(now, math.inf))
    return found


def test_bytes_pass_at_the_speed_of_the_line_and_in_order() -> None:
    line = Line(SLOW)
    data = Random(1).randbytes(4000)
    line.put(data, 0)
    taken = b"".join(line.take(second / 10) for second in range(42))
    assert taken == data
    line.put(data, 10)
    assert [count for _, count in passed(line, 11.1, start=10)] == [256] * 4
    assert line.passed_bytes == 4000 + 4 * 256


def test_a_sender_waits_while_as_much_waits_as_the_buffer_takes() -> None:
    line = Line(SLOW)
    assert line.room(0) == 4000
    line.put(bytes(4000), 0)
    assert line.room(0.2) == 0
    assert line.next_at(0.2) == 0.256
    line.take(0.256)
    assert line.room(0.256) == 256


def test_what_has_arrived_and_is_not_taken_leaves_no_room_either() -> None:
    line = Line(SLOW)
    line.put(bytes(4000), 0)
    assert line.room(100) == 0
    assert len(line.take(100)) == 4000
    assert line.room(100) == 4000


def test_delay_is_no_less_speed() -> None:
    line = Line(Quality(1000, delay_seconds=2))
    line.put(bytes(512), 0)
    assert passed(line, 10) == [(2.256, 256), (2.512, 256)]


def test_jitter_changes_no_order_and_follows_from_the_chances() -> None:
    runs = [Line(Quality(10_000, delay_seconds=1, jitter_seconds=0.5), Random(7).random) for _ in range(2)]
    for line in runs:
        line.put(bytes(2560), 0)
    one, two = (passed(line, 10) for line in runs)
    assert one == two
    assert sum(count for _, count in one) == 2560
    assert 1 < one[0][0] < one[-1][0] < 1.256 + 0.5


def test_in_a_silence_nothing_passes_and_all_of_it_after() -> None:
    line = Line(SLOW)
    line.put(bytes(512), 0)
    line.fall_silent(20, 0.3)
    assert line.take(19.9) == b""
    # The first slice was on its way; the second one is sent again.
    assert passed(line, 30, start=19.9) == [(20, 256), (20.256, 256)]


def test_a_silence_for_good_is_never_over() -> None:
    line = Line(SLOW)
    line.put(bytes(512), 0)
    line.fall_silent(math.inf, 0)
    assert line.next_at(1) == math.inf
    assert line.take(1e9) == b""
    line.end()
    assert not line.has_ended(1e9)


def test_the_end_arrives_after_the_last_byte_and_after_a_silence() -> None:
    line = Line(SLOW)
    line.put(b"last", 0)
    line.end()
    assert not line.has_ended(0)
    assert line.take(1) == b"last"
    assert line.has_ended(1)
    line.fall_silent(5, 1)
    assert not line.has_ended(4)
    assert line.next_at(4) == 5
    assert line.has_ended(5)


def test_a_line_is_cut_in_place_of_a_byte() -> None:
    line = Line(Quality())
    line.put(b"before", 0)
    line.cut_after(9)
    taken = [(line.take(0), line.is_cut)]
    line.put(b"aft", 0)
    taken.append((line.take(0), line.is_cut))
    line.put(b"er", 0)
    taken.append((line.take(0), line.is_cut))
    assert taken == [(b"before", False), (b"aft", False), (b"", True)]


def test_another_quality_is_that_of_what_is_sent_after() -> None:
    line = Line(SLOW)
    line.put(bytes(2000), 0)
    line.become(Quality(), 1)
    assert len(line.take(1)) == 2000


def test_a_quality_at_which_nothing_passes_is_refused() -> None:
    with pytest.raises(ValueError, match="use silence"):
        Quality(0)


def test_a_train_has_silences_now_and_then_the_same_for_a_seed_and_other_networks_have_none_by_themselves() -> None:
    spells = [
        [seconds for seconds, _ in zip(clear_spells(TRAIN, Random(5)), range(20), strict=False)] for _ in range(2)
    ]
    assert spells[0] == spells[1]
    assert all(4 <= seconds <= 40 for seconds in spells[0])
    assert len(set(spells[0])) == 20
    assert list(clear_spells(SLOW_3G, Random(5))) == list(clear_spells(SLEEP, Random(5))) == []
