"""The stream of a connection that tells a client in words why its request opens no WebSocket."""

from typing_extensions import override

from pyshare.net.plain import why_no_handshake
from pyshare.net.stream import OutletStream

#: An answer of trio-websocket's to a request that is no handshake; it has no word of a reason.
_REFUSED = b"HTTP/1.1 4"


class HandshakeStream(OutletStream):
    """An outlet's stream that looks at the handshake, and passes on all that follows.

    trio-websocket reads no more of a request than it takes, some 16 KiB, so the
    copy that is kept until the answer is as small.
    """

    #: The request so far; None once it was answered.
    _request: bytes | None = b""

    @override
    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = await super().receive_some(max_bytes)
        if self._request is not None:
            self._request += data
        return data

    @override
    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        request, self._request = self._request, None
        if request is not None and bytes(data[: len(_REFUSED)]) == _REFUSED:
            data = why_no_handshake(request)
        await super().send_all(data)
