"""Any number of editors on any number of servers come to one text, whatever is delayed, cut and repeated.

A model without I/O: editors that do what @codemirror/collab does, servers made
of `Document` and `Draft` that share a log, and between them lines of messages
that move when a random choice says so. The choices follow from the run's seed.
"""

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Document, DocumentLimits, Push, Update, by_push
from pyshare.core.draft import Draft, rebase
from pyshare.core.units import has_lone_surrogate, splits_pair, to_units
from tests.core.drafts import add

LIMITS = DocumentLimits()
#: What the real package answered, recorded by tests/codemirror/record_vectors.mjs.
VECTORS = Path(__file__).parent.parent / "codemirror" / "vectors.json"
#: Characters that are inserted once each, in a simulation; nothing else stands in these ranges.
FIRST_UNIQUE, LAST_UNIQUE = "\u4e00", "\u9fff"
FILLERS = ("", "", "", "r", "\n", "-\n-", to_units("\U0001f600"), to_units("\U0001f680\U0001f600"), "e\u0301")


@dataclass(frozen=True)
class Frame:
    """Committed updates that an editor is given at once; `version` is that after the last of them."""

    version: int
    updates: tuple[Update, ...]


class Editor:
    """An editor built on @codemirror/collab with a connection that speaks pyshare.v1."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.version = 0
        # Own updates that the log is not known to have.
        self.unconfirmed: list[ChangeSet] = []
        # The push under way as it was sent, and how many of its updates are unconfirmed still.
        self.in_flight: Push | None = None
        self.to_confirm = 0
        self.seq = 0

    def edit(self, changes: ChangeSet) -> None:
        """Change the text, as a person does."""
        self.text = changes.apply(self.text)
        self.unconfirmed.append(changes)

    def next_push(self) -> Push | None:
        """Return what is to be pushed now, if anything; one push in flight."""
        if self.in_flight or not self.unconfirmed:
            return None
        self.seq += 1
        self.in_flight = Push(self.name, self.seq, self.version, tuple(self.unconfirmed))
        self.to_confirm = len(self.unconfirmed)
        return self.in_flight

    def receive(self, frame: Frame) -> None:
        """Do what `receiveUpdates` of @codemirror/collab does with a frame: compose all that is not one's own."""
        assert self.version + len(frame.updates) == frame.version, "frames come in order without gaps"
        self.version = frame.version
        foreign: ChangeSet | None = None
        own = 0
        for update in frame.updates:
            if own < len(self.unconfirmed) and update.sender == self.name:
                foreign = foreign.map(self.unconfirmed[own], before=True) if foreign is not None else None
                own += 1
            else:
                foreign = foreign.compose(update.changes) if foreign is not None else update.changes
        del self.unconfirmed[:own]
        self.to_confirm = max(0, self.to_confirm - own)
        if not self.to_confirm:
            self.in_flight = None
        if foreign is not None:
            for index, unconfirmed in enumerate(self.unconfirmed):
                self.unconfirmed[index] = unconfirmed.map(foreign)
                foreign = foreign.map(unconfirmed, before=True)
            self.text = foreign.apply(self.text)


class Log:
    """The committed updates, which all servers share, and the last text that was stored."""

    def __init__(self) -> None:
        self.updates: list[Update] = []
        self.text = ""
        self.text_version = 0

    @property
    def version(self) -> int:
        """The version that the last update made."""
        return len(self.updates)

    def append(self, expected: int, updates: Sequence[Update]) -> bool:
        """Commit `updates` if the version is `expected`."""
        if self.version == expected:
            self.updates.extend(updates)
            return True
        return False


@dataclass(eq=False)
class Line:
    """What is on its way between an editor and its server, oldest first."""

    editor: Editor
    up: deque[Push] = field(default_factory=deque)
    down: deque[Frame] = field(default_factory=deque)
    #: Whether the editor still holds its end; the server may have yet to read what was sent before.
    open: bool = True


