"""The memory that connections hold together: messages that are not whole, and writes that were sent in part.

One client may hold a message of megabytes, and so may ten thousand. Above a
limit for all of them, whoever holds most is let go. Bytes that many hold, such
as a frame for a whole class, count once.
"""

from dataclasses import dataclass, field
from typing import Protocol


class Holder(Protocol):
    """A connection, as this module knows it."""

    def shed(self) -> None:
        """End at once, and take nothing more into memory."""


@dataclass(slots=True, eq=False)
class _Write:
    """Bytes that were sent in part."""

    data: bytes
    holders: set[Holder] = field(default_factory=set)


class HeldBytes:
    """The bytes that are held, by whom, and the limit for all."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        #: Bytes that are held at this moment.
        self.bytes = 0
        #: Connections that were let go because they held most.
        self.shed = 0
        # Bytes of each connection's messages that are not whole.
        self._unfinished: dict[Holder, int] = {}
        # The write of each connection that was sent in part, and these writes by the identity of their bytes.
        self._writes: dict[Holder, _Write] = {}
        self._by_id: dict[int, _Write] = {}
        # Connections that were let go and have not ended.
        self._going: set[Holder] = set()

    def __len__(self) -> int:
        """Return the number of connections that hold something."""
        return len(self._unfinished.keys() | self._writes.keys() | self._going)

    def hold_unfinished(self, holder: Holder, size_bytes: int) -> None:
        """Note the bytes of messages that `holder` has received and that are not whole."""
        self.bytes += size_bytes - self._unfinished.pop(holder, 0)
        if size_bytes:
            self._unfinished[holder] = size_bytes
            self._keep_within()

    def hold_write(self, holder: Holder, data: bytes | None) -> None:
        """Note that `holder` has sent a part of `data`; or has sent, or given up, all of its last one."""
        before = self._writes.pop(holder, None)
        if before is not None:
            before.holders.discard(holder)
            if not before.holders:
                del self._by_id[id(before.data)]
                self.bytes -= len(before.data)
        if data is None:
            return
        write = self._by_id.get(id(data))
        if write is None:
            write = self._by_id[id(data)] = _Write(data)
            self.bytes += len(data)
        write.holders.add(holder)
        self._writes[holder] = write
        self._keep_within()

    def let_go(self, holder: Holder) -> None:
        """Forget a connection that has ended."""
        self.hold_unfinished(holder, 0)
        self.hold_write(holder, None)
        self._going.discard(holder)
        # Bytes that it shared stay as long as another one has them.
        self._keep_within()

    def share_bytes(self, holder: Holder) -> float:
        """Return the bytes that `holder` holds, of shared ones its part."""
        write = self._writes.get(holder)
        shared = len(write.data) / len(write.holders) if write else 0
        return self._unfinished.get(holder, 0) + shared

    def _keep_within(self) -> None:
        """Let those go that hold most, until what the others hold is within the limit."""
        while self.bytes > self._most_bytes:
            staying = (self._unfinished.keys() | self._writes.keys()) - self._going
            excess = self.bytes - self._most_bytes - sum(map(self.share_bytes, self._going))
            if excess <= 0 or not staying:
                return
            worst = max(staying, key=self.share_bytes)
            self._going.add(worst)
            self.shed += 1
            worst.shed()
