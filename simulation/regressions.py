"""Seeds that have found a fault, each with the fault: they are played again in every run of CI."""

from typing import Final

#: The seed, and what it found.
REGRESSIONS: Final[dict[int, str]] = {
    99: "a channel whose log had parted applied what it had heard of the other log, and failed",
}
