"""A page in Chromium on bad networks: what people do in a day is not lost, not doubled, and what is said of it is true.

The server and the network are real, on sockets; only the lengths of silences are
shorter than out there. The same days on simulated time, with their full lengths,
are in `tests/network/test_daily.py`.
"""

import itertools
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE_SECONDS, Screens, Server, Window, running
from tests.browser.outside import Outside, open_outside
from tests.network.line import Quality
from tests.network.passages import Network
from tests.network.presets import SLEEP, SLOW_3G, TRAIN, Preset

#: Slow 3G with a little less of it for what is sent, so that a paste need not be long to take long.
SLOW: Final = replace(SLOW_3G, up=replace(SLOW_3G.up, bytes_per_second=6000))
#: A line that is slow in one direction.
SLOW_UP: Final = Preset("slow up", up=Quality(12_000), down=TRAIN.down)
#: Seconds without a word that a page waits for a welcome, and for the answer to a push.
WELCOME_SECONDS: Final = 15
UNANSWERED_SECONDS: Final = 10
#: A text that takes longer than that to come, 750 kB, and one that takes longer to leave, 62 kB.
LONG: Final = "漢字かな交じり文。\n" * 26_800
PASTED: Final = "ペースト " * 4800
SLIP: Final = "a slip of the hand\n" * 100
THEIRS: Final = "pasted by somebody else\n" * 1000
#: A server that gives up a client after a silence of 2 seconds, where the default is 60.
BRISK: Final = ("--ping-seconds", "1", "--silence-seconds", "2")
SILENT_SECONDS: Final = 2.8
#: Milliseconds between two keys, and seconds in which the page may say "Saved" of what is on its way.
KEY_MS: Final = 50
UNSAID_SECONDS: Final = 0.6
#: Seconds by which the watches of this test may be late.
LATE_SECONDS: Final = 0.7
SAVED: Final = re.compile("^(Saved|Up to date)$")

_VIEW: Final = """
(() => {
  const content = document.querySelector("#editor").shadowRoot.querySelector(".cm-content")
  return content.cmTile.view
})()
"""
_PASTE: Final = """
text => {
  const data = new DataTransfer()
  data.setData("text/plain", text)
  document.querySelector("#editor").shadowRoot.querySelector(".cm-content").dispatchEvent(
    new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}))
}
"""
#: Notes what is said of the connection, and when.
_NOTE: Final = """
addEventListener("DOMContentLoaded", () => {
  const text = document.getElementById("connection-text")
  const note = () => said.push([Date.now() / 1000, text.textContent])
  globalThis.said = []
  new MutationObserver(note).observe(text, {childList: true, characterData: true, subtree: true})
  note()
})
"""


