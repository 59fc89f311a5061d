"""The questions to a Redis server on each new connection: its identity, its permissions, its scripts."""

import secrets
from dataclasses import dataclass

from pyshare.core.errors import ConfigurationError
from pyshare.store.bridge import Reply
from pyshare.store.holdings import Identity
from pyshare.store.lanes import AskAio
from pyshare.store.layout import keys_of
from pyshare.store.lua import PROBE, SCRIPTS
from pyshare.store.refusals import Refused, refused

#: The key whose loss shows that the server has lost its data without being started anew; and a topic of that name,
#: on which nothing is ever published: whether it may be subscribed to shows whether topics may be.
MARK = "pyshare:mark"
#: A codespace of nobody, in which is written to see whether texts can be; its keys live so many milliseconds.
PROBED = "pyshare:probe"
PROBED_MILLISECONDS = 60_000
#: The oldest Redis that has all commands which the scripts use (XTRIM MINID).
_OLDEST_REDIS = (6, 2)
#: The keyspace events that are needed (E: as topics by event; g: deleted; x: expired; e: evicted).
KEYSPACE_EVENTS = "Egxe"
#: The policy of a server that keeps what it has when its memory is full.
_KEEPS = "noeviction"


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a server has said of itself."""

    #: Whose data are there.
    identity: Identity
    #: Whether it tells of what expires and is deleted or evicted.
    hears_keyspace: bool
    #: Keys that it has evicted since it was started; None if it does not say.
    evicted: int | None
    #: What it does when its memory is full, if that is to forget keys that are in use.
    evicts: str | None
    #: Why it takes no writes at the moment, if it does not.
    refusal: Refused | None


async def greet_aio(ask: AskAio) -> Greeting:
    """Have the server ready for the store, and return what it says of itself.

    Raises:
        ConfigurationError: if it is too old.
        StoreUnavailable: if it does not permit what the store cannot do without, or is not the one to ask.
    """
    # First, and short: a server takes long commands only from those who are let in, and says why no others are.
    facts = _facts(await ask("INFO", "server"))
    version = facts.get("redis_version", "")
    if version and tuple(int(part) for part in version.split(".")[:2]) < _OLDEST_REDIS:
        raise ConfigurationError(f"Redis {version} is too old; 6.2 or later is needed")
    known = await ask("SCRIPT", "EXISTS", *(script.digest for script in SCRIPTS))
    for index, script in enumerate(SCRIPTS):
        if not isinstance(known, list) or known[index] != 1:
            checked(await ask("SCRIPT", "LOAD", script.text))
    keys = keys_of(PROBED)
    refusal = refusal_in(await ask("EVALSHA", PROBE.digest, len(keys), *keys, PROBED_MILLISECONDS))
    if refusal is None or not refusal.stops_writes or refusal.code == "NOPERM":
        checked(refusal)
        checked(await ask("SET", MARK, secrets.token_urlsafe(), "NX"))
    mark = checked(await ask("GET", MARK))
    identity = Identity(facts.get("run_id", ""), mark.decode() if isinstance(mark, bytes) else "")
    hears_keyspace = await _ask_for_keyspace_events_aio(ask)
    memory = _facts(await ask("INFO", "memory"))
    policy = memory.get("maxmemory_policy", _KEEPS) if memory.get("maxmemory", "0") != "0" else _KEEPS
    evicted = evicted_in(await ask("INFO", "stats"))
    return Greeting(identity, hears_keyspace, evicted, None if policy == _KEEPS else policy, refusal)


def refusal_in(answer: Reply) -> Refused | None:
    """Return what `probe.lua` has been refused, if anything."""
    match answer:
        case Refused():
            return answer
        case [b"refused", bytes(command), bytes(reason)]:
            found = refused(reason.decode(errors="replace"))
            return Refused(found.code, f"{found.message} (at {command.decode()})")
        case _:
            return None


def checked(answer: Reply) -> Reply:
    """Return an answer that is none of an error.

    Raises:
        StoreUnavailable: if it is one.
    """
    if isinstance(answer, Refused):
        raise answer.error()
    return answer


def evicted_in(info: Reply) -> int | None:
    """Return how many keys the server has evicted, by its INFO of `stats`; None if it does not say."""
    count = _facts(info).get("evicted_keys", "")
    return int(count) if count.isdecimal() else None


async def _ask_for_keyspace_events_aio(ask: AskAio) -> bool:
    """Have the server tell of what expires and is deleted or evicted, besides what it tells already.

    Returns whether it will.
    """
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
