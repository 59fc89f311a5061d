"""A real browser, Debian's Chromium driven by Playwright, and servers for it.

Playwright's synchronous side is what is used, so these tests are ordinary
functions. Whatever a page does, its console must stay empty, and no request may
leave its origin: each window looks at that when it is closed.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

from pyshare.net.page import FOLDER
from tests.programs import require

ROOT = Path(__file__).parent.parent.parent
#: Where screenshots are left, for people to look at.
SCREENSHOTS = ROOT / "build" / "screenshots"
PATIENCE_SECONDS = 30
#: What the machine is called as if it were another.
ELSEWHERE = "pyshare.test"
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A name that is not the machine's own: without https browsers trust pages less there.
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
]
#: What the browser says itself when a server is away, which is what some tests are about.
_AWAY = re.compile(r"net::ERR_|WebSocket connection to .* failed|Failed to load resource")

expect.set_options(timeout=PATIENCE_SECONDS * 1000)


class Server:
    """A pyshare server as a process, which can be killed and started again at the same address."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self._command = [sys.executable, "-m", "pyshare", "serve", "--data-folder", str(folder), *flags]
        self._ports = ("0", "0")
        self._log = folder.parent / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        # As http://127.0.0.1:8889.
        self.address = ""

    def start(self) -> None:
        """Serve, at the same ports as before."""
        port, http_port = self._ports
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYSHARE_")}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, "--port", port, "--http-port", http_port],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env=environment,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline().decode()
        page = re.search(r"open (http://\S+)/ in", line)
        client = re.search(r"ws://[^/]+:(\d+)/", line)
        assert page, self._log.read_text(encoding="utf-8")
        assert client
        self.address = page[1]
        self._ports = (client[1], str(urlsplit(self.address).port))

    def kill(self) -> None:
        """End it without a warning."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Have it drain; return its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        code = self._process.wait(PATIENCE_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
        return code

    def post(self, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
        """Ask for something over HTTP, and return the answer."""
        request = urllib.request.Request(
            f"{self.address}{path}", json.dumps(body or {}).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
            answer: dict[str, object] = json.load(response)
        return answer

    def new_link(self, mode: str = "edit", text: str = "") -> str:
        """Return the page's address of a new codespace."""
        link = self.post("/codespaces", {"text": text})[mode]
        assert isinstance(link, dict)
        return f"{self.address}/#{link['token']}"


class Window:
    """A page in a window, as somebody has it before them."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self._origin = address
        self._said: list[str] = []
        self._elsewhere: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._said.append(str(error)))
        page.on("request", self._on_request)
        page.add_init_script(_KEEP_TOASTS)

    def _on_console(self, message: ConsoleMessage) -> None:
        if not _AWAY.search(message.text):
            self._said.append(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != urlsplit(self._origin).netloc:
            self._elsewhere.append(request.url)

    def check(self) -> None:
        """Nothing was wrong that only a developer would see."""
        assert self._said == []
        assert self._elsewhere == []

    @property
    def editor(self) -> Locator:
        """What is typed into."""
        return self.page.locator(".cm-content")

    @property
    def state(self) -> Locator:
        """What is said of the connection."""
        return self.page.locator("#connection-text")

    @property
    def banner(self) -> Locator:
        """What is said above the editor."""
        return self.page.locator("#banner")

    @property
    def text(self) -> str:
        """The text on the screen, all of it: it is short here."""
        lines = self.page.locator(".cm-line").evaluate_all(_LINES)
        return "\n".join(map(str, lines))

    @property
    def toasts(self) -> list[str]:
        """The sentences that toasts have shown since the page was loaded, also those that have gone since."""
        return list(map(str, self.page.evaluate("window.toastsShown")))

    def wait_toast(self, sentence: str) -> None:
        """Wait until a toast has held `sentence`, alone or beside other news, and whether or not it is still there.

        A toast goes after seconds, and news that come together share one: a test that looks at what shows now can be
        too late, or see more than it waits for.
        """
        for _ in range(PATIENCE_SECONDS * 20):
            if any(sentence in shown for shown in self.toasts):
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"no toast held {sentence!r}, there were {self.toasts}")

    def wait_saved(self) -> None:
        """Wait until the server has everything."""
        expect(self.state).to_have_text(re.compile("^(Saved|Up to date)$"))

    def wait_text(self, holds: Callable[[str], bool]) -> str:
        """Wait until the text is as it should be, and return it."""
        for _ in range(PATIENCE_SECONDS * 20):
            text = self.text
            if holds(text):
                return text
            self.page.wait_for_timeout(50)
        pytest.fail(f"the text stayed {self.text!r}")

    def wait_kept(self, key: str) -> None:
        """Wait until the browser keeps something under `key`."""
        for _ in range(PATIENCE_SECONDS * 20):
            if self.page.evaluate("key => localStorage.getItem(key)", key) is not None:
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"nothing is kept under {key}")

    def type(self, text: str, *, at: str = "Control+End") -> None:
        """Type a text, after a key that says where."""
        self.editor.focus()
        self.page.keyboard.press(at)
        self.page.keyboard.type(text)

    def hold_still(self) -> None:
        """Have nothing in the editor move: the cursor shows, and so do the names of others."""
        self.page.evaluate(_HOLD_STILL)

    def screenshot(self, name: str) -> None:
        """Leave a picture of it."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


