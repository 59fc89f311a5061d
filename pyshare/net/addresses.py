"""The addresses that connections come from, and what the clients of one address may have together.

Limits and buckets count a *network*: an IPv4 address, or the first 64 bits of
an IPv6 address, which is what one household or one machine is given. A socket
in the file system has no network, and nothing is counted for it.

Pure: the time is an argument.
"""

import ipaddress
import socket
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from typing_extensions import override

from pyshare.net.bucket import TokenBucket

#: Networks of addresses, as a setting names them.
Networks = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]

#: Bits of an IPv6 address behind those that name a network.
_HOST_BITS = 64
#: Buckets of networks that are kept at most; above it the one that was used longest ago is forgotten.
_KEPT_BUCKETS = 65_536
#: Buckets that are looked at whenever one is used: more than come with it, so that those not needed go.
_LOOKED_AT = 2


@dataclass(frozen=True, slots=True)
class Address:
    """The place that a connection comes from."""

    #: An IP address; for other sockets a word for the log.
    host: str
    port: int = 0
    #: Whether a request has named it, so that the connection's next request may come from another address.
    of_request: bool = False

    @classmethod
    def of(cls, client: socket.socket) -> Self:
        """Return the address of a connected socket's peer."""
        try:
            name: object = client.getpeername()
        except OSError:
            return cls("gone")
        return cls(str(name[0]), int(name[1])) if isinstance(name, tuple) else cls("local")

    @property
    def network(self) -> str | None:
        """The name under which limits count it; None if nothing is counted."""
        return network_of(self.host)

    def is_in(self, networks: Networks) -> bool:
        """Return whether one of some networks has the address."""
        address = _ip(self.host)
        return address is not None and any(address in each for each in networks)

    @override
    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host


def network_of(host: str) -> str | None:
    """Return the network of an IP address: itself for IPv4, its /64 for IPv6; None for any other word."""
    address = _ip(host)
    if address is None or address.version == 4:
        return None if address is None else str(address)
    first = int(address) >> _HOST_BITS << _HOST_BITS
    return f"{ipaddress.IPv6Address(first)}/{_HOST_BITS}"


def authority(host: str, port: int) -> str:
    """Return how a URL names a server that listens there, for those on its machine."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"{f'[{host}]' if ':' in host else host}:{port}"


def parse_networks(text: str) -> Networks:
    """Return the networks in a list of addresses and networks with commas between.

    Raises:
        ValueError: if one is not an address or a network.
    """
    return tuple(ipaddress.ip_network(word.strip()) for word in text.split(","))


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an IP address, one of IPv4 that is written as one of IPv6 as what it is; None for any other word."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return (address.version == 6 and address.ipv4_mapped) or address


class Places:
    """Connections that are open, counted by network: a table that grows with open connections only."""

    def __init__(self, most: int) -> None:
        # Connections of one network at one time; 0 for any number.
        self._most = most
        self._open: Counter[str] = Counter()

    def enter(self, address: Address) -> bool:
        """Count one more connection of an address; return False, and count nothing, if its network has no room."""
        network = address.network
        if network is None or self._most == 0:
            return True
        if self._open[network] >= self._most:
            return False
        self._open[network] += 1
        return True

    def leave(self, address: Address) -> None:
        """Count one connection less, which had entered."""
        network = address.network
        if network is None or self._most == 0:
            return
        self._open[network] -= 1
        if not self._open[network]:
            del self._open[network]

    def __len__(self) -> int:
        return len(self._open)


class AddressBuckets:
    """Buckets of tokens by network, for what the clients of one network may cause together.

    A bucket that is full says nothing that a new one would not say, and goes.
    So the table has the networks that have lately drawn, `kept` at most.
    """

    def __init__(
        self, tokens_per_second: float, *, burst: float, kept: int = _KEPT_BUCKETS, exempt: Networks = ()
    ) -> None:
        # Networks for which nothing is counted: proxies, behind which are many clients.
        self._exempt = exempt
        self._tokens_per_second = tokens_per_second
        self._burst = burst
        self._kept = kept
        # In the order in which they were last drawn from.
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, address: Address, tokens: float, now: float) -> None:
        """Draw `tokens` for an address, into debt if need be."""
        network = address.network
        if network is None:
            return
        bucket = self._buckets.pop(network, None)
        if bucket is None:
            bucket = TokenBucket(self._tokens_per_second, burst=self._burst, now=now)
        bucket.take(tokens, now)
        self._buckets[network] = bucket
        self._forget(now)

    def debt_seconds(self, address: Address, now: float) -> float:
        """Return how long it takes until an address has no debt, 0 if it has none."""
        bucket = self._buckets.get(address.network or "")
        return 0.0 if bucket is None else bucket.debt_seconds(now)

    def pay(self, address: Address, tokens: float, now: float) -> float:
        """Draw `tokens` for an address; return how long its client has to wait until there is no debt."""
        self.take(address, tokens, now)
        return self.debt_seconds(address, now)

    def beside(self, own: TokenBucket, address: Address) -> "TokenBucket | SharedBucket":
        """Return a bucket that draws from `own` and from that of `address`, if anything is counted for it."""
        if address.network is None or address.is_in(self._exempt):
            return own
        return SharedBucket(own, address, self)

    def _forget(self, now: float) -> None:
        for _ in range(_LOOKED_AT):
            network, bucket = next(iter(self._buckets.items()))
            if len(self._buckets) > self._kept or bucket.is_full(now):
                del self._buckets[network]
            if not self._buckets:
                return

    def __len__(self) -> int:
        return len(self._buckets)


class SharedBucket:
    """A connection's own bucket and that of its address: each draw is from both, and the larger debt counts."""

    def __init__(self, own: TokenBucket, address: Address, buckets: AddressBuckets) -> None:
        self._own = own
        self._address = address
        self._buckets = buckets

    def take(self, tokens: float, now: float) -> None:
        """Draw `tokens`, into debt if need be."""
        self._own.take(tokens, now)
        self._buckets.take(self._address, tokens, now)

    def debt_seconds(self, now: float) -> float:
        """Return how long it takes until neither has a debt, 0 if there is none."""
        return max(self._own.debt_seconds(now), self._buckets.debt_seconds(self._address, now))
