"""Test vectors for authors of clients: change sets, pushes, and whole plays of a client with a server.

The questions stand here; the answers are what this code makes of them. Texts
in the questions are ordinary strings, in the answers they are JSON's.
"""

import json
from collections.abc import Sequence
from typing import TypeAlias

from pyshare.client.replica import Replica, ReplicaFrame
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.draft import rebase
from pyshare.core.protocol import (
    SUBPROTOCOL,
    CommittedUpdate,
    Limits,
    RefusedFrame,
    ServerFrame,
    StatusFrame,
    UpdatesFrame,
    Welcome,
    encode,
)
from pyshare.core.units import from_units, to_units

Json: TypeAlias = dict[str, object]
#: A change set in the form of the wire.
Changes: TypeAlias = list[object]

_ABOUT = {
    "applied": "`changes` turn `text` into `result`.",
    "composed": "`second` is for the text that `first` leaves; `composed` does what the two do.",
    "mapped": (
        "`committed` and `own` are both for `text`. `own_after` is `own` for the text that `committed` leaves, and "
        "`committed_after` the other way round; at a tie `committed` stands left. Both ways lead to `result`."
    ),
    "rebased": (
        "`own` is the updates of one push, each for the text that the one before leaves, the first for `text`. Each "
        "list of `pushes` is one push of others, committed first. `own_after` is what the server commits, `result` the "
        "text."
    ),
    "invalid": "A push of `changes` for `text` is refused with the code `invalid`.",
    "plays": (
        "A client from its first frame on. `receives`: a frame of the server. `edits`: its user changes the text on "
        "the screen. `sends`: the push that it sends then; a client may send its edits as several updates that come to "
        "the same. `shows`: the text on its screen. `comes_back`: its connection was lost, and it connects with this "
        "query."
    ),
}

_APPLIED: Sequence[tuple[str, str, Changes]] = [
    ("an insertion", "ab", [1, [0, "X"], 1]),
    ("an insertion in an empty text", "", [[0, "X"]]),
    ("a deletion", "abc", [1, [1], 1]),
    ("a replacement", "abc", [1, [1, "XY"], 1]),
    ("two changes; positions are those of the text before", "abcd", [[0, "1"], 2, [2, "2"]]),
    ("a line break is one unit, and parts two lines of the list", "ab", [1, [0, "", ""], 1]),
    ("two line breaks", "ab", [[1, "x", "", "y"], 1]),
    ("an emoji is two units", "\U0001f389b", [2, [0, "X"], 1]),
    ("an emoji that goes", "a\U0001f389b", [1, [2], 1]),
    ("no change", "ab", [2]),
    ("no change to an empty text", "", []),
]
_COMPOSED: Sequence[tuple[str, str, Changes, Changes]] = [
    ("two insertions side by side are one", "ab", [1, [0, "X"], 1], [2, [0, "Y"], 1]),
    ("what is inserted and deleted is not there", "ab", [1, [0, "XY"], 1], [1, [2], 1]),
    ("a deletion on both sides of an earlier one", "abcd", [1, [2], 1], [[2]]),
    ("an insertion behind a deletion is a section of its own", "abc", [1, [1], 1], [1, [0, "X"], 1]),
]
_MAPPED: Sequence[tuple[str, str, Changes, Changes]] = [
    ("two insertions at one place: that which was committed stands left", "ab", [1, [0, "C"], 1], [1, [0, "O"], 1]),
    ("an insertion behind one at an earlier place", "abc", [[0, "CC"], 3], [2, [0, "O"], 1]),
    ("an insertion in a part that was deleted", "abcd", [1, [2], 1], [2, [0, "O"], 2]),
    ("deletions that overlap", "abcdef", [1, [3], 2], [2, [3], 1]),
    ("the same deletion", "abc", [1, [1], 1], [1, [1], 1]),
    ("an insertion at the start of a part that was replaced", "abc", [1, [1, "C"], 1], [1, [0, "O"], 2]),
    ("an insertion at the end of a part that was replaced", "abc", [1, [1, "C"], 1], [2, [0, "O"], 1]),
    ("line breaks and emoji", "\U0001f389\n", [2, [0, "", ""], 1], [2, [1, "\U0001f600"]]),
]
_REBASED: Sequence[tuple[str, str, list[Changes], list[list[Changes]]]] = [
    ("behind one push", "ab", [[1, [0, "O"], 1]], [[[[0, "C"], 2]]]),
    ("behind two pushes one after the other", "ab", [[1, [0, "X"], 1]], [[[1, [1]]], [[1, [0, "R"]]]]),
    ("behind one push of two updates, which is not the same", "ab", [[1, [0, "X"], 1]], [[[1, [1]], [1, [0, "R"]]]]),
    ("a push of two updates", "ab", [[2, [0, "X"]], [3, [0, "Y"]]], [[[[1], 1]], [[1, [0, "C"]]]]),
]
_INVALID: Sequence[tuple[str, str, Changes]] = [
    ("for a longer text", "ab", [3, [0, "X"]]),
    ("for a shorter text", "ab", [1, [0, "X"]]),
    ("inside an emoji", "\U0001f389", [1, [0, "X"], 1]),
    ("half of an emoji goes", "\U0001f389", [[1], 1]),
]


