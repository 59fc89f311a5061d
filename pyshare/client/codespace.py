"""A codespace as a bot, a grader or a test has it: a text that is kept current, and edited at once.

Strings are ordinary ones, and a position is an index of a character, as `str.find`
gives it; the protocol's UTF-16 units are the client's affair. What is awaited has
no time limit: put a cancel scope round it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from weakref import WeakSet

import trio

from pyshare.client.address import check_name
from pyshare.client.checks import Range, checked_changes, checked_position, checked_ranges, checked_text
from pyshare.client.committed import UpdateStream
from pyshare.client.errors import CodespaceClosed, EditsRefused, EditsUnconfirmed, ViewOnly
from pyshare.client.events import EditRefused, Event, EventStream, TextChanged, shown
from pyshare.client.link import ClientLimits, Link, State
from pyshare.client.marks import Anchor, Mark
from pyshare.client.presence import mapped
from pyshare.client.replica import Replica
from pyshare.core.changeset import Change
from pyshare.core.difference import difference
from pyshare.core.protocol import Limits, Mode, Peer, Storage
from pyshare.core.units import Places, from_units, has_lone_surrogate, normalise_line_breaks, to_units


class Codespace:
    """One shared text and who else is there; made by `pyshare.client.connect`, for tasks inside it.

    Edits change `text` at once and are sent by the client's own task; until
    they are committed they are moved behind what others commit first. Methods
    raise `CodespaceClosed` when the client has given up or was left, those
    that wait only if what they wait for is not so already; properties then
    keep what they showed last.
    """

    def __init__(self, replica: Replica, link: Link, *, session: bytes, limits: ClientLimits) -> None:
        self._replica = replica
        self._link = link
        link.on_change = self._on_change
        self._session = session
        # Bounds of a stream, and the streams that somebody still holds.
        self._client_limits = limits
        self._streams: WeakSet[EventStream] = WeakSet()
        # The ordinary string of the text, and the units string that it is of.
        self._text = ("", "")
        # Places in the text, and the units string that they are of.
        self._placed = ("", Places(""))
        # Refusals ever; the last one; and how many somebody was told of.
        self._refusals = 0
        self._refused: EditRefused | None = None
        self._refusals_told = 0
        # When the text has changed last, on trio's clock, or the connection was made; infinite while there is none.
        self._quiet_since = math.inf
        # Set, and made anew, when anything may have changed.
        self._changed = trio.Event()

    @property
    def text(self) -> str:
        """The text with one's own edits, committed or not; lines end with one line feed."""
        units = self._replica.text
        if self._text[0] is not units:
            self._text = (units, from_units(units))
        return self._text[1]

    @property
    def length(self) -> int:
        """Length of the text in characters; the position of its end."""
        return self._places.index(len(self._replica.text))

    @property
    def version(self) -> int:
        """Number of updates known to be committed."""
        return self._replica.version

    @property
    def committed_text(self) -> str:
        """The text that is committed at `version`, without edits of one's own that are not; see `updates`."""
        return from_units(self._replica.committed.text)

    @property
    def id(self) -> str:
        """This client's public id, by which others know it."""
        return self._replica.id

    @property
    def name(self) -> str:
        """The name that the others are shown; see `rename`."""
        return self._link.name

    @property
    def limits(self) -> Limits:
        """The server's limits, as the last welcome said: how long the text can be among others."""
        assert self._replica.limits is not None, "the body begins after a welcome"
        return self._replica.limits

    @property
    def session(self) -> bytes:
        """This client's secret, with which it could be gone on with by `connect`."""
        return self._session

    @property
    def mode(self) -> Mode:
        """Whether this client may edit, as the last welcome said."""
        return self._replica.mode

    @property
    def storage(self) -> Storage:
        """Whether edits are being committed, as the server said last."""
        return self._replica.storage

    @property
    def storage_reason(self) -> str:
        """Reason why edits are not being committed, in words for people; empty while they are."""
        return self._replica.storage_reason

    @property
    def peers(self) -> Mapping[str, Peer]:
        """Who else is here, by id."""
        return MappingProxyType(dict(self._replica.peers))

    @property
    def selections(self) -> Mapping[str, tuple[Range, ...]]:
        """What the others have selected, by id, as (anchor, head) in `text`."""
        index = self._places.index
        return MappingProxyType({client: mapped(each, index) for client, each in self._replica.selections.items()})

    @property
    def selected(self) -> tuple[Range, ...]:
        """What this client has selected, as (anchor, head) in `text`."""
        return mapped(self._replica.selected, self._places.index)

    @property
    def state(self) -> State:
        """What the client does about its connection."""
        return self._link.state

    @property
    def ended(self) -> str:
        """How the last connection, or attempt to connect, has ended; empty if none has."""
        return "" if self._link.ended is None else str(self._link.ended)

    @property
    def retry_at(self) -> float | None:
        """When the next attempt to connect begins, on trio's clock; None except in a pause."""
        return self._link.retry_at

    @property
    def unconfirmed(self) -> int:
        """Number of edits that are neither known to be committed nor refused."""
        return self._replica.made - self._replica.settled

    # Edits.

    def insert(self, pos: int, text: str) -> None:
        """Insert `text` before the character at `pos`; see `edit`."""
        self.edit([Change(pos, pos, text)])

    def append(self, text: str) -> None:
        """Insert `text` at the end; see `edit`."""
        self.insert(self.length, text)

    def delete(self, start: int, end: int) -> None:
        """Delete the characters from `start` up to `end`; see `edit`."""
        self.edit([Change(start, end)])

    def replace(self, start: int, end: int, text: str) -> None:
        """Put `text` in place of the characters from `start` up to `end`; see `edit`."""
        self.edit([Change(start, end, text)])

    def set_text(self, text: str) -> None:
        """Make the text equal `text` by a small edit: lines that are in both stay untouched; see `edit`.

        So cursors of others stay where they are, and edits of others that arrive later are kept.
        """
        units = to_units(normalise_line_breaks(checked_text(text, "text")))
        if has_lone_surrogate(units):
            raise ValueError("the text has half a surrogate pair")
        changes = difference(self._replica.text, units).changes()
        self._edit([Change(each.from_a, each.to_a, each.text) for each in changes])

    def edit(self, changes: Sequence[Change]) -> None:
        r"""Make several changes as one edit, at once; all positions are those of the text before.

        Works without a connection, too. Line breaks are made `\n`. An edit
        that the server refuses, as it does when others have made the text too
        long meanwhile, is taken back: `wait_confirmed` raises, an `EditRefused`
        event has it, and other edits go on. One too long for a message is
        committed, and may be refused, in parts.

        Raises:
            TypeError: if an argument has a wrong type; nothing is changed.
            ValueError: if a change reaches outside the text, overlaps another, or
                inserts half a surrogate pair; nothing is changed.
            TextTooLong: if the text would be longer than the server takes; nothing is changed.
            ViewOnly: if this client may only look.
            CodespaceClosed: if the client has given up or was left.
        """
        changes = checked_changes(changes)
        for change in changes:
            self._check_range(change.start, change.end)
        for one, two in pairwise(sorted(changes, key=lambda change: (change.start, change.end))):
            if two.start < one.end:
                raise ValueError(f"changes of one edit overlap: {one.start} to {one.end}, and {two.start} to {two.end}")
        pos = self._places.pos
        self._edit([Change(pos(change.start), pos(change.end), change.insert) for change in changes])

    def select(self, ranges: Sequence[Range]) -> None:
        """Show the others cursors and selections, as (anchor, head) in `text`; none to show none.

        They move with the text. Not kept by the server: a new connection tells them anew.

        Raises:
            ValueError: if there are too many ranges or one is no part of the text.
            CodespaceClosed: if the client has given up or was left.
        """
        self._check_open()
        ranges = checked_ranges(ranges)
        for anchor, head in ranges:
            self._check_range(min(anchor, head), max(anchor, head))
        self._replica.select(mapped(ranges, self._places.pos))
        self._link.wake()

    def mark(self, pos: int, *, behind: bool = False) -> Mark:
        """Return a mark at `pos`, which moves with the text; `behind`: it stands behind what is inserted at it.

        Raises:
            ValueError: if the position is outside the text.
        """
        pos = checked_position(pos, "pos")
        self._check_range(pos, pos)
        anchor = Anchor(self._places.pos(pos), behind=behind)
        self._replica.presence.anchors.add(anchor)
        return Mark(anchor, lambda: self._places)

    @property
    def _places(self) -> Places:
        units = self._replica.text
        if self._placed[0] is not units:
            self._placed = (units, Places(units))
        return self._placed[1]

    def _check_range(self, start: int, end: int) -> None:
        if not 0 <= start <= end <= self.length:
            raise ValueError(f"{start} to {end} is no part of the text, which has {self.length} characters")

    def _edit(self, changes: Sequence[Change]) -> None:
        """Make changes whose positions count UTF-16 units."""
        self._check_open()
        if self.mode == "view_only":
            raise ViewOnly("this client may look at the codespace, not edit it")
        before = self._replica.text
        made = self._replica.edit(changes)
        self._link.wake()
        if not made.empty:
            self._on_change([TextChanged(shown(made, before), self.version, self.id, own=True)])

    # Waiting. Cancelled, these have done nothing.

    async def wait_confirmed(self) -> None:
        """Wait until every edit made so far is committed.

        Raises:
            EditsRefused: if edits were refused since this was last raised; those that were not are committed.
            CodespaceClosed: if the client gives up first; whether the edits are committed is then not known.
        """
        made = self._replica.made
        told = self._refusals_told
        await self._wait(lambda: self._replica.settled >= made)
        if self._refused is not None and self._refusals > told:
            self._refusals_told = self._refusals
            raise EditsRefused(self._refused.code, self._refused.reason)

    async def save(self, seconds: float) -> None:
        """Wait until every edit made so far is committed, for so many seconds at most; without edits, not at all.

        Raises:
            EditsUnconfirmed: if they are not committed by then, or the client gives up first; has the text.
            EditsRefused: if edits were refused since this was last raised.
        """
        made = self._replica.made
        reason = f"the server has not confirmed them within {seconds:g} seconds"
        with trio.move_on_after(seconds):
            try:
                await self.wait_confirmed()
            except CodespaceClosed as closed:
                reason = str(closed)
        if self._replica.settled < made:
            raise EditsUnconfirmed(self.unconfirmed, reason, self.text, self._replica.unsaved)

    async def wait_text(self, wanted: str | Callable[[str], bool]) -> None:
        """Wait until the text is `wanted`, or one for which it returns true; it may be over at once.

        Raises:
            CodespaceClosed: if the client gives up first.
        """
        if isinstance(wanted, str):
            units = to_units(normalise_line_breaks(wanted))
            await self._wait(lambda: self._replica.text == units)
        else:
            await self._wait(lambda: wanted(self.text))

    async def wait_quiet(self, seconds: float) -> None:
        """Wait until nobody, this client included, has changed the text for so many seconds.

        It may be over at once. Without a connection nobody can tell, so the
        seconds count from the last connection or the last change, whichever is later.

        Raises:
            CodespaceClosed: if the client gives up first.
        """
        await trio.lowlevel.checkpoint()
        while trio.current_time() < self._quiet_since + seconds:
            self._check_open()
            with trio.move_on_at(self._quiet_since + seconds):
                await self._changed.wait()

    async def wait_version(self, version: int) -> None:
        """Wait until at least `version` updates are known to be committed.

        Raises:
            CodespaceClosed: if the client gives up first.
        """
        await self._wait(lambda: self._replica.version >= version)

    async def wait_connected(self) -> None:
        """Wait until there is a connection; it may be lost again when this returns.

        Raises:
            CodespaceClosed: if the client gives up first.
        """
        await self._wait(lambda: self._link.state is State.CONNECTED)

    def events(self) -> EventStream:
        """Return a stream of what happens from now on, for one reader.

        It keeps a bounded number of events and ends by raising CodespaceClosed; see `EventStream`.

        Raises:
            CodespaceClosed: if the client has given up or was left.
        """
        self._check_open()
        stream = EventStream(self._client_limits.events, self._client_limits.kept_bytes)
        self._streams.add(stream)
        return stream

    def updates(self, *, since: int | None = None) -> UpdateStream:
        """Return a stream of what is committed, by whomever, after version `since`, or from now on; for loggers.

        Each `Update` has its author. `committed_text` with the changes of all
        of them is the later `committed_text`. The client keeps the newest 1024
        (`ClientLimits.updates`) since it connected.

        Raises:
            ValueError: if updates since that version are not kept.
        """
        log = self._replica.committed
        return UpdateStream(log, log.place_after(self.version if since is None else since), self._wait)

    # Connections.

    async def rename(self, name: str) -> None:
        """Have the others shown another name, by a new connection that goes on from the present one.

        Raises:
            ValueError: if it has more than 64 characters.
            CodespaceClosed: if the client gives up.
        """
        check_name(name)
        self._link.name = name
        await self.reconnect()

    def drop_connection(self) -> None:
        """Lose the connection without a close frame, as by a fault of the network.

        It is made anew after the first pause. Without a connection nothing happens.

        Raises:
            CodespaceClosed: if the client has given up or was left.
        """
        self._check_open()
        self._link.cut()

    async def reconnect(self) -> None:
        """Drop the connection if there is one, connect again without a pause, and wait for the welcome.

        Raises:
            CodespaceClosed: if the client gives up.
        """
        self._check_open()
        link = self._link
        welcomes = link.welcomes
        link.cut()
        link.hurry()
        await self._wait(lambda: link.welcomes > welcomes)

    def _on_change(self, events: Sequence[Event]) -> None:
        """Take note that the replica or the link may have changed, by `events` among others."""
        for event in events:
            if isinstance(event, EditRefused):
                self._refusals += 1
                self._refused = event
        if self._link.state is not State.CONNECTED:
            self._quiet_since = math.inf
        elif self._quiet_since == math.inf or any(isinstance(event, TextChanged) for event in events):
            self._quiet_since = trio.current_time()
        closed = self._link.closed
        for stream in list(self._streams):
            stream.put(events)
            if closed is not None:
                stream.end(closed)
        self._wake()

    def _check_open(self) -> None:
        closed = self._link.closed
        if closed is not None:
            raise CodespaceClosed(closed.code, closed.reason)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def _wait(self, condition: Callable[[], bool]) -> None:
        await trio.lowlevel.checkpoint()
        while not condition():
            self._check_open()
            await self._changed.wait()
