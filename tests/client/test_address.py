"""Addresses of codespaces: what is understood, and what is said of what is not."""

import pytest

from pyshare.client.address import ResumePoint, joining_url, parse_address


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("ws://127.0.0.1:8888/codespace/tmp-1/", "ws://127.0.0.1:8888/codespace/tmp-1/"),
        ("wss://example.org/codespace/tmp-1", "wss://example.org/codespace/tmp-1/"),
        ("http://[::1]:80/codespace/a%20b/", "ws://[::1]:80/codespace/a%20b/"),
        ("http://127.0.0.1:8889/#tmp-1", "ws://127.0.0.1:8889/codespace/tmp-1/"),
        ("https://example.org#a.b-c.d_e/python", "wss://example.org/codespace/a.b-c.d_e/"),
        ("https://example.org/behind/a/proxy/codespace/x", "wss://example.org/behind/a/proxy/codespace/x/"),
    ],
)
def test_addresses_are_understood(given: str, understood: str) -> None:
    assert parse_address(given) == understood


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        ("ftp://example.org/codespace/x/", "should begin with ws://"),
        ("example.org/codespace/x/", "should begin with ws://"),
        ("ws:///codespace/x/", "should name a host"),
        ("ws://example.org:0/codespace/x/", "should name a host, and a port that is not 0"),
        ("ws://example.org:port/codespace/x/", "Port could not be cast"),
        ("ws://example.org:99999/codespace/x/", "Port out of range"),
        ("ws://me:secret@example.org/codespace/x/", "should have no user and password"),
        ("ws://example.org/", "should have the path /codespace/{token}/"),
        ("ws://example.org/codespace/", "should have the path"),
        ("ws://example.org/codespace/x/y/", "should have the path"),
        ("ws://example.org/codespace/a b/", "percent-encoded"),
        ("ws://example.org/codespace/é/", "percent-encoded"),
        ("ws://example.org/codespace/x/?name=me", "should end with the path"),
        ("http://example.org/#a b", "should have the path"),
        ("http://example.org/?x#abc", "should end with the path"),
        ("ws://example.org/codespace/x/#top", "should end with the path"),
    ],
)
def test_what_is_wrong_with_an_address_is_named(given: str, mistake: str) -> None:
    with pytest.raises(ValueError, match="': ") as caught:
        parse_address(given)
    assert mistake in str(caught.value)


def test_the_query_tells_who_comes_and_where_to_go_on() -> None:
    address = "ws://h/codespace/x/"
    assert joining_url(address, session=bytes(16), name="", known=None) == f"{address}?session={'A' * 22}&progress=1"
    url = joining_url(address, session=bytes(16), name="a & b", known=ResumePoint("é", 7, "ann:3"))
    assert url == f"{address}?session={'A' * 22}&progress=1&epoch=%C3%A9&version=7&tip=ann%3A3&name=a+%26+b"
