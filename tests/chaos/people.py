"""People at editors of every kind, who type letters that are there once until they are told to stop."""

import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final, Protocol
from urllib.parse import urlsplit

import httpx
import trio
from trio_websocket import ConnectionClosed, HandshakeError, wrap_client_stream

from pyshare.client import Codespace, connect
from pyshare.client.events import EditRefused
from pyshare.core.units import from_units, splits_pair, to_units
from simulation.stock_model import FrontEnd, InsertValue
from simulation.stock_model.wire import as_json, from_json
from tests.chaos.judge import FIRST_LETTER, Typed, is_letter

ROOT: Final = Path(__file__).parent.parent.parent
#: Seconds between two keys of one person, about.
KEY_SECONDS: Final = 0.25
#: Letters that one person can type.
LETTERS: Final = 1500
_FILLERS: Final = ("", "", "", "-", "\U0001f600", "\n")


class Person(Protocol):
    """Somebody, or several people, at editors of one kind."""

    async def type(self) -> None:
        """Begin to type."""

    async def stop(self) -> None:
        """Type no more."""

    async def look(self) -> "list[Seen]":
        """Return what is on each screen, and what was typed there."""


class Seen:
    """One screen at one moment."""

    def __init__(self, text: str, typed: Typed, *, at_rest: bool) -> None:
        self.text = text
        self.typed = typed
        # Whether everything is confirmed, as far as the editor knows.
        self.at_rest = at_rest


class Hand:
    """What one person types, and has typed."""

    def __init__(self, name: str, number: int, random: Random, *, ordered: bool = True) -> None:
        self.name = name
        self._ordered = ordered
        self.random = random
        self.words: list[str] = []
        self.maybe = ""
        self._letters: Iterator[str] = iter(letters_of(number))

    def next(self, text: str) -> tuple[int, str]:
        """Return what is typed next into a text, and where; half a pair in a units string stays with the other half."""
        letter = next(self._letters)
        last = self.words[-1][-1] if self.words else ""
        place = text.find(last) + 1 if last else 0
        if not place or self.random.random() < 0.1:
            self.words.append("")
            place = self.random.randrange(len(text) + 1)
            place -= splits_pair(text, place)
        self.words[-1] += letter
        return place, letter + self.random.choice(_FILLERS)

    async def pause(self) -> None:
        """Pause between two keys."""
        await trio.sleep(KEY_SECONDS * 2 * self.random.random())

    @property
    def typed(self) -> Typed:
        """What was typed so far."""
        return Typed(self.name, tuple(self.words), self.maybe, self._ordered)


def letters_of(number: int) -> str:
    """Return the letters of the person with a number in the codespace."""
    first = FIRST_LETTER + number * LETTERS
    return "".join(map(chr, range(first, first + LETTERS)))


