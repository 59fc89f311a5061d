"""The application's root: which parts there are, in which order they start, and how they drain.

```
serve
+- embedded server     Redis or Valkey as a child process, if no address is given
+- store               the lanes to it
+- authenticator       questions to the API
+- supervisor          and under it every channel
+- WebSocket listener  and under it every connection
+- HTTP listener       page, codespaces, health
+- metrics listener    metrics, health
```

They end in the opposite order, and nothing outlives `serve`. The first SIGINT
or SIGTERM drains, the second ends at once.
"""

import logging
import resource
import secrets
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import trio
from starlette.routing import BaseRoute

from pyshare.actors.supervisor import Supervisor, SupervisorMessage, open_lease
from pyshare.core.errors import ConfigurationError, EditsLeft, leaves
from pyshare.folder import data_folder, secret_of
from pyshare.limits import (
    METRICS_CONNECTIONS,
    address_work,
    api_limits,
    codespaces_limits,
    connection_limits,
    creation_limits,
    http_limits,
    listener_limits,
    metrics_limits,
    store_limits,
    supervisor_limits,
)
from pyshare.net.addresses import Address, AddressBuckets, authority
from pyshare.net.application import build_app
from pyshare.net.auth import Authenticator, open_authenticator
from pyshare.net.codespaces import Codespaces
from pyshare.net.connection import serve_connection
from pyshare.net.creations import Creations
from pyshare.net.edits import Edits
from pyshare.net.held import HeldBytes
from pyshare.net.http import serve_http
from pyshare.net.listener import Listener, open_listeners
from pyshare.net.metrics import Metrics, Siblings
from pyshare.net.page import Page
from pyshare.net.roster import Roster
from pyshare.net.tokens import Signer
from pyshare.readings import Gauge, Readiness
from pyshare.settings import Settings
from pyshare.store.embedded import open_embedded
from pyshare.store.interface import Store, StoreUnavailable
from pyshare.store.memory import MemoryStore
from pyshare.store.redis import RedisStore

logger = logging.getLogger(__name__)

