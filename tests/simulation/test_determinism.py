"""A seed is a whole world: the same story, to the last byte, at any time and in any process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulation.plan import plan
from simulation.play import play

_ROOT = Path(__file__).parent.parent.parent
#: Seeds whose worlds have clients of each kind, and many faults.
_SEEDS = (1, 100, 101, 102, 103, 104)
_PRINT_DIGESTS = """
import sys
from simulation.plan import plan
from simulation.play import play
for seed in map(int, sys.argv[1:]):
    print(play(plan(seed)).digest)
"""


def digests_elsewhere(hash_seed: str) -> list[str]:
    """Return the digests of the seeds in another process, in which strings have other hashes."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", _PRINT_DIGESTS, *map(str, _SEEDS)]
    done = subprocess.run(command, cwd=_ROOT, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.split()


def test_a_seed_gives_the_same_story_again_and_in_another_process_with_other_hashes() -> None:
    here = [play(plan(seed)).digest for seed in _SEEDS]
    assert [play(plan(seed)).digest for seed in _SEEDS] == here
    assert digests_elsewhere("1") == here
    assert digests_elsewhere("2") == here


def test_two_seeds_give_two_stories() -> None:
    assert len({play(plan(seed)).digest for seed in _SEEDS}) == len(_SEEDS)


@pytest.mark.parametrize("seed", _SEEDS[:2])
def test_to_tell_a_story_does_not_change_it(seed: int) -> None:
    told = play(plan(seed), tells=True)
    assert told.digest == play(plan(seed)).digest
    assert any("starts" in line for line in told.story)
