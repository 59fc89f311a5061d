"""The client module in somebody else's page, as docs/browser-client.md has it, on another origin than the server."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.sync_api import Browser, expect
from typing_extensions import override

from pyshare.net.page import FOLDER
from tests.browser.conftest import ROOT, Screens, Server
from tests.programs import require

WEB = ROOT / "web"
TOOLS = WEB / "node_modules" / ".bin"
PAGE = '<!doctype html><meta charset="utf-8"><body><script type="module" src="main.js"></script></body>'
OPTIONS = (
    "--ignoreConfig",
    "--noEmit",
    "--strict",
    "--target",
    "es2022",
    "--module",
    "esnext",
    "--moduleResolution",
    "bundler",
    "--skipLibCheck",
)
PATIENCE_SECONDS = 60


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    @override
    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the files of a folder; the address is given."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_example_of_the_docs_has_its_types_and_works(server: Server, screens: Screens, browser: Browser) -> None:
    require("the page's packages", (TOOLS / "esbuild").is_file(), "run ops/test, or npm ci in web")
    document = (ROOT / "docs" / "browser-client.md").read_text(encoding="utf-8")
    example = document.partition("```js\n")[2].partition("```")[0]
    assert "connect(view" in example
    link = server.new_link(text="shared")
    token = link.partition("#")[2]
    address = server.address.replace("http", "ws")
    example = example.replace("wss://example.org/codespace/TOKEN/", f"{address}/codespace/{token}/")
    # Where the packages of the sources are found.
    with tempfile.TemporaryDirectory(dir=WEB / "tests", prefix="built-") as name:
        folder = Path(name)
        for each in FOLDER.glob("assets/pyshare-client*"):
            copy = shutil.copytree if each.is_dir() else shutil.copy
            copy(each, folder / each.name)
        (folder / "main.ts").write_text(example, encoding="utf-8")
        (folder / "index.html").write_text(PAGE, encoding="utf-8")
        for command in (
            ("tsc", *OPTIONS, "main.ts"),
            ("esbuild", "--bundle", "--format=esm", "--outfile=main.js", "main.ts"),
        ):
            done = subprocess.run(
                [TOOLS / command[0], *command[1:]],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
        with serving(folder) as own:
            page = browser.new_page()
            page.goto(own)
            window = screens.open(link, name="Grace")
            expect(page.locator(".cm-line").first).to_contain_text("shared")
            page.locator(".cm-content").focus()
            page.keyboard.press("Control+End")
            page.keyboard.type("!")
            window.wait_text(lambda text: text == "shared!")
            window.type("?")
            expect(page.locator(".cm-line").first).to_contain_text("shared!?")
            expect(page).to_have_title("connected")
            expect(page.locator(".cm-peer-name")).to_have_text("Grace")
            page.close()
