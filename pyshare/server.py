"""The application's root: which parts there are, in which order they start, and how they drain.

```
serve
+- store          expiry, delayed events
+- authenticator  questions to the API
+- supervisor     and under it every channel
+- listener       and under it every connection
```

They end in the opposite order, and nothing outlives `serve`. The first SIGINT
or SIGTERM drains, the second ends at once.
"""

import logging
import resource
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial

import trio

from pyshare.actors.channel import ChannelLimits
from pyshare.actors.fanout import FanOutLimits
from pyshare.actors.supervisor import Supervisor, SupervisorLimits, SupervisorMessage, open_lease
from pyshare.core.document import DocumentLimits
from pyshare.core.protocol import Limits
from pyshare.net.auth import ApiLimits, open_authenticator
from pyshare.net.connection import ConnectionLimits, serve_connection
from pyshare.net.listener import Listener, ListenerLimits, open_listeners
from pyshare.settings import Settings
from pyshare.store.interface import StoreLimits
from pyshare.store.memory import MemoryStore

logger = logging.getLogger(__name__)

#: Signs of life in a codespace's time to live: two may be lost without it expiring under its clients.
_TOUCHES_A_LIFE = 3
#: Seconds between two signs of life at most.
_LONGEST_HEARTBEAT_SECONDS = 15.0
#: Open files beside those of connections: the program's own, the API's, some to spare.
_OTHER_FILES = 128


def client_url(host: str, port: int) -> str:
    """Return where to point a client of a server that listens there; the codespace is left to fill in."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"ws://{f'[{host}]' if ':' in host else host}:{port}/codespace/tmp-<uuid4>/"


def channel_limits(settings: Settings) -> ChannelLimits:
    """Return what the settings mean for a channel."""
    shortest_life = min(settings.codespace_expire_seconds, settings.tmp_codespace_expire_seconds)
    return ChannelLimits(
        told=Limits(
            message_bytes=settings.message_bytes,
            text_units=settings.text_units,
            clients=settings.clients,
            pushes_per_second=settings.pushes_per_second,
            history_updates=settings.history_updates,
            presence_ms=settings.presence_ms,
        ),
        document=DocumentLimits(
            text_units=settings.text_units,
            history_updates=settings.history_updates,
            history_bytes=settings.history_bytes,
        ),
        fanout=FanOutLimits(backlog_bytes=settings.history_bytes),
        clients=settings.clients,
        presence_seconds=settings.presence_ms / 1000,
        heartbeat_seconds=min(_LONGEST_HEARTBEAT_SECONDS, shortest_life / _TOUCHES_A_LIFE),
    )


def connection_limits(settings: Settings) -> ConnectionLimits:
    """Return what the settings mean for a connection."""
    return ConnectionLimits(
        message_bytes=settings.message_bytes,
        pushes_per_second=settings.pushes_per_second,
        handshake_seconds=settings.handshake_seconds,
        authentication_seconds=settings.authentication_seconds,
        ping_seconds=settings.ping_seconds,
        silence_seconds=settings.silence_seconds,
        slow_seconds=settings.slow_seconds,
        close_seconds=settings.close_seconds,
    )


def store_limits(settings: Settings) -> StoreLimits:
    """Return what the settings mean for a store."""
    return StoreLimits(
        log_updates=settings.history_updates,
        expire_seconds=settings.codespace_expire_seconds,
        tmp_expire_seconds=settings.tmp_codespace_expire_seconds,
    )


async def serve(settings: Settings, *, on_ready: Callable[[str], None] = lambda url: None) -> None:
    """Serve until SIGINT or SIGTERM, then drain; `on_ready` is called with a client's URL once clients may come.

    Cancelled, it says goodbye to clients but waits for nothing else.

    Raises:
        ConfigurationError: if it cannot start as it was told to; perhaps in an exception group.
    """
    _allow_open_files(settings.connections + _OTHER_FILES)
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with AsyncExitStack() as stack:
            sockets = await open_listeners(settings.host, settings.port)
            for each in sockets:
                stack.push_async_callback(each.aclose)
            parts = await stack.enter_async_context(trio.open_nursery())
            store = MemoryStore(store_limits(settings))
            await parts.start(partial(store.run), name="store")
            authenticator = await stack.enter_async_context(
                # Nobody but clients can put a codespace into this process's memory.
                open_authenticator(
                    settings.api_base_url,
                    make_missing=True,
                    limits=ApiLimits(longest_wait_seconds=settings.authentication_seconds),
                )
            )
            # A connection has an Acquire and a Release in it at most, so the limit of connections bounds it.
            mailbox, messages = trio.open_memory_channel[SupervisorMessage](float("inf"))
            limits = SupervisorLimits(channel_limits(settings), linger_seconds=settings.linger_seconds)
            supervisor = Supervisor(store, instance=secrets.token_hex(8), limits=limits)
            await parts.start(partial(supervisor.run, messages), name="supervisor")
            connection = partial(
                serve_connection,
                admit=authenticator.admit,
                open_channel=partial(open_lease, mailbox),
                limits=connection_limits(settings),
            )
            listener = Listener(sockets, connection, limits=ListenerLimits(connections=settings.connections))
            await parts.start(partial(listener.run), name="listener")
            url = client_url(*sockets[0].socket.getsockname()[:2])
            logger.info("serving", extra={"url": url})
            on_ready(url)
            # What is left of the time is for the closing handshakes, which a connection may begin twice.
            seconds = max(settings.drain_seconds - 2 * settings.close_seconds, settings.drain_seconds / 2)
            await _drain_when_told(signals, listener, supervisor, seconds)
            parts.cancel_scope.cancel()


async def _drain_when_told(
    signals: AsyncIterator[int], listener: Listener, supervisor: Supervisor, seconds: float
) -> None:
    number = await anext(signals)
    logger.info("draining", extra={"signal": signal.Signals(number).name, "seconds": seconds})
    listener.stop_accepting()
    with trio.move_on_after(seconds) as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when_told, signals, scope, name="second signal")
            await supervisor.drain()
            nursery.cancel_scope.cancel()
    if scope.cancelled_caught:
        logger.warning("not everything was finished before the end")
    else:
        logger.info("drained")


async def _cancel_when_told(signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
    await anext(signals)
    scope.cancel()


def _allow_open_files(needed: int) -> None:
    """Raise the soft limit of open files towards what the connections need, as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        logger.warning(
            "fewer open files are allowed than --connections needs", extra={"allowed": allowed, "needed": needed}
        )