#: Open files beside those of connections: the program's own, the API's, some to spare.
_OTHER_FILES = 128
#: Part of the time for an answer over HTTP in which an edit is committed, or the answer says that this is not known.
_EDIT_PART = 0.8


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a server is found by those on its machine."""

    #: Of the WebSocket; the codespace is left to fill in.
    client: str
    #: Of the page, if there is one.
    page: str | None
    #: Of the page on other machines, if it listens to them: by the name that this machine gives itself.
    page_for_others: str | None
    #: Host and port of HTTP, and of the metrics.
    http: str
    metrics: str


def addresses(settings: Settings, sockets: "Sockets") -> Addresses:
    """Return where a server is found that listens on these sockets."""
    page = f"http://{_reached(sockets.http)}/" if settings.has_page else None
    host, port = sockets.http[0].socket.getsockname()[:2]
    others = f"http://{authority(socket.gethostname(), port)}/" if page and host in {"0.0.0.0", "::"} else None
    # A temporary codespace is shown where a client with a new id may make it.
    codespace = "tmp-<uuid4>" if settings.creators == "anyone" else "{token}"
    client = f"ws://{_reached(sockets.ws)}/codespace/{codespace}/"
    return Addresses(client, page, others, _listening(sockets.http), _listening(sockets.metrics))


def _listening(listeners: Sequence[trio.SocketListener]) -> str:
    host, port = listeners[0].socket.getsockname()[:2]
    return f"{host}:{port}"


def _reached(listeners: Sequence[trio.SocketListener]) -> str:
    return authority(*listeners[0].socket.getsockname()[:2])


@dataclass(frozen=True, slots=True)
class Sockets:
    """The listening sockets of a server: for WebSockets, for HTTP, and for metrics."""

    ws: Sequence[trio.SocketListener]
    http: Sequence[trio.SocketListener]
    metrics: Sequence[trio.SocketListener]

    @property
    def all(self) -> Sequence[trio.SocketListener]:
        """All of them."""
        return (*self.ws, *self.http, *self.metrics)


@dataclass(frozen=True, slots=True)
class Group:
    """The workers of which this process is one, as it sees them."""

    siblings: Siblings
    #: Where the others ask this one for its metrics.
    listener: trio.SocketListener


@asynccontextmanager
async def open_sockets(settings: Settings) -> AsyncIterator[Sockets]:
    """Listen where the settings say, until the context is left.

    Raises:
        ConfigurationError: if that cannot be had.
    """
    async with AsyncExitStack() as stack:
        sockets = []
        for name, host, port in (
            ("", settings.host, settings.port),
            ("http-", settings.http_host, settings.http_port),
            ("metrics-", settings.metrics_host, settings.metrics_at),
        ):
            opened = await open_listeners(host, port, host_option=f"--{name}host", port_option=f"--{name}port")
            for each in opened:
                stack.push_async_callback(each.aclose)
            sockets.append(opened)
        yield Sockets(*sockets)


@asynccontextmanager
async def open_redis(settings: Settings) -> AsyncIterator[str | None]:
    """Have a Redis server until the context is left: the one that was asked for, or our own; yield its URL.

    With the memory store there is none, and the URL is None.

    Raises:
        ConfigurationError: if our own cannot be run.
    """
    if settings.store == "memory":
        yield None
    elif settings.redis_address is not None:
        yield settings.redis_address
    else:
        if settings.api_base_url is not None:
            logger.warning("the API does not see the texts of pyshare's own Redis; give --redis-url the API's")
        program = Path(settings.redis_server) if settings.redis_server else None
        async with open_embedded(data_folder(settings), program=program) as embedded:
            yield embedded.url


async def serve(settings: Settings, *, on_ready: Callable[[Addresses], None] = lambda where: None) -> None:
    """Serve until SIGINT or SIGTERM, then drain; `on_ready` is told where, once clients may come.

    Cancelled, it says goodbye to clients but waits for nothing else.

    Raises:
        ConfigurationError: if it cannot start as it was told to; perhaps in an exception group.
    """
    async with open_sockets(settings) as sockets, open_redis(settings) as redis_url:
        await serve_with(settings, sockets, redis_url, find_secret(settings), on_ready=on_ready)


def find_secret(settings: Settings) -> str | None:
    """Return what links are signed with, and say what follows from where it is; None if there are no links.

    Raises:
        ConfigurationError: if one is to be kept and cannot be.
    """
    secret = secret_of(settings)
    if secret and settings.secret is None and settings.redis_address is not None and settings.store == "redis":
        logger.info("links are signed with this machine's secret; servers on several need the same --secret")
    return secret


def environment_proxy(url: str) -> str | None:
    """Return the proxy of the environment through which `url` is asked, without its password; None if it is not."""
    parts = urlsplit(url)
    # The rules are those that httpx follows too.
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return proxy.rpartition("@")[2].rpartition("//")[2]


async def serve_with(
    settings: Settings,
    sockets: Sockets,
    redis_url: str | None,
    secret: str | None,
    *,
    group: Group | None = None,
    on_ready: Callable[[Addresses], None],
) -> None:
    """Serve as `serve` does, on sockets and a Redis server that somebody else has opened; the sockets are closed.

    `secret` is what links are signed with; without it there are none. `group` is of whom this is one.

    Raises:
        EditsLeft: if it has ended before the store took all edits.
    """
    _allow_open_files(settings.connections + settings.http_connections + METRICS_CONNECTIONS + _OTHER_FILES)
    where = addresses(settings, sockets)
    signer = Signer(secret) if secret else None
    if settings.api_base_url is not None and (proxy := environment_proxy(settings.api_base_url)) is not None:
        logger.info("the API is asked through a proxy of the environment; see NO_PROXY", extra={"proxy": proxy})
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with AsyncExitStack() as stack:
            parts = await stack.enter_async_context(trio.open_nursery())
            store = await _start_store(settings, redis_url, parts)
            readiness = Readiness(store)
            authenticator = await stack.enter_async_context(
                # What nobody but clients can put a codespace into, has none that the API knows.
                open_authenticator(
                    settings.api_base_url,
                    make_missing=settings.redis_address is None or settings.store == "memory",
                    signer=signer,
                    creators=settings.creators,
                    limits=api_limits(settings),
                )
            )
            # A connection has an Acquire and a Release in it at most, so the limit of connections bounds it.
            mailbox, messages = trio.open_memory_channel[SupervisorMessage](float("inf"))
            instance = secrets.token_hex(8)
            supervisor = Supervisor(store, instance=instance, limits=supervisor_limits(settings))
            await parts.start(partial(supervisor.run, messages), name="supervisor")
            closes: Counter[str] = Counter()
            answers: Counter[int] = Counter()
            creations = Creations(creation_limits(settings))
            work = address_work(settings)
            connection = _connection(settings, authenticator, mailbox, creations, closes, work)
            listener = Listener(sockets.ws, connection, limits=listener_limits(settings))
            await parts.start(partial(listener.run), name="WebSocket listener")
            gauge = Gauge(settings, instance, readiness, listener, supervisor, creations, closes, answers)
            siblings = group.siblings if group else None
            metrics = Metrics(gauge.read, siblings)
            roster = Roster(supervisor.statistics, signer, siblings)
            if group:
                app = build_app(readiness.why_not, [*metrics.own_routes, *roster.own_routes])
                own = partial(serve_http, [group.listener], app, limits=metrics_limits(settings))
                await parts.start(own, name="metrics for other workers")
            edits = Edits(partial(open_lease, mailbox), work, seconds=_EDIT_PART * settings.http_seconds)
            codespaces = _routes(settings, store, authenticator, signer, creations, edits)
            app = build_app(readiness.why_not, codespaces, allowed_origins=settings.origins.allowed)
            limits = http_limits(settings)
            http = partial(serve_http, sockets.http, app, adopt=listener.adopt, limits=limits, answers=answers)
            await parts.start(http, name="HTTP listener")
            app = build_app(readiness.why_not, [*metrics.routes, *roster.routes])
            watched = partial(serve_http, sockets.metrics, app, limits=metrics_limits(settings))
            await parts.start(watched, name="metrics listener")
            logger.info("serving", extra={"url": where.client, "http": where.http, "metrics": where.metrics})
            on_ready(where)
            # What is left of the time is for the closing handshakes, which a connection may begin twice.
            seconds = max(settings.drain_seconds - 2 * settings.close_seconds, settings.drain_seconds / 2)
            number = await anext(signals)
            readiness.draining = True
            logger.info("draining", extra={"signal": signal.Signals(number).name, "seconds": seconds})
            left = await _drain(signals, listener, supervisor, seconds)
            parts.cancel_scope.cancel()
    if left:
        raise EditsLeft(f"{left} edits were not saved before the end; the clients keep them and send them again")


def _connection(
    settings: Settings,
    authenticator: Authenticator,
    supervisor: trio.MemorySendChannel[SupervisorMessage],
    creations: Creations,
    closes: Counter[str],
    work: AddressBuckets,
) -> Callable[[socket.socket, Address, bytes], Awaitable[None]]:
    """Return how a client's WebSocket is served, whatever address it comes from."""
    limits = connection_limits(settings)
    held = HeldBytes(settings.buffer_bytes)

    async def serve_client(client: socket.socket, address: Address, received: bytes) -> None:
        await serve_connection(
            client,
            address,
            received,
            admit=partial(authenticator.admit, line=address.network or ""),
            open_channel=partial(open_lease, supervisor),
            limits=limits,
            on_closed=lambda code: closes.update((code,)),
            held=held,
            address_work=work,
            count_creation=partial(creations.by_joining, address),
        )

    return serve_client


