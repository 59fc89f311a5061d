"""The client in pages of others, in each way that docs/browser-client.md has, on another origin than the server."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, expect
from typing_extensions import override

from tests.browser.conftest import ROOT, Screens, Server
from tests.programs import require
from tests.registry import registry

PACKAGES = ROOT / "web" / "node_modules"
DOCUMENT = (ROOT / "docs" / "browser-client.md").read_text(encoding="utf-8")
PAGE = '<!doctype html><meta charset="utf-8"><body><script type="module" src="main.js"></script></body>'
#: Nothing is left out of the check: the types of the packages are checked too.
CHECK = (
    "tsc --ignoreConfig --noEmit --strict --target es2022 --lib es2022,dom --module esnext --moduleResolution bundler "
    "--types '' main.ts"
)
BUNDLE = "esbuild --bundle --format=esm --log-limit=0 --log-level=warning --outfile=main.js main.ts"
PATIENCE_SECONDS = 60


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    @override
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(autouse=True)
def packages() -> None:
    """Demand the packages of the page's sources."""
    require("the page's packages", (PACKAGES / "esbuild").is_dir(), "run ops/test, or npm ci in web")


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the files of a folder; the address is given."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def block(heading: str, language: str) -> str:
    """Return the first block of a language below a heading of the page."""
    section = DOCUMENT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def run(command: str, folder: Path) -> None:
    """Run a command of the page, or one of the page's tools, in a folder; it must end well."""
    words = shlex.split(command)
    tool = PACKAGES / ".bin" / words[0]
    if tool.is_file():
        words[0] = str(tool)
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert "warning" not in done.stdout + done.stderr


def placed(example: str, server: Server, link: str) -> str:
    """Return an example with the server and a token of its own in it."""
    token = link.partition("#")[2]
    address = server.address.removeprefix("http://")
    return (
        example.replace("wss://example.org", f"ws://{address}")
        .replace("127.0.0.1:8889", address)
        .replace("TOKEN", token)
    )


def share(own: str, link: str, screens: Screens, browser: Browser) -> None:
    """Have the editor of a page of one's own and pyshare's page show what is typed in either."""
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(own)
    window = screens.open(link, name="Grace")
    expect(page.locator(".cm-line").first).to_contain_text("shared")
    page.locator(".cm-content").focus()
    page.keyboard.press("Control+End")
    page.keyboard.type("!")
    window.wait_text(lambda text: text == "shared!")
    window.type("?")
    expect(page.locator(".cm-line").first).to_contain_text("shared!?")
    expect(page.locator(".cm-peer-name")).to_have_text("Grace")
    page.close()
    assert [each for each in said if "favicon" not in each and "404" not in each] == []


def test_the_bundle_makes_a_shared_editor_with_one_script_tag(
    server: Server, screens: Screens, browser: Browser, tmp_path: Path
) -> None:
    link = server.new_link(text="shared")
    (tmp_path / "index.html").write_text(placed(block("One script tag", "html"), server, link), encoding="utf-8")
    with serving(tmp_path) as own:
        share(own, link, screens, browser)


def test_npm_installs_the_client_from_a_server_and_the_example_has_its_types_and_works(
    server: Server, screens: Screens, browser: Browser, tmp_path: Path
) -> None:
    require("npm", shutil.which("npm") is not None, "install npm")
    link = server.new_link(text="shared")
    folder = tmp_path / "own"
    folder.mkdir()
    install = placed(block("With npm and a bundler", ""), server, link).strip()
    with registry(PACKAGES) as packages:
        run(f"{install} --registry {packages} --cache {tmp_path}/npm --no-audit --no-fund --ignore-scripts", folder)
    example = block("With npm and a bundler", "js")
    assert "onStatus" in example
    (folder / "main.ts").write_text(placed(example, server, link), encoding="utf-8")
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    run(CHECK, folder)
    run(BUNDLE, folder)
    with serving(folder) as own:
        share(own, link, screens, browser)


