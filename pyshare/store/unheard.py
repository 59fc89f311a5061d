"""Appends of this instance that it has not heard yet, so that it need not read them again."""

from pyshare.store.interface import Committed

#: Appends that are remembered, and bytes of their updates as they are written, for all codespaces together.
_APPENDS = 1024
_BYTES = 16_777_216


class Unheard:
    """Own appends by number; the oldest are forgotten above the limits, and then read like those of others."""

    def __init__(self) -> None:
        # Each append and its bytes, the latest last.
        self._appends: dict[int, tuple[Committed, int]] = {}
        #: Bytes of all that are remembered.
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._appends)

    def add(self, number: int, committed: Committed, size_bytes: int) -> None:
        """Remember an append under its number."""
        self._appends[number] = (committed, size_bytes)
        self.bytes += size_bytes
        while len(self._appends) > _APPENDS or self.bytes > _BYTES:
            self.take(next(iter(self._appends)))

    def take(self, number: int) -> Committed | None:
        """Return the append of that number and forget it; None if it is not remembered."""
        committed, size_bytes = self._appends.pop(number, (None, 0))
        self.bytes -= size_bytes
        return committed
