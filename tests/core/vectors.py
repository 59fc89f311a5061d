"""Pyshare's answers to questions about change sets, in the form that tests/codemirror/answers.mjs answers them.

A case is a question with CodeMirror's answer; `assert_agrees` asks pyshare the
same and compares.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from pyshare.core.changeset import Change, ChangedRange, ChangeSet, ChangeSetError, MapMode
from pyshare.core.document import Update
from pyshare.core.draft import rebase
from pyshare.core.units import to_units

Case: TypeAlias = dict[str, object]


def assert_agrees(name: str, case: Case) -> None:
    """Fail, and tell the case, unless pyshare answers its question as CodeMirror did."""
    try:
        answer = ANSWERS[str(case["kind"])](case)
    except ChangeSetError as error:
        error.add_note(f"in {name}: {case}")
        raise
    for field, ours in answer.items():
        theirs = _in_units(case[field])
        assert _in_units(ours) == theirs, f"{name}: {field} is {ours}, CodeMirror has {theirs}, in {case}"


def _in_units(value: object) -> object:
    if isinstance(value, str):
        return to_units(value)
    if isinstance(value, list):
        return [_in_units(item) for item in value]
    return value


def _text(value: object) -> str:
    assert isinstance(value, str)
    return to_units(value)


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _items(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


def _fields(value: object) -> Case:
    assert isinstance(value, dict)
    return value


def _sets(value: object) -> list[ChangeSet]:
    return [ChangeSet.from_json(item) for item in _items(value)]


def _applied(text: str, *sets: ChangeSet) -> str:
    for changes in sets:
        text = changes.apply(text)
    return text


def _of(case: Case) -> Case:
    doc = _text(case["doc"])
    specs = [_fields(spec) for spec in _items(case["specs"])]
    changes = [Change(_number(spec["from"]), _number(spec["to"]), _text(spec["insert"])) for spec in specs]
    made = ChangeSet.of(changes, len(doc))
    return {"json": made.to_json(), "text": made.apply(doc)}


def _pair(case: Case) -> Case:
    doc, a, b = _text(case["doc"]), ChangeSet.from_json(case["a"]), ChangeSet.from_json(case["b"])
    a_map_b, a_map_b_before = a.map(b), a.map(b, before=True)
    b_map_a, b_map_a_before = b.map(a), b.map(a, before=True)
    return {
        "a_map_b": a_map_b.to_json(),
        "a_map_b_before": a_map_b_before.to_json(),
        "b_map_a": b_map_a.to_json(),
        "b_map_a_before": b_map_a_before.to_json(),
        "texts_a_left": [_applied(doc, a, b_map_a), _applied(doc, b, a_map_b_before)],
        "texts_b_left": [_applied(doc, b, a_map_b), _applied(doc, a, b_map_a_before)],
    }


def _compose(case: Case) -> Case:
    composed = ChangeSet.from_json(case["a"]).compose(ChangeSet.from_json(case["b"]))
    return {"composed": composed.to_json(), "text": composed.apply(_text(case["doc"]))}


def _invert(case: Case) -> Case:
    return {"inverted": ChangeSet.from_json(case["json"]).invert(_text(case["doc"])).to_json()}


def _positions(case: Case) -> Case:
    changes = ChangeSet.from_json(case["json"])
    mapped = {
        f"{mode.value} {assoc}": [changes.map_pos_or_none(pos, assoc, mode=mode) for pos in range(changes.length + 1)]
        for mode in MapMode
        for assoc in (-1, 1)
    }
    return {"length": changes.length, "mapped": mapped}


def _changes(case: Case) -> Case:
    changes = ChangeSet.from_json(case["json"])
    return {
        "joined": [_range(change) for change in changes.changes()],
        "individual": [_range(change) for change in changes.changes(individual=True)],
    }


def _range(change: ChangedRange) -> list[object]:
    return [change.from_a, change.to_a, change.from_b, change.to_b, change.text]


def _committed(pushes: object) -> list[Update]:
    """Return the updates of `pushes`, each push with a number of its own."""
    return [
        Update(_text(update["sender"]), seq, ChangeSet.from_json(update["changes"]))
        for seq, push in enumerate(_items(pushes), 1)
        for update in map(_fields, _items(push))
    ]


def _rebase(case: Case) -> Case:
    over = _committed(case["over"])
    rebased = rebase(_sets(case["push"]), over, _text(case["sender"]))
    text = _applied(_text(case["doc"]), *(update.changes for update in over), *rebased)
    return {"rebased": [changes.to_json() for changes in rebased], "text": text}


def _editor(case: Case) -> Case:
    """Answer what the server holds once it has committed the rest of what the editor did: the editor's text."""
    over = _committed(case["frames"])
    rebased = rebase(_sets(case["unconfirmed"]), over, "a")
    return {"text": _applied(_text(case["doc"]), *(update.changes for update in over), *rebased)}


#: By kind: what pyshare answers, in the fields that CodeMirror's answer has.
ANSWERS: Final[dict[str, Callable[[Case], Case]]] = {
    "of": _of,
    "pair": _pair,
    "compose": _compose,
    "invert": _invert,
    "positions": _positions,
    "changes": _changes,
    "rebase": _rebase,
    "editor": _editor,
}
