"""The server as an attacker sees it: its addresses, links that anybody may have, and raw connections to it."""

import base64
import json
import os
import secrets
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import trio

from pyshare.core.protocol import Mode
from pyshare.net.tokens import Grant, Signer
from tests.net.scripted import raw_frame
from tests.system.server import SECRET

#: Address of the attacker: another one than that of the calm clients, for limits by address.
ATTACKER: Final = "127.0.0.2"
#: Errors by which an attacker learns that the server has ended a connection.
ENDED: Final = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)
#: The codespace of the calm clients.
CALM: Final = "calm"
#: Name of the attack that does nothing.
REST: Final = "rest"
_TEXT, _CLOSE = 1, 8


@dataclass(frozen=True)
class Target:
    """Where to attack."""

    host: str
    port: int
    http_port: int

    def link(self, codespace: str, mode: Mode = "edit") -> str:
        """Return a link's token, as somebody might have been given it."""
        return Signer(SECRET).sign(Grant(codespace, mode, create=True))

    def calm(self, mode: Mode = "edit") -> str:
        """Return a link to the codespace of the calm clients."""
        return self.link(CALM, mode)

    def own(self) -> str:
        """Return an edit link to a new codespace."""
        return self.link(f"noisy-{uuid.uuid4()}")

    async def tcp(self, *, http: bool = False, receive_bytes: int | None = None) -> trio.SocketStream:
        """Return a connection to the WebSocket port, or to the HTTP port."""
        port = self.http_port if http else self.port
        if receive_bytes is None:
            return await trio.open_tcp_stream(self.host, port, local_address=ATTACKER)
        sock = trio.socket.socket()
        sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, receive_bytes)
        await sock.bind((ATTACKER, 0))
        await sock.connect((self.host, port))
        return trio.SocketStream(sock)


Attack = Callable[[Target], Awaitable[None]]
#: All attacks, by name.
ATTACKS: Final[dict[str, Attack]] = {}


def attack(function: Attack) -> Attack:
    """Put an attack on the list: one go of it, which is repeated until its time is up."""
    ATTACKS[function.__name__] = function
    return function


class Ended(Exception):  # noqa: N818 - a fact about a connection
    """The server has ended the connection."""


def frame(body: object) -> bytes:
    """Return JSON as a client's WebSocket frame."""
    return raw_frame(_TEXT, json.dumps(body, separators=(",", ":")).encode())


def session() -> str:
    """Return a session of one's own."""
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).rstrip(b"=").decode()


def upgrade(token: str, query: str = "", *, stock: bool = False, more: str = "") -> bytes:
    """Return the request that opens a WebSocket; `more` are further lines of its head."""
    key = base64.b64encode(os.urandom(16)).decode()
    protocol = "" if stock else "Sec-WebSocket-Protocol: pyshare.v1\r\n"
    return (
        f"GET /codespace/{token}/{query} HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{protocol}{more}\r\n"
    ).encode()


def pushed(seq: int, version: int, *updates: list[object]) -> bytes:
    """Return a push."""
    return frame({"type": "push", "seq": seq, "version": version, "updates": updates})


def stock_edit(length: int, *changes: tuple[int, int, str]) -> bytes:
    """Return an edit in the stock dialect, each change as (from, to, insert)."""
    parts = [{"from": start, "to": end, "insert": insert} for start, end, insert in changes]
    return frame({"operation": "insert_value", "doc_length": length, "changes": parts})


class WebSocket:
    """A WebSocket whose bytes the attacker decides."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self._buffer = bytearray()
        # The newest version and the length of the text that were heard of, from frames that `read` returned.
        self.version = 0
        self.length = 0

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        await self.stream.send_all(data)

    async def read(self) -> dict[str, object]:
        """Return the next text message that the server sends.

        Raises:
            Ended: if it ends the connection instead.
        """
        while True:
            opcode, payload = await self._frame()
            if opcode == _CLOSE:
                raise Ended(payload[2:].decode())
            if opcode == _TEXT:
                body: dict[str, object] = json.loads(payload)
                version, text = body.get("version"), body.get("text")
                self.version = version if isinstance(version, int) else self.version
                self.length = len(text.encode("utf-16-le")) // 2 if isinstance(text, str) else self.length
                return body

    async def read_until(self, kind: str) -> dict[str, object]:
        """Return the next message of one type."""
        while (body := await self.read()).get("type") != kind:
            pass
        return body

    async def push(self, seq: int, *updates: list[object]) -> dict[str, object]:
        """Push on the newest version that is known, and return the answer."""
        await self.send(pushed(seq, self.version, *updates))
        while True:
            body = await self.read()
            if body.get("type") == "refused":
                return body
            if body.get("type") == "updates" and f'"seq": {seq}' in json.dumps(body):
                return body

    async def swallow(self) -> None:
        """Read all that comes, until the server ends."""
        async for _ in self.stream:
            pass
        raise Ended("without a word")

    async def _frame(self) -> tuple[int, bytes]:
        await self._fill(2)
        length, start = self._buffer[1] & 127, 2
        if length > 125:
            start = 4 if length == 126 else 10
            await self._fill(start)
            length = int.from_bytes(self._buffer[2:start])
        await self._fill(start + length)
        opcode, payload = self._buffer[0] & 15, bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        return opcode, payload

    async def _fill(self, count: int) -> None:
        while len(self._buffer) < count:
            data = await self.stream.receive_some()
            if not data:
                raise Ended("without a word")
            self._buffer += data

    async def head(self) -> bytes:
        """Return the head of the answer to the opening request."""
        while b"\r\n\r\n" not in self._buffer:
            await self._fill(len(self._buffer) + 1)
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer[:] = rest
        return head


@asynccontextmanager
async def websocket(
    target: Target,
    token: str,
    query: str = "",
    *,
    stock: bool = False,
    receive_bytes: int | None = None,
    swallows: bool = False,
) -> AsyncIterator[WebSocket]:
    """Hold a WebSocket that the server has accepted; one that `swallows` reads all it is sent and forgets it."""
    stream = await target.tcp(receive_bytes=receive_bytes)
    async with stream:
        ws = WebSocket(stream)
        await ws.send(upgrade(token, query, stock=stock))
        head = await ws.head()
        if b" 101 " not in head:
            raise Ended(head.decode("latin-1"))
        if not swallows:
            yield ws
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ws.swallow, name="reader of an attacker")
            yield ws
            nursery.cancel_scope.cancel()


async def crowd(count: int, one: Callable[[], Awaitable[None]]) -> None:
    """Have `count` do the same at once; one that the server ends begins again after a moment."""

    async def again() -> None:
        while True:
            await once(one)
            await trio.sleep(0.05)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(again, name="one of a crowd")


async def once(one: Callable[[], Awaitable[None]]) -> None:
    """Do something until it is done or the server ends the connection."""
    try:
        await one()
    except* (*ENDED, Ended):
        pass
