"""One direction of a connection through a bad network: the times at which bytes pass; no I/O, and no clock.

Bytes are put in at one end and taken out at the other. Times are seconds of any
clock that does not go back; each method is told the present one. The same calls
with the same chances give the same answers.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

#: Seconds that one slice of the bytes takes on its way in, at most; and bytes of a slice, at least and at most.
_SLICE_SECONDS = 0.02
_SLICE_BYTES = (256, 65_536)


@dataclass(frozen=True, slots=True)
class Quality:
    """Speed and delay of one direction."""

    bytes_per_second: float = math.inf
    #: Seconds that each byte takes besides.
    delay_seconds: float = 0.0
    #: Seconds that a slice takes longer by chance, at most. Bytes stay in order.
    jitter_seconds: float = 0.0
    #: Bytes that wait at either end; a sender who sends more has to wait.
    buffer_bytes: int = 16_384

    def __post_init__(self) -> None:
        if not self.bytes_per_second > 0 or not self.buffer_bytes > 0:
            raise ValueError(f"{self}: nothing would ever pass; use silence for that")


class Line:
    """Bytes on their way in one direction."""

    def __init__(self, quality: Quality, chance: Callable[[], float] = lambda: 0.0) -> None:
        self._quality = quality
        # Gives numbers from 0 up to 1.
        self._chance = chance
        # Slices that have not begun their way; the head is being sent since `_free_at`.
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._free_at = -math.inf
        # Slices on their way, each with the time of its arrival.
        self._under_way: deque[tuple[float, bytes]] = deque()
        self._last_arrival = -math.inf
        # Nothing is sent and nothing arrives before this time.
        self._silent_until = -math.inf
        # Whether the sender has ended.
        self._ended = False
        # Bytes that were taken out so far, and those that may be in all.
        self.passed_bytes = 0
        self._cut_at = math.inf
        #: Whether a byte has arrived behind the last one that was to pass.
        self.is_cut = False

    # The ends of the line.

    def room(self, now: float) -> int:
        """Return how many bytes can be put in now; none where as many as the buffer takes wait at either end."""
        self._advance(now)
        arrived = sum(len(data) for at, data in self._under_way if at <= now)
        return max(0, self._quality.buffer_bytes - self._waiting_bytes - arrived)

    def put(self, data: bytes, now: float) -> None:
        """Put bytes in; a sender asks for the room before."""
        self._advance(now)
        if not self._waiting:
            self._free_at = max(self._free_at, now)
        most = self._slice_bytes()
        self._waiting.extend(data[start : start + most] for start in range(0, len(data), most))
        self._waiting_bytes += len(data)

    def end(self) -> None:
        """Put in the end: nothing will follow."""
        self._ended = True

    def take(self, now: float) -> bytes:
        """Return the bytes that have arrived; each is returned once."""
        self._advance(now)
        parts: list[bytes] = []
        while self._under_way and max(self._under_way[0][0], self._silent_until) <= now:
            parts.append(self._under_way.popleft()[1])
        data = b"".join(parts)
        if self.passed_bytes + len(data) > self._cut_at:
            self.is_cut = True
            data = data[: int(self._cut_at) - self.passed_bytes]
        self.passed_bytes += len(data)
        return data

    def has_ended(self, now: float) -> bool:
        """Return whether all was taken out that ever will be, and the end has arrived."""
        return self._ended and not self._waiting and not self._under_way and now >= self._silent_until

    def next_at(self, now: float) -> float:
        """Return the next time after this one at which bytes arrive or room is made; perhaps never.

        What has arrived already is for `take`.
        """
        self._advance(now)
        times: list[float] = []
        if self._waiting:
            times.append(self._sent_at())
        if self._under_way:
            times.append(max(self._under_way[0][0], self._silent_until))
        elif self._ended and not self._waiting:
            times.append(self._silent_until)
        return min((time for time in times if time > now), default=math.inf)

    # The weather.

    def become(self, quality: Quality, now: float) -> None:
        """Have another quality from now on; bytes that are under way arrive as they would have."""
        self._advance(now)
        self._quality = quality

    def fall_silent(self, until: float, now: float) -> None:
        """Let nothing pass until a time, which may be infinite; the time of an earlier call is replaced."""
        self._advance(now)
        self._silent_until = until

    def cut_after(self, count: int) -> None:
        """Be cut in place of the byte behind the next `count` ones."""
        self._cut_at = self.passed_bytes + count

    def _advance(self, now: float) -> None:
        """Send the slices on their way whose time was up to now."""
        while self._waiting and (sent_at := self._sent_at()) <= now:
            data = self._waiting.popleft()
            self._waiting_bytes -= len(data)
            self._free_at = sent_at
            quality = self._quality
            arrival = sent_at + quality.delay_seconds + quality.jitter_seconds * self._chance()
            self._last_arrival = max(self._last_arrival, arrival)
            self._under_way.append((self._last_arrival, data))

    def _sent_at(self) -> float:
        """Return when the first slice that waits has been sent on its way."""
        start = max(self._free_at, self._silent_until)
        return start + len(self._waiting[0]) / self._quality.bytes_per_second

    def _slice_bytes(self) -> int:
        least, most = _SLICE_BYTES
        return int(min(most, max(least, self._quality.bytes_per_second * _SLICE_SECONDS)))
