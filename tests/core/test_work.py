"""Budgets of work."""

import pytest

from pyshare.core.work import UNITS_A_STEP, Work, WorkSpent, copy_steps


def test_a_budget_can_be_spent_to_its_last_step_and_no_further() -> None:
    work = Work(10)

    work.charge(4)
    work.charge(6)

    assert (work.left, work.spent) == (0, 10)
    with pytest.raises(WorkSpent, match="1 steps more than there were"):
        work.charge(1)
    assert (work.left, work.spent) == (-1, 11)


def test_a_budget_without_a_number_counts_and_has_no_end() -> None:
    work = Work()

    work.charge(10**12)

    assert work.spent == 10**12


def test_copying_a_text_takes_a_step_and_more_for_its_length() -> None:
    assert copy_steps(0) == 1
    assert copy_steps(UNITS_A_STEP * 3) == 4
