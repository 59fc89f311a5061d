"""The judge of a soak finds a figure that grows, and lets one be that does not; its picture shows both."""

from pathlib import Path
from random import Random
from typing import Final
from xml.etree import ElementTree

import pytest

from tests.soak.__main__ import main
from tests.soak.picture import picture
from tests.soak.series import Series, Tolerance, fitted_slope, judge


def memory(*values: float) -> Series:
    """Return a series of so many MiB, one a second."""
    return Series("memory", "MiB", Tolerance(0.05, 4), [(float(at), value) for at, value in enumerate(values)])


def noisy(slope: float, seed: int) -> Series:
    """Return 400 samples round 100 MiB that grow by `slope` each, with peaks."""
    random = Random(seed)
    peaks = (100 if random.random() < 0.05 else 0 for _ in range(400))
    return memory(*(100 + slope * at + random.gauss(0, 3) + peak for at, peak in enumerate(peaks)))


def test_a_figure_that_grows_slowly_under_noise_and_peaks_is_not_flat(seed: int) -> None:
    verdict = judge(noisy(0.03, seed))
    assert not verdict.flat
    assert "GROWS" in verdict.row()
    assert verdict.slope_an_hour == pytest.approx(0.03 * 3600, rel=0.5)


def test_a_figure_with_noise_and_peaks_that_does_not_grow_is_flat(seed: int) -> None:
    assert judge(noisy(0, seed)).flat


def test_a_figure_that_sinks_is_flat(seed: int) -> None:
    assert judge(noisy(-0.1, seed)).flat


def test_growth_in_the_first_tenth_counts_for_nothing() -> None:
    assert judge(memory(*range(40), *[100.0] * 360)).growth == 0


def test_one_task_that_stays_of_each_hundred_samples_is_found() -> None:
    tasks = Series("tasks", "", Tolerance(0, 2), [(float(at), 40 + at // 100) for at in range(400)])
    assert not judge(tasks).flat


def test_too_few_samples_are_no_verdict() -> None:
    with pytest.raises(ValueError, match="too few"):
        judge(memory(1, 2, 3))


def test_the_slope_is_that_of_the_line_whatever_a_few_samples_say() -> None:
    line = [(float(at), 2.0 * at) for at in range(100)]
    line[50] = (50.0, 10_000.0)
    assert fitted_slope(line) == pytest.approx(2.0)


def test_the_picture_has_each_series_and_its_fitted_line() -> None:
    found = [memory(*range(100)), memory(*[5.0] * 100)]
    root = ElementTree.fromstring(picture([(each, judge(each)) for each in found], "a < b & c"))
    lines = [each for each in root if each.tag.endswith("polyline")]
    assert len(lines) == 4
    assert {each.get("stroke") for each in lines} == {"#36c", "#2a7", "#c22"}


def test_the_help_names_the_hours(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["soak", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert "--hours" in capsys.readouterr().out


@pytest.mark.parametrize(("slope", "code"), [(0.0, 0), (0.1, 1)])
def test_the_command_exits_with_1_if_a_figure_grows(
    slope: float, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Soaked:
        series: Final = [memory(*(100 + slope * at for at in range(400)))]
        keys = visits = 1

    async def run(seconds: float, codespaces: int, seed: int, program: str) -> Soaked:
        assert (seconds, codespaces, seed) == (1800, 10, 3)
        return Soaked()

    picture_path = tmp_path / "build" / "soak.svg"
    monkeypatch.setattr("tests.soak.__main__.run", run)
    given = ["soak", "--hours", "0.5", "--codespaces", "10", "--seed", "3", "--picture", str(picture_path)]
    monkeypatch.setattr("sys.argv", given)
    assert main() == code
    assert ("GROWS" in capsys.readouterr().out) == bool(code)
    assert "<svg" in picture_path.read_text(encoding="utf-8")
