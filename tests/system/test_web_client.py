"""The client for browsers, in Node without a screen, against real servers: one text, nothing lost, nothing twice."""

import shutil
from pathlib import Path

import pytest
import trio

from tests.programs import require
from tests.system.server import ROOT, running

WEB = ROOT / "web"
PATIENCE_SECONDS = 90.0


@pytest.fixture
def web() -> Path:
    """The folder of the page's sources, with its packages."""
    require("node", shutil.which("node") is not None, "install Node.js 18 or later")
    require("the page's packages", (WEB / "node_modules" / "esbuild").is_dir(), "run ops/test, or npm ci in web")
    return WEB


async def run_in(web: Path, *command: str) -> None:
    """Run a command among the page's sources; it must exit with 0."""
    with trio.fail_after(PATIENCE_SECONDS):
        done = await trio.run_process(command, cwd=web, capture_stdout=True, capture_stderr=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize(
    ("flags", "arguments"),
    [
        ((), ("80", "12", "50")),
        # The log reaches back so little that texts are merged.
        (("--history-updates", "12"), ("80", "12", "400")),
        # What was typed without a connection is more than one push takes.
        (("--message-bytes", "1024", "--history-bytes", "4096"), ("60", "5", "300")),
    ],
)
async def test_editors_that_lose_connections_and_pages_end_with_one_text(
    web: Path, seed: int, flags: tuple[str, ...], arguments: tuple[str, ...]
) -> None:
    async with running(*flags) as server:
        await run_in(web, "node", "tests/editors.mjs", server.address, str(seed), *arguments)


async def test_what_is_not_the_address_of_a_codespace_is_refused_with_a_sentence(web: Path) -> None:
    await run_in(web, "node", "tests/address.mjs")


async def test_codemirror_and_the_browser_client_pass_the_vectors_for_authors_of_clients(web: Path) -> None:
    await run_in(web, "node", "tests/vectors.mjs")


async def test_edits_of_any_size_are_pushed_in_parts_that_fit_the_limits(web: Path, seed: int) -> None:
    await run_in(web, "node", "tests/cut.mjs", str(seed))


async def test_people_have_plain_names_and_flags_that_cover_nothing_and_are_told_of_when_they_come_and_go(
    web: Path, seed: int
) -> None:
    await run_in(web, "node", "tests/people.mjs", str(seed))


async def test_colours_for_a_class_that_arrives_take_lookups_in_proportion_to_its_size(web: Path) -> None:
    await run_in(web, "node", "tests/presence.mjs")


async def test_deadlines_move_while_anything_moves_and_a_dead_connection_is_noticed(web: Path) -> None:
    await run_in(web, "node", "tests/liveness.mjs")


async def test_a_screen_shows_what_is_stored_and_a_crash_or_another_life_takes_or_doubles_nothing(web: Path) -> None:
    await run_in(web, "node", "tests/replica.mjs")


async def test_whatever_is_refused_everything_else_is_committed_once(web: Path, seed: int) -> None:
    await run_in(web, "node", "tests/refusals.mjs", str(seed))


async def test_unsaved_edits_are_sent_once_by_whichever_window_or_link_comes_next(web: Path) -> None:
    await run_in(web, "node", "tests/drafts.mjs")


async def test_what_the_package_has_is_what_the_sources_make(web: Path) -> None:
    await run_in(web, "npm", "run", "--silent", "check")
