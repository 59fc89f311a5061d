"""Any frames, joins, leaves and store faults at two instances: the run of CI, and that the finder finds."""

import pytest

from pyshare.core.shadow import Shadow
from tests.any_frames.scene import Failure, play, shortest

#: Scenes of one run in CI, and frames of each: about twenty seconds.
_SCENES, _FRAMES = 40, 400


def test_no_frames_of_any_client_make_a_channel_fail_or_part_the_calm_ones(seed: int) -> None:
    for each in range(seed, seed + _SCENES):
        failure = play(each, _FRAMES)
        assert failure is None, shortest(failure).story()


def test_a_channel_that_fails_is_found_and_told_with_its_seed_and_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(Shadow, "receive", fails)
    failure = play(5, 400)
    assert failure is not None
    assert failure.cause == "RuntimeError: on purpose"
    assert "--seed 5" in failure.story()


@pytest.mark.parametrize("first", [1, 2, 63, 399, 400])
def test_the_shortest_beginning_that_fails_is_found(first: int) -> None:
    def again(seed: int, frames: int) -> Failure | None:
        return Failure(seed, frames, "it breaks", ()) if frames >= first else None

    found = shortest(Failure(7, 400, "it breaks", ()), again)
    assert (found.seed, found.frames) == (7, first)
