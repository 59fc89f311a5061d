"""The command: `python -m tests.soak --hours 1`."""

import argparse
import random
import sys
from pathlib import Path

import trio

from tests.soak.picture import picture
from tests.soak.scene import Soak, open_soak
from tests.soak.series import HEAD, judge

_SAMPLES = 400


async def run(seconds: float, codespaces: int, seed: int, program: str) -> Soak:
    """Soak a server for some seconds, and return what was found."""
    async with open_soak(seed, codespaces=codespaces, program=program) as soak:
        await soak.sample(max(0.2, seconds / _SAMPLES), seconds, lambda line: print(line, flush=True))
    return soak


def main() -> int:
    """Return 1 if a figure grows."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak",
        description="Has a server work for hours, and tells which of its figures do not stay flat.",
    )
    parser.add_argument("--hours", type=float, default=1.0, help="how long (default: %(default)s)")
    parser.add_argument("--codespaces", type=int, default=1000, help="codespaces that open and close (%(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="seed of the places where is typed (default: any)")
    parser.add_argument("--redis", choices=("redis-server", "valkey"), default="redis-server", help="which server")
    parser.add_argument(
        "--picture", type=Path, default=Path("build/soak.svg"), help="where to put the picture (default: %(default)s)"
    )
    options = parser.parse_args()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    seconds = options.hours * 3600
    print(f"--seed {seed}, {seconds / 60:.1f} minutes", flush=True)
    soak = trio.run(run, seconds, options.codespaces, seed, options.redis)
    verdicts = [judge(each) for each in soak.series]
    print("\n".join([HEAD, *(verdict.row() for verdict in verdicts)]))
    title = f"{seconds / 60:.1f} minutes: {soak.keys} keys in one codespace, {soak.visits} visits to others"
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    options.picture.write_text(picture(list(zip(soak.series, verdicts, strict=True)), title), encoding="utf-8")
    print(f"{title}\npicture: {options.picture}")
    return 0 if all(verdict.flat for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
