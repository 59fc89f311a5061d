"""The noisy neighbour: ten calm editors beside each hostile client of the list."""

import pytest

import tests.system.noisy.attacks  # noqa: F401 - puts the attacks on the list
from tests.redis import running_redis
from tests.system.noisy.run import HEAD, Result, neighbourhood
from tests.system.noisy.target import ATTACKS

pytestmark = pytest.mark.alone

#: Seconds of one attack: all of them together take two minutes.
_SECONDS = 1.5
#: Attacks that the store has a part in, which are made against Redis too.
_BY_THE_STORE = (
    "comings_and_goings",
    "heavy_log",
    "many_codespaces",
    "many_updates",
    "pending_pushes",
    "pushes_of_the_future",
    "text_polling",
)


#: Attacks on one server.
_GROUP = 8
#: Times that an attack is made before it counts as one that breaks something: the machine may be busy with more.
_ATTEMPTS = 3


def in_groups(names: list[str]) -> list[list[str]]:
    """Return `names` in groups that are tests of their own, so that one that hangs is seen by its name."""
    return [names[start : start + _GROUP] for start in range(0, len(names), _GROUP)]


async def attacked(names: list[str], *flags: str) -> list[Result]:
    """Make attacks, one after another on one server; one that broke something again, on a new server."""
    results: list[Result] = []
    attempts = 0
    while len(results) < len(names):
        async with neighbourhood(*flags) as neighbours:
            for name in names[len(results) :]:
                result = await neighbours.attack(name, _SECONDS)
                attempts += 1
                if result.broken() and attempts < _ATTEMPTS:
                    break
                results.append(result)
                attempts = 0
                if result.broken():
                    break
    return results


@pytest.mark.parametrize("names", in_groups(list(ATTACKS)), ids=lambda names: names[0])
async def test_calm_clients_notice_nothing_of_any_attack(names: list[str]) -> None:
    check(await attacked(names))


async def test_calm_clients_notice_nothing_of_attacks_on_a_store_in_redis() -> None:
    with running_redis("redis-server") as redis:
        check(await attacked(list(_BY_THE_STORE), "--redis-url", redis.url))


def check(results: list[Result]) -> None:
    """Show the figures of all attacks, if one of them broke something."""
    broken = [each for result in results for each in result.broken()]
    table = "\n".join([HEAD, *(result.row() for result in results)])
    assert broken == [], f"{table}\n\n" + "\n".join(broken)
