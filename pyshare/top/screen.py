"""The picture of figures in a terminal of 80 columns or more, with and without colour. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pyshare.top.figures import Figures, add_up

_BARS = "▁▂▃▄▅▆▇█"
#: Seconds of waiting for a commit that a person who types begins to notice.
_SLOW_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Row:
    """One server, as it stands on the screen."""

    name: str
    #: None while there is nothing to compare, or the server does not answer.
    figures: Figures | None
    #: Why there are no figures.
    reason: str = ""
    #: Edits a second of the last intervals.
    history: Sequence[float] = ()


def render(rows: Sequence[Row], *, seconds: float, keys: bool) -> RenderableType:
    """Return the screen: two tables with a row for each server, and one for all of several."""
    known = [row.figures for row in rows if row.figures]
    if len(rows) > 1 and known:
        rows = [*rows, Row("all", add_up(known, len(rows)))]
    load = _table("server", "state", "conn", "spaces", "clients", "edits/s", "sent/s", "cpu", "memory")
    care = _table("server", "commit p50", "p99", "fan-out", "group", "confl/s", "lag", "closed by code")
    for row in rows:
        figures = row.figures
        if figures is None:
            load.add_row(row.name, Text(row.reason or "waiting", style="red" if row.reason else ""), *[""] * 7)
            care.add_row(row.name, *[""] * 7)
            continue
        load.add_row(
            row.name,
            Text(figures.state, style="green" if figures.well else "bold red"),
            f"{figures.connections:.0f}",
            f"{figures.codespaces:.0f}",
            f"{figures.clients:.0f}",
            shown_rate(figures.edits),
            shown_rate(figures.sent),
            f"{100 * figures.cpu:.0f} %",
            shown_bytes(figures.memory_bytes),
        )
        slow = figures.commit_p99 is not None and figures.commit_p99 > _SLOW_SECONDS
        care.add_row(
            row.name,
            shown_seconds(figures.commit_p50),
            Text(shown_seconds(figures.commit_p99), style="bold red" if slow else ""),
            shown_seconds(figures.fanout_p99),
            "-" if figures.group is None else f"{figures.group:.1f}",
            shown_rate(figures.conflicts),
            Text(f"{figures.lagging:.0f}", style="yellow" if figures.lagging else ""),
            " ".join(f"{code}:{many}" for code, many in figures.closes.items()) or "-",
        )
    parts: list[RenderableType] = [load, Text(), care]
    histories = [row for row in rows if len(row.history) > 1]
    if histories:
        parts.append(Text())
        width = max(len(row.name) for row in histories)
        parts += [Text(f"{row.name:<{width}}  edits/s {sparkline(row.history)}") for row in histories]
    if keys:
        parts += [Text(), Text(f"every {seconds:g} s; q ends", style="dim")]
    return Group(*parts)


def _table(*names: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for index, name in enumerate(names):
        left = index == 0 or name in {"state", "closed by code"}
        table.add_column(name, justify="left" if left else "right", no_wrap=name != "closed by code", overflow="fold")
    return table


def sparkline(values: Sequence[float]) -> str:
    """Return a line of bars, the highest for the largest value."""
    most = max(values, default=0)
    if most <= 0:
        return _BARS[0] * len(values)
    return "".join(_BARS[min(len(_BARS) - 1, int(value / most * len(_BARS)))] for value in values)


def shown_seconds(seconds: float | None) -> str:
    """Return a short time, as 0.8 ms or 1.2 s."""
    if seconds is None:
        return "-"
    return f"{1000 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def shown_rate(each_second: float) -> str:
    """Return how often something happens, as 0.3 or 12k."""
    if each_second >= 10_000:
        return f"{each_second / 1000:.0f}k"
    return f"{each_second:.0f}" if each_second >= 10 or each_second == 0 else f"{each_second:.1f}"


def shown_bytes(many: float) -> str:
    """Return a size, as 73 MB."""
    return f"{many / 1e9:.1f} GB" if many >= 1e9 else f"{many / 1e6:.0f} MB"
