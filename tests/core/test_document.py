"""The document: what a push becomes, what is refused, what is remembered and what is forgotten."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshare.core.changeset import Change, ChangeSet, ChangeSetError
from pyshare.core.document import (
    Document,
    DocumentLimits,
    HistoryGap,
    Push,
    Update,
    by_push,
    normalise,
    tip_of,
    weight,
)
from pyshare.core.draft import Draft, WaitingPush, rebase
from pyshare.core.errors import PushRefused, RefusalCode
from pyshare.core.units import from_units, has_lone_surrogate, to_units
from pyshare.core.work import Work
from tests.core.drafts import add

LIMITS = DocumentLimits()
EMOJI = to_units("\U0001f600")


def change(length: int, start: int, end: int, text: str = "") -> ChangeSet:
    """Return the change set that puts `text` in place of what stands from `start` to `end`."""
    return ChangeSet.of([Change(start, end, text)], length)


def typed(text: str, *, at: int, length: int, sender: str = "alice", seq: int = 1) -> Update:
    """Return the update that inserts `text`."""
    return Update(sender, seq, change(length, at, at, text))


def letters(count: int, *, after: int = 0, sender: str = "alice") -> list[Update]:
    """Return updates that each put one letter at the end, the first to a text of `after` units."""
    return [typed("x", at=after + index, length=after + index, sender=sender, seq=index + 1) for index in range(count)]


def document_of(text: str, *updates: Update, limits: DocumentLimits = LIMITS) -> Document:
    """Return a document that began as `text` and had `updates` committed."""
    document = Document(to_units(text), limits=limits)
    document.advance(len(updates), updates)
    return document


def pushed(document: Document, *pushes: Push) -> Draft:
    """Return a draft of `pushes`, none of which may be refused."""
    draft = Draft(document)
    for push in pushes:
        add(draft, document, push)
    return draft


def refusal(document: Document, push: Push, *, after: Sequence[Push] = ()) -> PushRefused:
    """Return how `push` is refused behind the pushes `after`, which shall leave the draft as it was."""
    draft = pushed(document, *after)
    text, updates = draft.text, list(draft.updates)
    with pytest.raises(PushRefused) as caught:
        add(draft, document, push)
    assert (draft.text, draft.updates) == (text, updates)
    return caught.value


@st.composite
def change_sets(draw: st.DrawFn, text: str) -> ChangeSet:
    """Return any change set for the units string `text` that leaves surrogate pairs whole."""
    spots = [pos for pos in range(len(text) + 1) if not has_lone_surrogate(text[:pos])]
    changes: list[Change] = []
    index = 0
    while index < len(spots) and len(changes) < 3 and (not changes or draw(st.booleans())):
        first = draw(st.integers(index, len(spots) - 1))
        last = draw(st.integers(first, len(spots) - 1))
        changes.append(Change(spots[first], spots[last], draw(st.sampled_from(("", "", "x", "yz", "\n", EMOJI)))))
        index = last + 1
    return ChangeSet.of(changes, len(text))


@st.composite
def histories(draw: st.DrawFn) -> tuple[str, list[Update], list[ChangeSet]]:
    """Return a text, what others and perhaps the sender itself committed on it, and a push of the sender's."""
    text = to_units(draw(st.sampled_from(("", "a", "ab", "abcd", "a\U0001f600b"))))
    push = []
    after = text
    for _ in range(draw(st.integers(1, 3))):
        push.append(draw(change_sets(after)))
        after = push[-1].apply(after)
    updates: list[Update] = []
    mine = list(push)
    now = text
    for seq in range(1, draw(st.integers(1, 4))):
        sender = draw(st.sampled_from(("bob", "kim", "me")))
        for _ in range(draw(st.integers(1, 2))):
            changes = draw(change_sets(now))
            if sender == "me":
                rebased = rebase(mine, updates, "me")
                if not rebased:
                    break
                changes = rebased[0]
            updates.append(Update(sender, seq, changes))
            now = changes.apply(now)
    return text, updates, push


