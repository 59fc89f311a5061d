"""Change sets and rebasing agree with the real CodeMirror in random cases; and what was recorded of it is true."""

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Final

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.units import to_units
from tests.core.vectors import Case, assert_agrees

#: How many cases are tried.
_CASES: Final = int(os.environ.get("PYSHARE_TEST_FUZZ_CASES", "2000"))
#: How long node may take for all of them, in seconds.
_PATIENCE: Final = 120
_LETTERS: Final = ("a", "b", "\n", "\u00e9", "\u2028", "\U0001f600")
_LINE_BREAKS: Final = ("\r\n", "\r", "")


class _Questions:
    """Random questions, in the form of tests/codemirror/answers.mjs; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def draw(self) -> Case:
        """Return a question of any kind but that of an editor."""
        doc = self._string(_LETTERS, 14)
        a = self._changes(len(doc))
        match self._random.choice(("of", "pair", "pair", "compose", "invert", "positions", "changes", "rebase")):
            case "of":
                specs = [self._change(len(doc)) for _ in range(self._random.randint(0, 6))]
                listed = [{"from": spec.start, "to": spec.end, "insert": spec.insert} for spec in specs]
                return {"kind": "of", "doc": doc, "specs": listed}
            case "pair":
                return {"kind": "pair", "doc": doc, "a": a.to_json(), "b": self._changes(len(doc)).to_json()}
            case "compose":
                return {"kind": "compose", "doc": doc, "a": a.to_json(), "b": self._changes(a.new_length).to_json()}
            case "invert":
                return {"kind": "invert", "doc": doc, "json": a.to_json()}
            case "rebase":
                return self._rebase(doc)
            case kind:
                return {"kind": kind, "json": a.to_json()}

    def _rebase(self, doc: str) -> Case:
        push = self._sequence(len(doc))
        committed = push[: self._random.choice((0, 0, 1, 2))]
        pushes = [("a", committed)] if committed else []
        length = committed[-1].new_length if committed else len(doc)
        for _ in range(self._random.randint(0, 4)):
            other = self._sequence(length)
            pushes.append((self._random.choice("bc"), other))
            length = other[-1].new_length
        over = [[{"sender": sender, "changes": changes.to_json()} for changes in sent] for sender, sent in pushes]
        return {"kind": "rebase", "doc": doc, "push": [own.to_json() for own in push], "sender": "a", "over": over}

    def _sequence(self, length: int) -> list[ChangeSet]:
        """Return one to three change sets, each for what the one before leaves."""
        made = [self._changes(length)]
        while len(made) < 3 and self._random.random() < 0.5:
            made.append(self._changes(made[-1].new_length))
        return made

    def _changes(self, length: int) -> ChangeSet:
        if self._random.random() < 0.4:
            return self._sections(length)
        return ChangeSet.of([self._change(length) for _ in range(self._random.randint(0, 4))], length)

    def _sections(self, length: int) -> ChangeSet:
        """Return sections next to each other in every way, not joined where they could be."""
        parts: list[object] = []
        while length or self._random.random() < 0.3:
            size = min(length, self._random.randint(0, 4))
            lines = self._string(_LETTERS, 3).split("\n") if self._random.random() < 0.5 else []
            parts.append(size if self._random.random() < 0.3 else [size, *lines])
            length -= size
        return ChangeSet.from_json(parts)

    def _change(self, length: int) -> Change:
        start = self._random.randint(0, length)
        end = min(length, start + self._random.choice((0, 0, 1, 2, 5)))
        return Change(start, end, self._string(_LETTERS + _LINE_BREAKS, 4))

    def _string(self, parts: tuple[str, ...], most: int) -> str:
        return to_units("".join(self._random.choices(parts, k=self._random.randint(0, most))))


def test_random_cases_are_answered_as_by_codemirror(codemirror: Path, seed: int) -> None:
    questions = _Questions(seed)
    asked = "".join(f"{json.dumps(questions.draw())}\n" for _ in range(_CASES))
    answered = _node(codemirror / "fuzz_peer.mjs", given=asked).split("\n")
    assert len(answered) == _CASES + 1
    for number, line in enumerate(answered[:-1], 1):
        assert_agrees(f"case {number} of seed {seed}", json.loads(line))


def test_the_recorded_cases_are_what_codemirror_answers(codemirror: Path) -> None:
    _node(codemirror / "record_vectors.mjs", "--check")


def _node(script: Path, *arguments: str, given: str = "") -> str:
    """Run a script that must succeed, and return what it wrote."""
    command = ["node", str(script), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, check=False, encoding="utf-8", timeout=_PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout
