"""X-Forwarded-For: the client that a trusted proxy names, whatever clients write there, in any number of parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshare.net.addresses import Address, parse_networks
from pyshare.net.forwarded import HEAD_BYTES, Forwarded, parse_forwarded

TRUSTED = parse_networks("127.0.0.1,10.0.0.0/8,::1")


def head(*lines: str) -> bytes:
    return "\r\n".join(("GET /codespace/x/ HTTP/1.1", "Host: pad.example", *lines, "", "")).encode()


def named(*lines: str) -> str | None:
    found = parse_forwarded(head(*lines), TRUSTED)
    assert found is not None
    assert found.source is None or found.source.of_request
    return found.source.host if found.source else None


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("192.0.2.4", "192.0.2.4"),
        ("2001:db8::4", "2001:db8::4"),
        ("198.51.100.1, 192.0.2.4", "192.0.2.4"),
        ("192.0.2.4, 10.0.0.7", "192.0.2.4"),
        ("198.51.100.1, 192.0.2.4, 10.0.0.7,127.0.0.1", "192.0.2.4"),
        ("10.0.0.9, 127.0.0.1", "10.0.0.9"),
        ("unknown", None),
        ("192.0.2.4, unknown", None),
        ("192.0.2.4, unknown, 10.0.0.7", "10.0.0.7"),
        ("é", None),
        ("", None),
        (", ".join(["10.0.0.1"] * 1000), "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_address_that_is_not_a_trusted_proxys(value: str, host: str | None) -> None:
    assert named(f"X-Forwarded-For: {value}") == host
    assert named("Accept: */*", f"x-FORWARDED-for:{value}", "Upgrade: websocket") == host


def test_of_several_headers_the_last_counts_and_without_one_nobody_is_named() -> None:
    assert named("X-Forwarded-For: 198.51.100.1", "X-Forwarded-For: 192.0.2.4") == "192.0.2.4"
    assert named("X-Real-IP: 192.0.2.4") is None


@given(st.integers(0, len(head("X-Forwarded-For: 192.0.2.4")) - 1))
def test_a_head_that_is_not_whole_needs_more(size: int) -> None:
    assert parse_forwarded(head("X-Forwarded-For: 192.0.2.4")[:size], TRUSTED) is None


def test_a_body_that_looks_like_a_header_names_nobody() -> None:
    assert parse_forwarded(head() + b"X-Forwarded-For: 192.0.2.4\r\n\r\n", TRUSTED) == Forwarded(None)


@given(st.binary(max_size=200))
def test_anything_may_come_and_a_head_without_end_is_given_up(junk: bytes) -> None:
    parse_forwarded(junk, TRUSTED)
    assert parse_forwarded(junk.replace(b"\r", b"") + b"x" * HEAD_BYTES, TRUSTED) == Forwarded(None)


def test_an_address_of_a_request_is_logged_and_counted_as_any_other() -> None:
    assert str(Address("192.0.2.4", of_request=True)) == "192.0.2.4"
    assert Address("192.0.2.4", of_request=True).network == "192.0.2.4"
