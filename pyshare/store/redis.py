"""The store on Redis or Valkey, which any number of instances share, and the API with them.

What lies where is in `layout.py`; each step that has to be atomic is a Lua
script in `scripts/`. This module knows what is asked, and what the answers mean.
"""

import logging
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio

from pyshare.core.document import Update
from pyshare.core.names import public_name
from pyshare.core.presence import Announcement
from pyshare.store import lua
from pyshare.store.bridge import Reply, Server, Word, open_bridge
from pyshare.store.fates import Fates, event_topics, warn_of
from pyshare.store.greeting import MARK, PROBED, PROBED_MILLISECONDS, greet_aio, refusal_in
from pyshare.store.holdings import Holdings, Sight
from pyshare.store.interface import (
    Appended,
    Committed,
    Conflict,
    Deleted,
    Gap,
    Gone,
    Lost,
    Snapshot,
    Standing,
    StoreEvent,
    StoreLimits,
    StoreUnavailable,
    Tail,
)
from pyshare.store.lanes import AskAio, CommandLane, CommandStatistics, LaneLimits, TopicLane
from pyshare.store.layout import (
    GAP,
    held_seqs,
    keys_of,
    last_seqs_of,
    new_fields,
    origin_prefix,
    other_fields,
    read_event,
    read_standing,
    write_announcement,
    write_committed,
    write_text,
    write_update,
)
from pyshare.store.pages import Found, found_in, read_following, read_tail, read_whole, unexpected
from pyshare.store.refusals import Refused
from pyshare.store.subscriptions import Subscriptions
from pyshare.store.unheard import Unheard

logger = logging.getLogger(__name__)

#: Conflicts in a row after which the next append is claimed, and for how long: a slower instance, or one that is
#: farther away, would always come too late beside one that appends without pause.
_PATIENT_CONFLICTS = 2
_TURN_MILLISECONDS = 100
#: Times that a codespace is read in parts, if it changes in between.
_TRIES = 5


