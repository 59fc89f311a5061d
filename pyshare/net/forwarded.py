"""The header X-Forwarded-For, in which a proxy that speaks HTTP alone names the client of one request.

It is less certain than the PROXY protocol: a proxy that hands on what clients
have written there lets them give themselves any address. So it is taken only
where a setting says so, and only from trusted proxies. The parser takes what
was received so far, so it is called again with more.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final

from pyshare.net.addresses import Address, Networks

#: Bytes of a request's head in which the header has to be.
HEAD_BYTES: Final = 16_384
_END: Final = b"\r\n\r\n"
_NAME: Final = b"x-forwarded-for"
#: Words that are looked at; a chain of proxies has a few.
_WORDS: Final = 32


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The end of a look at a request's head."""

    #: The client; None where no header names one.
    source: Address | None


def parse_forwarded(received: bytes, trusted: Networks) -> Forwarded | None:
    """Return the client that the head of a request names; None if more is needed.

    Each proxy adds the address that it was asked from at the end. So the client
    is the last address that is not a trusted proxy's, or the first one if all are.
    """
    head, end, _ = received[:HEAD_BYTES].partition(_END)
    if not end and len(received) < HEAD_BYTES:
        return None
    lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    values = [value for name, _, value in lines if name.strip().lower() == _NAME]
    words = [word.strip() for word in b",".join(values).split(b",")][-_WORDS:]
    source = None
    for word in reversed(words):
        try:
            host = str(ipaddress.ip_address(word.decode("ascii")))
        except ValueError:
            break
        source = Address(host, of_request=True)
        if not source.is_in(trusted):
            break
    return Forwarded(source)
