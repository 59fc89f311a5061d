"""ARCHITECTURE.md stays true: its table of modules, the sentences in it, and imports that go down only."""

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROW = re.compile(r"^\| (?:\d|-) \| `(?P<path>[\w/]+\.py)` \| (?P<sentence>.*) \|$", re.MULTILINE)

SIMULATOR_ROW = re.compile(r"^\| `(?P<path>simulation/[\w/]+\.py)` \| (?P<sentence>.*) \|$", re.MULTILINE)


def rows() -> dict[str, str]:
    """Return the table: path under pyshare/ to what is said of it, in the table's order."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    return {match["path"]: match["sentence"] for match in ROW.finditer(text)}


def modules() -> list[str]:
    """Return the paths of all modules; packages export nothing and have no row, but the one that is an API."""
    paths = (path.relative_to(ROOT / "pyshare").as_posix() for path in (ROOT / "pyshare").rglob("*.py"))
    return sorted(path for path in paths if not path.endswith("__init__.py") or path == "client/__init__.py")


def tree(path: str) -> ast.Module:
    return ast.parse((ROOT / "pyshare" / path).read_text(encoding="utf-8"))


def imported_names(source: ast.Module) -> set[str]:
    """Return the names that a module imports, wherever in it, each with the package in which it is."""
    names = set()
    for node in ast.walk(source):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported(path: str) -> set[str]:
    """Return the paths under pyshare/ of the modules that one imports, wherever in it."""
    names = imported_names(tree(path))
    candidates = {name.replace(".", "/").removeprefix("pyshare/") for name in names if name.startswith("pyshare.")}
    files = {f"{name}.py" for name in candidates} | {f"{name}/__init__.py" for name in candidates}
    return files & set(modules())


def test_every_module_has_its_row_and_every_row_its_module() -> None:
    assert sorted(rows()) == modules()


def test_a_row_is_the_first_sentence_of_its_modules_docstring() -> None:
    for path, sentence in rows().items():
        docstring = " ".join((ast.get_docstring(tree(path)) or "").split())
        first = re.split(r"(?<=\.)\s", docstring + " ")[0]
        assert first == f"{sentence}.", path


def test_a_row_of_the_simulator_is_the_first_sentence_of_its_module_and_imports_go_down() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    found = {match["path"]: match["sentence"] for match in SIMULATOR_ROW.finditer(text)}
    paths = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "simulation").rglob("*.py")}
    assert sorted(found) == sorted(path for path in paths if not path.endswith("__init__.py"))
    order = list(found)
    for path, sentence in found.items():
        source = ast.parse(paths[path].read_text(encoding="utf-8"))
        docstring = " ".join((ast.get_docstring(source) or "").split())
        assert re.split(r"(?<=\.)\s", docstring + " ")[0] == f"{sentence}.", path
        above = set(order[: order.index(path)])
        names = imported_names(source)
        files = {f"{name.replace('.', '/')}.py" for name in names} & set(order)
        assert files <= above, f"{path} imports {files - above}"
        assert not any(name.split(".")[0] == "tests" for name in names), f"{path} imports tests"


def test_a_module_imports_only_from_rows_above_its_own() -> None:
    order = list(rows())
    for position, path in enumerate(order):
        above = set(order[:position])
        assert imported(path) <= above, f"{path} imports {imported(path) - above}"


def test_the_ground_floor_knows_no_io_no_trio_no_clock_and_no_randomness() -> None:
    banned = {"trio", "socket", "time", "random", "secrets", "os", "httpx", "logging", "datetime", "uuid"}
    for path in modules():
        if path.startswith("core/"):
            names = set()
            for node in ast.walk(tree(path)):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names.add(node.module.partition(".")[0])
            assert not names & banned, path


def test_no_plain_class_inherits_from_a_compiled_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["compiled"]
    compiled = {path.removeprefix("pyshare/") for path in listed}
    assert compiled <= set(modules())
    inside = {node.name for path in compiled for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)}
    for path in set(modules()) - compiled:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                assert not bases & inside, f"{path}: {node.name}"


def test_one_module_alone_imports_redis_and_the_bridge_to_asyncio() -> None:
    for path in modules():
        names = {
            name.partition(".")[0]
            for node in ast.walk(tree(path))
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert path == "store/bridge.py" or not names & {"redis", "trio_asyncio"}, path
