"""The one task of a channel that asks the store about the log: it takes a request, waits, and hands the answer over."""

import logging
from collections.abc import Awaitable, Callable
from typing import assert_never

import trio

from pyshare.actors.log import Answer, Append, Check, LogMachine, PutBack, ReadLog, Request, Turn, WriteText
from pyshare.core.names import public_name
from pyshare.store.interface import Lost, Store, StoreUnavailable

logger = logging.getLogger(__name__)


class Committer:
    """The waiting half of a channel's log machine."""

    def __init__(
        self,
        codespace: str,
        epoch: str,
        store: Store,
        *,
        on_outcomes: Callable[[], None],
        introduce: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
    ) -> None:
        self._codespace = codespace
        self._epoch = epoch
        self._store = store
        # Called when the machine may have outcomes.
        self._on_outcomes = on_outcomes
        # Called before an append: tells the other instances of its authors, as far as they do not know them.
        self._introduce = introduce
        # Set when there may be a request; when there was none.
        self._work = trio.Event()
        self._idle = trio.Event()

    def wake(self) -> None:
        """Look for a request."""
        self._work.set()

    async def run(self, log: LogMachine, take_events: Callable[[], None] = lambda: None) -> None:
        """Serve until cancelled; a request under way then may or may not happen, and nobody was told that it did.

        `take_events` is called before an answer that tells of a loss is handed over: the news of what was before it
        has come already.

        Raises:
            ChangeSetError: if what the log holds does not fit the document.
        """
        while True:
            now = trio.current_time()
            request = log.next_request(now)
            self._on_outcomes()
            if request is None:
                self._idle.set()
                # By the time of the question: a pause that has ended since then is no reason to sleep on.
                with trio.move_on_at(log.wake_at(now)):
                    await self._work.wait()
                self._work = trio.Event()
            else:
                answer = await self._ask(request)
                if isinstance(answer, Lost):
                    take_events()
                log.on_answer(request, answer, trio.current_time())
                self._on_outcomes()

    async def wait_finished(self, log: LogMachine) -> None:
        """Wait until nothing is left to do, once no more pushes come."""
        log.hurry()
        while not log.is_finished:
            self._idle = trio.Event()
            await self._idle.wait()

    async def _ask(self, request: Request) -> Answer:
        codespace, epoch, store = self._codespace, self._epoch, self._store
        try:
            match request:
                case Append(base, updates, text):
                    await self._introduce()
                    return await store.append(codespace, epoch, expected=base, updates=updates, text=text)
                case ReadLog(after):
                    return await store.read_log(codespace, epoch, after=after)
                case PutBack(held):
                    logger.warning("put back", extra={"codespace": public_name(codespace), "version": held.version})
                    return await store.put_back(codespace, held)
                case WriteText(version, text):
                    await store.write_text(codespace, epoch, version=version, text=text)
                case Check():
                    await store.check()
                case Turn():
                    await trio.lowlevel.checkpoint()
                case _:
                    assert_never(request)
        except StoreUnavailable as error:
            return error
        return None
