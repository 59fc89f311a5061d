"""The pushes that wait to be committed, one a client, and the drafts made of them.

Plain decisions: what a push is answered before it is tried, what goes into the
next append, what a committed update settles. The channel waits; this does not.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from pyshare.core.changeset import ChangeSetError
from pyshare.core.document import Document, Push, Update, weight
from pyshare.core.draft import Draft, WaitingPush
from pyshare.core.errors import PushRefused, RefusalCode
from pyshare.core.shares import Share, unlimited_share
from pyshare.core.work import Work

#: Updates after which a draft takes no further push: others have their turn.
_DRAFT_UPDATES = 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """Pushes that go into one append, and those that can never be committed."""

    draft: Draft
    #: Clients whose pushes are in the draft.
    clients: frozenset[str]
    refused: tuple[tuple[Push, PushRefused], ...]
    #: Clients that wait for the answer to a push that was committed under another number.
    unanswerable: tuple[str, ...]


class PendingPushes:
    """Pushes of one codespace that are accepted and not yet settled."""

    def __init__(self, share: Share | None = None) -> None:
        # What the codespace holds of a limit for all.
        self._share = share or unlimited_share()
        # The push of each client, in the order in which they have their turn.
        self._pushes: dict[str, WaitingPush] = {}
        # Charges the steps of each client's push to its connection, also after the client has left.
        self._charges: dict[str, Callable[[int], None]] = {}
        # About how many bytes they take.
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._pushes)

    @property
    def weight_bytes(self) -> int:
        """About how many bytes the waiting pushes take."""
        return self._bytes

    def add(self, push: Push, document: Document, *, charge: Callable[[int], None]) -> bool:
        """Let `push` wait; return False if it is known already, and nothing is to be done.

        `charge` is called with the steps of work that the push takes in each
        turn (see `pyshare.core.work`), until the push is settled or dropped.

        Raises:
            PushRefused: if its number cannot be: one push in flight a client, numbers count up.
        """
        waiting = self._waiting(push.sender)
        last = document.last_seq(push.sender)
        if waiting and waiting.seq == push.seq:
            return False
        if push.seq == last:
            _check_repetition(push, document, charge)
            return False
        if push.seq < last:
            raise PushRefused(RefusalCode.SEQ, f"seq {push.seq} was used before; the last one was {last}")
        if waiting:
            reason = f"push {waiting.seq} is still being committed; one push in flight"
            raise PushRefused(RefusalCode.IN_FLIGHT, reason)
        self._pushes[push.sender] = WaitingPush(push)
        self._charges[push.sender] = charge
        self._weigh(_push_weight(push))
        return True

    def drop(self, clients: Collection[str]) -> None:
        """Let go of the pushes of `clients`."""
        for client in clients:
            waiting = self._pushes.pop(client, None)
            self._charges.pop(client, None)
            if waiting:
                self._weigh(-_push_weight(waiting.push))

    def settle(self, updates: Sequence[Update]) -> None:
        """Let go of the pushes that committed `updates` were."""
        for update in updates:
            push = self._waiting(update.sender)
            if push is not None and push.seq <= update.seq:
                self.drop((update.sender,))

    def draft(self, document: Document, turn: Work) -> Batch:
        """Return the next append: waiting pushes in the order they came, rebased, as far as one `turn` reaches.

        A push that is not ready when the turn is spent waits for the next turn,
        behind the others. A push that takes a turn by itself has a draft of its
        own. A draft may be empty. What is committed already or refused waits no more.
        """
        draft = Draft(document)
        clients = set()
        refused = []
        unanswerable = []
        for client, waiting in list(self._pushes.items()):
            if len(draft.updates) >= _DRAFT_UPDATES:
                break
            spent = turn.spent
            try:
                added = self._add(waiting, draft, document, turn)
            except PushRefused as refusal:
                refused.append((waiting.push, refusal))
                added = False
            except ChangeSetError as error:
                refused.append((waiting.push, PushRefused(RefusalCode.INVALID, f"not for this text: {error}")))
                added = False
            else:
                if added is False and waiting.push.seq > document.last_seq(client):
                    unanswerable.append(client)
            self._charges[client](turn.spent - spent)
            if added is None:
                break
            if added:
                clients.add(client)
            else:
                self.drop((client,))
        return Batch(draft, frozenset(clients), tuple(refused), tuple(unanswerable))

    def _add(self, waiting: WaitingPush, draft: Draft, document: Document, turn: Work) -> bool | None:
        """Return whether a push was added to `draft`, False if it has nothing to add; None if the draft ends here."""
        client = waiting.push.sender
        push = waiting.push
        if draft.has(push):
            return False
        if push.exact and push.version < draft.base + len(draft.updates):
            raise PushRefused(RefusalCode.TOO_OLD, "the text has changed since; read it again")
        if not waiting.go_on(document, turn):
            self._pushes[client] = self._pushes.pop(client)
            return None
        steps = draft.steps(waiting)
        if draft.updates and steps > turn.left:
            self._pushes = {client: self._pushes.pop(client), **self._pushes}
            return None
        turn.take(steps)
        return draft.add(waiting)

    def _weigh(self, size_bytes: int) -> None:
        self._bytes += size_bytes
        self._share.change(size_bytes)

    def _waiting(self, client: str) -> Push | None:
        waiting = self._pushes.get(client)
        return waiting.push if waiting else None


def _check_repetition(push: Push, document: Document, charge: Callable[[int], None]) -> None:
    """Raise PushRefused if the push that was committed under the same number is one that its sender had seen committed.

    So this is another push, and its answer would never come: the sender has its
    session, and not its edits, from an earlier life.
    """
    following = document.since(push.version)
    if following is None:
        return
    charge(len(following))
    if not any(update.sender == push.sender and update.seq == push.seq for update in following):
        reason = f"seq {push.seq} was used before version {push.version}; count on from the welcome's acked"
        raise PushRefused(RefusalCode.SEQ, reason)


def _push_weight(push: Push) -> int:
    return sum(map(weight, push.updates))
