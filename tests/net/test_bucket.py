"""The bucket of tokens that a client pays from."""

from hypothesis import given
from hypothesis import strategies as st

from pyshare.net.bucket import TokenBucket


def test_a_full_bucket_gives_its_burst_without_a_pause() -> None:
    bucket = TokenBucket(10, burst=20, now=0)

    bucket.take(20, now=0)

    assert bucket.debt_seconds(now=0) == 0


def test_what_is_drawn_above_the_burst_takes_its_time_at_the_rate() -> None:
    bucket = TokenBucket(10, burst=20, now=0)

    bucket.take(25, now=0)

    assert bucket.debt_seconds(now=0) == 0.5
    assert bucket.debt_seconds(now=0.25) == 0.25
    assert bucket.debt_seconds(now=0.5) == 0


def test_a_long_quiet_time_gives_no_more_than_the_burst() -> None:
    bucket = TokenBucket(10, burst=20, now=0)

    bucket.take(21, now=1000)

    assert bucket.debt_seconds(now=1000) == 0.1


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 300)), min_size=1, max_size=50))
def test_one_that_pauses_while_in_debt_never_draws_more_than_rate_and_burst_and_one_draw(
    draws: list[tuple[float, float]],
) -> None:
    bucket = TokenBucket(10, burst=20, now=0)
    now = drawn = 0.0

    for idle_seconds, tokens in draws:
        now += idle_seconds
        now += bucket.debt_seconds(now)
        assert drawn <= 10 * now + 20 + 1e-6
        bucket.take(tokens, now)
        drawn += tokens
