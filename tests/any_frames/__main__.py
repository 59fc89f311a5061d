"""The command: `python -m tests.any_frames --frames 1000000 --seed 1 --jobs 2`."""

import argparse
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from tests.any_frames.scene import Failure, play, shortest

_SCENE_FRAMES = 400
_TELL_SECONDS = 10


def main() -> int:
    """Play scenes until so many frames were sent; return 1 if any went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.any_frames", description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000, help="frames in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first scene; each scene has the next")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default: %(default)s)")
    parser.add_argument("--scene-frames", type=int, default=_SCENE_FRAMES, help="frames of one scene")
    parser.add_argument("--most-failures", type=int, default=1, help="failures after which to stop")
    options = parser.parse_args()
    began = told = time.monotonic()
    seeds = iter(range(options.seed, options.seed + -(-options.frames // options.scene_frames)))
    done, failures = 0, list[Failure]()
    with ProcessPoolExecutor(options.jobs) as pool:
        running: set[Future[Failure | None]] = set()
        while len(failures) < options.most_failures:
            while len(running) < 2 * options.jobs and (seed := next(seeds, None)) is not None:
                running.add(pool.submit(play, seed, options.scene_frames))
            if not running:
                break
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for each in finished:
                failure = each.result()
                done += failure.frames if failure else options.scene_frames
                if failure:
                    failures.append(failure)
                    print(f"seed {failure.seed}, frame {failure.frames}: {failure.reason}; {failure.cause}", flush=True)
            if time.monotonic() - told > _TELL_SECONDS:
                told = time.monotonic()
                print(f"{done} frames in {told - began:.0f} s, {len(failures)} failures", flush=True)
        for each in running:
            each.cancel()
    print(f"{done} frames in {time.monotonic() - began:.0f} s, {len(failures)} failures")
    if failures:
        print(shortest(failures[0]).story())
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
