"""The pushes that wait: what each is answered, what goes into an append, what settles it."""

import pytest

from pyshare.actors import commits
from pyshare.actors.commits import PendingPushes
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Document, DocumentLimits, Push, Update
from pyshare.core.errors import PushRefused, RefusalCode
from pyshare.core.work import Work


def insertion(sender: str, seq: int, *, text: str = "x", version: int = 0, length: int = 0) -> Push:
    return Push(sender, seq, version, (ChangeSet.of([Change(0, 0, text)], length),))


def free(steps: int) -> None:
    """Charge nobody."""


def document() -> Document:
    return Document(limits=DocumentLimits())


def test_pushes_go_into_a_draft_in_the_order_in_which_they_came() -> None:
    pending = PendingPushes()
    for name in ("kim", "lee", "ann"):
        assert pending.add(insertion(name, 1, text=name[0]), document(), charge=free)
    batch = pending.draft(document(), Work())
    assert [update.sender for update in batch.draft.updates] == ["kim", "lee", "ann"]
    assert batch.draft.text == "kla"
    assert batch.clients == {"kim", "lee", "ann"}
    assert len(pending) == 3, "they wait until they are settled"


def test_a_draft_that_is_full_leaves_the_rest_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "_DRAFT_UPDATES", 1)
    pending = PendingPushes()
    pending.add(insertion("kim", 1), document(), charge=free)
    pending.add(insertion("lee", 1), document(), charge=free)
    assert pending.draft(document(), Work()).clients == {"kim"}


def late() -> tuple[Document, Push, Push]:
    """Return a document, a push that 100 others have left far behind, and one that is up to date."""
    text = document()
    text.advance(
        100, [Update("ann", index, insertion("ann", 1, length=index - 1).updates[0]) for index in range(1, 101)]
    )
    return text, insertion("kim", 1), insertion("lee", 1, version=100, length=100)


def test_a_push_that_takes_many_turns_lets_those_behind_it_pass() -> None:
    text, behind, present = late()
    pending = PendingPushes()
    pending.add(behind, text, charge=free)
    pending.add(present, text, charge=free)
    drafts = [pending.draft(text, Work(60)).clients for _ in range(2)]
    assert drafts == [frozenset(), {"lee"}]


def test_a_push_that_takes_many_turns_is_committed_in_the_end_and_its_client_pays_for_each_turn() -> None:
    text, behind, _ = late()
    pending = PendingPushes()
    paid: list[int] = []
    pending.add(behind, text, charge=paid.append)
    batches = [pending.draft(text, Work(60)) for _ in range(20)]
    turns = next(index for index, batch in enumerate(batches) if batch.clients)
    assert turns > 2
    assert len(paid) > turns
    assert all(0 < steps < 120 for steps in paid[:turns])
    assert batches[turns].draft.text == "x" * 101


def test_a_push_that_takes_a_turn_by_itself_has_a_draft_of_its_own() -> None:
    text = Document("x" * 100_000, limits=DocumentLimits())
    places = [Change(2 * index, 2 * index + 1, "é") for index in range(3000)]
    pending = PendingPushes()
    for name in ("lee", "ann"):
        pending.add(insertion(name, 1, length=100_000), text, charge=free)
    pending.add(Push("kim", 1, 0, (ChangeSet.of(places, 100_000),)), text, charge=free)
    first = pending.draft(text, Work(5000))
    assert first.clients == {"lee", "ann"}
    text.advance(2, first.draft.updates)
    pending.settle(first.draft.updates)
    pending.add(insertion("lee", 2, version=2, length=100_002), text, charge=free)
    clients: set[str] = set()
    for _ in range(10):
        batch = pending.draft(text, Work(5000))
        assert len(batch.clients) <= 1
        clients |= batch.clients
        text.advance(text.version + len(batch.draft.updates), batch.draft.updates)
        pending.settle(batch.draft.updates)
    assert clients == {"kim", "lee"}


