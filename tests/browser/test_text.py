"""The text on the page: looked at, wrapped, printed."""

import re

from playwright.sync_api import expect

from tests.browser.conftest import Screens, Server
from tests.browser.test_page import faults

LINES = 300


def test_one_who_types_where_nothing_can_be_typed_is_answered_once(server: Server, screens: Screens) -> None:
    window = screens.open(server.new_link("view_only", text="as it is"), name="Ada")
    window.editor.focus()
    # To move, to select and to copy is no attempt.
    for key in ("ArrowRight", "Shift+End", "Control+a", "Control+c", "Escape"):
        window.page.keyboard.press(key)
    window.page.keyboard.press("Control+f")
    window.page.keyboard.type("is")
    window.page.keyboard.press("Escape")
    assert window.toasts == []
    window.page.keyboard.type("x")
    window.wait_toast("You can view this text and not change it. Ask for a link for editing.")
    window.page.keyboard.press("Backspace")
    window.page.wait_for_timeout(300)
    assert len(window.toasts) == 1
    assert window.text == "as it is"


def test_on_a_phone_a_text_that_one_may_only_view_asks_for_no_keyboard(server: Server, screens: Screens) -> None:
    viewer = screens.open(server.new_link("view_only", text="as it is"), phone=True, name="Ada")
    expect(viewer.page.get_by_text("View only", exact=True)).to_be_visible()
    expect(viewer.editor).not_to_be_focused()
    expect(viewer.editor).to_have_attribute("inputmode", "none")
    expect(viewer.editor).to_have_attribute("aria-readonly", "true")
    viewer.editor.tap()
    assert faults(viewer) == []
    editor = screens.open(server.new_link(text="as it is"), phone=True, name="Ada")
    expect(editor.editor).to_be_focused()
    assert editor.editor.get_attribute("inputmode") is None


def test_lines_are_wrapped_as_one_chooses_and_the_browser_remembers(server: Server, screens: Screens) -> None:
    link = server.new_link(text="many words " * 100)
    window, phone = screens.open(link, name="Ada"), screens.open(link, name="Ben", phone=True)
    wraps = "scroller => scroller.scrollWidth <= scroller.clientWidth"
    for each, is_first in ((window, False), (phone, True)):
        scroller = each.page.locator(".cm-scroller")
        item = each.page.get_by_role("menuitemcheckbox", name="Wrap lines")
        for wrapped in (is_first, not is_first):
            each.page.get_by_role("button", name="More", exact=True).click()
            assert scroller.evaluate(wraps) is wrapped
            expect(item).to_be_checked(checked=wrapped)
            item.click()
        each.page.get_by_role("button", name="More", exact=True).click()
        item.click()
        each.page.reload()
        each.wait_saved()
        assert scroller.evaluate(wraps) is not is_first


def test_all_of_a_text_is_printed_with_numbers_in_black_on_white(server: Server, screens: Screens) -> None:
    text = "".join(f"line {number}\n" for number in range(1, LINES))
    window = screens.open(server.new_link(text=text), dark=True, name="Ada")
    page = window.page
    printed = page.pdf(format="A4")
    pages = re.findall(rb"/Type\s*/Page\b", printed)
    assert len(pages) >= 4
    # Afterwards the page is as it was.
    expect(page.locator(".print")).to_have_count(0)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    sheet = page.locator(".print")
    expect(sheet.get_by_role("heading")).to_have_text("line 1")
    expect(sheet.locator("li")).to_have_count(LINES)
    expect(sheet.locator("li").nth(LINES - 2)).to_have_text(f"line {LINES - 1}")
    for hidden in ("header", "main", "footer"):
        expect(page.locator(hidden)).to_be_hidden()
    colours = "body => [getComputedStyle(body).color, getComputedStyle(body).backgroundColor]"
    assert page.locator("body").evaluate(colours) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(sheet).to_have_count(0)
    # The menu prints, too.
    page.emulate_media(media="screen")
    page.evaluate("window.print = () => (window.printed = true)")
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Print").click()
    assert page.evaluate("window.printed") is True


def test_the_search_jumps_while_one_types_and_says_which_match_of_how_many(server: Server, screens: Screens) -> None:
    text = "one two\nthree two\n" + "\n" * 200 + "Two twofold\n"
    window = screens.open(server.new_link(text=text), name="Ada")
    page = window.page
    panel = page.locator(".cm-search")
    count = panel.get_by_role("status")
    window.editor.focus()
    page.keyboard.press("Control+f")
    page.keyboard.type("two")
    expect(count).to_have_text("1 of 4")
    page.keyboard.press("Enter")
    expect(count).to_have_text("2 of 4")
    # One word further, it jumps to where that is.
    page.keyboard.press("End")
    page.keyboard.type("f")
    expect(count).to_have_text("1 of 1")
    expect(page.locator("#place")).to_have_text("203:9")
    expect(page.locator(".cm-searchMatch-selected")).to_be_in_viewport()
    page.keyboard.press("Backspace")
    panel.get_by_role("button", name="Replace and options").click()
    assert faults(window) == []
    panel.get_by_role("checkbox", name="Match case").check()
    expect(count).to_have_text(re.compile("of 3$"))
    panel.get_by_role("checkbox", name="Pattern").check()
    panel.get_by_role("textbox", name="Find").fill("(")
    expect(count).to_have_text("not a pattern")
    panel.get_by_role("textbox", name="Find").fill("tw[o]")
    panel.get_by_role("textbox", name="Replace with").fill("2")
    panel.get_by_role("button", name="Replace all").click()
    expect(count).to_have_text("no match")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    page.keyboard.press("Control+Home")
    assert window.text.startswith("one 2\nthree 2\n")


def test_on_a_phone_the_search_is_one_row_and_only_the_rest_needs_more(server: Server, screens: Screens) -> None:
    phone = screens.open(server.new_link("view_only", text="one two"), phone=True, name="Ada")
    phone.page.get_by_role("button", name="More", exact=True).tap()
    phone.page.get_by_role("menuitem", name="Search and replace").tap()
    panel = phone.page.locator(".cm-search")
    box = panel.bounding_box()
    assert box is not None
    assert box["height"] <= 60
    for button in panel.get_by_role("button").all():
        size = button.bounding_box()
        assert size is not None
        assert min(size["width"], size["height"]) >= 44
    panel.get_by_role("button", name="Replace and options").tap()
    expect(panel.get_by_role("checkbox", name="Match case")).to_be_visible()
    # There is nothing to be replaced by one who may only look.
    expect(panel.get_by_role("textbox", name="Replace with")).to_be_hidden()
    assert faults(phone) == []
