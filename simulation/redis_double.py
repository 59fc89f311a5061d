"""A double of Redis: the commands that pyshare uses, its scripts run by Lua, and topics; no I/O.

What the scripts do is done by the scripts themselves. `tests/store` shows that
the store's contract holds on the double as on real servers.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from lupa import lua51

from pyshare.store import lua as scripts

Word = bytes
Reply = bytes | int | None | list["Reply"]
_Value = dict[bytes, bytes] | list[tuple[int, bytes, bytes]] | bytes


#: Commands that change something, which a replica does later.
_WRITES = frozenset({b"SET", b"DEL", b"PEXPIRE", b"HSET", b"HSETNX", b"HDEL", b"XADD", b"XTRIM"})


class Refusal(Exception):  # noqa: N818 - an answer
    """An error that the server answers; the message begins with its code."""


class Subscriber(Protocol):
    """A connection that hears topics."""

    def hear(self, topic: bytes, data: bytes) -> None:
        """Take a message of a topic."""


@dataclass(slots=True)
class Data:
    """All that a server keeps."""

    values: dict[bytes, _Value] = field(default_factory=dict)
    #: When keys expire, in seconds of the double's clock.
    ends: dict[bytes, float] = field(default_factory=dict)

    def copy(self) -> "Data":
        """Return a copy; words are never changed."""
        return Data({key: _copy(value) for key, value in self.values.items()}, dict(self.ends))


class RedisDouble:
    """A server with one database."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.data = Data()
        #: The run of the server; another one after a restart.
        self.run = 1
        self._known: set[str] = set()
        #: The states behind the last writes, the newest last; as many as are to be kept.
        self.states: deque[Data] = deque(maxlen=0)
        # Whether the present command has written.
        self._wrote = False
        #: Who hears each topic, in the order in which they began.
        self.subscribers: dict[bytes, list[Subscriber]] = {}
        #: Called with each message that is published, in place of handing it on at once.
        self.on_publish: Callable[[bytes, bytes, Sequence[Subscriber]], None] = _hand_on

    # What befalls it.

    def save(self) -> Data:
        """Return a copy of all that is kept."""
        return self.data.copy()

    def restart(self, data: Data | None = None) -> None:
        """Start again with other data, or none; connections are its owner's to break."""
        self.data = data.copy() if data is not None else Data()
        self.states.clear()
        self.run += 1
        self._known.clear()

    def remove(self, key: bytes, event: bytes) -> bool:
        """Let a key expire, or be deleted, and tell of that."""
        if self.data.values.pop(key, None) is None:
            return False
        self.data.ends.pop(key, None)
        self.states.clear()
        self.publish(b"__keyevent@0__:" + event, key)
        return True

    def expire_due(self) -> None:
        """Let those keys expire whose time has come."""
        now = self._now()
        for key in [key for key, end in self.data.ends.items() if end <= now]:
            self.remove(key, b"expired")

    def publish(self, topic: bytes, data: bytes) -> int:
        """Let all who subscribe hear a message."""
        hearers = tuple(self.subscribers.get(topic, ()))
        self.on_publish(topic, data, hearers)
        return len(hearers)

    # Commands.

    def execute(self, words: Sequence[Word]) -> Reply:
        """Do one command.

        Raises:
            Refusal: if it is refused.
        """
        self.expire_due()
        self._wrote = False
        try:
            return self._execute(words)
        finally:
            if self._wrote and self.states.maxlen:
                self.states.append(self.save())

    def _execute(self, words: Sequence[Word]) -> Reply:
        name, *arguments = words
        match name.upper(), arguments:
            case b"EVALSHA", [digest, *rest]:
                if digest.decode() not in self._known:
                    raise Refusal("NOSCRIPT No matching script. Please use EVAL.")
                return self._run(digest.decode(), rest)
            case b"EVAL", [text, *rest]:
                return self._run(self._learn(text), rest)
            case b"SCRIPT", [b"EXISTS", *digests]:
                return [int(digest.decode() in self._known) for digest in digests]
            case b"SCRIPT", [b"LOAD", text]:
                return self._learn(text).encode()
            case b"INFO", [section]:
                facts = {b"server": f"redis_version:7.2.0\r\nrun_id:run{self.run}", b"stats": "evicted_keys:0"}
                return facts.get(section, "maxmemory:0").encode()
            case b"CONFIG", [b"GET", flag]:
                return [flag, b"AKE"]
            case b"PING", _:
                return b"PONG"
            case command, _:
                answer = self.call(command, arguments)
                return answer[1] if isinstance(answer, tuple) else answer

    def _learn(self, text: bytes) -> str:
        (digest,) = (script.digest for script in scripts.SCRIPTS if script.text.encode() == text)
        self._known.add(digest)
        return digest

    def _run(self, digest: str, words: Sequence[Word]) -> Reply:
        count = int(words[0])
        return _run_script(self, digest, words[1 : 1 + count], words[1 + count :])

    def _hash(self, key: bytes) -> dict[bytes, bytes]:
        value = self.data.values.get(key, {})
        if not isinstance(value, dict):
            raise Refusal("WRONGTYPE Operation against a key holding the wrong kind of value")
        return value

    def _stream(self, key: bytes) -> list[tuple[int, bytes, bytes]]:
        value = self.data.values.get(key, [])
        if not isinstance(value, list):
            raise Refusal("WRONGTYPE Operation against a key holding the wrong kind of value")
        return value

    def call(self, command: bytes, words: Sequence[Word]) -> "Reply | tuple[str, bytes]":
        """Do a command that scripts may use, too; a status is a pair.

        Raises:
            Refusal: if it is refused.
        """
        values, ends = self.data.values, self.data.ends
        self._wrote |= command.upper() in _WRITES
        match command.upper(), words:
            case b"GET", [key]:
                value = values.get(key)
                return value if isinstance(value, bytes) else None
            case b"SET", [key, value, *options]:
                if b"NX" in options and key in values:
                    return None
                values[key] = value
                ends.pop(key, None)
                if b"PX" in options:
                    ends[key] = self._now() + int(options[options.index(b"PX") + 1]) / 1000
                return "status", b"OK"
            case b"DEL", keys:
                count = sum(values.pop(key, None) is not None for key in keys)
                for key in keys:
                    ends.pop(key, None)
                return count
            case b"EXISTS", keys:
                return sum(key in values for key in keys)
            case b"TYPE", [key]:
                kinds = {dict: b"hash", list: b"stream", bytes: b"string", type(None): b"none"}
                return "status", kinds[type(values.get(key))]
            case b"PTTL", [key]:
                if key not in values:
                    return -2
                return round((ends[key] - self._now()) * 1000) if key in ends else -1
            case b"PEXPIRE", [key, milliseconds]:
                if key not in values:
                    return 0
                ends[key] = self._now() + float(milliseconds) / 1000
                return 1
            case b"TIME", []:
                now = self._now()
                return [str(int(now)).encode(), str(int(now % 1 * 1_000_000)).encode()]
            case b"PUBLISH", [topic, data]:
                return self.publish(topic, data)
            case _:
                return self._call_hash(command.upper(), words)

    def _call_hash(self, command: bytes, words: Sequence[Word]) -> Reply:
        key, *rest = words
        fields = self._hash(key) if command.startswith(b"H") else {}
        match command:
            case b"HSET" | b"HSETNX":
                before = len(fields)
                for name, value in zip(rest[::2], rest[1::2], strict=True):
                    if command == b"HSET" or name not in fields:
                        fields[name] = value
                self.data.values[key] = fields
                return len(fields) - before
            case b"HMGET":
                return [fields.get(name) for name in rest]
            case b"HGETALL":
                return [word for pair in fields.items() for word in pair]
            case b"HLEN":
                return len(fields)
            case b"HDEL":
                count = sum(fields.pop(name, None) is not None for name in rest)
                self._drop_if_empty(key)
                return count
            case _:
                return self._call_stream(command, key, rest)

    def _call_stream(self, command: bytes, key: bytes, rest: Sequence[Word]) -> Reply:
        stream = self._stream(key)
        match command, rest:
            case b"XADD", [entry, name, value]:
                number = int(entry.split(b"-")[0])
                if stream and number <= stream[-1][0]:
                    raise Refusal("ERR The ID specified in XADD is equal or smaller than the target stream top item")
                stream.append((number, name, value))
                self.data.values[key] = stream
                return entry
            case b"XLEN", []:
                return len(stream)
            case b"XTRIM", [b"MINID", entry]:
                least, before = int(entry.split(b"-")[0]), len(stream)
                stream[:] = [each for each in stream if each[0] >= least]
                return before - len(stream)
            case b"XRANGE", [start, end, b"COUNT", count]:
                return _entries(stream, start, end, int(count))
            case b"XREVRANGE", [end, start, b"COUNT", count]:
                return _entries(stream[::-1], start, end, int(count))
            case _:
                raise Refusal(f"ERR unknown command '{command.decode()}'")

    def _drop_if_empty(self, key: bytes) -> None:
        if not self.data.values.get(key, True):
            del self.data.values[key]
            self.data.ends.pop(key, None)


