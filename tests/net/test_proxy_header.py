"""The PROXY protocol's header: as HAProxy writes it, as somebody breaks it, and in any number of parts."""

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshare.net.addresses import Address
from pyshare.net.proxy_header import (
    HEADER_BYTES,
    NO_HEADER,
    ProxyHeader,
    ProxyHeaderError,
    begins_header,
    parse_proxy_header,
)

BEGIN_2 = b"\r\n\r\n\0\r\nQUIT\n"
REQUEST = b"GET / HTTP/1.1\r\n\r\n"

hosts = st.ip_addresses()
ports = st.integers(0, 65535)


def line(host: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> bytes:
    """Return a header of version 1."""
    return f"PROXY TCP{host.version} {host} {host} {port} 8888\r\n".encode()


def binary(
    host: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, *, command: int = 0x21, more: bytes = b""
) -> bytes:
    """Return a header of version 2 that ends with some further fields."""
    family = 0x11 if host.version == 4 else 0x21
    addresses = host.packed + host.packed + struct.pack("!HH", port, 8888) + more
    return BEGIN_2 + struct.pack("!BBH", command, family, len(addresses)) + addresses


def mangled(header: bytes, position: int, value: int) -> bytes:
    position %= len(header)
    return header[:position] + bytes([value]) + header[position + 1 :]


headers = st.one_of(
    st.builds(line, hosts, ports),
    st.builds(binary, hosts, ports, more=st.binary(max_size=300)),
    st.builds(binary, hosts, ports, command=st.just(0x20)),
    st.just(b"PROXY UNKNOWN\r\n"),
)


@given(hosts, ports, st.binary(max_size=300))
def test_a_header_names_the_client_in_both_versions(
    host: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int, more: bytes
) -> None:
    for header in (line(host, port), binary(host, port, more=more)):
        assert begins_header(header)
        assert parse_proxy_header(header + REQUEST) == ProxyHeader(Address(str(host), port), len(header))


@given(headers)
def test_a_part_of_a_header_asks_for_more_and_is_never_taken_for_the_whole(header: bytes) -> None:
    assert all(parse_proxy_header(header[:size]) is None for size in range(len(header)))
    found = parse_proxy_header(header)
    assert found is not None
    assert found.size == len(header)


@given(headers, st.integers(0, 1000), st.integers(0, 255))
def test_a_header_with_another_byte_in_it_is_a_header_or_wrong_or_no_header(
    header: bytes, position: int, value: int
) -> None:
    changed = mangled(header, position, value)
    try:
        found = parse_proxy_header(changed)
    except ProxyHeaderError:
        return
    if found is not None and found is not NO_HEADER:
        assert 0 < found.size <= min(len(changed), HEADER_BYTES)
        if found.source is not None:
            assert found.source.network is not None
            assert 0 <= found.source.port <= 65535


@given(st.binary(max_size=3000))
def test_any_bytes_are_a_header_or_no_header_or_wrong_and_never_wait_for_more_than_a_headers_bytes(
    received: bytes,
) -> None:
    for data in (received, b"PROXY " + received, BEGIN_2 + received):
        try:
            found = parse_proxy_header(data)
        except ProxyHeaderError:
            continue
        if found is None:
            assert len(data) < HEADER_BYTES
        else:
            assert found.size <= len(data)


@pytest.mark.parametrize("request_", [REQUEST, b"POST / HTTP/1.1\r\n", b"PUT", b"PRI * HTTP/2.0\r\n", b"\x16\x03\x01"])
def test_a_request_begins_with_no_header(request_: bytes) -> None:
    assert not begins_header(request_)
    assert parse_proxy_header(request_) is NO_HEADER


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY UNKNOWN\r\n",
        b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
        BEGIN_2 + b"\x20\x00\0\0",
        BEGIN_2 + b"\x21\x00\0\0",
    ],
)
def test_a_proxy_that_names_nobody_speaks_for_itself(header: bytes) -> None:
    assert parse_proxy_header(header) == ProxyHeader(None, len(header))


def test_a_client_at_a_unix_socket_of_the_proxy_has_no_address() -> None:
    header = BEGIN_2 + b"\x21\x31" + struct.pack("!H", 216) + b"\0" * 216
    assert parse_proxy_header(header) == ProxyHeader(None, len(header))


@pytest.mark.parametrize(
    "header",
    [
        b"PROXY \r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
        b"PROXY TCP4 192.0.2.001 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 ::1 ::1 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        b"PROXY TCP4 \xff 192.0.2.2 1 2\r\n",
        b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY " + b"a" * 101,
        BEGIN_2 + b"\x11\x11\x00\x0c" + b"\0" * 12,
        BEGIN_2 + b"\x22\x11\x00\x0c" + b"\0" * 12,
        BEGIN_2 + b"\x21\x11\x00\x0b" + b"\0" * 11,
        BEGIN_2 + b"\x21\x21\x00\x0c" + b"\0" * 12,
        BEGIN_2 + b"\x21\x12\x00\x0c" + b"\0" * 12,
        BEGIN_2 + b"\x21\x11\xff\xff",
    ],
)
def test_a_header_that_is_wrong_is_refused(header: bytes) -> None:
    with pytest.raises(ProxyHeaderError, match="version"):
        parse_proxy_header(header)
