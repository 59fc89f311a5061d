"""Names of codespaces: ids that are keys by themselves, and for each id a name that anybody may read.

The id of a temporary codespace is its key: a client that knows the id may edit.
So logs, names of tasks, errors and links use `public_name` instead of the id.
"""

import re
from hashlib import sha256
from typing import Final

#: An id of a codespace: a key in Redis, and a topic.
CODESPACE_ID: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
#: An id that is a key by itself, in any case.
_KEY: Final = re.compile(r"tmp-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
#: A name that stands for a key. No id has the second mark.
_PUBLIC_KEY: Final = re.compile(r"tmp~[0-9a-f]{16}")
_PUBLIC_DIGITS: Final = 16
_FINGERPRINT_DIGITS: Final = 32


def is_key(codespace: str) -> bool:
    """Return whether a client that knows this id may edit: `tmp-` and a random UUID."""
    return _KEY.fullmatch(codespace) is not None


def public_name(codespace: str) -> str:
    """Return a name for a codespace from which its key does not follow.

    An id that is not a key is its own name. The name of a key is a part of its
    SHA-256, the same on every server; haproxy.cfg computes it too.
    """
    if not is_key(codespace):
        return codespace
    return f"tmp~{sha256(codespace.lower().encode()).hexdigest()[:_PUBLIC_DIGITS]}"


def fingerprint(codespace: str) -> str:
    """Return a mark by which clients know a codespace again, whatever link leads to it.

    Neither an id nor a key follows from it, so that every client may be told.
    """
    return sha256(f"codespace {public_name(codespace)}".encode()).hexdigest()[:_FINGERPRINT_DIGITS]


def is_public_key_name(name: str) -> bool:
    """Return whether `name` stands for a codespace whose id is a key."""
    return _PUBLIC_KEY.fullmatch(name) is not None