def rebase_updates(updates: Sequence[ChangeSet], over: Sequence[Update], sender: str) -> list[ChangeSet]:
    """Do what `rebaseUpdates` of @codemirror/collab 1.1.1 does, line by line."""
    changes: ChangeSet | None = None
    skip = 0
    for update in over:
        if skip < len(updates) and update.sender == sender:
            if changes is not None:
                changes = changes.map(updates[skip], before=True)
            skip += 1
        else:
            changes = changes.compose(update.changes) if changes is not None else update.changes
    rebased = []
    for own in updates[skip:]:
        rebased.append(own if changes is None else own.map(changes))
        changes = changes.map(own, before=True) if changes is not None else None
    return rebased


# Rebasing; what the real package makes of the recorded cases is checked in test_changeset_vectors.py


@given(histories())
def test_rebasing_is_what_codemirror_does_once_for_each_push(
    history: tuple[str, list[Update], list[ChangeSet]],
) -> None:
    _, updates, push = history
    expected = push
    for each in by_push(updates):
        expected = rebase_updates(expected, each, "me")
    assert rebase(push, updates, "me") == expected


@given(histories())
def test_a_rebased_push_fits_the_text_that_others_have_made_and_splits_no_pair(
    history: tuple[str, list[Update], list[ChangeSet]],
) -> None:
    text, updates, push = history
    for changes in [update.changes for update in updates] + rebase(push, updates, "me"):
        text = changes.apply(text)
    assert not has_lone_surrogate(text)


def test_what_was_committed_earlier_stays_left_at_a_tie() -> None:
    over = [typed("B", at=1, length=2, sender="bob")]
    rebased = rebase([change(2, 1, 1, "M")], over, "me")
    assert [changes.to_json() for changes in rebased] == [change(3, 2, 2, "M").to_json()]


def test_one_after_the_other_and_composed_differ_and_pushes_are_taken_one_after_the_other() -> None:
    mine = change(2, 1, 1, "X")
    deletes, inserts = change(2, 1, 2), change(1, 1, 1, "R")

    def result(*over: Update) -> str:
        text = "ab"
        for changes in [update.changes for update in over] + rebase([mine], over, "me"):
            text = changes.apply(text)
        return text

    assert result(Update("bob", 1, deletes), Update("kim", 1, inserts)) == "aRX"
    assert result(Update("bob", 1, deletes), Update("bob", 2, inserts)) == "aRX"
    assert result(Update("bob", 1, deletes.compose(inserts))) == "aXR"
    assert result(Update("bob", 1, deletes), Update("bob", 1, inserts)) == "aXR", "one push is one unit"


def test_updates_are_parted_into_pushes_where_sender_or_number_changes() -> None:
    updates = [replace(update, sender=sender, seq=seq) for update, (sender, seq) in zip(
        letters(6), [("a", 1), ("a", 1), ("b", 1), ("a", 1), ("a", 2), ("a", 2)], strict=True
    )]  # fmt: skip
    assert list(by_push(updates)) == [updates[:2], updates[2:3], updates[3:4], updates[4:]]
    assert list(by_push([])) == []


def test_own_updates_that_are_committed_are_dropped_from_the_front() -> None:
    first, second = change(2, 0, 0, "1"), change(3, 3, 3, "2")
    over = [
        typed("B", at=0, length=2, sender="bob"),
        Update("me", 1, first.map(change(2, 0, 0, "B"))),
        typed("K", at=4, length=4, sender="kim"),
    ]
    assert rebase([first, second], over, "me") == rebase([second], [typed("B", at=1, length=3), over[2]], "me")
    assert rebase([first], over, "me") == []


def test_rebasing_over_nothing_changes_nothing() -> None:
    push = [change(2, 1, 1, "X")]
    assert rebase(push, [], "me") == push


# Drafts


