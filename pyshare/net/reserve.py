"""Room for a few requests that are answered even where a listener is full, so that no crowd takes it.

It is for health: a load balancer that hears nothing takes the whole server
for gone. The newest few are let in, and each has little time. A crowd that
takes all places makes way for whatever connects next.
"""

import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import trio

from pyshare.net.addresses import Address
from pyshare.net.beginning import begins_with, read_beginning


@dataclass(frozen=True, slots=True)
class ReserveLimits:
    """How much room there is."""

    #: Connections at one time; one more ends the oldest.
    places: int = 32
    #: Seconds from the connection to the end of the answer.
    seconds: float = 3


class Reserve:
    """Places for the newest connections that ask for what is always answered."""

    def __init__(
        self,
        serve: Callable[[socket.socket, Address, bytes], Awaitable[None]],
        beginnings: Sequence[bytes],
        *,
        limits: ReserveLimits | None = None,
    ) -> None:
        #: Answers a client, which it is given as a listener would.
        self.serve = serve
        # What the requests begin with that are answered.
        self._beginnings = beginnings
        self._limits = limits or ReserveLimits()
        # The places that are taken, the oldest first.
        self._taken: list[trio.CancelScope] = []

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place, from which the block is sent away when its time is over or newer ones need it."""
        with trio.CancelScope(deadline=trio.current_time() + self._limits.seconds) as scope:
            self._taken.append(scope)
            if len(self._taken) > self._limits.places:
                self._taken.pop(0).cancel()
            try:
                yield
            finally:
                if scope in self._taken:
                    self._taken.remove(scope)

    async def look(self, client: socket.socket, received: bytes) -> tuple[bool, bytes]:
        """Return whether a client asks for what is always answered, and what was received of it to find that out."""
        reader = trio.socket.from_stdlib_socket(client)
        asks, received = await read_beginning(reader, received, partial(begins_with, beginnings=self._beginnings))
        return bool(asks), received
