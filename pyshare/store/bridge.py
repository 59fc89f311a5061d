"""A connection to Redis that is kept up: redis-py's, on the asyncio side of trio-asyncio.

The only module that imports redis-py or trio-asyncio. Connections are driven
here without redis-py's client: what many ask for at once goes out in one write
and is answered in one go, which its pipelines do at twice the processor time.

Functions of the asyncio side end in `_aio`. What they share with tasks of trio
are plain values and events, since all of it is one thread. Nobody's cancel
scope reaches a command that was sent, for an answer that is not read would be
taken for that of the next one; a connection ends when it breaks, when the
server is silent for longer than it may be, or when its `Line` is cancelled.
"""

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, cast

import trio
import trio_asyncio
from redis.asyncio import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    MaxConnectionsError,
    RedisError,
    ResponseError,
)
from redis.maint_notifications import MaintNotificationsConfig

from pyshare.core.errors import ConfigurationError
from pyshare.store.interface import StoreUnavailable
from pyshare.store.refusals import NotPermitted, Refused, refused

logger = logging.getLogger(__name__)

#: A word of a command.
Word = str | bytes | int


Reply = bytes | int | None | Refused | list["Reply"]


@dataclass(frozen=True, slots=True)
class LineLimits:
    """How patient a line is."""

    #: Seconds in which the server must have been reached first; then it is taken not to be there.
    start_seconds: float = 10
    #: Seconds to connect, and in which the server has to give each answer that is waited for.
    answer_seconds: float = 5
    #: Bytes of commands for which the server has a second more.
    sent_bytes_per_second: int = 1_048_576
    #: Seconds before the first and, doubled each time, at most before a later try to connect again.
    first_retry_seconds: float = 0.05
    last_retry_seconds: float = 1


class _RedisConnection(Protocol):
    """What is used of redis-py's connections, whichever kind the address asks for."""

    async def connect(self) -> None:
        """Connect, authenticate and select the database."""

    async def disconnect(self, nowait: bool = False) -> None:
        """Close the connection, without waiting for that if `nowait`."""

    def pack_commands(self, commands: Iterable[Sequence[Word]]) -> list[bytes]:
        """Return the bytes that say `commands`."""

    async def send_packed_command(self, command: Iterable[bytes], check_health: bool = True) -> None:
        """Write what `pack_commands` returned."""

    async def read_response(self, disable_decoding: bool = False) -> Reply:
        """Read one answer, however long it takes; raise ResponseError if it is an error."""


@asynccontextmanager
async def open_bridge() -> AsyncIterator[None]:
    """Have the asyncio side run, which every line needs, until the context is left."""
    async with trio_asyncio.open_loop():
        yield


class Server:
    """A Redis server by its URL, and how to connect to it."""

    def __init__(self, url: str) -> None:
        """Understand `url`; nothing is connected yet.

        Raises:
            ConfigurationError: if it is no URL of a Redis server.
        """
        try:
            self._pool = ConnectionPool.from_url(
                url,
                protocol=2,
                # A time limit of redis-py's own swallows cancellation on Python 3.11; a line has its own.
                socket_timeout=None,
                socket_connect_timeout=None,
                # Nothing is sent twice that was not asked for twice.
                retry=Retry(NoBackoff(), 0),
                maint_notifications_config=MaintNotificationsConfig(enabled=False),
            )
        except ValueError as error:
            raise ConfigurationError(f"the Redis URL cannot be used: {error}") from None
        settings = self._pool.connection_kwargs
        # Number of the database.
        self.database = int(settings.get("db") or 0)
        # How to name it to people; never with its password.
        place = settings.get("path") or f"{settings.get('host', 'localhost')}:{settings.get('port', 6379)}"
        self.name = f"Redis at {place}, database {self.database}"

    def new_connection(self) -> _RedisConnection:
        """Return a connection that is not connected yet."""
        return cast(_RedisConnection, self._pool.make_connection())  # type: ignore[no-untyped-call]


