"""A person before SharePython's stock front end, with its cursors, its undo history and its frames."""

from collections import Counter
from random import Random
from typing import Protocol

from typing_extensions import override

from pyshare.core.units import from_units, replace_lone_surrogates, splits_pair
from simulation.letters import is_letter
from simulation.people import Person, Surroundings
from simulation.stock_model.front_end import FrontEnd, InsertValue
from simulation.stock_model.wire import as_json, from_json
from simulation.websocket import Socket

#: Units of a text that nobody replaces by a key.
_LONG_TEXT = 3


class StockSurroundings(Surroundings, Protocol):
    """The world, as a page needs it that loads a text."""

    def stored_text(self) -> str:
        """Return the text that the API gives out now, a units string."""

    def stored_version(self) -> int:
        """Return the version of that text."""

    def knows_since(self, person: Person, version: int) -> bool:
        """Return whether the process that a person is connected to knows all updates after a version."""


class StockPerson(Person):
    """A page that loads the text, connects, and is loaded again when its connection has ended."""

    kind = "stock"

    def __init__(self, name: str, world: StockSurroundings, random: Random, *, gentle: bool, refusable: bool) -> None:
        super().__init__(name, world, random)
        self._stock_world = world
        # Whether it presses only keys that insert.
        self._gentle = gentle
        # Whether what it types may be refused, of which no stock editor is told.
        self._refusable = refusable
        self._page = FrontEnd("")
        self._socket: Socket | None = None
        self._connected = False
        # The version of the text that the page has loaded.
        self._loaded = 0
        # Letters that were typed on this page.
        self._typed: list[str] = []

    @property
    @override
    def text(self) -> str | None:
        return self._page.text if self._connected else None

    @property
    @override
    def settled(self) -> bool:
        return self._connected and self._socket is not None and not self._socket.unsent_bytes

    @property
    def is_loading(self) -> bool:
        """Whether the page has loaded its text and is not connected."""
        return self.here and not self._connected

    @override
    def comes(self) -> None:
        if self.here:
            return
        self.here = True
        self._page = FrontEnd("")
        self._page.loads(self._stock_world.stored_text())
        self._loaded = self._stock_world.stored_version()
        self._typed = []
        # The page connects when it has loaded.
        self.world.clock.after(self.random.choice((0.0, 0.02, 0.3)), self._connect)

    def _connect(self) -> None:
        if not self.here or self._socket is not None:
            return
        connection = self.connection = self.world.dial(self)
        if connection is None:
            self._on_end(None, "no server")
            return
        self._socket = Socket(
            connection.client,
            f"/codespace/{self.world.token(self)}/",
            subprotocol=None,
            on_open=lambda: None,
            on_text=self._on_text,
            on_end=self._on_end,
        )

    @override
    def leaves(self) -> None:
        if self._socket is not None:
            self._socket.abandon()
        self._go()

    @override
    def crashes(self) -> None:
        if self._socket is not None:
            self._socket.vanish()
        self._go()

    def _go(self) -> None:
        """Close the page: what has not been committed by now may be, or may be lost."""
        stored = from_units(self._stock_world.stored_text())
        self.world.letters.doubt(letter for letter in self._typed if letter not in stored)
        self.here = self._connected = False
        self._socket = None

    def rests(self) -> None:
        """Press a key if the server cannot know the page's length otherwise."""
        if self._connected and self._page.unsent:
            self._page.escapes()
            self._press(lambda: self._page.types(self.world.letters.new()))
            self._page.unsent = 0

    @override
    def press(self, key: str) -> None:
        if not self._connected:
            return
        page, random = self._page, self.random
        if self._gentle and key not in {"type", "paste", "places", "enter"}:
            key = "type"
        page.now_ms += random.choice((20, 20, 700))
        match key:
            case "type":
                letter = self.world.letters.new(astral=random.random() < 0.1)
                self._press(lambda: page.types(letter))
            case "delete":
                self._press(random.choice((page.backspace, page.backspace, page.delete)))
            case "replace":
                start = self._place()
                end = min(len(page.text), start + 1 + random.randrange(5))
                page.selects((start, end - splits_pair(page.text, end)))
                letter = self.world.letters.new()
                self._press(lambda: page.types(letter))
            case "paste":
                if self._gentle or random.random() < 0.7:
                    text = "\n".join(self.world.letters.new() for _ in range(3))
                else:
                    # Of a length that no other text has, for lengths are all that tells of it.
                    text = "\n".join(["long" * random.randrange(50, 250)] * 40)
                self._press(lambda: page.pastes(text))
            case "undo":
                self._press(random.choice((page.undoes, page.undoes, page.redoes)))
            case "enter":
                self._press(page.enter)
            case _:
                page.clicks(self._place())

    def _place(self) -> int:
        place = self.random.randrange(len(self._page.text) + 1)
        return place - splits_pair(self._page.text, place)

    def _press(self, key: "Key") -> None:
        page = self._page
        before, unsent = page.text, page.unsent
        key()
        letters = self.world.letters
        for frame in page.takes_sent():
            if isinstance(frame, InsertValue):
                typed = letters.edited(self.name, before, frame.change_set(), rough=True)
                self._typed += typed
                if self._refusable:
                    letters.doubt(typed)
                self.tell(f"sends {[(each.start, each.end, each.insert) for each in frame.changes]}")
            if self._socket is not None:
                self._socket.send_text(as_json(frame))
        if page.unsent > unsent:
            self.world.story.happened(self.name, "a transaction of more than 32 lines is not sent")
            # A page may hold half a pair until the server has healed it.
            old, new = (Counter(from_units(replace_lone_surrogates(units))) for units in (before, page.text))
            letters.know(filter(is_letter, (old - new) + (new - old)))

    def _on_text(self, message: str) -> None:
        if '"connected"' in message:
            self._connected = True
            if not self._stock_world.knows_since(self, self._loaded):
                # No server can know what the page shows before the page's first key.
                self.world.story.happened(self.name, "a page is older than the log, and is loaded again")
                self.crashes()
                self.comes_later(self.random.random())
            return
        page = self._page
        dropped = page.dropped
        frame = from_json(message)
        if isinstance(frame, InsertValue) and frame.doc_length > _LONG_TEXT:
            (change,) = frame.changes
            if change.start == 0 and change.end == frame.doc_length:
                self.world.story.count("stock editor healed by replacement")
        page.receives(frame)
        if page.dropped > dropped:
            self.world.story.count("stock editor dropped a frame")
        for frame in page.takes_sent():
            # An echo of a selection.
            if self._socket is not None:
                self._socket.send_text(as_json(frame))

    def _on_end(self, code: int | None, reason: str) -> None:
        if not self.here:
            return
        self.tell(f"connection ended: {code} {reason}")
        self._go()
        self.comes_later(0.3 + self.random.random())


class Key(Protocol):
    """Something that a person does at a page."""

    def __call__(self) -> None:
        """Do it."""
