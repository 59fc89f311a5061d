"""What holds for every test: trio takes its tasks in an order that a seed decides, and the seed is told."""

import os
import random
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from trio._core import _run as scheduler

from tests.programs import SKIP_PREFIX, require

_SEED_VARIABLE = "PYSHARE_TEST_SEED"
#: Scripts that run the real CodeMirror in Node.
_FOLDER = Path(__file__).parent / "codemirror"
_SEED_KEY = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--seed`."""
    parser.addoption(
        "--seed",
        type=int,
        default=None,
        help=f"seed of trio's scheduler and of random tests (default: {_SEED_VARIABLE}, or any)",
    )


def _chosen_seed(given: object) -> int:
    if isinstance(given, int):
        return given
    text = os.environ.get(_SEED_VARIABLE, "")
    if not text:
        return random.SystemRandom().randrange(1_000_000)
    try:
        return int(text)
    except ValueError:
        raise pytest.UsageError(f"{_SEED_VARIABLE}={text}: must be a whole number") from None


def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of this run; pytest-xdist's workers are given it as an option."""
    config.option.seed = config.stash[_SEED_KEY] = _chosen_seed(config.getoption("--seed"))


def pytest_report_header(config: pytest.Config) -> str:
    """Tell the seed."""
    return f"--seed {config.stash[_SEED_KEY]}"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The seed of this run, for tests that make random choices of their own."""
    return request.config.stash[_SEED_KEY]


@pytest.fixture(autouse=True)
def _seeded_scheduler(seed: int) -> Iterator[None]:
    """Have trio take ready tasks in an order that follows from the seed, the same for a test run alone.

    Both names are trio's own for this purpose, private as they are: without the flag a batch of tasks is a
    set, whose order follows from addresses in memory.
    """
    state = scheduler._r.getstate()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
        scheduler._r.seed(seed)
        yield
    scheduler._r.setstate(state)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell the seed again with each failure."""
    report = yield
    if report.failed:
        report.sections.append(("seed", f"--seed {item.config.stash[_SEED_KEY]}"))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the programs from outside that were missing."""
    counts: dict[str, int] = {}
    for report in terminalreporter.getreports("skipped"):
        if isinstance(report.longrepr, tuple):
            notice = str(report.longrepr[2]).removeprefix("Skipped: ")
            if notice.startswith(SKIP_PREFIX):
                counts[notice] = counts.get(notice, 0) + 1
    if counts:
        terminalreporter.section("programs from outside that were missing")
    for notice, count in sorted(counts.items()):
        terminalreporter.line(f"{count} skipped: {notice}")


@pytest.fixture
def codemirror() -> Path:
    """The folder of the scripts that run CodeMirror, ready to be run by node."""
    require("node", shutil.which("node") is not None, "install Node.js 18 or later")
    found = (_FOLDER / "node_modules" / "@codemirror" / "collab").is_dir()
    require("CodeMirror", found, "run ops/test, or npm ci in tests/codemirror")
    return _FOLDER


@pytest.fixture
def front_end(codemirror: Path) -> Path:
    """The folder of the stock front end made of its own packages, ready to be run by node."""
    folder = codemirror / "front_end"
    found = (folder / "node_modules" / "@codemirror" / "commands").is_dir()
    require("CodeMirror as SharePython has it", found, f"run ops/test, or npm ci in tests/codemirror/{folder.name}")
    return folder