class Line:
    """One connection after the other, with pauses between, and what is done on each.

    `serve_aio` uses a connection until it raises, what it met itself as
    StoreUnavailable or ConfigurationError; `on_lost` is told why there
    is none, whenever one has ended or could not be had.
    """

    def __init__(
        self,
        server: Server,
        serve_aio: Callable[[], Awaitable[None]],
        on_lost: Callable[[StoreUnavailable], None],
        *,
        name: str,
        limits: LineLimits,
    ) -> None:
        self._server = server
        self._serve_aio = serve_aio
        self._on_lost = on_lost
        self._name = name
        self._limits = limits
        # The present connection.
        self._connection: _RedisConnection | None = None
        # Why nothing can be asked at the moment; None if it can.
        self.down: StoreUnavailable | None = StoreUnavailable(f"{server.name}: not connected yet")
        # Called when the first connection is up, and none after.
        self._on_started: Callable[[], None] | None = None
        # What ends the connection when the server is silent, or when it is dropped, and why it was dropped.
        self._patience = trio.CancelScope()
        self._dropped: str | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep a connection until cancelled; `started` once `serve_aio` has called `up` the first time.

        Raises:
            ConfigurationError: if the server does not let this one in.
            StoreUnavailable: if it is not there when it should be first.
        """
        limits = self._limits
        started = False
        pause = limits.first_retry_seconds

        def on_started() -> None:
            nonlocal started
            started = True
            task_status.started()

        self._on_started = on_started
        give_up = trio.current_time() + limits.start_seconds
        try:
            while True:
                error = await self._connect_and_serve()
                reason = f"{self._server.name}: {_sentence(error)}"
                if not started and _is_permanent(error):
                    raise ConfigurationError(reason) from error
                if not started and trio.current_time() > give_up:
                    raise StoreUnavailable(f"{reason}; tried for {limits.start_seconds:g} seconds") from error
                if self.down is None:
                    pause = limits.first_retry_seconds
                if self.down is None or str(self.down) != reason:
                    logger.warning("no connection", extra={"line": self._name, "error": reason})
                self._lose(reason, _public(error))
                await trio.sleep(pause)
                pause = min(2 * pause, limits.last_retry_seconds)
        finally:
            self._lose(f"{self._server.name}: the connection is closed", None)

    def up(self) -> None:
        """Things can be asked from now on."""
        if self._on_started is None:
            logger.info("connected again", extra={"line": self._name, "server": self._server.name})
        else:
            self._on_started()
            self._on_started = None
        self.down = None

    def expect(self, seconds: float | None = None) -> None:
        """Give the server so many seconds from now to say something, as many as for an answer unless given."""
        self._patience.deadline = trio.current_time() + (self._limits.answer_seconds if seconds is None else seconds)

    def expect_answer(self, sent_bytes: int) -> None:
        """Give the server time to read so many bytes, and then as long as for any answer."""
        limits = self._limits
        self.expect(limits.answer_seconds + sent_bytes / limits.sent_bytes_per_second)

    def expect_nothing(self) -> None:
        """Let the server be silent."""
        self._patience.deadline = math.inf

    def drop(self, reason: str) -> None:
        """End the present connection; another one follows, to wherever the address leads then."""
        self._dropped = reason
        self._patience.cancel()

    def check(self) -> None:
        """Raise why nothing can be asked, if that is so.

        Raises:
            StoreUnavailable: with the reason for which there is no connection.
        """
        if self.down is not None:
            raise StoreUnavailable(str(self.down), public=self.down.public)

    async def send_aio(self, commands: Iterable[Sequence[Word]]) -> None:
        """Write `commands` at once."""
        connection = self._connected()
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)

    async def receive_aio(self) -> Reply:
        """Read the server's next word, however long it takes.

        Raises:
            StoreUnavailable: if it is the word of a server that is not the one to ask: the connection ends.
        """
        try:
            return await self._connected().read_response(disable_decoding=True)
        except ResponseError as error:
            answer = refused(_sentence(error), getattr(error, "status_code", None))
        if answer.elsewhere:
            raise answer.error()
        return answer

    async def ask_aio(self, *words: Word) -> Reply:
        """Send one command and read its answer."""
        self.expect()
        await self.send_aio([words])
        return await self.receive_aio()

    async def send(self, commands: Iterable[Sequence[Word]]) -> None:
        """Write `commands` from the side of trio; if that fails, the connection ends."""
        with trio.CancelScope() as scope:
            scope.deadline = trio.current_time() + self._limits.answer_seconds
            try:
                await trio_asyncio.aio_as_trio(self.send_aio)(commands)
            except (RedisError, OSError) as error:
                self.drop(_sentence(error))
        if scope.cancelled_caught:
            self.drop(self._silence())

    async def _connect_and_serve(self) -> Exception:
        """Serve on a new connection until it ends; return why it did."""
        self._dropped = None
        with trio.CancelScope() as self._patience:
            self.expect()
            try:
                await trio_asyncio.aio_as_trio(self._use_aio)()
            except (RedisError, OSError, ConfigurationError, StoreUnavailable) as error:
                return error
        return self._given_up()

    def _given_up(self) -> TimeoutError:
        return TimeoutError(self._dropped or self._silence())

    def _silence(self) -> str:
        return f"no answer within {self._limits.answer_seconds:g} seconds"

    def _lose(self, reason: str, public: str | None) -> None:
        self.down = StoreUnavailable(reason, public=public)
        self._on_lost(self.down)

    async def _use_aio(self) -> None:
        connection = self._connection = self._server.new_connection()
        try:
            await connection.connect()
            await self._serve_aio()
        finally:
            self._connection = None
            await connection.disconnect(nowait=True)  # noqa: ASYNC102 - it does not wait

    def _connected(self) -> _RedisConnection:
        if self._connection is None:
            raise ConnectionResetError("the connection has ended")
        return self._connection


class Signal:
    """What a function of the asyncio side waits for, and either side sets."""

    def __init__(self) -> None:
        """Make it on the asyncio side."""
        self._event = asyncio.Event()

    def set(self) -> None:
        """Let the one who waits go on, or the next who does."""
        self._event.set()

    async def wait_aio(self) -> None:
        """Wait until it is set, and take that back."""
        await self._event.wait()
        self._event.clear()


def _sentence(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _is_permanent(error: BaseException) -> bool:
    """Whether trying again as before is no use: a wrong password or database, not a server that is starting."""
    # What redis-py meets when it connects comes wrapped in an error of the connection.
    kinds = (error, error.__cause__)
    if any(isinstance(each, BusyLoadingError | MaxConnectionsError) for each in kinds):
        return False
    permanent = AuthenticationError | ResponseError | ConfigurationError | NotPermitted
    return any(isinstance(each, permanent) for each in kinds)


def _public(error: BaseException) -> str | None:
    """Return what may be told to anybody of why there is no connection; None if nothing is known."""
    if isinstance(error, StoreUnavailable):
        return error.public
    if isinstance(error, BusyLoadingError) or isinstance(error.__cause__, BusyLoadingError):
        return refused("", "LOADING").error().public
    return None
