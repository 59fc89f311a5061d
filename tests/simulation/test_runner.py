"""Plans are made shorter as long as they fail, seeds end in any order, and a path that is never reached is named."""

from collections import Counter

from simulation.coverage import PATHS, unreached
from simulation.plan import EDITS, PHASES, Plan, plan
from simulation.regressions import REGRESSIONS
from simulation.runner import outcomes, shrink


def test_a_plan_follows_from_its_seed_and_has_its_edits() -> None:
    for seed in range(20):
        made = plan(seed)
        assert made == plan(seed)
        assert {step.phase for step in made.steps} == set(range(PHASES))
        assert len(made.steps) >= EDITS


def test_a_plan_that_fails_by_two_of_its_steps_is_reduced_to_these() -> None:
    whole = plan(3)
    guilty = {whole.steps[10], whole.steps[77]}

    def fails(tried: Plan) -> bool:
        return guilty <= set(tried.steps)

    told: list[int] = []
    assert set(shrink(whole, fails, tell=told.append).steps) == guilty
    assert told == sorted(told, reverse=True)


def test_seeds_end_with_their_outcomes_in_one_process_and_in_two() -> None:
    alone = {outcome.seed: outcome.digest for outcome in outcomes(range(200, 204), 1)}
    together = {outcome.seed: outcome.digest for outcome in outcomes(range(200, 204), 2)}
    assert alone == together
    assert sorted(alone) == [200, 201, 202, 203]


def test_seeds_that_have_found_a_fault_find_it_no_more() -> None:
    assert [(outcome.seed, outcome.failure) for outcome in outcomes(REGRESSIONS, 1) if outcome.failure] == []


def test_what_was_never_reached_is_named() -> None:
    counts = Counter(PATHS)
    assert unreached(counts) == []
    del counts["conflict"]
    assert unreached(counts) == ["conflict"]
