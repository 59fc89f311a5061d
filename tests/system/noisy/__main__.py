"""The command: `python -m tests.system.noisy [--seconds 10] [--redis-url URL] [ATTACK...]`."""

import argparse
import sys

import trio

import tests.system.noisy.attacks  # noqa: F401 - puts the attacks on the list
from tests.system.noisy.run import HEAD, neighbourhood
from tests.system.noisy.target import ATTACKS


async def run(names: list[str], seconds: float, flags: list[str]) -> int:
    """Run attacks, each against a server of its own, and print what each did; return how many broke something."""
    broken = 0
    print(f"{HEAD}   (ms)")
    for name in names:
        try:
            async with neighbourhood(*flags) as neighbours:
                await trio.sleep(1)
                result = await neighbours.attack(name, seconds)
                print(result.row(), flush=True)
                for each in result.broken():
                    print(f"    {each}")
                broken += bool(result.broken())
        except* Exception as group:  # noqa: BLE001 - it is what is looked for
            broken += 1
            print(f"{name:42} the server or the calm editors failed: {group.exceptions}")
    return broken


def main() -> int:
    """Return 1 if an attack broke something."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.noisy", description=__doc__)
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help="names of attacks (default: all)")
    parser.add_argument("--seconds", type=float, default=5, help="seconds of each (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="list the attacks and end")
    parser.add_argument("--redis-url", help="a Redis for the server (default: the memory store)")
    options = parser.parse_args()
    if options.list:
        for name, function in sorted(ATTACKS.items()):
            print(f"{name:42} {function.__doc__}")
        return 0
    unknown = set(options.attacks) - set(ATTACKS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; --list tells the names")
    flags = ["--redis-url", options.redis_url] if options.redis_url else []
    return 1 if trio.run(run, options.attacks or list(ATTACKS), options.seconds, flags) else 0


if __name__ == "__main__":
    sys.exit(main())
