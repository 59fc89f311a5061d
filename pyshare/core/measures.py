"""Histograms of durations and sizes: counts per upper bound, which add up."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate


class Histogram:
    """How many observed values were at most as large as each of some bounds, and their sum."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        # Upper bounds, the smallest first; how many values are above the one before, the last count without a bound.
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    @property
    def count(self) -> int:
        """How many values were observed."""
        return sum(self.counts)

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def add(self, other: "Histogram") -> None:
        """Count what another one of the same bounds has counted."""
        self.counts = [own + more for own, more in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum

    def cumulative(self) -> list[tuple[float, int]]:
        """Return, for each bound and at last for none, how many values were at most that."""
        return list(zip((*self._bounds, float("inf")), accumulate(self.counts), strict=True))
