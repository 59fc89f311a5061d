"""The Redis keys and fields of a codespace, and the form of updates and events there.

| key | type | what |
| --- | --- | --- |
| `<id>` | hash | the API's (`code`, `name`, `uuid`) and ours, which are in `_OURS` |
| `{<id>}:log` | stream | the log; the entry `7-0` is the update that made version 7 |
| `{<id>}:seqs` | hash | each recent sender's last push, as `<seq> <version>` |

The topic `<id>` carries what is committed and what instances announce. All of
it is JSON in UTF-8; nothing here knows how it comes and goes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from pydantic import TypeAdapter

from pyshare.core.changeset import ChangeSet
from pyshare.core.document import Update, normalise
from pyshare.core.names import public_name
from pyshare.core.presence import Announcement
from pyshare.core.units import from_units
from pyshare.store.interface import Announced, Committed, Gap, NotACodespace, Snapshot, Standing

#: What says that events were missed.
GAP = b'{"gap":true}'
#: The fields of the hash that are ours; `code` is the API's and ours. `before` has the epochs that `epoch` continues.
_OURS = frozenset({"code", "epoch", "before", "version", "code_version", "turn", "log_bytes", "log_bytes_of"})

_ANNOUNCEMENTS: TypeAdapter[Announcement] = TypeAdapter(Announcement)


def keys_of(codespace: str) -> tuple[str, str, str]:
    """Return the keys of a codespace: its hash, its log, the last pushes; all in one slot of a Redis cluster."""
    return codespace, f"{{{codespace}}}:log", f"{{{codespace}}}:seqs"


def codespace_of(key: str) -> str:
    """Return the codespace that has `key`, if one has."""
    for ending in ("}:log", "}:seqs"):
        if key.startswith("{") and key.endswith(ending):
            return key[1 : -len(ending)]
    return key


def new_fields(codespace: str) -> tuple[str, ...]:
    """Return the fields of a codespace that is made here, each followed by its value."""
    # The API fails on a temporary one without its uuid.
    return ("code", "", "uuid", codespace) if codespace.startswith("tmp-") else ("code", "")


def write_text(units: str) -> bytes:
    """Return a units string as the API reads it."""
    return from_units(units).encode()


def write_update(update: Update) -> bytes:
    """Return one update as the log and the topic have it."""
    body = [update.sender, update.seq, update.changes.to_json()]
    return from_units(json.dumps(body, ensure_ascii=False, separators=(",", ":"))).encode()


def read_update(data: bytes) -> Update:
    """Return the update that `write_update` wrote.

    Raises:
        ValueError: if it is none.
    """
    return _update(json.loads(data))


def write_committed(origin: str, number: int, epoch: str, version: int, updates: Iterable[bytes]) -> bytes:
    """Return what the topic says of updates; whoever said it knows it by its first two items, `origin` and `number`."""
    head = json.dumps([origin, number, epoch, version], separators=(",", ":"))
    return head[:-1].encode() + b",[" + b",".join(updates) + b"]]"


def origin_prefix(origin: str) -> bytes:
    """Return how everything begins that `write_committed` writes for `origin`; its number and a comma follow."""
    return json.dumps([origin])[:-1].encode() + b","


def write_announcement(announcement: Announcement) -> bytes:
    """Return what the topic says of an announcement."""
    return _ANNOUNCEMENTS.dump_json(announcement)


def read_event(data: bytes) -> Committed | Announced | Gap:
    """Return what the topic says.

    Raises:
        ValueError: if pyshare has not written it.
    """
    if data == GAP:
        return Gap()
    if not data.startswith(b"["):
        return Announced(_ANNOUNCEMENTS.validate_json(data))
    match json.loads(data):
        case [str(), int(), str(epoch), int(version), list(updates)]:
            return Committed(version, tuple(map(_update, updates)), epoch)
        case _:
            raise ValueError("a list that tells of no updates")


def read_standing(codespace: str, fields: Mapping[str, bytes]) -> Standing:
    """Return the epoch and the version that are stored.

    Raises:
        NotACodespace: if what is stored makes no sense.
    """
    try:
        return Standing(fields["epoch"].decode(), int(fields["version"]))
    except (ValueError, KeyError) as error:
        raise damaged(codespace, repr(error)) from None


def read_snapshot(
    codespace: str, fields: Mapping[str, bytes], updates: Sequence[Update], seqs: Mapping[str, bytes]
) -> Snapshot:
    """Return the codespace that is stored; `updates` are the last ones of its log.

    Raises:
        NotACodespace: if what is stored makes no sense; the message says where.
    """
    standing = read_standing(codespace, fields)
    version = standing.version
    try:
        last = [(int(found.split()[1]), sender, int(found.split()[0])) for sender, found in seqs.items()]
        text_version = int(fields["code_version"])
    except (ValueError, KeyError, IndexError) as error:
        raise damaged(codespace, repr(error)) from None
    text = normalise(fields.get("code", b"").decode(errors="replace"))
    if not version - len(updates) <= text_version <= version:
        reason = f"its text is of version {text_version}, its log has the last {len(updates)} of {version}"
        raise damaged(codespace, reason)
    last_seqs = {sender: seq for _, sender, seq in sorted(last)}
    before = tuple(fields.get("before", b"").decode(errors="replace").split())
    return Snapshot(standing.epoch, text, text_version, version, tuple(updates), last_seqs, before)


def other_fields(fields: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the fields that are not ours, which come back as they were if the codespace is lost."""
    return {name: value for name, value in fields.items() if name not in _OURS}


def held_seqs(held: Snapshot) -> list[str]:
    """Return the senders and their last pushes, by turns, as they are put back, in the order of their versions."""
    written = []
    first = held.version - len(held.last_seqs)
    for place, (sender, seq) in enumerate(held.last_seqs.items(), first + 1):
        written += [sender, f"{seq} {max(place, 0)}"]
    return written


def last_seqs_of(updates: Iterable[Update]) -> list[str | int]:
    """Return the senders of `updates` and the last push of each, by turns, the latest sender last."""
    last: dict[str, int] = {}
    for update in updates:
        last[update.sender] = max(last.pop(update.sender, 0), update.seq)
    return [item for pair in last.items() for item in pair]


def damaged(codespace: str, reason: str) -> NotACodespace:
    """Return the error for a codespace that is stored in another way than pyshare does."""
    return NotACodespace(f"what is stored of codespace {public_name(codespace)} is damaged: {reason}")


def _update(body: object) -> Update:
    match body:
        case [str(sender), int(seq), changes]:
            return Update(sender, seq, ChangeSet.from_json(changes))
        case _:
            raise ValueError(f"{body!r:.80} is no update")
