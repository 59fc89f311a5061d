"""A client's words about itself in its first request: its session, the version that it has, its name.

A session is a secret of the client's own, by which it is known over
reconnects; what others are told of it is `public_id`.
"""

import base64
import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl

from pydantic import AfterValidator, Field, PlainValidator, TypeAdapter, ValidationError

from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.core.explanations import explain
from pyshare.core.protocol import Version

#: Bytes of a session: the client's own random 128 bits.
SESSION_BYTES = 16
#: Characters that a client's name may have.
NAME_LENGTH = 64
#: Controls and line breaks (C0, C1, the separators of lines and paragraphs): each stretch of them is one space.
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
#: Characters that turn or isolate the direction of writing (Unicode Standard Annex 9).
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
#: Categories of characters with nothing to see by themselves: controls, formats, halves of pairs, separators, marks.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs", "Mc", "Me", "Mn"})
#: Letters and a symbol by their category, with nothing to see: fillers of Hangul, and the blank of braille.
_BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def parse_session(text: str) -> bytes:
    """Return the 16 bytes of a session given as base64url, with or without padding.

    Raises:
        ValueError: if `text` is anything else.
    """
    try:
        session = base64.b64decode(text.rstrip("=") + "==", altchars=b"-_", validate=True)
    except ValueError:
        session = b""
    if len(session) != SESSION_BYTES:
        raise ValueError("should be 16 random bytes as base64url, 22 characters")
    return session


def plain_name(name: str) -> str:
    """Return a name as one line that turns no direction of writing; empty if nothing of it would be seen."""
    plain = _TURNS.sub("", _BREAKS.sub(" ", name)).strip()
    is_seen = any(unicodedata.category(each) not in _UNSEEN and each not in _BLANKS for each in plain)
    return plain if is_seen else ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a client says of itself in the query of its first request."""

    #: The client's secret, by which it is known over reconnects; None: it does not mean to come back.
    session: Annotated[bytes, PlainValidator(parse_session)] | None = None
    #: Epoch and version to resume from; one without the other is of no use.
    epoch: Annotated[str, Field(max_length=64)] | None = None
    version: Version | None = None
    #: The mark of the update that made that version, if known (see `tip_of` of `pyshare.core.document`).
    tip: Annotated[str, Field(max_length=64)] | None = None
    name: Annotated[str, Field(max_length=NAME_LENGTH), AfterValidator(plain_name)] = ""
    #: Whether it takes long messages in pieces, and signs of life (see `pyshare.core.framing`).
    progress: bool = False


_ARRIVAL = TypeAdapter(Arrival)
_ARRIVAL_FIELDS = frozenset(Arrival.__dataclass_fields__)


def parse_arrival(query: str) -> Arrival:
    """Return what the query string of a `pyshare.v1` request says; fields that are not known are passed over.

    Raises:
        ConnectionRefused: if a field is not as it should be; the reason names it.
    """
    try:
        given = parse_qsl(query)
        return _ARRIVAL.validate_strings({name: value for name, value in given if name in _ARRIVAL_FIELDS})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ConnectionRefused(Closing(CloseCode.NOT_UNDERSTOOD, explain(first))) from None


def format_session(session: bytes) -> str:
    """Return a session as it stands in a query: base64url without padding."""
    return base64.urlsafe_b64encode(session).rstrip(b"=").decode()


def public_id(session: bytes) -> str:
    """Return the id by which others know the holder of `session`: 16 characters that do not lead back to it.

    The same on every instance, so that a client that comes back elsewhere is
    recognised without asking anyone.
    """
    digest = hashlib.sha256(b"pyshare.v1 client " + session).digest()
    return base64.urlsafe_b64encode(digest[:12]).decode()
