"""The store, its answers and its events: what a channel may expect of it.

The log is the truth: updates in order, each at its version. A store keeps the
log's tail (as much as it is told to), the text as of some version, and for
each recent sender the number of its last push; and it lets every instance that
is subscribed to a codespace hear what happens to it. Texts are units strings.

An implementation maps whatever can go wrong with its own means to
`StoreUnavailable`; a caller never sees a foreign exception.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

import trio

from pyshare.core.document import Update
from pyshare.core.errors import PyshareError
from pyshare.core.presence import Announcement


class StoreUnavailable(PyshareError):  # noqa: N818 - a state, not a mistake
    """The store did not answer, or refused; whether it did what it was asked is not known.

    `public` says why in words that anybody may read: the message names hosts.
    """

    def __init__(self, message: str, *, public: str | None = None) -> None:
        super().__init__(message)
        self.public = public or "the store does not answer"


class NotACodespace(PyshareError):  # noqa: N818 - a fact about what is stored
    """What is stored under a codespace's id is something else; the message says what."""


#: Epochs that are remembered as continued by the present one.
EPOCHS_BEFORE = 8
#: Bytes that an entry of a log takes beside its update, about.
ENTRY_BYTES = 64


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """What a store keeps."""

    #: Updates of a codespace's log that are kept.
    log_updates: int = 4096
    #: Bytes of those updates: their JSON, or about as much, and `ENTRY_BYTES` for each.
    log_bytes: int = 8_388_608
    #: Senders of a codespace whose last push is remembered.
    senders: int = 4096
    #: Seconds that a codespace lives after its last use; `tmp-` ones and others.
    expire_seconds: float = 1200
    tmp_expire_seconds: float = 1200

    def seconds_to_live(self, codespace: str) -> float:
        """Return for how long `codespace` is kept when nobody uses it."""
        return self.tmp_expire_seconds if codespace.startswith("tmp-") else self.expire_seconds


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A codespace as the store holds it at one moment."""

    epoch: str
    #: The text of `text_version`, which may be behind the log.
    text: str
    text_version: int
    #: Version that the log's last update made.
    version: int
    #: Tail of the log; may begin before `text_version`, never after it.
    log: tuple[Update, ...] = ()
    #: Last push of each sender that is remembered.
    last_seqs: Mapping[str, int] = field(default_factory=dict)
    #: Epochs that this one continues, the newest first; a client of any other has met another life of the codespace.
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """A codespace's epoch and the version of its log at one moment, which name its text."""

    epoch: str
    version: int


@dataclass(frozen=True, slots=True)
class Tail:
    """The log after some version; `updates` is None if the log no longer reaches back to it."""

    version: int
    updates: tuple[Update, ...] | None


@dataclass(frozen=True, slots=True)
class Appended:
    """The updates are committed and published; `version` is that of the last of them."""

    version: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """Nothing was appended, since the log has grown; `tail` is what the caller missed.

    If that is nothing, the next append is another instance's, which was late
    too often: try again a little later.
    """

    tail: Tail


@dataclass(frozen=True, slots=True)
class Gone:
    """The codespace of that epoch is no more, on purpose; nothing was done."""

    #: Whether another one has its place, under the same id with an epoch of its own.
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """The store has lost the codespace with other data, by no one's wish: `put_back` what is known of it."""


@dataclass(frozen=True, slots=True)
class Committed:
    """Updates were committed, by this instance or another; `version` is that of the last of them."""

    version: int
    updates: tuple[Update, ...]
    #: Epoch of the codespace that they belong to.
    epoch: str


@dataclass(frozen=True, slots=True)
class Announced:
    """An instance, perhaps this one, announced something about its clients."""

    announcement: Announcement


@dataclass(frozen=True, slots=True)
class Expired:
    """The codespace went unused for its time to live and is no more."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """The codespace was deleted on purpose."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Events may have been missed: read the log."""


StoreEvent = Committed | Announced | Expired | Deleted | Gap


