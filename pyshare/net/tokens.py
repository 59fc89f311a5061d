"""Tokens that this server signs: JSON Web Tokens that name a codespace, what may be done there, and until when.

Whoever has one may use it: nothing else is asked, and none can be taken back.
Browsers send no cookies here, so which page a request comes from says nothing
about who may do what, and is not looked at. The wall clock is an argument.
"""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import jwt
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.core.protocol import Mode

#: Characters that a secret has at least: 256 bits as hexadecimal digits are 64, HS256 wants 32 bytes (RFC 7518, 3.2).
SECRET_LENGTH = 32
#: What a codespace may be called in a token: it is a key in Redis, and a topic.
CODESPACE_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")

_ISSUER = "pyshare"
_ALGORITHM = "HS256"

_NOT_OURS = Closing(CloseCode.NOT_AUTHENTICATED, "this link is not valid here; ask for a new one")
_EXPIRED = Closing(CloseCode.GONE, "this link has expired; ask for a new one")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token is good for."""

    codespace: str
    mode: Mode
    #: When it ends, in whole seconds since 1970; None: when the codespace does.
    expires: int | None = None
    #: Whether its bearer makes the codespace if there is none.
    create: bool = False


@dataclass(frozen=True, slots=True)
class _Claims:
    """What is signed: names of RFC 7519, and ours."""

    __pydantic_config__ = ConfigDict(strict=True, extra="ignore")

    iss: Literal["pyshare"]
    sub: Annotated[str, Field(pattern=rf"^{CODESPACE_ID.pattern}$")]
    mode: Mode
    exp: int | None = None
    create: bool = False


_CLAIMS = TypeAdapter(_Claims)


class Signer:
    """Signs tokens, and reads those that were signed with the same secret."""

    def __init__(self, secret: str, now: Callable[[], float] = time.time) -> None:
        if len(secret) < SECRET_LENGTH:
            raise ValueError(f"a secret has at least {SECRET_LENGTH} characters")
        self._secret = secret
        # Seconds since 1970.
        self.now = now

    def sign(self, grant: Grant) -> str:
        """Return a token for `grant`.

        Raises:
            ValueError: if the codespace's id cannot be in a token.
        """
        if not CODESPACE_ID.fullmatch(grant.codespace):
            raise ValueError(
                f"{grant.codespace!r} is no id of a codespace: letters, digits, - _ and . (not first), at most 128"
            )
        claims: dict[str, object] = {
            "iss": _ISSUER,
            "sub": grant.codespace,
            "mode": grant.mode,
            "iat": int(self.now()),
        }
        if grant.expires is not None:
            claims["exp"] = grant.expires
        if grant.create:
            claims["create"] = True
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def read(self, token: str) -> Grant | None:
        """Return what `token` is good for; None if no pyshare has signed it, and somebody else may know it.

        Raises:
            ConnectionRefused: 4401 if it was signed with another secret or changed, 4410 if it has expired.
        """
        if not _looks_ours(token):
            return None
        try:
            # The time is looked at here, by our own clock.
            options: jwt.types.Options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
            found = jwt.decode(token, self._secret, algorithms=[_ALGORITHM], options=options)
            claims = _CLAIMS.validate_json(json.dumps(found))
        except (jwt.InvalidTokenError, ValidationError):
            raise ConnectionRefused(_NOT_OURS) from None
        if claims.exp is not None and claims.exp <= self.now():
            raise ConnectionRefused(_EXPIRED)
        return Grant(claims.sub, claims.mode, claims.exp, claims.create)


def expired() -> Closing:
    """Return what a client is told whose token ends while it is connected."""
    return _EXPIRED


def _looks_ours(token: str) -> bool:
    """Whether a token says, unproved, that a pyshare has signed it."""
    try:
        found: dict[str, object] = jwt.decode(token, options={"verify_signature": False, "verify_exp": False})
    except jwt.InvalidTokenError:
        return False
    return found.get("iss") == _ISSUER
