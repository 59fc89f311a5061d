"""Fates of codespaces that are missing in Redis: deleted or expired, or lost with other data, or evicted."""

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import trio

from pyshare.core.names import public_name
from pyshare.store.greeting import KEYSPACE_EVENTS, MARK, Greeting, evicted_in
from pyshare.store.holdings import Holdings
from pyshare.store.interface import Deleted, Expired, StoreEvent, StoreUnavailable
from pyshare.store.lanes import CommandLane
from pyshare.store.layout import codespace_of

logger = logging.getLogger(__name__)

#: The keyspace events that are heard, by the last part of their topics.
_EVENTS: Mapping[str, StoreEvent | None] = {"expired": Expired(), "del": Deleted(), "evicted": None}
#: Seconds between two looks at the codespaces in use where the server tells of no keyspace events.
_POLL_SECONDS = 2.0


def event_topics(database: int) -> Mapping[str, StoreEvent | None]:
    """Return the topic of each keyspace event, and what it says; None: the key was evicted."""
    return {f"__keyevent@{database}__:{name}": event for name, event in _EVENTS.items()}


def warn_of(greeting: Greeting, server: str) -> None:
    """Say in the log what a server does not tell of codespaces, and whether it forgets them."""
    if not greeting.hears_keyspace:
        logger.warning(
            "the server does not let keyspace events be set; expired and deleted codespaces are looked for instead",
            extra={"server": server, "needed": KEYSPACE_EVENTS, "seconds": _POLL_SECONDS},
        )
    if greeting.evicts is not None:
        logger.warning(
            "the server forgets codespaces when its memory is full, those that nobody has open for good;"
            " set maxmemory-policy noeviction",
            extra={"server": server, "maxmemory_policy": greeting.evicts},
        )


class Fates:
    """Finds out what has become of the codespaces that one instance holds."""

    def __init__(
        self,
        topics: Mapping[str, StoreEvent | None],
        holdings: Holdings,
        commands: CommandLane,
        catch_up: Callable[[], Awaitable[None]],
        *,
        seconds_to_live: Callable[[str], float],
    ) -> None:
        """Make it, to hear `topics`; `catch_up` returns when all is heard that was published before."""
        self._holdings = holdings
        self._commands = commands
        self._catch_up = catch_up
        self._seconds_to_live = seconds_to_live
        # Those of `event_topics`.
        self._topics = topics
        # Whether the server tells of keyspace events, and since when they are heard without a gap.
        self._hears = False
        self._heard_since = 0.0
        # Keys that the server had evicted when all that is held was there last, as far as it says.
        self._evicted: int | None = None

    def greeted(self, greeting: Greeting) -> None:
        """Take what a server has said of itself on a new connection."""
        self._holdings.identity = greeting.identity
        self._hears = greeting.hears_keyspace
        if self._evicted is None or greeting.evicted is None or greeting.evicted < self._evicted:
            # Another server, or another run of it, counts from the beginning.
            self._evicted = greeting.evicted

    def heard_again(self) -> None:
        """Keyspace events are heard from now on; some may have been missed before."""
        self._heard_since = trio.current_time()

    def on_event(self, topic: str, key: str) -> tuple[str, StoreEvent | None]:
        """Return the codespace that a keyspace event is about, and what has happened; None: it was evicted."""
        event = self._topics[topic]
        if event is not None:
            return key, event
        codespace = codespace_of(key)
        self._holdings.note_evicted(codespace)
        return codespace, None

    async def has_lost(self, codespace: str) -> bool:
        """Whether the server has lost a codespace that is missing, by no one's wish.

        Raises:
            StoreUnavailable: that cannot be found out now.
        """
        mark = await self._commands.call("GET", MARK)
        if mark is None:
            await self._commands.call("SET", MARK, secrets.token_urlsafe(), "NX")
            mark = await self._commands.call("GET", MARK)
        holdings = self._holdings
        if isinstance(mark, bytes):
            holdings.identity = replace(holdings.identity, mark=mark.decode())
        seconds = self._seconds_to_live(codespace)
        if holdings.has_lost(codespace, trio.current_time(), seconds_to_live=seconds):
            return True
        if not self._hears or not holdings.found_since(codespace, self._heard_since):
            evicted = await self._count_evicted()
            return evicted is not None and self._evicted is not None and evicted > self._evicted
        # What has happened to it was said before the server answered that it is missing.
        await self._catch_up()
        return holdings.is_unsure_of(codespace)

    async def poll(self, on_missing: Callable[[str], None]) -> None:
        """Look for codespaces in use that are no more, where the server does not tell, until cancelled."""
        while True:
            await trio.sleep(_POLL_SECONDS)
            found = self._holdings.found
            if self._hears or not found:
                continue
            try:
                evicted = await self._count_evicted()
                missing = await self._missing(found)
            except StoreUnavailable as error:
                logger.debug("codespaces not looked for", extra={"error": str(error)})
                continue
            if not missing:
                self._evicted = evicted
            for codespace in missing:
                on_missing(codespace)

    async def _missing(self, codespaces: list[str]) -> list[str]:
        missing: list[str] = []

        async def look_for(codespace: str) -> None:
            try:
                if await self._commands.call("EXISTS", codespace) == 0:
                    missing.append(codespace)
            except StoreUnavailable as error:
                extra = {"codespace": public_name(codespace), "error": str(error)}
                logger.debug("codespace not looked for", extra=extra)

        async with trio.open_nursery() as nursery:
            for codespace in codespaces:
                nursery.start_soon(look_for, codespace)
        return missing

    async def _count_evicted(self) -> int | None:
        return evicted_in(await self._commands.call("INFO", "stats"))
