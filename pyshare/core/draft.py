"""Pushes on their way into the log: rebased part by part, and gathered for one append.

A push made on an older version is rebased over the log's updates since, one
push after the other, as an editor built on @codemirror/collab does when it
receives each push in a frame of its own. That unit matters: mapping over two
pushes in turn and mapping over their composition can place an insertion
differently, where one deletes and the other inserts at the same point. Then an
editor that got both in one frame and a server that took them in turn would
part for good. So a push is one unit everywhere: here, and on the wire.

The updates of one push are composed from left to right, as that editor does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pyshare.core.changeset import ChangeSet
from pyshare.core.document import Document, DocumentLimits, Push, Update, by_push
from pyshare.core.errors import PushRefused, RefusalCode
from pyshare.core.units import has_lone_surrogate, splits_pair
from pyshare.core.work import Parts, Work, WorkSpent, copy_steps, finish

_TOO_MUCH = "rebasing these updates is too much work; send them in smaller parts"


def composing(updates: Sequence[ChangeSet]) -> Parts[ChangeSet]:
    """Compose `updates`, at least one, each of which follows the one before."""
    whole = updates[0]
    for each in updates[1:]:
        whole = yield from whole.composing(each)
    return whole


def rebasing(updates: Sequence[ChangeSet], push: Sequence[Update], sender: str) -> Parts[list[ChangeSet]]:
    """Rebase `updates` of `sender` behind one `push` of the log that starts in the same text.

    If the push is the sender's own, it is taken for the first of `updates`,
    and they are dropped. What was committed earlier stays left at a tie.

    Raises:
        PushRefused: if the sender's own push is another than the first of `updates`.
    """
    if push[0].sender == sender:
        return _without(updates, push)
    changes = yield from composing([update.changes for update in push])
    rebased = []
    for index, own in enumerate(updates):
        rebased.append((yield from own.mapping(changes)))
        if index + 1 < len(updates):
            changes = yield from changes.mapping(own, before=True)
    return rebased


def rebase(updates: Sequence[ChangeSet], over: Iterable[Update], sender: str) -> list[ChangeSet]:
    """Return `updates` of `sender` rebased behind each push in `over`, all at once.

    The same as calling `rebaseUpdates` of @codemirror/collab once for each push.

    Raises:
        PushRefused: if a push of the sender in `over` is another than the first of `updates`.
    """
    rebased = list(updates)
    for push in by_push(over):
        if rebased:
            rebased = finish(rebasing(rebased, push, sender))
    return rebased


class WaitingPush:
    """A push that waits to be committed, and its way to the newest version.

    The way is gone part by part, so that others have their turn between two.
    What was done is kept, also when the document moves on meanwhile.
    """

    def __init__(self, push: Push) -> None:
        #: The push as it was received.
        self.push = push
        #: The push as it applies to the newest version that it has come to; what the log has of it is dropped.
        self.current = push
        #: The updates of `current` as one change set; None if there are none, or they are not composed yet.
        self.whole: ChangeSet | None = None
        #: Steps that it has taken.
        self.steps = 0
        # Whether the push was found to be one for the text of its version.
        self._checked = False
        # The parts that are under way.
        self._parts: Parts[None] | None = None

    def is_ready(self, document: Document) -> bool:
        """Whether `current` applies to the newest version, and is composed."""
        composed = self.whole is not None or not self.current.updates
        return self._checked and composed and self.current.version == document.version

    def go_on(self, document: Document, turn: Work) -> bool:
        """Go on until the push is ready, or `turn` is spent; return whether it is ready.

        One part can be more than is left of the turn.

        Raises:
            PushRefused: if the push can never be committed, or takes more steps than one may.
        """
        while not self.is_ready(document):
            if turn.left <= 0:
                return False
            self._parts = self._parts or self._preparing(document)
            steps = next(self._parts, None)
            if steps is None:
                self._parts = None
                continue
            self.steps += steps
            if self.steps > document.limits.rebase_steps:
                raise PushRefused(RefusalCode.TOO_MUCH, _TOO_MUCH)
            turn.take(steps)
        return True

    def _preparing(self, document: Document) -> Parts[None]:
        limits, push = document.limits, self.current
        # The document may move on while a part waits for its turn: all of it is read here.
        over = document.behind(push)
        length = over[0].changes.length if over else len(document.text)
        yield copy_steps(100 * len(over))
        if not self._checked:
            yield sum(each.steps for each in push.updates)
            _check(push.updates, length, limits)
            self._checked = True
        self._estimate(over, limits)
        for logged in by_push(over):
            updates = tuple((yield from rebasing(self.current.updates, logged, push.sender)))
            self.current = replace(self.current, version=self.current.version + len(logged), updates=updates)
            self.whole = None
            if not updates:
                # The rest of the log, whatever it is, has all of the push behind it.
                self.current = replace(self.current, version=push.version + len(over))
                return
        self.whole = yield from _composing_within(self.current.updates, limits)

    def _estimate(self, over: Sequence[Update], limits: DocumentLimits) -> None:
        """Raise PushRefused if the way over `over` surely takes more steps than it may."""
        pushes = sum(1 for _ in by_push(over))
        own = sum(each.steps for each in self.current.updates)
        others = sum(update.changes.steps for update in over)
        if own * pushes + others * len(self.current.updates) > limits.rebase_steps - self.steps:
            raise PushRefused(RefusalCode.TOO_MUCH, _TOO_MUCH)


class Draft:
    """Pushes gathered for one append, each rebased on the document and on those before it.

    It never touches the document, and is valid as long as the document's
    version is `base`.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        # Version that the draft's first update follows.
        self.base = document.version
        # Text after the draft's last update, a units string.
        self.text = document.text
        # What the append will commit, in order.
        self.updates: list[Update] = []
        # Last push of each sender that is in the draft.
        self._seqs: dict[str, int] = {}

    def has(self, push: Push) -> bool:
        """Whether the document or this draft has a push of the sender with this number, or a later one."""
        return push.seq <= max(self._document.last_seq(push.sender), self._seqs.get(push.sender, 0))

    def steps(self, waiting: WaitingPush) -> int:
        """Return about how many steps `add` takes for a push that is ready."""
        updates = waiting.current.updates
        own = sum(each.steps for each in updates)
        steps = copy_steps(len(self.text)) + (0 if self.text.isascii() else own)
        if self.updates:
            pushes = sum(1 for _ in by_push(self.updates))
            others = sum(update.changes.steps for update in self.updates)
            steps += own * (pushes + 1) + others * len(updates)
        return steps

    def add(self, waiting: WaitingPush) -> bool:
        """Put a push that is ready at the draft's end; return False if all of it is committed already.

        That is so when a push of its number, or a later one, is; and when its
        updates are, under the number that they had before a reconnect.

        Raises:
            PushRefused: if it cannot be committed, ever; the draft is as it was.
        """
        push, updates, whole = waiting.push, waiting.current.updates, waiting.whole
        if self.has(push):
            return False
        limits = self._document.limits
        if self.updates:
            updates = tuple(rebase(updates, self.updates, push.sender))
            whole = finish(_composing_within(updates, limits)) if updates else None
        if whole is None:
            return False
        text = _applied(whole, self.text)
        if len(text) > max(limits.text_units, len(self.text)):
            reason = f"the text would have {len(text)} units; the limit is {limits.text_units}"
            raise PushRefused(RefusalCode.TOO_LONG, reason)
        self.text = text
        self.updates.extend(Update(push.sender, push.seq, changes) for changes in updates)
        self._seqs[push.sender] = push.seq
        return True