def _routes(
    settings: Settings,
    store: Store,
    authenticator: Authenticator,
    signer: Signer | None,
    creations: Creations,
    edits: Edits,
) -> Sequence[BaseRoute]:
    """Return what there is over HTTP beside health."""
    if not settings.has_page or signer is None:
        return ()
    limits = codespaces_limits(settings)
    codespaces = Codespaces(store, authenticator.admit, signer, edits=edits, creations=creations, limits=limits)
    return (*codespaces.routes, *Page().routes)


async def _start_store(settings: Settings, redis_url: str | None, parts: trio.Nursery) -> Store:
    limits = store_limits(settings)
    store: Store = MemoryStore(limits) if redis_url is None else RedisStore(redis_url, limits)
    await parts.start(partial(_run_store, store), name="store")
    return store


async def _run_store(store: Store, *, task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128 - the store does
    """Run the store; what keeps it from starting names the settings."""
    try:
        await store.run(task_status=task_status)
    except* (ConfigurationError, StoreUnavailable) as group:
        reasons = "; ".join(dict.fromkeys(str(error) for error in leaves(group)))
        kind = ConfigurationError if group.subgroup(ConfigurationError) else StoreUnavailable
        raise kind(f"{reasons}; see --redis-url, --redis-host and --redis-password") from None


async def _drain(signals: AsyncIterator[int], listener: Listener, supervisor: Supervisor, seconds: float) -> int:
    """Drain for so many seconds; return the number of pushes that were not saved."""
    listener.stop_accepting()
    with trio.move_on_after(seconds) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when_told, signals, scope, name="second signal")
            await supervisor.drain()
            nursery.cancel_scope.cancel()
    unsaved = supervisor.statistics().unsaved
    pushes = sum(unsaved.values())
    if unsaved:
        logger.error("edits were not saved before the end", extra={"pushes": pushes, "codespaces": len(unsaved)})
    elif scope.cancelled_caught:
        logger.warning("not everything was finished before the end")
    else:
        logger.info("drained")
    return pushes


async def _cancel_when_told(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()


def _allow_open_files(needed: int) -> None:
    """Raise the soft limit of open files towards what the connections need, as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    except (OSError, ValueError):
        # A system that forbids it altogether.
        allowed = soft
    if allowed < needed:
        logger.warning(
            "fewer open files are allowed than --connections needs", extra={"allowed": allowed, "needed": needed}
        )
