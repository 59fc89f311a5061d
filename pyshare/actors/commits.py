"""The pushes that wait to be committed, one a client, and the drafts made of them.

Plain decisions: what a push is answered before it is tried, what goes into the
next append, what a committed update settles. The channel waits; this does not.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pyshare.core.document import Document, Draft, Push, Update, weight
from pyshare.core.errors import PushRefused, RefusalCode
from pyshare.core.work import Work, WorkSpent

#: Committed pushes that are remembered, and how large one may be.
_REMEMBERED_PUSHES = 1024
_REMEMBERED_BYTES = 4096
#: What a client is told whose push would take too many steps.
_TOO_MUCH = "rebasing these updates is too much work; compose them, or fetch the text again"


@dataclass(frozen=True, slots=True)
class DraftLimits:
    """What one draft takes, and how much work the pushes of one client may be."""

    #: Updates, and work in sections visited, after which a draft takes no further push: others have their turn.
    updates: int = 1024
    steps: int = 100_000
    #: Work of one client's pushes at once, and for each second since. At once: what was typed while nothing could
    #: be committed has to be rebased over what all others have typed. For good: that nobody occupies the server.
    client_steps: int = 4_000_000
    client_steps_per_second: int = 200_000


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes into one append, and what can never be committed."""

    draft: Draft
    #: Clients whose pushes are in the draft.
    clients: frozenset[str]
    refused: tuple[tuple[Push, PushRefused], ...]
    #: Clients that wait for the answer to a push that was committed under another number.
    unanswerable: tuple[str, ...]


class PendingPushes:
    """Pushes of one codespace that are accepted and not yet settled."""

    def __init__(self, limits: DraftLimits | None = None) -> None:
        self._limits = limits or DraftLimits()
        # The push of each client, in the order in which they came.
        self._pushes: dict[str, Push] = {}
        # Each of them as it applied to the document when it was tried last: what was rebased need not be again.
        self._current: dict[str, Push] = {}
        # About how many bytes they take.
        self._bytes = 0
        # The last push of each client that was committed, as it was received, the latest last.
        self._committed: dict[str, Push] = {}
        # When the work of each client that has caused any will have been made good, by the owner's clock.
        self._made_good: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._pushes)

    @property
    def weight_bytes(self) -> int:
        """About how many bytes the waiting pushes take."""
        return self._bytes

    def add(self, push: Push, document: Document) -> bool:
        """Let `push` wait; return False if it is known already, and nothing is to be done.

        Raises:
            PushRefused: if its number cannot be: one push in flight a client, numbers count up.
        """
        waiting = self._pushes.get(push.sender)
        last = document.last_seq(push.sender)
        if push.seq == last or (waiting and waiting.seq == push.seq):
            return False
        if push.seq < last:
            raise PushRefused(RefusalCode.SEQ, f"seq {push.seq} was used before; the last one was {last}")
        if waiting:
            reason = f"push {waiting.seq} is still being committed; one push in flight"
            raise PushRefused(RefusalCode.IN_FLIGHT, reason)
        self._pushes[push.sender] = push
        self._bytes += _push_weight(push)
        return True

    def drop(self, clients: Collection[str]) -> None:
        """Let go of the pushes of `clients`."""
        for client in clients:
            push = self._pushes.pop(client, None)
            self._current.pop(client, None)
            if push:
                self._bytes -= _push_weight(push)

    def settle(self, updates: Sequence[Update]) -> None:
        """Let go of the pushes that committed `updates` were."""
        for update in updates:
            push = self._pushes.get(update.sender)
            if push is not None and push.seq <= update.seq:
                self.drop((update.sender,))
                self._remember(push)

    def last_committed(self, client: str) -> Push | None:
        """Return the last push of `client` that was committed, as it was received, if it is remembered."""
        return self._committed.get(client)

    def draft(self, document: Document, now: float) -> Batch:
        """Return the next append at time `now`: waiting pushes in the order they came, rebased.

        A draft that is full takes no further push. What is committed already or refused waits no more.
        """
        limits = self._limits
        steps = 0
        draft = Draft(document)
        clients = set()
        refused = []
        unanswerable = []
        done = []
        for client, push in self._pushes.items():
            allowed = min(document.limits.rebase_steps, self._steps_left(client, now))
            work = Work(allowed)
            try:
                if push.seq > document.last_seq(client):
                    self._current[client] = document.rebased(self._current.get(client, push), work)
                added = draft.add(self._current.get(client, push), work)
            except PushRefused as refusal:
                refused.append((push, refusal))
                done.append(client)
                continue
            except WorkSpent:
                refused.append((push, PushRefused(RefusalCode.TOO_MUCH, _TOO_MUCH)))
                done.append(client)
                continue
            finally:
                self._charge(client, work.spent, now)
                steps += work.spent
            if added:
                clients.add(client)
            else:
                done.append(client)
                if push.seq > document.last_seq(client):
                    unanswerable.append(client)
            if len(draft.updates) >= limits.updates or steps >= limits.steps:
                break
        self.drop(done)
        return Batch(draft, frozenset(clients), tuple(refused), tuple(unanswerable))

    def _steps_left(self, client: str, now: float) -> float:
        """Return how much work the pushes of `client` may be now."""
        limits = self._limits
        owed = max(0.0, self._made_good.get(client, now) - now) * limits.client_steps_per_second
        return limits.client_steps - owed

    def _charge(self, client: str, steps: float, now: float) -> None:
        begin = max(now, self._made_good.pop(client, now))
        self._made_good[client] = begin + steps / self._limits.client_steps_per_second
        oldest = next(iter(self._made_good))
        if self._made_good[oldest] <= now:
            del self._made_good[oldest]

    def _remember(self, push: Push) -> None:
        self._committed.pop(push.sender, None)
        if _push_weight(push) <= _REMEMBERED_BYTES:
            self._committed[push.sender] = push
        if len(self._committed) > _REMEMBERED_PUSHES:
            del self._committed[next(iter(self._committed))]


def _push_weight(push: Push) -> int:
    return sum(map(weight, push.updates))
