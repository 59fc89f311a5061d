"""Refusals of Redis: what each says, what it means for people, and whether another connection may help."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pyshare.store.interface import StoreUnavailable

#: The refusals that have a meaning here, by code, each in words that anybody may read.
_MEANINGS: Mapping[str, str] = {
    "OOM": "the store is full",
    "MISCONF": "the store cannot save what it is given, and takes no writes",
    "NOPERM": "the store does not permit what this server needs",
    "NOREPLICAS": "the store has too few replicas, and takes no writes",
    "READONLY": "the store is a replica, and takes no writes",
    "MASTERDOWN": "the store is a replica that has lost its primary",
    "LOADING": "the store is still loading its data",
    "CLUSTERDOWN": "the store's cluster is down",
    "TRYAGAIN": "the store's cluster is moving its data",
}
#: Refusals of a server that is not, or not yet, the one to ask: the same address may lead to another one.
_ELSEWHERE = frozenset({"READONLY", "MASTERDOWN", "LOADING", "CLUSTERDOWN", "TRYAGAIN"})
#: How scripts are told that a permission is missing, before Redis 7 and since, and by Valkey.
_NOT_PERMITTED = ("The user executing the script", "ACL failure in script")
#: The code within the message of a script that failed, as Redis 6 has it.
_NESTED = re.compile(rf"-({'|'.join(_MEANINGS)})\b")
#: What servers add to the refusal of a command in a script: it says nothing about why.
_PLACE = re.compile(r" script: .*on @user_script:\d+$")
#: What to do where a permission is missing.
_PERMISSIONS = "pyshare's user needs all keys, all channels and all commands but @dangerous: ~* &* +@all -@dangerous"


class NotPermitted(StoreUnavailable):
    """The user that Redis was given lacks a permission that the store needs."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The server's answer that it will not do what it was asked."""

    #: The first word of the answer, or what it amounts to: one of Redis' error codes.
    code: str
    message: str

    @property
    def unknown_script(self) -> bool:
        """Whether the server does not know the script that it was to run."""
        return self.code == "NOSCRIPT"

    @property
    def elsewhere(self) -> bool:
        """Whether the server is not, or not yet, the one to ask."""
        return self.code in _ELSEWHERE

    @property
    def stops_writes(self) -> bool:
        """Whether the server takes no writes for a reason that has nothing to do with the one that it was asked for."""
        return self.code in _MEANINGS and not self.elsewhere

    def error(self) -> StoreUnavailable:
        """Return the error that this answer is."""
        said = f"Redis refused: {self.message}"
        if self.code == "NOPERM":
            return NotPermitted(f"{said}; {_PERMISSIONS}", public=_MEANINGS[self.code])
        return StoreUnavailable(said, public=_MEANINGS.get(self.code))


def refused(message: str, code: str | None = None) -> Refused:
    """Return the refusal that Redis tells with `message`; with `code`, if redis-py has cut that off."""
    whole = f"{code} {message}" if code and not message.startswith(f"{code} ") else message
    whole = _PLACE.sub("", whole.rstrip(".")).rstrip(".")
    found = code or whole.partition(" ")[0]
    if found not in _MEANINGS and found != "NOSCRIPT":
        nested = _NESTED.search(message)
        if nested:
            found = nested[1]
        elif any(words in message for words in _NOT_PERMITTED):
            found = "NOPERM"
        if found != whole.partition(" ")[0]:
            whole = f"{found} {whole.removeprefix('ERR ')}"
    return Refused(found, whole)
