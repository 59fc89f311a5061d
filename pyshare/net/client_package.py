"""The browser client as a package that npm installs, made of the page's files.

Equal files make equal bytes, on any machine: npm keeps a hash of what it has
installed. So nothing is compressed, which zlibs do in different ways.
"""

import io
import json
import struct
import tarfile
import zlib
from collections.abc import Mapping

from pyshare import __version__

#: Folder of the page in which the files are, and what their names begin with.
_FOLDER = "assets/"
_BEGINNING = "pyshare-client"
#: The package's files, by the names of the page's.
_FILES = {
    "pyshare-client/package.json": "package.json",
    "pyshare-client/README.md": "README.md",
    "pyshare-client/LICENSE": "LICENSE",
    "pyshare-client.js": "pyshare-client.js",
    "pyshare-client.d.ts": "pyshare-client.d.ts",
}
#: The package among the page's files.
PACKAGE = f"{_FOLDER}{_BEGINNING}.tgz"
#: Bytes of a block of deflate that is stored as it is (RFC 1951, section 3.2.4).
_STORED_BYTES = 0xFFFF


def is_of_client(path: str) -> bool:
    """Whether one of the page's files belongs to the client, which pages of any origin may load."""
    return path.startswith(f"{_FOLDER}{_BEGINNING}")


def build_package(files: Mapping[str, bytes]) -> bytes | None:
    """Return the package as a gzipped tar; None where the page was built without the client."""
    parts = {name: files.get(_FOLDER + path) for path, name in _FILES.items()}
    about = parts["package.json"]
    if about is None:
        return None
    parts["package.json"] = json.dumps({**json.loads(about), "version": __version__}, indent=2).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in parts.items():
            if content is not None:
                entry = tarfile.TarInfo(f"package/{name}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return _gzipped(out.getvalue())


def _gzipped(data: bytes) -> bytes:
    """Return `data` in the form of gzip (RFC 1952), not compressed."""
    parts = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"]
    for start in range(0, len(data), _STORED_BYTES):
        block = data[start : start + _STORED_BYTES]
        is_last = start + _STORED_BYTES >= len(data)
        parts += [struct.pack("<BHH", is_last, len(block), len(block) ^ 0xFFFF), block]
    parts.append(struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF))
    return b"".join(parts)
