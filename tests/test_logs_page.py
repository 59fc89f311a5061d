"""docs/logs.md: it lists each event that a server logs, with its levels, and each field."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "logs.md").read_text(encoding="utf-8")
#: Fields of every line of a connection (`_Connection._who`).
WHO = {"remote", "codespace", "client"}
LEVELS = {"info": "info", "warning": "warning", "_warn": "warning", "error": "error", "exception": "error"}


def calls() -> Iterator[tuple[ast.Module, ast.Call, str]]:
    """Return the calls that log, with their modules and the names of their methods."""
    for path in sorted((ROOT / "pyshare").rglob("*.py")):
        if path.parent.name == "client":
            # It logs in programs of others.
            continue
        module = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(module):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if ast.unparse(node.func.value) == "logger" or node.func.attr == "_warn":
                yield module, node, node.func.attr


def words(node: ast.expr) -> set[str]:
    """Return the texts that an expression may be."""
    if isinstance(node, ast.IfExp):
        return words(node.body) | words(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def keys(node: ast.expr, module: ast.Module) -> set[str]:
    """Return the fields that an `extra` has: a dictionary, or a variable that was given one."""
    if isinstance(node, ast.Dict):
        values = zip(node.keys, node.values, strict=True)
        return {each for key, value in values for each in (words(key) if key else keys(value, module))}
    if ast.unparse(node) == "self._who":
        return WHO
    given = [
        each for each in ast.walk(module) if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "extra"
    ]
    return {key for each in given if isinstance(each.value, ast.Dict) for key in keys(each.value, module)}


def logged_fields() -> set[str]:
    found: set[str] = set()
    for module, call, method in calls():
        for keyword in call.keywords:
            if keyword.arg == "extra":
                found |= keys(keyword.value, module)
            elif method == "_warn" and keyword.arg:
                found.add(keyword.arg)
    return found


def logged_events() -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for _, call, method in calls():
        if method == "log":
            # The level is chosen beside the word.
            for word in words(call.args[1]):
                found[word] = {"error" if "not" in word else "warning"}
        elif method in LEVELS:
            for word in words(call.args[0]):
                found[word].add(LEVELS[method])
    return found


def test_every_field_of_the_log_is_explained_and_no_other() -> None:
    (section,) = re.findall(r"^## Fields$(.*?)^## ", PAGE, re.MULTILINE | re.DOTALL)
    told = re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)
    assert len(told) > 30
    assert told == sorted(logged_fields())


def test_every_event_from_info_up_is_explained_with_its_levels_and_no_other() -> None:
    told = re.findall(r"^\| `([^`]+)` \| ([a-z, ]+) \|", PAGE.partition("## Events")[2], re.MULTILINE)
    assert len(told) == len(dict(told))
    assert {event: set(levels.split(", ")) for event, levels in told} == logged_events()
