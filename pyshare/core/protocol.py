"""The messages, and pyshare.v1: parse a frame, encode a frame.

The frozen dataclasses here are both the wire's frames and what actors hand to
one another. `parse_client_frame` and `parse_server_frame` turn JSON text into
them, strictly; `encode` turns them into JSON. Texts and change sets inside are
units strings; names and reasons ordinary ones.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationError,
)

from pyshare.core.changeset import ChangeSet
from pyshare.core.document import Update
from pyshare.core.errors import CloseCode, Closing, ConnectionRefused, RefusalCode
from pyshare.core.explanations import explain
from pyshare.core.json_counts import has_more_names
from pyshare.core.push_limits import PUSH_SECTIONS, PUSH_UPDATES, UnreadablePush, parse_updates, refuse_many_lists
from pyshare.core.units import from_units, has_lone_surrogate, to_units
from pyshare.core.work import BYTES_A_STEP

#: The WebSocket subprotocol that a client offers to speak this dialect.
SUBPROTOCOL = "pyshare.v1"
#: Largest integer that JavaScript's JSON keeps exact (Number.MAX_SAFE_INTEGER).
MAX_INTEGER = 2**53 - 1
#: Selection ranges that one client may show; an editor with more cursors shows the first ones.
SELECTION_RANGES = 64
#: Fields of a frame, above which it is refused before it is parsed; each one that is not known costs work. Short frames
#: are parsed at once.
_NAMES = 64
_SHORT_UNITS = 4096

Mode = Literal["edit", "view_only"]
Storage = Literal["ok", "down"]


def _known_mode(value: object) -> object:
    """Return a server's word for a mode; one that is not known permits nothing but to look."""
    return "view_only" if isinstance(value, str) and value != "edit" else value


def _known_storage(value: object) -> object:
    """Return a server's word for the state of its storage; one that is not known promises nothing."""
    return "down" if isinstance(value, str) and value != "ok" else value


#: As a server says them: its version may be newer, and know more words.
ToldMode = Annotated[Mode, BeforeValidator(_known_mode)]
ToldStorage = Annotated[Storage, BeforeValidator(_known_storage)]

#: What a client sends is taken to the letter; what a server sends may have grown fields since.
_FROM_CLIENT = ConfigDict(strict=True, extra="forbid")
_FROM_SERVER = ConfigDict(strict=True, extra="ignore")

Version = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Seq = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
Position = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Range = tuple[Position, Position]
Changes = Annotated[ChangeSet, PlainValidator(ChangeSet.from_json)]
Units = Annotated[str, AfterValidator(to_units)]
#: The name of a programming language, as editors have it.
LanguageName = Annotated[str, Field(pattern="^[a-z0-9+#-]{1,32}$")]


@dataclass(frozen=True, slots=True)
class PushFrame:
    """A client's unconfirmed updates, each after the one before; one in flight, `seq` counts up from 1."""

    __pydantic_config__ = _FROM_CLIENT

    seq: Seq
    version: Version
    updates: Annotated[tuple[ChangeSet, ...], PlainValidator(parse_updates)]
    type: Literal["push"] = "push"


@dataclass(frozen=True, slots=True)
class SelectFrame:
    """A client's cursors and selections in the text of `version`, as (anchor, head); none: it shows none."""

    __pydantic_config__ = _FROM_CLIENT

    version: Version
    # Many ranges of the wrong type are one error, not many: each costs microseconds.
    ranges: Annotated[tuple[Range, ...], FailFast(), Field(max_length=SELECTION_RANGES)]
    type: Literal["select"] = "select"


@dataclass(frozen=True, slots=True)
class AskFrame:
    """A client's question for a sign of life."""

    __pydantic_config__ = _FROM_CLIENT

    type: Literal["alive"] = "alive"


@dataclass(frozen=True, slots=True)
class LanguageFrame:
    """A client's choice of the language in which the text is shown to all."""

    __pydantic_config__ = _FROM_CLIENT

    name: LanguageName
    type: Literal["language"] = "language"


ClientFrame = PushFrame | SelectFrame | AskFrame | LanguageFrame


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody who is here."""

    __pydantic_config__ = _FROM_SERVER

    id: str
    name: str
    mode: ToldMode


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server holds a client to."""

    __pydantic_config__ = _FROM_SERVER

    message_bytes: int
    text_units: int
    clients: int
    pushes_per_second: int
    history_updates: int
    presence_ms: int
    #: Of one push, and of all its change sets together.
    push_updates: int = PUSH_UPDATES
    push_sections: int = PUSH_SECTIONS
    #: Milliseconds in which the server says something, if only that it lives; 0: it does not answer `AskFrame`.
    alive_ms: int = 0


