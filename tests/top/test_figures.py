"""What two scrapes say of a server: exact figures."""

from dataclasses import replace

import pytest

from pyshare.top.figures import Scrape, add_up, compare, parse_scrape, quantile

BEFORE = """
pyshare_connections 2
pyshare_storage_up 1
pyshare_draining 0
pyshare_updates_total 100
pyshare_frames_sent_total 1000
pyshare_conflicts_total 4
pyshare_closes_total{code="1012"} 3
pyshare_group_pushes_sum 10
pyshare_group_pushes_count 10
process_start_time_seconds 1
process_cpu_seconds_total 5
# TYPE pyshare_commit_seconds histogram
pyshare_commit_seconds_bucket{le="0.01"} 100
pyshare_commit_seconds_bucket{le="0.1"} 100
pyshare_commit_seconds_bucket{le="+Inf"} 100
"""
AFTER = """
pyshare_connections 3
pyshare_storage_up 1
pyshare_draining 0
pyshare_clients{dialect="pyshare.v1"} 2
pyshare_clients{dialect="sharepython"} 1
pyshare_updates_total 120
pyshare_frames_sent_total 1400
pyshare_conflicts_total 4
pyshare_closes_total{code="1012"} 3
pyshare_closes_total{code="4410"} 2
pyshare_group_pushes_sum 30
pyshare_group_pushes_count 15
process_start_time_seconds 1
process_cpu_seconds_total 7
process_resident_memory_bytes 5e7
# TYPE pyshare_commit_seconds histogram
pyshare_commit_seconds_bucket{le="0.01"} 110
pyshare_commit_seconds_bucket{le="0.1"} 120
pyshare_commit_seconds_bucket{le="+Inf"} 120
"""


def scrapes() -> tuple[Scrape, Scrape]:
    return parse_scrape(BEFORE, 10.0), parse_scrape(AFTER, 20.0)


def test_what_has_happened_is_told_by_the_second() -> None:
    figures = compare(*scrapes())
    assert (figures.connections, figures.clients, figures.memory_bytes) == (3, 3, 5e7)
    assert (figures.edits, figures.sent, figures.conflicts, figures.cpu) == (2, 40, 0, 0.2)
    assert figures.group == 4
    assert figures.closes == {"4410": 2}
    assert figures.commit_p50 == pytest.approx(0.01)
    assert figures.commit_p99 == pytest.approx(0.01 + 0.09 * 0.98)
    assert figures.fanout_p99 is None
    assert (figures.state, figures.well) == ("ready", True)


def test_a_server_that_was_started_anew_began_with_nothing() -> None:
    before, after = scrapes()
    again = parse_scrape(BEFORE.replace("start_time_seconds 1", "start_time_seconds 9"), 20.0)
    figures = compare(replace(after, at=0.0), again)
    assert figures.edits == 5
    assert figures.closes == {"1012": 3}
    assert before.total("pyshare_updates_total") == 100


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("pyshare_draining 1", "draining"),
        ("pyshare_storage_up 0", "storage down"),
        ('pyshare_worker_up{worker="1"} 0', "worker down"),
    ],
)
def test_the_state_is_the_worst_of_all_workers(line: str, state: str) -> None:
    before, _ = scrapes()
    figures = compare(before, parse_scrape(f"{AFTER}\n{line}\n", 20.0))
    assert (figures.state, figures.well) == (state, False)


def test_several_servers_add_up_and_their_times_are_the_worst() -> None:
    one = compare(*scrapes())
    both = add_up([one, one], 3)
    assert (both.state, both.well) == ("2 of 3 ready", False)
    assert (both.edits, both.clients, both.commit_p99) == (2 * one.edits, 6, one.commit_p99)
    assert both.closes == {"4410": 4}


@pytest.mark.parametrize(
    ("buckets", "part", "value"),
    [
        ((), 0.5, None),
        (((1.0, 0.0), (float("inf"), 0.0)), 0.5, None),
        (((1.0, 10.0), (2.0, 10.0)), 0.5, 0.5),
        (((1.0, 0.0), (2.0, 10.0)), 0.5, 1.5),
        (((1.0, 0.0), (float("inf"), 10.0)), 0.5, 1.0),
    ],
)
def test_quantiles_are_spread_evenly_between_bounds(
    buckets: tuple[tuple[float, float], ...], part: float, value: float | None
) -> None:
    assert quantile(buckets, part) == value


@pytest.mark.parametrize("text", ["", "up 1\n", "<html>", "{"])
def test_what_are_no_metrics_of_a_pyshare_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words
        parse_scrape(text, 0)
