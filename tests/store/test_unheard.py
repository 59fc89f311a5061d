"""Own appends that were not heard yet: bounded by number and by bytes."""

from pyshare.store.interface import Committed
from pyshare.store.unheard import Unheard


def test_an_append_is_taken_once() -> None:
    unheard = Unheard()
    unheard.add(1, Committed(1, (), "e"), 100)
    assert unheard.take(1) == Committed(1, (), "e")
    assert unheard.take(1) is None
    assert unheard.bytes == 0


def test_appends_are_remembered_up_to_a_number_and_to_their_bytes() -> None:
    small, large = Unheard(), Unheard()
    for number in range(5000):
        small.add(number, Committed(number, (), "e"), 1)
        large.add(number, Committed(number, (), "e"), 1_000_000)
    assert (len(small), small.bytes) == (1024, 1024)
    assert (len(large), large.bytes) == (16, 16_000_000)
    assert large.take(4999) is not None
    assert large.take(0) is None
