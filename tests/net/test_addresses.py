"""Addresses: the networks that limits count, open connections by network, buckets by network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshare.net.addresses import Address, AddressBuckets, Places, network_of, parse_networks
from pyshare.net.bucket import TokenBucket


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("local", None),
        ("gone", None),
    ],
)
def test_limits_count_an_ipv4_address_and_the_64_of_an_ipv6_address(host: str, network: str | None) -> None:
    assert network_of(host) == network


def test_an_address_is_written_as_a_url_has_it() -> None:
    assert str(Address("192.0.2.7", 80)) == "192.0.2.7:80"
    assert str(Address("2001:db8::1", 80)) == "[2001:db8::1]:80"
    assert str(Address("local")) == "local"


def test_an_address_has_so_many_places_and_another_address_has_its_own() -> None:
    places = Places(2)
    assert [places.enter(Address("192.0.2.1", port)) for port in (1, 2, 3)] == [True, True, False]
    assert places.enter(Address("192.0.2.2", 1))
    places.leave(Address("192.0.2.1", 1))
    assert places.enter(Address("192.0.2.1", 4))


def test_addresses_of_one_ipv6_network_share_its_places() -> None:
    places = Places(1)
    assert places.enter(Address("2001:db8::1"))
    assert not places.enter(Address("2001:db8::2"))
    assert places.enter(Address("2001:db8:0:1::1"))


def test_a_socket_of_this_machine_has_any_number_of_places_and_so_has_everybody_without_a_limit() -> None:
    assert all(Places(1).enter(Address("local")) for _ in range(5))
    unlimited = Places(0)
    assert all(unlimited.enter(Address("192.0.2.1")) for _ in range(5))
    assert len(unlimited) == 0


@given(st.lists(st.integers(0, 9)))
def test_the_table_of_places_has_only_those_that_are_here(steps: list[int]) -> None:
    places = Places(3)
    here = [0] * 10
    for number in steps:
        if here[number] == 3:
            assert not places.enter(Address(f"192.0.2.{number}"))
            for _ in range(3):
                places.leave(Address(f"192.0.2.{number}"))
            here[number] = 0
        else:
            assert places.enter(Address(f"192.0.2.{number}"))
            here[number] += 1
    assert len(places) == sum(many > 0 for many in here)


def test_clients_of_one_address_draw_from_one_bucket() -> None:
    buckets = AddressBuckets(10, burst=20)
    buckets.take(Address("192.0.2.1", 1), 30, 0.0)
    assert buckets.debt_seconds(Address("192.0.2.1", 2), 0.0) == 1
    assert buckets.debt_seconds(Address("192.0.2.1", 2), 1.0) == 0
    assert buckets.debt_seconds(Address("192.0.2.2", 1), 0.0) == 0


def test_a_socket_of_this_machine_draws_from_no_bucket() -> None:
    buckets = AddressBuckets(1, burst=1)
    buckets.take(Address("local"), 100, 0.0)
    assert buckets.debt_seconds(Address("local"), 0.0) == 0
    assert len(buckets) == 0


def test_a_bucket_that_is_full_again_is_forgotten() -> None:
    buckets = AddressBuckets(1, burst=10)
    for number in range(100):
        buckets.take(Address(f"192.0.2.{number}"), 10, 0.0)
    assert len(buckets) == 100
    for second in range(60):
        buckets.take(Address("192.0.2.200"), 1, 10.0 + second)
    assert len(buckets) == 1


@given(st.lists(st.tuples(st.integers(0, 200), st.floats(0, 5), st.floats(0, 1))))
def test_the_table_of_buckets_has_a_bound_whoever_draws(draws: list[tuple[int, float, float]]) -> None:
    buckets = AddressBuckets(1, burst=1, kept=8)
    now = 0.0
    for number, tokens, seconds in draws:
        now += seconds
        buckets.take(Address(f"198.51.100.{number}"), tokens, now)
        assert len(buckets) <= 8


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 5), st.floats(0, 1)), max_size=50))
def test_to_forget_full_buckets_changes_no_debt(draws: list[tuple[int, float, float]]) -> None:
    """A table that forgets says what a table says that keeps everything."""
    buckets = AddressBuckets(2, burst=3)
    kept = [TokenBucket(2, burst=3, now=0.0) for _ in range(4)]
    now = 0.0
    for number, tokens, seconds in draws:
        now += seconds
        buckets.take(Address(f"198.51.100.{number}"), tokens, now)
        kept[number].take(tokens, now)
        for each in range(4):
            debt = buckets.debt_seconds(Address(f"198.51.100.{each}"), now)
            assert debt == pytest.approx(kept[each].debt_seconds(now))


def test_many_connections_of_one_address_cause_no_more_work_together_than_the_address_may() -> None:
    shared = AddressBuckets(100, burst=100)
    own = [TokenBucket(50, burst=50, now=0) for _ in range(4)]
    buckets = [shared.beside(each, Address("192.0.2.1", port)) for port, each in enumerate(own)]
    for bucket in buckets:
        bucket.take(50, 0)
    assert [bucket.debt_seconds(0) for bucket in buckets] == [1, 1, 1, 1]
    assert shared.beside(TokenBucket(50, burst=50, now=0), Address("192.0.2.2")).debt_seconds(0) == 0


@pytest.mark.parametrize("host", ["local", "127.0.0.1"])
def test_connections_of_this_machine_and_of_a_proxy_have_their_own_buckets_only(host: str) -> None:
    shared = AddressBuckets(100, burst=100, exempt=parse_networks("127.0.0.1"))
    own = TokenBucket(50, burst=50, now=0)
    bucket = shared.beside(own, Address(host))
    bucket.take(500, 0)
    assert bucket is own
    assert len(shared) == 0
