"""The address of a codespace, as a user gives it and as a connection needs it."""

import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlencode, urlsplit

from pyshare.client.checks import checked_text
from pyshare.core.arrival import NAME_LENGTH, format_session

_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}
#: What stands behind the page's address: a token, and perhaps a language.
_LINK = re.compile(r"(?P<token>[A-Za-z0-9_.=-]+)(?:/[a-z]*)?")
_PATH = re.compile(r"(?:/[^/]+)*/codespace/[^/]+/")


def parse_address(url: str) -> str:
    """Return the WebSocket URL of a codespace given as `url`, which may be a link to pyshare's page.

    HTTP schemes become WebSocket ones, a final slash is added where it is
    missing.

    Raises:
        TypeError: if it is not a str.
        ValueError: if it is no address of a codespace; says what is wrong with it.
    """
    try:
        parts = urlsplit(checked_text(url, "url"))
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url!r}: {error}") from None
    link = _LINK.fullmatch(parts.fragment) if parts.path in {"", "/"} else None
    if link:
        parts = parts._replace(path=f"/codespace/{link['token']}/", fragment="")
    path = parts.path if parts.path.endswith("/") else f"{parts.path}/"
    mistake = _mistake(parts, path, port)
    if mistake:
        raise ValueError(f"{url!r}: {mistake}")
    return f"{_SCHEMES[parts.scheme]}://{parts.netloc}{path}"


def _mistake(parts: SplitResult, path: str, port: int | None) -> str:
    if parts.scheme not in _SCHEMES:
        return "should begin with ws://, wss://, http:// or https://"
    if not parts.hostname or port == 0:
        return "should name a host, and a port that is not 0 if any"
    if "@" in parts.netloc:
        return "should have no user and password; who may join is in the token"
    if not _PATH.fullmatch(path) or not path.isascii() or not path.isprintable() or " " in path:
        return "should have the path /codespace/{token}/, percent-encoded"
    if parts.query or parts.fragment:
        return "should end with the path; the client adds the query itself"
    return ""


class ResumePoint(NamedTuple):
    """The point of a log from which a client goes on when it comes back."""

    epoch: str
    version: int
    #: The mark of the update that made the version (see `tip_of` of `pyshare.core.document`), if known.
    tip: str | None = None


def check_name(name: str) -> None:
    """Check a name that others are to be shown.

    Raises:
        TypeError: if it is not a str.
        ValueError: if it is too long.
    """
    if len(checked_text(name, "name")) > NAME_LENGTH:
        raise ValueError(f"a name of {len(name)} characters; should have at most {NAME_LENGTH}")


def server_of(address: str) -> str:
    """Return the part of a WebSocket URL that names the server: the rest has the token, which is a secret."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def joining_url(address: str, *, session: bytes, name: str, known: ResumePoint | None) -> str:
    """Return the URL with which the holder of `session` connects; `known` is what it has.

    It asks for progress: long frames in pieces, and signs of life.

    It holds the session, which is a secret: not for logs.
    """
    query = {"session": format_session(session), "progress": "1"}
    if known:
        query |= {"epoch": known.epoch, "version": str(known.version)}
        if known.tip:
            query["tip"] = known.tip
    if name:
        query["name"] = name
    return f"{address}?{urlencode(query)}"
