"""The Lua scripts that run in Redis, each with the digest by which it knows them."""

from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """One script; whatever it does, it does in one step."""

    text: str
    #: What EVALSHA is given.
    digest: str


def _read(name: str) -> Script:
    folder = files("pyshare.store") / "scripts"
    text = "".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in ("common", name))
    return Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


LOAD = _read("load")
APPEND = _read("append")
READ_LOG = _read("read_log")
READ_BACK = _read("read_back")
PUT_BACK = _read("put_back")
WRITE_TEXT = _read("write_text")
TOUCH = _read("touch")
FORGET = _read("forget")
PROBE = _read("probe")

SCRIPTS = (LOAD, APPEND, READ_LOG, READ_BACK, PUT_BACK, WRITE_TEXT, TOUCH, FORGET, PROBE)
