"""The Python client for programs without trio, in a thread of its own: `with connect(url) as codespace:`.

For scripts, Django and notebooks, and for asyncio by `asyncio.to_thread`. The
calls are those of `pyshare.client`, and block. Any thread may make them.
"""

import atexit
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from functools import partial
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

import trio
from typing_extensions import override

from pyshare.client.checks import Range
from pyshare.client.codespace import Codespace as TrioCodespace
from pyshare.client.committed import Update
from pyshare.client.errors import CodespaceClosed
from pyshare.client.events import Event
from pyshare.client.link import ClientLimits, State
from pyshare.client.marks import Mark as TrioMark
from pyshare.client.stay import connect as connect_in_trio
from pyshare.client.transport import OpenConnection
from pyshare.core.changeset import Change
from pyshare.core.errors import CloseCode, PyshareError
from pyshare.core.protocol import Limits, Mode, Peer, Storage

__all__ = ["Codespace", "Mark", "Stream", "connect"]

_Result = TypeVar("_Result")
_Item = TypeVar("_Item")


def connect(
    url: str,
    *,
    name: str = "",
    session: bytes | None = None,
    patient: bool = False,
    save_seconds: float = 15,
    limits: ClientLimits | None = None,
    open_connection: OpenConnection | None = None,
) -> "Codespace":
    """Be a client of the codespace at `url` until `close`, or for as long as the body of a `with` takes.

    Waits for the server's welcome; arguments and errors are those of
    `pyshare.client.connect`. A codespace that nobody has closed is closed when
    the program ends. A process that is forked has no client: connect behind the fork.
    """
    stay = partial(
        connect_in_trio,
        url,
        name=name,
        session=session,
        patient=patient,
        save_seconds=save_seconds,
        limits=limits,
        open_connection=open_connection,
    )
    return Codespace(_Thread(stay))


