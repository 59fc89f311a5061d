"""The part of JSON Schema that the protocol's schema uses: whether a value is as a schema wants it."""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

Schema: TypeAlias = Mapping[str, object]

_TYPES: Final[Mapping[object, Callable[[object], bool]]] = {
    "array": lambda value: isinstance(value, list),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


def fits(value: object, schema: Schema, root: Schema) -> bool:
    """Whether `value` is as `schema` wants it, which is a part of `root`."""
    return all(_RULES[rule](value, wanted, schema, root) for rule, wanted in schema.items())


_Rule: TypeAlias = Callable[[object, object, Schema, Schema], bool]


def _schema(value: object) -> Schema:
    assert isinstance(value, dict)
    return value


def _schemas(value: object) -> list[Schema]:
    assert isinstance(value, list)
    return [_schema(each) for each in value]


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _ref(value: object, wanted: object, _schema_of: Schema, root: Schema) -> bool:
    found: object = root
    for name in str(wanted).removeprefix("#/").split("/"):
        found = _schema(found)[name]
    return fits(value, _schema(found), root)


def _items(value: object, wanted: object, schema: Schema, root: Schema) -> bool:
    first = _schemas(schema.get("prefixItems", []))
    return not isinstance(value, list) or all(fits(each, _schema(wanted), root) for each in value[len(first) :])


def _first_items(value: object, wanted: object, _schema_of: Schema, root: Schema) -> bool:
    pairs = zip(value, _schemas(wanted), strict=False) if isinstance(value, list) else ()
    return all(fits(each, schema, root) for each, schema in pairs)


def _properties(value: object, wanted: object, _schema_of: Schema, root: Schema) -> bool:
    fields = _schema(wanted)
    return not isinstance(value, dict) or all(
        fits(each, _schema(fields[name]), root) for name, each in value.items() if name in fields
    )


def _additional(value: object, wanted: object, schema: Schema, _root: Schema) -> bool:
    assert isinstance(wanted, bool)
    return wanted or not isinstance(value, dict) or set(value) <= set(_schema(schema["properties"]))


def _required(value: object, wanted: object, _schema_of: Schema, _root: Schema) -> bool:
    assert isinstance(wanted, list)
    return not isinstance(value, dict) or set(wanted) <= set(value)


def _count(value: object, wanted: object, _schema_of: Schema, root: Schema) -> int:
    return sum(fits(value, each, root) for each in _schemas(wanted))


_RULES: Final[Mapping[str, _Rule]] = {
    "$ref": _ref,
    "$schema": lambda *_: True,
    "$defs": lambda *_: True,
    "title": lambda *_: True,
    "description": lambda *_: True,
    "anyOf": lambda *args: _count(*args) > 0,
    "oneOf": lambda *args: _count(*args) == 1,
    "type": lambda value, wanted, *_: _TYPES[wanted](value),
    "const": lambda value, wanted, *_: value == wanted,
    "enum": lambda value, wanted, *_: isinstance(wanted, list) and value in wanted,
    "pattern": lambda value, wanted, *_: not isinstance(value, str) or re.search(str(wanted), value) is not None,
    "minimum": lambda value, wanted, *_: not isinstance(value, int) or value >= _number(wanted),
    "maximum": lambda value, wanted, *_: not isinstance(value, int) or value <= _number(wanted),
    "minItems": lambda value, wanted, *_: not isinstance(value, list) or len(value) >= _number(wanted),
    "maxItems": lambda value, wanted, *_: not isinstance(value, list) or len(value) <= _number(wanted),
    "items": _items,
    "prefixItems": _first_items,
    "properties": _properties,
    "additionalProperties": _additional,
    "required": _required,
}
