"""Sentences about the findings of a validation, with the name of the field.

No I/O, no clock.
"""

from pydantic_core import ErrorDetails

from pyshare.core.errors import shortened


def explain(error: ErrorDetails, *, whole: str = "frame") -> str:
    """Return one sentence for a validation error that names the field, as `push.updates[0]: ...`.

    `whole` is what the fields are of.
    """
    place = ""
    for part in error["loc"]:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    message = error["msg"].removeprefix("Value error, ")
    context = error.get("ctx", {})
    if error["type"] == "update":
        place += f"[{context.get('index')}]"
    tag = str(context.get("discriminator", "")).strip("'")
    if error["type"] == "union_tag_not_found":
        place, message = tag, f"missing; a frame is an object with a {tag}"
    elif error["type"] == "union_tag_invalid":
        place, message = tag, f"'{context.get('tag')}' is not one of {context.get('expected_tags')}"
    return shortened(f"{place or whole}: {message}")