class Server:
    """An instance: what it knows of the log, the pushes that wait, the append under way, its clients."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.document = Document.load(
            log.text,
            log.text_version,
            log=log.updates,
            log_version=log.version,
            last_seqs={},
            limits=LIMITS,
        )
        self.pending: list[Push] = []
        self.draft: Draft | None = None
        self.lines: list[Line] = []

    def join(self, line: Line) -> None:
        """Let an editor in, at the version it has; what it missed is given push by push."""
        if line.editor.version > self.document.version:
            self.hear(self.log.version)
        self.lines.append(line)
        self._send(line, line.editor.version)

    def begin_append(self) -> None:
        """Gather what waits into a draft and send it to the log."""
        if self.draft is None and self.pending:
            draft = Draft(self.document)
            # What is not added is committed already, under its number or an earlier one.
            self.pending = [push for push in self.pending if add(draft, self.document, push)]
            if draft.updates:
                self.draft = draft

    def end_append(self, *, answered: bool) -> None:
        """Have the log decide on the draft, and hear of it or not."""
        draft, self.draft = self.draft, None
        if draft is None:
            return
        if self.log.append(draft.base, draft.updates) and answered:
            self.hear(draft.base + len(draft.updates))
        else:
            # The answer was lost, or others were first: the log tells what is so.
            self.hear(self.log.version)

    def hear(self, version: int) -> None:
        """Take what the log has up to `version`, some of it once more, and send on what is new."""
        before = self.document.version
        new = self.document.advance(version, self.log.updates[max(0, before - 3) : version])
        assert new == self.log.updates[before:version]
        if new:
            for line in self.lines:
                if line.open:
                    self._send(line, before)
        self.pending = [push for push in self.pending if push.seq > self.document.last_seq(push.sender)]

    def receive(self, line: Line) -> None:
        """Take the next push of a line."""
        push = line.up.popleft()
        if push.version > self.document.version:
            self.hear(self.log.version)
        waiting = [each for each in self.pending if each.sender == push.sender]
        if all(push.seq > each.seq for each in waiting):
            self.pending = [each for each in self.pending if each not in waiting]
            self.pending.append(push)

    def _send(self, line: Line, before: int) -> None:
        updates = self.document.since(before)
        assert updates is not None
        for push in by_push(updates):
            before += len(push)
            line.down.append(Frame(before, tuple(push)))


class Simulation:
    """Editors, servers and the log, and the moves that can be made."""

    def __init__(self, random: Random, *, editors: int, servers: int) -> None:
        self.random = random
        self.log = Log()
        self.editors = [Editor(f"editor {index}") for index in range(editors)]
        self.servers = [Server(self.log) for _ in range(servers)]
        self.lines: dict[Editor, Line] = {}
        # Unique characters inserted by anyone, and those of them that anyone deleted.
        self.inserted: set[str] = set()
        self.deleted: set[str] = set()
        for editor in self.editors:
            self.connect(editor)

    def connect(self, editor: Editor) -> None:
        """Connect an editor to any server; it sends the same push again or a new one when it knows what happened."""
        line = self.lines[editor] = Line(editor)
        self.random.choice(self.servers).join(line)
        if editor.in_flight and self.random.random() < 0.5:
            line.up.append(editor.in_flight)
            return
        while line.down:
            editor.receive(line.down.popleft())
        editor.in_flight = None
        editor.to_confirm = 0

    def cut(self, editor: Editor) -> None:
        """Cut an editor's line: what came down is lost; what went up may still arrive, or not."""
        line = self.lines.pop(editor)
        line.open = False
        line.down.clear()
        if self.random.random() < 0.5:
            line.up.clear()

    def restart(self, index: int) -> None:
        """Kill a server and start another in its place; what was not committed is lost with it."""
        old = self.servers[index]
        if old.draft and self.random.random() < 0.5:
            self.log.append(old.draft.base, old.draft.updates)
        self.servers[index] = Server(self.log)
        for line in old.lines:
            line.up.clear()
            if line.open:
                self.cut(line.editor)

    def store_text(self) -> None:
        """Store the text of some server."""
        document = self.random.choice(self.servers).document
        if document.version > self.log.text_version:
            self.log.text, self.log.text_version = document.text, document.version

    def type_or_delete(self, editor: Editor) -> None:
        """Have an editor insert, delete or replace, close to where others do so."""
        text = editor.text
        start = self.boundary(text, self.random.randrange(min(len(text), 6) + 1))
        end = start
        if self.random.random() < 0.5:
            end = self.boundary(text, min(len(text), start + self.random.randrange(4)))
        insert = ""
        if start == end or self.random.random() < 0.5:
            unique = chr(ord(FIRST_UNIQUE) + len(self.inserted))
            self.inserted.add(unique)
            insert = unique + self.random.choice(FILLERS)
        self.deleted.update(text[start:end])
        editor.edit(ChangeSet.of([Change(start, end, insert)], len(text)))

    @staticmethod
    def boundary(text: str, pos: int) -> int:
        """Return `pos`, or the place behind it if it would split a surrogate pair."""
        return pos + 1 if splits_pair(text, pos) else pos

    def push(self, editor: Editor) -> None:
        """Have an editor push what is due."""
        push = editor.next_push()
        if push:
            self.lines[editor].up.append(push)

    def step(self) -> None:
        """Make one move, any that can be made."""
        random = self.random
        editor = random.choice(self.editors)
        server = random.choice(self.servers)
        line = self.lines.get(editor)
        if line is None:
            self.type_or_delete(editor) if random.random() < 0.5 else self.connect(editor)
            return
        match random.randrange(20):
            case 0 | 1 | 2 | 3 | 4:
                self.type_or_delete(editor)
            case 5 | 6 | 7:
                self.push(editor)
            case 8 | 9 | 10 if line.down:
                editor.receive(line.down.popleft())
            case 11 | 12 if any(each.up for each in server.lines):
                server.receive(random.choice([each for each in server.lines if each.up]))
            case 13 | 14:
                server.begin_append()
            case 15 | 16:
                server.end_append(answered=random.random() < 0.8)
            case 17 if server.document.version < self.log.version:
                server.hear(random.choice(self.boundaries(server.document.version)))
            case 18 if random.random() < 0.5:
                self.cut(editor)
            case 19 if random.random() < 0.2:
                self.restart(random.randrange(len(self.servers)))
            case _:
                self.store_text()

    def boundaries(self, after: int) -> list[int]:
        """Return the versions after `after` between two pushes, at which an event may end."""
        versions = []
        for push in by_push(self.log.updates[after:]):
            after += len(push)
            versions.append(after)
        return versions

    def settle(self) -> None:
        """Let everything arrive, with nobody typing any more."""
        for _ in range(1000):
            for server in self.servers:
                server.hear(self.log.version)
                for line in server.lines:
                    while line.up:
                        server.receive(line)
                server.begin_append()
                server.end_append(answered=True)
            for editor in self.editors:
                if editor not in self.lines:
                    self.connect(editor)
                line = self.lines[editor]
                while line.down:
                    editor.receive(line.down.popleft())
                self.push(editor)
            if self.is_at_rest():
                return
        raise AssertionError("it does not come to rest")

    def is_at_rest(self) -> bool:
        """Whether nothing is on its way."""
        lines = [line for server in self.servers for line in server.lines]
        return (
            all(each.version == self.log.version and not each.unconfirmed for each in self.editors)
            and all(each.document.version == self.log.version for each in self.servers)
            and not any(each.pending or each.draft for each in self.servers)
            and not any(line.up or line.down for line in lines)
        )

    def check(self) -> None:
        """Hold the simulation to what it is about."""
        logged = ""
        for update in self.log.updates:
            logged = update.changes.apply(logged)
        assert not has_lone_surrogate(logged)
        for editor in self.editors:
            assert editor.text == logged, f"{editor.name} shows another text than the log adds up to"
        for server in self.servers:
            assert (server.document.text, server.document.version) == (logged, self.log.version)
        kept = [unit for unit in logged if FIRST_UNIQUE <= unit <= LAST_UNIQUE]
        assert len(kept) == len(set(kept)), "something is there twice"
        assert self.inserted - self.deleted <= set(kept), "something is lost that nobody deleted"
        assert not set(kept) & self.deleted, "something is there that was deleted"


