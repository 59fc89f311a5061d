"""The files by their names in docs/, with the text that each should have."""

import json
from pathlib import Path

from pyshare import client
from pyshare.client import sync
from reference.api import reference
from reference.schema import schema
from reference.vectors import vectors

#: Characters of a line of JSON.
_WIDTH = 120
#: Where the files are.
FOLDER = Path(__file__).parent.parent / "docs"


def made() -> dict[str, str]:
    """Return the files."""
    return {
        "pyshare.v1.schema.json": _json(schema()),
        "pyshare.v1.vectors.json": _json(vectors()),
        "python-reference.md": reference(client, sync),
    }


def _json(value: object) -> str:
    return _laid_out(value, "") + "\n"


def _laid_out(value: object, indent: str) -> str:
    """Return JSON in which that stands on one line which fits it."""
    whole = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(whole) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return whole
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_laid_out(each, inner)}" for key, each in value.items()]
    else:
        parts = [_laid_out(each, inner) for each in value]
    before, after = "{}" if isinstance(value, dict) else "[]"
    return f"{before}\n" + ",\n".join(inner + part for part in parts) + f"\n{indent}{after}"
