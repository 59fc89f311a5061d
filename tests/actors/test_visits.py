"""Visits: edits of those who are no members, among editors, faults, and instances that commit at once."""

from random import Random

import trio
from trio.testing import MockClock

from pyshare.actors.messages import Submit
from pyshare.actors.supervisor import open_lease
from pyshare.core.changeset import Change
from pyshare.core.errors import Closing, ConnectionRefused, PushRefused, RefusalCode
from pyshare.core.protocol import Peer
from pyshare.store.faults import Faults
from pyshare.store.memory import MemoryStore
from tests.actors.test_instances import BOTH, agree, come_back
from tests.actors.world import World, open_world


class FakeVisitor:
    """Somebody who waits for the answer to one edit; see `pyshare.actors.messages.Visitor`."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, int] | PushRefused | Closing] = []
        self.answered = trio.Event()

    def committed_nowait(self, epoch: str, version: int) -> None:
        """Note the version."""
        self._take((epoch, version))

    def refuse_nowait(self, refusal: PushRefused) -> None:
        """Note the refusal."""
        self._take(refusal)

    def close_nowait(self, closing: Closing) -> None:
        """Note the reason."""
        self._take(closing)

    def charge(self, steps: int) -> None:
        """Take no payment."""

    def _take(self, answer: tuple[str, int] | PushRefused | Closing) -> None:
        self.answers.append(answer)
        self.answered.set()


async def visit(
    world: World,
    instance: str,
    number: int,
    *,
    append: str = "",
    first: str = "",
    base: tuple[str, int] | None = None,
    exact: bool = False,
) -> FakeVisitor:
    """Have one edit committed through an instance, and return its answer; `first` is for the beginning of the text."""
    visitor = FakeVisitor()
    epoch, version = base or (None, None)
    changes = (Change(0, 0, first),) if first else ()
    peer = Peer(f"visitor {number}", "", "edit")
    submit = Submit(visitor, peer, changes, append, epoch=epoch, version=version, exact=exact)
    try:
        async with open_lease(world._mailboxes[instance], "tmp-a", create=False) as mailbox:
            await mailbox.send(submit)
            await visitor.answered.wait()
    except ConnectionRefused as refused:
        visitor.close_nowait(refused.closing)
    except trio.BrokenResourceError:
        assert not visitor.answers
    return visitor


async def test_any_visits_among_editors_and_faults_are_committed_once_or_not_at_all_as_they_are_told(
    store: MemoryStore, faults: Faults, autojump_clock: MockClock, seed: int
) -> None:
    random = Random(seed)
    async with open_world(store, instances=BOTH) as world:
        clients = [world.client(f"client {index}", instance=BOTH[index % 2]) for index in range(4)]
        await world.passes(1)
        visits: dict[str, FakeVisitor] = {}
        faults.call_delay = lambda operation, codespace: random.random() / 50

        async def visits_with(letter: str, number: int) -> None:
            instance, editor = random.choice(BOTH), clients[0].editor
            assert editor.epoch is not None
            assert editor.version is not None
            base = editor.epoch, editor.version
            if random.random() < 0.5:
                visits[letter] = await visit(world, instance, number, append=letter)
            else:
                exact = random.random() < 0.5
                visits[letter] = await visit(world, instance, number, first=letter, base=base, exact=exact)

        letters = [chr(0x4E00 + index) for index in range(200)]
        async with trio.open_nursery() as nursery:
            for index, letter in enumerate(letters):
                if index % 2:
                    nursery.start_soon(visits_with, letter, index)
                else:
                    client = random.choice(clients)
                    client.types(letter, at=random.randrange(len(client.text) + 1))
                if random.random() < 0.05:
                    faults.fail_before = random.randrange(2)
                    faults.fail_after = random.randrange(2)
                await world.passes(random.random() / 50)
            faults.fail_before = faults.fail_after = 0
        await world.until(lambda: come_back(world, clients) and agree(clients))
        text = clients[0].text
        assert [letter for letter in letters[::2] if text.count(letter) != 1] == []
        for letter, visitor in visits.items():
            (answer,) = visitor.answers
            least, most = (1, 1) if isinstance(answer, tuple) else (0, 0) if isinstance(answer, PushRefused) else (0, 1)
            assert least <= text.count(letter) <= most, (letter, answer)
        assert sum(isinstance(visitor.answers[0], tuple) for visitor in visits.values()) > 20


async def test_an_exact_visit_that_waited_while_others_committed_is_refused(
    store: MemoryStore, faults: Faults, autojump_clock: MockClock
) -> None:
    async with open_world(store) as world:
        ann = world.client("ann")
        await world.passes(1)
        faults.call_delay = lambda operation, codespace: 1 if operation == "append" else 0
        ann.types("x")
        await world.settles()
        epoch = ann.editor.epoch
        assert epoch is not None
        visitor = await visit(world, "one", 1, append="y", base=(epoch, 0), exact=True)
        (answer,) = visitor.answers
        assert isinstance(answer, PushRefused)
        assert answer.code == RefusalCode.TOO_OLD
        await world.passes(2)
        assert ann.text == "x"
