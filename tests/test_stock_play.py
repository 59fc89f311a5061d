"""Stock editors, new editors and a room, played at random: see tests/stock_play.py for more examples."""

import pytest

from tests.stock_play import play


@pytest.mark.parametrize("part", range(8))
def test_however_editors_type_and_wait_all_texts_are_equal_and_exact(seed: int, part: int) -> None:
    for example in range(25):
        play(seed * 200 + part * 25 + example)
