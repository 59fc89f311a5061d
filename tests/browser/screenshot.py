"""Makes two pictures: docs/screenshot.png for the README, and the page's icon for phones.

Run it with: python -m tests.browser.screenshot
"""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.conftest import ROOT, Screens, Server, Window, open_browser, running

TARGET = ROOT / "docs" / "screenshot.png"
#: The icon as phones want it, and the drawing from which it is made.
ICON = ROOT / "web" / "page" / "static" / "icon.png"
_DRAWING = ICON.with_suffix(".svg")
_ICON_PIXELS = 180

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


def take_icon(browser: Browser, path: Path) -> None:
    """Draw the icon; phones round its corners themselves."""
    page = browser.new_page(viewport={"width": _ICON_PIXELS, "height": _ICON_PIXELS})
    page.set_content(_DRAWING.read_text(encoding="utf-8").replace('rx="7"', ""))
    page.add_style_tag(content=f"body {{ margin: 0 }} svg {{ display: block; width: {_ICON_PIXELS}px }}")
    page.screenshot(path=path)
    page.close()


def _settle(window: Window) -> None:
    """Wait until nothing moves: the cursor is at rest and shows, and so do names."""
    expect(window.page.locator(".cm-peer-selection")).to_have_count(1)
    expect(window.page.locator(".cm-peer-name[data-placed]")).to_have_text("Grace")
    expect(window.page.locator("#toast")).to_be_empty()
    window.wait_saved()
    window.hold_still()


def main() -> None:
    """Make the pictures."""
    with tempfile.TemporaryDirectory() as folder, open_browser() as browser, running(Path(folder)) as server:
        take_icon(browser, ICON)
        take(server, browser, TARGET)


if __name__ == "__main__":
    main()
