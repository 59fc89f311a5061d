"""The codespaces that an instance holds, and the data in which each was found: they tell a lost one from a deleted one.

A codespace that is not there any more was deleted or has expired, and its
clients are told; unless the data it was found in are not those that are there
now: then it was lost, with whatever else, and is put back. So is one that the
server has evicted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose data they are."""

    #: The run of the server: it may have come back with an old file, or as another machine that took over.
    run: str = ""
    #: A mark in the data themselves: it is gone when they were lost without a restart.
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """In whose data, and after how many evictions of it, a codespace is about to be looked for."""

    identity: Identity
    evictions: int


#: In place of whose data a codespace was found in that was evicted since; no server's.
_EVICTED = Identity("evicted", "evicted")


@dataclass(slots=True, eq=False)
class _Holding:
    """A codespace that the instance holds."""

    #: How many hold it.
    holders: int = 0
    #: In whose data it was found last; None if it was not found yet.
    identity: Identity | None = None
    #: When it was found last, by the owner's clock.
    found: float = 0
    #: Its fields that are not ours.
    fields: Mapping[str, bytes] = field(default_factory=dict)
    #: How often the server has said that it has evicted it, or a part of it.
    evictions: int = 0
    #: Conflicts since an append succeeded.
    conflicts: int = 0


class Holdings:
    """The codespaces that one instance holds."""

    def __init__(self) -> None:
        #: Whose data are there now.
        self.identity = Identity()
        self._holdings: dict[str, _Holding] = {}

    @property
    def found(self) -> list[str]:
        """The codespaces that were found since they are held."""
        return [codespace for codespace, holding in self._holdings.items() if holding.identity]

    def hold(self, codespace: str) -> None:
        """Hold a codespace, once more if it is held already."""
        self._holdings.setdefault(codespace, _Holding()).holders += 1

    def let_go(self, codespace: str) -> bool:
        """Undo one `hold`; return whether nobody holds it any more."""
        holding = self._holdings[codespace]
        holding.holders -= 1
        if holding.holders:
            return False
        del self._holdings[codespace]
        return True

    def sight(self, codespace: str) -> Sight:
        """Return in whose data a codespace will be found that is asked for now."""
        holding = self._holdings.get(codespace)
        return Sight(self.identity, holding.evictions if holding else 0)

    def note_found(self, codespace: str, sight: Sight, now: float, fields: Mapping[str, bytes] | None = None) -> None:
        """Note that it was found, in the data of `sight`; `fields` are those that are not ours, if they were read."""
        holding = self._holdings.get(codespace)
        if holding and holding.evictions == sight.evictions:
            holding.identity = sight.identity
            holding.found = now
            if fields is not None:
                holding.fields = fields

    def note_append(self, codespace: str, *, succeeded: bool) -> None:
        """An append has succeeded, or another instance was faster."""
        holding = self._holdings.get(codespace)
        if holding:
            holding.conflicts = 0 if succeeded else holding.conflicts + 1

    def conflicts_of(self, codespace: str) -> int:
        """Return how many appends in a row came too late."""
        holding = self._holdings.get(codespace)
        return holding.conflicts if holding else 0

    def fields_of(self, codespace: str) -> Mapping[str, bytes]:
        """Return the fields of a codespace that are not ours, as far as they are known."""
        holding = self._holdings.get(codespace)
        return holding.fields if holding else {}

    def note_evicted(self, codespace: str) -> None:
        """Note that the server has forgotten the codespace, or a part of it, for want of memory."""
        holding = self._holdings.get(codespace)
        if holding is not None and holding.identity is not None:
            holding.evictions += 1
            holding.identity = _EVICTED

    def found_since(self, codespace: str, moment: float) -> bool:
        """Whether the codespace is held, and was found at some moment or later."""
        holding = self._holdings.get(codespace)
        return holding is not None and holding.found >= moment

    def is_unsure_of(self, codespace: str) -> bool:
        """Whether the codespace was found in other data than are there now, or was evicted since.

        Those may lack the log's end, and others may have written another one
        since: the log's version alone does not tell. To put back compares.
        """
        holding = self._holdings.get(codespace)
        return holding is not None and holding.identity is not None and holding.identity != self.identity

    def has_lost(self, codespace: str, now: float, *, seconds_to_live: float) -> bool:
        """Whether a codespace that is missing was lost, and not deleted."""
        holding = self._holdings.get(codespace)
        if holding is None or holding.identity is None:
            return False
        # One that could not be touched for its whole life has expired by our fault, while it was open.
        return self.is_unsure_of(codespace) or now - holding.found >= seconds_to_live
