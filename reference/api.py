"""The reference of the Python client, made from its docstrings."""

import ast
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import TypeAlias

HEAD = """# Reference of the Python client

All that the client exports, made from the docstrings by `python -m reference`. Recipes, and tables of events and
errors, are in [python-client.md](python-client.md).
"""
_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
#: The start of a part of a docstring, and an entry of such a part.
_PART = re.compile(r"^(Raises|Returns|Yields):$")
_ENTRY = re.compile(r"^(\w+): (.*)$", re.DOTALL)
#: The start of a comment on a field.
_COMMENT = "#:"


def reference(*modules: ModuleType) -> str:
    """Return the page: of each module its head, and all that it exports; the first one's names stand alone."""
    first, *others = modules
    parts = list(_module(first, ""))
    for module in others:
        parts += _module(module, module.__name__.rpartition(".")[2] + ".")
    return "\n".join([HEAD, *parts])


def _module(module: ModuleType, prefix: str) -> Iterator[str]:
    names: list[str] = module.__all__
    yield f"## {module.__name__}\n"
    yield _markdown(inspect.getdoc(module) or "")
    yield " · ".join(f"[{prefix}{name}](#{(prefix + name).replace('.', '').lower()})" for name in names) + "\n"
    aliases = _aliases(module)
    for name in names:
        found = getattr(module, name)
        yield f"### {prefix}{name}\n"
        if inspect.isclass(found):
            yield from _class(found, prefix)
        elif inspect.isfunction(found):
            yield from _function(_definition(found), "")
        else:
            yield f"A name for `{aliases[name]}`.\n"


def _aliases(module: ModuleType) -> dict[str, str]:
    """Return the types that a module takes from others, by their names, as they stand there."""
    found = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for statement in ast.parse(inspect.getsource(importlib.import_module(node.module))).body:
                if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                    found[statement.targets[0].id] = ast.unparse(statement.value)
    return found


def _class(found: type, prefix: str) -> Iterator[str]:
    definition = _definition(found)
    assert isinstance(definition, ast.ClassDef)
    bases = [f"`{base.__name__}`" for base in found.__bases__ if base.__module__.startswith("pyshare.")]
    if bases:
        yield f"A kind of {', '.join(bases)}.\n"
    yield _markdown(ast.get_docstring(definition) or "")
    fields = list(_fields(definition, textwrap.dedent(inspect.getsource(found)).splitlines()))
    if fields:
        yield "\n".join(fields) + "\n"
    for node in definition.body:
        if isinstance(node, _FUNCTIONS) and not node.name.startswith("_") and ast.get_docstring(node):
            yield from _function(node, f"{prefix}{found.__name__}.")


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _fields(definition: ast.ClassDef, lines: Sequence[str]) -> Iterator[str]:
    """Return a line for each public field, with the comment above it."""
    for node in definition.body:
        match node:
            case ast.AnnAssign(target=ast.Name(name), annotation=kind, value=value):
                described = f"`{name}: {ast.unparse(kind)}{f' = {ast.unparse(value)}' if value else ''}`"
            case ast.Assign(targets=[ast.Name(name)], value=value):
                described = f"`{name} = {ast.unparse(value)}`"
            case _:
                continue
        if not name.startswith("_"):
            comment = _comment_above(lines, node.lineno - 1)
            yield f"- {described}{f': {comment}' if comment else ''}"


def _comment_above(lines: Sequence[str], index: int) -> str:
    words: list[str] = []
    while index and lines[index - 1].strip().startswith(_COMMENT):
        index -= 1
        words.insert(0, lines[index].strip().removeprefix(_COMMENT).strip())
    return " ".join(words)


def _function(node: _Function | ast.ClassDef, prefix: str) -> Iterator[str]:
    assert isinstance(node, _FUNCTIONS)
    decorators = {ast.unparse(each) for each in node.decorator_list}
    if "property" in decorators:
        kind = ast.unparse(node.returns) if node.returns else ""
        yield f"#### {prefix}{node.name}\n\n`{node.name}: {kind}`\n"
    else:
        words = "async with " if "asynccontextmanager" in decorators else "await " if _waits(node) else ""
        yield f"#### {prefix}{node.name}\n" if prefix else ""
        yield f"`{words}{node.name}({_arguments(node)})`{_returned(node)}\n"
    yield _markdown(ast.get_docstring(node) or "")


def _waits(node: _Function) -> bool:
    return isinstance(node, ast.AsyncFunctionDef)


def _arguments(node: _Function) -> str:
    arguments = ast.unparse(node.args)
    return re.sub(r"^(self|cls)(, )?", "", arguments)


def _returned(node: _Function) -> str:
    kind = ast.unparse(node.returns).strip("'") if node.returns else "None"
    given = re.fullmatch(r"(?:Async)?Iterator\[(.*)\]", kind) if node.decorator_list else None
    return "" if kind == "None" else f" → `{given[1] if given else kind}`"


def _definition(found: object) -> _Function | ast.ClassDef:
    """Return the statement that defines something."""
    assert inspect.isclass(found) or inspect.isfunction(found)
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(found)))).body
    assert isinstance(node, (*_FUNCTIONS, ast.ClassDef))
    return node


def _markdown(docstring: str) -> str:
    """Return a docstring as Markdown: a line for each paragraph, and a list of what is raised."""
    out: list[str] = []
    part = ""
    for block in re.split(r"\n\s*\n", docstring):
        head, _, rest = block.partition("\n")
        found = _PART.match(head)
        if not found:
            out.append(_joined(block) + "\n")
            continue
        part = found[1]
        for entry in re.split(r"\n(?=\S)", textwrap.dedent(rest)):
            named = _ENTRY.match(_joined(entry))
            out.append(f"- {part} `{named[1]}`: {named[2]}" if named else f"- {part}: {_joined(entry)}")
        out.append("")
    return "\n".join(out)


def _joined(text: str) -> str:
    return " ".join(text.split())
