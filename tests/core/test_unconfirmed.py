"""What is unconfirmed: a push that comes back before it is committed."""

import pytest

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.unconfirmed import Unconfirmed

TYPED = ChangeSet.of([Change(0, 0, "x" * 1000)], 0)


@pytest.mark.parametrize("limit_bytes", [300, 100_000])
def test_a_push_that_is_recalled_is_launched_again_with_what_it_left_behind(limit_bytes: int) -> None:
    unconfirmed = Unconfirmed()
    unconfirmed.add(TYPED)
    first = unconfirmed.launch(1, limit_bytes)
    assert first is not None
    assert (first.changes == TYPED) == (limit_bytes > 1000)

    unconfirmed.recall()

    assert unconfirmed.in_flight is None
    assert unconfirmed.count == 1
    again = unconfirmed.launch(2, 100_000)
    assert again is not None
    assert again.changes == TYPED
    assert unconfirmed.land() == TYPED
    assert unconfirmed.count == 0
