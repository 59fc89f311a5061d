"""The judges of a world: what must be so at each quiet moment, at the end, and at any time."""

import trio

from pyshare.core.units import has_lone_surrogate
from simulation.events import Events
from simulation.hostile import Hostile
from simulation.instance import Instance, tasks_of
from simulation.stock_person import StockPerson
from simulation.world import CODESPACE, World

#: Seconds from the last fault to one text.
CALM_SECONDS = 45.0
#: Seconds from the last client's leaving until nothing is left of it.
EMPTY_SECONDS = 30.0
#: Seconds between two looks.
_LOOK_SECONDS = 0.25
#: Bytes by which a bound may be passed: one message.
_SLACK_BYTES = 70_000


class Wrong(Exception):  # noqa: N818 - a fact about the world
    """Something is not as it must be; the message says it in words."""


class Judges:
    """Look at a world, once its events have ended all faults."""

    def __init__(self, world: World, events: Events) -> None:
        self._world = world
        self._events = events

    async def wait_quiet(self) -> None:
        """End all faults, wait until all have one text, and judge it.

        Raises:
            Wrong: if something is not as it must be.
        """
        world = self._world
        self._events.mend()
        end = world.clock.now + CALM_SECONDS
        while reasons := self._unquiet():
            if world.clock.now >= end:
                raise Wrong(f"not one text within {CALM_SECONDS:g} s: " + "; ".join(reasons))
            await trio.sleep(_LOOK_SECONDS)
        text = world.stored_text()
        world.story.tell("judge", f"one text of {len(text)} units: {text!r}")
        if has_lone_surrogate(text):
            raise Wrong(f"the text has half a surrogate pair: {text!r}")
        self._judge_letters(text)
        self._judge_rights()
        self.watch()

    def _unquiet(self) -> list[str]:
        """Return why there is not one text yet."""
        world = self._world
        text = world.stored_text()
        reasons = ["what the store has lost is not back"] if self._events.look() else []
        for person in world.people:
            if isinstance(person, Hostile):
                continue
            if isinstance(person, StockPerson):
                person.rests()
            if not person.here or person.text is None:
                reasons.append(f"{person.name} is not connected")
            elif not person.settled:
                reasons.append(f"{person.name} has unsaved edits")
            elif person.text != text:
                reasons.append(f"{person.name} has {person.text!r}, the store {text!r}")
        for instance in world.places:
            channel = instance.channel(CODESPACE)
            if channel is None:
                continue
            statistics = channel.statistics()
            if channel._document.text != text:  # noqa: SLF001 - a judge looks inside
                reasons.append(f"{instance.name} has {channel._document.text!r}, the store {text!r}")  # noqa: SLF001
            if statistics.members != instance.connections:
                reasons.append(f"{instance.name} has {statistics.members} members, {instance.connections} connections")
            if statistics.backlog_bytes and not statistics.lagging:
                reasons.append(f"{instance.name} keeps a backlog of {statistics.backlog_bytes} bytes for nobody")
            if statistics.pending or statistics.lagging or statistics.storage != "ok":
                reasons.append(f"{instance.name} has pending pushes, laggards, or takes its store to be down")
        return reasons

    def _judge_letters(self, text: str) -> None:
        world = self._world
        mistakes = world.letters.mistakes(text, deletable=world.plan.deletes_anything)
        if mistakes:
            raise Wrong("; ".join(mistakes[:5]))

    def _judge_rights(self) -> None:
        if self._world.store.broken_by:
            raise Wrong(f"clients that may only look have changed the text: {sorted(self._world.store.broken_by)}")

    def watch(self) -> None:
        """See that every bound holds.

        Raises:
            Wrong: if one does not.
        """
        world = self._world
        limits = world.limits
        for instance in world.places:
            if instance.supervisor.statistics().failed:
                raise Wrong(f"a channel of {instance.name} failed")
            if instance.held.bytes > limits.held_bytes + _SLACK_BYTES:
                raise Wrong(f"the connections of {instance.name} hold {instance.held.bytes} bytes")
            channel = instance.channel(CODESPACE)
            if channel is None:
                continue
            statistics = channel.statistics()
            bounds = limits.supervisor.channel
            if statistics.backlog_bytes > bounds.fanout.backlog_bytes + _SLACK_BYTES:
                raise Wrong(f"the backlog of {instance.name} has {statistics.backlog_bytes} bytes")
            if channel._log.weight_bytes > bounds.pending_bytes + _SLACK_BYTES:  # noqa: SLF001
                raise Wrong(f"the pending pushes of {instance.name} weigh too much")
            if statistics.members > bounds.clients:
                raise Wrong(f"{instance.name} has {statistics.members} members")
        self._judge_rights()

    async def wait_empty(self) -> None:
        """Let everybody leave, and see that nothing is left of them.

        Raises:
            Wrong: if something is.
        """
        world = self._world
        world.closing_time = True
        for person in world.people:
            person.leaves()
        end = world.clock.now + EMPTY_SECONDS
        while left := [what for instance in world.places for what in self._left(instance)]:
            if world.clock.now >= end:
                raise Wrong("left when all have gone: " + "; ".join(left))
            await trio.sleep(_LOOK_SECONDS)
        for instance in world.instances:
            updates = instance.supervisor.statistics().counts.updates
            if updates and not instance.work.steps:
                raise Wrong(f"{updates} updates of clients of {instance.name} were committed, and nobody was charged")
        subscriptions = world.store.subscriptions(CODESPACE)
        if subscriptions:
            raise Wrong(f"{subscriptions} subscriptions are left when all have gone")
        for instance in world.instances:
            self.count(instance)

    def _left(self, instance: Instance) -> list[str]:
        supervisor = instance.supervisor
        counted = {
            "connections": instance.connections,
            "channels": len(supervisor._entries),  # noqa: SLF001
            "leases": len(supervisor._owners),  # noqa: SLF001
            "bytes held": instance.held.bytes,
            "connections that hold bytes": len(instance.held),
            "bytes of codespaces": supervisor.held.bytes,
        }
        left = [f"{count} {what} of {instance.name}" for what, count in counted.items() if count]
        if not left:
            names = tasks_of(instance.name)
            if len(names) > instance.bare_tasks:
                left.append(f"tasks of {instance.name}: {names}")
        return left

    def count(self, instance: Instance) -> None:
        """Add what a process has counted to the world's counts."""
        counts = instance.supervisor.statistics().counts
        story = self._world.story
        if instance.held.shed:
            story.count("connection shed for its bytes", instance.held.shed)
        for what, count in {
            "conflict": counts.conflicts,
            "put back": counts.put_backs,
            **{f"resync: {why}": count for why, count in counts.resyncs.items()},
            **{f"push refused: {why}": count for why, count in counts.refused.items()},
        }.items():
            if count:
                story.count(what, count)