class Desk:
    """Somebody at a page on a bad network; each letter that is typed is another one."""

    def __init__(self, window: Window, outside: Outside) -> None:
        self.sits_at(window)
        self._outside = outside
        self._letters = map(chr, itertools.count(0x1200))
        # What was written at the end of the text, and when each part of it was.
        self.written: list[str] = []
        self._times: dict[str, float] = {}

    def sits_at(self, window: Window) -> None:
        """Have a window before one."""
        self.window = window
        self.page: Page = window.page

    @property
    def text(self) -> str:
        """The text on the screen."""
        text: str = self.page.evaluate(f"{_VIEW}.state.doc.toString()")
        return text

    @property
    def said(self) -> list[tuple[float, str]]:
        """What this window has said of the connection, and since when, in seconds since 1970."""
        return [(since, word) for since, word in self.page.evaluate("said")]

    def goes_to_the_end(self) -> None:
        self.window.editor.focus()
        self.page.keyboard.press("Control+End")

    def types(self, count: int = 10) -> str:
        """Type some letters where the cursor is; return the last one."""
        row = "".join(itertools.islice(self._letters, count))
        self._outside.seek(row[-1])
        self.page.keyboard.type(row, delay=KEY_MS)
        self._times[row[-1]] = time.time()
        self.written.append(row)
        return row[-1]

    def pastes(self, text: str) -> str:
        """Paste a text where the cursor is, and a letter of its own; return that letter."""
        mark = next(self._letters)
        self._outside.seek(mark)
        self.page.evaluate(_PASTE, text + mark)
        self._times[mark] = time.time()
        self.written.append(text + mark)
        return mark

    def is_up_to_date(self) -> None:
        """Wait until all that was written is saved, and the page has heard of that."""
        for mark in self._times:
            self._outside.wait_seen(mark)
        mark = f"{len(self._outside.typed)} "
        self._outside.types(mark)
        self.reads(mark)

    def undoes(self) -> None:
        """Take back the last edit."""
        self.page.keyboard.press("Control+z")
        self.written.pop()

    def reads(self, text: str) -> None:
        """Wait until a text is on the screen."""
        self.page.wait_for_function(f"text => {_VIEW}.state.doc.toString().includes(text)", arg=text)

    def waits_until_left(self, count: int) -> None:
        """Wait until so many bytes have passed through the last connection on their way to the server."""
        for _ in range(50 * PATIENCE_SECONDS):
            if self._outside.passed("up") >= count:
                return
            self.page.wait_for_timeout(20)
        pytest.fail(f"{self._outside.passed('up')} bytes have left, of {count}")

    def check_said(self) -> None:
        """Demand that nothing was called saved that the server did not have."""
        said = self.said
        for (since, word), (until, _) in itertools.pairwise([*said, (time.time(), "")]):
            if not SAVED.match(word):
                continue
            for mark, written in self._times.items():
                unsaved = (written + UNSAID_SECONDS + LATE_SECONDS, self._outside.wait_seen(mark) - LATE_SECONDS)
                common = min(until, unsaved[1]) - max(since, unsaved[0])
                assert common <= 0, f"{word!r} for {common:.1f} s while an edit was not saved: {said}"


@pytest.fixture(scope="module")
def brisk(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Server]:
    """A server that soon gives a silent client up."""
    with running(tmp_path_factory.mktemp("brisk"), *BRISK) as server:
        yield server


@contextmanager
def sitting(
    server: Server, screens: Screens, preset: Preset, seed: int, text: str = "start\n"
) -> Iterator[tuple[Desk, Outside]]:
    """Have somebody open a codespace over a bad network, with a browser that has the page's files; then compare all."""
    with open_outside(server, Network(seed=seed), text) as outside:
        window = screens.open(f"{outside.address}/", wait=False)
        window.page.context.add_init_script(_NOTE)
        outside.tell(lambda network: network.become(up=preset.up, down=preset.down))
        window.page.goto(outside.link)
        desk = Desk(window, outside)
        window.wait_saved()
        desk.goes_to_the_end()
        yield desk, outside
        outside.stops_typing()
        desk.window.wait_saved()
        expected = outside.typed + text + "".join(desk.written)
        outside.wait_text(expected)
        desk.page.wait_for_function(f"length => {_VIEW}.state.doc.length === length", arg=len(expected))
        assert desk.text == expected
        desk.check_said()


def test_on_slow_3g_long_texts_come_and_go_at_the_first_attempt(server: Server, screens: Screens, seed: int) -> None:
    began = time.time()
    with sitting(server, screens, SLOW, seed, LONG) as (desk, outside):
        assert time.time() - began > WELCOME_SECONDS, "the text came too fast to show anything"
        desk.types()
        written = time.time()
        pasted = desk.pastes(PASTED)
        desk.types()
        expect(desk.window.state).to_have_text(re.compile("^Slow, [0-9]+ edits waiting$"))
        assert "Saving…" in [word for _, word in desk.said]
        desk.types()
        assert outside.wait_seen(pasted) - written > UNANSWERED_SECONDS, "the paste left too fast to show anything"
        desk.window.wait_saved()
        outside.wait_seen(desk.pastes(SLIP))
        outside.types("not mine ")
        desk.reads("not mine ")
        desk.undoes()
        desk.types()
    assert len(outside.sockets) == 1, f"a slow line is not a lost one: {desk.said}"
    sent = outside.sockets[0].passed_bytes("up")
    assert sent < 1.5 * len(PASTED.encode()), "the paste was sent twice"