class _Thread:
    """The thread in which trio runs one stay in a codespace."""

    def __init__(self, stay: Callable[[], AbstractAsyncContextManager[TrioCodespace]]) -> None:
        self._stay = stay
        # What leads into trio's thread; the codespace there, or why there is none; and how the stay has ended.
        self._started: Future[trio.lowlevel.TrioToken] = Future()
        self._opened: Future[TrioCodespace] = Future()
        self._ended: Future[None] = Future()
        # Set when the stay is to end; cancelled when it is to end at once.
        self._leave = trio.Event()
        self._scope = trio.CancelScope()
        # Whether somebody has closed it.
        self._closed = False
        threading.Thread(target=self._run, name="pyshare client", daemon=True).start()
        self._token = self._started.result()
        try:
            self.codespace = self._opened.result()
        finally:
            if not self._opened.done():
                # Interrupted: nobody has the codespace.
                self._soon(self._scope.cancel)
        atexit.register(self.close)

    def _run(self) -> None:
        """Run the stay, and tell whoever waits how it has ended."""
        error: Exception | None = CodespaceClosed(CloseCode.OUR_FAULT, "the client failed, see its traceback")
        try:
            trio.run(self._main)
            error = None
        except (PyshareError, ValueError) as raised:
            error = raised
        finally:
            if error is None:
                self._ended.set_result(None)
            else:
                (self._ended if self._opened.done() else self._opened).set_exception(error)

    async def _main(self) -> None:
        self._started.set_result(trio.lowlevel.current_trio_token())
        with self._scope:
            async with self._stay() as opened:
                self._opened.set_result(opened)
                await self._leave.wait()

    def call(self, function: Callable[[TrioCodespace], _Result]) -> _Result:
        """Return what `function` returns in trio's thread, or here when that has ended."""
        try:
            return trio.from_thread.run_sync(function, self.codespace, trio_token=self._token)
        except trio.RunFinishedError:
            return function(self.codespace)

    def wait(self, function: Callable[[TrioCodespace], Awaitable[_Result]], timeout: float | None) -> _Result:
        """Return what `function` returns in trio's thread, within so many seconds.

        Raises:
            TimeoutError: if it takes longer.
            CodespaceClosed: if the client has left by then.
        """

        async def limited() -> _Result:
            # Whatever is waited for, the wait ends when the client has left.
            with trio.fail_after(float("inf") if timeout is None else timeout, shield=True):
                return await function(self.codespace)

        try:
            return trio.from_thread.run(limited, trio_token=self._token)
        except trio.TooSlowError:
            raise TimeoutError(f"not within {timeout:g} seconds") from None
        except trio.RunFinishedError:
            raise CodespaceClosed(CloseCode.DONE, "this client has left the codespace") from None

    def close(self, *, at_once: bool = False) -> None:
        """End the stay and wait for its end; interrupted, it ends at once. The first call has the errors of the end."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        try:
            self._soon(self._scope.cancel if at_once else self._leave.set)
            self._ended.result()
        finally:
            if not self._ended.done():
                self._soon(self._scope.cancel)

    def _soon(self, function: Callable[[], None]) -> None:
        try:
            self._token.run_sync_soon(function)
        except trio.RunFinishedError:
            # It has ended by itself.
            return


class Codespace:
    """One shared text and who else is there; made by `connect`. See `pyshare.client.Codespace`, of which this is one.

    Calls that wait take a `timeout` in seconds, and raise `TimeoutError` after it; None waits for ever. Other
    clients can change the text between two calls: `do` makes several steps one.
    """

    def __init__(self, thread: _Thread) -> None:
        self._thread = thread

    def __enter__(self) -> Self:
        """Return the codespace."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it; at once, if the body has raised."""
        self._thread.close(at_once=kind is not None)

    def close(self) -> None:
        """Leave when the server has confirmed all edits, within `save_seconds`; a second call does nothing.

        Raises:
            EditsUnconfirmed: if they are not confirmed in time; has the text.
            EditsRefused: if edits were refused that nobody was told of.
        """
        self._thread.close()

    def do(self, function: Callable[[TrioCodespace], _Result]) -> _Result:
        """Return `function(codespace)`, called with the `pyshare.client.Codespace` in the client's own thread.

        Nobody else changes the text while it runs, so what it reads is what it
        edits. It must not wait, and only the client stands still if it takes long.
        """
        return self._thread.call(function)

    @property
    def text(self) -> str:
        """The text with one's own edits, committed or not."""
        return self.do(lambda here: here.text)

    @property
    def length(self) -> int:
        """Length of the text in characters."""
        return self.do(lambda here: here.length)

    @property
    def version(self) -> int:
        """Number of updates known to be committed."""
        return self.do(lambda here: here.version)

    @property
    def committed_text(self) -> str:
        """The text that is committed, without edits of one's own that are not."""
        return self.do(lambda here: here.committed_text)

    @property
    def id(self) -> str:
        """This client's public id."""
        return self.do(lambda here: here.id)

    @property
    def name(self) -> str:
        """The name that the others are shown."""
        return self.do(lambda here: here.name)

    @property
    def session(self) -> bytes:
        """This client's secret."""
        return self.do(lambda here: here.session)

    @property
    def limits(self) -> Limits:
        """The server's limits."""
        return self.do(lambda here: here.limits)

    @property
    def mode(self) -> Mode:
        """Whether this client may edit."""
        return self.do(lambda here: here.mode)

    @property
    def storage(self) -> Storage:
        """Whether edits are being committed."""
        return self.do(lambda here: here.storage)

    @property
    def storage_reason(self) -> str:
        """Reason why edits are not being committed; empty while they are."""
        return self.do(lambda here: here.storage_reason)

    @property
    def peers(self) -> Mapping[str, Peer]:
        """Others who are here, by id."""
        return self.do(lambda here: here.peers)

    @property
    def selections(self) -> Mapping[str, tuple[Range, ...]]:
        """Selections of the others, by id, as (anchor, head) in the text."""
        return self.do(lambda here: here.selections)

    @property
    def selected(self) -> tuple[Range, ...]:
        """Selections of this client, as (anchor, head) in the text."""
        return self.do(lambda here: here.selected)

    @property
    def state(self) -> State:
        """State of the connection."""
        return self.do(lambda here: here.state)

    @property
    def ended(self) -> str:
        """Reason why the last connection, or attempt, has ended; empty if none has."""
        return self.do(lambda here: here.ended)

    @property
    def unconfirmed(self) -> int:
        """Number of edits that are neither known to be committed nor refused."""
        return self.do(lambda here: here.unconfirmed)

    # Edits: see those of `pyshare.client.Codespace`.

    def insert(self, pos: int, text: str) -> None:
        """Insert `text` before the character at `pos`."""
        self.do(lambda here: here.insert(pos, text))

    def append(self, text: str) -> None:
        """Insert `text` at the end."""
        self.do(lambda here: here.append(text))

    def delete(self, start: int, end: int) -> None:
        """Delete the characters from `start` up to `end`."""
        self.do(lambda here: here.delete(start, end))

    def replace(self, start: int, end: int, text: str) -> None:
        """Put `text` in place of the characters from `start` up to `end`."""
        self.do(lambda here: here.replace(start, end, text))

    def set_text(self, text: str) -> None:
        """Make the text equal `text` by a small edit; see `do` for a text that was made from the present one."""
        self.do(lambda here: here.set_text(text))

    def edit(self, changes: Sequence[Change]) -> None:
        """Make several changes as one edit; all positions are those of the text before."""
        self.do(lambda here: here.edit(changes))

    def select(self, ranges: Sequence[Range]) -> None:
        """Show the others cursors and selections."""
        self.do(lambda here: here.select(ranges))

    def mark(self, pos: int, *, behind: bool = False) -> "Mark":
        """Return a mark at `pos`, which moves with the text."""
        return Mark(self._thread, self.do(lambda here: here.mark(pos, behind=behind)))

    # Waiting.

    def wait_confirmed(self, *, timeout: float | None = None) -> None:
        """Wait until every edit made so far is committed."""
        self._thread.wait(lambda here: here.wait_confirmed(), timeout)

    def save(self, seconds: float) -> None:
        """Wait until every edit made so far is committed, for so many seconds at most."""
        self._thread.wait(lambda here: here.save(seconds), None)

    def wait_text(self, wanted: str | Callable[[str], bool], *, timeout: float | None = None) -> None:
        """Wait until the text is `wanted`, or one for which it returns true."""
        self._thread.wait(lambda here: here.wait_text(wanted), timeout)

    def wait_quiet(self, seconds: float, *, timeout: float | None = None) -> None:
        """Wait until nobody has changed the text for so many seconds."""
        self._thread.wait(lambda here: here.wait_quiet(seconds), timeout)

    def wait_version(self, version: int, *, timeout: float | None = None) -> None:
        """Wait until at least `version` updates are known to be committed."""
        self._thread.wait(lambda here: here.wait_version(version), timeout)

    def wait_connected(self, *, timeout: float | None = None) -> None:
        """Wait until there is a connection."""
        self._thread.wait(lambda here: here.wait_connected(), timeout)

    def rename(self, name: str, *, timeout: float | None = None) -> None:
        """Have the others shown another name, by a new connection."""
        self._thread.wait(lambda here: here.rename(name), timeout)

    def reconnect(self, *, timeout: float | None = None) -> None:
        """Drop the connection if there is one, and connect again without a pause."""
        self._thread.wait(lambda here: here.reconnect(), timeout)

    # Following.

    def events(self) -> "Stream[Event]":
        """Return a stream of what happens from now on, for one reader."""
        return Stream(self._thread, self.do(lambda here: here.events()))

    def updates(self, *, since: int | None = None) -> "Stream[Update]":
        """Return a stream of what is committed after version `since`, or from now on, for one reader."""
        return Stream(self._thread, self.do(lambda here: here.updates(since=since)))


