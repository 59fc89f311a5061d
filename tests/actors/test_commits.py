"""The pushes that wait: what each is answered, what goes into an append, what settles it."""

import pytest

from pyshare.actors import commits
from pyshare.actors.commits import DraftLimits, PendingPushes
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Document, DocumentLimits, Push, Update
from pyshare.core.errors import PushRefused, RefusalCode


def insertion(sender: str, seq: int, *, text: str = "x", version: int = 0, length: int = 0) -> Push:
    return Push(sender, seq, version, (ChangeSet.of([Change(0, 0, text)], length),))


def document() -> Document:
    return Document(limits=DocumentLimits())


def test_pushes_go_into_a_draft_in_the_order_in_which_they_came() -> None:
    pending = PendingPushes()
    for name in ("kim", "lee", "ann"):
        assert pending.add(insertion(name, 1, text=name[0]), document())
    batch = pending.draft(document(), 0)
    assert [update.sender for update in batch.draft.updates] == ["kim", "lee", "ann"]
    assert batch.draft.text == "kla"
    assert batch.clients == {"kim", "lee", "ann"}
    assert len(pending) == 3, "they wait until they are settled"


def test_a_draft_that_is_full_leaves_the_rest_for_the_next() -> None:
    for limits in (DraftLimits(updates=1), DraftLimits(steps=1)):
        pending = PendingPushes(limits)
        pending.add(insertion("kim", 1), document())
        pending.add(insertion("lee", 1), document())
        assert pending.draft(document(), 0).clients == {"kim"}


def test_a_client_whose_pushes_are_too_much_work_is_refused_until_time_has_passed_and_others_are_not() -> None:
    text = document()
    others = [Update("ann", index, insertion("ann", 1, length=index - 1).updates[0]) for index in range(1, 101)]
    text.advance(100, others)
    work = DraftLimits(client_steps=600, client_steps_per_second=10)
    pending = PendingPushes(work)
    outcomes = []
    for now, client in ((0, "kim"), (0, "lee"), (1, "kim"), (100, "kim")):
        pending.add(insertion(client, int(now) + 1, version=0), text)
        batch = pending.draft(text, now)
        outcomes.append([refusal.code for _, refusal in batch.refused])
        pending.drop((client,))
    assert outcomes == [[], [], [RefusalCode.TOO_MUCH], []]


def test_a_push_that_cannot_be_is_refused_and_waits_no_more() -> None:
    pending = PendingPushes()
    bad = insertion("kim", 1, length=7)
    pending.add(bad, document())
    pending.add(insertion("lee", 1), document())
    batch = pending.draft(document(), 0)
    assert [(push, refusal.code) for push, refusal in batch.refused] == [(bad, RefusalCode.INVALID)]
    assert batch.clients == {"lee"}
    assert len(pending) == 1


def test_a_push_committed_under_another_number_is_unanswerable() -> None:
    text = document()
    text.advance(1, [Update("kim", 1, insertion("kim", 1).updates[0])])
    pending = PendingPushes()
    pending.add(insertion("kim", 2), text)
    batch = pending.draft(text, 0)
    assert batch.unanswerable == ("kim",)
    assert batch.draft.updates == []
    assert len(pending) == 0


def test_a_push_whose_number_was_committed_meanwhile_is_dropped_in_silence() -> None:
    text = document()
    pending = PendingPushes()
    pending.add(insertion("kim", 1), text)
    text.advance(1, [Update("kim", 1, insertion("kim", 1).updates[0])])
    batch = pending.draft(text, 0)
    assert batch.unanswerable == ()
    assert len(pending) == 0


def test_settling_lets_go_of_a_push_and_remembers_it() -> None:
    pending = PendingPushes()
    push = insertion("kim", 2)
    pending.add(push, document())
    pending.settle([Update("kim", 1, push.updates[0]), Update("lee", 9, push.updates[0])])
    assert len(pending) == 1
    pending.settle([Update("kim", 2, push.updates[0])])
    assert len(pending) == 0
    assert pending.weight_bytes == 0
    assert pending.last_committed("kim") is push
    assert pending.last_committed("lee") is None


def test_what_is_remembered_is_bounded_in_size_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "_REMEMBERED_PUSHES", 2)
    pending = PendingPushes()
    for name, text in (("kim", "x"), ("lee", "x" * 5000), ("ann", "x"), ("bob", "x"), ("eve", "x")):
        push = insertion(name, 1, text=text)
        pending.add(push, document())
        pending.settle([Update(name, 1, push.updates[0])])
    assert [pending.last_committed(name) is not None for name in ("kim", "lee", "ann", "bob", "eve")] == [
        False,
        False,
        False,
        True,
        True,
    ]


def test_a_known_number_is_passed_over_a_lower_one_refused_and_another_one_told_to_wait() -> None:
    text = document()
    text.advance(1, [Update("kim", 5, insertion("kim", 5).updates[0])])
    pending = PendingPushes()
    assert not pending.add(insertion("kim", 5), text)
    with pytest.raises(PushRefused) as lower:
        pending.add(insertion("kim", 4), text)
    assert lower.value.code == RefusalCode.SEQ
    assert pending.add(insertion("kim", 6, length=1, version=1), text)
    assert not pending.add(insertion("kim", 6, length=1, version=1), text)
    with pytest.raises(PushRefused) as second:
        pending.add(insertion("kim", 7), text)
    assert second.value.code == RefusalCode.IN_FLIGHT


def test_a_dropped_push_weighs_nothing() -> None:
    pending = PendingPushes()
    pending.add(insertion("kim", 1, text="x" * 1000), document())
    assert pending.weight_bytes > 1000
    pending.drop(("kim", "nobody"))
    assert (len(pending), pending.weight_bytes) == (0, 0)
