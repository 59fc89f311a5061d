"""Frames as a hostile client would make them, in both dialects: right ones, nearly right ones, and junk.

Every choice comes from one `Random`, so a seed makes the same frames again.
"""

import json
from dataclasses import dataclass, field
from random import Random

from pyshare.core.protocol import MAX_INTEGER

#: Pieces of text to insert, halves of a surrogate pair and the stand-in for unknown text among them.
_PIECES = ("a", "b", "xy", "\n", "one\ntwo", "\U0001f600", "\U0001f680\U0001f600", "e\u0301", "\x00", "\r\n", "\u2028")
_HALVES = ("\ud83d", "\ude00", "\ude00\ud83d", "a\ud83d", "\ude00b")
_NUMBERS = (-1, 0, 1, 2, 63, 64, 65, 255, 2**31 - 1, 2**31, 2**32, MAX_INTEGER, MAX_INTEGER + 1, 2**63, 2**64, 10**400)
_JUNK: tuple[object, ...] = (
    None,
    True,
    False,
    "",
    "1",
    0.5,
    -0.0,
    1e308,
    [],
    {},
    [[]],
    [None],
    {"from": 0},
    "\U0001f600",
    10**30,
)
_NO_FRAMES = (
    "",
    " ",
    "null",
    "[]",
    "{}",
    '"push"',
    "[[[[",
    "NaN",
    "{'type':'push'}",
    '{"type":"push"}',
    '{"type":"push","type":"select","version":0,"ranges":[]}',
    '{"operation":"insert_value"}',
    '{"operation":"create_selection","selections":null}',
    "[" * 3000 + "]" * 3000,
    '{"type":"push","seq":1e3,"version":0,"updates":[[]]}',
)


@dataclass
class Sight:
    """What any client can know of the codespace: its epoch, and the texts of the last versions."""

    epoch: str | None = None
    texts: dict[int, str] = field(default_factory=lambda: {0: ""})

    @property
    def version(self) -> int:
        """The newest version."""
        return next(reversed(self.texts))

    def see(self, epoch: str | None, version: int | None, text: str) -> None:
        """Note a text; only the last ones are kept."""
        if version is None:
            return
        if epoch != self.epoch:
            self.epoch = epoch
            self.texts.clear()
        self.texts.pop(version, None)
        self.texts[version] = text
        while len(self.texts) > 60:
            del self.texts[next(iter(self.texts))]


