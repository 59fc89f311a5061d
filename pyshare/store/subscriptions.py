"""Subscriptions to codespaces: each event is handed to every subscriber without waiting."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import trio

from pyshare.store.interface import Gap, StoreEvent

Subscriber = trio.MemorySendChannel[StoreEvent]


class Subscriptions:
    """The subscriptions of one store.

    Delivering never waits: a subscription that is full loses the event, has
    `Gap` as its last, and costs nobody else.
    """

    def __init__(self, most_events: int) -> None:
        # Events that a subscription holds, the last place being for `Gap`.
        self._most_events = most_events
        # The subscriptions of each codespace that has any.
        self._subscribers: dict[str, list[Subscriber]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._subscribers.values()))

    def __contains__(self, codespace: str) -> bool:
        return codespace in self._subscribers

    @property
    def codespaces(self) -> tuple[str, ...]:
        """The codespaces that have a subscription."""
        return tuple(self._subscribers)

    @contextmanager
    def open(self, codespace: str) -> Iterator[trio.MemoryReceiveChannel[StoreEvent]]:
        """Hold a subscription; both its ends are closed when the context is left."""
        send, receive = trio.open_memory_channel[StoreEvent](self._most_events)
        self._subscribers.setdefault(codespace, []).append(send)
        try:
            with send, receive:
                yield receive
        finally:
            self._subscribers[codespace].remove(send)
            if not self._subscribers[codespace]:
                del self._subscribers[codespace]

    def of(self, codespace: str) -> tuple[Subscriber, ...]:
        """Return who is subscribed to `codespace` at this moment."""
        return tuple(self._subscribers.get(codespace, ()))

    def deliver(self, event: StoreEvent, subscribers: Sequence[Subscriber]) -> None:
        """Hand `event` to each of `subscribers` that is still there."""
        for subscriber in subscribers:
            places = self._most_events - subscriber.statistics().current_buffer_used
            # Only `Gap` takes the last place, so a full subscription ends in one, whatever it has missed.
            if places > 0:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    subscriber.send_nowait(event if places > 1 else Gap())
