"""Stock editors, new editors and a channel's room, played at random without a clock: all texts are one in the end.

    python -m tests.stock_play --examples 10000 --seed 1

Each example is played from a number of its own, which is printed if it fails.
Editors are models of the front end (simulation/stock_model). Frames in both
directions, and pushes on their way to the log, are delayed at random. Sockets
are full now and then, and editors come late with an older text.
"""

import argparse
import sys
from collections import Counter, deque
from random import Random

from pyshare.actors.messages import Join
from pyshare.actors.stock import StockLimits, StockMember, StockRoom
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Document, DocumentLimits, Push
from pyshare.core.draft import Draft, WaitingPush
from pyshare.core.protocol import Peer
from pyshare.core.sharepython import StockEdit, StockFrame, parse_stock_frame
from pyshare.core.units import splits_pair, to_units
from pyshare.core.work import Work
from simulation.stock_model import FrontEnd, InsertValue
from simulation.stock_model.wire import as_json, from_json
from tests.stock_socket import StockSocket

#: The first of the letters that are typed once each.
_FIRST_LETTER = 0x4E00
_START = "def f(x):\n    return x\n\n\U0001f600 text\n"


class Typist:
    """A person at a stock editor."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.front_end = FrontEnd(text)
        self.socket = StockSocket()
        # Frames on their way to the server.
        self.sent: deque[StockFrame] = deque()

    def sends(self) -> None:
        """Put what has left the front end on its way."""
        for frame in self.front_end.takes_sent():
            if isinstance(frame, InsertValue):
                self.sent.append(parse_stock_frame(as_json(frame)))

    def handles(self) -> None:
        """Handle the next frame of the server, if there is one."""
        if self.socket.sent:
            text = self.socket.sent.popleft()
            if '"connected"' not in text:
                self.front_end.receives(from_json(text))
            self.sends()


class Play:
    """One room with its log, and the people who type."""

    def __init__(self, random: Random, *, inserts_only: bool, typists: int) -> None:
        self.random = random
        self.inserts_only = inserts_only
        self.now = 100.0
        limits = DocumentLimits()
        self.document = Document(to_units(_START), limits=limits)
        self.room = StockRoom(
            self.document,
            StockLimits(),
            push=lambda push, member: self.pushes.append(push),
            select=lambda client, selection: None,
            clock=lambda: self.now,
        )
        self.typists: list[Typist] = []
        # The server's side of each.
        self.members: dict[Typist, StockMember] = {}
        # Texts that the document has had, for those who come late.
        self.texts = [self.document.text]
        # Pushes on their way to the log.
        self.pushes: deque[Push] = deque()
        self.others = 0
        self.letters = map(chr, range(_FIRST_LETTER, 0x9FFF))
        self.typed = Counter[str]()
        for _ in range(typists):
            self.comes(self.document.text)

    def comes(self, text: str) -> None:
        """Have somebody come who has loaded `text`."""
        typist = Typist(f"typist{len(self.typists)}", text)
        typist.front_end.clicks(self.random.randrange(len(typist.front_end.text) + 1))
        self.typists.append(typist)
        join = Join(typist.socket, Peer(typist.name, "", "edit"), dialect="stock")
        self.members[typist] = self.room.welcome(join)

    def types(self, typist: Typist) -> None:
        """Press one key."""
        front_end, random = typist.front_end, self.random
        key = random.randrange(24)
        if key < 14 or (self.inserts_only and key >= 16):
            letter = next(self.letters)
            self.typed[letter] += 1
            front_end.types(letter if random.random() < 0.9 else to_units(letter + "\U0001f680"))
            self.typed[letter] += len(front_end.selection.ranges) - 1
        elif key == 14:
            front_end.clicks(random.randrange(len(front_end.text) + 1))
        elif key == 15:
            front_end.pastes_lines(random.randrange(2, 6), "p")
        else:
            self._presses(front_end, key)
        front_end.now_ms += random.choice((20, 20, 700))
        typist.sends()

    def _presses(self, front_end: FrontEnd, key: int) -> None:
        random = self.random
        match key:
            case 16 | 17:
                front_end.backspace()
            case 18:
                front_end.undoes()
            case 19:
                front_end.redoes()
            case 20:
                front_end.selects_all() if random.random() < 0.2 else front_end.enter()
            case 21:
                length = len(front_end.text)
                front_end.selects((random.randrange(length + 1), random.randrange(length + 1)))
                random.choice((front_end.indent, front_end.dedent, front_end.toggles_comment, front_end.delete))()
            case 22:
                front_end.moves_line(down=random.random() < 0.5)
            case _:
                # Of a length that no other text has: lengths are all that tells of it.
                front_end.pastes_lines(40, "long" * random.randrange(50, 250))

    def others_type(self) -> None:
        """Have somebody with a new editor push a change, of one or several places."""
        length = len(self.document.text)
        places = sorted({self.random.randrange(length + 1) for _ in range(self.random.choice((1, 1, 3, 40)))})
        changes = []
        for place in places:
            if splits_pair(self.document.text, place):
                continue
            letter = next(self.letters)
            self.typed[letter] += 1
            changes.append(Change(place, place, letter))
        made = ChangeSet.of(changes, length)
        self.others += 1
        self.pushes.append(Push(f"other{self.others}", 1, self.document.version, (made,)))

    def server_handles(self, typist: Typist) -> None:
        """Have the server take the next frame of a typist."""
        if typist.sent:
            frame = typist.sent.popleft()
            assert isinstance(frame, StockEdit)
            self.members[typist].receive(frame)

    def commits(self) -> None:
        """Have the log take some of the pushes on their way."""
        draft = Draft(self.document)
        for _ in range(min(len(self.pushes), self.random.randrange(1, 4))):
            push = self.pushes.popleft()
            waiting = WaitingPush(push)
            assert waiting.go_on(self.document, Work())
            draft.add(waiting)
        new = self.document.advance(draft.base + len(draft.updates), draft.updates)
        self.room.publish(new)
        self.texts.append(self.document.text)

    def step(self) -> None:
        """Do one thing at random."""
        random = self.random
        self.now += random.choice((0, 0.01, 0.1))
        typist = random.choice(self.typists)
        match random.randrange(12):
            case 0 | 1 | 2:
                self.types(typist)
            case 3:
                self.others_type()
            case 4 | 5:
                self.server_handles(typist)
            case 6 | 7:
                typist.handles()
            case 8 | 9:
                if self.pushes:
                    self.commits()
            case 10:
                if random.random() < 0.2:
                    typist.socket.full = True
                elif self.members[typist].full or typist.socket.full:
                    typist.socket.full = False
                    self.members[typist].drained()
            case _:
                if random.random() < 0.05:
                    self.pauses()
                elif random.random() < 0.3:
                    for _ in range(random.randrange(20)):
                        self.server_handles(typist)
                        typist.handles()
                elif len(self.typists) < 6 and random.random() < 0.05:
                    self.comes(random.choice(self.texts[-5:]))

    def pauses(self) -> None:
        """Have everybody watch, so that half of the time passes for which frames are remembered."""
        while any(typist.sent or typist.socket.sent for typist in self.typists):
            for typist in self.typists:
                self.server_handles(typist)
                typist.handles()
        self.now += 20
        # Nobody connects with a text that was loaded before.
        self.texts = [self.document.text]

    def rests(self) -> None:
        """Let everything arrive, and nobody type."""
        for typist in self.typists:
            if typist.front_end.unsent:
                # Its length can be known by its next key only.
                typist.front_end.escapes()
                typist.front_end.types("k")
                typist.sends()
            typist.socket.full = False
            self.members[typist].drained()
        for _ in range(10):
            while self.pushes or any(typist.sent or typist.socket.sent for typist in self.typists):
                for typist in self.typists:
                    self.server_handles(typist)
                    typist.handles()
                if self.pushes:
                    self.commits()
            self.now += 1
            for typist in self.typists:
                self.members[typist].drained()

    def check(self) -> None:
        """Compare all texts, and count what was typed."""
        for typist in self.typists:
            assert typist.front_end.text == self.document.text, f"{typist.name} differs"
            assert self.members[typist].shadow.in_step
            assert typist.socket.closing is None
        if self.inserts_only:
            counted = Counter(letter for letter in self.document.text if "\u4e00" <= letter <= "\u9fff")
            assert counted == self.typed, f"not exact: {counted - self.typed} too much, {self.typed - counted} lost"


def play(seed: int) -> None:
    """Play one example.

    Raises:
        AssertionError: if texts differ, or are not exact.
    """
    random = Random(seed)
    game = Play(random, inserts_only=seed % 2 == 0, typists=random.randrange(1, 4))
    for _ in range(random.choice((20, 60, 200))):
        game.step()
    game.rests()
    game.check()


def main() -> None:
    """Play the examples that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first example")
    arguments = parser.parse_args()
    for seed in range(arguments.seed, arguments.seed + arguments.examples):
        try:
            play(seed)
        except Exception:
            print(f"example {seed}", file=sys.stderr)  # noqa: T201 - a command's output
            raise
    print(f"{arguments.examples} examples, all equal and exact")  # noqa: T201 - a command's output


if __name__ == "__main__":
    main()
