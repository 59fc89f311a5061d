"""Measures the CPU that it takes to follow a stock editor: `python -m bench.following`.

Two others type beside it, at random places or near one, and some frames are
always on their way. A row is one length of the text: microseconds for one edit
of the editor and the two pushes of others that it is sent.
"""

import argparse
import time
from collections import deque
from random import Random

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.shadow import Shadow
from pyshare.core.view import View

#: Seconds between two keys of one person.
_KEY_SECONDS = 0.025


class _Scene:
    def __init__(self, length: int, on_the_way: int, *, near: bool) -> None:
        self._random = Random(1)
        self._near = near
        self._aim = self._text = "a" * length
        self._shadow = Shadow(length)
        self._frames: deque[ChangeSet] = deque()
        self._on_the_way = on_the_way
        self._now = 0.0
        # Seconds of CPU.
        self.spent = 0.0

    def _insertion(self, text: str, letter: str) -> ChangeSet:
        middle = len(text) // 2
        place = middle + self._random.randrange(20) if self._near else self._random.randrange(len(text))
        return ChangeSet.of([Change(place, place, letter)], len(text))

    def _send(self) -> None:
        parts = self._shadow.parts(View(self._aim), quiet=False)
        if parts is not None:
            self._shadow.sent(parts, self._now)
            self._frames.extend(parts)

    def others_type(self) -> None:
        """Commit a push of somebody else."""
        changes = self._insertion(self._aim, "x")
        self._aim = changes.apply(self._aim)
        start = time.process_time()
        self._shadow.follow(changes)
        self._send()
        self.spent += time.process_time() - start

    def editor_types(self) -> None:
        """Have the editor handle what has arrived, and make an edit."""
        self._now += _KEY_SECONDS
        while len(self._frames) > self._on_the_way:
            frame = self._frames.popleft()
            if frame.length == len(self._text):
                self._text = frame.apply(self._text)
        edit = self._insertion(self._text, "y")
        self._text = edit.apply(self._text)
        start = time.process_time()
        made = self._shadow.receive(edit, self._now, aim=View(self._aim))
        self.spent += time.process_time() - start
        self._aim = made.apply(self._aim)
        start = time.process_time()
        self._send()
        self.spent += time.process_time() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=300, help="edits of the editor in each scene")
    edits = parser.parse_args().edits
    print(f"{'text':>8} {'on the way':>10} {'near, us':>10} {'anywhere, us':>13}")
    for length in (1_000, 50_000, 500_000):
        for on_the_way in (2, 10, 30):
            figures = []
            for near in (True, False):
                scene = _Scene(length, on_the_way, near=near)
                for _ in range(edits):
                    scene.others_type()
                    scene.others_type()
                    scene.editor_types()
                figures.append(scene.spent / edits * 1e6)
            print(f"{length:>8} {on_the_way:>10} {figures[0]:>10.0f} {figures[1]:>13.0f}")


if __name__ == "__main__":
    main()
