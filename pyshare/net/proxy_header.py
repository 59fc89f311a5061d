"""The header of the PROXY protocol, versions 1 and 2, with which a proxy names the client that it speaks for.

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt. The parser takes
what was received so far, so it is called again with more; no number in a
header makes it keep or copy more than `HEADER_BYTES`.
"""

import ipaddress
import re
import struct
from dataclasses import dataclass
from typing import Final

from pyshare.net.addresses import Address

#: Bytes of a header at most; HAProxy sends some hundred where it adds all that it can.
HEADER_BYTES: Final = 2048

_BEGIN_1: Final = b"PROXY "
_BEGIN_2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
#: Bytes of a header of version 1, with its end of line.
_LINE_BYTES: Final = 107
_END_OF_LINE: Final = b"\r\n"
_PORT: Final = re.compile(rb"0|[1-9][0-9]{0,4}")
_LAST_PORT: Final = 65535

#: What follows the beginning in version 2: version and command, family and transport, bytes of the rest.
_FIXED: Final = struct.Struct("!BBH")
_COMMANDS: Final = {0x20: "local", 0x21: "proxy"}
#: Families and their transport: bytes of the addresses. Of datagrams and unknown ones nothing is served here.
_UNSPECIFIED: Final = 0x00
_TCP4: Final = 0x11
_TCP6: Final = 0x21
_UNIX: Final = 0x31
_ADDRESS_BYTES: Final = {_UNSPECIFIED: 0, _TCP4: 12, _TCP6: 36, _UNIX: 216}


class ProxyHeaderError(Exception):
    """A header that is not as the protocol has it; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A header as it was understood."""

    #: The client; None where the proxy speaks for itself, or does not say for whom.
    source: Address | None
    #: Bytes of the header, behind which the client's own begin. 0 if there is no header.
    size: int


NO_HEADER: Final = ProxyHeader(None, 0)


def begins_header(received: bytes) -> bool:
    """Return whether a connection begins with such a header, as no request of HTTP does."""
    return received.startswith((_BEGIN_1, _BEGIN_2))


def parse_proxy_header(received: bytes) -> ProxyHeader | None:
    """Return the header that a connection begins with, `NO_HEADER` if it begins otherwise; None if more is needed.

    Raises:
        ProxyHeaderError: if it is a header and is wrong.
    """
    if received.startswith(_BEGIN_1):
        return _parse_line(received)
    if received.startswith(_BEGIN_2):
        return _parse_binary(received)
    if _BEGIN_1.startswith(received) or _BEGIN_2.startswith(received):
        return None
    return NO_HEADER


def _parse_line(received: bytes) -> ProxyHeader | None:
    line, end, _ = received[:_LINE_BYTES].partition(_END_OF_LINE)
    if not end:
        if len(received) >= _LINE_BYTES:
            raise ProxyHeaderError(f"version 1: no end of line in {_LINE_BYTES} bytes")
        return None
    size = len(line) + len(end)
    words = line.split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader(None, size)
    version = {b"TCP4": 4, b"TCP6": 6}.get(words[1])
    if version is None or len(words) != 6:
        raise ProxyHeaderError("version 1: not TCP4, TCP6 or UNKNOWN with two addresses and two ports")
    source, _ = (_address(word, version) for word in words[2:4])
    port, _ = map(_port, words[4:6])
    return ProxyHeader(Address(source, port), size)


def _address(word: bytes, version: int) -> str:
    try:
        address = ipaddress.ip_address(word.decode("ascii"))
    except ValueError:
        raise ProxyHeaderError("version 1: an address is wrong") from None
    if address.version != version or b"%" in word:
        raise ProxyHeaderError("version 1: an address is not of its family")
    return str(address)


def _port(word: bytes) -> int:
    if not _PORT.fullmatch(word) or int(word) > _LAST_PORT:
        raise ProxyHeaderError("version 1: a port is wrong")
    return int(word)


def _parse_binary(received: bytes) -> ProxyHeader | None:
    start = len(_BEGIN_2) + _FIXED.size
    if len(received) < start:
        return None
    command_byte, family, length = _FIXED.unpack_from(received, len(_BEGIN_2))
    command = _COMMANDS.get(command_byte)
    if command is None:
        raise ProxyHeaderError("version 2: not a command of version 2")
    size = start + length
    if size > HEADER_BYTES:
        raise ProxyHeaderError(f"version 2: more than {HEADER_BYTES} bytes")
    if command == "proxy":
        needed = _ADDRESS_BYTES.get(family)
        if needed is None or length < needed:
            raise ProxyHeaderError("version 2: not an address of TCP over IPv4, of TCP over IPv6 or of a stream socket")
    if len(received) < size:
        return None
    if command == "local" or family not in {_TCP4, _TCP6}:
        return ProxyHeader(None, size)
    host_bytes = 4 if family == _TCP4 else 16
    host = ipaddress.ip_address(received[start : start + host_bytes])
    (port,) = struct.unpack_from("!H", received, start + 2 * host_bytes)
    return ProxyHeader(Address(str(host), port), size)
