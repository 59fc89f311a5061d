"""The faults and the rare paths that worlds are to reach, and how often they did."""

from collections import Counter
from typing import Final

from rich.table import Table

from pyshare.core.errors import CloseCode, RefusalCode
from simulation.plan import FAULTS, FAULTS_APART

#: Close codes that no world can bring about: a fault of the server's own is one.
_NEVER = frozenset({CloseCode.OUR_FAULT, CloseCode.TOO_MANY, CloseCode.NOT_ALLOWED})

#: What is to be reached in a thousand worlds, in the order of the table.
PATHS: Final[tuple[str, ...]] = (
    *dict.fromkeys(fault for group in (FAULTS | FAULTS_APART).values() for fault in group),
    "buffer full",
    "write taken in part",
    "connection refused",
    "token refused by the API",
    "token could not be checked",
    "turn of work spent",
    "conflict",
    "put back",
    "what was lost is lost for good",
    "resync: gap",
    "resync: lag",
    "resync: text",
    "resumed with updates",
    "came back to a text",
    "came back to another epoch",
    "python client resumed",
    "python client merged a text",
    "lost answer to append",
    "late answer",
    "stock editor dropped a frame",
    "stock editor healed by replacement",
    "a transaction of more than 32 lines is not sent",
    "channel retired and opened again",
    "process replaced",
    "drained",
    "drained in part",
    "connection shed for its bytes",
    *(f"push refused: {code}" for code in RefusalCode if code != RefusalCode.TOO_MUCH),
    *(f"connection closed: {code:d}" for code in CloseCode if code not in _NEVER),
)


def unreached(counts: Counter[str]) -> list[str]:
    """Return what was never reached."""
    return [path for path in PATHS if not counts[path]]


def table(counts: Counter[str], seeds: int) -> Table:
    """Return how often each path was reached, the known ones first."""
    shown = Table("path", "times", "in 1000 seeds", title=f"coverage of {seeds} seeds")
    others = sorted(set(counts) - set(PATHS))
    for path in (*PATHS, *others):
        count = counts[path]
        style = "red" if not count else "" if path in PATHS else "dim"
        shown.add_row(path, str(count), f"{1000 * count / max(1, seeds):.1f}", style=style)
    return shown
