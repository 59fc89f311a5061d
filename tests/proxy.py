"""A proxy between pyshare and Redis, which can cut, stall and lose what passes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import trio


@dataclass(slots=True, eq=False)
class Passage:
    """One connection through the proxy."""

    client: trio.abc.Stream
    server: trio.abc.Stream
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    #: Whether it is one on which topics are heard.
    topics: bool = False
    #: Whether the next answer is lost, and the connection with it.
    loses_answer: bool = False
    #: Whether the client hears nothing any more, and is not told.
    stalled: bool = False


class Proxy:
    """What passes from clients to the server at `target` and back, and what becomes of it."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.port = 0
        self.passages: list[Passage] = []
        # Whether new connections are refused.
        self.refuses = False
        # Seconds that what the server publishes takes to arrive.
        self.topic_delay_seconds = 0.0
        # Seconds that every answer takes.
        self.answer_delay_seconds = 0.0
        # Told what clients send; if it returns true, the server gets it, but its answer is lost with the connection.
        self.loses_answer: Callable[[bytes], bool] = lambda data: False

    @property
    def url(self) -> str:
        """The URL of Redis through the proxy."""
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self, *, topics: bool | None = None) -> int:
        """Cut the connections, of one kind if it is given; return how many."""
        cut = [each for each in self.passages if topics in {None, each.topics}]
        for passage in cut:
            passage.scope.cancel()
        return len(cut)

    def stall(self, *, topics: bool) -> None:
        """Have the connections of one kind, as they are now, hear nothing any more."""
        for passage in self.passages:
            passage.stalled |= passage.topics == topics

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        self.port = int(listener.socket.getsockname()[1])
        task_status.started()
        await trio.serve_listeners(self._pass, [listener])

    async def _pass(self, client: trio.SocketStream) -> None:
        if self.refuses:
            await client.aclose()
            return
        async with client, await trio.open_unix_socket(self._target) as server:
            passage = Passage(client, server)
            self.passages.append(passage)
            try:
                with passage.scope:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(self._answer, passage)
                        await self._ask(passage)
                        nursery.cancel_scope.cancel()
            finally:
                self.passages.remove(passage)

    async def _ask(self, passage: Passage) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in passage.client:
                passage.topics |= b"SUBSCRIBE" in data
                passage.loses_answer |= self.loses_answer(bytes(data))
                await passage.server.send_all(data)

    async def _answer(self, passage: Passage) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async for data in passage.server:
                await trio.sleep(self.topic_delay_seconds if passage.topics else self.answer_delay_seconds)
                if passage.loses_answer:
                    break
                if passage.stalled:
                    await trio.sleep_forever()
                await passage.client.send_all(data)
        passage.scope.cancel()


@asynccontextmanager
async def open_proxy(target: str) -> AsyncIterator[Proxy]:
    """Run a proxy to the unix socket `target` until the context is left."""
    async with trio.open_nursery() as nursery:
        proxy = Proxy(target)
        await nursery.start(proxy.run)
        yield proxy
        nursery.cancel_scope.cancel()
