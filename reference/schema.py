"""The JSON Schema of every frame of pyshare.v1, made from the types that parse them."""

from typing import TypeAlias, TypeGuard

from pydantic import TypeAdapter

from pyshare.core.protocol import ClientFrame, ServerFrame
from pyshare.core.push_limits import PUSH_SECTIONS, PUSH_UPDATES

Schema: TypeAlias = dict[str, object]

#: A change set in the form of `ChangeSet.toJSON()` of @codemirror/state.
_CHANGES: Schema = {
    "description": "A change set: units that stay, or a list of units that go and the lines that replace them.",
    "type": "array",
    "items": {
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {
                "type": "array",
                "minItems": 1,
                "prefixItems": [{"type": "integer", "minimum": 0}],
                "items": {"type": "string"},
            },
        ]
    },
}
_PUSH: Schema = {
    "description": f"Change sets, each for the text that the one before leaves; {PUSH_SECTIONS} sections in all.",
    "type": "array",
    "items": {"$ref": "#/$defs/Changes"},
    "minItems": 1,
    "maxItems": PUSH_UPDATES,
}
#: The schemas of fields whose types have none.
_FIELDS: dict[tuple[str, str], Schema] = {
    ("PushFrame", "updates"): _PUSH,
    ("CommittedUpdate", "changes"): {"$ref": "#/$defs/Changes"},
}


def schema() -> Schema:
    """Return the schema: a frame is one of a client, or one of a server; each has a definition of its own."""
    adapters = {"client": TypeAdapter[object](ClientFrame), "server": TypeAdapter[object](ServerFrame)}
    kinds: Schema = {}
    definitions: dict[str, object] = {"Changes": _CHANGES}
    for kind, adapter in adapters.items():
        found = adapter.json_schema()
        for name, definition in sorted(_objects(found["$defs"]).items()):
            definitions[name] = _definition(name, definition)
        kinds[kind] = {"anyOf": found["anyOf"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Frames of pyshare.v1",
        "description": (
            "A server takes of a client what #/$defs/client describes, to the letter. "
            "A client should pass over fields and types of a server's frames that are not described here."
        ),
        "anyOf": [{"$ref": f"#/$defs/{kind}"} for kind in kinds],
        "$defs": {**kinds, **definitions},
    }


def _definition(name: str, found: Schema) -> Schema:
    """Return a frame's schema: its type is not optional, and no field is null where the wire has none."""
    properties = {
        field: _FIELDS.get((name, field)) or _field(schema) for field, schema in _objects(found["properties"]).items()
    }
    required = [field for field in properties if field == "type" or field in _list(found.get("required", []))]
    definition: Schema = {"description": _sentence(found), "type": "object", "properties": properties}
    if name == "Welcome":
        definition["oneOf"] = [{"required": ["text"]}, {"required": ["updates"]}]
    return {**definition, "required": required, "additionalProperties": found.get("additionalProperties", True)}


def _field(found: Schema) -> Schema:
    """Return a field's schema without its title, its default and null."""
    kept = {key: value for key, value in found.items() if key not in {"title", "default"}}
    some = [each for each in _list(kept.get("anyOf", [])) if each != {"type": "null"}]
    if len(some) == 1 and _is_object(some[0]):
        return {**{key: value for key, value in kept.items() if key != "anyOf"}, **some[0]}
    if not kept:
        raise ValueError(f"a field has no schema: {found}")
    return kept


def _sentence(found: Schema) -> str:
    return " ".join(str(found.get("description", "")).split())


def _is_object(value: object) -> TypeGuard[Schema]:
    return isinstance(value, dict)


def _objects(value: object) -> dict[str, Schema]:
    assert _is_object(value)
    return {key: each for key, each in value.items() if _is_object(each)}


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value
