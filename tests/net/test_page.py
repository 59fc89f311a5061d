"""The page's files as they are served: headers, types, and what is not there."""

import gzip
import io
import json
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import trio

from pyshare import __version__
from pyshare.net.application import build_app
from pyshare.net.client_package import build_package
from pyshare.net.page import Page

FILES = {
    "index.html": "<!doctype html>" + " " * 2000,
    "nothing.html": '<!doctype html><link href="{{root}}assets/style.css"><a href="{{root}}">Start</a>',
    "assets/page-ABCD1234.js": "let a = 1;" * 500,
    "assets/pyshare-client.js": "export {}",
    "assets/pyshare-client.d.ts": "export {};",
    "assets/pyshare-client/package.json": '{"name": "pyshare-client"}',
    "assets/pyshare-client/LICENSE": "MIT " * 30_000,
    "assets/icon.svg": "<svg/>",
    "assets/page.webmanifest": "{}",
}


async def nothing_wrong() -> str | None:
    await trio.lowlevel.checkpoint()
    return None


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    folder = tmp_path / "page"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    (tmp_path / "secret").write_text("not the page's", encoding="utf-8")
    async with asking(folder) as client:
        yield client


def asking(folder: Path) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(build_app(nothing_wrong, Page(folder).routes))
    return httpx.AsyncClient(transport=transport, base_url="http://pyshare:8889")


async def test_the_root_is_the_page_and_browsers_ask_whether_it_has_changed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    again = await client.get("/", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_nothing_from_elsewhere_and_nothing_inline_may_run(client: httpx.AsyncClient) -> None:
    headers = (await client.get("/")).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == "'self' ws://pyshare:8889 wss://pyshare:8889"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("host", ["evil; script-src *", "a b", "", "host:port", "[::1]x"])
async def test_a_host_that_is_none_gets_into_no_header(client: httpx.AsyncClient, host: str) -> None:
    policy = (await client.get("/", headers={"Host": host})).headers["content-security-policy"]
    assert policy.endswith("connect-src 'self'")


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("/assets/page-ABCD1234.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/assets/pyshare-client.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/assets/pyshare-client.d.ts", "text/plain; charset=utf-8", "no-cache"),
        ("/assets/pyshare-client.tgz", "application/gzip", "no-cache"),
        ("/assets/icon.svg", "image/svg+xml", "no-cache"),
        ("/assets/page.webmanifest", "application/manifest+json", "no-cache"),
    ],
)
async def test_files_have_their_types_and_only_names_that_change_are_kept(
    client: httpx.AsyncClient, path: str, kind: str, cache: str
) -> None:
    answer = await client.get(path)
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (kind, cache)


async def test_who_understands_gzip_gets_less_to_read(client: httpx.AsyncClient) -> None:
    path = "/assets/page-ABCD1234.js"
    packed = await client.get(path, headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(FILES[path[1:]])
    assert packed.text == FILES[path[1:]]
    for accepted in ("identity", "gzip;q=0", "br"):
        plain = await client.get(path, headers={"Accept-Encoding": accepted})
        assert "content-encoding" not in plain.headers
        assert plain.text == FILES[path[1:]]
    assert gzip.compress(b"")


async def test_the_client_as_a_package_has_its_files_and_the_servers_version(client: httpx.AsyncClient) -> None:
    answer = await client.get("/assets/pyshare-client.tgz")
    assert "content-encoding" not in answer.headers
    with tarfile.open(fileobj=io.BytesIO(answer.content), mode="r:gz") as tar:
        found = {each.name: tar.extractfile(each) for each in tar.getmembers()}
        texts = {name: file.read().decode() for name, file in found.items() if file is not None}
    assert json.loads(texts.pop("package/package.json")) == {"name": "pyshare-client", "version": __version__}
    assert texts == {
        "package/LICENSE": FILES["assets/pyshare-client/LICENSE"],
        "package/pyshare-client.js": FILES["assets/pyshare-client.js"],
        "package/pyshare-client.d.ts": FILES["assets/pyshare-client.d.ts"],
    }


def test_the_package_has_the_same_bytes_on_every_machine() -> None:
    files = {"assets/pyshare-client/package.json": b"{}", "assets/pyshare-client.js": bytes(range(256)) * 300}
    made = build_package(files)
    assert made is not None
    # A header of gzip that is the same everywhere, then the tar as it is.
    assert made[:10] == b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    assert made[15:].startswith(b"package/package.json\0")
    assert len(made) == 10 + 2 * 5 + len(gzip.decompress(made)) + 8
    assert made == build_package(dict(reversed(files.items())))
    assert build_package({"index.html": b""}) is None


async def test_pages_of_other_origins_may_load_the_client_and_nothing_else(client: httpx.AsyncClient) -> None:
    for path in ("/assets/pyshare-client.js", "/assets/pyshare-client.tgz"):
        headers = (await client.get(path)).headers
        assert headers["access-control-allow-origin"] == "*"
        assert headers["cross-origin-resource-policy"] == "cross-origin"
    for path in ("/", "/assets/page-ABCD1234.js", "/assets/icon.svg"):
        headers = (await client.get(path)).headers
        assert "access-control-allow-origin" not in headers
        assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_head_is_the_same_without_the_file(client: httpx.AsyncClient) -> None:
    head, get = await client.head("/"), await client.get("/")
    assert head.content == b""
    assert head.headers["etag"] == get.headers["etag"]


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/nothing.html", "/assets", "/assets/", "/../secret", "/%2e%2e/secret", "/assets/..%2f..%2fsecret"],
)
async def test_what_is_not_there_is_404_in_json(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"] == "not_found"


async def test_a_page_that_was_not_built_says_so(tmp_path: Path) -> None:
    async with asking(tmp_path / "nothing") as client:
        answer = await client.get("/")
    assert (answer.status_code, answer.json()["reason"]) == (404, "the page was not built; run npm run build in web/")


@pytest.mark.parametrize(
    ("path", "root"), [("/nope", "./"), ("/a/b", "../"), ("/a/b/c.html", "../../"), ("/a/", "../")]
)
async def test_a_browser_that_asks_for_what_is_not_there_is_shown_the_way_to_the_start(
    client: httpx.AsyncClient, path: str, root: str
) -> None:
    answer = await client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert answer.text == f'<!doctype html><link href="{root}assets/style.css"><a href="{root}">Start</a>'
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
