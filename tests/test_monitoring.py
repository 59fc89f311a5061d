"""The dashboard and the alerts: made from what is here, of figures that the server has."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector

from pyshare.actors.counts import Counts
from pyshare.actors.supervisor import SupervisorStatistics
from pyshare.net.creations import CreationStatistics
from pyshare.net.listener import ListenerStatistics
from pyshare.net.metrics import Reading, families
from pyshare.store.lanes import CommandStatistics
from tests.programs import require

OPS = Path(__file__).parent.parent / "ops"
ALERTS = OPS / "prometheus" / "alerts.yaml"
DASHBOARD = OPS / "grafana" / "pyshare.json"
PATIENCE_SECONDS = 60

_FIGURE = re.compile(r"\b(?:pyshare|process)_[a-z_]+")


def told_figures() -> set[str]:
    """Return the name of every figure that a server tells."""
    counts = Counts()
    counts.refused["x"] = counts.resyncs["x"] = 1
    reading = Reading(
        version="1",
        instance="i",
        draining=False,
        storage_up=True,
        connections=ListenerStatistics(0, 0, 0, 0),
        connections_limit=1,
        closes={"1000": 1},
        answers={200: 1},
        actors=SupervisorStatistics({}, counts, 0),
        creations=CreationStatistics(),
        commands=CommandStatistics(0, 0, {"OOM": 1}),
        tasks=1,
    )
    registry = CollectorRegistry()
    process = ProcessCollector(registry=registry)
    named = {sample.name for family in (*families(reading), *process.collect()) for sample in family.samples}
    return named | {"pyshare_worker_up"}


@pytest.mark.parametrize("path", [ALERTS, DASHBOARD], ids=lambda path: path.name)
def test_every_figure_that_is_looked_at_is_one_that_a_server_tells(path: Path) -> None:
    looked_at = set(_FIGURE.findall(path.read_text(encoding="utf-8")))
    assert len(looked_at) > 10
    assert looked_at <= told_figures()


def test_every_figure_of_pyshares_own_that_a_server_tells_is_on_the_dashboard() -> None:
    shown = set(_FIGURE.findall(DASHBOARD.read_text(encoding="utf-8")))
    own = {re.sub(r"_(bucket|sum|count)$", "", name) for name in told_figures() if name.startswith("pyshare_")}
    left_out = {name for name in own if not any(each.startswith(name) for each in shown)}
    assert left_out == set()


@pytest.mark.parametrize(("word", "code"), [("--help", 0), ("--chek", 2)])
def test_the_script_of_the_dashboard_writes_nothing_when_it_is_asked_for_help_or_for_nonsense(
    word: str, code: int
) -> None:
    before = DASHBOARD.stat().st_mtime_ns
    done = subprocess.run([sys.executable, OPS / "dashboard", word], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "ops/dashboard --check" in done.stdout + done.stderr
    assert DASHBOARD.stat().st_mtime_ns == before


def test_the_dashboard_is_what_its_script_makes() -> None:
    done = subprocess.run(
        [sys.executable, OPS / "dashboard", "--check"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yaml"),
        ("check", "rules", "alerts.yaml"),
        ("test", "rules", "alerts_test.yaml"),
    ],
    ids=" ".join,
)
def test_alerts_fire_when_they_should_and_only_then(arguments: tuple[str, ...]) -> None:
    require("promtool", shutil.which("promtool") is not None, "apt-get install prometheus")
    done = subprocess.run(
        ["promtool", *arguments],
        cwd=ALERTS.parent,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    alerts = re.findall(r"alert: (\w+)", ALERTS.read_text(encoding="utf-8"))
    cases = ALERTS.with_name("alerts_test.yaml").read_text(encoding="utf-8")
    assert len(alerts) > 8
    assert [alert for alert in alerts if alert not in cases] == []
