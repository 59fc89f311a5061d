"""Makes docs/screenshot.png, the picture of the page in the README: python -m tests.browser.screenshot."""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.conftest import ROOT, Screens, Server, Window, open_browser, running

TARGET = ROOT / "docs" / "screenshot.png"

_TEXT = '''\
"""Two people in one text."""

import trio


async def greet(name: str) -> None:
    print(f"Hello, {name}!")
    await trio.sleep(1)

'''
_TYPED = "\ntrio.run(greet, 'world')  # typed by Grace"


def take(server: Server, browser: Browser, path: Path) -> None:
    """Have two people type, and take a picture of what one of them sees."""
    screens = Screens(browser)
    link = server.new_link(text=_TEXT)
    ada = screens.open(link, name="Ada", size=(960, 540))
    grace = screens.open(link, name="Grace", size=(960, 540))
    grace.type(_TYPED)
    grace.wait_saved()
    ada.editor.focus()
    ada.page.keyboard.press("Control+Home")
    for _ in range(6):
        ada.page.keyboard.press("ArrowDown")
    ada.page.keyboard.press("End")
    grace.page.keyboard.press("Shift+Control+ArrowLeft")
    ada.wait_text(lambda text: text.endswith("Grace"))
    _settle(ada)
    ada.page.screenshot(path=path)
    screens.close()


def _settle(window: Window) -> None:
    """Wait until nothing moves: the cursor is at rest and shows, and so do names."""
    expect(window.page.locator(".cm-peer-selection")).to_have_text("Grace")
    window.wait_saved()
    window.hold_still()


def main() -> None:
    """Make the picture."""
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser, running(Path(folder)) as server:
        take(server, browser, TARGET)


if __name__ == "__main__":
    main()
