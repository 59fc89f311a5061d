"""The stock front end: its keys, and what it does with the frames of others."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from typing_extensions import override

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.units import to_units
from simulation.stock_model import commands
from simulation.stock_model.commands import Edit
from simulation.stock_model.history import History, Step
from simulation.stock_model.selection import Selection, SelectionRange

#: Most lines in one inserted text that the front end can send.
MOST_LINES = 32


@dataclass(frozen=True, slots=True)
class InsertValue:
    """An `insert_value`: changes of a text of `doc_length`."""

    doc_length: int
    changes: tuple[Change, ...]

    @classmethod
    def of(cls, changes: ChangeSet) -> "InsertValue":
        """Return the frame of a change set; changes that touch are one."""
        return cls(changes.length, tuple(Change(each.from_a, each.to_a, each.text) for each in changes.changes()))

    def change_set(self) -> ChangeSet:
        """Return what the frame changes."""
        return ChangeSet.of(self.changes, self.doc_length)


@dataclass(frozen=True, slots=True)
class CreateSelection:
    """A `create_selection`: pairs of anchor and head."""

    ranges: tuple[tuple[int, int], ...]


class FrontEnd:
    """One stock front end that holds `text`; `sent` is what has left it, oldest first.

    The undo history begins with `text`; a page begins empty and then `loads` its text.
    """

    def __init__(self, text: str = "", *, view_only: bool = False) -> None:
        self.text = to_units(text)
        self.selection = Selection.single(0)
        self.view_only = view_only
        # The time of the undo history, in milliseconds; whoever drives the model moves it on.
        self.now_ms = 0
        # Frames that have left, oldest first; whoever drives the model takes them.
        self.sent: list[InsertValue | CreateSelection] = []
        # Frames of others that threw, and own edits that could not be sent.
        self.dropped = 0
        self.unsent = 0
        self._history = History()

    @override
    def __repr__(self) -> str:
        ranges = [(each.anchor, each.head) for each in self.selection.ranges]
        return f"FrontEnd({self.text!r}, {ranges}, main {self.selection.main_index})"

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """What is selected, as pairs of anchor and head."""
        return [(each.anchor, each.head) for each in self.selection.ranges]

    # Keys

    def types(self, text: str) -> None:
        """Type `text` at all cursors in one transaction; a person does so with one letter at a time."""
        self._run(lambda text_, selection: commands.replace_selection(text_, selection, to_units(text)), "input.type")

    def types_each(self, text: str) -> None:
        """Type each character of an ordinary string, one transaction each."""
        for letter in text:
            self.types(letter)

    def pastes(self, text: str) -> None:
        """Paste `text` at all cursors; as many lines as there are cursors go one to each."""
        self._run(lambda text_, selection: commands.paste(text_, selection, to_units(text)), "input.paste")

    def pastes_lines(self, count: int, line: str = "line") -> None:
        """Paste `count` lines, the last without a line break behind it."""
        self.pastes("\n".join([line] * count))

    def enter(self) -> None:
        """Begin a new line at all cursors."""
        self._run(commands.new_line, "input")

    def backspace(self) -> None:
        """Delete what is selected and one character before each cursor."""
        self._deletes(forward=False)

    def delete(self) -> None:
        """Delete what is selected and one character behind each cursor."""
        self._deletes(forward=True)

    def indent(self) -> None:
        """Press Tab: each line with a cursor or a selection moves to the right."""
        self._run(commands.indent_more, "input.indent")

    def dedent(self) -> None:
        """Press Shift-Tab: each line with a cursor or a selection moves to the left."""
        self._run(commands.indent_less, "delete.dedent")

    def toggles_comment(self) -> None:
        """Press Ctrl-/: the lines become comments, or stop being comments."""
        self._run(commands.toggle_comment, None)

    def moves_line(self, *, down: bool) -> None:
        """Move the lines of the only selection one line down or up."""
        self._run(lambda text, selection: commands.move_line(text, selection, down=down), "move.line")

    def undoes(self) -> None:
        """Press Ctrl-Z."""
        self._pops(back=True)

    def redoes(self) -> None:
        """Press Ctrl-Y."""
        self._pops(back=False)

    # The mouse, and keys that select

    def selects(self, *ranges: tuple[int, int], main: int = 0) -> None:
        """Select pairs of anchor and head with the mouse."""
        made = [SelectionRange.of(anchor, head) for anchor, head in ranges]
        self._select(Selection.create(made, main), "select.pointer")

    def clicks(self, pos: int) -> None:
        """Click: one cursor."""
        self.selects((pos, pos))

    def selects_all(self) -> None:
        """Press Ctrl-A."""
        self._select(Selection.single(0, len(self.text)), "select")

    def escapes(self) -> None:
        """Press Escape: the main range stays, or its head if there is only that."""
        if len(self.selection.ranges) > 1:
            self._select(Selection((self.selection.main,)), "select")
        elif not self.selection.main.empty:
            self._select(Selection.single(self.selection.main.head), "select")

    def goes_to_start(self) -> None:
        """Press Ctrl-Home."""
        self._select(Selection.single(0), "select")

    def goes_to_end(self) -> None:
        """Press Ctrl-End."""
        self._select(Selection.single(len(self.text)), "select")

    # The page

    def loads(self, text: str) -> None:
        """Take the text that the page has loaded, before there is a connection: nothing is sent."""
        changes = ChangeSet.of([Change(0, len(self.text), text)], len(self.text))
        self._apply(changes, None, None, own=False)

    # Frames of others

    def receives(self, frame: InsertValue | CreateSelection) -> bool:
        """Handle a frame of somebody else; return whether it fitted."""
        done = self._inserts(frame) if isinstance(frame, InsertValue) else self._is_selected(frame)
        self.dropped += not done
        return done

    def receives_changes(self, changes: ChangeSet) -> bool:
        """Handle the frame that pyshare makes of a change set; return whether it fitted."""
        return self.receives(InsertValue.of(changes))

    def takes_sent(self) -> list[InsertValue | CreateSelection]:
        """Return what has left since the last time."""
        sent, self.sent = self.sent, []
        return sent

    def _inserts(self, frame: InsertValue) -> bool:
        cursors = []
        inserted = 0
        for change in frame.changes:
            length = len(to_units(change.insert))
            cursors.append(SelectionRange.cursor(change.start + inserted + length))
            inserted += change.start - change.end + length
        try:
            changes, selection = frame.change_set(), Selection.create(cursors)
        except ValueError:
            return False
        if changes.length != len(self.text) or any(each.end > changes.new_length for each in selection.ranges):
            return False
        self._apply(changes, selection, None, own=False)
        return True

    def _is_selected(self, frame: CreateSelection) -> bool:
        ranges = [SelectionRange.of(anchor, head) for anchor, head in frame.ranges]
        if not ranges or any(each.end > len(self.text) for each in ranges):
            return False
        self._select(Selection.create(ranges, foreign=True), None)
        return True

    # Transactions

    def _deletes(self, *, forward: bool) -> None:
        if self.view_only:
            return
        edit, event = commands.delete(self.text, self.selection, forward=forward)
        if not edit.changes.empty:
            self._apply(edit.changes, edit.selection, event)

    def _run(self, command: Callable[[str, Selection], Edit | None], event: str | None) -> None:
        if not self.view_only and (edit := command(self.text, self.selection)) is not None:
            self._apply(edit.changes, edit.selection, event)

    def _select(self, selection: Selection, event: str | None) -> None:
        self._apply(ChangeSet.empty_of(len(self.text)), selection, event)

    def _pops(self, *, back: bool) -> None:
        branch = self._history.done if back else self._history.undone
        if self.view_only or not branch or branch[-1].changes is None:
            return
        changes, start = branch[-1].changes, branch[-1].start
        assert start is not None
        item = None
        if not changes.empty:
            last_end = max(each.to_a for each in changes.changes())
            item = Step(changes.invert(self.text), Selection.single(last_end))
        moved = self._history.undid if back else self._history.redid
        history = moved(item, self.selection)
        self._apply(changes, start, None, history=history)

    def _apply(
        self,
        changes: ChangeSet,
        selection: Selection | None,
        event: str | None,
        *,
        own: bool = True,
        history: History | None = None,
    ) -> None:
        """Apply a transaction, and send what the front end sends of it."""
        text, before = self.text, self.selection
        self.text = changes.apply(text)
        self.selection = before.map(changes) if selection is None else selection
        if history is not None:
            self._history = history
        elif not changes.empty:
            self._history = self._history.edited(changes.invert(text), before, self.now_ms, event)
        elif selection is not None:
            self._history = self._history.selected(before, self.now_ms, event)
        if self.view_only:
            return
        if not before.foreign and self.selection != before:
            selected = _selected(self.selection.ranges)
            if selected:
                self.sent.append(CreateSelection(selected))
        if own and self.text != text:
            self._send(changes)

    def _send(self, changes: ChangeSet) -> None:
        frame = InsertValue.of(changes)
        if any(each.insert.count("\n") >= MOST_LINES for each in frame.changes):
            self.unsent += 1
        else:
            self.sent.append(frame)


def _selected(ranges: Iterable[SelectionRange]) -> tuple[tuple[int, int], ...]:
    return tuple((each.anchor, each.head) for each in ranges if not each.empty)