@dataclass(frozen=True, slots=True)
class CommittedUpdate:
    """An update as the wire shows it."""

    __pydantic_config__ = _FROM_SERVER

    sender: str
    seq: int
    changes: Changes


@dataclass(frozen=True, slots=True)
class Welcome:
    """The server's first frame: who the client is, and the state of the codespace at `version`.

    Either `text` is given, the whole text, or `updates`, what follows the
    version that the client came back with. `acked` is the last push of this
    session among what is committed at `version`. `codespace` is a mark by which
    a client knows the codespace again, whatever link led to it.
    """

    __pydantic_config__ = _FROM_SERVER

    id: str
    mode: ToldMode
    epoch: str
    version: Version
    acked: int
    peers: tuple[Peer, ...]
    limits: Limits
    text: Units | None = None
    updates: tuple[CommittedUpdate, ...] | None = None
    #: Epochs that `epoch` continues, the newest first; None from a server that does not say.
    before: tuple[str, ...] | None = None
    #: Mark of the codespace; empty from a server that does not say.
    codespace: str = ""
    #: Language that was chosen, empty if none was; None from a server that takes no choice.
    language: str | None = None
    type: Literal["welcome"] = "welcome"

    def __post_init__(self) -> None:
        if (self.text is None) == (self.updates is None):
            raise ValueError("should have either text or updates")


@dataclass(frozen=True, slots=True)
class UpdatesFrame:
    """Committed updates in the log's order; `version` is that after the last of them.

    The server sends the updates of one push in one frame, and of no other.
    """

    __pydantic_config__ = _FROM_SERVER

    version: Version
    updates: tuple[CommittedUpdate, ...]
    type: Literal["updates"] = "updates"


@dataclass(frozen=True, slots=True)
class RefusedFrame:
    """A push that did not happen and never will; the client fetches the text again."""

    __pydantic_config__ = _FROM_SERVER

    seq: int
    code: str
    reason: str
    type: Literal["refused"] = "refused"


@dataclass(frozen=True, slots=True)
class PeerSelectFrame:
    """A peer's selections in the text of `version`."""

    __pydantic_config__ = _FROM_SERVER

    id: str
    version: Version
    ranges: tuple[Range, ...]
    type: Literal["select"] = "select"


@dataclass(frozen=True, slots=True)
class PeerFrame:
    """Somebody is here."""

    __pydantic_config__ = _FROM_SERVER

    id: str
    name: str
    mode: ToldMode
    type: Literal["peer"] = "peer"


@dataclass(frozen=True, slots=True)
class GoneFrame:
    """Somebody has left."""

    __pydantic_config__ = _FROM_SERVER

    id: str
    type: Literal["gone"] = "gone"


@dataclass(frozen=True, slots=True)
class PeerLanguageFrame:
    """The language that the client `id` has chosen for all."""

    __pydantic_config__ = _FROM_SERVER

    id: str
    name: str
    type: Literal["language"] = "language"


@dataclass(frozen=True, slots=True)
class StatusFrame:
    """Whether edits are being committed at the moment."""

    __pydantic_config__ = _FROM_SERVER

    storage: ToldStorage
    #: The reason why they are not, in words that anybody may read.
    reason: str | None = None
    type: Literal["status"] = "status"


@dataclass(frozen=True, slots=True)
class AliveFrame:
    """A sign of life, with the bytes that the server has received on this connection."""

    __pydantic_config__ = _FROM_SERVER

    received: Annotated[int, Field(ge=0, le=MAX_INTEGER)]
    type: Literal["alive"] = "alive"


ServerFrame = (
    Welcome | UpdatesFrame | RefusedFrame | PeerSelectFrame | PeerFrame | GoneFrame | StatusFrame | AliveFrame
    | PeerLanguageFrame
)  # fmt: skip

_CLIENT_FRAMES: TypeAdapter[ClientFrame] = TypeAdapter(Annotated[ClientFrame, Field(discriminator="type")])
_SERVER_FRAMES: TypeAdapter[ServerFrame] = TypeAdapter(Annotated[ServerFrame, Field(discriminator="type")])


def parse_steps(message: str) -> int:
    """Return about how many steps it takes to parse a message: for its length, and for each list and each item."""
    return 1 + len(message) // BYTES_A_STEP + message.count("[") + message.count(",")


def parse_client_frame(text: str) -> ClientFrame:
    """Return the frame that a client sent.

    Raises:
        UnreadablePush: if it is a push whose text is no Unicode text (half a surrogate pair), or one with more
            updates or sections than a push may have.
        ConnectionRefused: if it is anything else that is no frame; the reason names the field.
    """
    refuse_many_lists(text)
    if len(text) > _SHORT_UNITS and has_more_names(text, _NAMES):
        reason = f"frame: an object of more than {_NAMES} fields"
        raise ConnectionRefused(Closing(CloseCode.NOT_UNDERSTOOD, reason))
    try:
        return _CLIENT_FRAMES.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] != "json_invalid":
            raise ConnectionRefused(Closing(CloseCode.NOT_UNDERSTOOD, explain(first))) from None
        _refuse_lone_surrogates(text)
        raise ConnectionRefused(Closing(CloseCode.NOT_TEXT, f"not JSON: {first['msg']}")) from None


