"""Update frames that some laggard has not been sent, in slices that all laggards share."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

#: Bytes above which a slice takes no further frame. A larger frame is a slice of its own.
SLICE_BYTES = 65_536


@dataclass(slots=True, eq=False)
class Slice:
    """Consecutive frames as one string of bytes, of which a laggard is sent the end that it lacks."""

    #: The frames, or the bytes that they were joined to.
    parts: list[bytes] = field(default_factory=list)
    #: The version that each frame leads to, and the place in the bytes where it begins.
    versions: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    #: Bytes of all frames.
    size_bytes: int = 0

    @property
    def version(self) -> int:
        """The version that the last frame leads to."""
        return self.versions[-1]

    def append(self, version: int, frame: bytes) -> None:
        """Put `frame`, which leads to `version`, at the end."""
        self.parts.append(frame)
        self.versions.append(version)
        self.places.append(self.size_bytes)
        self.size_bytes += len(frame)

    def extend(self, other: "Slice") -> None:
        """Put the frames of `other` at the end."""
        self.versions += other.versions
        self.places += [self.size_bytes + place for place in other.places]
        self.parts += other.parts
        self.size_bytes += other.size_bytes

    def after(self, version: int) -> tuple[bytes, int]:
        """Return the bytes of the frames that lead beyond `version`, and their number.

        All of them are the same bytes for everybody. A part of them is a copy, of `SLICE_BYTES` at most.
        """
        if len(self.parts) > 1:
            self.parts = [b"".join(self.parts)]
        first = bisect_right(self.versions, version)
        data = self.parts[0]
        return data[self.places[first] :] if first else data, len(self.versions) - first


class Backlog:
    """The slices that follow the version of the laggard that is furthest behind."""

    def __init__(self, slice_bytes: int = SLICE_BYTES) -> None:
        self._slice_bytes = slice_bytes
        self._slices: deque[Slice] = deque()
        #: Bytes of all frames that are kept.
        self.bytes = 0

    def cut(self, frames: Iterable[tuple[int, bytes]]) -> list[Slice]:
        """Return `frames`, each with the version that it leads to, in slices."""
        slices: list[Slice] = []
        for version, frame in frames:
            if not slices or slices[-1].size_bytes + len(frame) > self._slice_bytes:
                slices.append(Slice())
            slices[-1].append(version, frame)
        return slices

    def keep(self, slices: Sequence[Slice]) -> None:
        """Keep slices that follow those that are kept."""
        for each in slices:
            if self._slices and self._slices[-1].size_bytes + each.size_bytes <= self._slice_bytes:
                self._slices[-1].extend(each)
            else:
                self._slices.append(each)
            self.bytes += each.size_bytes

    def next_after(self, version: int) -> Slice | None:
        """Return the first slice that leads beyond `version`; None if there is none."""
        return next((each for each in self._slices if each.version > version), None)

    def forget(self, version: int) -> None:
        """Let go of the slices that do not lead beyond `version`."""
        while self._slices and self._slices[0].version <= version:
            self.bytes -= self._slices.popleft().size_bytes
