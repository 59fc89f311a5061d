"""A WebSocket as a page has it: it sends without waiting, counts the bytes that have not left, and answers pings."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)

#: Seconds that a browser waits for the answer to its goodbye.
_GOODBYE_SECONDS: Final = 2.0
#: Bytes that are handed to the network at once.
_PART_BYTES: Final = 1024
#: A connection that ended without a word.
_LOST: Final = 1006


class BrowserSocket:
    """One WebSocket of a page; `tell` is called with what happens to it, the last time with its end."""

    def __init__(self, url: str, tell: Callable[[str, str | int, str], None]) -> None:
        self._url = url
        self._tell = tell
        self._ws = WSConnection(ConnectionType.CLIENT)
        # What is to be sent, and what is set next when there is more.
        self._out: deque[bytes] = deque()
        self._more = trio.Event()
        # Bytes of the page's messages that have not entered the network.
        self.buffered_bytes = 0
        # Code and reason that the server has closed it with.
        self._end = (_LOST, "")
        self._goodbye = trio.Event()

    def send(self, text: str) -> None:
        """Send a message some time."""
        if self._ws.state is ConnectionState.OPEN:
            self.buffered_bytes += len(text.encode())
            self._put(TextMessage(text))

    def close(self, code: int) -> None:
        """Say goodbye behind what was sent, and end soon."""
        self._goodbye.set()
        if self._ws.state is ConnectionState.OPEN:
            self._put(CloseConnection(code))

    async def run(self, stream: trio.abc.Stream) -> None:
        """Be connected until it ends; the stream is closed then."""
        async with stream:
            with suppress(trio.BrokenResourceError):
                await self._converse(stream)
        self._tell("closed", *self._end)

    async def _converse(self, stream: trio.abc.Stream) -> None:
        parts = urlsplit(self._url)
        self._put(Request(host=parts.netloc, target=f"{parts.path}?{parts.query}", subprotocols=["pyshare.v1"]))
        with trio.CancelScope() as life:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._send_all, stream, name="sender of a page")
                nursery.start_soon(self._give_up, life, name="goodbye of a page")
                text = ""
                async for data in stream:
                    self._ws.receive_data(bytes(data))
                    for event in self._ws.events():
                        text = self._on_event(event, text)
                nursery.cancel_scope.cancel()

    def _on_event(self, event: Event, text: str) -> str:
        """Take an event; return what has come of a message that is not whole."""
        match event:
            case AcceptConnection():
                self._tell("open", 0, "")
            case TextMessage():
                text += event.data
                if event.message_finished:
                    self._tell("message", 0, text)
                    return ""
            case Ping():
                if self._ws.state is ConnectionState.OPEN:
                    self._put(event.response())
            case CloseConnection():
                self._end = event.code, event.reason or ""
                if self._ws.state is ConnectionState.REMOTE_CLOSING:
                    self._put(event.response())
            case RejectConnection():
                self._goodbye.set()
            case _:
                pass
        return text

    def _put(self, event: Event) -> None:
        self._out.append(self._ws.send(event))
        self._more.set()

    async def _send_all(self, stream: trio.abc.Stream) -> None:
        while True:
            while self._out:
                data = self._out.popleft()
                for start in range(0, len(data), _PART_BYTES):
                    await stream.send_all(data[start : start + _PART_BYTES])
                    self.buffered_bytes = max(0, self.buffered_bytes - _PART_BYTES)
                if not self._out:
                    self.buffered_bytes = 0
            self._more = trio.Event()
            await self._more.wait()

    async def _give_up(self, life: trio.CancelScope) -> None:
        await self._goodbye.wait()
        await trio.sleep(_GOODBYE_SECONDS)
        life.cancel()