class Maker:
    """Makes frames, as JSON text."""

    def __init__(self, random: Random, sight: Sight) -> None:
        self._random = random
        self._sight = sight

    def collab(self, seq: int) -> str:
        """Return a frame of pyshare.v1 of a client whose next push has the number `seq`."""
        random = self._random
        match random.randrange(16):
            case 0:
                return random.choice(_NO_FRAMES)
            case 1 | 2:
                return self._dumps(self._select())
            case 5:
                frame = random.choice(({"type": "alive"}, {"type": "language", "name": random.choice(("go", "c++"))}))
                return self._dumps(self._spoilt(frame) if random.random() < 0.5 else frame)
            case 3:
                return self._dumps(self._spoilt(self._push(seq)))
            case 4:
                return self._dumps(self._push(seq)) + random.choice(("", "}", " ", "\x00", "{"))
            case _:
                return self._dumps(self._push(seq))

    def stock(self, text: str) -> str:
        """Return a frame of the stock dialect of an editor that holds `text`."""
        random = self._random
        match random.randrange(12):
            case 0:
                return random.choice(_NO_FRAMES)
            case 1:
                pairs = self._ranges(random.choice((0, 1, 3, 70)), text)
                selections = [{"anchor": anchor, "head": head} for anchor, head in pairs]
                return self._dumps({"operation": "create_selection", "selections": selections})
            case 2:
                return self._dumps(self._spoilt(self._stock_edit(text)))
            case _:
                return self._dumps(self._stock_edit(text))

    def _dumps(self, frame: object) -> str:
        # Lone surrogates can come only as escapes: a WebSocket's text is UTF-8.
        return json.dumps(frame, ensure_ascii=True, separators=(",", ":"))

    def _known(self) -> tuple[int, str]:
        """Return a version with its text: the newest mostly."""
        texts = self._sight.texts
        version = self._sight.version if self._random.random() < 0.6 else self._random.choice(list(texts))
        return version, texts[version]

    def _push(self, seq: int) -> dict[str, object]:
        random = self._random
        version, text = self._known()
        updates = []
        for _ in range(self._count()):
            changes, text = self._changes(text)
            updates.append(changes)
        return {
            "type": "push",
            "seq": seq + random.choice((0, 0, 0, 0, 0, 0, -1, 1, 5)),
            "version": max(0, version + random.choice((0, 0, 0, 0, 0, -1, 1, 40))),
            "updates": updates,
        }

    def _count(self) -> int:
        """Return a number of updates of one push."""
        chance = self._random.random()
        return 1 if chance < 0.6 else self._random.randrange(2, 6) if chance < 0.97 else 60

    def _changes(self, text: str) -> tuple[list[object], str]:
        """Return a change set in JSON, and a text after it: right, or not quite."""
        random = self._random
        sections: list[object] = []
        result = ""
        pos = 0
        for _ in range(random.choice((0, 1, 1, 1, 2, 4))):
            kept = random.randrange(len(text) - pos + 1)
            cut = min(random.choice((0, 0, 1, 2, 30)), len(text) - pos - kept)
            insert = random.choice(_PIECES) if random.random() < 0.6 else ""
            if random.random() < 0.04:
                insert = random.choice(_HALVES)
            # Some deletions stop in the middle of a pair, as these positions fall.
            sections += [kept] if kept or random.random() < 0.1 else []
            sections.append([cut, *insert.split("\n")] if insert or random.random() < 0.1 else [cut])
            result += text[pos : pos + kept] + insert
            pos += kept + cut
        rest = len(text) - pos
        if random.random() < 0.06:
            rest = max(0, rest + random.choice((-1, 1, 7)))
        if rest and random.random() < 0.05:
            sections += [1] * rest
        elif rest:
            sections.append(rest)
        return sections, result + text[pos:]

    def _stock_edit(self, text: str) -> dict[str, object]:
        random = self._random
        length = len(text)
        if random.random() < 0.15:
            length = random.choice((*_NUMBERS, max(0, length - 1), length + 1, length + 2, 2000, 2001))
        most = min(length, 4000) if length >= 0 else 0
        changes = []
        for _ in range(random.choice((0, 1, 1, 1, 1, 2, 5))):
            start = random.randrange(most + 1)
            end = min(most, start + random.choice((0, 0, 0, 1, 2, 50)))
            insert = random.choice(_PIECES) if random.random() < 0.7 else ""
            if random.random() < 0.1:
                insert = random.choice(_HALVES)
            change: dict[str, object] = {"from": start, "to": end, "insert": insert}
            if random.random() < 0.1:
                del change["to"]
            changes.append(change)
        order = random.randrange(4)
        if order:
            changes.sort(key=lambda change: int(str(change["from"])), reverse=order == 1)
        return {"operation": "insert_value", "doc_length": length, "changes": changes}

    def _select(self) -> dict[str, object]:
        version, text = self._known()
        version = max(0, version + self._random.choice((0, 0, 0, -3, 1, 1000, MAX_INTEGER)))
        return {"type": "select", "version": version, "ranges": self._ranges(self._random.choice((0, 1, 2, 64)), text)}

    def _ranges(self, count: int, text: str) -> list[tuple[int, int]]:
        random = self._random
        most = random.choice((len(text), len(text), len(text) + 5, MAX_INTEGER))
        return [(random.randint(0, most), random.randint(0, most)) for _ in range(count)]

    def _spoilt(self, value: object) -> object:
        """Return `value` with one thing in it that does not belong there."""
        random = self._random
        if isinstance(value, dict) and value and random.random() < 0.9:
            key = random.choice(list(value))
            if random.random() < 0.1:
                return {name: each for name, each in value.items() if name != key}
            return value | {key: self._spoilt(value[key])}
        if isinstance(value, list) and value and random.random() < 0.8:
            index = random.randrange(len(value))
            return [*value[:index], self._spoilt(value[index]), *value[index + 1 :]]
        return random.choice(_NUMBERS) if random.random() < 0.5 else random.choice(_JUNK)
