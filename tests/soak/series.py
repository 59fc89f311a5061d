"""Series of samples over time, and the judgement whether a series stays flat; no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

#: The part of the time at the beginning that is not judged: caches fill, and the first codespaces expire.
SETTLING: Final = 0.1
#: Samples that are compared with each other; more of them are thinned out.
_MOST_SAMPLES: Final = 600


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The growth over the judged time that still counts as flat: the larger of the two."""

    #: Of the median of the samples.
    share: float
    #: In the unit of the series.
    least: float


@dataclass(slots=True)
class Series:
    """One figure over time."""

    name: str
    unit: str
    tolerance: Tolerance
    #: Seconds since the beginning, and the figure then; in order of time.
    samples: list[tuple[float, float]] = field(default_factory=list)

    def add(self, seconds: float, value: float) -> None:
        """Add a sample."""
        self.samples.append((seconds, value))

    def judged(self) -> list[tuple[float, float]]:
        """Return the samples after the first tenth of the time."""
        if not self.samples:
            return []
        first, last = self.samples[0][0], self.samples[-1][0]
        return [each for each in self.samples if each[0] >= first + (last - first) * SETTLING]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a series does after the first tenth of the time."""

    name: str
    unit: str
    #: Median of the judged samples.
    level: float
    #: Slope of the fitted line, in units an hour; and what it comes to in the judged time.
    slope_an_hour: float
    growth: float
    #: Growth above which the series is not flat.
    allowed: float

    @property
    def flat(self) -> bool:
        """Whether the series does not grow."""
        return self.growth <= self.allowed

    def row(self) -> str:
        """Return the verdict as a line of a table."""
        word = "flat" if self.flat else "GROWS"
        return (
            f"{self.name:28} {self.level:12.2f} {self.slope_an_hour:+12.3f} {self.growth:+10.3f} {self.allowed:10.3f}"
            f"  {self.unit:4} {word}"
        )


#: The head of a table of verdicts.
HEAD: Final = f"{'figure':28} {'median':>12} {'an hour':>12} {'growth':>10} {'allowed':>10}"


def judge(series: Series) -> Verdict:
    """Fit a line to the judged samples of a series, and say what it comes to.

    Raises:
        ValueError: if there are too few samples to tell.
    """
    samples = series.judged()
    if len(samples) < 10:
        raise ValueError(f"{series.name}: {len(samples)} samples after the first tenth are too few; 10 are needed")
    slope = fitted_slope(samples)
    level = median(value for _, value in samples)
    growth = slope * (samples[-1][0] - samples[0][0])
    allowed = max(series.tolerance.share * level, series.tolerance.least)
    return Verdict(series.name, series.unit, level, slope * 3600, growth, allowed)


def fitted_slope(samples: Sequence[tuple[float, float]]) -> float:
    """Return the median slope between any two samples (Theil and Sen), which single peaks do not move."""
    thinned = samples[:: -(-len(samples) // _MOST_SAMPLES)]
    slopes = [
        (value - earlier_value) / (seconds - earlier)
        for index, (seconds, value) in enumerate(thinned)
        for earlier, earlier_value in thinned[:index]
        if seconds > earlier
    ]
    return median(slopes) if slopes else 0.0
