"""People with editors: what all kinds have in common, and the editor built on @codemirror/collab."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import Protocol

from typing_extensions import override

from pyshare.core.arrival import SESSION_BYTES, format_session, public_id
from pyshare.core.changeset import Change
from pyshare.core.errors import CLOSE_CODES, CloseCode, RefusalCode
from pyshare.core.protocol import (
    SUBPROTOCOL,
    RefusedFrame,
    ServerFrame,
    UpdatesFrame,
    Welcome,
    encode,
    parse_server_frame,
)
from simulation.clock import Clock
from simulation.collab import CollabEditor
from simulation.hand import Hand
from simulation.letters import Letters
from simulation.sockets import Connection
from simulation.story import Story
from simulation.websocket import Socket

#: Codes with which a client that does nothing wrong may be told to stay away.
_FAREWELLS = frozenset({CloseCode.GONE, CloseCode.NOT_AUTHENTICATED, CloseCode.NO_SUCH_CODESPACE})
#: Refusals that somebody may meet who does nothing wrong: of a text that is full, or behind a long absence.
_REFUSALS = frozenset({RefusalCode.TOO_LONG, RefusalCode.TOO_OLD, RefusalCode.TOO_NEW})


class Surroundings(Protocol):
    """The world, as a person's editor needs it."""

    clock: Clock
    story: Story
    letters: Letters
    #: Whether everybody leaves, and nobody comes any more.
    closing_time: bool

    def dial(self, person: "Person") -> Connection | None:
        """Return a new connection to some server; None if no server can be reached."""

    def token(self, person: "Person") -> str:
        """Return the token with which a person opens the codespace."""

    def has_refused(self, person: "Person") -> bool:
        """Return whether a person's token was ever said to be bad."""

    def fails(self, reason: str) -> None:
        """Take note of something that must not be; the world ends."""


class Person(ABC):
    """Somebody at an editor, over any number of connections and editors."""

    kind = "nobody"

    def __init__(self, name: str, world: Surroundings, random: Random, *, view_only: bool = False) -> None:
        self.name = name
        self.world = world
        self.random = random
        self.view_only = view_only
        self.hand = Hand(name, random, world.letters)
        #: The present connection.
        self.connection: Connection | None = None
        #: Whether the person is there, with an editor.
        self.here = False

    @property
    @abstractmethod
    def text(self) -> str | None:
        """The text on the screen; None while there is no connected editor."""

    @property
    @abstractmethod
    def settled(self) -> bool:
        """Whether nothing of what was typed waits for the server."""

    @abstractmethod
    def comes(self) -> None:
        """Open the codespace in a new editor."""

    @abstractmethod
    def leaves(self) -> None:
        """Close the editor properly."""

    @abstractmethod
    def crashes(self) -> None:
        """Lose the editor and what it has not saved."""

    @abstractmethod
    def press(self, key: str) -> None:
        """Do one transaction."""

    def tell(self, event: str) -> None:
        """Add a line to the story."""
        self.world.story.tell(self.name, event)

    def comes_later(self, seconds: float) -> None:
        """Open a new editor after a while, unless there is one."""

        def come() -> None:
            if not self.here and not self.world.closing_time:
                self.comes()

        self.world.clock.after(seconds, come)

    def refused(self, code: str, reason: str) -> None:
        """Note that the server has refused an edit of this person."""
        self.world.story.happened(self.name, f"refused: {code}")
        if code not in _REFUSALS:
            self.world.fails(f"{self.name} did nothing wrong and was refused with {code}: {reason}")

    def farewell(self, code: int | None, reason: str) -> None:
        """Note that the server has told this person to stay away."""
        self.tell(f"stays away: {code} {reason}")
        self.world.story.count(f"told to stay away: {code}")
        if code not in _FAREWELLS or (code == CloseCode.NOT_AUTHENTICATED and not self.world.has_refused(self)):
            self.world.fails(f"{self.name} did nothing wrong and was closed with {code}: {reason}")


class Unsaved:
    """The letters of edits that are not known to be committed, in the order of the edits."""

    def __init__(self) -> None:
        self._edits: deque[Sequence[str]] = deque()
        # Edits ever, and the first of them that were settled.
        self.made = 0
        self.settled = 0

    def add(self, letters: Sequence[str]) -> None:
        """Note the letters of an edit."""
        self._edits.append(letters)
        self.made += 1

    def settle(self, count: int) -> None:
        """Take the first `count` edits ever for settled."""
        while self.settled < count and self._edits:
            self._edits.popleft()
            self.settled += 1

    def letters(self) -> list[str]:
        """Return the letters of all edits that are not settled."""
        return [letter for edit in self._edits for letter in edit]

    def take(self) -> list[str]:
        """Return the letters of all edits that are not settled, and forget them."""
        letters = self.letters()
        self.settled += len(self._edits)
        self._edits.clear()
        return letters


@lru_cache(maxsize=4096)
def parsed(message: str) -> ServerFrame | None:
    """Return a frame of the server; the same frame goes to many."""
    return parse_server_frame(message)