def test_a_draft_holds_pushes_each_rebased_on_those_before_it() -> None:
    document = document_of("ab")
    draft = pushed(
        document,
        Push("bob", 1, 0, (change(2, 1, 1, "B"),)),
        Push("me", 1, 0, (change(2, 1, 1, "1"), change(3, 2, 2, "2"))),
    )
    assert draft.text == "aB12b"
    assert [(update.sender, update.seq) for update in draft.updates] == [("bob", 1), ("me", 1), ("me", 1)]
    assert (document.text, document.version, draft.base) == ("ab", 0, 0)
    document.advance(3, draft.updates)
    assert (document.text, document.version) == (draft.text, 3)


def test_a_push_on_an_older_version_is_rebased_over_the_history_and_the_draft() -> None:
    document = document_of("ab", typed("B", at=0, length=2, sender="bob"))
    draft = pushed(document, Push("kim", 1, 1, (change(3, 0, 0, "K"),)), Push("me", 1, 0, (change(2, 2, 2, "M"),)))
    assert draft.text == "KBabM"


def test_a_push_that_is_committed_is_not_committed_again() -> None:
    document = document_of("", typed("x", at=0, length=0, sender="me", seq=4))
    for seq, version in ((4, 0), (3, 0), (4, 1)):
        assert not add(Draft(document), document, Push("me", seq, version, (change(version, 0, 0, "x"),)))


def test_a_push_that_is_in_the_draft_is_not_put_there_again() -> None:
    document = document_of("")
    draft = pushed(document, Push("me", 4, 0, (change(0, 0, 0, "x"),)))
    assert not add(draft, document, Push("me", 4, 0, (change(0, 0, 0, "x"),)))
    assert not add(draft, document, Push("me", 3, 0, (change(0, 0, 0, "y"),)))
    assert add(draft, document, Push("me", 5, 0, (change(0, 0, 0, "x"), change(1, 1, 1, "y"))))
    assert draft.text == "xy"


def test_a_push_that_is_committed_under_its_number_before_a_reconnect_is_not_committed_again() -> None:
    document = document_of("ab", typed("1", at=0, length=2, sender="me", seq=4))
    assert not add(Draft(document), document, Push("me", 5, 0, (change(2, 0, 0, "1"),)))
    draft = pushed(document, Push("me", 5, 0, (change(2, 0, 0, "1"), change(3, 3, 3, "2"))))
    assert draft.text == "1ab2"
    assert [update.seq for update in draft.updates] == [5]


def test_a_push_whose_updates_were_all_committed_leaves_its_number_free() -> None:
    document = document_of("", typed("1", at=0, length=0, sender="me", seq=4))
    draft = pushed(document)
    assert not add(draft, document, Push("me", 5, 0, (change(0, 0, 0, "1"),)))
    assert add(draft, document, Push("me", 5, 1, (change(1, 1, 1, "2"),)))


def test_numbers_are_counted_for_each_sender() -> None:
    document = document_of("", typed("x", at=0, length=0, sender="bob", seq=9))
    assert pushed(document, Push("me", 1, 1, (change(1, 1, 1, "y"),))).text == "xy"


@pytest.mark.parametrize(
    ("version", "code", "words"),
    [(6, RefusalCode.TOO_NEW, "the newest is 5"), (1, RefusalCode.TOO_OLD, "begins at 2")],
)
def test_a_push_on_a_version_that_is_not_known_is_refused(version: int, code: RefusalCode, words: str) -> None:
    document = document_of("", *letters(5), limits=replace(LIMITS, history_updates=3))
    error = refusal(document, Push("me", 1, version, (change(version, 0, 0, "x"),)))
    assert error.code == code
    assert f"version {version} " in error.reason
    assert words in error.reason


def test_the_oldest_and_the_newest_version_are_known() -> None:
    document = document_of("", *letters(5), limits=replace(LIMITS, history_updates=3))
    for version in (2, 5):
        assert add(Draft(document), document, Push("me", 1, version, (change(version, 0, 0, "x"),)))


@pytest.mark.parametrize("lengths", [(1,), (3,), (2, 2), (2, 4)])
def test_a_push_of_the_wrong_length_is_refused_by_its_index(lengths: tuple[int, ...]) -> None:
    updates = tuple(change(length, 0, 0, "x") for length in lengths)
    error = refusal(document_of("ab"), Push("me", 1, 0, updates))
    assert error.code == RefusalCode.INVALID
    assert error.reason.startswith(f"updates[{len(lengths) - 1}] is for a text of {lengths[-1]} units")


