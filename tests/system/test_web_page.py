"""Decisions of the page, in Node without a screen: states, reasons, links, ends, and what is remembered."""

import shutil

import trio

from tests.programs import require
from tests.system.server import ROOT

WEB = ROOT / "web"
PATIENCE_SECONDS = 60.0


async def test_each_sentence_about_the_pages_decisions_holds() -> None:
    require("node", shutil.which("node") is not None, "install Node.js 18 or later")
    require("the page's packages", (WEB / "node_modules" / "esbuild").is_dir(), "run ops/test, or npm ci in web")
    with trio.fail_after(PATIENCE_SECONDS):
        done = await trio.run_process(
            ["node", "tests/page.mjs"], cwd=WEB, capture_stdout=True, capture_stderr=True, check=False
        )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
