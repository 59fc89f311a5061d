"""What is asked of a Redis server on each new connection: who it is, and to have ready what the store needs."""

import secrets

from pyshare.core.errors import ConfigurationError
from pyshare.store.bridge import Refused, Reply
from pyshare.store.holdings import Identity
from pyshare.store.interface import StoreUnavailable
from pyshare.store.lanes import AskAio
from pyshare.store.lua import SCRIPTS

#: The key whose loss shows that the server has lost its data without being started anew.
MARK = "pyshare:mark"
#: The oldest Redis that has all commands which the scripts use (XTRIM MINID).
_OLDEST_REDIS = (6, 2)
#: The keyspace events that are needed (E: as topics by event; g: deleted; x: expired).
KEYSPACE_EVENTS = "Egx"


async def greet_aio(ask: AskAio) -> tuple[Identity, bool]:
    """Return whose data are there, and whether the server tells of what expires and is deleted.

    Raises:
        ConfigurationError: if it is too old.
        StoreUnavailable: if it refuses what the store cannot do without.
    """
    known = await ask("SCRIPT", "EXISTS", *(script.digest for script in SCRIPTS))
    for index, script in enumerate(SCRIPTS):
        if not isinstance(known, list) or known[index] != 1:
            checked(await ask("SCRIPT", "LOAD", script.text))
    facts = _facts(await ask("INFO", "server"))
    version = facts.get("redis_version", "")
    if version and tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_REDIS:
        raise ConfigurationError(f"Redis {version} is too old; 6.2 or later is needed")
    await ask("SET", MARK, secrets.token_urlsafe(), "NX")
    mark = checked(await ask("GET", MARK))
    identity = Identity(facts.get("run_id", ""), mark.decode() if isinstance(mark, bytes) else "")
    return identity, await _ask_for_keyspace_events_aio(ask)


def checked(answer: Reply) -> Reply:
    """Return an answer that is none of an error.

    Raises:
        StoreUnavailable: if it is one.
    """
    if isinstance(answer, Refused):
        raise StoreUnavailable(f"Redis refused: {answer.message}")
    return answer


async def _ask_for_keyspace_events_aio(ask: AskAio) -> bool:
    """Have the server tell of what expires and is deleted, besides what it tells already; return whether it will."""
    match await ask("CONFIG", "GET", "notify-keyspace-events"):
        case [_, bytes(flags)]:
            present = flags.decode()
        case _:
            return False
    # A stands for all classes of events.
    missing = [flag for flag in KEYSPACE_EVENTS if flag not in present and not (flag != "E" and "A" in present)]
    if not missing:
        return True
    return await ask("CONFIG", "SET", "notify-keyspace-events", present + "".join(missing)) == b"OK"


def _facts(info: Reply) -> dict[str, str]:
    """Return what INFO tells, by name; nothing if it is not allowed."""
    if not isinstance(info, bytes):
        return {}
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}