def parse_server_frame(text: str) -> ServerFrame | None:
    """Return the frame that a server sent, without fields that are not known; None if its type is not known.

    Raises:
        ConnectionRefused: if it is no frame of this protocol; the reason names the field.
    """
    try:
        return _SERVER_FRAMES.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "union_tag_invalid":
            return None
        raise ConnectionRefused(Closing(CloseCode.NOT_UNDERSTOOD, explain(first))) from None


def _refuse_lone_surrogates(text: str) -> None:
    r"""Raise UnreadablePush if `text` is a push that is no JSON only for a `\udxxx` without its other half.

    Such a push is JSON by the letter of RFC 8259, section 8.2, and an editor
    can come to send one; closing its connection would have it come back and
    send the same again.
    """
    try:
        frame: object = json.loads(text)
        is_text = not has_lone_surrogate(to_units(json.dumps(frame, ensure_ascii=False)))
    except (ValueError, RecursionError):
        return
    if isinstance(frame, dict) and frame.get("type") == "push" and not is_text:
        seq = frame.get("seq")
        if type(seq) is int and 1 <= seq <= MAX_INTEGER:
            raise UnreadablePush(seq, RefusalCode.INVALID, "the push inserts half a surrogate pair")


def encode(frame: ServerFrame | ClientFrame) -> bytes:
    """Return `frame` as JSON in UTF-8, without blanks, fields in the protocol's order."""
    return _json(_as_json(frame))


def encode_text(text: str) -> bytes:
    """Return a units string as JSON in UTF-8."""
    return _json(text)


def encode_welcome(welcome: Welcome, text: bytes) -> bytes:
    """Return `welcome`, whose own text is empty, as JSON with `text` in its place, which is JSON already."""
    empty = b'"text":""'
    return encode(welcome).replace(empty, empty[:-2] + text, 1)


def _json(value: object) -> bytes:
    return from_units(json.dumps(value, ensure_ascii=False, separators=(",", ":"))).encode()


def _as_json(frame: ServerFrame | ClientFrame) -> dict[str, object]:
    match frame:
        case UpdatesFrame(version, updates):
            return {"type": "updates", "version": version, "updates": [_update_json(each) for each in updates]}
        case PeerSelectFrame(client, version, ranges):
            return {"type": "select", "id": client, "version": version, "ranges": ranges}
        case PushFrame(seq, version, changes):
            updates_json = [each.to_json() for each in changes]
            return {"type": "push", "seq": seq, "version": version, "updates": updates_json}
        case SelectFrame(version, ranges):
            return {"type": "select", "version": version, "ranges": ranges}
        case Welcome():
            return _welcome_json(frame)
        case StatusFrame(storage, None):
            return {"type": "status", "storage": storage}
        case _:
            # The fields of all others are JSON as they are.
            others = {name: getattr(frame, name) for name in frame.__dataclass_fields__ if name != "type"}
            return {"type": frame.type, **others}


def _update_json(update: CommittedUpdate | Update) -> dict[str, object]:
    return {"sender": update.sender, "seq": update.seq, "changes": update.changes.to_json()}


def _welcome_json(welcome: Welcome) -> dict[str, object]:
    limits = welcome.limits
    body: dict[str, object] = {
        "type": "welcome",
        "id": welcome.id,
        "mode": welcome.mode,
        "epoch": welcome.epoch,
        **({} if welcome.before is None else {"before": welcome.before}),
        "version": welcome.version,
    }
    if welcome.updates is None:
        body["text"] = welcome.text
    else:
        body["updates"] = [_update_json(update) for update in welcome.updates]
    body["acked"] = welcome.acked
    body["peers"] = [{"id": peer.id, "name": peer.name, "mode": peer.mode} for peer in welcome.peers]
    body["limits"] = {name: getattr(limits, name) for name in Limits.__dataclass_fields__}
    if welcome.codespace:
        body["codespace"] = welcome.codespace
    if welcome.language is not None:
        body["language"] = welcome.language
    return body


def encode_push(version: int, push: Sequence[Update]) -> bytes:
    """Return the updates frame of one committed push, whose last update made `version`, as JSON in UTF-8."""
    return _json({"type": "updates", "version": version, "updates": [_update_json(update) for update in push]})


def committed(update: Update) -> CommittedUpdate:
    """Return `update` as the wire shows it."""
    return CommittedUpdate(update.sender, update.seq, update.changes)
