"""Rounds of chaos: people type while faults happen, then all is well, and the judge looks."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Final

import httpx
import trio

from tests.chaos.faults import GENTLE, KEEPING, LOSING, Fault
from tests.chaos.judge import judge
from tests.chaos.people import ROOT, Hand, Person, Seen, open_node, open_python, open_stock
from tests.chaos.stage import Stage, open_stage

#: Seconds in which people type in a round; and in which all texts must be one when all is well again.
TYPING_SECONDS: Final = 8.0
REST_SECONDS: Final = 60.0
#: Codespaces at once, in every other of which people delete; and rounds until others take their place.
CODESPACES: Final = 2
ROUNDS_OF_AN_ACT: Final = 5
#: One of these is done to Redis at a time.
_OF_REDIS: Final = {"redis killed", "redis stopped"}
#: These keep a server from hearing what another one has committed.
_OF_NEWS: Final = {"answer of redis lost", "redis connections cut", "redis slow", "topics stalled"}


@dataclass(slots=True)
class Report:
    """What has happened, and what was found wrong."""

    rounds: int = 0
    letters: int = 0
    #: Letters that were told to be lost or refused.
    maybe: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    exits: Counter[int] = field(default_factory=Counter)
    #: Seconds from the end of the last fault to one text, of each round.
    rests: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    #: What each server has logged, all of its lives together.
    logs: dict[str, list[dict[str, object]]] = field(default_factory=dict)

    def table(self) -> str:
        """Return the counts as a table."""
        rows = [f"{name:40} {count:6}" for name, count in sorted(self.faults.items())]
        rows += [f"{f'servers ended with {code}':40} {count:6}" for code, count in sorted(self.exits.items())]
        rows.append(f"{'letters typed':40} {self.letters:6}")
        rows.append(f"{'letters told to be lost or refused':40} {self.maybe:6}")
        rows.append(f"{'longest time to one text (s)':40} {max(self.rests, default=0):6.1f}")
        rows.append(f"{'rounds':40} {self.rounds:6}")
        rows.append(f"{'violations':40} {len(self.wrong):6}")
        return "\n".join(rows)


class Room:
    """One codespace and the people in it."""

    def __init__(self, codespace: str, stage: Stage) -> None:
        self.codespace = codespace
        self._stage = stage
        self.people: list[Person] = []

    async def looks(self) -> list[Seen]:
        """Return what each screen shows."""
        return [seen for person in self.people for seen in await person.look()]

    async def texts(self, seen: list[Seen]) -> dict[str, str]:
        """Return the text of each screen, of HTTP, and of Redis, by their names."""
        texts = {each.typed.name: each.text for each in seen}
        async with httpx.AsyncClient() as client:
            for instance in self._stage.instances:
                answer = await client.get(f"{instance.http}/codespaces/{self.codespace}/text")
                texts[f"HTTP of {instance.name}"] = answer.text if answer.status_code == 200 else f"{answer}"
        stored = await trio.to_thread.run_sync(self._stage.redis.client.hget, self.codespace, "code")
        texts["Redis"] = stored.decode() if isinstance(stored, bytes) else ""
        return texts

    async def rests(self) -> list[str]:
        """Wait until all is confirmed and right everywhere; return what is wrong if that takes too long."""
        wrong = ["nothing was seen"]
        with trio.move_on_after(REST_SECONDS):
            while True:
                seen = await self.looks()
                if all(each.at_rest for each in seen):
                    try:
                        texts = await self.texts(seen)
                    except httpx.HTTPError as error:
                        wrong = [f"no text by HTTP: {error!r}"]
                    else:
                        if not (wrong := judge(texts, [each.typed for each in seen])):
                            return []
                else:
                    waiting = [each.typed.name for each in seen if not each.at_rest]
                    wrong = [f"not at rest: {', '.join(waiting)}"]
                await trio.sleep(0.2)
        return [f"{self.codespace}: {each}" for each in wrong]


@asynccontextmanager
async def open_room(stage: Stage, random: Random, *, deletes: bool) -> AsyncIterator[Room]:
    """Have people join a codespace of their own, most through HAProxy, some at single servers."""
    codespace = f"tmp-{uuid.UUID(int=random.getrandbits(128), version=4)}"
    room = Room(codespace, stage)

    def url(address: str) -> str:
        return f"ws://{address}/codespace/{codespace}/"

    def hand(name: str, number: int) -> Hand:
        return Hand(name, number, Random(random.random()), ordered="stock" not in name)

    one, two = random.choice(stage.instances), random.choice(stage.instances)
    http = f"http://{stage.entry}/codespaces/{codespace}/text"
    nodes = [(ROOT / "tests" / "codemirror", ["collab a", "collab b"]), (ROOT / "web" / "tests", ["page a", "page b"])]
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        room.people += [
            await enter(open_python(hand("python", 0), url(stage.entry))),
            await enter(open_python(hand("python at one server", 1), url(one.address))),
            await enter(open_stock(hand("stock", 2), url(stage.entry), http)),
            await enter(open_stock(hand("stock at one server", 3), url(two.address), http)),
        ]
        for number, (folder, names) in enumerate(nodes):
            seed = random.getrandbits(30)
            node = open_node(folder, url(stage.entry), names, 4 + 2 * number, seed, deletes=deletes)
            room.people.append(await enter(node))
        yield room


def draw(random: Random) -> list[tuple[float, str, Fault]]:
    """Return the faults of a round, each with the second at which it happens and its name.

    Where data are lost, no server is stopped, and each hears of every commit: servers alone hold what is lost. The
    letters of a commit that only one server has heard of can be lost: a server that held less may put that back first.
    """
    if random.random() < 0.3:
        others = sorted(set(GENTLE) - _OF_REDIS - _OF_NEWS)
        names = [random.choice(sorted(LOSING)), *random.sample(others, random.randrange(3))]
    else:
        names = random.sample(sorted(KEEPING), random.randrange(1, 4))
        if set(names) >= _OF_REDIS:
            names.remove("redis stopped")
    faults = {**KEEPING, **LOSING}
    return [(TYPING_SECONDS * (0.1 + 0.6 * random.random()), name, faults[name]) for name in names]


async def play_round(stage: Stage, rooms: list[Room], random: Random, report: Report) -> list[str]:
    """Play one round; return what is wrong after it."""
    drawn = draw(random)

    async def happen(at: float, name: str, fault: Fault) -> None:
        await trio.sleep(at)
        report.faults[name] += 1
        await fault(stage, Random(random.random()))

    for room in rooms:
        for person in room.people:
            await person.type()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, TYPING_SECONDS)
        for each in drawn:
            nursery.start_soon(happen, *each)
    for room in rooms:
        for person in room.people:
            await person.stop()
    await stage.heal()
    begin = trio.current_time()
    wrong = [each for room in rooms for each in await room.rests()]
    report.rests.append(trio.current_time() - begin)
    report.rounds += 1
    return [f"{each} (after {', '.join(name for _, name, _ in drawn)})" for each in wrong]


async def play(
    seconds: float, servers: int, seed: int, program: str, tell: Callable[[str], None], report: Report
) -> None:
    """Play rounds for some seconds, one whole round at least, each of some seconds."""
    random = Random(seed)
    begin = trio.current_time()

    def is_over() -> bool:
        return trio.current_time() - begin > seconds - TYPING_SECONDS

    async with open_stage(servers, program) as stage:
        while not report.rounds or not is_over():
            async with AsyncExitStack() as stack:
                rooms = [
                    await stack.enter_async_context(open_room(stage, random, deletes=number % 2 == 1))
                    for number in range(CODESPACES)
                ]
                report.wrong += [f"at the beginning: {each}" for room in rooms for each in await room.rests()]
                for _ in range(ROUNDS_OF_AN_ACT):
                    before = Counter(report.faults)
                    wrong = await play_round(stage, rooms, random, report)
                    report.wrong += wrong
                    names = ", ".join(report.faults - before)
                    now = trio.current_time() - begin
                    tell(f"{now:6.0f} s  round {report.rounds}: {names}; at rest in {report.rests[-1]:.1f} s")
                    for each in wrong:
                        tell(f"WRONG  {each}")
                    if is_over() or wrong:
                        break
                for room in rooms:
                    typed = [each.typed for each in await room.looks()]
                    report.letters += sum(len(word) for each in typed for word in each.words)
                    report.maybe += sum(len(each.maybe) for each in typed)
        for instance in stage.instances:
            report.exits.update(instance.exits)
            report.wrong += instance.failures
            report.logs[instance.name] = instance.log
