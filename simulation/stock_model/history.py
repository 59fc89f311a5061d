"""The undo history of @codemirror/commands, for transactions that all enter it."""

import re
from dataclasses import dataclass, replace
from typing import Final

from pyshare.core.changeset import ChangeSet
from simulation.stock_model.selection import Selection

#: Edits within so many milliseconds are one step if they touch.
_GROUP_MS: Final = 500
#: So many steps are kept, and up to twenty more.
_MOST_STEPS: Final = 100
_MOST_SELECTIONS: Final = 200
_JOINABLE: Final = re.compile(r"(input\.type|delete)($|\.)")
_SELECT: Final = re.compile(r"select($|\.)")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of undo: what takes it back, and the selections before and after it."""

    #: None for what is selected before the first edit, which cannot be undone.
    changes: ChangeSet | None
    start: Selection | None
    after: tuple[Selection, ...] = ()


Branch = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class History:
    """What can be undone and what can be redone, the newest last."""

    done: Branch = ()
    undone: Branch = ()
    time_ms: int = 0
    event: str | None = None

    def edited(self, inverse: ChangeSet, start: Selection, time_ms: int, event: str | None) -> "History":
        """Return the history after an edit that `inverse` takes back."""
        last = self.done[-1] if self.done else None
        step = Step(inverse, start)
        joins = (
            last is not None
            and last.changes is not None
            and not last.changes.empty
            and (event is None or _JOINABLE.match(event))
            and not last.after
            and time_ms - self.time_ms < _GROUP_MS
            and _touch(last.changes, inverse)
        )
        if joins:
            assert last is not None
            assert last.changes is not None
            done = _put(self.done, len(self.done) - 1, Step(inverse.compose(last.changes), last.start))
        else:
            done = _put(self.done, len(self.done), step)
        return History(done, (), time_ms, event)

    def selected(self, before: Selection, time_ms: int, event: str | None) -> "History":
        """Return the history after a selection in place of `before`."""
        last = self.done[-1].after if self.done else ()
        if (
            last
            and time_ms - self.time_ms < _GROUP_MS
            and event == self.event
            and event
            and _SELECT.match(event)
            and [each.empty for each in last[-1].ranges] == [each.empty for each in before.ranges]
        ):
            return self
        return History(_put_selection(self.done, before), self.undone, time_ms, event)

    def undid(self, item: Step | None, before: Selection) -> "History":
        """Return the history after its newest step was undone; `item` does it again."""
        undone = _put(self.undone, len(self.undone), item) if item else _put_selection(self.undone, before)
        return History(self.done[:-1], undone)

    def redid(self, item: Step | None, before: Selection) -> "History":
        """Return the history after its newest undone step was done again; `item` takes it back."""
        done = _put(self.done, len(self.done), item) if item else _put_selection(self.done, before)
        return History(done, self.undone[:-1])


def _touch(last: ChangeSet, this: ChangeSet) -> bool:
    """Whether a range that one step has left touches one that the other takes."""
    left = [(each.from_a, each.to_a) for each in last.changes()]
    taken = [(each.from_b, each.to_b) for each in this.changes()]
    return any(end >= start_of and begin <= end_of for begin, end in taken for start_of, end_of in left)


def _put(branch: Branch, at: int, step: Step) -> Branch:
    first = at - _MOST_STEPS - 1 if at + 1 > _MOST_STEPS + 20 else 0
    return (*branch[first:at], step)


def _put_selection(branch: Branch, selection: Selection) -> Branch:
    if not branch:
        return (Step(None, None, (selection,)),)
    last = branch[-1]
    after = last.after[-_MOST_SELECTIONS:]
    if after and after[-1] == selection:
        return branch
    return (*branch[:-1], replace(last, after=(*after, selection)))
