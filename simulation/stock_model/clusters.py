"""Borders of what a person takes for one character, as @codemirror/state finds them."""

import unicodedata
from typing import Final

_ZERO_WIDTH_JOINER: Final = 0x200D


def next_break(line: str, pos: int, *, marks: bool = True) -> int:
    """Return the end of the character that begins at `pos`, with its accents and skin tones if `marks`."""
    if pos == len(line):
        return pos
    if pos < 0:
        # As String.charCodeAt has it: nothing stands there.
        return pos + 1
    if pos and "\udc00" <= line[pos] <= "\udfff" and "\ud800" <= line[pos - 1] <= "\udbff":
        pos -= 1
    last = _code_point(line, pos)
    pos += _size(last)
    while pos < len(line):
        code = _code_point(line, pos)
        if _ZERO_WIDTH_JOINER in {last, code} or (marks and _extends(code)):
            pos += _size(code)
            last = code
        elif _is_half_flag(code):
            before = 0
            index = pos - 2
            while index >= 0 and _is_half_flag(_code_point(line, index)):
                before += 1
                index -= 2
            if before % 2 == 0:
                break
            pos += 2
        else:
            break
    return pos


def last_break(line: str, pos: int) -> int:
    """Return the start of the character that ends at `pos`; an accent or a skin tone is one of its own."""
    while pos > 0:
        found = next_break(line, pos - 2, marks=False)
        if found < pos:
            return found
        pos -= 1
    return 0


def _code_point(line: str, pos: int) -> int:
    code = ord(line[pos])
    if 0xD800 <= code < 0xDC00 and pos + 1 < len(line):
        low = ord(line[pos + 1])
        if 0xDC00 <= low < 0xE000:
            return ((code - 0xD800) << 10) + (low - 0xDC00) + 0x10000
    return code


def _size(code: int) -> int:
    return 2 if code > 0xFFFF else 1


def _extends(code: int) -> bool:
    return 0x1F3FB <= code <= 0x1F3FF or unicodedata.category(chr(code)) in {"Mn", "Me"}


def _is_half_flag(code: int) -> bool:
    return 0x1F1E6 <= code <= 0x1F1FF
