"""The page in a real browser: what people see, do, and live through."""

import base64
import re
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, WebSocketRoute, expect

from tests.browser import screenshot
from tests.browser.below import BelowPath
from tests.browser.conftest import ELSEWHERE, ROOT, SCREENSHOTS, Screens, Server, Window, running
from tests.programs import require

LIMIT_OF_LOG = 12


def test_a_newcomer_makes_a_codespace_opens_a_second_window_and_both_type_into_one_text(
    server: Server, screens: Screens
) -> None:
    one = screens.open(f"{server.address}/", wait=False)
    one.screenshot("start")
    one.page.get_by_role("button", name="New codespace").click()
    one.wait_saved()
    expect(one.banner).to_contain_text("This is a new codespace")
    with one.page.context.expect_page() as opened:
        one.page.get_by_role("button", name="Open a second window").click()
    second = opened.value
    expect(second.locator("#connection-text")).to_have_text("Saved")
    # Who is not alone has understood.
    expect(one.banner).to_be_hidden()
    one.type("print('one')\n")
    expect(second.locator(".cm-line").first).to_have_text("print('one')")
    second.locator(".cm-content").focus()
    second.keyboard.press("Control+End")
    second.keyboard.type("print('two')")
    one.wait_text(lambda text: text == "print('one')\nprint('two')")
    one.wait_saved()
    one.screenshot("newcomer")


def test_at_the_bell_a_page_that_is_refused_waits_and_has_its_codespace_without_another_press(
    tmp_path: Path, screens: Screens
) -> None:
    # One more each three seconds.
    with running(tmp_path, "--codespaces-per-minute-per-address", "20") as server:
        for _ in range(20):
            server.post("/codespaces")
        one = screens.open(f"{server.address}/", wait=False)
        one.page.get_by_role("button", name="New codespace").click()
        said = one.page.get_by_role("alert").filter(has_text="This page tries again by itself.")
        expect(said).to_contain_text("more than 20 new codespaces in a minute from your address")
        one.wait_saved()
        expect(one.banner).to_contain_text("This is a new codespace")


def test_close_ends_the_tries_to_make_a_new_codespace(server: Server, screens: Screens) -> None:
    window = screens.open(server.new_link(text="here"))
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=429, headers={"Retry-After": "1"}, json={"reason": "too many; try again later"})

    window.page.route("**/codespaces", refuse)
    window.page.locator("#menu-button").click()
    window.page.get_by_role("menuitem", name="New codespace").click()
    expect(window.banner).to_contain_text("This page tries again by itself")
    window.banner.get_by_role("button", name="Close").click()
    expect(window.banner).to_be_hidden()
    # A pause before another try is two seconds long at most.
    window.page.wait_for_timeout(2200)
    assert len(asked) == 1
    expect(window.banner).to_be_hidden()


def test_two_windows_that_type_at_once_end_with_one_text_in_which_every_key_stands_once(
    server: Server, screens: Screens
) -> None:
    link = server.new_link(text="top\n\nend")
    one, two = screens.open(link), screens.open(link, dark=True)
    one.type("", at="Control+Home")
    two.type("", at="Control+End")
    for number in range(40):
        one.page.keyboard.type(chr(0x4E00 + number))
        two.page.keyboard.type(chr(0x5E00 + number))
    for each in (one, two):
        each.wait_saved()
    text = one.wait_text(lambda found: len(found) == len("top\n\nend") + 80)
    two.wait_text(lambda found: found == text)
    typed = [chr(start + number) for start in (0x4E00, 0x5E00) for number in range(40)]
    assert [text.count(each) for each in typed] == [1] * 80


def test_the_cursor_of_another_shows_with_its_name_and_moves_with_the_text(server: Server, screens: Screens) -> None:
    link = server.new_link(text="first\nsecond")
    one, two = screens.open(link, name="Ada"), screens.open(link, name="Grace")
    two.editor.focus()
    two.page.keyboard.press("Control+End")
    two.page.keyboard.press("Shift+Control+ArrowLeft")
    expect(one.page.locator(".cm-line").nth(1).locator(".cm-peer")).to_have_count(1)
    expect(one.page.locator(".cm-peer-name[data-shown]")).to_have_text("Grace")
    expect(one.page.locator("#people-label")).to_have_text("Who is here: you and 1 more")
    one.screenshot("cursors")
    selection = one.page.locator(".cm-peer-selection")
    before = selection.bounding_box()
    one.type("new line\n", at="Control+Home")
    expect(one.page.locator(".cm-line").nth(2).locator(".cm-peer")).to_have_count(1)
    expect(selection).to_have_count(1)
    after = selection.bounding_box()
    line = one.page.locator(".cm-line").nth(2).bounding_box()
    assert before
    assert after
    assert line
    assert before["width"] == after["width"] > 30
    assert line["y"] - 2 <= after["y"] < line["y"] + line["height"] / 2
    two.page.close()
    expect(one.page.locator(".cm-peer")).to_have_count(0)
    expect(selection).to_have_count(0)
    expect(one.page.locator("#people-label")).to_have_text("Who is here: nobody but you")