def vectors() -> Json:
    """Return all vectors."""
    return {
        "subprotocol": SUBPROTOCOL,
        "about": _ABOUT,
        "applied": [_applied(*each) for each in _APPLIED],
        "composed": [_composed(*each) for each in _COMPOSED],
        "mapped": [_mapped(*each) for each in _MAPPED],
        "rebased": [_rebased(*each) for each in _REBASED],
        "invalid": [{"name": name, "text": text, "changes": changes} for name, text, changes in _INVALID],
        "plays": [play.done() for play in _plays()],
    }


def _applied(name: str, text: str, changes: Changes) -> Json:
    result = from_units(ChangeSet.from_json(_units(changes)).apply(to_units(text)))
    return {"name": name, "text": text, "changes": changes, "result": result}


def _composed(name: str, text: str, first: Changes, second: Changes) -> Json:
    composed = ChangeSet.from_json(first).compose(ChangeSet.from_json(second)).to_json()
    return {"name": name, "text": text, "first": first, "second": second, "composed": composed}


def _mapped(name: str, text: str, committed: Changes, own: Changes) -> Json:
    theirs, ours = ChangeSet.from_json(_units(committed)), ChangeSet.from_json(_units(own))
    after = ours.map(theirs)
    return {
        "name": name,
        "text": text,
        "committed": committed,
        "own": own,
        "own_after": _json(after),
        "committed_after": _json(theirs.map(ours, before=True)),
        "result": from_units(after.apply(theirs.apply(to_units(text)))),
    }


def _rebased(name: str, text: str, own: list[Changes], pushes: list[list[Changes]]) -> Json:
    log = [
        Update("others", seq, ChangeSet.from_json(changes)) for seq, push in enumerate(pushes, 1) for changes in push
    ]
    after = rebase([ChangeSet.from_json(each) for each in own], log, "own")
    result = text
    for changes in (*(update.changes for update in log), *after):
        result = changes.apply(result)
    return {
        "name": name,
        "text": text,
        "own": own,
        "pushes": pushes,
        "own_after": [each.to_json() for each in after],
        "result": result,
    }


def _units(changes: Changes) -> Changes:
    """Return changes with texts as units strings."""
    return [
        [to_units(part) if isinstance(part, str) else part for part in each] if isinstance(each, list) else each
        for each in changes
    ]


def _json(changes: ChangeSet) -> object:
    """Return changes as JSON, with ordinary texts."""
    made: object = json.loads(from_units(json.dumps(changes.to_json(), ensure_ascii=False)))
    return made


class _Play:
    """One play: what a client is given, and what it does."""

    def __init__(self, name: str, *, text: str = "", version: int = 0) -> None:
        self._name = name
        self._steps: list[Json] = []
        self._client = Replica()
        self.is_welcomed(text=text, version=version)

    def is_welcomed(
        self, *, text: str | None = None, version: int, updates: Sequence[CommittedUpdate] = (), acked: int = 0
    ) -> "_Play":
        """The client is welcomed: with a text, or with the updates that it lacks."""
        whole = None if text is None else to_units(text)
        known = None if whole is not None else tuple(updates)
        limits = Limits(1_048_576, 1_000_000, 1000, 50, 10_000, 100, alive_ms=20_000)
        first = Welcome("own", "edit", "epoch", version, acked, (), limits, whole, known, before=(), codespace="mark")
        self._client.resume(first)
        return self._receives(first)

    def gets(self, frame: ReplicaFrame) -> "_Play":
        """The client gets any other frame."""
        self._client.receive(frame)
        return self._receives(frame)

    def hears(self, version: int, sender: str, seq: int, *updates: Changes) -> "_Play":
        """The client hears of a push that was committed."""
        return self.gets(UpdatesFrame(version, tuple(committed(sender, seq, each) for each in updates)))

    def edits(self, changes: Changes) -> "_Play":
        """The client's user edits; the client sends what it can, and shows the text."""
        made = ChangeSet.from_json(_units(changes))
        self._client.edit([Change(each.from_a, each.to_a, each.text) for each in made.changes()])
        self._steps.append({"edits": changes})
        return self._acts()

    def comes_back(self) -> "_Play":
        """The client's connection is lost, and it connects again."""
        point = self._client.resume_point
        query: Json = {}
        if point is not None:
            query = {"epoch": point.epoch, "version": str(point.version), **({"tip": point.tip} if point.tip else {})}
        self._steps.append({"comes_back": query})
        return self

    def done(self) -> Json:
        """Return the play."""
        return {"name": self._name, "steps": self._steps}

    def _receives(self, frame: ServerFrame) -> "_Play":
        self._steps.append({"receives": json.loads(encode(frame))})
        return self._acts()

    def _acts(self) -> "_Play":
        push = self._client.next_push()
        if push is not None:
            self._steps.append({"sends": json.loads(encode(push))})
        self._steps.append({"shows": from_units(self._client.text)})
        return self


