"""What a client that comes back may be given in one frame."""

from pyshare.actors.welcome import EncodedText, Standing, may_be_one_frame, welcome
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Document, DocumentLimits, Push, Update
from pyshare.core.draft import Draft
from pyshare.core.protocol import Peer, UpdatesFrame, Welcome
from pyshare.core.units import to_units
from tests.actors.world import LIMITS, split_frames
from tests.core.drafts import add

ALICE = Peer("alice", "Alice", "edit")
STANDING = Standing("e", LIMITS)


def committed(document: Document, *pushes: Push) -> Document:
    """Return `document` after `pushes`, each committed by itself."""
    for push in pushes:
        draft = Draft(document)
        assert add(draft, document, push)
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


def updates_after(document: Document, version: int) -> list[Update]:
    updates = document.since(version)
    assert updates is not None
    return updates


def test_a_client_that_comes_back_is_given_one_push_of_others_in_the_welcome_and_no_second() -> None:
    document, _ = parting()
    for known, others in ((0, 2), (1, 1), (2, 0)):
        assert may_be_one_frame(updates_after(document, known), "alice") == (others <= 1)


def test_a_welcome_costs_no_mapping_however_many_pushes_of_others_are_behind_it() -> None:
    document = Document("", limits=DocumentLimits())
    for index in range(500):
        committed(document, push("bob", index + 1, index, Change(0, 0, "x"), index))
    committed(document, push("alice", 1, 0, Change(0, 0, "y"), 0))

    frames = split_frames(welcome(ALICE, document, STANDING, peers=[], known=0))

    assert len(frames) == 502
    assert all(len(frame.updates) == 1 for frame in frames[1:] if isinstance(frame, UpdatesFrame))


def test_what_may_not_be_given_at_once_follows_push_by_push_from_the_known_version() -> None:
    document, _ = parting()
    data = welcome(ALICE, document, STANDING, peers=[], known=0)
    first, *following = split_frames(data)
    assert isinstance(first, Welcome)
    assert (first.version, first.updates, first.text, first.acked) == (0, (), None, 0)
    assert [frame.version for frame in following if isinstance(frame, UpdatesFrame)] == [1, 2, 3]


def test_one_that_has_nothing_known_is_given_the_text() -> None:
    document, _ = parting()
    for known in (None, 99):
        data = welcome(ALICE, document, STANDING, peers=[], known=known)
        (first,) = split_frames(data)
        assert isinstance(first, Welcome)
        assert (first.version, first.text, first.updates, first.acked) == (3, "aRX", None, 1)


def test_the_text_is_encoded_once_for_all_who_join_at_one_version() -> None:
    document = Document(to_units('a "text"\n\U0001f600'), limits=DocumentLimits())
    text = EncodedText(document)
    for expected, change in ((1, Change(0, 0, "x")), (2, Change(1, 1, '"text":""')), (3, Change(0, 1))):
        for name in ("ann", "ben", "cat"):
            data = welcome(Peer(name, '"text":""', "edit"), document, STANDING, peers=[], known=None, text=text)
            (frame,) = split_frames(data)
            assert isinstance(frame, Welcome)
            assert (frame.id, frame.text) == (name, document.text)
        assert text.encoded == expected
        update = Update("dan", expected, ChangeSet.of([change], len(document.text)))
        document.advance(document.version + 1, [update])