class Mark:
    """A position that moves with the text; see `pyshare.client.Mark`."""

    def __init__(self, thread: _Thread, mark: TrioMark) -> None:
        self._thread = thread
        self._mark = mark

    @property
    def pos(self) -> int:
        """The position now, in characters."""
        return self._thread.call(lambda _: self._mark.pos)


class _Source(Protocol[_Item]):
    def __anext__(self) -> Awaitable[_Item]: ...

    def read_nowait(self) -> list[_Item]: ...


class Stream(Iterator[_Item], Generic[_Item]):
    """Events or updates, one after the other; waits for the next one, and ends by raising CodespaceClosed."""

    def __init__(self, thread: _Thread, source: _Source[_Item]) -> None:
        self._thread = thread
        self._source = source

    @override
    def __next__(self) -> _Item:
        """Return the next one, as soon as there is one."""
        return self.read()

    def read(self, *, timeout: float | None = None) -> _Item:
        """Return the next one, as soon as there is one.

        Raises:
            TimeoutError: if there is none in time.
            CodespaceClosed: after the last one.
        """
        return self._thread.wait(lambda _: self._source.__anext__(), timeout)

    def read_nowait(self) -> list[_Item]:
        """Return all that wait to be read, oldest first, without waiting for any."""
        return self._thread.call(lambda _: self._source.read_nowait())
