"""What the page about the protocol says of close codes is what the table of them says."""

from pathlib import Path

import pytest

from pyshare.core.errors import CLOSE_CODES, CloseCode

PROTOCOL = (Path(__file__).parent.parent / "docs" / "protocol.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", CloseCode)
def test_the_protocols_page_says_of_a_close_code_what_the_table_says(code: CloseCode) -> None:
    row = CLOSE_CODES[code]
    assert f"| {code:d} | {row.meaning} | {'yes' if row.come_back else 'no'} |" in PROTOCOL


def test_the_protocols_page_lists_no_other_close_codes() -> None:
    listed = [line.split("|")[1].strip() for line in PROTOCOL.splitlines() if line.startswith("| ")]
    assert sorted(int(code) for code in listed if code.isdigit()) == sorted(CLOSE_CODES)
