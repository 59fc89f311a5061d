"""Text as UTF-16 code units, the way browser editors count it.

Inside pyshare every text is a *units string*: a Python `str` in which each
character stands for one UTF-16 code unit, so a character outside the Basic
Multilingual Plane is two characters, a high and a low surrogate. Positions,
lengths and slices are then those of JavaScript, and no operation converts.
Ordinary strings are met at the edges only, and turned there by the functions
of this module; nothing else in pyshare knows of the difference.
"""

import re
from bisect import bisect_left

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
# Raw, so that `re` reads the escapes: a compiled module cannot have a surrogate in a literal.
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_HIGH_SURROGATE = re.compile(r"[\ud800-\udbff]")
_LONE_SURROGATE = re.compile(r"[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")
_LINE_BREAK = re.compile("\r\n?")


def _split_astral(match: re.Match[str]) -> str:
    offset = ord(match[0]) - 0x10000
    return chr(0xD800 + (offset >> 10)) + chr(0xDC00 + (offset & 0x3FF))


def to_units(text: str) -> str:
    """Return `text` as a units string; a surrogate in `text` is kept as it is."""
    if text.isascii():
        return text
    return _ASTRAL.sub(_split_astral, text)


def from_units(units: str) -> str:
    """Return the ordinary string that a units string stands for.

    Raises:
        UnicodeDecodeError: if `units` has a surrogate without its other half.
    """
    if units.isascii() or not _SURROGATE.search(units):
        return units
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def normalise_line_breaks(text: str) -> str:
    r"""Return `text` with each `\r\n` and each lone `\r` as one `\n`."""
    return _LINE_BREAK.sub("\n", text) if "\r" in text else text


def has_lone_surrogate(units: str) -> bool:
    """Whether a surrogate in `units` stands without its other half."""
    return not units.isascii() and _LONE_SURROGATE.search(units) is not None


def replace_lone_surrogates(units: str) -> str:
    """Return `units` with U+FFFD for each surrogate that stands without its other half."""
    return units if units.isascii() else _LONE_SURROGATE.sub("\ufffd", units)


def splits_pair(units: str, pos: int) -> bool:
    """Whether `pos` lies between the two halves of a surrogate pair."""
    return 0 < pos < len(units) and 0xD800 <= ord(units[pos - 1]) <= 0xDBFF and 0xDC00 <= ord(units[pos]) <= 0xDFFF


class Places:
    """Places in one text, as indices of characters and as positions of UTF-16 units.

    Made in time in proportion to the text; then each answer takes a logarithm
    of the number of surrogate pairs.
    """

    def __init__(self, units: str) -> None:
        # Positions of the pairs, and the indices of their characters.
        pairs = [] if units.isascii() else [match.start() for match in _HIGH_SURROGATE.finditer(units)]
        self._pairs = pairs
        self._indices = [pos - before for before, pos in enumerate(pairs)]

    def pos(self, index: int) -> int:
        """Return the position of the character at `index`."""
        return index + bisect_left(self._indices, index)

    def index(self, pos: int) -> int:
        """Return the index of the character at `pos`, be it at the character's second unit."""
        return pos - bisect_left(self._pairs, pos)
