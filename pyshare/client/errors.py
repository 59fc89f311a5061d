"""Errors that the Python client raises, and the reason for the end of one connection."""

from pyshare.core.changeset import Change
from pyshare.core.errors import CLOSE_CODES, CloseCode, PyshareError

#: From here on codes are an application's own (RFC 6455, section 7.4.2).
_PRIVATE_CODES = 4000
#: Below this a code is the status of an HTTP response.
_CLOSE_CODES = 1000
#: HTTP's 408, 425 and 429, which ask for patience, as all of 5xx do.
_PATIENT_STATUSES = frozenset({408, 425, 429})
_SERVER_ERRORS = 500


class ConnectError(PyshareError):
    """The first connection did not come about in time; `address` names the server, and `reason` says why.

    The address has no token, so the message can be shown and logged.
    """

    def __init__(self, address: str, reason: str) -> None:
        advice = "check the address, or pass patient=True to wait for the server"
        super().__init__(f"no connection to {address}: {reason}; {advice}")
        self.address = address
        self.reason = reason


class TrioNeeded(PyshareError, RuntimeError):  # noqa: N818 - named for what is so
    """`connect` was called where trio does not run, as in a task of asyncio."""

    def __init__(self) -> None:
        super().__init__(
            "pyshare.client.connect needs trio, which does not run here: use pyshare.client.sync, in asyncio by "
            "asyncio.to_thread; see docs/python-client.md"
        )


class CodespaceClosed(PyshareError):  # noqa: N818 - named for what happened, as trio.Cancelled is
    """The client has given up, or was left, and does not come back; connect anew if that can help.

    `code` is the close code, see `pyshare.core.errors.CLOSE_CODES`, or the
    HTTP status (below 1000) with which the server answered in place of a
    WebSocket; `reason` says why in the server's words.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code:d} {reason}")
        self.code = code
        self.reason = reason


class ViewOnly(PyshareError):  # noqa: N818 - named for what is so
    """The text cannot be edited by this client; nothing was changed."""


class TextTooLong(PyshareError, ValueError):  # noqa: N818 - named for what is so
    """An edit would make the text longer than the server takes; nothing was changed."""


class EditsRefused(PyshareError):  # noqa: N818 - named for what happened
    """The server has refused edits, which were taken back; an `EditRefused` event has them.

    `code` is one of `pyshare.core.errors.RefusalCode`.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class EditsUnconfirmed(PyshareError):  # noqa: N818 - named for what is so
    """A client was left with edits that are not known to be committed; some of them may be.

    `count` is their number. `text` is the text with these edits, to be kept
    elsewhere; `changes` are the edits as one, for the committed text.
    """

    def __init__(self, count: int, reason: str, text: str, changes: tuple[Change, ...]) -> None:
        edits = "1 edit is" if count == 1 else f"{count} edits are"
        super().__init__(f"{edits} not known to be saved: {reason}")
        self.count = count
        self.reason = reason
        self.text = text
        self.changes = changes


class ConnectionEnded(PyshareError):  # noqa: N818 - named for what happened
    """One connection has ended, or was none; `code` is None if nobody said why."""

    def __init__(self, code: int | None, reason: str) -> None:
        super().__init__(reason if code is None else f"{code:d} {reason}")
        self.code = code
        self.reason = reason

    @property
    def come_back(self) -> bool:
        """Whether to connect again is of use: for what was lost, and as the server's code says."""
        code = self.code
        if code is None:
            return True
        if code in CLOSE_CODES:
            return CLOSE_CODES[CloseCode(code)].come_back
        if code < _CLOSE_CODES:
            return code >= _SERVER_ERRORS or code in _PATIENT_STATUSES
        return code < _PRIVATE_CODES
