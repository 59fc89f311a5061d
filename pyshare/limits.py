"""The limits of each part, made from the settings."""

from pyshare.actors.channel_limits import ChannelLimits
from pyshare.actors.fanout import FanOutLimits
from pyshare.actors.log import LogLimits
from pyshare.actors.stock import StockLimits
from pyshare.actors.supervisor import SupervisorLimits
from pyshare.core.document import DocumentLimits
from pyshare.core.protocol import Limits
from pyshare.core.work import STEPS_A_SECOND
from pyshare.fields import NO_PROXIES
from pyshare.net.addresses import AddressBuckets, Networks, parse_networks
from pyshare.net.auth import ApiLimits
from pyshare.net.codespaces import CodespacesLimits
from pyshare.net.connection import ConnectionLimits
from pyshare.net.creations import CreationLimits
from pyshare.net.http import HttpLimits
from pyshare.net.listener import ListenerLimits
from pyshare.net.requests import RequestLimits
from pyshare.settings import Settings
from pyshare.store.interface import StoreLimits

#: Connections at one time to the address of metrics.
METRICS_CONNECTIONS = 64
#: Signs of life in a codespace's time to live: two may be lost without it expiring under its clients.
_TOUCHES_A_LIFE = 3
#: Seconds of work that the clients of one address may cause at once: a class that comes back together.
_ADDRESS_BURST_SECONDS = 10
#: Seconds between two signs of life at most.
_LONGEST_HEARTBEAT_SECONDS = 15.0


def channel_limits(settings: Settings) -> ChannelLimits:
    """Return what the settings mean for a channel."""
    shortest_life = min(settings.expire_seconds, settings.tmp_codespace_expire_seconds)
    return ChannelLimits(
        told=Limits(
            message_bytes=settings.message_bytes,
            text_units=settings.text_units,
            clients=settings.clients,
            pushes_per_second=settings.pushes_per_second,
            history_updates=settings.history_updates,
            presence_ms=settings.presence_ms,
            alive_ms=round(1000 * settings.ping_seconds),
        ),
        document=DocumentLimits(
            text_units=settings.text_units,
            history_updates=settings.history_updates,
            history_bytes=settings.history_bytes,
        ),
        fanout=FanOutLimits(backlog_bytes=settings.history_bytes),
        # What the API saves is what it reads in Redis at that moment: with one, no text is behind.
        log=LogLimits(text_with_append_units=settings.text_units) if settings.api_base_url else LogLimits(),
        # An editor has loaded its text before it is asked who it is.
        stock=StockLimits(
            loading_seconds=StockLimits().loading_seconds + settings.authentication_seconds,
            selections=settings.stock_selections == "on",
        ),
        clients=settings.clients,
        presence_seconds=settings.presence_ms / 1000,
        heartbeat_seconds=min(_LONGEST_HEARTBEAT_SECONDS, shortest_life / _TOUCHES_A_LIFE),
    )


def supervisor_limits(settings: Settings) -> SupervisorLimits:
    """Return what the settings mean for all channels."""
    return SupervisorLimits(
        channel_limits(settings), linger_seconds=settings.linger_seconds, codespaces_bytes=settings.codespaces_bytes
    )


def listener_limits(settings: Settings) -> ListenerLimits:
    """Return what the settings mean for the listener of WebSockets."""
    return ListenerLimits(
        connections=settings.connections,
        connections_per_address=settings.connections_per_address,
        connects_per_second=settings.connects_per_second,
        trusted_proxies=trusted_proxies(settings),
        forwarded_for=settings.forwarded_for == "on",
        beginning_seconds=settings.handshake_seconds,
    )


def address_work(settings: Settings) -> AddressBuckets:
    """Return the buckets of work for the connections of one address together: half a processor, for good."""
    return AddressBuckets(
        STEPS_A_SECOND / 2, burst=_ADDRESS_BURST_SECONDS * STEPS_A_SECOND / 2, exempt=trusted_proxies(settings)
    )


def trusted_proxies(settings: Settings) -> Networks:
    """Return the networks of the proxies that may name a client."""
    return () if settings.trusted_proxies == NO_PROXIES else parse_networks(settings.trusted_proxies)


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


def http_limits(settings: Settings) -> HttpLimits:
    """Return what the settings mean for the HTTP server."""
    least = RequestLimits().body_bytes
    # As JSON, one UTF-16 code unit of a text may take six bytes.
    body_bytes = max(least, 6 * settings.text_units + 1024) if settings.has_page else least
    return HttpLimits(
        keep_alive_seconds=settings.http_seconds,
        listener=ListenerLimits(
            connections=settings.http_connections,
            connections_per_address=settings.connections_per_address,
            trusted_proxies=trusted_proxies(settings),
            forwarded_for=settings.forwarded_for == "on",
            beginning_seconds=settings.http_seconds,
        ),
        request=RequestLimits(
            seconds=settings.http_seconds,
            body_bytes=body_bytes,
            bodies_bytes=max(settings.http_bodies_bytes, 2 * body_bytes),
            requests_per_second=settings.http_requests_per_second,
        ),
    )


def metrics_limits(settings: Settings) -> HttpLimits:
    """Return what the settings mean for the server of metrics, which few ask."""
    return HttpLimits(
        keep_alive_seconds=settings.http_seconds,
        listener=ListenerLimits(connections=METRICS_CONNECTIONS, beginning_seconds=settings.http_seconds),
        request=RequestLimits(seconds=settings.http_seconds),
    )


def store_limits(settings: Settings) -> StoreLimits:
    """Return what the settings mean for a store."""
    return StoreLimits(
        log_updates=settings.history_updates,
        log_bytes=settings.history_bytes,
        expire_seconds=settings.expire_seconds,
        tmp_expire_seconds=settings.tmp_codespace_expire_seconds,
    )


def creation_limits(settings: Settings) -> CreationLimits:
    """Return what the settings mean for codespaces that clients make."""
    return CreationLimits(
        creators=settings.creators,
        codespaces_per_minute=settings.codespaces_per_minute,
        codespaces_per_minute_per_address=settings.codespaces_per_minute_per_address,
        origins=settings.origins,
    )


def api_limits(settings: Settings) -> ApiLimits:
    """Return what the settings mean for questions to the API."""
    seconds = settings.api_remember_seconds
    least = ApiLimits()
    return ApiLimits(
        longest_wait_seconds=settings.authentication_seconds,
        good_seconds=seconds,
        bad_seconds=min(seconds, least.bad_seconds),
    )


def codespaces_limits(settings: Settings) -> CodespacesLimits:
    """Return what the settings mean for codespaces over HTTP."""
    return CodespacesLimits(
        text_units=settings.text_units,
        edit_bytes=settings.message_bytes,
        api_link_seconds=settings.api_link_seconds,
        authentication_seconds=min(settings.authentication_seconds, CodespacesLimits().authentication_seconds),
    )
