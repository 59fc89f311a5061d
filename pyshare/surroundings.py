"""The settings of a server's surroundings: its addresses, the people who may join, and its store."""

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pyshare.fields import NO_PROXIES, Shown, checked_networks, checked_origins, checked_redis_url, complete_url
from pyshare.net.tokens import SECRET_LENGTH

#: Seconds that a codespace lives unused: a week, or as the stock server has it.
EXPIRE_SECONDS: Final = 604_800
EXPIRE_SECONDS_WITH_API: Final = 1200
#: Ports between that of HTTP and that of the metrics.
METRICS_DISTANCE: Final = 1000


class Surroundings(BaseModel):
    """The settings that say where a server is, who may join, and where its texts are."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", validate_default=True)

    host: Annotated[
        str,
        Field(pattern=r"^[^\s/]+$"),
        Shown(
            "Address",
            "HOST",
            "address to listen at; 0.0.0.0 is every network of this machine",
            allowed="a host name or an IP address",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Field(ge=0, le=65535),
        Shown("Address", "PORT", "port to listen at; 0 is any free one", stock="PORT"),
    ] = 8888
    http_host: Annotated[
        str,
        Field(pattern=r"^[^\s/]+$"),
        Shown(
            "Address",
            "HOST",
            "address of the page, the codespace endpoints and health",
            allowed="a host name or an IP address",
        ),
    ] = "127.0.0.1"
    http_port: Annotated[
        int,
        Field(ge=0, le=65535),
        Shown("Address", "PORT", "port of that address; 0 is any free one"),
    ] = 8889
    metrics_host: Annotated[
        str,
        Field(pattern=r"^[^\s/]+$"),
        Shown(
            "Address",
            "HOST",
            "address of the metrics and of health, for those who watch over the server",
            allowed="a host name or an IP address",
        ),
    ] = "127.0.0.1"
    metrics_port: Annotated[
        Annotated[int, Field(ge=0, le=65535)] | None,
        Shown(
            "Address",
            "PORT",
            "port of that address; 0 is any free one",
            allowed="a whole number from 0 to 65535",
            default=f"{METRICS_DISTANCE} above --http-port, or below where that is no port",
        ),
    ] = None
    trusted_proxies: Annotated[
        Annotated[str, AfterValidator(checked_networks)],
        Shown(
            "Address",
            "LIST",
            "proxies whose PROXY header (versions 1 and 2) names the client, on both ports",
            allowed=f"addresses and networks with commas between, or {NO_PROXIES}",
        ),
    ] = "127.0.0.1,::1"
    forwarded_for: Annotated[
        Literal["on", "off"],
        Shown(
            "Address",
            "FORWARDED",
            "whether those proxies may name the client in X-Forwarded-For instead; "
            "only for a proxy that writes that header itself and hands on none that clients send",
        ),
    ] = "off"
    page: Annotated[
        Literal["auto", "on", "off"],
        Shown(
            "Address",
            "PAGE",
            "the page and the codespace endpoints; auto: on unless an API is configured, which has its own",
        ),
    ] = "auto"
    workers: Annotated[
        int,
        Field(ge=1, le=256),
        Shown("Address", "NUMBER", "processes that share the ports and the store, about one a core"),
    ] = 1

    api_base_url: Annotated[
        Annotated[str, AfterValidator(complete_url)] | None,
        Shown(
            "Who may join",
            "URL",
            "where the API is asked about tokens; without it there are temporary codespaces and those of links",
            stock="API_BASE_URL",
            allowed="an http:// or https:// address without a query",
        ),
    ] = None
    authentication_seconds: Annotated[
        float,
        Field(ge=0.1, le=3600),
        Shown("Who may join", "SECONDS", "time to find out who a client is, waits for a busy API counted"),
    ] = 90.0
    api_remember_seconds: Annotated[
        float,
        Field(ge=0, le=3600),
        Shown(
            "Who may join",
            "SECONDS",
            "time for which the API's word about a token is taken again without asking; 0 asks each time",
        ),
    ] = 10.0
    api_link_seconds: Annotated[
        int,
        Field(ge=0, le=31_536_000),
        Shown("Who may join", "SECONDS", "time that a link works which is made from an API's token; 0 makes none"),
    ] = 3600
    secret: Annotated[
        Annotated[str, Field(min_length=SECRET_LENGTH, max_length=1024)] | None,
        Shown(
            "Who may join",
            "SECRET",
            "what links are signed with; servers with the same understand each other's; "
            "if not given, made once and kept in the data folder, "
            "from where --store memory with the page, and an API without it, do not take it",
            allowed=f"at least {SECRET_LENGTH} characters",
            secret=True,
        ),
    ] = None
    create: Annotated[
        Literal["auto", "anyone", "links", "nobody"],
        Shown(
            "Who may join",
            "WHO",
            "who makes codespaces; anyone: everybody who reaches the server; links: bearers of links that say so; "
            "nobody: the API only; auto: anyone with the page, else links",
        ),
    ] = "auto"
    codespaces_per_minute: Annotated[
        int,
        Field(ge=1, le=1_000_000),
        Shown("Who may join", "COUNT", "codespaces that one process makes in a minute for all, by HTTP or by joining"),
    ] = 600
    codespaces_per_minute_per_address: Annotated[
        int,
        Field(ge=1, le=1_000_000),
        Shown("Who may join", "COUNT", "those that it makes for one address, which a school may share"),
    ] = 300
    allowed_origins: Annotated[
        Annotated[str, AfterValidator(checked_origins)] | None,
        Shown(
            "Who may join",
            "LIST",
            "pages of other origins that may make codespaces and links, as the server's own page does",
            allowed="origins with commas between, as https://example.org",
        ),
    ] = None

    store: Annotated[
        Literal["redis", "memory"],
        Shown(
            "Storage",
            "STORE",
            "where texts live; redis: in Redis, one of pyshare's own unless an address is given; "
            "memory: as long as the server does",
        ),
    ] = "redis"
    redis_url: Annotated[
        Annotated[str, AfterValidator(checked_redis_url)] | None,
        Shown(
            "Storage",
            "URL",
            "the Redis or Valkey that servers share",
            allowed="a redis://, rediss:// or unix:// address, with the number of a database if it is not 0",
            secret=True,
        ),
    ] = None
    redis_host: Annotated[
        Annotated[str, Field(pattern=r"^[^\s/]+$")] | None,
        Shown(
            "Storage",
            "HOST",
            "the same by host, where no URL is given",
            stock="REDIS_HOST",
            allowed="a host name or an IP address",
        ),
    ] = None
    redis_port: Annotated[
        int,
        Field(ge=1, le=65535),
        Shown("Storage", "PORT", "port of that host", stock="REDIS_PORT"),
    ] = 6379
    redis_password: Annotated[
        str | None,
        Shown(
            "Storage",
            "PASSWORD",
            "its password, where the URL has none; better as a variable: other users of this machine can read flags",
            stock="REDIS_PASS",
            allowed="text",
            secret=True,
        ),
    ] = None
    redis_server: Annotated[
        Annotated[str, Field(min_length=1)] | None,
        Shown(
            "Storage",
            "PROGRAM",
            "the valkey-server or redis-server that pyshare runs where no address is given; "
            "if not given, the one that wrote the data folder, else the one that comes with pyshare, else one on PATH",
            allowed="the name or the path of a program",
        ),
    ] = None
    data_folder: Annotated[
        Annotated[str, Field(min_length=1)] | None,
        Shown(
            "Storage",
            "FOLDER",
            "where pyshare's own Redis keeps its files, and the secret is; "
            "if not given, pyshare in $XDG_DATA_HOME or ~/.local/share",
            allowed="a folder",
        ),
    ] = None
    codespace_expire_seconds: Annotated[
        Annotated[int, Field(ge=1, le=31_536_000)] | None,
        Shown(
            "Storage",
            "SECONDS",
            "lifetime of a codespace: time unused until it is gone",
            stock="CODESPACE_EXPIRE_UPDATE",
            allowed="a whole number from 1 to 31536000",
            default=f"{EXPIRE_SECONDS_WITH_API} with an API, which keeps texts itself, else {EXPIRE_SECONDS}",
        ),
    ] = None
    tmp_codespace_expire_seconds: Annotated[
        int,
        Field(ge=1, le=31_536_000),
        Shown(
            "Storage",
            "SECONDS",
            "lifetime of a temporary codespace",
            stock="TMP_CODESPACE_EXPIRE_UPDATE",
        ),
    ] = 1200
