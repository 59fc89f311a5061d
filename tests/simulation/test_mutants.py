"""Each planted mistake is found within some seeds, and nothing of it is left afterwards."""

import pytest

from simulation.mutants import MUTANTS, Mutant, seed_that_finds
from simulation.plan import plan
from simulation.play import play

#: Of each kind one; the command plays them all (see .ci/run).
_SOME = ("skip-a-rebase", "store-a-short-text", "send-twice", "leak-a-member", "charge-nobody")


@pytest.mark.parametrize("name", _SOME)
def test_a_planted_mistake_is_found(name: str) -> None:
    assert seed_that_finds(MUTANTS[name], 20) is not None


def test_a_mistake_that_changes_nothing_is_not_found() -> None:
    assert seed_that_finds(Mutant("none", "nothing is changed", list), 3) is None


def test_nothing_of_a_mistake_is_left() -> None:
    before = play(plan(2)).digest
    for mutant in MUTANTS.values():
        with mutant.planted():
            pass
    assert play(plan(2)).digest == before