@pytest.mark.parametrize("round_", range(60))
def test_all_texts_are_equal_at_rest_and_every_character_is_there_once_that_nobody_deleted(
    seed: int, round_: int
) -> None:
    random = Random(f"{seed} {round_}")
    simulation = Simulation(random, editors=random.choice((2, 3, 5)), servers=random.choice((1, 2)))
    for _ in range(300):
        simulation.step()
    simulation.settle()
    simulation.check()


def test_the_editor_of_this_model_shows_what_the_real_one_showed_in_the_recorded_cases() -> None:
    cases = [case for case in json.loads(VECTORS.read_text(encoding="utf-8")) if case["kind"] == "editor"]
    assert cases
    for case in cases:
        editor = Editor("a")
        editor.text = to_units(case["doc"])
        for changes in case["unconfirmed"]:
            editor.edit(ChangeSet.from_json(changes))
        for seq, frame in enumerate(case["frames"], 1):
            updates = [Update(each["sender"], seq, ChangeSet.from_json(each["changes"])) for each in frame]
            editor.receive(Frame(editor.version + len(updates), tuple(updates)))
        assert editor.text == to_units(case["text"]), case


def test_an_editor_that_is_given_two_pushes_of_others_in_one_frame_may_part_from_the_document() -> None:
    """Why every push has a frame of its own: with this one the model would fail, as an editor would."""
    over = [
        Update("bob", 1, ChangeSet.of([Change(1, 2, "")], 2)),
        Update("kim", 1, ChangeSet.of([Change(1, 1, "R")], 1)),
    ]
    texts = []
    for frames in ([Frame(1, tuple(over[:1])), Frame(2, tuple(over[1:]))], [Frame(2, tuple(over))]):
        editor = Editor("me")
        editor.text = "ab"
        editor.edit(ChangeSet.of([Change(1, 1, "X")], 2))
        for frame in frames:
            editor.receive(frame)
        texts.append(editor.text)
    text = "ab"
    for changes in [update.changes for update in over] + rebase([ChangeSet.of([Change(1, 1, "X")], 2)], over, "me"):
        text = changes.apply(text)
    assert texts == [text, "aXR"]
    assert text == "aRX"
