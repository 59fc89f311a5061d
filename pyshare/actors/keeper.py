"""The keeper of an open codespace: signs of life for the store, so that it does not expire, and for other instances."""

import logging

import trio

from pyshare.actors.attendance import Attendance
from pyshare.actors.log import LogMachine
from pyshare.actors.members import Members
from pyshare.core.document import Document
from pyshare.core.names import public_name
from pyshare.store.interface import Store, StoreUnavailable

logger = logging.getLogger(__name__)


class Keeper:
    """One task of a channel, which asks the store for nothing but a longer life of its codespace."""

    def __init__(
        self,
        codespace: str,
        epoch: str,
        store: Store,
        *,
        document: Document,
        log: LogMachine,
        attendance: Attendance,
        members: Members,
    ) -> None:
        self._codespace = codespace
        self._epoch = epoch
        self._store = store
        # Lets go of history now and then; is read when the store does not know the codespace; tells who is here.
        self._document = document
        self._log = log
        self._attendance = attendance
        # The codespace is kept while it has members.
        self._members = members

    async def run(self, seconds: float) -> None:
        """Give a sign of life every so many seconds, until cancelled."""
        while True:
            await trio.sleep(seconds)
            self._document.trim()
            await self._attendance.beat(seconds)
            if len(self._members):
                await self._touch()

    async def _touch(self) -> None:
        try:
            alive = await self._store.touch(self._codespace, self._epoch)
        except StoreUnavailable as error:
            logger.debug("touch failed", extra={"codespace": public_name(self._codespace), "error": str(error)})
            alive = False
        if not alive:
            self._log.read()