def test_the_length_is_that_of_the_version_the_push_was_made_on() -> None:
    document = document_of("", *letters(3))
    for version in range(4):
        assert add(Draft(document), document, Push("me", 1, version, (change(version, 0, 0, "y"),)))
        error = refusal(document, Push("me", 1, version, (change(version + 1, 0, 0, "y"),)))
        assert error.code == RefusalCode.INVALID
    bob = Push("bob", 1, 3, (change(3, 0, 0, "z"),))
    assert add(Draft(document), document, bob)
    assert refusal(document, Push("me", 1, 3, (change(4, 0, 0, "y"),)), after=[bob]).code == RefusalCode.INVALID


def test_a_push_that_inserts_half_a_pair_is_refused() -> None:
    for half in EMOJI:
        changes = ChangeSet.of([Change(0, 0, "a"), Change(1, 1, half)], 2)
        error = refusal(document_of("ab"), Push("me", 1, 0, (change(2, 0, 0), changes)))
        assert error.code == RefusalCode.INVALID
        assert error.reason == "updates[1] inserts half a surrogate pair"


@pytest.mark.parametrize(
    ("start", "end", "text"), [(2, 2, "x"), (2, 4, ""), (2, 4, "x"), (0, 2, ""), (1, 2, "x"), (2, 3, "")]
)
def test_a_push_that_splits_a_pair_is_refused(start: int, end: int, text: str) -> None:
    error = refusal(document_of("a\U0001f600b"), Push("me", 1, 0, (change(4, start, end, text),)))
    assert error.code == RefusalCode.INVALID
    assert error.reason == f"the change at {start} to {end} splits a surrogate pair"


def test_a_push_may_replace_delete_or_surround_a_pair() -> None:
    for start, end, expected in ((1, 3, "axb"), (1, 1, "ax\U0001f600b"), (3, 3, "a\U0001f600xb"), (0, 4, "x")):
        draft = pushed(document_of("a\U0001f600b"), Push("me", 1, 0, (change(4, start, end, "x"),)))
        assert from_units(draft.text) == expected


def test_a_text_grows_to_its_limit_and_not_beyond() -> None:
    document = document_of("12345", limits=replace(LIMITS, text_units=7))
    assert pushed(document, Push("me", 1, 0, (change(5, 5, 5, EMOJI),))).text == "12345" + EMOJI
    error = refusal(document, Push("me", 1, 0, (change(5, 5, 5, EMOJI + "x"),)))
    assert error.code == RefusalCode.TOO_LONG
    assert error.reason == "the text would have 8 units; the limit is 7"


def test_a_text_that_is_too_long_already_may_shrink_and_be_replaced_but_not_grow() -> None:
    document = document_of("x" * 10, limits=replace(LIMITS, text_units=7))
    assert pushed(document, Push("me", 1, 0, (change(10, 0, 1),))).text == "x" * 9
    assert pushed(document, Push("me", 1, 0, (change(10, 0, 1, "y"),))).text == "y" + "x" * 9
    assert refusal(document, Push("me", 1, 0, (change(10, 0, 1, "yy"),))).code == RefusalCode.TOO_LONG


def test_a_push_that_would_take_too_much_work_is_refused() -> None:
    updates = [typed("y", at=2 * index + 1, length=100 + index, sender=f"s{index}") for index in range(50)]
    everything = Push("me", 1, 0, (change(100, 0, 100),))
    letter = Push("me", 1, 0, (change(100, 3, 3, "x"),))
    # Deleting all cuts into one section more for each letter that others inserted, and each is visited each time.
    document = document_of("x" * 100, *updates, limits=replace(LIMITS, rebase_steps=1000))
    assert refusal(document, everything).code == RefusalCode.TOO_MUCH
    assert add(Draft(document), document, letter)
    document = document_of("x" * 100, *updates, limits=replace(LIMITS, rebase_steps=4000))
    assert add(Draft(document), document, everything)


