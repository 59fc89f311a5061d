"""Requests of HTTP as an application is given them: their bodies within limits of bytes and of time."""

import logging
import math
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus

import trio
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pyshare.net.addresses import Address, AddressBuckets

logger = logging.getLogger(__name__)

#: Bytes that a part of a body counts beside its own: parts of one byte cost memory too.
_PART_BYTES = 64
#: Seconds' worth of requests that one address may make at once.
_BURST_SECONDS = 10
#: What is answered without waiting: a load balancer gives up on a server that does not tell its health.
_AT_ONCE = frozenset({"/healthz", "/readyz"})
#: Parts of the room for bodies: the clients of one address have one of them.
_SHARES = 4


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How patient the application is with a request, and how much of it is kept."""

    #: Seconds for an answer to be found once the body has come; also those for the next part of a body.
    seconds: float = 10
    #: Bytes a second that a body brings at least, after its first seconds.
    body_bytes_per_second: int = 4096
    #: Bytes of a body that is kept for the application, and of all that are kept at one time.
    body_bytes: int = 65_536
    bodies_bytes: int = 33_554_432
    #: Requests of one address a second, for good; above it they wait. 0 for any number.
    requests_per_second: float = 0


class Requests:
    """The application as Hypercorn calls it, with limits on each request."""

    def __init__(self, app: ASGIApp, limits: RequestLimits, answers: Counter[int]) -> None:
        self._app = app
        self._limits = limits
        # Answers by status; counted here.
        self._answers = answers
        # What the clients of one address may ask.
        self._buckets: AddressBuckets | None = None
        if limits.requests_per_second:
            rate = limits.requests_per_second
            self._buckets = AddressBuckets(rate, burst=_BURST_SECONDS * rate)
        # Bytes of bodies that are kept now: all, and by the network of the client.
        self._kept_bytes = 0
        self._kept_of: Counter[str] = Counter()

    async def __call__(
        self, address: Address, scope: Scope, receive: Receive, send: Send, sync_spawn: object, call_soon: object
    ) -> None:
        """Answer one request of a client at an address, which the application finds in its scope.

        Raises:
            TooSlowError: if the application takes too long; Hypercorn logs it and answers 500.
        """
        scope["client"] = (address.host, address.port)

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answers[message["status"]] += 1
            await send(message)

        if self._buckets is not None and scope["path"] not in _AT_ONCE:
            await trio.sleep(self._buckets.pay(address, 1, trio.current_time()))
        if scope["type"] == "http":
            await self._answer(address, scope, receive, send_counted)
        else:
            # A WebSocket, which is refused.
            with trio.fail_after(self._limits.seconds):
                await self._app(scope, receive, send)

    async def _answer(self, address: Address, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and take the body meanwhile.

        Hypercorn has a queue for it, and once that is full and nobody takes
        from it the connection stands still for good, even when the client ends.
        """
        # As long as `body_bytes` allows.
        parts, taken = trio.open_memory_channel[Message | HTTPException](math.inf)
        # The time for the answer begins when the body has come.
        patience = trio.CancelScope()
        body = _Body(self, address.network or "", parts, patience)

        async def receive_part() -> Message:
            part = await taken.receive()
            if isinstance(part, HTTPException):
                raise part
            return part

        with parts, taken, patience:
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(body.take, receive, self._limits, name="body")
                    await self._app(scope, receive_part, send)
                    nursery.cancel_scope.cancel()
            finally:
                self._forget(body)
        if patience.cancelled_caught:
            raise trio.TooSlowError

    def keep(self, body: "_Body", size: int) -> HTTPException | None:
        """Keep `size` more bytes of a body; return why not if there is no room."""
        limits = self._limits
        if body.bytes + size > limits.body_bytes + _PART_BYTES:
            reason = f"a body has at most {limits.body_bytes} bytes"
            return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
        share = max(limits.bodies_bytes // _SHARES, limits.body_bytes + _PART_BYTES)
        if self._kept_bytes + size > limits.bodies_bytes or (
            body.network and self._kept_of[body.network] + size > share
        ):
            return HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "too much at once; try again", {"Retry-After": "1"})
        body.bytes += size
        self._kept_bytes += size
        self._kept_of[body.network] += size
        return None

    def _forget(self, body: "_Body") -> None:
        self._kept_bytes -= body.bytes
        self._kept_of[body.network] -= body.bytes
        if not self._kept_of[body.network]:
            del self._kept_of[body.network]


class _Body:
    """The body of one request, as it comes."""

    def __init__(
        self,
        requests: Requests,
        network: str,
        parts: trio.MemorySendChannel[Message | HTTPException],
        patience: trio.CancelScope,
    ) -> None:
        # Who counts what is kept, and under which network.
        self._requests = requests
        self.network = network
        # Takes what the application is to be given; has the application's deadline.
        self._parts = parts
        self._patience = patience
        # How much is kept.
        self.bytes = 0

    async def take(self, receive: Receive, limits: RequestLimits) -> None:
        """Put what comes into the channel, as far as there is room and time; then why not more, once."""
        start = trio.current_time()
        deadline = start + limits.seconds
        came_bytes = 0
        while True:
            part: Message | None = None
            with trio.CancelScope(deadline=deadline):
                part = await receive()
            if part is None:
                logger.debug("a body did not come in time", extra={"bytes": came_bytes})
                reason = f"the body did not come in time: nothing for {limits.seconds:g} s, or too little a second"
                self._end(HTTPException(HTTPStatus.REQUEST_TIMEOUT, reason, {"Connection": "close"}), limits)
                deadline = math.inf
            elif part["type"] == "http.disconnect":
                self._parts.send_nowait(part)
                return
            elif deadline < math.inf:
                size = len(part.get("body", b""))
                came_bytes += size
                refusal = self._requests.keep(self, size + _PART_BYTES)
                if refusal is not None or not part.get("more_body", False):
                    self._end(refusal or part, limits)
                    deadline = math.inf
                else:
                    self._parts.send_nowait(part)
                    now = trio.current_time()
                    deadline = min(now, start + came_bytes / limits.body_bytes_per_second) + limits.seconds

    def _end(self, last: Message | HTTPException, limits: RequestLimits) -> None:
        """Give the application the last that it is given of the body, and its time."""
        self._parts.send_nowait(last)
        self._patience.deadline = trio.current_time() + limits.seconds