def committed(sender: str, seq: int, changes: Changes) -> CommittedUpdate:
    """Return an update of the log."""
    return CommittedUpdate(sender, seq, ChangeSet.from_json(_units(changes)))


def _plays() -> list[_Play]:
    """Return all plays; the client's id is "own"."""
    welcome = _Play("a text is shown, and what others do to it", text="ab", version=7)
    welcome.hears(8, "ada", 1, [1, [0, "X"], 1]).hears(10, "ada", 2, [[0, "1"], 3], [4, [0, "2"]])

    own = _Play("an update with one's own id and number is the acknowledgement", text="ab", version=7)
    own.edits([2, [0, "c"]]).hears(8, "own", 1, [2, [0, "c"]]).edits([3, [0, "d"]])

    waits = _Play("one push is in flight, and later edits wait for it and go together", text="")
    waits.edits([[0, "a"]]).edits([1, [0, "b"]]).edits([2, [0, "c"]])
    waits.hears(1, "own", 1, [[0, "a"]]).hears(2, "own", 2, [1, [0, "bc"]])

    tie = _Play("at a tie the first in the log stands left", text="ab")
    tie.edits([1, [0, "O"], 1]).hears(1, "ada", 1, [1, [0, "C"], 1]).hears(2, "own", 1, [2, [0, "O"], 1])

    turns = _Play("pushes of others are passed one after the other", text="ab")
    turns.edits([1, [0, "X"], 1]).hears(1, "ada", 1, [1, [1]]).hears(2, "ada", 2, [1, [0, "R"]])

    emoji = _Play("positions count UTF-16 units", text="\U0001f389\n")
    emoji.edits([3, [0, "\U0001f600", ""]]).hears(1, "ada", 1, [[0, "\U0001f680"], 3])
    emoji.hears(2, "own", 1, [5, [0, "\U0001f600", ""]])

    lost = _Play("a push that was lost with its connection is sent again under its number", text="ab", version=7)
    lost.edits([2, [0, "c"]]).edits([3, [0, "d"]]).comes_back()
    lost.is_welcomed(version=8, updates=[committed("ada", 4, [[0, "1"], 2])])

    known = _Play("a push that was committed before the connection was lost is not sent again", text="ab", version=7)
    known.edits([2, [0, "c"]]).comes_back()
    known.is_welcomed(version=8, updates=[committed("own", 1, [2, [0, "c"]])], acked=1).edits([3, [0, "d"]])

    pages = _Play("the rest of what was missed follows in frames of one push each", text="ab", version=7)
    pages.hears(8, "ada", 3, [[0, "0"], 2]).edits([3, [0, "c"]]).comes_back()
    pages.is_welcomed(version=8).hears(9, "ada", 4, [[0, "1"], 3]).hears(10, "ada", 5, [[0, "2"], 4])

    text = _Play("a text in place of updates is what others have done, below one's own edits", text="ab\ncd", version=7)
    text.edits([2, [0, "!"], 3]).comes_back().is_welcomed(text="ab\ncd\nef", version=3000)

    acked = _Play("with a text, `acked` says whether the push in flight is in it", text="ab", version=7)
    acked.edits([2, [0, "c"]]).comes_back().is_welcomed(text="abc", version=3000, acked=1).edits([3, [0, "d"]])

    refused = _Play("a refused edit is taken back, and its number is not used again", text="ab")
    refused.edits([2, [0, "c"]]).gets(RefusedFrame(1, "too_long", "the text would be too long")).comes_back()
    refused.is_welcomed(text="ab", version=0).edits([2, [0, "d"]])

    down = _Play("while nothing can be stored, a push waits for its update", text="")
    down.gets(StatusFrame("down", "the store is away")).edits([[0, "a"]])
    down.gets(StatusFrame("ok")).hears(1, "own", 1, [[0, "a"]])

    return [welcome, own, waits, tie, turns, emoji, lost, known, pages, text, acked, refused, down]
