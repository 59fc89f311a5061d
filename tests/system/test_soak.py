"""A soak of seconds: it measures every figure."""

import trio

from tests.soak.scene import open_soak


async def test_a_soak_of_seconds_samples_every_figure(seed: int) -> None:
    told: list[str] = []
    with trio.fail_after(120):
        async with open_soak(seed, codespaces=8) as soak:
            await soak.sample(0.1, 3, told.append)
    assert soak.keys > 0
    assert soak.visits > 0
    assert told
    for series in soak.series:
        assert all(value > 0 for _, value in series.samples), series.name
