"""The story of a world: what happened, when and to whom; its digest, and counts of what is rare."""

import hashlib
import zlib
from collections import Counter

from simulation.clock import Clock


class Story:
    """Lines of a world, oldest first. Two worlds of one seed have the same, and the same digest."""

    def __init__(self, clock: Clock, *, detailed: bool = False) -> None:
        self._clock = clock
        #: Whether notes are taken.
        self.detailed = detailed
        self._lines: list[tuple[float, str, str]] = []
        # Notes, each with the number of lines before it.
        self._notes: list[tuple[int, float, str]] = []
        # A checksum of all bytes that were received at any end.
        self._heard = 0
        #: How often each fault and each rare path occurred.
        self.counts: Counter[str] = Counter()

    def tell(self, actor: str, event: str) -> None:
        """Add a line."""
        self._lines.append((self._clock.now, actor, event))

    def note(self, line: str) -> None:
        """Add what is no part of the digest, such as a line of a log."""
        self._notes.append((len(self._lines), self._clock.now, line))

    def hear(self, data: bytes) -> None:
        """Take note of bytes that were received."""
        self._heard = zlib.crc32(data, self._heard)

    def count(self, what: str, times: int = 1) -> None:
        """Count something rare."""
        self.counts[what] += times

    def happened(self, actor: str, what: str) -> None:
        """Count something rare, and tell it."""
        self.counts[what] += 1
        self._lines.append((self._clock.now, actor, what))

    def lines(self) -> list[str]:
        """Return the story, a line an event: time, actor, event."""
        return [f"{time:10.4f}  {actor:<10} {event}" for time, actor, event in self._lines]

    def told(self) -> list[str]:
        """Return the story with the notes where they belong."""
        lines = self.lines()
        for place, time, note in reversed(self._notes):
            lines.insert(place, f"{time:10.4f}  | {note}")
        return lines

    def digest(self) -> str:
        """Return a short mark of the whole story, the bytes received included."""
        whole = "\n".join([*self.lines(), f"{self._heard:08x}"])
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:16]
