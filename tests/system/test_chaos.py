"""A minute of chaos on real servers: nothing is lost, doubled or misplaced."""

import shutil
from pathlib import Path

from tests.chaos.play import Report, play
from tests.programs import require
from tests.system.server import ROOT

#: Seconds of rounds; the last one ends a little later.
SECONDS = 50.0


async def test_a_minute_of_chaos_loses_nothing(seed: int, codemirror: Path) -> None:
    require("node", shutil.which("node") is not None, "install Node.js 18 or later")
    built = (ROOT / "web" / "node_modules" / "esbuild").is_dir()
    require("the page's packages", built, "run ops/test, or npm ci in web")
    report = Report()
    await play(SECONDS, 2, seed, "redis-server", lambda line: None, report)
    assert not report.wrong, report.table()
