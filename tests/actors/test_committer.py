"""The committer: it asks the store as soon as the log machine has a request, whatever time passes meanwhile."""

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pyshare.actors.committer import Committer
from pyshare.actors.counts import Counts
from pyshare.actors.log import LogLimits, LogMachine
from pyshare.core.document import Document, DocumentLimits
from pyshare.store.faults import Faults
from pyshare.store.interface import StoreLimits
from pyshare.store.memory import MemoryStore


async def test_a_pause_that_ends_between_the_question_and_the_sleep_is_followed_by_a_request(
    mock_clock: MockClock,
) -> None:
    faults = Faults()
    store = MemoryStore(StoreLimits(), faults=faults)
    snapshot = await store.load("tmp-a", create=True)
    assert snapshot is not None
    faults.down = True
    requests = []

    def take_outcomes() -> None:
        # Called behind each question and behind each answer. The last two questions meet a pause, and the first of
        # them is followed by no sleep, as there was work meanwhile.
        requests.append(log.must_read)
        if len(requests) == 4:
            faults.down = False
            mock_clock.jump(1)

    committer = Committer("tmp-a", snapshot.epoch, store, on_outcomes=take_outcomes)
    document = Document("", 0, limits=DocumentLimits())
    limits = LogLimits(first_retry_seconds=0.5)
    log = LogMachine("tmp-a", snapshot.epoch, document=document, counts=Counts(), limits=limits, wake=committer.wake)
    log.read()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(committer.run, log)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert requests[:4] == [False, True, True, True], "asked, failed, paused, paused"
    assert log.is_finished
