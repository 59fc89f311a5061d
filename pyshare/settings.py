"""Every setting of the server: its name, what it means, its unit, bounds and default.

A setting is a field of `Settings`; its flag, its variable and its line of help follow from the field.
"""

from typing import Annotated, Final, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pyshare.fields import (
    Shown,
    described,
)
from pyshare.net.origins import Origins
from pyshare.net.tokens import Creators
from pyshare.surroundings import EXPIRE_SECONDS, EXPIRE_SECONDS_WITH_API, METRICS_DISTANCE, Surroundings

LogFormat = Literal["auto", "console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

_SILENCE_PINGS: Final = "a client that is well must have a ping to answer before it counts as silent"
_DRAIN_CLOSES: Final = "the closing handshakes are part of draining"

_WORKERS_SHARE: Final = "each worker would have texts of its own"
_LAST_PORT: Final = 65535
_PORTS_DIFFER: Final = "each has its own listener"
_BUFFER_HOLDS: Final = "two messages must have room at once, at four bytes for each of theirs"
_HISTORY_HOLDS: Final = "the history must have room for the largest push"


class Settings(Surroundings):
    """What the server is told before it starts; nothing changes it afterwards.

    Times are in seconds, sizes in bytes and texts in UTF-16 code units, unless the name says otherwise.
    """

    connections: Annotated[
        int,
        Field(ge=1, le=1_000_000),
        Shown("Limits", "COUNT", "connections at once; one more is told to try again later"),
    ] = 10_000
    http_connections: Annotated[
        int,
        Field(ge=1, le=1_000_000),
        Shown(
            "Limits",
            "COUNT",
            "HTTP connections at once; one more is told to try again later, health excepted; more than the proxy lets "
            "through",
        ),
    ] = 2048
    http_bodies_bytes: Annotated[
        int,
        Field(ge=65_536, le=17_179_869_184),
        Shown(
            "Limits",
            "BYTES",
            "size of all HTTP bodies at once, of which one address has a quarter; at least twice the largest text",
        ),
    ] = 33_554_432
    connections_per_address: Annotated[
        int,
        Field(ge=0, le=1_000_000),
        Shown(
            "Limits",
            "COUNT",
            "connections of one address at once on each port, an IPv6 address counted by its first 64 bits; "
            "0 is any number",
        ),
    ] = 1000
    connects_per_second: Annotated[
        int,
        Field(ge=0, le=1_000_000),
        Shown(
            "Limits",
            "COUNT",
            "WebSockets that one address opens a second, ten times as many at once; above it they wait; "
            "0 is any number",
        ),
    ] = 100
    http_requests_per_second: Annotated[
        int,
        Field(ge=0, le=1_000_000),
        Shown(
            "Limits",
            "COUNT",
            "HTTP requests of one address a second, ten times as many at once; above it they wait, health excepted; "
            "0 is any number",
        ),
    ] = 300
    clients: Annotated[
        int,
        Field(ge=1, le=1_000_000),
        Shown("Limits", "COUNT", "clients in one codespace; one more is refused"),
    ] = 1000
    message_bytes: Annotated[
        int,
        Field(ge=1024, le=268_435_456),
        Shown("Limits", "BYTES", "size of a client's message; a larger one ends its connection"),
    ] = 1_048_576
    text_units: Annotated[
        int,
        Field(ge=1, le=134_217_728),
        Shown("Limits", "UNITS", "length of a text in UTF-16 code units; an edit beyond it is refused"),
    ] = 524_288
    pushes_per_second: Annotated[
        int,
        Field(ge=1, le=1_000_000),
        Shown("Limits", "COUNT", "a client's pushes a second; above it the server reads from it no faster"),
    ] = 1000
    history_updates: Annotated[
        int,
        Field(ge=1, le=10_000_000),
        Shown("Limits", "COUNT", "updates of a codespace kept for clients that are behind"),
    ] = 4096
    history_bytes: Annotated[
        int,
        Field(ge=1024, le=17_179_869_184),
        Shown("Limits", "BYTES", "size of those updates; in the store too"),
    ] = 8_388_608
    codespaces_bytes: Annotated[
        int,
        Field(ge=1_048_576, le=1_099_511_627_776),
        Shown(
            "Limits",
            "BYTES",
            "memory of a process for those updates, edits that wait, and frames for slow clients, of all codespaces "
            "together; above it, each has an equal share",
        ),
    ] = 1_073_741_824
    buffer_bytes: Annotated[
        int,
        Field(ge=1_048_576, le=1_099_511_627_776),
        Shown("Limits", "BYTES", "memory for what all connections have received or sent in part; above it, some close"),
    ] = 268_435_456

    stock_selections: Annotated[
        Literal["off", "on"],
        Shown(
            "Limits",
            "SWITCH",
            "send the selections of stock editors to each other; the next key replaces what they select",
        ),
    ] = "off"

    linger_seconds: Annotated[
        float,
        Field(ge=0, le=86_400),
        Shown("Times", "SECONDS", "time a codespace stays loaded after its last client has left"),
    ] = 10.0
    presence_ms: Annotated[
        int,
        Field(ge=1, le=60_000),
        Shown("Times", "MS", "milliseconds between two rounds of selections and arrivals, at least"),
    ] = 100
    handshake_seconds: Annotated[
        float,
        Field(ge=0.1, le=3600),
        Shown("Times", "SECONDS", "time for a client's opening handshake"),
    ] = 10.0
    http_seconds: Annotated[
        float,
        Field(ge=0.1, le=3600),
        Shown("Times", "SECONDS", "time for an HTTP answer, for the next part of a request, and that one may be idle"),
    ] = 10.0
    ping_seconds: Annotated[
        float,
        Field(ge=0.1, le=86_400),
        Shown("Times", "SECONDS", "time between two pings to a client, and in which it is told something"),
    ] = 20.0
    silence_seconds: Annotated[
        float,
        Field(ge=0.1, le=86_400),
        Shown("Times", "SECONDS", "time without a sign of life after which a client is disconnected"),
    ] = 60.0
    slow_seconds: Annotated[
        float,
        Field(ge=0.1, le=86_400),
        Shown(
            "Times",
            "SECONDS",
            "time in which a client takes nothing of what it is sent before it is disconnected",
        ),
    ] = 15.0
    close_seconds: Annotated[
        float,
        Field(ge=0, le=3600),
        Shown("Times", "SECONDS", "time a client has to answer that its connection is closed"),
    ] = 3.0
    drain_seconds: Annotated[
        float,
        Field(ge=0, le=3600),
        Shown("Times", "SECONDS", "time to finish everything when told to stop"),
    ] = 15.0

    log_format: Annotated[
        LogFormat,
        Shown("Logs", "FORMAT", "form of the log; auto: console on a terminal, else json"),
    ] = "auto"
    log_level: Annotated[
        LogLevel,
        Shown("Logs", "LEVEL", "least severity that is logged"),
    ] = "info"

    @model_validator(mode="after")
    def _check_sense(self) -> Self:
        if self.silence_seconds <= self.ping_seconds:
            raise _contradiction("silence_seconds", "more than", "ping_seconds", _SILENCE_PINGS)
        if self.drain_seconds < self.close_seconds:
            raise _contradiction("drain_seconds", "at least", "close_seconds", _DRAIN_CLOSES)
        if self.history_bytes < self.message_bytes:
            raise _contradiction("history_bytes", "at least", "message_bytes", _HISTORY_HOLDS)
        if self.buffer_bytes < 8 * self.message_bytes:
            raise _contradiction("buffer_bytes", "at least 8 times", "message_bytes", _BUFFER_HOLDS)
        if self.port == self.http_port != 0 and self.host == self.http_host:
            raise _contradiction("http_port", "another than", "port", _PORTS_DIFFER)
        for name in ("host", "http_host"):
            port_name = name.replace("host", "port")
            if self.metrics_at == getattr(self, port_name) != 0 and self.metrics_host == getattr(self, name):
                raise _contradiction("metrics_port", "another than", port_name, _PORTS_DIFFER)
        if self.redis_host is None and self.redis_url is None:
            for name in ("redis_port", "redis_password"):
                default: object = Settings.model_fields[name].default
                if getattr(self, name) != default and self.store == "redis":
                    raise PydanticCustomError(LONELY, "{name}", {"name": name})
        if self.workers > 1 and self.store == "memory":
            raise _contradiction("workers", "1 with", "store", _WORKERS_SHARE)
        return self

    @property
    def has_page(self) -> bool:
        """Whether there are the page and the codespace endpoints."""
        return self.page == "on" or (self.page == "auto" and self.api_base_url is None)

    @property
    def metrics_at(self) -> int:
        """The port of metrics: by default as far from HTTP's as for every other server of a machine."""
        if self.metrics_port is not None or self.http_port == 0:
            return self.metrics_port or 0
        above = self.http_port + METRICS_DISTANCE
        return above if above <= _LAST_PORT else self.http_port - METRICS_DISTANCE

    @property
    def creators(self) -> Creators:
        """Clients that may make codespaces."""
        if self.create == "auto":
            return "anyone" if self.has_page else "links"
        return self.create

    @property
    def origins(self) -> Origins:
        """Pages of other origins that count as the server's own."""
        return Origins() if self.allowed_origins is None else Origins.parse(self.allowed_origins)

    @property
    def expire_seconds(self) -> int:
        """Seconds that a codespace lives unused: for long where nothing else keeps its text."""
        if self.codespace_expire_seconds is not None:
            return self.codespace_expire_seconds
        return EXPIRE_SECONDS if self.api_base_url is None else EXPIRE_SECONDS_WITH_API

    @property
    def redis_address(self) -> str | None:
        """The URL of the Redis server that was asked for, its password in it; None if pyshare is to run its own."""
        password = quote(self.redis_password or "", safe="")
        if self.redis_url is not None:
            parts = urlsplit(self.redis_url)
            if not password or parts.password:
                return self.redis_url
            return parts._replace(
                netloc=f"{parts.username or ''}:{password}@{parts.netloc.rpartition('@')[2]}"
            ).geturl()
        if self.redis_host is not None:
            host = f"[{self.redis_host}]" if ":" in self.redis_host else self.redis_host
            return f"redis://{f':{password}@' if password else ''}{host}:{self.redis_port}/0"
        return None


#: Kinds of errors that concern more than one setting.
CONTRADICTION: Final = "contradiction"
LONELY: Final = "lonely"


def _contradiction(name: str, relation: str, other: str, reason: str) -> PydanticCustomError:
    context = {"name": name, "relation": relation, "other": other, "reason": reason}
    return PydanticCustomError(CONTRADICTION, "{name} must be {relation} {other}: {reason}", context)


#: Every setting, in the order in which help lists them.
SETTINGS: Final = tuple(described(name, field) for name, field in Settings.model_fields.items())
