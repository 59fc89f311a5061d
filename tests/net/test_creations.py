"""Creations of codespaces: who may now, counted by address and for all."""

import pytest
import trio
from trio.testing import MockClock

from pyshare.core.errors import CloseCode
from pyshare.net.addresses import Address
from pyshare.net.auth import Admission
from pyshare.net.creations import CreationLimits, Creations, CreationStatistics
from pyshare.net.origins import Origins

CLASS = Address("192.0.2.1", 1)
OTHER = Address("198.51.100.7", 1)
STRANGER = Admission("tmp-x", "edit", create=True, by="id")
LINK = Admission("class-7", "edit", create=True, by="link")
API = Admission("class-8", "edit", create=True, by="api")
EVIL = {"origin": "https://evil.example", "host": "pad.example"}


async def test_ten_classes_behind_one_address_that_press_the_button_at_the_bell_are_let_through(
    autojump_clock: MockClock,
) -> None:
    creations = Creations()
    assert all(creations.by_http(CLASS) is None for _ in range(150))
    assert all(creations.by_joining(CLASS, STRANGER, {}) is None for _ in range(150))


async def test_refusals_are_counted_and_logged_once_a_minute_with_the_setting_and_the_address(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    creations = Creations(CreationLimits(codespaces_per_minute=3, codespaces_per_minute_per_address=2))
    for _ in range(4):
        creations.by_http(CLASS)
    for _ in range(3):
        creations.by_joining(OTHER, STRANGER, {})
    assert creations.statistics() == CreationStatistics(made=3, refused_to_address=2, refused_to_all=2)
    await trio.sleep(61)
    for _ in range(4):
        creations.by_http(CLASS)
    said = [record.__dict__ for record in caplog.records if record.getMessage() == "new codespaces are refused"]
    assert [each["setting"] for each in said] == 2 * ["--codespaces-per-minute-per-address"]
    assert [each["remote"] for each in said] == 2 * ["192.0.2.1"]


async def test_one_address_that_asks_all_the_time_takes_none_from_others(autojump_clock: MockClock) -> None:
    creations = Creations(CreationLimits(codespaces_per_minute=60, codespaces_per_minute_per_address=6))
    given: list[bool] = []
    for _ in range(100):
        given += [creations.by_http(CLASS) is None for _ in range(10)]
        assert creations.by_http(OTHER) is None
        await trio.sleep(11)
    # Six at once, and one each ten seconds.
    assert sum(given) == 6 + 99 * 11 // 10


async def test_creations_by_http_and_by_joining_are_one_count(autojump_clock: MockClock) -> None:
    creations = Creations(CreationLimits(codespaces_per_minute_per_address=4))
    for _ in range(2):
        assert creations.by_http(CLASS) is None
    assert creations.by_joining(CLASS, STRANGER, {}) is None
    assert creations.by_joining(CLASS, LINK, {}) is None
    closing = creations.by_joining(CLASS, STRANGER, {})
    refusal = creations.by_http(CLASS)
    assert closing is not None
    assert refusal is not None
    assert closing.code == refusal.closing.code == CloseCode.TRY_LATER
    assert refusal.seconds == pytest.approx(15, abs=1)
    assert creations.by_http(OTHER) is None


async def test_all_addresses_together_have_a_bound(autojump_clock: MockClock) -> None:
    creations = Creations(CreationLimits(codespaces_per_minute=5, codespaces_per_minute_per_address=4))
    for number in range(5):
        assert creations.by_joining(Address(f"192.0.2.{number}", 1), STRANGER, {}) is None
    refusal = creations.by_http(OTHER)
    assert refusal is not None
    assert refusal.closing.reason == "more than 5 new codespaces in a minute; try again later"


async def test_what_the_api_knows_is_not_counted(autojump_clock: MockClock) -> None:
    creations = Creations(CreationLimits(codespaces_per_minute=1, codespaces_per_minute_per_address=1))
    for _ in range(10):
        assert creations.by_joining(CLASS, API, EVIL) is None
    assert creations.by_http(CLASS) is None


async def test_a_page_of_another_origin_makes_a_codespace_with_a_link_and_not_with_an_id() -> None:
    creations = Creations(CreationLimits(origins=Origins.parse("https://editor.example")))
    closing = creations.by_joining(CLASS, STRANGER, EVIL)
    assert closing is not None
    assert closing.code == CloseCode.NOT_ALLOWED
    assert creations.by_joining(CLASS, LINK, EVIL) is None
    assert creations.by_joining(CLASS, STRANGER, {**EVIL, "origin": "https://editor.example"}) is None
    assert creations.by_joining(CLASS, STRANGER, {**EVIL, "origin": "https://pad.example"}) is None