def test_who_has_a_link_for_looking_sees_every_key_and_cannot_type(server: Server, screens: Screens) -> None:
    made = server.post("/codespaces", {"text": "as it is"})
    tokens = {mode: dict(made[mode])["token"] for mode in ("edit", "view_only")}  # type: ignore[call-overload]
    writer, viewer = (screens.open(f"{server.address}/#{tokens[mode]}") for mode in ("edit", "view_only"))
    expect(viewer.page.get_by_text("View only", exact=True)).to_be_visible()
    viewer.type("no")
    viewer.page.keyboard.press("Control+a")
    viewer.page.keyboard.press("Delete")
    writer.type("!")
    viewer.wait_text(lambda text: text == "as it is!")
    writer.wait_text(lambda text: text == "as it is!")
    viewer.screenshot("view-only")
    viewer.page.get_by_role("button", name="Share").click()
    expect(viewer.page.get_by_role("radio", name="can edit")).to_be_disabled()


def test_a_killed_server_is_survived_and_what_was_typed_meanwhile_is_saved(server: Server, screens: Screens) -> None:
    link = server.new_link(text="before\n")
    one, two = screens.open(link), screens.open(link)
    server.kill()
    expect(one.state).to_have_text("No connection")
    one.type("by one\n")
    two.type("by two\n")
    expect(one.state).to_contain_text("kept here")
    expect(one.banner).to_contain_text("kept in this browser")
    one.screenshot("away")
    server.start()
    for each in (one, two):
        each.wait_saved()
        expect(each.banner).to_be_hidden()
    text = one.wait_text(lambda found: "by one\n" in found and "by two\n" in found)
    two.wait_text(lambda found: found == text)


def test_what_was_typed_without_a_connection_outlives_the_page(server: Server, screens: Screens) -> None:
    link = server.new_link(text="before\n")
    one = screens.open(link)
    server.kill()
    one.type("unsaved")
    expect(one.state).to_contain_text("kept here")
    context = one.page.context
    # As the browser has it: nothing is asked, the page just goes.
    one.page.close()
    server.start()
    again = screens.open(link, context=context)
    again.wait_text(lambda text: text == "before\nunsaved")
    again.wait_saved()
    other = screens.open(link)
    other.wait_text(lambda text: text == "before\nunsaved")


def test_colours_that_cannot_be_loaded_are_told_and_one_types_on(server: Server, screens: Screens) -> None:
    one = screens.open(server.new_link(text="before\n"))
    one.page.route(re.compile(r"/assets/part-"), lambda route: route.abort())
    one.page.get_by_label("Language", exact=True).select_option("Rust")
    expect(one.banner).to_contain_text("The colours for Rust could not be loaded")
    expect(one.banner.get_by_role("button", name="Reload")).to_be_visible()
    one.type("after")
    one.wait_text(lambda text: text == "before\nafter")
    one.wait_saved()


def test_a_page_that_is_loaded_anew_while_away_shows_what_was_typed_and_saves_it_once(
    server: Server, screens: Screens
) -> None:
    link = server.new_link(text="before\n")
    one, other = screens.open(link), screens.open(link)
    # Only the WebSocket goes away: pages load.
    line = Line()
    one.page.route_web_socket(re.compile("/codespace/"), line.on_socket)
    one.page.reload()
    one.wait_saved()
    line.cut()
    one.type("unsaved")
    expect(one.state).to_contain_text("kept here")
    one.page.reload()
    one.wait_text(lambda text: text == "before\nunsaved")
    expect(one.state).to_contain_text("kept here")
    one.type("!")
    line.mend()
    one.wait_saved()
    for each in (one, other):
        each.wait_text(lambda text: text == "before\nunsaved!")


def test_without_https_unsaved_edits_outlive_a_reload_and_a_duplicated_window_is_somebody_else(
    server: Server, screens: Screens
) -> None:
    link = server.new_link(text="before\n").replace("127.0.0.1", ELSEWHERE)
    one = screens.open(link)
    assert one.page.evaluate("isSecureContext") is False
    memory = one.page.evaluate("JSON.stringify(sessionStorage)")
    context = one.page.context
    line = Line()
    one.page.route_web_socket(re.compile("/codespace/"), line.on_socket)
    one.page.reload()
    one.wait_saved()
    line.cut()
    one.type("unsaved")
    expect(one.state).to_contain_text("kept here")
    one.page.reload()
    one.wait_text(lambda text: text == "before\nunsaved")
    line.mend()
    one.wait_saved()
    context.add_init_script(f"Object.assign(sessionStorage, JSON.parse({memory!r}))")
    two = screens.open(link, context=context)
    two.wait_text(lambda text: text == "before\nunsaved")
    expect(one.page.locator("#people-label")).to_have_text("Who is here: nobody but you, in 2 windows")
    one.page.get_by_role("button", name="More", exact=True).click()
    one.page.get_by_role("menuitem", name="Copy the text").click()
    one.wait_toast("Text copied.")


class Line:
    """Between a page and its server: it can be cut, and fall silent."""

    def __init__(self) -> None:
        self._is_cut = False
        self._is_silent = False
        self._sockets: list[WebSocketRoute] = []

    def on_socket(self, socket: WebSocketRoute) -> None:
        """Pass on what a new WebSocket says, or close it."""
        if self._is_cut:
            socket.close(code=1013, reason="away")
        else:
            server = socket.connect_to_server()
            socket.on_message(lambda message: None if self._is_silent else server.send(message))
            server.on_message(lambda message: None if self._is_silent else socket.send(message))
            self._sockets.append(socket)

    def cut(self) -> None:
        """Close what there is and what comes."""
        self._is_cut = True
        for socket in self._sockets:
            socket.close(code=1013, reason="away")

    def silence(self) -> None:
        """Swallow all that is said, and close nothing."""
        self._is_silent = True

    def mend(self) -> None:
        """Let WebSockets, and what is said, through again."""
        self._is_cut = self._is_silent = False


def test_edits_of_one_who_was_away_for_longer_than_the_log_reaches_are_merged(
    tmp_path: Path, browser: Browser, screens: Screens
) -> None:
    with running(tmp_path, "--history-updates", str(LIMIT_OF_LOG)) as server:
        link = server.new_link(text="alpha\nbeta\ngamma\n")
        away, here = screens.open(link), screens.open(link)
        away.page.context.set_offline(True)
        # What is open stays open: the browser cuts only what begins.
        server.kill()
        server.start()
        here.wait_saved()
        expect(away.state).to_have_text(re.compile("^No (network|connection)"))
        away.type("1", at="Control+Home")
        away.type("omega")
        for _ in range(3 * LIMIT_OF_LOG):
            here.type("x", at="Control+Home")
            here.wait_saved()
        away.page.context.set_offline(False)
        away.wait_saved()
        text = here.wait_text(lambda found: "1" in found and found.endswith("omega"))
        assert text.replace("1", "") == "x" * 3 * LIMIT_OF_LOG + "alpha\nbeta\ngamma\nomega"
        away.wait_text(lambda found: found == text)


def test_a_codespace_that_was_lost_leaves_its_text_on_the_screen(
    tmp_path: Path, browser: Browser, screens: Screens
) -> None:
    with running(tmp_path, "--store", "memory") as server:
        link = f"{server.address}/#tmp-{uuid.uuid4()}"
        window = screens.open(link)
        window.type("nowhere else")
        window.wait_saved()
        server.kill()
        server.start()
        expect(window.banner).to_contain_text("text is still on this screen")
        assert window.text == "nowhere else"
        window.page.get_by_role("button", name="New codespace with this text").click()
        window.wait_saved()
        window.wait_text(lambda text: text == "nowhere else")


def test_a_link_that_expires_closes_its_window_says_so_and_leaves_the_text(server: Server, screens: Screens) -> None:
    made = server.post("/codespaces", {"text": "mine to keep", "expires_in": 8})
    token = dict(made["edit"])["token"]  # type: ignore[call-overload]
    window = screens.open(f"{server.address}/#{token}")
    expect(window.banner).to_contain_text("This link ended at")
    expect(window.state).to_have_text(re.compile(r"^Ended \d\d:\d\d, read-only$"))
    assert window.text == "mine to keep"
    window.type("no")
    assert window.text == "mine to keep"
    window.screenshot("expired")
    window.page.get_by_role("button", name="New codespace with this text").click()
    expect(window.banner).to_contain_text("This is a new codespace")
    window.wait_saved()
    window.wait_text(lambda text: text == "mine to keep")


def test_each_wrong_link_opens_one_page_that_says_so_in_peoples_words(server: Server, screens: Screens) -> None:
    made = server.post(f"/codespaces/tmp-{'0' * 8}-0000-4000-8000-{'0' * 12}/links", {"mode": "view_only"})
    window = screens.open(f"{server.address}/", wait=False)
    for link, said in (
        ("hello", "This link does not work."),
        ("a.b.c", "This link does not work."),
        ("bad token!!", "This link is not whole."),
        (str(made["token"]), "This codespace is gone."),
    ):
        window.page.goto(f"{server.address}/nothing")
        window.page.goto(f"{server.address}/#{link}")
        expect(window.page.get_by_role("heading", name=said)).to_be_visible()
        expect(window.page.get_by_role("button", name="New codespace", exact=True)).to_be_focused()
        for hidden in ("#editor", "#share", "#people", "#footer", "#banner"):
            expect(window.page.locator(hidden)).to_be_hidden()
        assert window.page.title() == f"{said[:-1]} · pyshare"
    window.screenshot("failure")
    assert faults(window) == []
    # A link that is good but for what a chat or a sentence has put behind it.
    window.page.goto(f"{server.address}/nothing")
    link = server.new_link(text="whole")
    window.page.goto(f"{link}%2Fgo?utm_source=chat).")
    window.wait_text(lambda text: text == "whole")
    expect(window.page).to_have_url(f"{link}/go")
    # Somewhere below the page there is a page, too.
    for path, root in (("/nope", "./"), ("/nope/deeper/still", "../../")):
        window.page.goto(f"{server.address}{path}")
        expect(window.page.get_by_role("heading", name="There is nothing at this address.")).to_be_visible()
        assert window.page.locator("main a").get_attribute("href") == root
    window.page.get_by_role("link", name="Go to the start page").click()
    expect(window.page.get_by_role("button", name="New codespace", exact=True)).to_be_visible()


def test_who_made_a_codespace_is_told_that_the_server_has_forgotten_it(server: Server, screens: Screens) -> None:
    window = screens.open(f"{server.address}/", wait=False)
    page = window.page
    page.get_by_role("button", name="New codespace").click()
    window.wait_saved()
    page.locator(".brand").click()
    expect(page.get_by_role("link", name="empty")).to_be_visible()
    # As after a restart with another secret: the signature is not the server's any more.
    page.evaluate(_SIGNED_BY_ANOTHER)
    page.reload()
    page.get_by_role("link", name="empty").click()
    expect(page.get_by_text("It worked in this browser before.")).to_be_visible()
    page.get_by_role("button", name="Forget this link").click()
    expect(page.get_by_role("button", name="New codespace", exact=True)).to_be_visible()
    expect(page.locator("#recent")).to_be_hidden()


_SIGNED_BY_ANOTHER = """
() => {
  const recent = JSON.parse(localStorage.getItem("pyshare.recent"))
  const turned = recent.map(each => ({...each, token: each.token.replace(/[^.]+$/, last => last.toLowerCase())}))
  localStorage.setItem("pyshare.recent", JSON.stringify(turned))
}
"""


def test_a_link_is_made_in_the_dialog_and_is_good_for_what_was_chosen(server: Server, screens: Screens) -> None:
    writer = screens.open(server.new_link(text="shared"))
    writer.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    writer.page.get_by_label("Language", exact=True).select_option("Rust")
    writer.page.get_by_role("button", name="Share").click()
    writer.page.get_by_role("radio", name="can only view").check()
    ends = writer.page.get_by_label("The link ends")
    ends.select_option("in an hour")
    copy = writer.page.get_by_role("button", name="Copy link")
    copy.click()
    expect(writer.page.get_by_text(re.compile(r"^Copied\. The link ends (at|on) "))).to_be_visible()
    writer.screenshot("share")
    field = writer.page.get_by_role("textbox", name="Link")
    link = field.input_value()
    assert writer.page.evaluate("navigator.clipboard.readText()") == link
    # Pressed again, and chosen again, it is the same link: the server's clock has moved on.
    writer.page.wait_for_timeout(1100)
    copy.click()
    expect(field).to_have_value(link)
    ends.select_option("never")
    expect(field).to_be_hidden()
    ends.select_option("in an hour")
    copy.click()
    expect(field).to_have_value(link)
    viewer = screens.open(link)
    expect(viewer.page.get_by_text("View only", exact=True)).to_be_visible()
    expect(viewer.page.get_by_text(re.compile("^until "))).to_be_visible()
    expect(viewer.page.get_by_label("Language", exact=True)).to_have_value("rust")
    viewer.wait_text(lambda text: text == "shared")


def test_who_came_by_a_link_that_ends_is_warned_and_cannot_give_on_more(server: Server, screens: Screens) -> None:
    made = server.post("/codespaces", {"text": "mine to keep", "expires_in": 90})
    token = dict(made["edit"])["token"]  # type: ignore[call-overload]
    window = screens.open(f"{server.address}/#{token}")
    expect(window.page.get_by_text(re.compile("^until "))).to_be_visible()
    expect(window.banner).to_contain_text("in 5 minutes at most")
    expect(window.banner.get_by_role("button", name="New codespace with this text")).to_be_visible()
    window.page.get_by_role("button", name="Share").click()
    choice = window.page.get_by_label("The link ends").locator("option")
    expect(choice).to_have_count(1)
    expect(choice).to_have_text(re.compile("^(at|on) .*, as your own link$"))
    window.screenshot("share-ending")


def test_a_new_name_is_seen_by_others_and_kept(server: Server, screens: Screens) -> None:
    link = server.new_link()
    one, two = screens.open(link, name="Ada"), screens.open(link)
    two.page.get_by_role("button", name="Who is here").click()
    two.page.get_by_role("button", name="Change name").click()
    two.page.get_by_label("Your name").fill("Linus <b>")
    two.screenshot("people")
    two.page.keyboard.press("Enter")
    expect(two.page.locator("#own-name")).to_have_text("Linus <b>")
    one.page.get_by_role("button", name="Who is here").click()
    expect(one.page.get_by_text("Linus <b>", exact=True).first).to_be_visible()
    two.page.reload()
    two.wait_saved()
    expect(one.page.locator("#people-list li")).to_have_count(1)
    expect(one.page.locator("#people-list")).to_contain_text("Linus <b>")


def test_the_text_can_be_copied_and_downloaded_under_the_languages_name(server: Server, screens: Screens) -> None:
    window = screens.open(server.new_link(text="line\n😀"))
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    window.page.get_by_role("button", name="More", exact=True).click()
    window.page.get_by_role("menuitem", name="Copy the text").click()
    window.wait_toast("Text copied.")
    assert window.page.evaluate("navigator.clipboard.readText()") == "line\n😀"
    window.page.get_by_role("button", name="More", exact=True).click()
    with window.page.expect_download() as download:
        window.page.get_by_role("menuitem", name="Download").click()
    assert download.value.suggested_filename == "codespace.py"
    assert download.value.path().read_text(encoding="utf-8") == "line\n😀"


def test_one_takes_back_ones_own_edits_and_not_those_of_others(server: Server, screens: Screens) -> None:
    link = server.new_link()
    one, two = screens.open(link), screens.open(link)
    one.type("mine ")
    two.wait_text(lambda text: text == "mine ")
    two.type("theirs")
    one.wait_text(lambda text: text == "mine theirs")
    one.editor.focus()
    one.page.keyboard.press("Control+z")
    two.wait_text(lambda text: text == "theirs")


def test_the_same_codespace_in_a_duplicated_window_is_somebody_of_its_own(server: Server, screens: Screens) -> None:
    link = server.new_link()
    one = screens.open(link)
    # A duplicated window has the session memory of the first.
    memory = one.page.evaluate("JSON.stringify(sessionStorage)")
    context = one.page.context
    context.add_init_script(f"Object.assign(sessionStorage, JSON.parse({memory!r}))")
    two = screens.open(link, context=context)
    one.type("both stay")
    two.wait_text(lambda text: text == "both stay")
    expect(one.page.locator("#people-label")).to_have_text("Who is here: nobody but you, in 2 windows")


def test_on_a_phone_everything_is_in_reach(server: Server, screens: Screens) -> None:
    text = "def a_function_with_a_long_name(its_argument: str) -> str:\n    return its_argument.strip().lower()\n"
    phone = screens.open(server.new_link(text=text), phone=True)
    width = phone.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width == [390, 390]
    for name in ("Share", "More"):
        box = phone.page.get_by_role("button", name=name, exact=True).bounding_box()
        assert box is not None
        assert box["height"] >= 44
        assert 0 <= box["x"] <= 390 - box["width"]
    phone.screenshot("phone")
    phone.page.get_by_role("button", name="More", exact=True).tap()
    expect(phone.page.get_by_role("menuitem", name="Download")).to_be_in_viewport()
    phone.screenshot("phone-menu")
    phone.page.get_by_role("button", name="Share").tap()
    expect(phone.page.get_by_role("button", name="Copy link")).to_be_in_viewport()
    phone.screenshot("phone-share")


def test_everything_can_be_reached_and_left_by_keyboard(server: Server, screens: Screens) -> None:
    window = screens.open(server.new_link(text="x"))
    keyboard = window.page.keyboard
    # The language says how far the key indents; it comes after the page.
    window.page.wait_for_load_state("networkidle")
    window.editor.focus()
    # In the editor the key indents; after Escape it leaves.
    keyboard.press("Control+Home")
    keyboard.press("Tab")
    window.wait_text(lambda text: text == "    x")
    keyboard.press("Escape")
    keyboard.press("Tab")
    expect(window.page.locator("#connection")).to_be_focused()
    keyboard.press("Tab")
    expect(window.page.get_by_label("Language", exact=True)).to_be_focused()
    window.page.get_by_role("button", name="More", exact=True).focus()
    keyboard.press("Enter")
    expect(window.page.get_by_role("menuitem", name="Copy the text")).to_be_focused()
    keyboard.press("ArrowDown")
    expect(window.page.get_by_role("menuitem", name="Download")).to_be_focused()
    keyboard.press("Escape")
    expect(window.page.get_by_role("button", name="More", exact=True)).to_be_focused()
    window.page.get_by_role("button", name="Share").focus()
    keyboard.press("Enter")
    expect(window.page.get_by_role("dialog", name="Share this codespace")).to_be_visible()
    keyboard.press("Escape")
    expect(window.page.get_by_role("dialog", name="Share this codespace")).to_be_hidden()
    expect(window.page.get_by_role("button", name="Share")).to_be_focused()


def test_a_codespace_left_at_once_is_on_the_start_page_and_can_be_named_and_forgotten(
    server: Server, screens: Screens
) -> None:
    window = screens.open(f"{server.address}/", wait=False)
    page = window.page
    page.get_by_role("button", name="New codespace").click()
    window.wait_saved()
    window.type("# my exercise")
    page.locator(".brand").click()
    entry = page.get_by_role("link", name="# my exercise")
    expect(entry).to_be_visible()
    # Another codespace is another page: the page loads itself again.
    page.goto(server.new_link("view_only", text="theirs"))
    window.wait_saved()
    page.locator(".brand").click()
    expect(page.get_by_role("link", name=re.compile("theirs.*view only"))).to_be_visible()
    page.get_by_role("button", name="Rename # my exercise").click()
    page.keyboard.type("Homework <b>")
    page.keyboard.press("Enter")
    named = page.get_by_role("link", name="Homework <b>")
    expect(named).to_be_focused()
    window.screenshot("start-recent")
    assert faults(window) == []
    page.get_by_role("button", name="Forget Homework <b>").click()
    expect(named).to_be_hidden()
    page.get_by_role("button", name="Undo").click()
    expect(named).to_be_visible()
    page.get_by_role("button", name="Forget all").click()
    expect(page.locator("#recent")).to_be_hidden()
    page.reload()
    expect(page.locator("#recent")).to_be_hidden()


def test_the_page_works_below_a_path_of_a_proxy_and_asks_for_nothing_outside_it(
    server: Server, browser: Browser, screens: Screens
) -> None:
    with BelowPath("/pad", server.address) as proxy:
        one = screens.open(f"{proxy.address}/pad/", wait=False)
        one.page.get_by_role("button", name="New codespace").click()
        one.wait_saved()
        one.type("below")
        assert one.page.url.startswith(f"{proxy.address}/pad/#")
        one.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        one.page.get_by_role("button", name="Share").click()
        one.page.get_by_role("button", name="Copy link").click()
        link = one.page.get_by_role("textbox", name="Link").input_value()
        assert link.startswith(f"{proxy.address}/pad/#")
        screens.open(link).wait_text(lambda text: text == "below")
        one.page.keyboard.press("Escape")
        one.page.locator(".brand").click()
        expect(one.page.get_by_role("link", name="below")).to_be_visible()
        one.page.goto(f"{proxy.address}/pad/a/wrong/address")
        one.page.get_by_role("link", name="Go to the start page").click()
        expect(one.page).to_have_url(f"{proxy.address}/pad/")
        # What previews and home screens are told, and that it is there.
        for name in ("og:title", "og:description"):
            assert one.page.locator(f"meta[property='{name}']").get_attribute("content")
        image = one.page.locator("meta[property='og:image']").evaluate("meta => new URL(meta.content, location).href")
        links = [one.page.locator(f"link[rel='{kind}']") for kind in ("manifest", "apple-touch-icon", "icon")]
        for address in (image, *(link.evaluate("link => link.href") for link in links)):
            assert one.page.evaluate("async address => (await fetch(address)).status", address) == 200
        assert [path for path in proxy.asked if not path.startswith("/pad/")] == []
        # Without scripts there is a page that says so.
        plain = browser.new_context(java_script_enabled=False).new_page()
        plain.goto(f"{proxy.address}/pad/")
        expect(plain.get_by_role("heading", name="The editor needs JavaScript.")).to_be_visible()
        plain.context.close()


def test_small_things_that_people_do_are_answered(server: Server, screens: Screens) -> None:
    window = screens.open(f"{server.address}/", wait=False)
    page = window.page
    page.get_by_role("button", name="New codespace").click()
    window.wait_saved()
    expect(page).to_have_title("Empty codespace · pyshare")
    page.evaluate(_NO_CLIPBOARD)
    page.get_by_role("button", name="Copy the address").click()
    window.wait_toast("does not let pages copy")
    expect(window.banner).to_be_visible()
    # A file that is dropped into an empty text says what language it is in.
    page.evaluate(_DROP)
    window.wait_text(lambda text: text == "let a = 1")
    expect(page.get_by_label("Language", exact=True)).to_have_value("javascript")
    expect(page).to_have_title("let a = 1 · pyshare")
    window.type(" + 2 + 3 + 4 + 5")
    expect(window.banner).to_be_hidden()
    window.wait_saved()
    page.keyboard.press("Control+s")
    window.wait_toast("Saved already.")
    page.locator("#connection").click()
    expect(page.get_by_text("All edits are on the server.")).to_be_visible()
    assert faults(window) == []


#: Neither the browser's clipboard nor the old way.
_NO_CLIPBOARD = """
() => {
  document.execCommand = () => false
  Object.defineProperty(navigator, "clipboard", {value: undefined})
}
"""
_DROP = """
() => {
  const data = new DataTransfer()
  data.items.add(new File(["let a = 1"], "a.js"))
  const content = document.querySelector("#editor").shadowRoot.querySelector(".cm-content")
  const place = {clientX: 300, clientY: content.getBoundingClientRect().top + 15}
  content.dispatchEvent(new DragEvent("drop",
    {dataTransfer: data, bubbles: true, composed: true, cancelable: true, ...place}))
}
"""


def test_a_device_that_loses_its_network_says_so_at_once_and_when_it_is_back(server: Server, screens: Screens) -> None:
    window = screens.open(f"{server.address}/", wait=False)
    # Where nothing passes any more, and nothing is closed.
    line = Line()
    window.page.route_web_socket(re.compile("/codespace/"), line.on_socket)
    window.page.goto(server.new_link("view_only", text="to read"))
    window.wait_saved()
    line.silence()
    window.page.context.set_offline(True)
    expect(window.state).to_have_text("No network", timeout=3000)
    expect(window.page.locator("#connection-shape")).to_have_text("■")
    window.screenshot("no-network")
    line.mend()
    window.page.context.set_offline(False)
    window.wait_saved()
    expect(window.page.locator("#connection-shape")).to_have_text("●")


def test_an_edit_above_the_limit_is_refused_here_and_its_text_can_be_had_back(
    tmp_path: Path, browser: Browser, screens: Screens
) -> None:
    with running(tmp_path, "--text-units", "20") as server:
        window = screens.open(server.new_link(text="short"))
        window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        window.editor.focus()
        window.page.keyboard.insert_text("much too long for this codespace")
        expect(window.banner).to_contain_text("longer than the limit of 20 characters")
        assert window.text == "short"
        window.page.keyboard.insert_text("and this is too long as well")
        expect(window.banner).to_contain_text("the last of 2")
        window.page.get_by_role("button", name="Copy what was taken back").click()
        copied = "much too long for this codespace\nand this is too long as well"
        assert window.page.evaluate("navigator.clipboard.readText()") == copied


def test_the_text_of_a_refused_edit_can_be_had_when_the_link_has_ended_too(
    tmp_path: Path, browser: Browser, screens: Screens
) -> None:
    with running(tmp_path, "--text-units", "20") as server:
        made = server.post("/codespaces", {"text": "short", "expires_in": 8})
        token = dict(made["edit"])["token"]  # type: ignore[call-overload]
        window = screens.open(f"{server.address}/#{token}")
        window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        window.editor.focus()
        window.page.keyboard.insert_text("much too long for this codespace")
        expect(window.banner).to_contain_text("longer than the limit of 20 characters")
        expect(window.banner).to_contain_text("This link ended at", timeout=20_000)
        window.page.get_by_role("button", name="Copy what was taken back").click()
        assert window.page.evaluate("navigator.clipboard.readText()") == "much too long for this codespace"


#: How much of the picture in the README may look different on another machine, whose letters have other edges.
_DIFFERENT = 0.02
_COMPARE = """
async ([one, two]) => {
  const load = async data => createImageBitmap(await (await fetch("data:image/png;base64," + data)).blob())
  const [a, b] = await Promise.all([load(one), load(two)])
  if (a.width !== b.width || a.height !== b.height) return 1
  const pixels = image => {
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d")
    context.drawImage(image, 0, 0)
    return context.getImageData(0, 0, image.width, image.height).data
  }
  const [p, q] = [pixels(a), pixels(b)]
  let different = 0
  for (let i = 0; i < p.length; i += 4) {
    if (Math.abs(p[i] - q[i]) + Math.abs(p[i + 1] - q[i + 1]) + Math.abs(p[i + 2] - q[i + 2]) > 96) different++
  }
  return different / (p.length / 4)
}
"""


def test_the_picture_in_the_readme_is_what_the_page_looks_like(
    server: Server, browser: Browser, tmp_path: Path
) -> None:
    taken = tmp_path / "screenshot.png"
    screenshot.take(server, browser, taken)
    icon = tmp_path / "icon.png"
    screenshot.take_icon(browser, icon)
    page = browser.new_page()
    for made, kept in ((taken, screenshot.TARGET), (icon, screenshot.ICON)):
        images = [base64.b64encode(path.read_bytes()).decode() for path in (made, kept)]
        share = page.evaluate(_COMPARE, images)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        (SCREENSHOTS / made.name).write_bytes(made.read_bytes())
        assert share < _DIFFERENT, f"make {kept} again with python -m tests.browser.screenshot"
    page.close()


#: Rules that a person who cannot see, or uses no mouse, depends on (WCAG 2.2 to level AA).
_AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def faults(window: Window) -> list[str]:
    """Return what axe-core finds wrong with a page as it stands."""
    window.page.evaluate(_AXE.read_text(encoding="utf-8"))
    found = window.page.evaluate("rules => axe.run(document, {runOnly: rules})", _RULES)
    return [f"{each['id']}: {node['html'][:120]}" for each in found["violations"] for node in each["nodes"]]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_is_as_accessible_as_axe_can_tell(server: Server, screens: Screens, dark: bool) -> None:
    require("axe-core", _AXE.is_file(), "run ops/test, or npm ci in web")
    start = screens.open(f"{server.address}/", dark=dark, wait=False)
    assert faults(start) == []
    text = 'import os  # a comment\n\n\nclass A:\n    """Doc."""\n\n    x = 1 + len("two")\n'
    link = server.new_link(text=text)
    one, two = screens.open(link, dark=dark, name="Ada"), screens.open(link, name="Grace")
    two.type("!")
    expect(one.page.locator(".cm-peer")).to_have_count(1)
    one.hold_still()
    assert faults(one) == []
    one.page.get_by_role("button", name="Share").click()
    assert faults(one) == []
    one.page.keyboard.press("Escape")
    one.page.get_by_role("button", name="Who is here").click()
    assert faults(one) == []
    one.page.keyboard.press("Escape")
    one.page.get_by_role("button", name="More", exact=True).click()
    assert faults(one) == []
    one.page.keyboard.press("Escape")
    one.editor.focus()
    one.page.keyboard.press("Control+f")
    assert faults(one) == []
    server.kill()
    expect(one.banner).to_be_visible()
    assert faults(one) == []