def test_the_module_and_its_types_as_two_files_are_whole(server: Server, tmp_path: Path) -> None:
    require("curl", shutil.which("curl") is not None, "apt-get install curl")
    for command in placed(block("As two files", "sh"), server, "").splitlines():
        run(command, tmp_path)
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    example = block("With npm and a bundler", "js").replace('"pyshare-client"', '"./pyshare-client.js"')
    (tmp_path / "main.ts").write_text(example, encoding="utf-8")
    run(CHECK, tmp_path)
    run(BUNDLE, tmp_path)
    (tmp_path / "main.ts").write_text(example.replace('name: "Ada"', "name: 1"), encoding="utf-8")
    with pytest.raises(AssertionError, match=r"main\.ts"):
        run(CHECK, tmp_path)


def test_an_import_map_does_without_a_bundler(
    server: Server, screens: Screens, browser: Browser, tmp_path: Path
) -> None:
    link = server.new_link(text="shared")
    (tmp_path / "index.html").write_text(placed(block("Without a bundler", "html"), server, link), encoding="utf-8")
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    with serving(tmp_path) as own:
        share(own, link, screens, browser)


@pytest.fixture
def bare(server: Server, browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """A page with the bundle and an editor, which is not connected."""
    tag = f'<script src="{server.address}/assets/pyshare-client.bundle.js"></script>'
    script = "<script>const view = new pyshare.EditorView({ parent: document.body })</script>"
    (tmp_path / "index.html").write_text(f"<!doctype html><body>{tag}{script}</body>", encoding="utf-8")
    with serving(tmp_path) as own:
        page = browser.new_page()
        page.goto(own)
        yield page
        page.close()


def test_a_second_connection_of_one_editor_is_refused_until_the_first_is_closed(server: Server, bare: Page) -> None:
    link = server.new_link(text="shared")
    bare.evaluate("url => { window.first = pyshare.connect(view, url) }", link)
    expect(bare.locator(".cm-line").first).to_contain_text("shared")
    refused = "url => { try { pyshare.connect(view, url) } catch (error) { return String(error) } }"
    assert "connected already; close() that connection" in bare.evaluate(refused, link)
    bare.locator(".cm-content").focus()
    bare.keyboard.type("once ")
    bare.wait_for_function("first.status.unsaved === 0")
    # As a framework's effect does it, or a page that is built again while it is open.
    bare.evaluate("url => { first.close(); window.second = pyshare.connect(view, url) }", link)
    bare.wait_for_function("second.status.state === 'connected'")
    bare.locator(".cm-content").focus()
    bare.keyboard.type("twice ")
    bare.wait_for_function("second.status.unsaved === 0")
    expect(bare.locator(".cm-line").first).to_have_text(re.compile("^(once twice |twice once )shared$"))
    token = link.partition("#")[2]
    text = bare.request.get(f"{server.address}/codespaces/{token}/text").text()
    assert sorted(text.split()) == ["once", "shared", "twice"]


def test_what_is_not_the_address_of_a_codespace_is_refused_at_once(bare: Page) -> None:
    refused = "url => { try { pyshare.connect(view, url) } catch (error) { return [error.name, error.message] } }"
    for address in ("", "nonsense", "ws://127.0.0.1:9/", "ftp://127.0.0.1/codespace/x/"):
        name, message = bare.evaluate(refused, address)
        assert name == "TypeError"
        assert "is not the address of a codespace: it should" in message


def test_a_browser_shows_why_a_version_of_the_protocol_is_refused(server: Server, bare: Page) -> None:
    url = server.new_link().replace("http", "ws").replace("/#", "/codespace/") + "/"
    dial = (
        "url => new Promise(done => new WebSocket(url, 'pyshare.v2').onclose = each => done([each.code, each.reason]))"
    )
    code, reason = bare.evaluate(dial, url)
    assert code == 4400
    assert "offer subprotocol pyshare.v1" in reason