class CollabPerson(Person):
    """A person at an editor as @codemirror/collab makes it, with a simple connection.

    Where the server cannot go on from what the editor has, the editor takes the text and forgets what is unsaved.
    """

    kind = "collab"

    def __init__(self, name: str, world: Surroundings, random: Random, *, view_only: bool = False) -> None:
        super().__init__(name, world, random, view_only=view_only)
        self.editor = CollabEditor()
        self._session = random.randbytes(SESSION_BYTES)
        self._socket: Socket | None = None
        self._welcomed = False
        self._unsaved = Unsaved()
        self._pause = 0.25

    @property
    def id(self) -> str:
        """The id by which others know this editor."""
        return public_id(self._session)

    @property
    @override
    def text(self) -> str | None:
        return self.editor.text if self._welcomed else None

    @property
    @override
    def settled(self) -> bool:
        return self._welcomed and not self.editor.unconfirmed

    @override
    def comes(self) -> None:
        self.here = True
        self.editor = CollabEditor()
        self._session = self.random.randbytes(SESSION_BYTES)
        self._unsaved = Unsaved()
        self._pause = 0.25
        self._connect()

    @override
    def leaves(self) -> None:
        self._forget()
        self.here = self._welcomed = False
        if self._socket is not None:
            self._socket.abandon()
            self._socket = None

    @override
    def crashes(self) -> None:
        self._forget()
        self.here = self._welcomed = False
        if self._socket is not None:
            self._socket.vanish()
            self._socket = None

    @override
    def press(self, key: str) -> None:
        editor = self.editor
        if not self.here or editor.version is None or self.view_only:
            return
        changes = self.hand.press(key, editor.text)
        if changes:
            before = editor.text
            self._unsaved.add(self.world.letters.edited(self.name, before, editor.edit(changes)))
            self.tell(f"{key}: {_shown(changes)}")
            self._push()

    def select(self) -> None:
        """Show others a selection."""
        editor = self.editor
        if self._socket is not None and self._welcomed and not editor.unconfirmed and editor.version is not None:
            length = len(editor.text)
            pair = (int(self.random.random() * (length + 1)), int(self.random.random() * (length + 1)))
            frame = f'{{"type":"select","version":{editor.version},"ranges":[[{pair[0]},{pair[1]}]]}}'
            self._socket.send_text(frame)

    def _connect(self) -> None:
        if not self.here or self._socket is not None:
            return
        connection = self.connection = self.world.dial(self)
        if connection is None:
            self._come_back()
            return
        editor = self.editor
        query = f"session={format_session(self._session)}&name={self.name}"
        if editor.version is not None:
            query += f"&epoch={editor.epoch}&version={editor.version}"
            if editor.tip is not None:
                query += f"&tip={editor.tip}"
        self._welcomed = False
        path = f"/codespace/{self.world.token(self)}/?{query}"
        self._socket = Socket(
            connection.client,
            path,
            subprotocol=SUBPROTOCOL,
            on_open=_nothing,
            on_text=self._on_text,
            on_end=self._on_end,
        )

    def _on_text(self, message: str) -> None:
        frame = parsed(message)
        if frame is None or not self.here or not (self._welcomed or isinstance(frame, Welcome)):
            return
        editor = self.editor
        if isinstance(frame, Welcome):
            self._on_welcome(frame)
        elif isinstance(frame, RefusedFrame):
            self._on_refused(frame)
        elif isinstance(frame, UpdatesFrame):
            editor.receive(frame)
            self._unsaved.settle(self._unsaved.made - len(editor.unconfirmed))
        self._push()

    def _on_welcome(self, welcome: Welcome) -> None:
        editor, story = self.editor, self.world.story
        if editor.version is not None:
            story.count("resumed with updates" if welcome.text is None else "came back to a text")
            if editor.epoch != welcome.epoch:
                story.count("came back to another epoch")
        if welcome.text is not None:
            self._forget()
        editor.welcome(welcome)
        self._unsaved.settle(self._unsaved.made - len(editor.unconfirmed))
        self._welcomed = True
        self._pause = 0.25

    def _on_refused(self, refused: RefusedFrame) -> None:
        """Take it back: with the text as it is stored, in a new connection."""
        self.refused(refused.code, refused.reason)
        self._forget()
        editor = self.editor
        editor.forget()
        editor.version = editor.epoch = None
        self._welcomed = False
        if self._socket is not None:
            self._socket.close()

    def _forget(self) -> None:
        """Note that what is unsaved may be lost."""
        self.world.letters.doubt(self._unsaved.take())

    def _on_end(self, code: int | None, reason: str) -> None:
        self._socket = None
        self._welcomed = False
        if not self.here:
            return
        self.tell(f"connection ended: {code} {reason}")
        if (
            code is not None
            and code != CloseCode.DONE
            and code in CLOSE_CODES
            and not CLOSE_CODES[CloseCode(code)].come_back
        ):
            self._forget()
            self.here = False
            self.farewell(code, reason)
            self.comes_later(0.5 + self.random.random())
            return
        self._come_back()

    def _come_back(self) -> None:
        self.world.clock.after(self._pause * (0.5 + self.random.random() / 2), self._connect)
        self._pause = min(2 * self._pause, 5)

    def _push(self) -> None:
        if self._socket is not None and self._welcomed:
            push = self.editor.next_push()
            if push is not None:
                self._socket.send_text(encode(push).decode())


def _shown(changes: Sequence[Change]) -> str:
    return " ".join(f"{each.start}-{each.end} {each.insert!r}" for each in changes)


def _nothing() -> None:
    """Do nothing."""
