"""One limit for what all codespaces hold: only those with more than an equal share give something up."""

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Document, DocumentLimits, Update, weight
from pyshare.core.shares import Share, SharedLimit, unlimited_share


def pasted(units: int, document: Document) -> Update:
    return Update("alice", document.version + 1, ChangeSet.of([Change(0, 0, "x" * units)], len(document.text)))


def document_of(share: Share) -> Document:
    return Document(limits=DocumentLimits(), share=share)


def paste(document: Document, units: int, times: int) -> None:
    for _ in range(times):
        document.advance(document.version + 1, [pasted(units, document)])


def test_nobody_gives_anything_up_while_all_hold_less_than_the_limit() -> None:
    limit = SharedLimit(100)
    large, small = limit.share(), limit.share()
    large.change(90)
    small.change(10)
    assert (limit.bytes, limit.holders) == (100, 2)
    assert [large.is_over, small.is_over] == [False, False]
    small.change(1)
    assert [large.is_over, small.is_over] == [True, False]
    large.give_back()
    assert (limit.bytes, limit.holders, large.bytes) == (11, 1, 0)


def test_a_share_of_no_limit_is_never_too_large() -> None:
    share = unlimited_share()
    share.change(2**60)
    assert not share.is_over


def test_a_long_history_is_cut_to_its_share_and_a_short_one_stays() -> None:
    limit = SharedLimit(100_000)
    calm, hostile = document_of(limit.share()), document_of(limit.share())
    paste(calm, 10, 20)
    paste(hostile, 5000, 100)
    assert calm.oldest == 0
    assert 80 < hostile.oldest < 100
    assert limit.bytes <= 100_000
    # What is committed stays committed.
    assert len(hostile.text) == 500_000


def test_a_history_that_others_leave_no_room_for_is_cut_when_it_is_looked_at() -> None:
    limit = SharedLimit(100_000)
    first, second = document_of(limit.share()), document_of(limit.share())
    paste(first, 5000, 18)
    assert first.oldest == 0
    paste(second, 5000, 18)
    assert limit.bytes > 100_000
    first.trim()
    assert limit.bytes <= 100_000
    assert first.oldest > 0
    kept = [weight(update.changes) for update in first.since(first.oldest) or ()]
    assert 40_000 < sum(kept) <= 100_000


def test_a_document_that_may_hold_nothing_keeps_its_text_and_no_history() -> None:
    limit = SharedLimit(0)
    document = document_of(limit.share())
    paste(document, 10, 3)
    assert (document.oldest, document.version, len(document.text)) == (3, 3, 30)
    assert limit.bytes == 0
