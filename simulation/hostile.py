"""Clients that send anything: frames nearly right, junk, broken bytes; they read, or do not."""

from random import Random

from typing_extensions import override

from pyshare.core.arrival import SESSION_BYTES, format_session, public_id
from pyshare.core.errors import CloseCode
from pyshare.core.protocol import SUBPROTOCOL
from simulation.frames import Maker, Sight
from simulation.people import Person, Surroundings
from simulation.websocket import Socket, client_frame

#: What the server answers where the fault is its own, as a close code and as a status of HTTP.
_OUR_FAULT = frozenset({CloseCode.OUR_FAULT, 500})
#: What is no WebSocket, or no frame that a client may send.
_JUNK = (
    b"\x81\x05hello",
    b"\xc1\x80\0\0\0\0",
    b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
    b"\x01\x81\0\0\0\0[\x81\x81\0\0\0\0]",
    b"\x01\x81\0\0\0\0[",
    b"\x89\xfe\x01\x00\0\0\0\0",
    b"\x88\x81\0\0\0\0\x03",
    b"\x80\x80\0\0\0\0",
    b"\x81\x84\0\0\0\0\xff\xfe\xfd\xfc",
    b"\0" * 64,
)


class Hostile(Person):
    """One of them, over any number of connections."""

    kind = "hostile"

    def __init__(
        self, name: str, world: Surroundings, random: Random, sight: Sight, *, stock: bool, view_only: bool
    ) -> None:
        super().__init__(name, world, random, view_only=view_only)
        self._sight = sight
        self._stock = stock
        self._maker = Maker(random, sight)
        # Few sessions: connections take one another's place.
        self._sessions = [random.randbytes(SESSION_BYTES) for _ in range(2)]
        self._seq = 0
        self._last = ""
        self._socket: Socket | None = None

    @property
    def ids(self) -> set[str]:
        """The ids by which others may know it."""
        return {public_id(session) for session in self._sessions}

    @property
    @override
    def text(self) -> str | None:
        return None

    @property
    @override
    def settled(self) -> bool:
        return True

    @override
    def comes(self) -> None:
        if self._socket is not None:
            return
        self.here = True
        connection = self.connection = self.world.dial(self)
        if connection is None:
            return
        random, sight = self.random, self._sight
        query = ""
        if not self._stock:
            query = f"?session={format_session(random.choice(self._sessions))}"
            epoch = random.choice((None, sight.epoch, sight.epoch, "of-nothing"))
            if epoch is not None:
                version = random.choice((max(0, sight.version + random.choice((0, -1, -20, 3))), 2**53 - 1, 0))
                query += f"&epoch={epoch}&version={version}"
            if random.random() < 0.05:
                query += random.choice(("&session=x", "&version=-1", "&name=" + "n" * 65, "&progress=1"))
        self._socket = Socket(
            connection.client,
            f"/codespace/{self.world.token(self)}/{query}",
            subprotocol=None if self._stock else SUBPROTOCOL,
            on_open=lambda: None,
            on_text=lambda text: None,
            on_end=self._on_end,
        )

    @override
    def leaves(self) -> None:
        if self._socket is not None:
            self._socket.abandon()
            self._socket = None
        self.here = False

    @override
    def crashes(self) -> None:
        if self._socket is not None:
            self._socket.vanish()
            self._socket = None
        self.here = False

    @override
    def press(self, key: str) -> None:
        """Send something."""
        socket, random = self._socket, self.random
        if socket is None:
            self.comes()
            return
        chance = random.random()
        if chance < 0.03:
            self.world.story.count("hostile bytes")
            socket.send_bytes(random.choice(_JUNK))
        elif chance < 0.05:
            socket.send_bytes(client_frame(random.randbytes(4), 2))
        elif chance < 0.07:
            size = random.choice((20_000, 70_000))
            # Whole, or for ever unfinished.
            socket.send_bytes(client_frame(b"x" * size)[: random.choice((size // 2, size + 14))])
        elif chance < 0.1:
            for _ in range(20):
                socket.send_bytes(client_frame(b"ping", 9))
        elif chance < 0.13:
            self._pause(not self._paused())
        elif chance < 0.15:
            self.crashes()
        elif socket.is_open:
            self.world.story.count("hostile frame")
            socket.send_text(self._frame())

    def calms_down(self) -> None:
        """Read again, and leave."""
        self._pause(False)
        self.crashes()

    def _paused(self) -> bool:
        return self.connection is not None and self.connection.down.paused

    def _pause(self, paused: bool) -> None:
        if self.connection is not None:
            if paused:
                self.connection.down.paused = True
            else:
                self.connection.down.resume()

    def _frame(self) -> str:
        if self._last and self.random.random() < 0.12:
            return self._last
        if self._stock:
            self._last = self._maker.stock(self._sight.texts[self._sight.version])
        else:
            self._seq += self.random.random() < 0.8
            self._last = self._maker.collab(self._seq)
        return self._last

    def _on_end(self, code: int | None, reason: str) -> None:
        self._socket = None
        self.tell(f"connection ended: {code} {reason}")
        if code in _OUR_FAULT:
            self.world.fails(f"the server told a hostile client that the fault is its own: {code} {reason}")
