"""Faults that a memory store can be told to have: delays, failures, lost data, dropped events.

A `Faults` is given to the store and changed while it serves; every knob is off
by default and takes effect with the next call or event. What no knob can do is
break the store's own promises to those who hear of nothing wrong: an append is
still one step, and events of one codespace that arrive still arrive in order.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pyshare.store.interface import StoreEvent


@dataclass(slots=True)
class Faults:
    """Knobs, for a test or a simulation to turn."""

    #: Seconds that a call takes before it has any effect, by the method's name and the codespace.
    call_delay: Callable[[str, str], float] | None = None
    #: How many appends, the next ones that get that far, raise `StoreUnavailable` and do nothing.
    fail_before: int = 0
    #: How many appends, the next ones that succeed, are committed and published but raise `StoreUnavailable`.
    fail_after: int = 0
    #: Whether every call raises `StoreUnavailable` and does nothing, those included that are being delayed.
    #: What is kept stays, and expires; events under way arrive.
    down: bool = False
    #: Seconds that an event of this codespace takes to arrive; it never overtakes an earlier one of the same.
    event_delay: Callable[[str], float] | None = None
    #: Whether this event of this codespace reaches nobody, without a `Gap`: nobody is told.
    drop_event: Callable[[str, StoreEvent], bool] | None = None
    #: Whether this event of this codespace arrives twice, the second time right behind the first.
    repeat_event: Callable[[str, StoreEvent], bool] | None = None
