"""Seeds that have found a fault, each with the fault: they are played again in every run of CI."""

from typing import Final

#: The seed, and what it found. Another version of pyshare or of the simulator may make another world of a seed, so that
#: each fault has a test of its own, too.
REGRESSIONS: Final[dict[int, str]] = {
    99: "a channel whose log had parted applied what it had heard of the other log, and failed",
    1554: "a stock editor whose socket was full when it joined was never told that it is connected",
    3647: "a store of the simulator told of updates that it had lost",
    20940: "a stopped process that was drained went on too late to put back what it held",
    30113: "a channel put back what was lost, and then applied what it had heard before the loss",
    50225: "a client ahead of an older log came back when that log had grown to its version, and kept another text",
    50678: "a stock page loaded a text from before what the channel knew, and kept it",
    1002839: "the judge was certain of edits made onto an older log, beside a stopped process that held more",
    2001170: "a stock page loaded a text that its server had not heard of yet, and kept another one",
    3000438: "an editor that took the text anew where its last edit had not been heard of was refused its next one",
    3001069: "the judge waited for a process that had ended to put back what it held",
}
