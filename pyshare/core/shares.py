"""One limit in bytes for what all codespaces of a process hold: each may have an equal share.

A limit for each codespace bounds nothing where one client can open many. As
long as all of them hold less than the limit together, nobody notices it. Above
it, those with more than an equal share have to give something up; who holds
little is never asked.
"""

import sys


class SharedLimit:
    """The limit, and what is held of it at this moment."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        #: Bytes that are held, and how many hold some.
        self.bytes = 0
        self.holders = 0

    def share(self) -> "Share":
        """Return the share of one more holder, who holds nothing yet."""
        return Share(self)

    def is_over(self, held_bytes: int) -> bool:
        """Whether all hold too much, and a holder of `held_bytes` has more than an equal share."""
        return self.bytes > self._most_bytes and held_bytes * self.holders > self._most_bytes


class Share:
    """What one codespace holds."""

    def __init__(self, limit: SharedLimit) -> None:
        self._limit = limit
        #: Bytes that it holds.
        self.bytes = 0

    @property
    def is_over(self) -> bool:
        """Whether it has to give something up."""
        return self._limit.is_over(self.bytes)

    def change(self, size_bytes: int) -> None:
        """Note that it holds so many bytes more, or fewer if that is negative."""
        before = self.bytes
        self.bytes += size_bytes
        self._limit.bytes += size_bytes
        self._limit.holders += (self.bytes > 0) - (before > 0)

    def give_back(self) -> None:
        """Note that it holds nothing any more."""
        self.change(-self.bytes)


def unlimited_share() -> Share:
    """Return the share of somebody who shares no limit with others."""
    return SharedLimit(sys.maxsize).share()
