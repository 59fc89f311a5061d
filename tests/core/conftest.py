"""The real CodeMirror, for tests that compare with it."""

import shutil
from pathlib import Path

import pytest

from tests.programs import require

_FOLDER = Path(__file__).parent.parent / "codemirror"


@pytest.fixture
def codemirror() -> Path:
    """The folder of the scripts that run CodeMirror, ready to be run by node."""
    require("node", shutil.which("node") is not None, "install Node.js 18 or later")
    found = (_FOLDER / "node_modules" / "@codemirror" / "collab").is_dir()
    require("CodeMirror", found, "run ops/test, or npm ci in tests/codemirror")
    return _FOLDER
