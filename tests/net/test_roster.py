"""The roster: told to those who know the secret, and to nobody else; without texts and keys."""

import httpx
import pytest
from trio.testing import MockClock

from pyshare.actors.supervisor import SupervisorStatistics
from pyshare.core.names import public_name
from pyshare.net.application import build_app
from pyshare.net.roster import Roster
from pyshare.net.tokens import Grant, Signer
from pyshare.store.interface import StoreLimits
from pyshare.store.memory import MemoryStore
from tests.actors.world import open_world

NOW = 1_800_000_000
SIGNER = Signer("s" * 32, now=lambda: NOW)
TMP = "tmp-9b2d8c7e-1f3a-4c5d-8e6f-0a1b2c3d4e5f"


async def ready() -> str | None:
    return None


def nothing() -> SupervisorStatistics:
    raise AssertionError("nobody may be told")


async def asked(roster: Roster, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(build_app(ready, roster.routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://pyshare.example", headers=headers) as client:
        return await client.get("/codespaces")


async def test_an_operator_sees_each_codespace_with_its_people_its_length_and_its_age(
    autojump_clock: MockClock,
) -> None:
    async with open_world(MemoryStore(StoreLimits())) as world:
        supervisor = await world.starts("two")
        ada = world.client("Ada", codespace="class-7", instance="two")
        world.client("Ben", codespace="class-7", instance="two", mode="view_only")
        world.client("Cleo", codespace=TMP, instance="two")
        await world.settles()
        await world.passes(60)
        ada.types("hello")
        await world.settles()
        await world.passes(30)
        roster = Roster(supervisor.statistics, SIGNER)
        answer = await asked(roster, authorization=f"Bearer {SIGNER.sign_pass()}")
        ada.cut()
        await world.settles()
        later = await asked(roster, authorization=f"Bearer {SIGNER.sign_pass()}")
    assert answer.status_code == 200
    assert TMP not in answer.text
    assert "hello" not in answer.text
    found = {each["codespace"]: each for each in answer.json()["codespaces"]}
    assert set(found) == {"class-7", public_name(TMP)}
    lesson = found["class-7"]
    people = {(person["name"], person["mode"]) for person in lesson["people"]}
    assert people == {("Ada", "edit"), ("Ben", "view_only")}
    assert (lesson["units"], lesson["version"]) == (5, 1)
    assert 90 <= lesson["open_seconds"] <= 95
    assert 30 <= lesson["quiet_seconds"] <= 35
    assert found[public_name(TMP)]["quiet_seconds"] is None
    (left,) = (each for each in later.json()["codespaces"] if each["codespace"] == "class-7")
    assert [person["name"] for person in left["people"]] == ["Ben"]


@pytest.mark.parametrize(
    "given",
    [
        "",
        "Bearer ",
        "Basic eDp5",
        f"Bearer {SIGNER.sign(Grant('class-7', 'edit'))}",
        f"Bearer {SIGNER.sign(Grant('class-7', 'edit', NOW + 60))}",
        f"Bearer {Signer('t' * 32, now=lambda: NOW).sign_pass()}",
        f"Bearer {Signer('s' * 32, now=lambda: NOW - 60).sign_pass()}",
    ],
    ids=["none", "empty", "another scheme", "a link", "a link that ends", "another secret", "a minute old"],
)
async def test_without_a_pass_of_the_last_minute_nobody_is_told(given: str) -> None:
    answer = await asked(Roster(nothing, SIGNER), **({"authorization": given} if given else {}))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "pyshare codespaces" in answer.json()["reason"]


async def test_a_server_without_a_secret_tells_nobody_and_says_what_is_missing() -> None:
    answer = await asked(Roster(nothing, None), authorization=f"Bearer {SIGNER.sign_pass()}")
    assert answer.status_code == 403
    assert "--secret" in answer.json()["reason"]


def test_a_pass_is_not_a_link() -> None:
    assert SIGNER.read(SIGNER.sign_pass()) is None
