"""Tokens that this server signs: JSON Web Tokens that name a codespace, what may be done there, and until when.

A token is all that its bearer needs, and none can be taken back. Anybody can
read what is in a token, so the id of a codespace is in it in the clear only
where the id is not a key by itself. A token for a temporary codespace has the
codespace's public name, and the id encrypted with a key that follows from the
secret. The wall clock is an argument.
"""

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.core.names import CODESPACE_ID, is_key, is_public_key_name, public_name
from pyshare.core.protocol import Mode

#: Characters that a secret has at least: 256 bits as hexadecimal digits are 64, HS256 wants 32 bytes (RFC 7518, 3.2).
SECRET_LENGTH = 32
#: Bytes of the key of AES-256-SIV (RFC 5297), and the purpose for which it follows from the secret (RFC 5869).
_KEY_BYTES = 64
_KEY_PURPOSE = b"pyshare: ids of codespaces in links"

#: Clients that may make codespaces: all, bearers of links that say so, or none but through the API.
Creators = Literal["anyone", "links", "nobody"]

_ISSUER = "pyshare"
#: What an operator's pass says instead, so that a pass is not a link, and a link is not a pass.
_OPERATOR = "pyshare operator"
#: Seconds that a pass works.
_PASS_SECONDS = 60
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
    #: The codespace's public name.
    sub: Annotated[str, Field(max_length=128)]
    mode: Mode
    exp: int | None = None
    create: bool = False
    #: The codespace's id, encrypted, where the id is a key by itself.
    key: str | None = None


_CLAIMS = TypeAdapter(_Claims)


class Signer:
    """Signs tokens, and reads those that were signed with the same secret."""

    def __init__(self, secret: str, now: Callable[[], float] = time.time) -> None:
        if len(secret) < SECRET_LENGTH:
            raise ValueError(f"a secret has at least {SECRET_LENGTH} characters")
        self._secret = secret
        # Encrypts ids that are keys; the same id is always encrypted in the same way.
        self._cipher = AESSIV(HKDF(SHA256(), _KEY_BYTES, salt=None, info=_KEY_PURPOSE).derive(secret.encode()))
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
            "sub": public_name(grant.codespace),
            "mode": grant.mode,
            "iat": int(self.now()),
        }
        if grant.expires is not None:
            claims["exp"] = grant.expires
        if grant.create:
            claims["create"] = True
        if is_key(grant.codespace):
            claims["key"] = self._seal(grant.codespace.lower())
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
            codespace = self._codespace(claims)
        except (jwt.InvalidTokenError, ValidationError, InvalidTag, ValueError):
            raise ConnectionRefused(_NOT_OURS) from None
        if claims.exp is not None and claims.exp <= self.now():
            raise ConnectionRefused(_EXPIRED)
        return Grant(codespace, claims.mode, claims.exp, claims.create)

    def sign_pass(self) -> str:
        """Return an operator's pass: it shows for a minute that its bearer knows the secret."""
        return jwt.encode({"iss": _OPERATOR, "exp": int(self.now()) + _PASS_SECONDS}, self._secret, _ALGORITHM)

    def takes_pass(self, token: str) -> bool:
        """Return whether `token` is an operator's pass that was signed with the same secret and has not ended."""
        try:
            # The time is looked at here, by our own clock.
            options: jwt.types.Options = {"verify_exp": False, "require": ["iss", "exp"]}
            found = jwt.decode(token, self._secret, algorithms=[_ALGORITHM], issuer=_OPERATOR, options=options)
        except jwt.InvalidTokenError:
            return False
        expires: object = found["exp"]
        return isinstance(expires, int) and expires > self.now()

    def _codespace(self, claims: _Claims) -> str:
        """Return the id of the codespace that a token names.

        Raises:
            ValueError: if the token names none.
            InvalidTag: if the id was not encrypted with this secret.
        """
        if claims.key is not None and is_public_key_name(claims.sub):
            return self._cipher.decrypt(urlsafe_b64decode(claims.key), None).decode()
        if CODESPACE_ID.fullmatch(claims.sub):
            return claims.sub
        raise ValueError("not an id of a codespace")

    def _seal(self, codespace: str) -> str:
        return urlsafe_b64encode(self._cipher.encrypt(codespace.encode(), None)).decode()


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
