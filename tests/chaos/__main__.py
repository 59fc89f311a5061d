"""The command: `python -m tests.chaos --minutes 10 --servers 3`."""

import argparse
import json
import logging
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import trio

from tests.chaos.play import Report, play


def _leaves(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    """Yield the exceptions in a group, and in the groups in it."""
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from _leaves(each)
        else:
            yield each


def main() -> int:
    """Return 1 if something was lost, doubled, or is not the same everywhere."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Real servers behind HAProxy with a real Redis: all of it fails while people type.",
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: %(default)s)")
    parser.add_argument("--servers", type=int, choices=range(1, 5), default=3, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="seed of people and faults (default: any)")
    parser.add_argument("--redis", choices=("redis-server", "valkey"), default="redis-server", help="which server")
    parser.add_argument("--logs", type=Path, default=None, help="folder for the logs of the servers")
    options = parser.parse_args()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    print(f"--seed {seed}", flush=True)
    # That connections are lost is what is wanted here.
    logging.basicConfig(level=logging.ERROR)
    report = Report()

    def tell(line: str) -> None:
        print(line, flush=True)

    try:
        trio.run(play, options.minutes * 60, options.servers, seed, options.redis, tell, report)
    except* Exception as group:  # noqa: BLE001 - whatever fails is what is looked for
        report.wrong += [f"{error!r}" for error in _leaves(group)]
    print(report.table())
    if options.logs is not None:
        options.logs.mkdir(parents=True, exist_ok=True)
        for name, lines in report.logs.items():
            text = "".join(f"{json.dumps(line)}\n" for line in lines)
            (options.logs / f"{name.replace(' ', '-')}.log").write_text(text, encoding="utf-8")
    for each in report.wrong:
        print(f"WRONG  {each}")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
