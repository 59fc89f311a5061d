"""Networks by their names, as people have them."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

import trio

from tests.network.line import Quality
from tests.network.passages import Network


@dataclass(frozen=True, slots=True)
class Preset:
    """A network that has a name."""

    name: str
    up: Quality
    down: Quality
    #: Seconds of each silence; 0: there is none.
    silent_seconds: float = 0.0
    #: Seconds between two silences, at least and at most; None: a silence comes when a scene says so.
    clear_seconds: tuple[float, float] | None = None
    #: Whether the clock of the client's machine stands still in a silence.
    sleeps: bool = False

    def network(self, seed: int = 0) -> Network:
        """Return a new network of this kind."""
        return Network(up=self.up, down=self.down, seed=seed)


#: 400 ms round trip, jitter besides.
SLOW_3G: Final = Preset(
    "slow 3G",
    up=Quality(25_000, delay_seconds=0.2, jitter_seconds=0.1),
    down=Quality(50_000, delay_seconds=0.2, jitter_seconds=0.1),
)
TRAIN: Final = Preset(
    "train",
    up=Quality(100_000, delay_seconds=0.05, jitter_seconds=0.05),
    down=Quality(300_000, delay_seconds=0.05, jitter_seconds=0.05),
    silent_seconds=20,
    clear_seconds=(4, 40),
)
SLEEP: Final = Preset(
    "sleep",
    up=Quality(1_000_000, delay_seconds=0.02),
    down=Quality(2_000_000, delay_seconds=0.02),
    silent_seconds=600,
    sleeps=True,
)
PRESETS: Final = {preset.name: preset for preset in (SLOW_3G, TRAIN, SLEEP)}


def clear_spells(preset: Preset, random: Random) -> Iterator[float]:
    """Yield the seconds between one silence and the next, without end; none if no silence comes by itself."""
    while preset.clear_seconds is not None:
        yield random.uniform(*preset.clear_seconds)


async def have_weather(network: Network, preset: Preset, seed: int) -> None:
    """Have the silences come that come by themselves, until cancelled; new connections are silent in them, too."""
    for seconds in clear_spells(preset, Random(seed)):
        await trio.sleep(seconds)
        network.fall_silent(preset.silent_seconds, new=True)
        await trio.sleep(preset.silent_seconds)
