"""The Python client as a wheel that pip installs, made of the server's own files, without what only a server needs.

Equal files make equal bytes, on any machine.
"""

import base64
import hashlib
import io
import re
import zipfile
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Final

from pyshare import __version__

#: Folder of the package that runs, and what of it is the client.
_FOLDER: Final = Path(__file__).parent.parent
_PARTS = ("__init__.py", "py.typed", "client/*.py", "core/*.py")
#: The requirements of pyshare that the client shares.
_NEEDS = frozenset({"h11", "pydantic", "trio", "trio-websocket", "typing-extensions", "wsproto"})
#: The wheel among the page's files, and the folder of what says about it.
WHEEL: Final = f"assets/pyshare_client-{__version__}-py3-none-any.whl"
_ABOUT = f"pyshare_client-{__version__}.dist-info"
_KIND = "Wheel-Version: 1.0\nGenerator: pyshare\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def build_wheel() -> bytes | None:
    """Return the wheel; None where pyshare runs without being installed, so that nobody knows what it requires."""
    try:
        about = metadata("pyshare")
    except PackageNotFoundError:
        return None
    lines = [
        "Metadata-Version: 2.1",
        "Name: pyshare-client",
        f"Version: {__version__}",
        "Summary: The Python client of pyshare: bots and other programs that edit one text with everybody else.",
        f"Requires-Python: {about['Requires-Python']}",
        *(f"Requires-Dist: {each}" for each in sorted(about.get_all("Requires-Dist", [])) if _is_needed(each)),
    ]
    paths = sorted(path for part in _PARTS for path in _FOLDER.glob(part))
    files = {f"pyshare/{path.relative_to(_FOLDER).as_posix()}": path.read_bytes() for path in paths}
    files[f"{_ABOUT}/METADATA"] = "\n".join([*lines, ""]).encode()
    files[f"{_ABOUT}/WHEEL"] = _KIND.encode()
    record = f"{_ABOUT}/RECORD"
    rows = [f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items()]
    files[record] = "".join([*rows, f"{record},,\n"]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as wheel:
        for name, content in files.items():
            # The time in it is that at which all zips begin.
            wheel.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def _is_needed(requirement: str) -> bool:
    name = _NAME.match(requirement)
    return name is not None and name[0].lower() in _NEEDS and "extra ==" not in requirement


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
