"""One stay in a codespace, from the server's welcome to the goodbye: `connect`."""

import random
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio

from pyshare.client.address import check_name, parse_address
from pyshare.client.codespace import Codespace
from pyshare.client.errors import CodespaceClosed, TrioNeeded
from pyshare.client.link import ClientLimits, Link
from pyshare.client.replica import Replica
from pyshare.client.transport import OpenConnection, open_websocket
from pyshare.core.arrival import SESSION_BYTES
from pyshare.core.errors import CloseCode


@asynccontextmanager
async def connect(
    url: str,
    *,
    name: str = "",
    session: bytes | None = None,
    patient: bool = False,
    save_seconds: float = 15,
    limits: ClientLimits | None = None,
    open_connection: OpenConnection | None = None,
    jitter: Callable[[], float] = random.random,
    wall_clock: Callable[[], float] = time.time,
) -> AsyncIterator[Codespace]:
    """Be a client of the codespace at `url`, for as long as the body of an `async with` takes.

    Entering waits for the server's welcome. A server that cannot be reached is
    tried again after pauses that grow, for 5 seconds. An attempt without any
    answer takes 15 seconds; see `ClientLimits`. The body then has the text, and
    connections that are lost are made anew behind it, however long that takes;
    the server goes on from where the client is. Each attempt that fails is a
    warning of the logger `pyshare.client`. When the server says that it is of
    no use to come back, the client gives up: the body goes on, its calls raise.

    A body that ends without an exception leaves when the server has confirmed
    all edits, as `Codespace.save` waits for it. A body that raises or is
    cancelled leaves at once, and so does one that is cancelled while it waits;
    edits of the last moment can then be lost. Leaving says goodbye to the
    server, within `close_seconds`. What the body raises comes out as it is.

    Args:
        url: `ws://host:port/codespace/{token}/`; HTTP schemes are understood, the last slash may be missing.
        name: what the others are shown, 64 characters at most.
        session: 16 bytes, a secret, by which the server knows the client again; new ones by default.
            For one client at a time: another one that has them takes the connection over.
        patient: wait for the first connection, too, for as long as it takes.
        save_seconds: seconds that leaving waits for edits to be confirmed; `math.inf` to wait for ever. The default
            leaves time to notice a dead connection, after 10 s, and to send the edits over another one.
        limits: how patient the client is and what it keeps.
        open_connection: how it comes by its connections; by default WebSockets over TCP or TLS.
        jitter: gives numbers from 0 up to 1 by chance, to spread those that come back.
        wall_clock: tells the time in seconds; where it runs ahead of trio's, the machine has slept.

    Raises:
        TrioNeeded: if trio does not run here; `pyshare.client.sync` is for other programs.
        ValueError: if an argument is wrong; says how.
        ConnectError: if there is no first connection in time, and the client is not patient.
        CodespaceClosed: if the server refuses this client for good.
        EditsUnconfirmed: if the body ends well and its edits are not confirmed in time; has the text.
        EditsRefused: if the body ends well and edits were refused that nobody was told of.
    """
    if not trio.lowlevel.in_trio_run():
        raise TrioNeeded
    address = parse_address(url)
    session = secrets.token_bytes(SESSION_BYTES) if session is None else session
    if len(session) != SESSION_BYTES:
        raise ValueError(f"a session of {len(session)} bytes; should be {SESSION_BYTES} random bytes")
    check_name(name)
    if not save_seconds >= 0:
        raise ValueError(f"save_seconds is {save_seconds}; should be 0 or more")
    limits = limits or ClientLimits()
    replica = Replica(updates=limits.updates, kept_bytes=limits.kept_bytes)
    link = Link(
        replica,
        address,
        session=session,
        name=name,
        patient=patient,
        limits=limits,
        open_connection=open_connection or open_websocket,
        jitter=jitter,
        wall_clock=wall_clock,
    )
    codespace = Codespace(replica, link, session=session, limits=limits)
    failure: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(link.run, name=f"client of {address}")
            try:
                await _enter(codespace, link)
                yield codespace
                await codespace.save(save_seconds)
            finally:
                link.close(CodespaceClosed(CloseCode.DONE, "this client has left the codespace"))
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        # The nursery's wrapping of what the body raised.
        if len(group.exceptions) > 1:
            raise
        failure = group.exceptions[0]
    if failure is not None:
        raise failure


async def _enter(codespace: Codespace, link: Link) -> None:
    try:
        await codespace.wait_connected()
    except CodespaceClosed:
        if link.failure is not None:
            raise link.failure from None
        raise
