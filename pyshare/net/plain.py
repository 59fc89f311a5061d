"""Answers of HTTP in plain text, for clients that are not served: each says what is wrong, and what to do."""

import re
from http import HTTPStatus
from typing import Final

#: The answer to a request for a codespace that does not ask for a WebSocket.
NO_UPGRADE: Final = (
    "The request has no header 'Upgrade: websocket', and a codespace is opened by a WebSocket only. "
    "A proxy in between may have taken the header away."
)
_REQUEST_LINE: Final = re.compile(rb"([A-Z]+) \S+ HTTP/1\.[01]")
#: The first bytes of TLS.
_TLS: Final = b"\x16\x03"
_NOT_HTTP: Final = "The request is not HTTP/1.1 as this server understands it."
_NO_TLS: Final = "This port does not speak TLS. Use ws://, or a proxy that speaks TLS."
_NOT_GET: Final = "A codespace is opened with GET; everything else is at --http-port."
_HERE_IS: Final = "The page, codespaces and health are at --http-port."


def http_answer(status: HTTPStatus, sentence: str, *headers: str, retry_seconds: int | None = None) -> bytes:
    """Return a whole HTTP response that says `sentence` and is the last of its connection."""
    body = f"{sentence}\n".encode()
    head = [
        f"HTTP/1.1 {status:d} {status.phrase}",
        "Connection: close",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    if retry_seconds is not None:
        head.append(f"Retry-After: {retry_seconds}")
    return "\r\n".join([*head, "", ""]).encode() + body


def why_no_handshake(request: bytes) -> bytes:
    """Return the answer to the head of a request that opens no WebSocket, as far as the head has come."""
    line, *fields = request.partition(b"\r\n\r\n")[0].split(b"\r\n")
    matched = _REQUEST_LINE.fullmatch(line)
    if matched is None:
        return http_answer(HTTPStatus.BAD_REQUEST, _NO_TLS if request.startswith(_TLS) else _NOT_HTTP)
    if matched[1] != b"GET":
        return http_answer(HTTPStatus.METHOD_NOT_ALLOWED, _NOT_GET, "Allow: GET")
    headers: dict[bytes, bytes] = {}
    for field in fields:
        name, _, value = field.partition(b":")
        headers[name.strip().lower()] = value.strip().lower()
    if headers.get(b"upgrade") != b"websocket":
        return http_answer(HTTPStatus.UPGRADE_REQUIRED, f"{NO_UPGRADE} {_HERE_IS}", "Upgrade: websocket")
    if b"upgrade" not in [each.strip() for each in headers.get(b"connection", b"").split(b",")]:
        sentence = "The request has no header 'Connection: Upgrade'. A proxy in between may have taken it away."
        return http_answer(HTTPStatus.UPGRADE_REQUIRED, sentence, "Upgrade: websocket")
    if headers.get(b"sec-websocket-version") != b"13":
        sentence = "The request has no header 'Sec-WebSocket-Version: 13'; no other version is spoken here."
        return http_answer(HTTPStatus.UPGRADE_REQUIRED, sentence, "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    if b"sec-websocket-key" not in headers:
        return http_answer(HTTPStatus.BAD_REQUEST, "The request has no header 'Sec-WebSocket-Key'.")
    return http_answer(HTTPStatus.BAD_REQUEST, _NOT_HTTP)
