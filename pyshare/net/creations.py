"""Creations: who may make a codespace now, by HTTP or by joining, and how many are made.

Each address has a share of its own, so that one client which asks all the time
takes none from the others; and there is a bound for all together. Codespaces
that the API knows are the API's, and are not counted.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import trio

from pyshare.core.errors import CloseCode, Closing
from pyshare.net.addresses import Address, AddressBuckets
from pyshare.net.auth import Admission
from pyshare.net.bucket import TokenBucket
from pyshare.net.origins import Origins
from pyshare.net.tokens import Creators

logger = logging.getLogger(__name__)

_SECONDS_A_MINUTE = 60
_FOREIGN = Closing(
    CloseCode.NOT_ALLOWED,
    "a page of another origin makes no codespaces or links here; use a link, or --allowed-origins",
)
_NOT_ANYBODY = Closing(CloseCode.NOT_ALLOWED, "this server makes no codespaces for strangers; ask for a link")


@dataclass(frozen=True, slots=True)
class CreationLimits:
    """Limits of codespaces that are made for clients."""

    #: Who may make them.
    creators: Creators = "anyone"
    #: Codespaces in a minute for all clients, and for those of one address; as many at once.
    codespaces_per_minute: int = 600
    codespaces_per_minute_per_address: int = 300
    #: Pages that are not the server's own and count as such.
    origins: Origins = field(default_factory=Origins)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why no codespace is made, and the seconds after which another try may help, if it may."""

    closing: Closing
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class CreationStatistics:
    """Counts since the start."""

    #: Codespaces that were counted as made.
    made: int = 0
    #: Codespaces that were refused for now, as their address or all together had made too many.
    refused_to_address: int = 0
    refused_to_all: int = 0


class Creations:
    """The codespaces that were made lately."""

    def __init__(self, limits: CreationLimits | None = None) -> None:
        self._limits = limits or CreationLimits()
        every, each = self._limits.codespaces_per_minute, self._limits.codespaces_per_minute_per_address
        # A draw may go into debt, so the last of a full bucket is free.
        self._all = TokenBucket(every / _SECONDS_A_MINUTE, burst=every - 1, now=trio.current_time())
        self._by_address = AddressBuckets(each / _SECONDS_A_MINUTE, burst=each - 1)
        self._statistics = CreationStatistics()
        # Time before which no refusal is logged.
        self._quiet_until = -math.inf

    def statistics(self) -> CreationStatistics:
        """Return how many were made and refused so far."""
        return self._statistics

    def foreign(self, headers: Mapping[str, str]) -> Refusal | None:
        """Return why a page of another origin changes nothing here; None for other requests."""
        return Refusal(_FOREIGN) if self._limits.origins.is_foreign(headers) else None

    def by_http(self, address: Address) -> Refusal | None:
        """Count a codespace that anybody may ask for, or return why there is none."""
        if self._limits.creators != "anyone":
            return Refusal(_NOT_ANYBODY)
        return self._count(address)

    def by_joining(self, address: Address, admission: Admission, headers: Mapping[str, str]) -> Closing | None:
        """Count a codespace that is made for one who joins, or return why it is not made now."""
        if admission.by == "api":
            return None
        # A link is a right, wherever it is used. The id of a codespace that does not exist is not.
        refusal = self.foreign(headers) if admission.by == "id" else None
        refusal = refusal or self._count(address)
        return refusal.closing if refusal else None

    def _count(self, address: Address) -> Refusal | None:
        now = trio.current_time()
        every, each = self._limits.codespaces_per_minute, self._limits.codespaces_per_minute_per_address
        counts = self._statistics
        if (seconds := self._by_address.debt_seconds(address, now)) > 0:
            self._statistics = replace(counts, refused_to_address=counts.refused_to_address + 1)
            self._log("--codespaces-per-minute-per-address", address, now)
            return _too_many(f"{each} new codespaces in a minute from your address", seconds)
        if (seconds := self._all.debt_seconds(now)) > 0:
            self._statistics = replace(counts, refused_to_all=counts.refused_to_all + 1)
            self._log("--codespaces-per-minute", address, now)
            return _too_many(f"{every} new codespaces in a minute", seconds)
        self._statistics = replace(counts, made=counts.made + 1)
        self._by_address.take(address, 1, now)
        self._all.take(1, now)
        return None

    def _log(self, setting: str, address: Address, now: float) -> None:
        """Say once a minute that codespaces are refused."""
        if now >= self._quiet_until:
            self._quiet_until = now + _SECONDS_A_MINUTE
            logger.warning("new codespaces are refused", extra={"setting": setting, "remote": address.network or ""})


def _too_many(what: str, seconds: float) -> Refusal:
    return Refusal(Closing(CloseCode.TRY_LATER, f"more than {what}; try again later"), seconds)
