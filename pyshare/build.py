"""The build of this package: compiled, or plain Python."""

from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from typing import Final

#: A module that is compiled in every build that is.
_COMPILED_MODULE: Final = "pyshare.core.sections"


def build() -> str:
    """Return "compiled" or "plain Python"."""
    spec = find_spec(_COMPILED_MODULE)
    origin = spec.origin if spec is not None else None
    return "compiled" if origin is not None and origin.endswith(tuple(EXTENSION_SUFFIXES)) else "plain Python"
