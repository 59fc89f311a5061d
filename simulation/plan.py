"""The plan of a world: who is there, and what happens when. It follows from the seed alone.

A step carries two numbers from 0 up to 1 in place of positions and choices, so
that any part of the steps is a plan, too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from simulation.hand import KEYS

Kind = Literal["collab", "python", "stock", "hostile"]

#: Edits of a world, and its phases, each of which ends in a quiet moment.
EDITS: Final = 100
PHASES: Final = 2

#: What can happen beside edits, by the name of the group that a world may have.
FAULTS: Final[dict[str, tuple[str, ...]]] = {
    "network": ("reset", "cut", "silence", "half-open", "stall", "weather"),
    "people": ("leave", "crash", "select"),
    "processes": ("kill", "vanish", "drain", "stop"),
    "store": ("down", "fail before", "fail after", "slow calls", "lost answers", "late answers", "cut off", "gap"),
    "events": ("late events", "doubled events", "lost events"),
    "loss": ("save", "lose all", "go back", "go back"),
    "lives": ("expire", "deletion", "wall clock"),
}
#: The same, drawn apart from all others: so seeds that found something keep the plan with which they did.
FAULTS_APART: Final[dict[str, tuple[str, ...]]] = {
    "replicas": ("replica",),
    "api": ("api late", "api fails", "api silent", "api refuses"),
}
#: Part of the worlds that have such a group, and steps of each group at most.
_APART = 0.25
_MOST_APART = 8


#: Faults after which little is certain, and how often one is let happen.
_RARE: Final = frozenset({"expire", "deletion"})
_RARE_CHANCE: Final = 0.25


#: Part of the worlds whose store is the one on Redis.
_REDIS: Final = 0.35
#: Faults that delay what a client sends by more than half a second (see `quiet_seconds` of pyshare.actors.stock).
_DELAYS: Final = frozenset({"silence", "half-open", "weather", "stop"})
#: Units of a text that is full after some edits.
_SHORT_TEXT: Final = 1000


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens at a time, in seconds since its phase began."""

    phase: int
    time: float
    #: Number of the person or process, modulo how many there are.
    actor: int
    action: str
    #: Two numbers from 0 up to 1.
    one: float
    two: float


@dataclass(frozen=True, slots=True)
class Cast:
    """A person of a world."""

    kind: Kind
    view_only: bool = False
    #: A stock editor that only inserts; a hostile client of the stock dialect.
    special: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a world is made of."""

    seed: int
    instances: int
    cast: Sequence[Cast]
    #: Whether limits are so small that they are met.
    small: bool
    text_units: int
    #: Seconds that a byte takes, and bytes that fit a connection.
    delay_seconds: float
    buffer_bytes: int
    steps: Sequence[Step]
    #: Whether the store is the one on Redis, with a double of its server; else the one in memory.
    redis: bool = False
    #: Whether an API knows the tokens; else they say themselves what they are good for.
    api: bool = False

    @property
    def is_full(self) -> bool:
        """Whether the text is full after some edits."""
        return self.text_units < _SHORT_TEXT

    @property
    def loses_stock_edits(self) -> bool:
        """Whether what a stock editor sends may come to nothing, of which no stock editor is told.

        It may be refused. It may come so late that the server takes the editor for quiet, and replaces its text.
        """
        return self.is_full or any(step.action in _DELAYS for step in self.steps)

    @property
    def deletes_anything(self) -> bool:
        """Whether letters may vanish that nobody is known to have deleted.

        Hostile clients that may edit do so. A stock editor that deletes may, where lengths leave a doubt about the text
        that it had before it.
        """
        return any(
            (each.kind == "hostile" and not each.view_only) or (each.kind == "stock" and not each.special)
            for each in self.cast
        )


def plan(seed: int, *, edits: int = EDITS) -> Plan:
    """Return the plan of a seed."""
    random = Random(seed)
    cast = _cast(random)
    people = len(cast)
    groups = [name for name in FAULTS if random.random() < 0.5]
    if random.random() < 0.05:
        groups = []
    faults = [fault for group in groups for fault in FAULTS[group]]
    steps = []
    for phase in range(PHASES):
        time = 0.0
        left = edits // PHASES
        pace = random.choice((0.02, 0.05, 0.15))
        while left > 0:
            time += random.expovariate(1 / pace)
            if faults and random.random() < 0.22:
                fault = random.choice(faults)
                if fault not in _RARE or random.random() < _RARE_CHANCE:
                    steps.append(Step(phase, time, random.randrange(64), fault, *_two(random)))
                continue
            actor = random.randrange(people)
            key = random.choice(KEYS)
            count = min(left, random.choice((1, 1, 2, 3, 6)))
            if cast[actor].kind != "hostile":
                left -= count
            for _ in range(count):
                steps.append(Step(phase, time, actor, key, *_two(random)))
                time += random.random() * pace
    apart = list(_steps_apart(Random(f"apart {seed}"), steps))
    small = random.random() < 0.5
    # pyshare takes it that a frame to a stock editor needs twenty milliseconds (see `pyshare.core.shadow`).
    has_stock = any(each.kind == "stock" for each in cast)
    delays = (0.02, 0.03, 0.06) if has_stock else (0.001, 0.005, 0.05)
    return Plan(
        seed=seed,
        instances=random.choice((1, 2, 2, 2, 3)),
        cast=cast,
        small=small,
        text_units=random.choice((120, 400)) if small and random.random() < 0.3 else 4000,
        delay_seconds=random.choice(delays),
        buffer_bytes=random.choice((2048, 16_384, 65_536)),
        steps=sorted([*steps, *apart], key=lambda step: (step.phase, step.time)),
        redis=random.random() < _REDIS,
        api=any(step.action in FAULTS_APART["api"] for step in apart),
    )


def _steps_apart(random: Random, steps: Sequence[Step]) -> Iterator[Step]:
    """Yield steps of the groups that are drawn apart, in the time that the steps of each phase take."""
    lengths = [max((step.time for step in steps if step.phase == phase), default=0.0) for phase in range(PHASES)]
    for faults in FAULTS_APART.values():
        if random.random() < _APART:
            for _ in range(random.randrange(1, _MOST_APART + 1)):
                phase = random.randrange(PHASES)
                time = random.random() * lengths[phase]
                yield Step(phase, time, random.randrange(64), random.choice(faults), *_two(random))


def _two(random: Random) -> tuple[float, float]:
    return random.random(), random.random()


def _cast(random: Random) -> list[Cast]:
    cast = [Cast("collab") for _ in range(random.randrange(1, 4))]
    cast += [Cast("python")] * random.choice((0, 1, 1, 2))
    if random.random() < 0.4:
        gentle = random.random() < 0.5
        cast += [Cast("stock", special=gentle)] * random.randrange(1, 3)
    if random.random() < 0.2:
        cast.append(Cast(random.choice(("collab", "python")), view_only=True))
    if random.random() < 0.3:
        cast.append(Cast("hostile", view_only=random.random() < 0.7, special=random.random() < 0.4))
    return cast
