"""Every refusal and close code in one table: the code, what it means, whose fault, come back or not.

The table is what the server says and what the client obeys. An edge that
meets a foreign exception maps it to one of these; nothing here knows how a
connection is closed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum

#: Bytes that a close frame has for its reason: RFC 6455, section 5.5, less two for the code.
REASON_BYTES = 123


class PyshareError(Exception):
    """Base of what pyshare raises for reasons that its user or its peer can do something about."""

    #: What the command ends with if it ends for this reason: EX_UNAVAILABLE of sysexits.h, for what may pass.
    exit_code = 69


class ConfigurationError(PyshareError):
    """The server cannot start as it was told to; the message names the setting."""

    #: As argparse and most commands have it for what their user has to put right.
    exit_code = 2


class EditsLeft(PyshareError):  # noqa: N818 - a fact about the end
    """The server has ended before the store took all edits; the message says how many are left."""

    #: EX_IOERR of sysexits.h.
    exit_code = 74


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Return what `error` is made of, if it is a group, groups in it taken apart; else itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from leaves(part)
    else:
        yield error


class CloseCode(IntEnum):
    """The codes with which pyshare closes a WebSocket; `CLOSE_CODES` says what follows from each."""

    DONE = 1000
    BINARY = 1003
    NOT_TEXT = 1007
    TOO_BIG = 1009
    OUR_FAULT = 1011
    RESTARTING = 1012
    TRY_LATER = 1013
    NOT_UNDERSTOOD = 4400
    NOT_AUTHENTICATED = 4401
    NOT_ALLOWED = 4403
    NO_SUCH_CODESPACE = 4404
    TOO_SLOW = 4408
    GONE = 4410
    TOO_MANY = 4429


class Fault(Enum):
    """Who has to change something before it can go better."""

    NOBODY = "nobody"
    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class CloseRow:
    """What a close code means for the client that gets it."""

    meaning: str
    fault: Fault
    #: Whether the same client may connect again by itself, as it is, after a pause.
    come_back: bool


CLOSE_CODES: Mapping[CloseCode, CloseRow] = {
    CloseCode.DONE: CloseRow("done", Fault.NOBODY, come_back=False),
    CloseCode.BINARY: CloseRow("binary frame", Fault.CLIENT, come_back=False),
    CloseCode.NOT_TEXT: CloseRow("not JSON or not UTF-8", Fault.CLIENT, come_back=False),
    CloseCode.TOO_BIG: CloseRow("message too big", Fault.CLIENT, come_back=False),
    CloseCode.OUR_FAULT: CloseRow("the server failed", Fault.SERVER, come_back=True),
    CloseCode.RESTARTING: CloseRow("the server restarts", Fault.NOBODY, come_back=True),
    CloseCode.TRY_LATER: CloseRow("try again later", Fault.SERVER, come_back=True),
    CloseCode.NOT_UNDERSTOOD: CloseRow("message not understood", Fault.CLIENT, come_back=False),
    CloseCode.NOT_AUTHENTICATED: CloseRow("not authenticated", Fault.CLIENT, come_back=False),
    CloseCode.NOT_ALLOWED: CloseRow("not allowed", Fault.CLIENT, come_back=False),
    CloseCode.NO_SUCH_CODESPACE: CloseRow("no such codespace", Fault.CLIENT, come_back=False),
    CloseCode.TOO_SLOW: CloseRow("too slow or silent", Fault.CLIENT, come_back=True),
    CloseCode.GONE: CloseRow("expired or deleted", Fault.NOBODY, come_back=False),
    CloseCode.TOO_MANY: CloseRow("too many", Fault.CLIENT, come_back=True),
}


def shortened(text: str, limit_bytes: int = REASON_BYTES) -> str:
    """Return `text`, cut at a character so that its UTF-8 form fits `limit_bytes`."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit_bytes:
        return encoded.decode()
    return encoded[: limit_bytes - 3].decode("utf-8", "ignore") + "..."


@dataclass(frozen=True, slots=True)
class Closing:
    """Why a connection is closed; what its close frame says.

    The reason says in plain words what happened and what to do; what does
    not fit a close frame is cut.
    """

    code: CloseCode
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", shortened(self.reason))


class ConnectionRefused(PyshareError):  # noqa: N818 - named for what happened, as trio.Cancelled is
    """This connection must be closed; `closing` says with which code and reason."""

    def __init__(self, closing: Closing) -> None:
        super().__init__(f"{closing.code:d} {closing.reason}")
        self.closing = closing


class RefusalCode(StrEnum):
    """Why a push did not happen."""

    #: The changes do not fit the text: wrong length, half a surrogate pair, a line break inside a line.
    INVALID = "invalid"
    #: The version is older than the history that the server keeps.
    TOO_OLD = "too_old"
    #: The version does not exist yet.
    TOO_NEW = "too_new"
    #: The text would grow above its limit.
    TOO_LONG = "too_long"
    #: Rebasing the push would take more work than one push is given.
    TOO_MUCH = "too_much"
    #: The sequence number is lower than the last one of this session, or it was used before the version of the push.
    SEQ = "seq"
    #: Another push of this client is still on its way.
    IN_FLIGHT = "in_flight"
    #: The client may only look.
    VIEW_ONLY = "view_only"


class PushRefused(PyshareError):  # noqa: N818 - named for what happened, as trio.Cancelled is
    """A push did not happen and never will; the sender learns why and the codespace goes on."""

    def __init__(self, code: RefusalCode, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason
