"""People on the page: their names, their carets, their coming and going, and the way back to the text."""

import re

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.browser.conftest import Screens, Server, Window
from tests.browser.test_page import faults

#: Longer than a name shows after its owner has done something.
SHOWN_MS = 2000


def shown(window: Window) -> Locator:
    """Return the names that show."""
    return window.page.locator(".cm-peer-name[data-shown]")


def box(locator: Locator) -> FloatRect:
    """Return where something is."""
    found = locator.bounding_box()
    assert found is not None
    return found


def overlap(one: FloatRect, other: FloatRect) -> bool:
    """Whether two rectangles share some of the screen."""
    return all(
        one[at] < other[at] + other[size] - 0.5 and other[at] < one[at] + one[size] - 0.5  # type: ignore[literal-required]
        for at, size in (("x", "width"), ("y", "height"))
    )


#: Where letters stand: the rectangles of the text in all lines.
_LETTERS = """
() => {
  const lines = document.getElementById("editor").shadowRoot.querySelectorAll(".cm-line")
  return Array.from(lines).flatMap(line => {
    const range = document.createRange()
    range.selectNodeContents(line)
    return Array.from(range.getClientRects(), ({x, y, width, height}) => ({x, y, width, height}))
  }).filter(({width}) => width > 2)
}
"""


def assert_covers_nothing(page: Page) -> None:
    """No name that shows covers letters or another name."""
    names = [box(each) for each in page.locator(".cm-peer-name[data-shown]").all()]
    letters: list[FloatRect] = page.evaluate(_LETTERS)
    # Lines of 24 pixels have letters of less.
    inner: list[FloatRect] = [{**each, "y": each["y"] + 4, "height": each["height"] - 8} for each in letters]
    for index, name in enumerate(names):
        assert not any(overlap(name, each) for each in inner)
        assert not any(overlap(name, each) for each in names[:index])


def test_a_name_shows_while_its_owner_types_and_covers_neither_text_nor_another_name(
    server: Server, screens: Screens
) -> None:
    text = "first line of the text\n" + "a line that is longer than any window is wide " * 9 + "\nlast"
    link = server.new_link(text=text)
    one = screens.open(link, name="Ada")
    others = [screens.open(link, name=name) for name in ("Grace", "Kestrel", "Kiwi of the Valley")]
    # Those who only look have no caret.
    one.page.wait_for_timeout(300)
    expect(one.page.locator(".cm-peer")).to_have_count(0)
    for row in (0, 1):
        for other in others:
            other.type("", at="Control+Home")
            for _ in range(row):
                other.page.keyboard.press("ArrowDown")
            other.page.keyboard.press("ArrowRight")
            other.page.keyboard.type("x")
        expect(shown(one)).to_have_count(3)
        one.screenshot(f"names-{row}")
        assert_covers_nothing(one.page)
    expect(shown(one)).to_have_count(0, timeout=SHOWN_MS)
    # To scroll away and back shows no name again, and no newcomer is shown those who were here.
    one.type("\n" * 60)
    one.page.keyboard.press("Control+Home")
    expect(shown(one)).to_have_count(0)
    newcomer = screens.open(link, name="Linus")
    expect(newcomer.page.locator(".cm-peer")).not_to_have_count(0)
    expect(shown(newcomer)).to_have_count(0)


def test_one_who_points_at_a_caret_or_its_row_in_the_gutter_or_touches_it_is_shown_the_name(
    server: Server, screens: Screens
) -> None:
    link = server.new_link(text="first\nsecond\nthird")
    two = screens.open(link, name="Grace")
    one, phone = screens.open(link, name="Ada"), screens.open(link, name="Pia", phone=True)
    two.type("!", at="Control+End")
    for each in (one, phone):
        each.wait_text(lambda text: text.endswith("!"))
        expect(each.page.locator(".cm-line").nth(2).locator(".cm-peer")).to_have_count(1)
        each.page.wait_for_timeout(300)
        expect(shown(each)).to_have_count(0, timeout=SHOWN_MS)
    caret = box(one.page.locator(".cm-peer"))
    one.page.mouse.move(caret["x"] + 9, caret["y"] + 5)
    expect(shown(one)).to_have_text("Grace")
    one.page.mouse.move(caret["x"] + 100, caret["y"] + 5)
    expect(shown(one)).to_have_count(0)
    one.page.mouse.move(12, caret["y"] + 5)
    expect(shown(one)).to_have_text("Grace")
    caret = box(phone.page.locator(".cm-peer"))
    phone.page.touchscreen.tap(caret["x"] + 20, caret["y"] + 5)
    expect(shown(phone)).to_have_text("Grace")
    expect(shown(phone)).to_have_count(0, timeout=SHOWN_MS + 1000)


def test_what_others_have_selected_is_drawn_in_whole_lines_and_empty_ones(server: Server, screens: Screens) -> None:
    link = server.new_link(text="one\n\nthree and more\nfour")
    one, two = screens.open(link), screens.open(link, name="Grace")
    two.editor.focus()
    two.page.keyboard.press("Control+a")
    expect(one.page.locator(".cm-peer-selection")).not_to_have_count(0)
    width = box(one.page.locator(".cm-content"))["width"]
    parts = [box(each) for each in one.page.locator(".cm-peer-selection").all()]
    for line in one.page.locator(".cm-line").all()[:-1]:
        middle = box(line)["y"] + box(line)["height"] / 2
        assert any(
            each["y"] <= middle <= each["y"] + each["height"] and each["width"] > width - 60 for each in parts
        ), parts


def test_who_comes_and_goes_and_has_a_new_name_is_told_of_once(server: Server, screens: Screens) -> None:
    link = server.new_link()
    one = screens.open(link, name="Ada")
    assert one.page.locator("#toast").get_attribute("role") == "status"
    two = screens.open(link, name="Ben")
    # As a name stands in a sentence, it is isolated from what is around it.
    one.wait_toast("\u2068Ben\u2069 joined.")
    # To load the page again is no news.
    two.page.reload()
    two.wait_saved()
    two.page.get_by_role("button", name="Who is here").click()
    two.page.get_by_role("button", name="Change name").click()
    two.page.keyboard.type("Chloe")
    two.page.keyboard.press("Enter")
    one.wait_toast("\u2068Ben\u2069 is now \u2068Chloe\u2069.")
    two.page.close()
    one.wait_toast("\u2068Chloe\u2069 left.")
    assert one.toasts == [
        "\u2068Ben\u2069 joined.",
        "\u2068Ben\u2069 is now \u2068Chloe\u2069.",
        "\u2068Chloe\u2069 left.",
    ]


def test_a_newcomer_is_told_the_name_that_was_given_by_chance_and_can_change_it(
    server: Server, screens: Screens
) -> None:
    window = screens.open(server.new_link())
    toast = window.page.locator("#toast")
    expect(toast).to_contain_text("You are here as")
    toast.get_by_role("button", name="Change name").click()
    field = window.page.get_by_label("Your name")
    expect(field).to_be_focused()
    window.page.keyboard.type("Ada")
    window.page.get_by_role("button", name="Done").click()
    expect(window.page.locator("#avatars .avatar")).to_have_attribute("title", "Ada")
    expect(window.editor).to_be_focused()
    window.page.reload()
    window.wait_saved()
    expect(toast).to_be_empty()


def test_escape_leaves_the_name_as_it_was(server: Server, screens: Screens) -> None:
    window = screens.open(server.new_link(), name="Ada")
    page = window.page
    dialog = page.get_by_role("dialog", name="Who is here")
    page.get_by_role("button", name="Who is here").click()
    page.get_by_role("button", name="Change name").click()
    page.keyboard.type("Oops")
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    expect(page.get_by_label("Your name")).to_be_hidden()
    page.get_by_role("button", name="Change name").click()
    page.keyboard.type("Oops")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page.locator("#own-name")).to_have_text("Ada")
    assert page.evaluate("localStorage.getItem('pyshare.name')") == "Ada"


@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_a_class_is_counted_in_order_and_the_way_out_of_its_list_is_in_view(
    server: Server, screens: Screens, phone: bool
) -> None:
    link = server.new_link()
    window = screens.open(link, name="Teacher", phone=phone)
    pupils = screens.open(link, name="Zoe")
    context = pupils.page.context
    # Many people in one window: a connection each.
    pupils.page.evaluate(_CLASS, link.partition("#")[2])
    page = window.page
    expect(page.locator("#people-label")).to_have_text("Who is here: you and 32 more")
    for disc in page.locator("#avatars .avatar").all():
        assert disc.evaluate("disc => disc.scrollWidth <= disc.clientWidth")
    page.get_by_role("button", name="Who is here").click()
    expect(page.get_by_role("heading", name="Who is here (33)")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "rename"
    names = page.locator("#people-list bdi").all_inner_texts()
    assert names == [*(f"Pupil {number}" for number in range(1, 32)), "Zoe"]
    expect(page.get_by_role("button", name="Done")).to_be_in_viewport(ratio=1)
    window.screenshot(f"people-{'phone' if phone else 'desktop'}")
    assert faults(window) == []
    context.close()


_CLASS = """
token => Promise.all(Array.from({length: 31}, (_, index) => new Promise(resolve => {
  const query = new URLSearchParams({name: `Pupil ${index + 1}`})
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/codespace/${token}/?${query}`, "pyshare.v1")
  window.sockets = [...(window.sockets ?? []), socket]
  socket.onmessage = resolve
})))
"""


def test_a_second_window_of_ones_own_is_no_stranger(server: Server, screens: Screens) -> None:
    link = server.new_link()
    one = screens.open(link, name="Ada")
    two = screens.open(link, context=one.page.context)
    for each in (one, two):
        expect(each.page.locator("#people-label")).to_have_text("Who is here: nobody but you, in 2 windows")
    other = screens.open(link, name="Ben")
    expect(other.page.locator("#people-label")).to_have_text("Who is here: you and 2 more")
    expect(one.page.locator("#people-label")).to_have_text("Who is here: you, in 2 windows, and 1 more")
    one.page.get_by_role("button", name="Who is here").click()
    expect(one.page.locator("#people-list li").first).to_contain_text("you, other window")


def test_the_keyboard_goes_back_to_the_text_from_whatever_was_pressed_beside_it(
    server: Server, screens: Screens
) -> None:
    window = screens.open(server.new_link(text="x"), name="Ada")
    page = window.page
    expect(window.editor).to_be_focused()
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Done").click()
    expect(window.editor).to_be_focused()
    page.get_by_role("button", name="Who is here").click()
    page.get_by_role("button", name="Done").click()
    expect(window.editor).to_be_focused()
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Copy the text").click()
    expect(window.editor).to_be_focused()
    page.get_by_label("Language", exact=True).focus()
    page.get_by_label("Language", exact=True).select_option("JavaScript")
    expect(window.editor).to_be_focused()
    # Wherever the keyboard is, the search is the editor's.
    page.get_by_role("button", name="Share").focus()
    page.keyboard.press("Control+f")
    expect(page.locator(".cm-search")).to_be_visible()


def test_where_people_choose_colours_or_no_motion_carets_names_and_selections_are_told_apart(
    server: Server, screens: Screens
) -> None:
    link = server.new_link(text="one two")
    one, two = screens.open(link, name="Ada"), screens.open(link, name="Grace")
    one.page.emulate_media(forced_colors="active", reduced_motion="reduce")
    two.type("!")
    two.page.keyboard.press("Shift+Control+ArrowLeft")
    flag, selection = shown(one), one.page.locator(".cm-peer-selection")
    expect(flag).to_have_text("Grace")
    one.screenshot("forced-colours")
    assert selection.first.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    ground = one.page.locator("body").evaluate("element => getComputedStyle(element).backgroundColor")
    for seen in (flag, one.page.locator("#avatars .avatar").first):
        assert seen.evaluate("element => getComputedStyle(element).backgroundColor") != ground
    expect(flag).to_have_count(0, timeout=SHOWN_MS)
    fading = "name => getComputedStyle(name).transitionDuration"
    assert one.page.locator(".cm-peer-name").evaluate(fading) == "0s"
    one.page.emulate_media(forced_colors="none", reduced_motion="no-preference")
    assert one.page.locator(".cm-peer-name").evaluate(fading) == "0.2s"


def test_a_name_is_only_a_name(server: Server, screens: Screens) -> None:
    link = server.new_link()
    one = screens.open(link, name="Ada")
    two = screens.open(link, name="\u202egnp.exe" + "\u0336\u0353" * 20)
    two.type("!")
    one.page.get_by_role("button", name="Who is here").click()
    entry = one.page.locator("#people-list li")
    expect(entry.locator("bdi")).to_have_text(re.compile("^gnp[.]exe"))
    assert entry.locator("bdi").evaluate("name => getComputedStyle(name).unicodeBidi") == "isolate"
    assert entry.evaluate("item => item.scrollHeight <= item.clientHeight")
    expect(one.page.locator(".cm-peer-name")).to_have_text(re.compile("^gnp[.]exe"))
    assert one.page.locator(".cm-peer-name").evaluate("name => getComputedStyle(name).unicodeBidi") == "isolate"
    # Of nothing to see, there is a word.
    screens.open(link, name="\u200b\u3164")
    expect(one.page.locator("#people-list")).to_contain_text("guest")


def test_a_language_that_one_chooses_is_that_of_all_and_of_latecomers(server: Server, screens: Screens) -> None:
    made = server.post("/codespaces", {"text": "let a = 1"})
    tokens = {mode: dict(made[mode])["token"] for mode in ("edit", "view_only")}  # type: ignore[call-overload]
    link = f"{server.address}/#{tokens['edit']}"
    one, two = screens.open(link, name="Ada"), screens.open(link, name="Ben")
    viewer = screens.open(f"{server.address}/#{tokens['view_only']}", name="Vera")
    two.page.get_by_label("Language", exact=True).select_option("JavaScript")
    for each in (one, viewer):
        each.wait_toast("\u2068Ben\u2069 set the language to JavaScript.")
        expect(each.page.get_by_label("Language", exact=True)).to_have_value("javascript")
        expect(each.page).to_have_url(re.compile("/javascript$"))
    # A link that was given on before names another language, or none.
    late = screens.open(f"{link}/go", name="Lea")
    expect(late.page.get_by_label("Language", exact=True)).to_have_value("javascript")
    assert late.toasts == []
    # One who may only look chooses for himself.
    viewer.page.get_by_label("Language", exact=True).select_option("Rust")
    one.page.get_by_label("Language", exact=True).select_option("SQL")
    expect(two.page.get_by_label("Language", exact=True)).to_have_value("sql")
    expect(viewer.page.get_by_label("Language", exact=True)).to_have_value("sql")
    # A server that has been started again is told by those who are here.
    server.kill()
    server.start()
    for each in (one, two, viewer):
        each.wait_saved()
    newcomer = screens.open(link, name="Nora")
    expect(newcomer.page.get_by_label("Language", exact=True)).to_have_value("sql")