def test_many_updates_in_one_push_count_as_work_for_all_who_are_rebased_over_them() -> None:
    push = [replace(update, seq=1) for update in letters(200)]
    document = document_of("", *push, limits=replace(LIMITS, rebase_steps=300))
    assert refusal(document, Push("me", 1, 0, (change(0, 0, 0, "x"),))).code == RefusalCode.TOO_MUCH
    assert add(Draft(document), document, Push("me", 1, 200, (change(200, 0, 0, "x"),)))


def test_a_push_whose_updates_take_too_much_to_compose_is_refused() -> None:
    updates = tuple(change(1000 + index, 2 * index, 2 * index, "x") for index in range(100))
    document = document_of("y" * 1000, limits=replace(LIMITS, compose_steps=1000))
    error = refusal(document, Push("me", 1, 0, updates))
    assert (error.code, error.reason) == (
        RefusalCode.TOO_MUCH,
        "composing these updates is too much work; send fewer of them at once",
    )
    assert add(Draft(document), document, Push("me", 1, 0, updates[:20]))


def test_a_push_that_surely_takes_too_much_is_refused_before_any_of_the_work_is_done() -> None:
    document = document_of("", *letters(100), limits=replace(LIMITS, rebase_steps=1000))
    waiting = WaitingPush(Push("me", 1, 0, tuple(change(index, index, index, "x") for index in range(20))))
    with pytest.raises(PushRefused, match="send them in smaller parts"):
        waiting.go_on(document, Work())
    assert waiting.steps < 100
    assert waiting.current is waiting.push


def test_a_push_goes_on_from_where_its_turn_ended_also_when_the_document_has_moved_on() -> None:
    document = document_of("", *letters(100))
    waiting = WaitingPush(Push("me", 1, 0, (change(0, 0, 0, "x"),)))
    assert not waiting.go_on(document, Work(100))
    assert 0 < waiting.current.version < 100
    document.advance(101, letters(1, after=100))

    while not waiting.go_on(document, Work(100)):
        assert waiting.current.version <= 101
    draft = Draft(document)
    assert draft.add(waiting)

    assert draft.text == document.text + "x"
    assert waiting.steps < 1000, "nothing was done twice"


def test_a_push_whose_committed_part_was_another_is_refused() -> None:
    document = document_of("", typed("a", at=0, length=0, sender="me"), typed("h", at=0, length=1, sender="bob"))
    push = Push("me", 2, 0, (change(0, 0, 0, "abc"), change(3, 3, 3, "x")))
    error = refusal(document, push)
    assert (error.code, error.reason) == (RefusalCode.INVALID, "push 1 was committed with other updates than these")


def test_updates_that_change_nothing_are_refused_if_they_are_many() -> None:
    document = document_of("x")
    nothing = ChangeSet.empty_of(1)
    assert add(Draft(document), document, Push("me", 1, 0, (nothing,) * 16))
    error = refusal(document, Push("me", 1, 0, (nothing,) * 17))
    assert (error.code, error.reason) == (
        RefusalCode.TOO_MUCH,
        "17 updates change nothing; leave them out, 16 are accepted",
    )


def test_updates_that_leave_half_a_surrogate_pair_together_are_refused() -> None:
    document = document_of("xy")
    push = Push("me", 1, 0, (change(2, 1, 1, EMOJI), change(4, 1, 2)))
    error = refusal(document, push)
    assert (error.code, error.reason) == (
        RefusalCode.INVALID,
        "together the updates insert half a surrogate pair",
    )


# The document itself


def test_a_document_is_empty_at_version_0_unless_told_otherwise() -> None:
    document = Document(limits=LIMITS)
    assert (document.text, document.version, document.oldest, document.limits) == ("", 0, 0, LIMITS)
    assert document.since(0) == []


