"""The page: files that were built from `web/`, read once and served from memory.

Whoever opens it talks to this origin and to no other, which its headers have
browsers enforce: no script, style or connection from elsewhere, none inline.
"""

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pyshare.net.client_package import PACKAGE, build_package, is_of_client
from pyshare.net.python_package import WHEEL, build_wheel

#: Where the files are.
FOLDER: Final = Path(__file__).parent.parent / "page"
_INDEX = "index.html"
#: The answer to a browser that asks for what is not there, and the mark in it for the way to the page's folder.
_NOTHING = "nothing.html"
_ROOT_MARK = b"{{root}}"
#: A name that changes with what is in the file.
_HASHED = re.compile(r".*-[A-Z0-9]{8}\.\w+")
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
#: A host as browsers name it; anything else in that header has no place in another.
_HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
#: What a policy allows; connections are added. CodeMirror's styles are adopted by a shadow root, which no rule hinders.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'"
)
_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Vary": "Accept-Encoding",
}
#: Other headers of the client for pages of other origins: it may be imported by them, and loaded by their script tags.
_FOR_ALL: Mapping[str, str] = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
#: Types whose files get smaller when they are packed.
_TEXTS = ("text/", "image/svg")


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    #: The same packed, where that is worth it.
    packed: bytes | None
    type: str
    tag: str
    cache: str


def _type_of(name: str) -> str:
    if name.endswith((".js", ".mjs")):
        return "text/javascript; charset=utf-8"
    if name.endswith(".d.ts"):
        return "text/plain; charset=utf-8"
    if name.endswith(".webmanifest"):
        return "application/manifest+json"
    if name.endswith(".tgz"):
        return "application/gzip"
    found = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{found}; charset=utf-8" if found.startswith("text/") else found


class Page:
    """The page's files, by their paths."""

    def __init__(self, folder: Path = FOLDER) -> None:
        found = sorted(each for each in folder.rglob("*") if each.is_file())
        contents = {each.relative_to(folder).as_posix(): each.read_bytes() for each in found}
        package = build_package(contents)
        if package is not None:
            contents[PACKAGE] = package
        wheel = build_wheel()
        if wheel is not None:
            contents[WHEEL] = wheel
        self._files = {path: _file(path, content) for path, content in contents.items()}
        # It is answered for other addresses, and has none of its own.
        self._nothing = self._files.pop(_NOTHING, None)

    @property
    def routes(self) -> list[Route]:
        """Where the files are found: whatever no other route has, so these come last."""
        return [Route("/{path:path}", self._answer, methods=["GET", "HEAD"])]

    async def _answer(self, request: Request) -> Response:  # noqa: ASYNC124 - Starlette has threads for others
        path = request.path_params["path"]
        file = self._files.get(path or _INDEX)
        if file is None:
            if path and self._nothing is not None and "text/html" in request.headers.get("accept", ""):
                return _nothing(self._nothing, request)
            reason = "the page was not built; run npm run build in web/" if path == "" else HTTPStatus.NOT_FOUND.phrase
            raise HTTPException(HTTPStatus.NOT_FOUND, reason)
        headers = {**_HEADERS, "Cache-Control": file.cache, "ETag": file.tag}
        if is_of_client(path):
            headers |= _FOR_ALL
        headers["Content-Security-Policy"] = _policy(request.headers.get("host", ""))
        if file.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        content = file.content
        if file.packed is not None and _takes_gzip(request.headers.get("accept-encoding", "")):
            content = file.packed
            headers["Content-Encoding"] = "gzip"
        return Response(content, headers=headers, media_type=file.type)


def _nothing(file: _File, request: Request) -> Response:
    """Return the page for people who follow a wrong address; what it loads is named relative to that address."""
    root = "../" * request.path_params["path"].count("/") or "./"
    headers = {**_HEADERS, "Cache-Control": "no-store"}
    headers["Content-Security-Policy"] = _policy(request.headers.get("host", ""))
    content = file.content.replace(_ROOT_MARK, root.encode())
    return Response(content, HTTPStatus.NOT_FOUND, headers, media_type=file.type)


def _file(path: str, content: bytes) -> _File:
    kind = _type_of(path)
    packed = gzip.compress(content, 6, mtime=0) if kind.startswith(_TEXTS) else content
    return _File(
        content,
        packed if len(packed) < len(content) else None,
        kind,
        f'"{hashlib.sha256(content).hexdigest()[:32]}"',
        _FOREVER if _HASHED.fullmatch(path) else _ASK_AGAIN,
    )


def _policy(host: str) -> str:
    """Return what the page may do; older browsers do not take a WebSocket of the same host for "self"."""
    return f"{_POLICY} ws://{host} wss://{host}" if _HOST.fullmatch(host) else _POLICY


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.split(","):
        name, _, weight = each.partition(";")
        if name.strip() in {"gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
