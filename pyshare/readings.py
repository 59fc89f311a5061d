"""Readings of a whole server: whether clients should come to it, and its figures at one moment."""

import logging
from collections import Counter

import trio

from pyshare import __version__
from pyshare.actors.supervisor import Supervisor
from pyshare.net.creations import Creations
from pyshare.net.listener import Listener
from pyshare.net.metrics import Reading
from pyshare.settings import Settings
from pyshare.store.interface import Store, StoreUnavailable
from pyshare.store.redis import RedisStore

logger = logging.getLogger(__name__)

#: Seconds in which the store must have taken something for it to count as up.
_CHECK_SECONDS = 1.0


class Readiness:
    """Whether clients should come to this server, as a load balancer asks."""

    def __init__(self, store: Store) -> None:
        self.store = store
        # Whether the server stops.
        self.draining = False

    async def why_not(self) -> str | None:
        """Return why clients should not come now; None if they should."""
        if self.draining:
            return "the server is draining"
        return await self.why_no_storage()

    async def why_no_storage(self) -> str | None:
        """Return why nothing can be stored now; None if something can."""
        try:
            await self.store.check()
        except StoreUnavailable as error:
            # What it says in full is for the log: it names hosts.
            logger.debug("not ready", extra={"error": str(error)})
            return error.public
        return None


class Gauge:
    """Where the figures of this server are read."""

    def __init__(
        self,
        settings: Settings,
        instance: str,
        readiness: Readiness,
        listener: Listener,
        supervisor: Supervisor,
        creations: Creations,
        closes: Counter[str],
        answers: Counter[int],
    ) -> None:
        self._settings = settings
        self._instance = instance
        self._readiness = readiness
        self._listener = listener
        self._supervisor = supervisor
        self._creations = creations
        self._closes = closes
        self._answers = answers

    async def read(self) -> Reading:
        """Return the server at this moment."""
        with trio.move_on_after(_CHECK_SECONDS) as patience:
            storage_up = await self._readiness.why_no_storage() is None
        store = self._readiness.store
        return Reading(
            version=__version__,
            instance=self._instance,
            draining=self._readiness.draining,
            storage_up=not patience.cancelled_caught and storage_up,
            connections=self._listener.statistics(),
            connections_limit=self._settings.connections,
            closes=self._closes,
            answers=self._answers,
            actors=self._supervisor.statistics(),
            creations=self._creations.statistics(),
            commands=store.statistics() if isinstance(store, RedisStore) else None,
            tasks=trio.lowlevel.current_statistics().tasks_living,
        )
