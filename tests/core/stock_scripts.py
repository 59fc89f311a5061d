"""Random scripts for a stock front end, played on the model, in the form of tests/codemirror/front_end/peer.mjs."""

import random
from collections.abc import Callable
from typing import Final, TypeAlias

from pyshare.core.changeset import Change
from pyshare.core.units import splits_pair, to_units
from simulation.stock_model.front_end import MOST_LINES, CreateSelection, FrontEnd, InsertValue

#: A step, or what a front end shows after it, as JSON.
Told: TypeAlias = dict[str, object]

_FLAG: Final = "\U0001f1e9\U0001f1ea"
_FAMILY: Final = "\U0001f468\u200d\U0001f469\u200d\U0001f466"
_TYPED: Final = (
    "a",
    "b",
    "c",
    " ",
    "\u00e9",
    "\u0301",
    "\U0001f600",
    "\U0001f44d\U0001f3fd",
    _FLAG,
    _FAMILY,
    "#",
    "\t",
)
_LINES: Final = ("", "a", "bc", "  indented", "# comment", "  # comment", "#", "\tx", "\U0001f600 b", " ")
_PRESSED: Final = (
    *("undo", "undo", "undo", "redo", "redo", "indent", "dedent", "comment", "comment", "backspace", "backspace"),
    *("delete", "enter", "escape", "start", "end", "selectAll", "up", "down"),
)


class Script:
    """A script for one front end, made step by step; the model shows what each must lead to."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        text = "\n".join(self._random.choices(_LINES, k=self._random.choice((1, 2, 5, 40))))
        view_only = self._random.random() < 0.05
        loads = self._random.random() < 0.5
        self._model = FrontEnd("" if loads else text, view_only=view_only)
        if loads:
            self._model.loads(text)
        #: The steps, and what the front end shows after each.
        self.steps: list[Told] = [{"key": "new", "text": self._model.text, "loads": loads, "viewOnly": view_only}]
        self.shown: list[Told] = [self._shows()]

    def play(self, steps: int) -> None:
        """Make steps, fewer if it cannot be said whether a front end could send the last one.

        A text of exactly 32 lines that undo brings back can be sent or not,
        after the way in which CodeMirror has cut the document into pieces.
        """
        for _ in range(steps):
            step = self._step()
            self.steps.append(step)
            doubtful = self._is_doubtful()
            self.shown.append(self._shows())
            if doubtful:
                self.steps.pop()
                self.shown.pop()
                return

    def _is_doubtful(self) -> bool:
        inserted = [
            each.insert for frame in self._model.sent if isinstance(frame, InsertValue) for each in frame.changes
        ]
        return any(text.count("\n") == MOST_LINES - 1 for text in inserted)

    def _step(self) -> Told:
        """Play a step on the model and return it."""
        match self._random.randrange(12):
            case 0 | 1 | 2 | 3:
                return self._frame()
            case 4 | 5 | 6:
                text = self._random.choice(_TYPED)
                self._model.types(text)
                return {"key": "type", "text": text}
            case 7:
                text = "\n".join(self._random.choices(_LINES, k=self._random.choice((1, 2, 3, 31, 33, 40))))
                self._model.pastes(text)
                return {"key": "paste", "text": to_units(text)}
            case 8:
                return self._selects()
            case 9 if self._random.random() < 0.5:
                ms = self._random.choice((1, 400, 500, 1000))
                self._model.now_ms += ms
                return {"key": "wait", "ms": ms}
            case _:
                return self._press()

    def _press(self) -> Told:
        model = self._model
        key = self._random.choice(_PRESSED)
        if key in {"up", "down"} and len(model.ranges) > 1:
            # With several selections CodeMirror loses the main one here.
            key = "escape"
        keys: dict[str, Callable[[], None]] = {
            "undo": model.undoes,
            "redo": model.redoes,
            "indent": model.indent,
            "dedent": model.dedent,
            "comment": model.toggles_comment,
            "backspace": model.backspace,
            "delete": model.delete,
            "enter": model.enter,
            "escape": model.escapes,
            "start": model.goes_to_start,
            "end": model.goes_to_end,
            "selectAll": model.selects_all,
            "up": lambda: model.moves_line(down=False),
            "down": lambda: model.moves_line(down=True),
        }
        keys[key]()
        return {"key": key}

    def _selects(self) -> Told:
        ranges = self._ranges(len(self._model.text))
        main = self._random.randrange(len(ranges))
        self._model.selects(*ranges, main=main)
        return {"key": "select", "ranges": [list(each) for each in ranges], "main": main}

    def _ranges(self, length: int) -> list[tuple[int, int]]:
        ranges = []
        for _ in range(self._random.choice((1, 1, 1, 2, 3))):
            anchor, head = self._place(length), self._place(length)
            ranges.append((anchor, anchor if self._random.random() < 0.4 else head))
        return ranges

    def _frame(self) -> Told:
        length = max(0, len(self._model.text) + self._random.choice((0, 0, 0, 0, 0, -1, 1, 3)))
        if self._random.random() < 0.15:
            ranges = self._ranges(length) if self._random.random() < 0.9 else []
            self._model.receives(CreateSelection(tuple(ranges)))
            selections = [{"anchor": anchor, "head": head} for anchor, head in ranges]
            return {
                "key": "receive",
                "frame": {"operation": "create_selection", "sender": "b", "selections": selections},
            }
        places = sorted(self._place(length) for _ in range(2 * self._random.choice((0, 1, 1, 1, 2, 2, 4))))
        changes = []
        for start, end in zip(places[::2], places[1::2], strict=True):
            last = start if self._random.random() < 0.6 else end
            changes.append(Change(start, last, to_units(self._random.choice((*_TYPED, "", "b\nc", "a\n" * 35)))))
        self._model.receives(InsertValue(length, tuple(changes)))
        parts = [{"from": each.start, "to": each.end, "insert": each.insert} for each in changes]
        frame = {"operation": "insert_value", "sender": "b", "doc_length": length, "changes": parts}
        return {"key": "receive", "frame": frame}

    def _place(self, length: int) -> int:
        """Return a position that splits no pair, as the front end's own positions do not."""
        place = self._random.randint(0, length)
        return place - splits_pair(self._model.text, place)

    def _shows(self) -> Told:
        """Return what the model shows, in the form of the peer."""
        model = self._model
        return {
            "text": model.text,
            "ranges": [list(each) for each in model.ranges],
            "main": model.selection.main_index,
            "sent": [_as_json(frame) for frame in model.takes_sent()],
            "dropped": model.dropped,
            "unsent": model.unsent,
        }


def _as_json(frame: InsertValue | CreateSelection) -> Told:
    if isinstance(frame, CreateSelection):
        selections = [{"anchor": anchor, "head": head} for anchor, head in frame.ranges]
        return {"operation": "create_selection", "sender": None, "selections": selections}
    changes = [{"from": each.start, "to": each.end, "insert": each.insert} for each in frame.changes]
    return {"operation": "insert_value", "sender": None, "doc_length": frame.doc_length, "changes": changes}