def test_a_push_that_cannot_be_is_refused_and_waits_no_more() -> None:
    pending = PendingPushes()
    bad = insertion("kim", 1, length=7)
    pending.add(bad, document(), charge=free)
    pending.add(insertion("lee", 1), document(), charge=free)
    batch = pending.draft(document(), Work())
    assert [(push, refusal.code) for push, refusal in batch.refused] == [(bad, RefusalCode.INVALID)]
    assert batch.clients == {"lee"}
    assert len(pending) == 1


def test_a_push_that_fits_no_text_is_refused_and_others_are_not() -> None:
    text = document()
    pending = PendingPushes()
    pending.add(
        Push("kim", 1, 0, (insertion("kim", 1).updates[0], insertion("kim", 1, length=7).updates[0])), text, charge=free
    )
    pending.add(insertion("lee", 1), text, charge=free)
    batch = pending.draft(text, Work())
    assert [refusal.code for _, refusal in batch.refused] == [RefusalCode.INVALID]
    assert batch.clients == {"lee"}


def test_a_push_committed_under_another_number_is_unanswerable() -> None:
    text = document()
    text.advance(1, [Update("kim", 1, insertion("kim", 1).updates[0])])
    pending = PendingPushes()
    pending.add(insertion("kim", 2), text, charge=free)
    batch = pending.draft(text, Work())
    assert batch.unanswerable == ("kim",)
    assert batch.draft.updates == []
    assert len(pending) == 0


def test_a_push_whose_number_was_committed_meanwhile_is_dropped_in_silence() -> None:
    text = document()
    pending = PendingPushes()
    pending.add(insertion("kim", 1), text, charge=free)
    text.advance(1, [Update("kim", 1, insertion("kim", 1).updates[0])])
    batch = pending.draft(text, Work())
    assert batch.unanswerable == ()
    assert len(pending) == 0


def test_settling_lets_go_of_a_push() -> None:
    pending = PendingPushes()
    push = insertion("kim", 2)
    pending.add(push, document(), charge=free)
    pending.settle([Update("kim", 1, push.updates[0]), Update("lee", 9, push.updates[0])])
    assert len(pending) == 1
    pending.settle([Update("kim", 2, push.updates[0])])
    assert len(pending) == 0
    assert pending.weight_bytes == 0


def test_a_known_number_is_passed_over_a_lower_one_refused_and_another_one_told_to_wait() -> None:
    text = document()
    text.advance(1, [Update("kim", 5, insertion("kim", 5).updates[0])])
    pending = PendingPushes()
    assert not pending.add(insertion("kim", 5), text, charge=free)
    with pytest.raises(PushRefused) as lower:
        pending.add(insertion("kim", 4), text, charge=free)
    assert lower.value.code == RefusalCode.SEQ
    assert pending.add(insertion("kim", 6, length=1, version=1), text, charge=free)
    assert not pending.add(insertion("kim", 6, length=1, version=1), text, charge=free)
    with pytest.raises(PushRefused) as second:
        pending.add(insertion("kim", 7), text, charge=free)
    assert second.value.code == RefusalCode.IN_FLIGHT


def test_another_push_under_a_number_that_its_sender_saw_committed_is_refused_since_its_answer_would_never_come() -> (
    None
):
    text = document()
    text.advance(1, [Update("kim", 5, insertion("kim", 5).updates[0])])
    text.advance(2, [Update("lee", 1, insertion("lee", 1, length=1).updates[0])])
    pending = PendingPushes()
    paid: list[int] = []
    for version in (1, 2):
        with pytest.raises(PushRefused, match=f"seq 5 was used before version {version}; count on") as caught:
            pending.add(insertion("kim", 5, version=version, length=version), text, charge=paid.append)
        assert caught.value.code == RefusalCode.SEQ
    assert not pending.add(insertion("kim", 5), text, charge=paid.append), "sent again before its answer came"
    assert paid == [1, 0, 2]
    assert not pending.add(insertion("kim", 5, version=9, length=1), text, charge=free), (
        "of a log that is not known here"
    )


def test_a_dropped_push_weighs_nothing() -> None:
    pending = PendingPushes()
    pending.add(insertion("kim", 1, text="x" * 1000), document(), charge=free)
    assert pending.weight_bytes > 1000
    pending.drop(("kim", "nobody"))
    assert (len(pending), pending.weight_bytes) == (0, 0)
