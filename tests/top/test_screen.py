"""How figures look: within 80 columns, readable without colour."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from pyshare.top.figures import Figures
from pyshare.top.screen import Row, render, shown_bytes, shown_rate, shown_seconds, sparkline

FIGURES = Figures(
    state="ready",
    well=True,
    connections=9999,
    codespaces=1234,
    clients=9999,
    lagging=3,
    memory_bytes=1.2e9,
    edits=4321.5,
    sent=45_678,
    conflicts=0.25,
    cpu=0.97,
    commit_p50=0.0021,
    commit_p99=0.5,
    fanout_p99=0.0004,
    group=1.62,
    closes={"1012": 3, "4408": 1},
)


def printed(*rows: Row) -> str:
    file = io.StringIO()
    Console(file=file, width=80).print(render(rows, seconds=2, keys=False))
    return file.getvalue()


def test_a_server_fits_eighty_columns() -> None:
    text = printed(Row("127.0.0.1:8889", FIGURES, history=[1.0, 2.0]))
    assert max(map(len, text.splitlines())) <= 80
    words = text.split()
    for word in ("ready", "9999", "1234", "4322", "46k", "97", "1.2", "2.1", "500.0", "1.6", "1012:3", "4408:1", "▅█"):
        assert word in words, (word, text)


def test_several_have_a_row_for_all_and_one_that_is_down_says_why() -> None:
    text = printed(
        Row("one:1", FIGURES),
        Row("two:2", replace(FIGURES, state="draining", well=False)),
        Row("three:3", None, "down"),
    )
    assert "1 of 3 ready" in text
    assert "draining" in text
    assert next(line.split()[:2] for line in text.splitlines() if line.startswith("three:3")) == ["three:3", "down"]


def test_before_the_second_look_there_is_nothing_to_compare() -> None:
    assert "waiting" in printed(Row("one:1", None))


@pytest.mark.parametrize(("values", "bars"), [((), ""), ((0.0, 0.0), "▁▁"), ((0.0, 4.0, 8.0), "▁▅█"), ((5.0,), "█")])
def test_the_highest_bar_is_the_largest_value(values: tuple[float, ...], bars: str) -> None:
    assert sparkline(values) == bars


def test_figures_are_short() -> None:
    assert [shown_seconds(each) for each in (None, 0.0004, 0.9994, 1.25)] == ["-", "0.4 ms", "999.4 ms", "1.2 s"]
    assert [shown_rate(each) for each in (0, 0.25, 9.96, 10, 9999, 12_345)] == ["0", "0.2", "10.0", "10", "9999", "12k"]
    assert [shown_bytes(each) for each in (5e6, 9.99e8, 1.5e9)] == ["5 MB", "999 MB", "1.5 GB"]
