"""The memory store and Redis, given the same calls by two instances: no answer and no event differs.

Where the contract lets a store choose, the machine does as a channel would: whoever is told `Lost` puts back what it
holds. Redis tells that to each instance that has found the codespace in other data; the memory store, which knows no
instances, to all until the first has put back.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cache, partial
from typing import TypeVar

import hypothesis
import pytest
import trio
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as some
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import TypeVarTuple, Unpack, override

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.presence import Announcement, Attendee, Selection
from pyshare.core.protocol import Peer
from pyshare.core.units import to_units
from pyshare.store.interface import (
    Appended,
    Committed,
    Conflict,
    Gone,
    Lost,
    Snapshot,
    Store,
    StoreEvent,
    Tail,
)
from tests.redis import PROGRAMS, RedisServer, running_redis
from tests.store.both import TTL_SECONDS, Answer, Both, Call, open_both

_Result = TypeVar("_Result")
_Given = TypeVarTuple("_Given")

#: Examples, and calls of each at most.
EXAMPLES, CALLS = 100, 35
#: Units of a long update: five of them and any short ones are within the limit of bytes, and six are not.
LONG = 250_000

instances = some.integers(0, 1)
#: Texts that are hard to write down.
texts = some.sampled_from(["x", "", "\n", "é\U0001f600", "\u2028\x00\"'", "{}%"]).map(to_units)
updates = some.builds(
    lambda sender, seq, text, length: Update(sender, seq, ChangeSet.of([Change(0, 0, text)], length)),
    some.sampled_from(["alice", "bob", "c \U0001f600"]),
    some.integers(1, 4),
    texts,
    some.integers(0, 2),
)
attendees = some.builds(
    Attendee,
    some.builds(
        Peer, some.sampled_from(["id-a", "id-\U0001f600"]), some.just("Alice"), some.sampled_from(["edit", "view_only"])
    ),
    some.none() | some.just(Selection(3, ((0, 4), (7, 5)))),
)
announcements = some.builds(
    Announcement,
    some.sampled_from(["one", "two"]),
    some.lists(attendees, max_size=2).map(tuple),
    some.just(()) | some.just(("id-c",)),
    some.booleans(),
    some.booleans(),
)


def text_after(version: int, update: Update) -> str:
    """Return the text that a version stands for; stores do not look into texts."""
    return to_units(f"{version}\n{update.sender}{update.seq}{update.changes.to_json()}")


class StoresAlike(RuleBasedStateMachine):
    """Calls of two instances, each of which holds what it has read as a channel does."""

    def __init__(self, both: Both) -> None:
        super().__init__()
        self.both = both
        #: What each instance holds, its text that of its version.
        self.held: list[Snapshot | None] = [None, None]
        #: All epochs that were seen, and those that ended on purpose.
        self.epochs: set[str] = set()
        self.ended: set[str] = set()
        #: Whether data were lost, and the epoch that was lost if nobody has put anything back since.
        self.has_lost = False
        self.lost: str | None = None
        self.saved = False
        self.more = 0

    def run(self, function: Callable[[Unpack[_Given]], Awaitable[_Result]], *arguments: *_Given) -> _Result:
        """Run something of trio's; hypothesis has a thread of its own."""
        return trio.from_thread.run(function, *arguments)

    def ask(self, instance: int, call: Call, *, expected: int | None = None) -> Answer:
        """Return the answer that both sides give; an append says the version that it expects."""
        redis = self.run(partial(self.both.ask_redis, call, instance, expected=expected))
        memory = self.run(self.both.ask_memory, call, instance)
        assert memory == redis, f"in memory {memory!s:.800}, in Redis {redis!s:.800}"
        return memory

    def ask_held(self, instance: int, call: Call, *, expected: int | None = None) -> Answer:
        """Return the answer that both sides give about what an instance holds, once that is not lost."""
        redis = self.run(partial(self.both.ask_redis, call, instance, expected=expected))
        held = self.held[instance]
        assert held is not None
        if redis != Lost():
            memory = self.run(self.both.ask_memory, call, instance)
            assert memory == redis, f"in memory {memory!s:.800}, in Redis {redis!s:.800}"
            return memory
        assert self.has_lost
        if self.lost == held.epoch:
            assert self.run(self.both.ask_memory, call, instance) == Lost()
        if isinstance(self.put_back(instance), Tail):
            return self.ask(instance, call, expected=expected)
        return Gone()

    def put_back(self, instance: int) -> Answer:
        """Have an instance put back what it holds."""
        held = self.held[instance]
        assert held is not None
        self.lost = None

        async def put_back(store: Store, epoch: Callable[[str], str]) -> Answer:
            before = tuple(map(epoch, held.before))
            return await store.put_back(self.both.codespace, replace(held, epoch=epoch(held.epoch), before=before))

        answer = self.ask(instance, put_back)
        if isinstance(answer, Tail):
            self.learn(instance, answer)
        else:
            self.held[instance] = None
        return answer

    def learn(self, instance: int, tail: Tail) -> None:
        """Have an instance advance by what follows."""
        held = self.held[instance]
        if held is None or tail.updates is None:
            return
        first = tail.version - len(tail.updates)
        if not first <= held.version < tail.version:
            return
        new = tail.updates[held.version - first :]
        seqs = dict(held.last_seqs)
        for update in new:
            seqs[update.sender] = max(seqs.pop(update.sender, 0), update.seq)
        self.held[instance] = replace(
            held,
            text=text_after(tail.version, new[-1]),
            text_version=tail.version,
            version=tail.version,
            log=(*held.log, *new),
            last_seqs=seqs,
        )

    def hear(self, name: str, events: list[StoreEvent]) -> None:
        """Have an instance take what it has heard."""
        instance = int(name[-1])
        for event in events:
            held = self.held[instance]
            if isinstance(event, Committed) and held is not None and event.epoch == held.epoch:
                self.learn(instance, Tail(event.version, event.updates))

    def holds(self, instance: int) -> bool:
        return self.held[instance] is not None

    # The calls.

    @initialize(temporary=some.booleans(), loaded=some.sampled_from([(), (0,), (0, 1), (0, 1)]))
    def begin(self, temporary: bool, loaded: tuple[int, ...]) -> None:
        self.run(partial(self.both.begin, temporary=temporary))
        for instance in loaded:
            self.load(instance, create=True)

    @rule(instance=instances, create=some.booleans())
    def load(self, instance: int, create: bool) -> None:
        answer = self.ask(instance, lambda store, epoch: store.load(self.both.codespace, create=create))
        if isinstance(answer, Snapshot):
            self.epochs.add(answer.epoch)
            text = text_after(answer.version, answer.log[-1]) if answer.text_version < answer.version else answer.text
            self.held[instance] = replace(answer, text=text, text_version=answer.version)

    @rule(instance=instances)
    def look(self, instance: int) -> None:
        self.ask(instance, lambda store, epoch: store.look(self.both.codespace))

    @rule(instance=instances)
    def read_text(self, instance: int) -> None:
        self.ask(instance, lambda store, epoch: store.read_text(self.both.codespace))

    @rule(instance=instances, new=some.lists(updates, min_size=1, max_size=4), with_text=some.booleans())
    def append(self, instance: int, new: list[Update], with_text: bool) -> None:
        held = self.held[instance]
        if held is None:
            return
        version = held.version + len(new)
        text = text_after(version, new[-1]) if with_text else None
        answer = self.ask_held(
            instance,
            lambda store, epoch: store.append(
                self.both.codespace, epoch(held.epoch), expected=held.version, updates=new, text=text
            ),
            expected=held.version,
        )
        match answer:
            case Appended(found):
                self.learn(instance, Tail(found, tuple(new)))
            case Conflict(tail):
                self.learn(instance, tail)
            case _:
                pass

    @rule(instance=instances, count=some.integers(1, 3), sender=some.sampled_from(["alice", "bob"]))
    def append_long(self, instance: int, count: int, sender: str) -> None:
        self.append(instance, [Update(sender, 5, ChangeSet.of([Change(0, 0, "l" * LONG)], 0))] * count, False)

    @rule(instance=instances, new=updates, off=some.integers(-3, 3))
    def append_at_another_version(self, instance: int, new: Update, off: int) -> None:
        held = self.held[instance]
        if held is None:
            return
        expected = max(0, held.version + off)
        answer = self.ask_held(
            instance,
            lambda store, epoch: store.append(
                self.both.codespace, epoch(held.epoch), expected=expected, updates=[new], text=None
            ),
            expected=expected,
        )
        if isinstance(answer, Appended):
            self.learn(instance, Tail(answer.version, (new,)))

    @rule(instance=instances, off=some.integers(-9, 1))
    def read_log(self, instance: int, off: int) -> None:
        held = self.held[instance]
        if held is None:
            return
        after = max(0, held.version + off)
        answer = self.ask_held(
            instance, lambda store, epoch: store.read_log(self.both.codespace, epoch(held.epoch), after=after)
        )
        if isinstance(answer, Tail):
            self.learn(instance, answer)

    @rule(instance=instances)
    def touch(self, instance: int) -> None:
        held = self.held[instance]
        if held is None:
            return
        read = self.ask_held(
            instance, lambda store, epoch: store.read_log(self.both.codespace, epoch(held.epoch), after=held.version)
        )
        if isinstance(read, Tail):
            self.ask(instance, lambda store, epoch: store.touch(self.both.codespace, epoch(held.epoch)))

    @rule(instance=instances)
    def write_text(self, instance: int) -> None:
        held = self.held[instance]
        if held is None:
            return
        # It does not tell of a loss; a channel has found that before it writes what it has appended.
        read = self.ask_held(
            instance, lambda store, epoch: store.read_log(self.both.codespace, epoch(held.epoch), after=held.version)
        )
        if not isinstance(read, Tail):
            return

        async def write(store: Store, epoch: Callable[[str], str]) -> Answer:
            await store.write_text(self.both.codespace, epoch(held.epoch), version=held.version, text=held.text)
            return None

        self.ask(instance, write)

    @rule(instance=instances)
    def put_back_what_is_held(self, instance: int) -> None:
        held = self.held[instance]
        if held is not None and held.epoch not in self.ended:
            self.put_back(instance)

    @rule(instance=instances, kept=some.integers(0, 8))
    def forget_the_beginning(self, instance: int, kept: int) -> None:
        held = self.held[instance]
        if held is not None:
            self.held[instance] = replace(held, log=held.log[max(0, len(held.log) - kept) :])

    @rule(instance=instances, number=some.integers(0, 3), new=updates)
    def ask_for_another_epoch(self, instance: int, number: int, new: Update) -> None:
        held = self.held[instance]
        others = sorted({*self.epochs, "epoch of nobody"} - {held.epoch if held else ""})
        name = others[number % len(others)]
        now = self.run(self.both.ask_memory, lambda store, epoch: store.look(self.both.codespace), instance)
        self.run(self.both.ask_redis, lambda store, epoch: store.look(self.both.codespace), instance)
        if getattr(now, "epoch", None) == name:
            return
        codespace = self.both.codespace
        calls: list[Call] = [
            lambda store, epoch: store.append(codespace, epoch(name), expected=0, updates=[new], text="no"),
            lambda store, epoch: store.read_log(codespace, epoch(name), after=0),
            lambda store, epoch: store.touch(codespace, epoch(name)),
        ]
        for call in calls:
            if self.has_lost:
                # Of what was lost before either may know more.
                found = {self.run(ask, call, instance) for ask in (self.both.ask_memory, self.both.ask_redis)}
                assert found <= {Gone(), Gone(replaced=True), Lost()} or found == {False}
            else:
                self.ask(instance, call)

    @rule(instance=instances, announcement=announcements)
    def publish(self, instance: int, announcement: Announcement) -> None:
        async def publish(store: Store, epoch: Callable[[str], str]) -> Answer:
            await store.publish(self.both.codespace, announcement)
            return None

        self.ask(instance, publish)

    @rule(instance=instances)
    def subscribe(self, instance: int) -> None:
        self.more += 1
        self.run(self.both.subscribe, f"more {self.more} of {instance}", instance)

    @precondition(lambda self: self.more)
    @rule()
    def unsubscribe(self) -> None:
        names = [name for name in self.both.memory.events if name.startswith("more")]
        if names:
            self.run(self.both.unsubscribe, names[0])

    # Time and fate.

    @rule()
    def grow_old(self) -> None:
        self.run(self.both.grow_old)

    @rule(purpose=some.sampled_from(["expire", "delete"]))
    def end_it(self, purpose: str) -> None:
        self.ended |= self.epochs
        self.run(self.both.expire if purpose == "expire" else self.both.delete)

    @rule()
    def save(self) -> None:
        self.run(self.both.save)

    @rule(to_saved=some.booleans())
    def go_back(self, to_saved: bool) -> None:
        now = self.run(self.both.ask_memory, lambda store, epoch: store.look(self.both.codespace), 0)
        self.run(self.both.ask_redis, lambda store, epoch: store.look(self.both.codespace), 0)
        self.has_lost = True
        self.lost = getattr(now, "epoch", None)
        self.run(partial(self.both.go_back, to_saved=to_saved))

    # What is compared after each.

    @invariant()
    def all_hear_the_same(self) -> None:
        if not self.both.codespace:
            return
        for name, (memory, redis) in self.run(self.both.heard).items():
            assert memory == redis, f"{name} hears {memory!s:.800} from memory and {redis!s:.800} from Redis"
            self.hear(name, memory)

    @invariant()
    def it_lives_as_long(self) -> None:
        if not self.both.codespace:
            return
        memory, redis = self.run(self.both.seconds_to_live)
        assert (memory is None) == (redis is None)
        assert memory is None or redis is None or abs(memory - redis) < TTL_SECONDS, f"{memory} s and {redis} s"

    @override
    def teardown(self) -> None:
        self.run(self.both.end)


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], RedisServer]]:
    """Return a running server by its name; each runs until the module's tests are done."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(running_redis(name)))


@pytest.mark.parametrize("program", PROGRAMS)
async def test_whatever_two_instances_call_memory_and_redis_answer_and_tell_the_same(
    servers: Callable[[str], RedisServer], program: str, seed: int
) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=CALLS,
        deadline=None,
        report_multiple_bugs=False,
        database=None,
        suppress_health_check=checks,
        # To make a failure short takes minutes: add Phase.shrink, and the seed of the failure.
        phases=[Phase.generate],
    )
    async with open_both(servers(program)) as both:

        class Here(StoresAlike):
            def __init__(self) -> None:
                super().__init__(both)

        def examples() -> None:
            run_state_machine_as_test(hypothesis.seed(seed)(Here), settings=chosen)

        await trio.to_thread.run_sync(examples)
