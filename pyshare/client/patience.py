"""Patience with one connection: when its server is asked for a sign of life, and when the connection counts as lost.

Bytes that come, and bytes of a long message that leave, move all deadlines. So
a connection on which something moves is never given up, and one on which
nothing moves always is. Pure: the time is an argument.
"""

from dataclasses import dataclass
from enum import Enum

#: Seconds beyond those in which a server says something, before it is asked.
_MARGIN_SECONDS = 5.0
#: Seconds without a word after which a server counts as lost that cannot be asked. Such servers send a ping every 20 s.
_SILENCE_SECONDS = 60.0
#: Seconds by which a timer is late only if its program stood still: it was stopped, held up, or slept with its machine.
_LATE_SECONDS = 1.0
#: Seconds between two looks at the clock on the wall, which goes on while a machine sleeps; trio's may not.
LOOK_SECONDS = 5.0
#: Seconds for a sign of life after that; behind a long push it has as many as any other answer.
_AWAKE_SECONDS = 5.0
#: Bytes above which a push can hold up a question behind it for longer.
_LONG_PUSH_BYTES = 32_768


class Step(Enum):
    """The step that is due when nothing has moved for so long."""

    #: Ask the server for a sign of life.
    ASK = "ask"
    #: Take the connection for lost.
    LOSE = "lose"


@dataclass(frozen=True, slots=True)
class Due:
    """A step, and when it is due."""

    time: float
    step: Step


class Clocks:
    """Two clocks: trio's, which can stand still while the machine sleeps, and that on the wall, which goes on."""

    def __init__(self, now: float, wall: float) -> None:
        # Seconds by which the wall's clock is ahead.
        self._ahead = wall - now

    def slept(self, now: float, wall: float) -> bool:
        """Return whether trio's clock has stood still since the last time; a wall's that is set back hides no sleep."""
        before, self._ahead = self._ahead, wall - now
        return self._ahead - before >= _LATE_SECONDS


class Patience:
    """The patience with one connection that was dialled at `now`.

    `heard` is always the time at which bytes came from the server last, `left`
    that at which bytes of a long message left for it.
    """

    def __init__(self, now: float, *, welcome_seconds: float, answer_seconds: float) -> None:
        self._welcome_seconds = welcome_seconds
        self._answer_seconds = answer_seconds
        # When anything moved last, or might have while the program stood still.
        self._moved = now
        # Seconds in which the server says something, once it has welcomed; 0: it cannot be asked.
        self._alive_seconds: float | None = None
        # When a push was sent last, and whether it was a long one.
        self._pushed = now
        self._long_push = False
        # When the server was asked, while it has not answered; and the seconds that it has for the answer.
        self._asked: float | None = None
        self._asked_seconds = answer_seconds

    def welcomed(self, alive_seconds: float) -> None:
        """Note that the server has said its welcome, and in how many seconds it says something; 0: it has not told."""
        self._alive_seconds = alive_seconds

    def pushed(self, now: float, message_bytes: int) -> None:
        """Note that a push of so many bytes is being sent, or was."""
        self._pushed = now
        self._long_push = message_bytes > _LONG_PUSH_BYTES

    def due(self, heard: float, left: float, *, waits: bool) -> Due:
        """Return the next step; `waits` tells whether a push waits for its answer."""
        self._moved = max(self._moved, heard, left)
        if self._asked is not None and heard >= self._asked:
            self._asked = None
        if self._asked is not None:
            return Due(max(self._asked, left) + self._asked_seconds, Step.LOSE)
        if self._alive_seconds is None:
            return Due(self._moved + self._welcome_seconds, Step.LOSE)
        if self._alive_seconds == 0:
            return Due(self._moved + _SILENCE_SECONDS, Step.LOSE)
        if waits:
            return Due(max(self._moved, self._pushed) + self._answer_seconds, Step.LOSE)
        return Due(self._moved + self._alive_seconds + _MARGIN_SECONDS, Step.ASK)

    def woke(
        self, now: float, slept_until: float, heard: float, left: float, *, waits: bool, stood_still: bool = False
    ) -> Step | None:
        """Return the step to take now, after a sleep until a time at which one was due; None if there is none yet.

        A sleep that took much longer than it should is not a silence of the server: the server is asked. So it is if
        `stood_still`: the clock has missed a sleep of the machine.
        """
        due = self.due(heard, left, waits=waits)
        if not stood_still:
            if due.time > now:
                return None
            if now - slept_until < _LATE_SECONDS:
                return self._ask(now, self._answer_seconds) if due.step is Step.ASK else due.step
        if not self._alive_seconds:
            self._moved = now
            return None
        return self._ask(now, self._answer_seconds if waits and self._long_push else _AWAKE_SECONDS)

    def _ask(self, now: float, seconds: float) -> Step:
        self._asked, self._asked_seconds = now, seconds
        return Step.ASK
