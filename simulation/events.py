"""The events of a world: each step of a plan, done; and everything that is broken, mended."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Final

from pyshare.actors.channel import Channel
from pyshare.store.interface import Standing
from simulation.api import Mood
from simulation.hand import KEYS
from simulation.hostile import Hostile
from simulation.instance import Instance
from simulation.people import CollabPerson
from simulation.plan import Step
from simulation.python_person import PythonPerson
from simulation.sockets import CALM, Connection, Way, Weather
from simulation.stock_person import StockPerson
from simulation.storage import Access
from simulation.world import CODESPACE, REPLICA_WRITES, World

#: The directions that can fall silent together.
_WAYS: Final[tuple[tuple[Way, ...], ...]] = (("up",), ("down",), ("up", "down"))
#: Ways in which a codespace ends, and seconds for which there is none behind a loss.
_ENDS: Final = frozenset({"expire", "deletion"})
_LOSS_SECONDS: Final = 10


@dataclass(slots=True)
class Loss:
    """Something that the store has lost."""

    #: What it held.
    standing: Standing
    #: Channels that hold all of it.
    holders: list[tuple[Instance, Channel]]
    #: Whether every process holds it, so that none can make the codespace again.
    complete: bool


class Events:
    """Does the steps of a plan."""

    def __init__(self, world: World) -> None:
        self._world = world
        # What the store had at some time.
        self._saved = world.store.copy()
        # What the store has lost and was not given back.
        self._loss: Loss | None = None
        # When it has lost something last.
        self._lost_at = -inf
        # Connections whose path leads nowhere.
        self._dead: list[Connection] = []
        self._by_name: Mapping[str, Callable[[Step], None]] = {
            "reset": self._reset,
            "cut": self._cut,
            "silence": self._silence,
            "half-open": self._half_open,
            "stall": self._stall,
            "weather": self._weather,
            "leave": self._leave,
            "crash": self._crash,
            "select": self._select,
            "kill": partial(self._kill, vanishes=False),
            "vanish": partial(self._kill, vanishes=True),
            "drain": self._drain,
            "stop": self._stop,
            "down": self._down,
            "fail before": self._fail_before,
            "fail after": self._fail_after,
            "slow calls": self._slow_calls,
            "lost answers": self._lost_answers,
            "late answers": self._late_answers,
            "cut off": self._cut_off,
            "gap": lambda step: self._world.store.gap(CODESPACE),
            "late events": self._late_events,
            "doubled events": self._doubled_events,
            "lost events": self._lost_events,
            "save": self._save,
            "lose all": self._lose_all,
            "go back": self._go_back,
            "replica": self._replica,
            "api late": partial(self._api, mood="late"),
            "api fails": partial(self._api, mood="fails"),
            "api silent": partial(self._api, mood="silent"),
            "api refuses": partial(self._api, mood="refuses"),
            "expire": self._expire,
            "deletion": self._expire,
            "wall clock": self._wall_clock,
        }

    def do(self, step: Step) -> None:
        """Do one step."""
        world = self._world
        if step.action in KEYS:
            person = world.people[step.actor % len(world.people)]
            if isinstance(person, Hostile):
                world.see()
            person.press(step.action)
            self._check_parted()
            return
        if step.action in _ENDS and world.clock.now < self._lost_at + _LOSS_SECONDS:
            # A process that has not heard of the loss yet would put back what has expired, beside one that holds more.
            return
        world.story.happened("fault", step.action)
        self._by_name[step.action](step)
        self._check_loss()

    def mend(self) -> None:
        """End all faults: everything works from now on, and everybody comes back."""
        world = self._world
        world.story.tell("fault", "none any more")
        faults = world.faults
        faults.call_delay = faults.event_delay = faults.drop_event = faults.repeat_event = None
        faults.fail_before = faults.fail_after = 0
        faults.down = False
        if world.api is not None:
            world.api.mood = "well"
        world.weather = replace(CALM, delay_seconds=world.plan.delay_seconds, buffer_bytes=65_536)
        for instance in world.instances:
            instance.go_on()
        for place, instance in enumerate(world.places):
            if not instance.accepting:
                self._replace(place, instance)
        for access in world.accesses.values():
            access.heal()
        self._reset_dead()
        for connection in world.connections:
            connection.become(world.weather)
            if connection not in self._dead:
                connection.fall_silent(0)
            for pipe in connection.pipes:
                pipe.resume()
        for person in world.people:
            if isinstance(person, Hostile):
                person.calms_down()
            elif not person.here:
                person.comes()

    def look(self) -> bool:
        """See what has become of what the store has lost; return whether somebody may still put it back."""
        self._check_loss()
        return self._loss is not None

    def _reset_dead(self) -> None:
        """End paths that lead nowhere, but those of Python clients, which find out by themselves."""
        for person in self._world.people:
            if not isinstance(person, PythonPerson) and person.connection in self._dead:
                person.connection.reset()
        self._dead = [person.connection for person in self._world.people if person.connection in self._dead]

    # The network.

    def _connection(self, step: Step) -> Connection | None:
        person = self._world.people[step.actor % len(self._world.people)]
        connection = person.connection
        if connection is not None:
            self._world.story.tell("fault", f"about {person.name}")
        return connection

    def _reset(self, step: Step) -> None:
        if connection := self._connection(step):
            connection.reset()

    def _cut(self, step: Step) -> None:
        if connection := self._connection(step):
            connection.cut_after(int(step.one * step.one * 2000), "up" if step.two < 0.5 else "down")

    def _silence(self, step: Step) -> None:
        if connection := self._connection(step):
            connection.fall_silent(step.one * 6, _WAYS[int(step.two * len(_WAYS))])

    def _half_open(self, step: Step) -> None:
        if connection := self._connection(step):
            connection.fall_silent(inf, _WAYS[int(step.two * len(_WAYS))])
            self._dead.append(connection)

    def _stall(self, step: Step) -> None:
        if connection := self._connection(step):
            connection.down.paused = True
            self._world.clock.after(step.one * 8, connection.down.resume)

    def _weather(self, step: Step) -> None:
        world = self._world
        world.weather = Weather(
            delay_seconds=step.one * 0.2,
            jitter_seconds=step.two * 0.3,
            buffer_bytes=1024 if step.one < 0.3 else 65_536,
            partial=step.two * 0.5,
            torn=step.one * 0.5,
        )
        for connection in world.connections:
            connection.become(world.weather)

    # People.

    def _leave(self, step: Step) -> None:
        person = self._world.people[step.actor % len(self._world.people)]
        person.tell("leaves")
        person.leaves()
        person.comes_later(0.2 + step.one * 3)

    def _crash(self, step: Step) -> None:
        person = self._world.people[step.actor % len(self._world.people)]
        person.tell("crashes")
        person.crashes()
        person.comes_later(0.2 + step.one * 2)

    def _select(self, step: Step) -> None:
        person = self._world.people[step.actor % len(self._world.people)]
        if isinstance(person, CollabPerson | PythonPerson):
            person.select()

    # Processes.

    def _process(self, step: Step) -> tuple[int, Instance, Access]:
        place = step.actor % len(self._world.places)
        instance = self._world.places[place]
        self._world.story.tell("fault", f"about {instance.name}")
        return place, instance, self._world.accesses[instance.name]

    def _kill(self, step: Step, *, vanishes: bool) -> None:
        place, instance, access = self._process(step)
        if instance.accepting:
            access.die()
            if vanishes:
                self._dead += instance.open
                for connection in instance.open:
                    connection.fall_silent(inf)
            instance.kill(resets=not vanishes)
            self._world.clock.after(step.one * 3, partial(self._replace, place, instance))

    def _drain(self, step: Step) -> None:
        place, instance, _ = self._process(step)
        if instance.accepting:
            instance.drain()
            seconds = self._world.limits.drain_seconds
            self._world.clock.after(seconds * (0.2 + step.one), partial(self._replace, place, instance))

    def _stop(self, step: Step) -> None:
        _, instance, _ = self._process(step)
        if instance.accepting and not instance.stopped:
            instance.stop()
            self._world.clock.after(step.one * 8, instance.go_on)

    def _replace(self, place: int, instance: Instance) -> None:
        if self._world.places[place] is instance:
            self._world.start(place)

    # The store.

    def _down(self, step: Step) -> None:
        self._world.faults.down = True
        self._world.clock.after(step.one * 4, self._up)

    def _up(self) -> None:
        self._world.faults.down = False

    def _fail_before(self, step: Step) -> None:
        self._world.faults.fail_before += 1 + int(step.one * 3)

    def _fail_after(self, step: Step) -> None:
        self._world.faults.fail_after += 1 + int(step.one * 3)

    def _slow_calls(self, step: Step) -> None:
        random = self._world.random
        self._world.faults.call_delay = lambda operation, codespace: random.choice((0.0, 0.01, 0.1, step.one))
        self._world.clock.after(step.two * 3, self._quick_calls)

    def _quick_calls(self) -> None:
        self._world.faults.call_delay = None

    def _lost_answers(self, step: Step) -> None:
        _, _, access = self._process(step)
        access.lost_answers = 0.1 + step.one * 0.5
        self._world.clock.after(step.two * 5, access.answer)

    def _late_answers(self, step: Step) -> None:
        _, _, access = self._process(step)
        access.late_answers = step.one
        self._world.clock.after(step.two * 5, access.answer)

    def _cut_off(self, step: Step) -> None:
        _, _, access = self._process(step)
        access.cut_off()
        self._world.clock.after(step.one * 5, access.heal)

    def _late_events(self, step: Step) -> None:
        random = self._world.random
        self._world.faults.event_delay = lambda codespace: random.random() * step.one * 0.5
        self._world.clock.after(step.two * 4, self._prompt_events)

    def _prompt_events(self) -> None:
        self._world.faults.event_delay = None

    def _doubled_events(self, step: Step) -> None:
        random = self._world.random
        self._world.faults.repeat_event = lambda codespace, event: random.random() < step.one
        self._world.clock.after(step.two * 4, self._single_events)

    def _single_events(self) -> None:
        self._world.faults.repeat_event = None

    def _lost_events(self, step: Step) -> None:
        _, _, access = self._process(step)
        access.go_deaf()
        self._world.clock.after(step.one * 2, access.hear_again)

    # What the store holds.

    def _save(self, step: Step) -> None:
        self._saved = self._world.store.copy()

    def _lose_all(self, step: Step) -> None:
        self._lose(None)

    def _go_back(self, step: Step) -> None:
        self._lose(self._saved)

    def _replica(self, step: Step) -> None:
        """Have a replica take the place of the server; it misses some of the newest writes."""
        state = self._world.store.replica(1 + int(step.one * REPLICA_WRITES))
        if state is not None:
            self._lose(state)

    def _lose(self, saved: object) -> None:
        """Have the store keep what was saved, and nothing else."""
        world = self._world
        if self._loss is not None:
            # What the processes hold has not been put back; another loss would say nothing more.
            return
        world.faults.event_delay = None
        standing = world.store.standing(CODESPACE)
        if standing is None:
            return
        self._loss = Loss(standing, [], complete=True)
        self._lost_at = world.clock.now
        for instance in world.places:
            channel = instance.channel(CODESPACE)
            if channel is not None and _holds(channel, standing):
                self._loss.holders.append((instance, channel))
            else:
                self._loss.complete = False
        world.store.lose(saved)
        self._load_again()
        world.story.tell("fault", f"the store has lost {standing}")

    def _check_loss(self) -> None:
        """See whether what was lost is there again, or cannot be any more: then no edit is certain."""
        self._check_parted()
        loss, world = self._loss, self._world
        if loss is None:
            return
        standing = world.store.standing(CODESPACE)
        channels = [channel for _, channel in loss.holders]
        if any(instance.channel(CODESPACE) not in [None, *channels] for instance in world.places):
            # A channel that has started since has loaded less.
            loss.complete = False
        if standing is not None and standing.epoch == loss.standing.epoch and standing.version >= loss.standing.version:
            world.story.happened("fault", "what was lost was put back")
            if not loss.complete:
                # A process that held less, or nothing, may have put that back first, and another log has grown.
                world.letters.doubt_all()
            self._loss = None
            return
        held = [instance for instance, channel in loss.holders if instance.channel(CODESPACE) is channel]
        # One whose time to drain was over has ended, though its channel is still there.
        held = [instance for instance in held if not instance.ended and not world.accesses[instance.name].dead]
        replaced = standing is not None and standing.epoch != loss.standing.epoch and standing.version > 0
        if len(held) < len(loss.holders):
            loss.complete = False
        if not held or (replaced and not loss.complete):
            world.story.happened("fault", "what was lost is lost for good")
            world.letters.doubt_all()
            self._loss = None

    def _check_parted(self) -> None:
        """Behind a loss, see whether processes go on with two logs: then one of the logs will be given up.

        They do where their epochs differ, or where one holds more of an epoch than the store, and another does not.
        """
        if self._lost_at == -inf:
            return
        world = self._world
        standing = world.store.standing(CODESPACE)
        channels = [channel for instance in world.places if (channel := instance.channel(CODESPACE)) is not None]
        stored = standing.version if standing is not None else 0
        held = {(channel._epoch, channel._document.version > stored) for channel in channels}  # noqa: SLF001
        if len(held) > 1:
            world.letters.doubt_all()

    def _expire(self, step: Step) -> None:
        world = self._world
        if step.action == "deletion":
            world.store.delete_now(CODESPACE)
        else:
            world.store.expire_now(CODESPACE)
        world.letters.doubt_all()
        self._loss = None
        self._load_again()
        # An old file with an earlier life of a codespace is beyond what is promised.
        self._saved = world.store.copy()

    def _load_again(self) -> None:
        """Have pages that have loaded a text and are not connected load another: lengths alone tell of that text."""
        for person in self._world.people:
            if isinstance(person, StockPerson) and person.is_loading:
                person.crashes()
                person.comes_later(self._world.random.random())

    # The API that knows tokens.

    def _api(self, step: Step, mood: Mood) -> None:
        api = self._world.api
        if api is not None:
            api.mood = mood
            self._world.clock.after(step.two * 4, self._api_is_well)

    def _api_is_well(self) -> None:
        if self._world.api is not None:
            self._world.api.mood = "well"

    def _wall_clock(self, step: Step) -> None:
        self._world.clock.wall_offset += (step.one - 0.5) * 7200


def _holds(channel: Channel, standing: Standing) -> bool:
    return (channel._epoch, channel._document.version) == (standing.epoch, standing.version)  # noqa: SLF001
