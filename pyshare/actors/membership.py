"""The members of a channel: let in with a welcome, told the news, answered by their outlet or by their id, let go.

The part of a channel that is about its members and not about the text; touched
by that channel's tasks only, and no method waits.
"""

from collections.abc import Collection

import trio

from pyshare.actors.attendance import Attendance
from pyshare.actors.counts import Counts, Guest
from pyshare.actors.fanout import FanOut, Outlet
from pyshare.actors.messages import Join
from pyshare.actors.stock import StockRoom
from pyshare.actors.welcome import EncodedText, welcome
from pyshare.core.document import Document
from pyshare.core.errors import CloseCode, Closing
from pyshare.core.framing import server_frame
from pyshare.core.names import fingerprint
from pyshare.core.protocol import Limits, Peer, RefusedFrame, ServerFrame, StatusFrame, Storage
from pyshare.core.work import BYTES_A_STEP

#: The topic under which members hear whether edits are being committed; no client id is that short.
_STORAGE = "storage"


class Membership:
    """The members of one channel."""

    def __init__(
        self,
        document: Document,
        fanout: FanOut,
        attendance: Attendance,
        stock: StockRoom,
        *,
        codespace: str,
        epoch: str,
        before: tuple[str, ...],
        most_clients: int,
        told: Limits,
        counts: Counts,
    ) -> None:
        # What the members have, or get; read here only.
        self._document = document
        self._text = EncodedText(document)
        # The mark of the codespace that members are told.
        self._fingerprint = fingerprint(codespace)
        # The epoch, and those that it continues.
        self._epoch = epoch
        self._before = before
        # Who has been sent what, who is here, the stock editors, and the outlet of each member by its id.
        self._fanout = fanout
        self._attendance = attendance
        self._stock = stock
        self._outlets: dict[str, Outlet] = {}
        # The same members as the operator is shown them, by their id.
        self._guests: dict[str, Guest] = {}
        # Members at one time, and what they are told of the limits.
        self._most_clients = most_clients
        self._told = told
        # The channel's counts; those about members are counted here.
        self._counts = counts
        # Whether edits are being committed, as the members know it.
        self._status = StatusFrame("ok")

    @property
    def storage(self) -> Storage:
        """Whether edits are being committed, as the members know it."""
        return self._status.storage

    @property
    def guests(self) -> Collection[Guest]:
        """The members at this moment, as the operator is shown them."""
        return tuple(self._guests.values())

    def __len__(self) -> int:
        return len(self._outlets)

    def find(self, outlet: Outlet) -> Peer | None:
        """Return who the member behind `outlet` is."""
        member = self._fanout.find(outlet) or self._stock.find(outlet)
        return member.peer if member else None

    def admit(self, join: Join) -> bool:
        """Let somebody in, in place of an older connection of the same session; return False if there is no room."""
        client = join.peer.id
        replaced = self._outlets.get(client)
        if replaced is None and len(self) >= self._most_clients:
            reason = f"this codespace has its {self._most_clients} clients; try again later"
            join.outlet.close_nowait(Closing(CloseCode.TOO_MANY, reason))
            return False
        if replaced is not None:
            self._fanout.leave(replaced)
            self._stock.leave(replaced)
            replaced.close_nowait(Closing(CloseCode.DONE, "this session has connected again"))
        if join.stock:
            self._stock.join(join.outlet, join.peer, trio.current_time())
        else:
            self._welcome(join)
        self._outlets[client] = join.outlet
        self._guests[client] = Guest(join.peer, join.remote)
        self._attendance.join(join.peer)
        return True

    def _welcome(self, join: Join) -> None:
        peers = self._attendance.peers(join.peer.id)
        known = join.version if join.epoch == self._epoch else None
        if known is not None and join.tip is not None and self._document.tip_at(known) not in {None, join.tip}:
            # The store came back with an older log, which has grown another way: to this version, and another text.
            known = None
        if join.version is not None and (known is None or self._document.since(known) is None):
            self._counts.resyncs["text"] += 1
        first = welcome(
            join.peer,
            self._document,
            epoch=self._epoch,
            before=self._before,
            peers=peers,
            limits=self._told,
            known=known,
            text=self._text,
            codespace=self._fingerprint,
            language=self._attendance.language,
            pieces=join.pieces,
        )
        if self.storage == "down":
            first += server_frame(self._status)
        join.outlet.charge(len(peers) + len(first) // BYTES_A_STEP)
        told = (peer.id for peer in peers)
        self._fanout.join(join.outlet, join.peer, first, told=told, pieces=join.pieces)
        self._attendance.show(join.outlet)

    def leave(self, outlet: Outlet) -> None:
        """Let a member go, if it is one."""
        member = self._fanout.leave(outlet) or self._stock.leave(outlet)
        if member is not None:
            del self._outlets[member.peer.id], self._guests[member.peer.id]
            self._attendance.leave(member.peer.id)

    def close_all(self, closing: Closing) -> None:
        """Close every member."""
        for outlet in self._outlets.values():
            outlet.close_nowait(closing)

    def catch_up(self, outlet: Outlet) -> None:
        """Send a member whose outlet has room again what it has missed."""
        stock = self._stock.find(outlet)
        if stock is not None:
            self._stock.drained(stock, trio.current_time())
            return
        lagged = self._fanout.lagging
        missed = self._fanout.drained(outlet)
        self._counts.resyncs["lag"] += lagged - self._fanout.lagging
        member = self._fanout.find(outlet)
        if member is not None and self._fanout.lagging < lagged:
            self._attendance.show(outlet)
        if missed and member is not None:
            frames = self._news([topic for topic in missed if topic != member.peer.id])
            self._fanout.answer(outlet, b"".join(frames.values()))

    def refuse(self, client: str, seq: int, *, code: str, reason: str) -> None:
        """Tell the member of that id, if it is here, that its push can never be."""
        stock = self._stock.find_client(client)
        if stock is not None:
            self._stock.refused(stock, trio.current_time())
        else:
            self._answer(client, RefusedFrame(seq, code, reason))
        self._counts.refused[code] += 1

    def close(self, client: str, closing: Closing) -> None:
        """Close the member of that id, if it is here."""
        outlet = self._outlets.get(client)
        if outlet is not None:
            outlet.close_nowait(closing)
        stock = self._stock.find_client(client)
        if stock is not None:
            self._stock.give_up(stock)

    def tell_storage(self, status: StatusFrame) -> None:
        """Tell all members whether edits are being committed."""
        self._status = status
        self._fanout.tell_all(self._news([_STORAGE]))

    def _answer(self, client: str, frame: ServerFrame) -> None:
        outlet = self._outlets.get(client)
        if outlet is not None:
            self._fanout.answer(outlet, server_frame(frame))

    def _news(self, topics: Collection[str]) -> dict[str, bytes]:
        """Return the newest frame of each topic: the storage, or one of the attendance."""
        frames = self._attendance.frames(topic for topic in topics if topic != _STORAGE)
        if _STORAGE in topics:
            frames[_STORAGE] = server_frame(self._status)
        return frames