def test_committing_is_idempotent() -> None:
    updates = letters(5)
    document = Document(limits=LIMITS)
    assert document.advance(3, updates[:3]) == updates[:3]
    assert document.advance(3, updates[:3]) == []
    assert document.advance(2, updates[:2]) == []
    assert document.advance(5, updates[1:]) == updates[3:]
    assert document.advance(5, []) == []
    assert (document.text, document.version) == ("xxxxx", 5)


def test_updates_that_do_not_follow_the_version_are_a_gap_and_nothing_is_committed() -> None:
    document = document_of("", *letters(2))
    with pytest.raises(HistoryGap, match="version 2 is followed by 4"):
        document.advance(4, letters(4)[3:])
    with pytest.raises(HistoryGap):
        document.advance(4, [])
    assert (document.text, document.version) == ("xx", 2)


def test_an_update_that_does_not_fit_leaves_those_before_it_committed() -> None:
    document = document_of("ab")
    good = typed("x", at=0, length=2)
    with pytest.raises(ChangeSetError):
        document.advance(2, [good, typed("y", at=0, length=9)])
    assert (document.text, document.version, document.since(0)) == ("xab", 1, [good])


def test_the_history_is_known_from_any_version_it_reaches_back_to() -> None:
    updates = letters(9)
    document = document_of("", *updates, limits=replace(LIMITS, history_updates=6))
    assert document.oldest == 3
    for version in range(3, 10):
        assert document.since(version) == updates[version:]
    for version in (-1, 2, 10):
        assert document.since(version) is None


def test_the_history_is_bounded_by_its_weight_from_its_old_end() -> None:
    one = weight(typed("x" * 100, at=0, length=0).changes)
    updates = [typed("x" * 100, at=0, length=100 * index) for index in range(10)]
    limit = 4 * max(weight(update.changes) for update in updates)
    document = document_of("", *updates, limits=replace(LIMITS, history_bytes=limit))
    assert one >= 100
    assert document.oldest == 6
    assert len(document.text) == 1000


def test_one_update_that_is_heavier_than_the_history_may_be_is_committed_and_forgotten() -> None:
    document = document_of("", typed("x" * 100, at=0, length=0), limits=replace(LIMITS, history_bytes=50))
    assert (len(document.text), document.version, document.oldest) == (100, 1, 1)


def test_the_senders_remembered_are_those_that_pushed_last() -> None:
    names = ["a", "b", "a", "c", "d"]
    updates = [typed("x", at=0, length=index, sender=name, seq=index + 1) for index, name in enumerate(names)]
    document = document_of("", *updates, limits=replace(LIMITS, senders=3, history_updates=1))
    assert [document.last_seq(name) for name in "abcdx"] == [3, 0, 4, 5, 0]


def test_the_last_number_of_a_sender_never_goes_back() -> None:
    updates = [typed("x", at=0, length=index, seq=seq) for index, seq in enumerate((5, 5, 2))]
    assert document_of("", *updates).last_seq("alice") == 5


# Selections


def test_positions_move_with_the_text_as_far_as_the_work_reaches() -> None:
    document = document_of("abcd", typed("XY", at=1, length=4), Update("alice", 2, change(6, 4, 6)))
    assert document.move(0, [0, 1, 2, 4], Work()) == (2, [0, 1, 4, 4])
    assert document.move(1, [3, 6], Work()) == (2, [3, 4])
    assert document.move(2, [0, 4], Work()) == (2, [0, 4])
    assert document.move(0, [2], Work(1)) == (1, [4])
    assert document.move(0, [2], Work(0)) == (0, [2])
    assert document.move(0, [], Work()) == (2, [])


def test_the_update_that_made_a_version_is_known_as_far_as_the_history_reaches() -> None:
    document = document_of("", *letters(5), limits=replace(LIMITS, history_updates=3))
    marks = [document.tip_at(version) for version in range(1, 7)]
    assert marks == [None, None, *map(tip_of, letters(5)[2:]), None]


def test_the_length_of_a_text_is_known_as_far_as_the_history_reaches() -> None:
    document = document_of("", *letters(5), limits=replace(LIMITS, history_updates=3))
    assert [document.length_at(version) for version in range(-1, 7)] == [None, None, None, 2, 3, 4, 5, None]


