"""A task that counts its turns, to see that others have some."""

import trio


class Turns:
    """Counts how often the scheduler comes to a task while something else runs."""

    def __init__(self) -> None:
        self.counted = 0

    async def count(self) -> None:
        """Count until cancelled."""
        while True:
            await trio.lowlevel.checkpoint()
            self.counted += 1
