"""Figures of a server, read from its metrics: one scrape, and the difference of two. No I/O, no clock."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

#: Upper bounds with how many values were at most that.
Buckets = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Scrape:
    """A server at one moment, all its workers taken together."""

    #: When, in seconds by the owner's clock.
    at: float
    #: By the sample's name, a figure of each worker and label.
    figures: Mapping[str, Sequence[float]]
    #: Connections that have ended, by close code.
    closes: Mapping[str, float]
    histograms: Mapping[str, Buckets]

    def total(self, name: str) -> float:
        """Return the sum of a figure, 0 where there is none."""
        return sum(self.figures.get(name, ()))

    def least(self, name: str, default: float) -> float:
        """Return the smallest of a figure."""
        return min(self.figures.get(name, ()), default=default)


def parse_scrape(text: str, at: float) -> Scrape:
    """Return what Prometheus' text says.

    Raises:
        ValueError: if it is no such text, or not pyshare's.
    """
    figures: defaultdict[str, list[float]] = defaultdict(list)
    closes: defaultdict[str, float] = defaultdict(float)
    buckets: defaultdict[str, defaultdict[float, float]] = defaultdict(lambda: defaultdict(float))
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.endswith("_bucket"):
                buckets[family.name][float(sample.labels["le"])] += sample.value
            elif sample.name == "pyshare_closes_total":
                closes[sample.labels["code"]] += sample.value
            else:
                figures[sample.name].append(sample.value)
    if "pyshare_connections" not in figures:
        raise ValueError("these are not the metrics of a pyshare")
    histograms = {name: tuple(sorted(each.items())) for name, each in buckets.items()}
    return Scrape(at, figures, closes, histograms)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a server is doing: at the end of an interval, and by the second within it."""

    state: str
    well: bool
    connections: float
    codespaces: float
    clients: float
    lagging: float
    memory_bytes: float
    edits: float
    sent: float
    conflicts: float
    #: Seconds of a processor for each second.
    cpu: float
    #: Seconds; None where nothing was committed.
    commit_p50: float | None
    commit_p99: float | None
    fanout_p99: float | None
    #: Pushes of one append, on average.
    group: float | None
    #: Connections that have ended in the interval, by close code.
    closes: Mapping[str, int] = field(default_factory=dict)


def compare(before: Scrape, after: Scrape) -> Figures:
    """Return what has happened from one scrape to the next; a server that was started anew began with nothing."""
    seconds = max(after.at - before.at, 1e-9)
    if after.total("process_start_time_seconds") != before.total("process_start_time_seconds"):
        before = Scrape(before.at, {}, {}, {})

    def rate(name: str) -> float:
        return max(0.0, after.total(name) - before.total(name)) / seconds

    commits = _between(before, after, "pyshare_commit_seconds")
    appends = rate("pyshare_group_pushes_count")
    state = _state(after)
    return Figures(
        state=state,
        well=state == "ready",
        connections=after.total("pyshare_connections"),
        codespaces=after.total("pyshare_codespaces"),
        clients=after.total("pyshare_clients"),
        lagging=after.total("pyshare_lagging_clients"),
        memory_bytes=after.total("process_resident_memory_bytes"),
        edits=rate("pyshare_updates_total"),
        sent=rate("pyshare_frames_sent_total"),
        conflicts=rate("pyshare_conflicts_total"),
        cpu=rate("process_cpu_seconds_total"),
        commit_p50=quantile(commits, 0.5),
        commit_p99=quantile(commits, 0.99),
        fanout_p99=quantile(_between(before, after, "pyshare_fanout_seconds"), 0.99),
        group=rate("pyshare_group_pushes_sum") / appends if appends else None,
        closes={
            code: int(many - before.closes.get(code, 0))
            for code, many in sorted(after.closes.items())
            if many > before.closes.get(code, 0)
        },
    )


def _state(scrape: Scrape) -> str:
    if any(scrape.figures.get("pyshare_draining", ())):
        return "draining"
    if not scrape.least("pyshare_storage_up", 0):
        return "storage down"
    if not scrape.least("pyshare_worker_up", 1):
        return "worker down"
    return "ready"


def _between(before: Scrape, after: Scrape, name: str) -> Buckets:
    earlier = dict(before.histograms.get(name, ()))
    return tuple((bound, many - earlier.get(bound, 0)) for bound, many in after.histograms.get(name, ()))


def quantile(buckets: Buckets, part: float) -> float | None:
    """Return the value that `part` of all values are at most, as near as bounds tell; None if there are no values.

    Between two bounds values are taken to be spread evenly, as Prometheus' histogram_quantile does.
    """
    total = buckets[-1][1] if buckets else 0
    if total <= 0:
        return None
    wanted = part * total
    lower, below = 0.0, 0.0
    for bound, many in buckets:
        if many >= wanted and many > below:
            # Above the last bound nothing is known but that.
            return lower if bound == float("inf") else lower + (bound - lower) * (wanted - below) / (many - below)
        lower, below = bound, many
    return lower


def add_up(all_figures: Sequence[Figures], servers: int) -> Figures:
    """Return several of so many servers as one; of times the worst, since quantiles do not add up."""

    def total(figure: Callable[[Figures], float]) -> float:
        return sum(map(figure, all_figures))

    def worst(figure: Callable[[Figures], float | None]) -> float | None:
        return max((each for each in map(figure, all_figures) if each is not None), default=None)

    closes: defaultdict[str, int] = defaultdict(int)
    for each in all_figures:
        for code, many in each.closes.items():
            closes[code] += many
    well = sum(each.well for each in all_figures)
    return Figures(
        state=f"{well} of {servers} ready",
        well=well == servers,
        connections=total(lambda each: each.connections),
        codespaces=total(lambda each: each.codespaces),
        clients=total(lambda each: each.clients),
        lagging=total(lambda each: each.lagging),
        memory_bytes=total(lambda each: each.memory_bytes),
        edits=total(lambda each: each.edits),
        sent=total(lambda each: each.sent),
        conflicts=total(lambda each: each.conflicts),
        cpu=total(lambda each: each.cpu),
        commit_p50=worst(lambda each: each.commit_p50),
        commit_p99=worst(lambda each: each.commit_p99),
        fanout_p99=worst(lambda each: each.fanout_p99),
        group=worst(lambda each: each.group),
        closes=dict(sorted(closes.items())),
    )
