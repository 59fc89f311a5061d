"""Tests of what the other tests stand on: `tests.programs` and the seeded scheduler of `tests.conftest`."""

import pytest
import trio
from trio._core import _run as scheduler

from tests.programs import REQUIRE_VARIABLE, SKIP_PREFIX, require


def test_a_program_that_is_there_is_no_reason_to_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    for switch in ("0", "1"):
        monkeypatch.setenv(REQUIRE_VARIABLE, switch)
        require("node", True, "install it")


def test_a_missing_program_skips_the_test_with_a_notice_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(REQUIRE_VARIABLE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs node, which was not found: install it") as caught:
        require("node", False, "install it")
    assert str(caught.value).startswith(SKIP_PREFIX)


def test_a_missing_program_fails_the_test_where_all_must_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRE_VARIABLE, "1")
    with pytest.raises(pytest.fail.Exception, match="needs node, which was not found: install it"):
        require("node", False, "install it")


def order_of_tasks(seed: int) -> list[int]:
    """Have many tasks take turns on a scheduler with this seed, and return the order they came in."""
    order: list[int] = []

    async def note(number: int) -> None:
        for _ in range(5):
            await trio.lowlevel.checkpoint()
            order.append(number)

    async def all_at_once() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(note, number)

    scheduler._r.seed(seed)
    trio.run(all_at_once)
    return order


def test_the_order_of_tasks_follows_from_the_seed() -> None:
    orders = [order_of_tasks(seed) for seed in range(10)]
    assert orders == [order_of_tasks(seed) for seed in range(10)]
    assert any(order != orders[0] for order in orders)


def test_a_test_begins_with_the_seed_of_the_run(seed: int) -> None:
    state = scheduler._r.getstate()
    scheduler._r.seed(seed)
    assert state == scheduler._r.getstate()