# Loading


def load(text: str, version: int, log: list[Update], log_version: int, **last_seqs: int) -> Document:
    """Return what a text and the log's tail add up to."""
    return Document.load(text, version, log=log, log_version=log_version, last_seqs=last_seqs, limits=LIMITS)


@pytest.mark.parametrize("version", range(2, 7))
@pytest.mark.parametrize("start", range(3))
def test_a_text_of_any_version_and_the_log_add_up_to_the_same(version: int, start: int) -> None:
    updates = letters(6)
    document = load("x" * version, version, updates[start:], 6)
    assert (document.text, document.version, document.oldest) == ("xxxxxx", 6, start)
    assert document.since(start) == updates[start:]
    assert document.last_seq("alice") == 6


def test_a_text_without_a_log_is_a_document_without_history() -> None:
    document = load("abc", 7, [], 7)
    assert (document.text, document.version, document.oldest) == ("abc", 7, 7)


@pytest.mark.parametrize("version", [1, 7])
def test_a_text_that_the_log_does_not_reach_is_a_gap(version: int) -> None:
    with pytest.raises(HistoryGap, match=f"the text is of version {version}, the log holds 2 to 6"):
        load("x" * version, version, letters(6)[2:], 6)


def test_a_loaded_document_knows_the_senders_that_the_log_has_forgotten() -> None:
    document = load("xx", 2, letters(3)[2:], 3, bob=4, alice=3)
    assert (document.last_seq("bob"), document.last_seq("alice")) == (4, 3)
    assert not add(Draft(document), document, Push("bob", 4, 3, (change(3, 0, 0, "x"),)))


def test_a_loaded_document_forgets_the_senders_above_its_limit_those_the_store_named_first() -> None:
    limits = replace(LIMITS, senders=2)
    last_seqs = {"bob": 1, "kim": 2, "alice": 1}
    document = Document.load("", 0, log=letters(1), log_version=1, last_seqs=last_seqs, limits=limits)
    assert [document.last_seq(name) for name in ("bob", "kim", "alice")] == [0, 2, 1]


def test_a_loaded_document_keeps_no_more_history_than_its_limit() -> None:
    limits = replace(LIMITS, history_updates=2)
    document = Document.load("xxx", 3, log=letters(6), log_version=6, last_seqs={}, limits=limits)
    assert (document.text, document.oldest) == ("xxxxxx", 4)


# Texts


def test_a_text_is_held_in_units_with_one_unit_for_a_line_break() -> None:
    assert normalise("a\r\nb\rc\n\r\n\U0001f600") == "a\nb\nc\n\n\ud83d\ude00"


def test_half_a_pair_in_a_text_becomes_a_replacement_character() -> None:
    assert normalise("a\ud83db\ude00\ud83d\ud83d\ude00\ud83d") == "a\ufffdb\ufffd\ufffd\ud83d\ude00\ufffd"


@given(st.text(st.characters(categories=("Cs", "L", "Cc", "So"))))
def test_any_text_can_be_held(text: str) -> None:
    units = normalise(text)
    assert not has_lone_surrogate(units)
    assert "\r" not in units
    assert normalise(from_units(units)) == units


def test_the_weight_of_an_update_counts_its_text_and_its_sections_and_itself() -> None:
    assert weight(change(10, 5, 5, "abc")) == 3 + 8 * 6 + 256
    assert weight(ChangeSet.empty_of(0)) == 256


def test_a_push_of_many_updates_takes_one_place_in_the_history_of_others() -> None:
    document = Document("", limits=replace(LIMITS, history_updates=10))

    def commits(sender: str, seq: int, count: int) -> None:
        start = document.version
        updates = [Update(sender, seq, ChangeSet.of([Change(0, 0, "a")], start + index)) for index in range(count)]
        document.advance(start + count, updates)

    for seq in range(1, 6):
        commits("calm", seq, 1)
    commits("hasty", 1, 1000)
    assert document.oldest == 0
    for seq in range(2, 12):
        commits("hasty", seq, 1)
    assert document.oldest == document.version - 10
