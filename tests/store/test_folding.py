"""A snapshot's text brought to the end of its log: the right one, in turns."""

import trio

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.work import TURN_STEPS, UNITS_A_STEP
from pyshare.store.folding import folded
from pyshare.store.interface import Snapshot
from tests.turns import Turns


def first_letters(count: int, length: int) -> tuple[Update, ...]:
    """Return updates that each put a letter in the place of the first one."""
    return tuple(
        Update("a", number, ChangeSet.of([Change(0, 1, "xy"[number % 2])], length)) for number in range(1, count + 1)
    )


async def test_the_text_takes_in_what_follows_it_and_the_log_stays() -> None:
    log = first_letters(4, 3)
    snapshot = await folded(Snapshot("e", "xbc", 2, 4, log))
    assert snapshot == Snapshot("e", "xbc", 4, 4, log)
    assert await folded(snapshot) == snapshot


async def test_folding_a_long_log_gives_others_a_turn_each_five_thousand_steps() -> None:
    updates, units = 400, 500_000
    snapshot = Snapshot("e", "z" * units, 0, updates, first_letters(updates, units))
    async with trio.open_nursery() as nursery:
        turns = Turns()
        nursery.start_soon(turns.count)
        await folded(snapshot)
        nursery.cancel_scope.cancel()
    # The first turn and the last are not whole ones.
    assert turns.counted >= updates * (units // UNITS_A_STEP) // TURN_STEPS - 2