def _without(updates: Sequence[ChangeSet], push: Sequence[Update]) -> list[ChangeSet]:
    """Return `updates` without the first ones, which the log has as `push`."""
    for own, logged in zip(updates, push, strict=False):
        if (own.length, own.new_length) != (logged.changes.length, logged.changes.new_length):
            raise PushRefused(RefusalCode.INVALID, f"push {push[0].seq} was committed with other updates than these")
    return list(updates[len(push) :])


def _composing_within(updates: Sequence[ChangeSet], limits: DocumentLimits) -> Parts[ChangeSet]:
    work = Work(limits.compose_steps)
    parts = composing(updates)
    while True:
        try:
            steps = next(parts)
        except StopIteration as stop:
            whole: ChangeSet = stop.value
            return whole
        try:
            work.charge(steps)
        except WorkSpent:
            reason = "composing these updates is too much work; send fewer of them at once"
            raise PushRefused(RefusalCode.TOO_MUCH, reason) from None
        yield steps


def _check(updates: Sequence[ChangeSet], length: int, limits: DocumentLimits) -> None:
    """Raise PushRefused unless `updates` are for a text of `length`, each after the one before."""
    for index, changes in enumerate(updates):
        if changes.length != length:
            reason = f"updates[{index}] is for a text of {changes.length} units; there it has {length}"
            raise PushRefused(RefusalCode.INVALID, reason)
        if has_lone_surrogate("\n".join(changes.inserted)):
            raise PushRefused(RefusalCode.INVALID, f"updates[{index}] inserts half a surrogate pair")
        length = changes.new_length
    empty = sum(1 for each in updates if each.empty)
    if empty > limits.empty_updates:
        reason = f"{empty} updates change nothing; leave them out, {limits.empty_updates} are accepted"
        raise PushRefused(RefusalCode.TOO_MUCH, reason)


def _applied(changes: ChangeSet, text: str) -> str:
    """Return `text` after `changes`, none of which may cut a surrogate pair in two."""
    if has_lone_surrogate("\n".join(changes.inserted)):
        raise PushRefused(RefusalCode.INVALID, "together the updates insert half a surrogate pair")
    if not text.isascii():
        for change in changes.changes():
            if splits_pair(text, change.from_a) or splits_pair(text, change.to_a):
                reason = f"the change at {change.from_a} to {change.to_a} splits a surrogate pair"
                raise PushRefused(RefusalCode.INVALID, reason)
    return changes.apply(text)
