"""The committed text as one client knows it, and the newest updates that led there, for clients that log them."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Self

from typing_extensions import override

from pyshare.client.address import ResumePoint
from pyshare.client.events import changes_bytes, shown
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.difference import difference
from pyshare.core.errors import PyshareError


@dataclass(frozen=True, slots=True)
class Update:
    """Edits that were committed together; positions are those of the committed text before, the changes ascend.

    `version` is the number of committed updates with these. `sender` is the id
    of the author and `seq` the author's number for the edits; both are None
    where the text was fetched again, and the changes are those of everybody
    meanwhile. `own`: the author is this client.
    """

    version: int
    sender: str | None
    seq: int | None
    changes: tuple[Change, ...]
    own: bool = False


class UpdatesMissed(PyshareError):  # noqa: N818 - named for what happened
    """The client no longer keeps the update that is to be read next: begin again with the committed text."""

    def __init__(self, kept: int) -> None:
        super().__init__(
            f"the reader is too slow: the client keeps {kept} updates; begin again with `committed_text` and `version`"
        )


class CommittedText:
    """Text and version of a log's end; strings are units strings, those in updates ordinary ones."""

    def __init__(self, kept: int, kept_bytes: int) -> None:
        self.text = ""
        # None before the first welcome.
        self.version: int | None = None
        # The codespace's life, and the mark of the update that made the version, if it was heard.
        self.epoch = ""
        self.tip: str | None = None
        # The newest updates, and the version before each, their bytes, and how many there were in all.
        self._kept = kept
        self._kept_bytes = kept_bytes
        self._updates: deque[tuple[int, Update]] = deque()
        self._bytes = 0
        self.count = 0

    @property
    def resume_point(self) -> ResumePoint | None:
        """The point from which the server can go on; None before the first welcome."""
        return None if self.version is None else ResumePoint(self.epoch, self.version, self.tip)

    def note(self, updates: int, changes: ChangeSet, sender: str, seq: int, tip: str, *, own: bool) -> None:
        """Note the changes of a push of so many updates, and its mark; the text is still the one before."""
        assert self.version is not None, "updates follow a welcome"
        before, self.version, self.tip = self.version, self.version + updates, tip
        self._keep(before, Update(self.version, sender, seq, shown(changes, self.text), own))

    def fetched(self, epoch: str, version: int, text: str) -> None:
        """Take a whole text, in place of the one that was known if there was one."""
        if self.version is not None:
            changes = shown(difference(self.text, text), self.text)
            self._keep(self.version, Update(version, None, None, changes))
        self.epoch, self.version, self.tip, self.text = epoch, version, None, text

    def _keep(self, before: int, update: Update) -> None:
        self._updates.append((before, update))
        self._bytes += changes_bytes(update.changes)
        self.count += 1
        while len(self._updates) > self._kept or self._bytes > self._kept_bytes:
            _, oldest = self._updates.popleft()
            self._bytes -= changes_bytes(oldest.changes)

    def place_after(self, version: int) -> int:
        """Return the place of the update that follows `version`, the newest if there are several.

        Raises:
            ValueError: if it is not known.
        """
        if version == self.version:
            return self.count
        first = self.count - len(self._updates)
        for place, (before, _) in reversed(list(enumerate(self._updates, first))):
            if before == version:
                return place
        raise ValueError(f"updates since version {version} are not kept; the text now has version {self.version}")

    def at(self, place: int) -> Update:
        """Return the update at a place below `count`.

        Raises:
            UpdatesMissed: if it is not kept any more.
        """
        first = self.count - len(self._updates)
        if place < first:
            raise UpdatesMissed(len(self._updates))
        return self._updates[place - first][1]


class UpdateStream(AsyncIterator[Update]):
    """Committed updates without gaps, oldest first; made by `Codespace.updates`. For one reader.

    A reader that is cancelled while it waits has lost nothing.
    """

    def __init__(self, log: CommittedText, place: int, wait: Callable[[Callable[[], bool]], Awaitable[None]]) -> None:
        self._log = log
        # The place of the next update.
        self._place = place
        # Waits until a condition holds.
        self._wait = wait

    @override
    def __aiter__(self) -> Self:
        return self

    @override
    async def __anext__(self) -> Update:
        """Return the next update, as soon as there is one.

        Raises:
            UpdatesMissed: if the client no longer keeps it.
            CodespaceClosed: after the last one.
        """
        await self._wait(lambda: self._log.count > self._place)
        update = self._log.at(self._place)
        self._place += 1
        return update

    def read_nowait(self) -> list[Update]:
        """Return all updates that wait to be read, oldest first, without waiting for any.

        Raises:
            UpdatesMissed: if the client no longer keeps the first of them.
        """
        updates = [self._log.at(place) for place in range(self._place, self._log.count)]
        self._place = self._log.count
        return updates
