"""The limits of a push: how many updates and sections it may have, looked at before a change set is made of any."""

import re

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

from pyshare.core.changeset import ChangeSet, ChangeSetError
from pyshare.core.errors import CloseCode, Closing, ConnectionRefused, PushRefused, RefusalCode, shortened
from pyshare.core.json_counts import count_lists

#: Updates of one push, and sections of all its change sets together; a push with more is sent in parts.
PUSH_UPDATES = 1024
PUSH_SECTIONS = 81_920
#: Lists that a client's frame may have: one for each update and for each section, and one around all.
_LISTS = PUSH_UPDATES + PUSH_SECTIONS + 1
_SEQ = re.compile(r'"seq"\s*:\s*([1-9][0-9]{0,14})\b')


class UnreadablePush(PushRefused):
    """A push that has a number, and updates that are not read."""

    def __init__(self, seq: int, code: RefusalCode, reason: str) -> None:
        super().__init__(code, reason)
        self.seq = seq


def parse_updates(value: object, info: ValidationInfo[object]) -> tuple[ChangeSet, ...]:
    """Return the updates of a push; what is above its limits is refused before it is looked at."""
    if not isinstance(value, list) or not value:
        raise ValueError("should be a list of one change set or more")
    sections = sum(len(each) for each in value if isinstance(each, list)) if len(value) <= PUSH_UPDATES else 0
    if len(value) > PUSH_UPDATES or sections > PUSH_SECTIONS:
        count = f"{len(value)} updates" if len(value) > PUSH_UPDATES else f"{sections} sections"
        reason = f"a push of {count}; send it in parts of {PUSH_UPDATES} updates and {PUSH_SECTIONS} sections at most"
        seq = info.data.get("seq")
        if isinstance(seq, int):
            raise UnreadablePush(seq, RefusalCode.TOO_MUCH, reason)
        raise ValueError(reason)
    updates = []
    for index, each in enumerate(value):
        try:
            updates.append(ChangeSet.from_json(each, join_kept=True))
        except ChangeSetError as error:
            raise PydanticCustomError("update", "{reason}", {"index": index, "reason": str(error)}) from None
    return tuple(updates)


def refuse_many_lists(text: str) -> None:
    """Raise if the frame `text` has more lists than any push may have; what is in strings does not count."""
    if text.count("[") <= _LISTS:
        return
    lists = count_lists(text)
    if lists <= _LISTS or not text.lstrip().startswith("{"):
        return
    reason = f"a push of {lists} lists; send it in parts of {PUSH_UPDATES} updates and {PUSH_SECTIONS} sections at most"
    seq = _SEQ.search(text, 0, text.index("["))
    if seq is None:
        raise ConnectionRefused(Closing(CloseCode.NOT_UNDERSTOOD, shortened(reason)))
    raise UnreadablePush(int(seq[1]), RefusalCode.TOO_MUCH, reason)