class RedisStore:
    """The `Store` on a Redis server."""

    def __init__(
        self,
        url: str,
        limits: StoreLimits,
        *,
        lane_limits: LaneLimits | None = None,
        subscription_events: int = 256,
    ) -> None:
        """Make the store; nothing is connected before `run`.

        Raises:
            ConfigurationError: if `url` is no URL of a Redis server.
        """
        self._limits = limits
        self._server = Server(url)
        lane_limits = lane_limits or LaneLimits()
        self._commands = CommandLane(
            self._server, self._greet_aio, self._doubt_all, self._on_commands_lost, limits=lane_limits
        )
        # The topic of each keyspace event.
        self._event_topics = event_topics(self._server.database)
        self._topics = TopicLane(
            self._server,
            self._on_message,
            self._on_topics_lost,
            self._on_gap,
            always=(*self._event_topics, MARK),
            limits=lane_limits,
        )
        # The codespaces that have subscriptions, in whose data the commands find them, and what becomes of them.
        self._holdings = Holdings()
        self._fates = Fates(
            self._event_topics,
            self._holdings,
            self._commands,
            self._topics.catch_up,
            seconds_to_live=limits.seconds_to_live,
        )
        self._subscriptions = Subscriptions(subscription_events)
        # Whether there has been a connection.
        self._greeted = False
        # The code with which writes are refused at the moment, if they are.
        self._refused: str | None = None
        # How this store's own appends are known when they are heard; and those not heard yet, by number.
        self._origin = secrets.token_urlsafe(8)
        self._origin_prefix = origin_prefix(self._origin)
        self._last_number = 0
        self._unheard = Unheard()

    def statistics(self) -> CommandStatistics:
        """Return what was asked of the server so far."""
        return self._commands.statistics()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; see `Store.run`."""
        try:
            async with open_bridge(), trio.open_nursery() as nursery:
                await nursery.start(partial(self._commands.run), name="lane of commands")
                await nursery.start(partial(self._topics.run), name="lane of topics")
                nursery.start_soon(self._fates.poll, self._on_missing, name="poll of codespaces in use")
                task_status.started()
        finally:
            done = self._commands.statistics()
            logger.info("store closed", extra={"commands": done.commands, "round_trips": done.batches})

    async def check(self) -> None:
        """Write something small and see that topics are heard; see `Store.check`."""
        self._topics.check()
        refusal = refusal_in(await self._run(lua.PROBE, PROBED, PROBED_MILLISECONDS))
        if refusal is not None:
            raise self._error(refusal)
        self._note_written()

    async def load(self, codespace: str, *, create: bool) -> Snapshot | None:
        """Return the codespace as it is; see `Store.load`."""
        for _ in range(_TRIES):
            sight = self._holdings.sight(codespace)
            found = await self._find(codespace, "all", create=create)
            if found is None:
                return None
            snapshot = await read_whole(self._run, found)
            if snapshot is not None and self._is_still(sight):
                if not self._holdings.is_unsure_of(codespace):
                    # Where it is held already, a log that may have parted from that is compared before it is trusted.
                    self._note_found(codespace, sight, found.fields)
                return snapshot
        raise StoreUnavailable(f"codespace {public_name(codespace)} changes faster than it can be read")

    async def look(self, codespace: str) -> Standing | None:
        """Return epoch and version of the codespace; see `Store.look`."""
        found = await self._find(codespace, "standing")
        return None if found is None else read_standing(codespace, found.fields)

    async def read_text(self, codespace: str) -> Snapshot | None:
        """Return the codespace with what follows its text; see `Store.read_text`."""
        for _ in range(_TRIES):
            sight = self._holdings.sight(codespace)
            found = await self._find(codespace, "text")
            if found is None:
                return None
            snapshot = await read_following(self._run, found)
            if snapshot is not None and self._is_still(sight):
                return snapshot
        raise StoreUnavailable(f"codespace {public_name(codespace)} changes faster than it can be read")

    async def _find(self, codespace: str, part: str, *, create: bool = False) -> Found | None:
        answer = await self._run(
            lua.LOAD,
            codespace,
            "1" if create else "0",
            secrets.token_urlsafe(),
            self._milliseconds_to_live(codespace),
            part,
            *new_fields(codespace),
        )
        return found_in(codespace, answer)

    async def append(
        self, codespace: str, epoch: str, *, expected: int, updates: Sequence[Update], text: str | None
    ) -> Appended | Conflict | Gone | Lost:
        """Commit all `updates` or none; see `Store.append`."""
        if self._holdings.is_unsure_of(codespace):
            await trio.lowlevel.checkpoint()
            return Lost()
        sight = self._holdings.sight(codespace)
        version = expected + len(updates)
        written = [write_update(update) for update in updates]
        number = self._last_number = self._last_number + 1
        weight_bytes = sum(map(len, written))
        self._unheard.add(number, Committed(version, tuple(updates), epoch), weight_bytes)
        answer = await self._run(
            lua.APPEND,
            codespace,
            epoch,
            expected,
            self._milliseconds_to_live(codespace),
            self._limits.log_updates,
            self._limits.senders,
            write_committed(self._origin, number, epoch, version, written),
            "0" if text is None else "1",
            b"" if text is None else write_text(text),
            self._origin,
            _TURN_MILLISECONDS if self._holdings.conflicts_of(codespace) >= _PATIENT_CONFLICTS else 0,
            self._limits.log_bytes,
            len(written),
            *written,
            *last_seqs_of(updates),
        )
        match answer:
            case [b"ok", int(found)]:
                self._note_written()
                self._note_found(codespace, sight)
                self._holdings.note_append(codespace, succeeded=True)
                return Appended(found)
            case [b"conflict", int(found), missed]:
                self._unheard.take(number)
                self._note_found(codespace, sight)
                self._holdings.note_append(codespace, succeeded=False)
                return Conflict(await self._read_tail(sight, codespace, epoch, expected, found, missed))
            case _:
                self._unheard.take(number)
                return await self._missing(codespace, answer)

    async def read_log(self, codespace: str, epoch: str, *, after: int) -> Tail | Gone | Lost:
        """Return the updates that follow version `after`; see `Store.read_log`."""
        if self._holdings.is_unsure_of(codespace):
            await trio.lowlevel.checkpoint()
            return Lost()
        sight = self._holdings.sight(codespace)
        answer = await self._run(lua.READ_LOG, codespace, epoch, after)
        match answer:
            case [b"ok", int(found), updates]:
                self._note_found(codespace, sight)
                return await self._read_tail(sight, codespace, epoch, after, found, updates)
            case _:
                return await self._missing(codespace, answer)

    async def put_back(self, codespace: str, held: Snapshot) -> Tail | Gone:
        """Give back what was lost of the codespace; see `Store.put_back`."""
        sight = self._holdings.sight(codespace)
        fields: list[Word] = []
        for name, value in self._holdings.fields_of(codespace).items():
            fields += [name, value]
        answer = await self._run(
            lua.PUT_BACK,
            codespace,
            held.epoch,
            held.version,
            self._milliseconds_to_live(codespace),
            secrets.token_urlsafe(),
            write_text(held.text),
            GAP,
            len(held.log),
            len(fields),
            " ".join(held.before),
            *map(write_update, held.log),
            *fields,
            *held_seqs(held),
        )
        match answer:
            case [b"ok", int(found), updates]:
                self._note_found(codespace, sight)
                return await self._read_tail(sight, codespace, held.epoch, held.version, found, updates)
            case [b"replaced"]:
                return Gone(replaced=True)
            case _:
                raise unexpected(answer)

    async def write_text(self, codespace: str, epoch: str, *, version: int, text: str) -> None:
        """Keep `text` as that of `version`; see `Store.write_text`."""
        limits = self._limits
        written = write_text(text)
        await self._run(lua.WRITE_TEXT, codespace, epoch, version, written, limits.log_updates, limits.log_bytes)

    async def touch(self, codespace: str, epoch: str) -> bool:
        """Start the time to live anew; see `Store.touch`."""
        if self._holdings.is_unsure_of(codespace):
            # Whether what is there is what was known has to be found out first.
            await trio.lowlevel.checkpoint()
            return False
        sight = self._holdings.sight(codespace)
        answer = await self._run(lua.TOUCH, codespace, epoch, self._milliseconds_to_live(codespace))
        if answer != [b"ok"]:
            return False
        self._note_found(codespace, sight)
        return True

    async def publish(self, codespace: str, announcement: Announcement) -> None:
        """Let all subscribers hear `announcement`; see `Store.publish`."""
        self._checked(await self._commands.call("PUBLISH", codespace, write_announcement(announcement)))

    @asynccontextmanager
    async def subscribe(self, codespace: str) -> AsyncIterator[trio.MemoryReceiveChannel[StoreEvent]]:
        """Open a subscription; see `Store.subscribe`."""
        self._holdings.hold(codespace)
        try:
            with self._subscriptions.open(codespace) as events:
                await self._topics.subscribe(codespace)
                yield events
        finally:
            if self._holdings.let_go(codespace):
                self._topics.unsubscribe_nowait(codespace)

    # Commands.

    async def _run(self, script: lua.Script, codespace: str, *arguments: Word) -> Reply:
        keys = keys_of(codespace)
        answer = await self._commands.call("EVALSHA", script.digest, len(keys), *keys, *arguments)
        if isinstance(answer, Refused) and answer.unknown_script:
            # The server has forgotten the scripts, before it did anything.
            answer = await self._commands.call("EVAL", script.text, len(keys), *keys, *arguments)
        return self._checked(answer)

    def _milliseconds_to_live(self, codespace: str) -> int:
        return max(1, round(1000 * self._limits.seconds_to_live(codespace)))

    async def _greet_aio(self, ask: AskAio) -> None:
        greeting = await greet_aio(ask)
        if greeting.refusal is not None:
            error = self._error(greeting.refusal)
            if not self._greeted:
                raise error
        self._fates.greeted(greeting)
        if not self._greeted:
            self._greeted = True
            warn_of(greeting, self._server.name)

    def _checked(self, answer: Reply) -> Reply:
        """Return an answer that is no refusal.

        Raises:
            StoreUnavailable: if it is one.
        """
        if isinstance(answer, Refused):
            raise self._error(answer)
        return answer

    def _error(self, refusal: Refused) -> StoreUnavailable:
        """Return the error that a refusal is, and say once that nothing can be written, and why."""
        error = refusal.error()
        if refusal.stops_writes and refusal.code != self._refused:
            self._refused = refusal.code
            logger.warning("writes are refused", extra={"server": self._server.name, "error": str(error)})
        return error

    def _note_written(self) -> None:
        if self._refused is not None:
            self._refused = None
            logger.info("writes are taken again", extra={"server": self._server.name})

    # Deleted or lost.

    def _note_found(self, codespace: str, sight: Sight, fields: Mapping[str, bytes] | None = None) -> None:
        others = other_fields(fields) if fields is not None else None
        self._holdings.note_found(codespace, sight, trio.current_time(), others)

    def _is_still(self, sight: Sight) -> bool:
        """Whether the data are those in which something was looked for: parts of two data make no whole."""
        return sight.identity == self._holdings.identity

    async def _read_tail(
        self, sight: Sight, codespace: str, epoch: str, after: int, version: int, updates: Reply
    ) -> Tail:
        tail = await read_tail(self._run, codespace, epoch, after, version, updates)
        if not self._is_still(sight):
            raise StoreUnavailable("Redis has come back with other data while a log was read")
        return tail

    async def _missing(self, codespace: str, answer: Reply) -> Gone | Lost:
        """Return what has become of a codespace that is not as it was."""
        match answer:
            case [b"replaced" | b"gone" | b"unmarked" as kind]:
                # Lost, and made anew by somebody since, is lost all the same: what is put back decides.
                if await self._fates.has_lost(codespace):
                    return Lost()
                if kind == b"replaced":
                    return Gone(replaced=True)
                await self._run(lua.FORGET, codespace)
                return Gone(replaced=kind == b"unmarked")
            case _:
                raise unexpected(answer)

    # Events.

    def _on_message(self, topic: str, data: bytes) -> None:
        if topic in self._event_topics:
            codespace, happened = self._fates.on_event(topic, data.decode(errors="replace"))
            # One that was evicted is put back by its channel, which reads the log at a gap.
            self._deliver(codespace, happened or Gap())
            return
        try:
            event: StoreEvent = self._own_event(data) or read_event(data)
        except (ValueError, RecursionError) as error:
            logger.warning("a message that pyshare has not sent", extra={"topic": topic, "error": str(error)})
            return
        self._deliver(topic, event)

    def _own_event(self, data: bytes) -> Committed | None:
        """Return what this store has published itself, without reading it again; None if it is somebody else's."""
        prefix = self._origin_prefix
        if not data.startswith(prefix):
            return None
        return self._unheard.take(int(data[len(prefix) : data.index(b",", len(prefix))]))

    def _on_missing(self, codespace: str) -> None:
        self._deliver(codespace, Deleted())

    def _on_commands_lost(self, reason: str) -> None:
        # Another server may have taken over: both lanes go where the address leads now.
        self._topics.drop(reason)

    def _on_topics_lost(self) -> None:
        # If the whole server is away, this is how it is noticed at once.
        self._commands.probe_nowait()
        self._doubt_all()

    def _doubt_all(self) -> None:
        """Have everybody read the log: what is not heard has to be read, and what could not be may be by now."""
        for codespace in self._subscriptions.codespaces:
            self._deliver(codespace, Gap())

    def _on_gap(self, topic: str) -> None:
        # What keyspace events were missed is in the log too: the topics of the codespaces have gaps of their own.
        if topic in self._event_topics:
            self._fates.heard_again()
        elif topic != MARK:
            self._deliver(topic, Gap())

    def _deliver(self, codespace: str, event: StoreEvent) -> None:
        self._subscriptions.deliver(event, self._subscriptions.of(codespace))