def test_on_a_train_nothing_is_lost_or_doubled_whatever_a_silence_interrupts(
    brisk: Server, screens: Screens, seed: int
) -> None:
    with sitting(brisk, screens, TRAIN, seed) as (desk, outside):
        outside.starts_typing()
        desk.types()
        # In the middle of a word, whose next letters are typed into the silence.
        outside.silence(SILENT_SECONDS, new=True)
        desk.types()
        outside.wait_alone()
        desk.types()
        desk.window.wait_saved()
        # When a part of a paste has left.
        before = outside.passed("up")
        desk.pastes(PASTED)
        desk.waits_until_left(before + 20_000)
        outside.silence(SILENT_SECONDS, new=True)
        desk.types()
        outside.wait_seen(desk.types())
        slip = desk.pastes(SLIP)
        outside.wait_seen(slip)
        # When the answer to a push, and what others write, are under way.
        outside.silence(SILENT_SECONDS, new=True)
        outside.types(THEIRS)
        desk.undoes()
        desk.types()
        desk.reads(THEIRS)
        outside.wait_text(lambda text: slip not in text)


def test_a_machine_that_sleeps_finds_out_when_it_wakes_and_keeps_what_is_typed_until_it_is_back(
    brisk: Server, screens: Screens, seed: int
) -> None:
    with sitting(brisk, screens, SLEEP, seed) as (desk, outside):
        desk.types()
        desk.is_up_to_date()
        machine = desk.page.context.new_cdp_session(desk.page)
        machine.send("Page.setWebLifecycleState", {"state": "frozen"})
        outside.silence()
        outside.refuse()
        outside.wait_alone()
        outside.types("while one slept ")
        woke = time.time()
        machine.send("Page.setWebLifecycleState", {"state": "active"})
        # As if its lid had been opened.
        desk.page.evaluate('document.dispatchEvent(new Event("visibilitychange"))')
        expect(desk.window.state).not_to_have_text(SAVED)
        desk.types()
        expect(desk.window.state).to_have_text("No connection, 10 edits kept here")
        said = [word for since, word in desk.said if since > woke]
        assert re.match("Last heard [0-9]+ s ago", said[0]), said
        desk.page.context.set_offline(True)
        expect(desk.window.state).to_have_text("No network, 10 edits kept here")
        desk.types()
        outside.refuse(False)
        desk.page.context.set_offline(False)
        desk.reads("while one slept ")


def test_a_page_that_is_closed_in_the_middle_of_a_slow_push_has_it_sent_once(
    brisk: Server, screens: Screens, seed: int
) -> None:
    with sitting(brisk, screens, SLOW_UP, seed) as (desk, outside):
        context = desk.page.context
        for arrives in (False, True):
            desk.is_up_to_date()
            before = outside.passed("up")
            if arrives:
                # The server has it, and the page does not hear of that.
                outside.tell(lambda network: outside.sockets[-1].fall_silent(ways=("down",)))
            pasted = desk.pastes(PASTED[:4800])
            if arrives:
                outside.wait_seen(pasted)
            else:
                desk.waits_until_left(before + 6000)
            desk.page.close()
            outside.types("meanwhile ")
            desk.sits_at(screens.open(outside.link, context=context))
            desk.goes_to_the_end()
            desk.types()


def test_long_pastes_that_met_no_server_are_sent_when_the_page_is_opened_again(
    brisk: Server, screens: Screens, seed: int
) -> None:
    with sitting(brisk, screens, SLEEP, seed) as (desk, outside):
        outside.refuse()
        outside.tell(lambda network: network.cut())
        for _ in range(3):
            desk.pastes(LONG[:120_000])
        expect(desk.window.state).to_have_text("No connection, 3 edits kept here")
        context = desk.page.context
        desk.page.close()
        outside.refuse(False)
        desk.sits_at(screens.open(outside.link, context=context))
        desk.goes_to_the_end()
        desk.types()
