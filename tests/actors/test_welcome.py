"""What a client that comes back may be given in one frame."""

from pyshare.actors.welcome import at_once, welcome
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Document, DocumentLimits, Draft, Push, Update
from pyshare.core.protocol import Peer, UpdatesFrame, Welcome
from tests.actors.world import LIMITS, split_frames

ALICE = Peer("alice", "Alice", "edit")


def committed(document: Document, *pushes: Push) -> Document:
    """Return `document` after `pushes`, each committed by itself."""
    for push in pushes:
        draft = Draft(document)
        assert draft.add(push)
        document.advance(draft.base + len(draft.updates), draft.updates)
    return document


def push(sender: str, seq: int, version: int, change: Change, length: int) -> Push:
    return Push(sender, seq, version, (ChangeSet.of([change], length),))


def parting() -> tuple[Document, Push]:
    """Return a document in which one's own push was rebased over two that matter in turn, and that push."""
    own = push("alice", 1, 0, Change(1, 1, "X"), 2)
    deletion = push("bob", 1, 0, Change(1, 2), 2)
    insertion = push("bob", 2, 1, Change(1, 1, "R"), 1)
    return committed(Document("ab", limits=DocumentLimits()), deletion, insertion, own), own


def harmless() -> tuple[Document, Push]:
    """Return the like, where the two do not matter."""
    own = push("alice", 1, 0, Change(2, 2, "X"), 2)
    first = push("bob", 1, 0, Change(0, 0, "1"), 2)
    second = push("bob", 2, 1, Change(0, 0, "2"), 3)
    return committed(Document("ab", limits=DocumentLimits()), first, second, own), own


def updates_after(document: Document, version: int) -> list[Update]:
    updates = document.since(version)
    assert updates is not None
    return updates


def may(document: Document, known: int, *, settled: bool = True, pushed: Push | None = None) -> bool:
    return at_once(updates_after(document, known), "alice", document=document, settled=settled, pushed=pushed)


def test_an_own_push_behind_two_of_others_is_not_given_with_them_unless_it_is_known() -> None:
    document, _ = harmless()
    assert not may(document, 0)
    assert may(document, 1), "one push of others is no matter"


def test_a_remembered_push_that_comes_to_the_same_is_given_with_the_others() -> None:
    document, own = harmless()
    assert may(document, 0, pushed=own)


def test_a_remembered_push_that_comes_to_something_else_is_not() -> None:
    document, own = parting()
    assert document.text == "aRX"
    assert not may(document, 0, pushed=own)


def test_a_remembered_push_counts_from_what_the_editor_had_already() -> None:
    document, own = parting()
    later = push("bob", 3, 3, Change(0, 0, "0"), 3)
    again = push("alice", 2, 3, Change(3, 3, "Y"), 3)
    third = push("bob", 4, 4, Change(0, 0, "1"), 4)
    committed(document, later, third, again)
    assert may(document, 3, pushed=again)
    assert may(document, 4, pushed=again)
    assert not may(document, 3, pushed=own), "that is another push"
    assert not may(document, 0, pushed=again), "an own push before it is not looked into"


def test_a_push_that_may_be_under_way_elsewhere_forbids_two_pushes_of_others_in_one_frame() -> None:
    document = committed(
        Document("ab", limits=DocumentLimits()),
        push("bob", 1, 0, Change(0, 0, "1"), 2),
        push("bob", 2, 1, Change(0, 0, "2"), 3),
    )
    assert may(document, 0)
    assert not may(document, 0, settled=False)
    assert may(document, 1, settled=False)


def test_a_push_older_than_the_history_is_not_looked_into() -> None:
    document, own = harmless()
    short = Document(document.text, 3, limits=DocumentLimits(history_updates=2), history=updates_after(document, 0))
    assert not at_once(updates_after(document, 0), "alice", document=short, settled=True, pushed=own)


def test_what_may_not_be_given_at_once_follows_push_by_push_from_the_known_version() -> None:
    document, own = parting()
    data = welcome(ALICE, document, epoch="e", peers=[], limits=LIMITS, known=0, settled=True, pushed=own)
    first, *following = split_frames(data)
    assert isinstance(first, Welcome)
    assert (first.version, first.updates, first.text, first.acked) == (0, (), None, 0)
    assert [frame.version for frame in following if isinstance(frame, UpdatesFrame)] == [1, 2, 3]


def test_one_that_has_nothing_known_is_given_the_text() -> None:
    document, own = parting()
    for known in (None, 99):
        data = welcome(ALICE, document, epoch="e", peers=[], limits=LIMITS, known=known, settled=True, pushed=own)
        (first,) = split_frames(data)
        assert isinstance(first, Welcome)
        assert (first.version, first.text, first.updates, first.acked) == (3, "aRX", None, 1)