class PythonPerson:
    """A program with the Python client."""

    def __init__(self, hand: Hand, codespace: Codespace) -> None:
        self._hand = hand
        self._codespace = codespace
        self._go = trio.Event()

    async def run(self) -> None:
        """Type when told to, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            while True:
                await self._go.wait()
                # Positions of this client are those of Python's strings.
                self._codespace.insert(*self._hand.next(self._codespace.text))
                await self._hand.pause()

    async def _watch(self) -> None:
        async for event in self._codespace.events():
            if isinstance(event, EditRefused):
                self._hand.maybe += "".join(filter(is_letter, "".join(each.insert for each in event.changes)))

    async def type(self) -> None:
        self._go.set()

    async def stop(self) -> None:
        self._go = trio.Event()

    async def look(self) -> list[Seen]:
        return [Seen(self._codespace.text, self._hand.typed, at_rest=self._codespace.unconfirmed == 0)]


class StockPerson:
    """Somebody at a stock editor, who loads the page anew when it says that the session has expired."""

    def __init__(self, hand: Hand, url: str, http: str) -> None:
        self._hand = hand
        self._url = url
        self._http = http
        self._front_end: FrontEnd | None = None
        self._go = trio.Event()
        # What was typed on this connection, and whether there is one.
        self._here = ""
        self._connected = False

    async def run(self) -> None:
        """Be there until cancelled."""
        while True:
            try:
                text = await self._load()
                self._here = ""
                address = urlsplit(self._url)
                async with await trio.open_tcp_stream(address.hostname or "", address.port or 0) as stream:
                    await self._attend(stream, text)
            except* (ConnectionClosed, HandshakeError, OSError, httpx.HTTPError, trio.TooSlowError):
                # What was on its way is told to be lost by the page.
                self._hand.maybe += self._here
                self._here, self._connected = "", False
            await trio.sleep(0.2 + 0.5 * self._hand.random.random())

    async def _attend(self, stream: trio.SocketStream, text: str) -> None:
        """Be at the page that has loaded `text`, until the connection ends."""
        address = urlsplit(self._url)
        async with trio.open_nursery() as nursery:
            with trio.fail_after(10):
                socket = await wrap_client_stream(
                    nursery, stream, address.netloc, address.path, message_queue_size=64, max_message_size=2**22
                )
            self._front_end = FrontEnd(text)
            nursery.start_soon(self._type, socket.send_message)
            while True:
                self._receive(await socket.get_message())

    async def _load(self) -> str:
        with trio.fail_after(5):
            async with httpx.AsyncClient() as client:
                answer = await client.get(self._http)
        if answer.status_code not in {200, 404}:
            raise httpx.HTTPError(f"the text is not there: {answer.status_code}")
        return answer.text if answer.status_code == 200 else ""

    def _receive(self, message: str | bytes) -> None:
        assert isinstance(message, str)
        assert self._front_end is not None
        if '"connected"' in message:
            self._connected = True
        else:
            self._front_end.receives(from_json(message))

    async def _type(self, send: "Send") -> None:
        while True:
            await self._go.wait()
            front_end = self._front_end
            if front_end is not None and self._connected:
                place, text = self._hand.next(front_end.text)
                self._here += text[0]
                front_end.clicks(place)
                front_end.types(to_units(text))
                for frame in front_end.takes_sent():
                    if isinstance(frame, InsertValue):
                        with trio.fail_after(10):
                            await send(as_json(frame))
            await self._hand.pause()

    async def type(self) -> None:
        self._go.set()

    async def stop(self) -> None:
        self._go = trio.Event()

    async def look(self) -> list[Seen]:
        text = from_units(self._front_end.text) if self._front_end is not None else ""
        return [Seen(text, self._hand.typed, at_rest=self._connected)]


class Send(Protocol):
    """Sends a message."""

    async def __call__(self, message: str) -> None:
        """Send it."""


class NodePeople:
    """People at editors in one process of Node."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._lines = b""

    async def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.send_all(f"{word}\n".encode())

    async def type(self) -> None:
        await self._say("type")

    async def stop(self) -> None:
        await self._say("stop")

    async def look(self) -> list[Seen]:
        await self._say("report")
        told: list[dict[str, object]] = json.loads(await self._line())
        seen = []
        for each in told:
            words = each["words"]
            assert isinstance(words, list)
            typed = Typed(str(each["name"]), tuple(map(str, words)), str(each["maybe"]))
            seen.append(Seen(str(each["text"]), typed, at_rest=each["atRest"] is True))
        return seen

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        while b"\n" not in self._lines:
            data = await self._process.stdout.receive_some()
            if not data:
                raise RuntimeError("editors in Node have ended; their last words are above")
            self._lines += data
        line, _, self._lines = self._lines.partition(b"\n")
        return line


@asynccontextmanager
async def open_node(
    folder: Path, url: str, names: list[str], first: int, seed: int, *, deletes: bool
) -> AsyncIterator[NodePeople]:
    """Run chaos.mjs of a folder with people of these names, who may delete what is not counted."""
    people = [{"name": name, "letters": letters_of(first + index)} for index, name in enumerate(names)]
    pause_ms = KEY_SECONDS * 1000
    body = json.dumps({"url": url, "seed": seed, "pauseMs": pause_ms, "deletes": deletes, "people": people})
    process = await trio.lowlevel.open_process(
        ["node", "chaos.mjs", body], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield NodePeople(process)
    finally:
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    await pipe.aclose()


@asynccontextmanager
async def open_python(hand: Hand, url: str) -> AsyncIterator[PythonPerson]:
    """Have somebody with the Python client join; one whom the server sends away fails."""
    async with connect(url, name=hand.name, patient=True) as codespace, trio.open_nursery() as nursery:
        person = PythonPerson(hand, codespace)
        nursery.start_soon(person.run)
        yield person
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_stock(hand: Hand, url: str, http: str) -> AsyncIterator[StockPerson]:
    """Have somebody at a stock editor join, who loads the text from `http`."""
    async with trio.open_nursery() as nursery:
        person = StockPerson(hand, url, http)
        nursery.start_soon(person.run)
        yield person
        nursery.cancel_scope.cancel()