def _copy(value: _Value) -> _Value:
    if isinstance(value, dict):
        return dict(value)
    return list(value) if isinstance(value, list) else value


def _entries(stream: Sequence[tuple[int, bytes, bytes]], start: bytes, end: bytes, count: int) -> list[Reply]:
    low, high = _bound(start, -1), _bound(end, 1)
    found: list[Reply] = []
    for number, name, value in stream:
        if low <= number <= high and len(found) < count:
            found.append([b"%d-0" % number, [name, value]])
    return found


def _bound(word: bytes, side: int) -> float:
    if word in {b"-", b"+"}:
        return side * float("inf")
    number = int(word.lstrip(b"(").split(b"-")[0])
    return number - side if word.startswith(b"(") else number


def _hand_on(topic: bytes, data: bytes, hearers: Sequence[Subscriber]) -> None:
    for each in hearers:
        each.hear(topic, data)


# Lua.


class _Interpreter:
    """One interpreter of a process, for all doubles: a script keeps nothing."""

    def __init__(self) -> None:
        self._lua = lua51.LuaRuntime(encoding=None, unpack_returned_tuples=True)
        self._double: RedisDouble | None = None
        self._functions: dict[str, Callable[[object, object], object]] = {}
        table = self._lua.table_from({b"call": self._call, b"pcall": self._pcall})
        self._lua.globals()[b"redis"] = table
        self._lua.execute(b"unpack = unpack or table.unpack")

    def run(self, double: RedisDouble, digest: str, keys: Sequence[Word], arguments: Sequence[Word]) -> Reply:
        """Run a script; what it answers, as a reply."""
        function = self._functions.get(digest)
        if function is None:
            (text,) = (script.text for script in scripts.SCRIPTS if script.digest == digest)
            function = self._lua.execute(b"return function(KEYS, ARGV)\n" + text.encode() + b"\nend")
            self._functions[digest] = function
        self._double = double
        answer = function(self._lua.table_from(list(keys)), self._lua.table_from(list(arguments)))
        return self._reply(answer)

    def _call(self, command: bytes, *words: object) -> object:
        assert self._double is not None
        return self._value(self._double.call(command, [_word(each) for each in words]))

    def _pcall(self, command: bytes, *words: object) -> object:
        try:
            return self._call(command, *words)
        except Refusal as refusal:
            return self._lua.table_from({b"err": str(refusal).encode()})

    def _value(self, reply: "Reply | tuple[str, bytes]") -> object:
        """Return a reply as Lua has it."""
        if isinstance(reply, tuple):
            return self._lua.table_from({b"ok": reply[1]})
        if isinstance(reply, list):
            return self._lua.table_from([self._value(each) for each in reply])
        return False if reply is None else reply

    def _reply(self, value: object) -> Reply:
        """Return what a script has returned as a reply."""
        if value is None or value is False:
            return None
        if value is True:
            return 1
        if isinstance(value, int | float):
            return int(value)
        if isinstance(value, bytes):
            return value
        error, status = value[b"err"], value[b"ok"]  # type: ignore[index]  # a table
        if error is not None:
            raise Refusal(error.decode())
        if status is not None:
            return bytes(status)
        found: list[Reply] = []
        while (each := value[len(found) + 1]) is not None:  # type: ignore[index]  # a table
            found.append(self._reply(each))
        return found


def _word(value: object) -> bytes:
    """Return an argument of a script's call as the server has it."""
    if isinstance(value, bytes):
        return value
    assert isinstance(value, int | float)
    return str(int(value)).encode() if value == int(value) else f"{value:.17g}".encode()


@cache
def _interpreter() -> _Interpreter:
    return _Interpreter()


def _run_script(double: RedisDouble, digest: str, keys: Sequence[Word], arguments: Sequence[Word]) -> Reply:
    return _interpreter().run(double, digest, keys, arguments)
