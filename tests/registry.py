"""A registry for npm on this machine, with the packages that are in a folder `node_modules`."""

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

from typing_extensions import override


class _Packages(BaseHTTPRequestHandler):
    """Answers what packages there are, each in one version, and sends them."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self._folder = folder
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        path = unquote(self.path).strip("/")
        folder = self._folder / path.removesuffix(".tgz")
        try:
            about = json.loads((folder / "package.json").read_bytes())
        except OSError:
            self.send_error(404)
            return
        body = _packed(folder) if path.endswith(".tgz") else self._described(path, about)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _described(self, name: str, about: dict[str, object]) -> bytes:
        version = about["version"]
        entry = {**about, "dist": {"tarball": f"http://{self.headers['Host']}/{name}.tgz"}}
        return json.dumps({"name": name, "dist-tags": {"latest": version}, "versions": {version: entry}}).encode()

    @override
    def log_message(self, *arguments: object) -> None:
        pass


def _packed(folder: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        tar.add(folder, "package")
    return out.getvalue()


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Serve the packages of `folder`; the address is given."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Packages, folder)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
