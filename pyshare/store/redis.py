"""The store on Redis or Valkey, which any number of instances share, and the API with them.

What lies where is in `layout.py`; each step that has to be atomic is a Lua
script in `scripts/`. This module knows what is asked, and what the answers mean.
"""

import logging
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import trio

from pyshare.core.document import Update
from pyshare.core.names import public_name
from pyshare.core.presence import Announcement
from pyshare.store import lua
from pyshare.store.bridge import Refused, Reply, Server, Word, open_bridge
from pyshare.store.greeting import KEYSPACE_EVENTS, MARK, checked, greet_aio
from pyshare.store.holdings import Holdings
from pyshare.store.interface import (
    Appended,
    Committed,
    Conflict,
    Deleted,
    Expired,
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
from pyshare.store.subscriptions import Subscriptions
from pyshare.store.unheard import Unheard

logger = logging.getLogger(__name__)

#: The keyspace events that are heard, by the last part of their topics.
_EVENT_TOPICS: Mapping[str, StoreEvent] = {"expired": Expired(), "del": Deleted()}
#: Seconds between two looks at the codespaces in use where the server tells of no keyspace events.
_POLL_SECONDS = 2.0
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
        self._commands = CommandLane(self._server, self._greet_aio, self._doubt_all, limits=lane_limits)
        # The topic of each keyspace event, and what it says.
        self._event_topics = {
            f"__keyevent@{self._server.database}__:{name}": event for name, event in _EVENT_TOPICS.items()
        }
        self._topics = TopicLane(
            self._server,
            self._on_message,
            self._on_topics_lost,
            self._on_gap,
            always=self._event_topics,
            limits=lane_limits,
        )
        self._subscriptions = Subscriptions(subscription_events)
        # The codespaces that have subscriptions, and whose data the commands find.
        self._holdings = Holdings()
        # Whether the server tells of expired and deleted codespaces, and whether it was said that it does not.
        self._hears_keyspace = False
        self._said_that_it_polls = False
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
                nursery.start_soon(self._poll, name="poll of codespaces in use")
                task_status.started()
        finally:
            done = self._commands.statistics()
            logger.info("store closed", extra={"commands": done.commands, "round_trips": done.batches})

    async def ping(self) -> None:
        """Ask the server for a sign of life; see `Store.ping`."""
        checked(await self._commands.call("PING"))

    async def load(self, codespace: str, *, create: bool) -> Snapshot | None:
        """Return the codespace as it is; see `Store.load`."""
        for _ in range(_TRIES):
            found = await self._find(codespace, "all", create=create)
            if found is None:
                return None
            snapshot = await read_whole(self._run, found)
            if snapshot is not None:
                if not self._holdings.is_unsure_of(codespace):
                    # Where it is held already, a log that may have parted from that is compared before it is trusted.
                    self._note_found(codespace, found.fields)
                return snapshot
        raise StoreUnavailable(f"codespace {public_name(codespace)} changes faster than it can be read")

    async def look(self, codespace: str) -> Standing | None:
        """Return epoch and version of the codespace; see `Store.look`."""
        found = await self._find(codespace, "standing")
        return None if found is None else read_standing(codespace, found.fields)

    async def read_text(self, codespace: str) -> Snapshot | None:
        """Return the codespace with what follows its text; see `Store.read_text`."""
        for _ in range(_TRIES):
            found = await self._find(codespace, "text")
            if found is None:
                return None
            snapshot = await read_following(self._run, found)
            if snapshot is not None:
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
                self._note_found(codespace)
                self._holdings.note_append(codespace, succeeded=True)
                return Appended(found)
            case [b"conflict", int(found), missed]:
                self._unheard.take(number)
                self._note_found(codespace)
                self._holdings.note_append(codespace, succeeded=False)
                return Conflict(await read_tail(self._run, codespace, epoch, expected, found, missed))
            case _:
                self._unheard.take(number)
                return await self._missing(codespace, answer)

    async def read_log(self, codespace: str, epoch: str, *, after: int) -> Tail | Gone | Lost:
        """Return the updates that follow version `after`; see `Store.read_log`."""
        if self._holdings.is_unsure_of(codespace):
            await trio.lowlevel.checkpoint()
            return Lost()
        answer = await self._run(lua.READ_LOG, codespace, epoch, after)
        match answer:
            case [b"ok", int(found), updates]:
                self._note_found(codespace)
                return await read_tail(self._run, codespace, epoch, after, found, updates)
            case _:
                return await self._missing(codespace, answer)

    async def put_back(self, codespace: str, held: Snapshot) -> Tail | Gone:
        """Give back what was lost of the codespace; see `Store.put_back`."""
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
                self._note_found(codespace)
                return await read_tail(self._run, codespace, held.epoch, held.version, found, updates)
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
        answer = await self._run(lua.TOUCH, codespace, epoch, self._milliseconds_to_live(codespace))
        if answer != [b"ok"]:
            return False
        self._note_found(codespace)
        return True

    async def publish(self, codespace: str, announcement: Announcement) -> None:
        """Let all subscribers hear `announcement`; see `Store.publish`."""
        checked(await self._commands.call("PUBLISH", codespace, write_announcement(announcement)))

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
        return checked(answer)

    def _milliseconds_to_live(self, codespace: str) -> int:
        return max(1, round(1000 * self._limits.seconds_to_live(codespace)))

    async def _greet_aio(self, ask: AskAio) -> None:
        self._holdings.identity, self._hears_keyspace = await greet_aio(ask)
        if not self._hears_keyspace and not self._said_that_it_polls:
            self._said_that_it_polls = True
            logger.warning(
                "the server does not let keyspace events be set; expired and deleted codespaces are looked for instead",
                extra={"server": self._server.name, "needed": KEYSPACE_EVENTS, "seconds": _POLL_SECONDS},
            )

    # Deleted or lost.

    def _note_found(self, codespace: str, fields: Mapping[str, bytes] | None = None) -> None:
        self._holdings.note_found(codespace, trio.current_time(), other_fields(fields) if fields is not None else None)

    async def _missing(self, codespace: str, answer: Reply) -> Gone | Lost:
        """Return what has become of a codespace that is not as it was."""
        match answer:
            case [b"replaced" | b"gone" | b"unmarked" as kind]:
                # Lost, and made anew by somebody since, is lost all the same: what is put back decides.
                if await self._has_lost(codespace):
                    return Lost()
                if kind == b"replaced":
                    return Gone(replaced=True)
                await self._run(lua.FORGET, codespace)
                return Gone(replaced=kind == b"unmarked")
            case _:
                raise unexpected(answer)

    async def _has_lost(self, codespace: str) -> bool:
        mark = await self._commands.call("GET", MARK)
        if mark is None:
            await self._commands.call("SET", MARK, secrets.token_urlsafe(), "NX")
            mark = await self._commands.call("GET", MARK)
        holdings = self._holdings
        if isinstance(mark, bytes):
            holdings.identity = replace(holdings.identity, mark=mark.decode())
        seconds = self._limits.seconds_to_live(codespace)
        return holdings.has_lost(codespace, trio.current_time(), seconds_to_live=seconds)

    # Events.

    def _on_message(self, topic: str, data: bytes) -> None:
        if topic in self._event_topics:
            self._deliver(data.decode(errors="replace"), self._event_topics[topic])
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
        if topic not in self._event_topics:
            self._deliver(topic, Gap())

    def _deliver(self, codespace: str, event: StoreEvent) -> None:
        self._subscriptions.deliver(event, self._subscriptions.of(codespace))

    async def _poll(self) -> None:
        """Look for codespaces in use that are no more, where the server does not tell."""
        while True:
            await trio.sleep(_POLL_SECONDS)
            found = self._holdings.found
            if self._hears_keyspace or not found:
                continue
            async with trio.open_nursery() as nursery:
                for codespace in found:
                    nursery.start_soon(self._look_for, codespace)

    async def _look_for(self, codespace: str) -> None:
        try:
            if await self._commands.call("EXISTS", codespace) == 0:
                self._deliver(codespace, Deleted())
        except StoreUnavailable as error:
            logger.debug("codespace not looked for", extra={"codespace": public_name(codespace), "error": str(error)})
