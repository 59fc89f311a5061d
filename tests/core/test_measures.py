"""Histograms: what they count, and that they add up."""

from functools import reduce
from operator import add

from hypothesis import given
from hypothesis import strategies as st

from pyshare.core.measures import Histogram

BOUNDS = (1.0, 2.0, 4.0)
VALUES = st.lists(st.floats(0, 8))


def observed(values: list[float]) -> Histogram:
    histogram = Histogram(BOUNDS)
    for value in values:
        histogram.observe(value)
    return histogram


@given(VALUES)
def test_each_bound_has_the_values_that_are_at_most_that(values: list[float]) -> None:
    histogram = observed(values)
    for bound, many in histogram.cumulative():
        assert many == sum(value <= bound for value in values)
    assert histogram.count == len(values)
    # One value after the other: `sum` itself rounds but once, at the end, from Python 3.12 on.
    assert histogram.sum == reduce(add, values, 0.0)


@given(VALUES, VALUES)
def test_two_add_up_to_one_that_has_seen_all(one: list[float], two: list[float]) -> None:
    together = observed(one)
    together.add(observed(two))
    assert together.cumulative() == observed(one + two).cumulative()
    assert together.count == len(one) + len(two)
