"""The command: `python -m simulation --seeds 10000 --jobs 2`, `--seed 7`, `--shrink 7`."""

import argparse
import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from simulation.coverage import table, unreached
from simulation.mutants import MUTANTS, seed_that_finds
from simulation.plan import Plan, plan
from simulation.play import Outcome, play
from simulation.regressions import REGRESSIONS
from simulation.runner import described, outcomes, shrink

#: Seeds from which on every path must have been reached.
_ENOUGH = 1000
#: Seeds in which a planted mistake is found. Most need less than ten.
_MUTANT_SEEDS = 150
#: Fresh seeds are drawn below this number.
_FRESH = 2**31


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--seeds", type=int, default=100, metavar="N", help="play N seeds (default: %(default)s)")
    what.add_argument("--seed", type=int, metavar="N", help="play one seed and tell its story")
    what.add_argument("--shrink", type=int, metavar="N", help="reduce a failing seed to the fewest events")
    what.add_argument("--mutants", action="store_true", help="plant mistakes, one at a time, and find each")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="the first of the seeds (default: 1)")
    parser.add_argument("--fresh", type=int, default=0, metavar="N", help="play N seeds that nobody has chosen, too")
    parser.add_argument("--regressions", action="store_true", help="play the seeds that found faults before, too")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a processor)")
    parser.add_argument("--most-failures", type=int, default=5, metavar="N", help="stop after N failures")
    parser.add_argument("--quiet", action="store_true", help="no table of coverage")
    return parser


def main() -> int:
    """Do what the command line asks for; return 1 if a seed failed, or no seed reached a path."""
    options = _parser().parse_args()
    # A terminal that is none gets lines of a width that people read.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    if options.seed is not None:
        return _tell(console, plan(options.seed))
    if options.shrink is not None:
        return _shrink(console, options.shrink)
    if options.mutants:
        return _find_mutants(console, options.jobs)
    seeds = list(range(options.first, options.first + options.seeds))
    if options.regressions:
        seeds = [*REGRESSIONS, *seeds]
    if options.fresh:
        first = secrets.randbelow(_FRESH)
        console.print(f"fresh seeds: {first} to {first + options.fresh - 1}")
        seeds += range(first, first + options.fresh)
    return _play_all(console, seeds, options.jobs, options.most_failures, quiet=options.quiet)


def _play_all(console: Console, seeds: Sequence[int], jobs: int, most_failures: int, *, quiet: bool) -> int:
    counts: Counter[str] = Counter()
    failures: list[Outcome] = []
    done = edits = turns = 0
    began = time.monotonic()
    speed = TextColumn("{task.fields[speed]:.1f} seeds/s")
    columns = (TextColumn("seeds"), BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("seeds", total=len(seeds), speed=0.0)
        for outcome in outcomes(seeds, jobs):
            done += 1
            edits += outcome.edits
            turns += outcome.turns
            counts.update(outcome.counts)
            progress.update(bar, advance=1, speed=done / (time.monotonic() - began))
            if outcome.failure is not None:
                failures.append(outcome)
                console.print(f"seed {outcome.seed} failed: {_last_line(outcome.failure)}", markup=False)
                if len(failures) >= most_failures:
                    break
    seconds = time.monotonic() - began
    if not quiet:
        console.print(table(counts, done))
    console.print(
        f"{done} seeds, {edits} edits, {turns} turns in {seconds:.0f} s: {done / seconds:.1f} seeds a second; "
        f"{len(failures)} failed"
    )
    for failure in failures:
        console.print(f"again: python -m simulation --seed {failure.seed}")
    missed = unreached(counts) if done >= _ENOUGH else []
    if missed:
        console.print(f"no seed reached: {', '.join(missed)}", markup=False)
    return 1 if failures or missed else 0


def _find_mutants(console: Console, jobs: int) -> int:
    missed = []
    with ProcessPoolExecutor(jobs) as pool:
        for name, seed in zip(MUTANTS, pool.map(_find, MUTANTS), strict=True):
            found = f"seed {seed} finds" if seed is not None else f"no seed of {_MUTANT_SEEDS} finds"
            console.print(f"{found} {name}: {MUTANTS[name].about}")
            missed += [name] if seed is None else []
    console.print(f"{len(MUTANTS) - len(missed)} of {len(MUTANTS)} mistakes were found")
    return 1 if missed else 0


def _find(name: str) -> int | None:
    return seed_that_finds(MUTANTS[name], _MUTANT_SEEDS)


def _tell(console: Console, chosen: Plan) -> int:
    outcome = play(chosen, tells=True)
    for line in outcome.story:
        console.print(line, markup=False, soft_wrap=True)
    verdict = "nothing is wrong" if outcome.failure is None else f"failed: {outcome.failure}"
    console.print(f"seed {outcome.seed}, story {outcome.digest}: {verdict}", markup=False, soft_wrap=True)
    return 0 if outcome.failure is None else 1


def _shrink(console: Console, seed: int) -> int:
    whole = plan(seed)
    outcome = play(whole)
    if outcome.failure is None:
        console.print(f"seed {seed} does not fail")
        return 0
    kind = outcome.kind

    def fails(tried: Plan) -> bool:
        return play(tried).kind == kind

    console.print(f"{len(whole.steps)} steps; failed: {_last_line(outcome.failure)}", markup=False)
    short = shrink(whole, fails, tell=lambda count: console.print(f"{count} steps"))
    _tell(console, short)
    for step in short.steps:
        console.print(described(step), markup=False)
    return 1


def _last_line(failure: str) -> str:
    lines = [line.strip(" |+-") for line in failure.strip().splitlines()]
    return next((line for line in reversed(lines) if line), "")[:400]


if __name__ == "__main__":
    sys.exit(main())