_KEEP_TOASTS = """
window.toastsShown = []
addEventListener("DOMContentLoaded", () => {
  const toast = document.getElementById("toast")
  if (!toast) return
  new MutationObserver(() => {
    const sentence = toast.textContent
    if (sentence && sentence !== window.toastsShown.at(-1)) window.toastsShown.push(sentence)
  }).observe(toast, {childList: true, subtree: true, characterData: true})
})
"""
_HOLD_STILL = """
() => {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(`.cm-peer-name { transition: none !important; opacity: 1 !important }
    .cm-cursorLayer { animation: none !important; opacity: 1 !important }`)
  const {shadowRoot} = document.getElementById("editor")
  shadowRoot.adoptedStyleSheets = [...shadowRoot.adoptedStyleSheets, sheet]
}
"""
#: What stands in the lines, without cursors and names of others.
_LINES = """
lines => lines.map(line => {
  const copy = line.cloneNode(true)
  for (const each of copy.querySelectorAll(".cm-peer")) each.remove()
  return copy.textContent.replaceAll("\\u200b", "")
})
"""


class Screens:
    """Opens windows: each somebody's own browser, unless it is said whose."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._windows: list[Window] = []

    def open(
        self,
        url: str,
        *,
        context: BrowserContext | None = None,
        name: str = "",
        dark: bool = False,
        phone: bool = False,
        size: tuple[int, int] = (1000, 640),
        wait: bool = True,
    ) -> Window:
        """Open a page, and wait until its editor has its text."""
        if context is None:
            context = self._browser.new_context(
                viewport={"width": 390, "height": 780} if phone else {"width": size[0], "height": size[1]},
                device_scale_factor=2 if phone else 1,
                is_mobile=phone,
                has_touch=phone,
                color_scheme="dark" if dark else "light",
                locale="en-GB",
                timezone_id="UTC",
            )
            if name:
                context.add_init_script(f"localStorage.setItem('pyshare.name', {json.dumps(name)})")
            self._contexts.append(context)
        window = Window(context.new_page(), url)
        self._windows.append(window)
        window.page.goto(url)
        if wait:
            window.wait_saved()
        return window

    def close(self) -> None:
        """Close all windows; none may have complained."""
        for context in self._contexts:
            context.close()
        for window in self._windows:
            window.check()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser. As long as there is one, Playwright's event loop runs in this thread, and no other can."""
    require("Chromium", _program() is not None, "apt-get install chromium")
    require("the page", (FOLDER / "index.html").is_file(), "npm run build in web/")
    with open_browser() as browser:
        yield browser


def _program() -> str | None:
    return next(filter(None, map(shutil.which, _CHROMIUM)), None)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Run a browser until the context is left."""
    # Where trio-asyncio was imported, asyncio's loops are its own, unless a policy is set: Playwright needs asyncio's.
    asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=_program(), args=_FLAGS)
            yield browser
            browser.close()
    finally:
        asyncio.set_event_loop_policy(None)


@pytest.fixture
def screens(browser: Browser) -> Iterator[Screens]:
    """Windows that are closed after the test."""
    screens = Screens(browser)
    yield screens
    screens.close()


def end_orphan(folder: Path) -> None:
    """End the Redis of a data folder, which outlives a pyshare that was killed, until another one comes."""
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.fsencode(folder / "redis.sock") in (each / "cmdline").read_bytes():
                os.kill(int(each.name), signal.SIGKILL)


@contextmanager
def running(folder: Path, *flags: str) -> Iterator[Server]:
    """Run a server until the context is left; one that runs then must end as it should."""
    with ExitStack() as stack:
        server = Server(folder / "data", *flags)
        stack.callback(end_orphan, folder / "data")
        stack.callback(server.kill)
        server.start()
        yield server
        assert server.stop() == 0


@pytest.fixture
def server(tmp_path: Path, browser: Browser) -> Iterator[Server]:
    """A server with a store of its own, that can be killed."""
    with running(tmp_path) as server:
        yield server