class Store(Protocol):
    """Where log and text of every codespace live, shared by all instances that use the same one.

    Every method but `subscribe` is a checkpoint. Cancelled, `append`,
    `put_back`, `write_text` and `touch` may or may not have happened, wholly or not at all.
    """

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; `started` once the other methods may be called.

        Raises:
            ConfigurationError: if it cannot be used as it is set up.
            StoreUnavailable: if it cannot be reached for the first time.
        """

    async def check(self) -> None:
        """See whether texts can be kept, and what happens to them be heard: something small is written.

        Raises:
            StoreUnavailable: they cannot.
        """

    async def load(self, codespace: str, *, create: bool) -> Snapshot | None:
        """Return the codespace as it is; make an empty one if there is none and `create` is true; else None.

        Of several that create at once, one makes it and all get the same epoch.
        Counts as use.

        Raises:
            NotACodespace: if something else has the place.
            StoreUnavailable: nothing could be read; it may have been made.
        """

    async def look(self, codespace: str) -> Standing | None:
        """Return epoch and version of the codespace, None if there is none; counts as use. Reads no text.

        Raises:
            NotACodespace: if something else has the place.
            StoreUnavailable: nothing could be read.
        """

    async def read_text(self, codespace: str) -> Snapshot | None:
        """Return the codespace with only the updates that follow its text; counts as use.

        The snapshot has no last pushes. To read it does not make the codespace known to whoever holds it.

        Raises:
            NotACodespace: if something else has the place.
            StoreUnavailable: nothing could be read.
        """

    async def append(
        self, codespace: str, epoch: str, *, expected: int, updates: Sequence[Update], text: str | None
    ) -> Appended | Conflict | Gone | Lost:
        """Commit all `updates` if the log's version is `expected`, else none of them.

        One atomic step: the log grows, `text` (that after the last update) is
        kept if it is given, the time to live starts anew, and `Committed` is
        published to all subscribers. Their order of events is the log's. The
        log's beginning is forgotten above `log_updates` and `log_bytes`, but
        neither `updates` nor anything that the stored text has yet to take in.
        The number of a sender's last push never goes back.

        Raises:
            StoreUnavailable: it may or may not have happened; the log knows.
        """

    async def read_log(self, codespace: str, epoch: str, *, after: int) -> Tail | Gone | Lost:
        """Return the updates that follow version `after`.

        A tail whose version is less than one that was committed means that the
        store has lost the log's end: `put_back` it.

        Raises:
            StoreUnavailable: nothing could be read.
        """

    async def put_back(self, codespace: str, held: Snapshot) -> Tail | Gone:
        """Give the store back what it has lost of the codespace, as far as it is lost; return what follows `held`.

        `held` is the whole of what an instance knows, its text that of its
        version. If the store has the same log, what is missing at its ends is
        added, if anything is. If it has none, or another codespace to which
        nothing was committed yet has the place, all of `held` is put there. If
        another log has grown meanwhile, the two cannot both go on: the answer is
        `Gone`, and the stored one, under a new epoch if the old one was shared,
        is the codespace from then on. Whatever goes on under another epoch than
        before has that one in its `before`; a codespace that was made again
        since, and written to, has not, and is left as it is. Otherwise this
        counts as use, and subscribers hear a `Gap` if the epoch is another than
        before or the version a higher one.

        An instance may be told that the codespace is lost until it has put back
        itself what it holds, whatever others have put back.

        Raises:
            StoreUnavailable: it may or may not have happened, wholly or not at all.
        """

    async def write_text(self, codespace: str, epoch: str, *, version: int, text: str) -> None:
        """Keep `text` as the text of `version`, unless one of a later version is kept already or it is gone.

        Raises:
            StoreUnavailable: it may or may not have happened.
        """

    async def touch(self, codespace: str, epoch: str) -> bool:
        """Start the time to live anew; return False if the codespace of that epoch is no more.

        Raises:
            StoreUnavailable: it may or may not have happened.
        """

    async def publish(self, codespace: str, announcement: Announcement) -> None:
        """Let all subscribers of the codespace hear `announcement`; nothing is kept of it.

        Raises:
            StoreUnavailable: it may or may not have been heard.
        """

    def subscribe(self, codespace: str) -> AbstractAsyncContextManager[trio.MemoryReceiveChannel[StoreEvent]]:
        """Open a subscription: what happens to the codespace from then on, in order, until the context is left.

        Subscribe before `load`, so that nothing is missed between the two. To
        enter may wait, and raise `StoreUnavailable`. The subscription holds a
        bounded number of events; one that is not read in time ends in `Gap`,
        behind which the subscriber is at the log's present.
        """
