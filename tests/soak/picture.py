"""Pictures of series as SVG: one panel for each, with the fitted line over the judged part."""

from collections.abc import Sequence
from html import escape
from typing import Final

from tests.soak.series import Series, Verdict

_WIDTH: Final = 860
_PANEL: Final = 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 20, 34, 26


def picture(series: Sequence[tuple[Series, Verdict]], title: str) -> str:
    """Return the picture of series and what was found of each."""
    height = 40 + _PANEL * len(series)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{_LEFT}" y="24" font-size="15">{escape(title)}</text>',
    ]
    for index, (each, verdict) in enumerate(series):
        parts += _panel(each, verdict, 40 + index * _PANEL)
    return "\n".join([*parts, "</svg>", ""])


def _panel(series: Series, verdict: Verdict, top: int) -> list[str]:
    seconds = [at for at, _ in series.samples]
    values = [value for _, value in series.samples]
    # Single peaks are cut off: what is looked for is the level.
    first, last, most = seconds[0], seconds[-1], 1.1 * min(max(*values, 1e-9), max(4 * verdict.level, 1e-9))
    right, bottom = _WIDTH - _RIGHT, top + _PANEL - _BOTTOM

    def place(at: float, value: float) -> str:
        x = _LEFT + (at - first) / ((last - first) or 1) * (right - _LEFT)
        y = bottom - min(max(0.0, value), most) / most * (bottom - top - _TOP)
        return f"{x:.1f},{y:.1f}"

    judged = series.judged()
    begin, end = judged[0][0], judged[-1][0]
    middle, slope = (begin + end) / 2, verdict.slope_an_hour / 3600
    line = " ".join(place(at, verdict.level + slope * (at - middle)) for at in (begin, end))
    colour = "#2a7" if verdict.flat else "#c22"
    level = f"{verdict.level:.2f} {series.unit}".rstrip()
    head = f"{series.name}: {level}, {verdict.slope_an_hour:+.3f} an hour"
    return [
        f'<text x="{_LEFT}" y="{top + 20}" font-size="12" fill="{colour}">{escape(head)}</text>',
        f'<path d="M{_LEFT},{top + _TOP}V{bottom}H{right}" fill="none" stroke="#999"/>',
        f'<text x="{_LEFT - 6}" y="{top + _TOP + 4}" font-size="10" text-anchor="end">{most:.1f}</text>',
        f'<text x="{_LEFT - 6}" y="{bottom}" font-size="10" text-anchor="end">0</text>',
        f'<text x="{right}" y="{bottom + 14}" font-size="10" text-anchor="end">{(last - first) / 60:.0f} min</text>',
        f'<polyline points="{" ".join(place(*each) for each in series.samples)}" fill="none" stroke="#36c"/>',
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>',
    ]
