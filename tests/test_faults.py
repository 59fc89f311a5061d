"""The table of faults: each entry has a test, and each test that is named exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
_ROW = re.compile(r"^\| (?P<entry>[^|]+) \| (?P<fault>[^|]+) \| (?P<tests>[^|]+) \|$", re.MULTILINE)
_TEST = re.compile(r"`(?P<path>[^`]+)::(?P<name>[^`]+)`")
ROWS = [match.groupdict() for match in _ROW.finditer((ROOT / "tests" / "faults.md").read_text(encoding="utf-8"))][2:]


@cache
def names(path: Path) -> frozenset[str]:
    """Return the names of the tests, and of other functions, in a file."""
    if path.suffix != ".py":
        return frozenset(re.findall(r'(?:test|it)\("([^"]+)"', path.read_text(encoding="utf-8")))
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=[row["entry"] for row in ROWS])
def test_a_fault_has_tests_and_they_exist(row: dict[str, str]) -> None:
    tests = list(_TEST.finditer(row["tests"]))
    assert tests, row
    for test in tests:
        assert test["name"] in names(ROOT / test["path"]), test[0]


def test_no_fault_has_two_rows() -> None:
    entries = [row["entry"] for row in ROWS]
    assert len(entries) > 30
    assert len(set(entries)) == len(entries)
