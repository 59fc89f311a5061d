"""A network between pyshare and Redis, which can cut, stall and lose what passes."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import trio

from tests.network.line import Quality
from tests.network.passages import Network, Passage
from tests.network.sockets import dial_unix, open_port

#: Answers of Redis have room: what is lost here is lost by intention.
_ROOM = Quality(buffer_bytes=1_048_576)


class Proxy:
    """The connections of clients to a Redis server, and what becomes of them."""

    def __init__(self, target: str) -> None:
        # The unix socket to which new connections lead.
        self.target = target
        self.network = Network(up=_ROOM, down=_ROOM)
        self.network.on_passage = self._watch
        self.port = 0
        # The connections on which topics are heard.
        self._topics: set[Passage] = set()
        # Seconds that events take, and answers.
        self._delays = {True: 0.0, False: 0.0}
        # Told what clients send; if it returns true, the server gets it, but its answer is lost with the connection.
        self.loses_answer: Callable[[bytes], bool] = lambda data: False

    @property
    def url(self) -> str:
        """The URL of Redis through the network."""
        return f"redis://127.0.0.1:{self.port}/0"

    def delay(self, seconds: float, *, topics: bool) -> None:
        """Have what Redis says take so many seconds, on the connections of one kind."""
        self._delays[topics] = seconds
        for passage in self._of(topics):
            self._set_delay(passage)

    def cut(self, *, topics: bool | None = None) -> int:
        """Cut the connections, of one kind if it is given; return how many."""
        passages = self._of(topics)
        for passage in passages:
            passage.cut()
        return len(passages)

    def stall(self, *, topics: bool) -> None:
        """Have the connections of one kind, as they are now, hear nothing any more."""
        for passage in self._of(topics):
            passage.fall_silent(math.inf, ways=("down",))

    def _of(self, topics: bool | None) -> list[Passage]:
        return [each for each in self.network.passages if topics in {None, each in self._topics}]

    def _watch(self, passage: Passage) -> None:
        def notice(data: bytes) -> None:
            if b"SUBSCRIBE" in data:
                self._topics.add(passage)
                self._set_delay(passage)
            if self.loses_answer(data):
                passage.cut_after(0, "down")

        passage.notice = notice
        self._set_delay(passage)

    def _set_delay(self, passage: Passage) -> None:
        passage.become("down", replace(_ROOM, delay_seconds=self._delays[passage in self._topics]))


@asynccontextmanager
async def open_proxy(target: str) -> AsyncIterator[Proxy]:
    """Lead a port through a network to the Redis server at the unix socket `target` until the context is left."""
    proxy = Proxy(target)

    async def dial() -> trio.SocketStream:
        return await dial_unix(proxy.target)()

    async with open_port(proxy.network, dial) as proxy.port:
        yield proxy
