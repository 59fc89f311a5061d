"""The parts of a setting's field: how people are shown it, and how a value that is not a number is checked."""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args, get_origin
from urllib.parse import urlsplit

from annotated_types import Ge, Le
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from pyshare.net.addresses import parse_networks
from pyshare.net.origins import Origins

VARIABLE_PREFIX: Final = "PYSHARE_"
#: The word for an empty list of proxies.
NO_PROXIES: Final = "none"
#: The path of a Redis URL.
_DATABASE: Final = re.compile(r"/?|/\d+/?")


@dataclass(frozen=True, slots=True)
class Shown:
    """How a field of `Settings` is shown to the person who sets it."""

    #: The heading under which help lists it.
    group: str
    #: What a value counts, in capitals as help shows it.
    unit: str
    #: What it is for, in a few words without a full stop.
    meaning: str
    #: The stock server's variable for the same thing, which works too.
    stock: str | None = None
    #: What is allowed, where the bounds and choices do not say it.
    allowed: str | None = None
    #: Whether nobody may see what it is.
    secret: bool = False
    #: What counts where nothing is given, where that depends on other settings.
    default: str | None = None


def complete_url(url: str) -> str:
    """Return `url` with a final slash, or refuse what requests cannot be made to."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    else:
        usable = usable and not parts.query and not parts.fragment
    if not usable or any(character.isspace() for character in url):
        raise PydanticCustomError("base_url", "not a base address")
    return url if url.endswith("/") else f"{url}/"


def checked_networks(text: str) -> str:
    """Return `text`, or refuse what is not a list of addresses and networks."""
    if text != NO_PROXIES:
        try:
            parse_networks(text)
        except ValueError:
            raise PydanticCustomError("networks", "not addresses and networks") from None
    return text


def checked_origins(text: str) -> str:
    """Return `text`, or refuse what is not a list of origins."""
    try:
        Origins.parse(text)
    except ValueError:
        raise PydanticCustomError("origins", "not origins") from None
    return text


def checked_redis_url(url: str) -> str:
    """Return `url`, or refuse what is no address of a Redis server."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"redis", "rediss"} and bool(parts.hostname) and parts.port != 0
        usable = usable and _DATABASE.fullmatch(parts.path) is not None
        usable = usable or (parts.scheme == "unix" and bool(parts.path))
    except ValueError:
        usable = False
    if not usable or any(character.isspace() for character in url):
        raise PydanticCustomError("redis_url", "not an address of Redis")
    return url


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as people and programs name it; all of it follows from its field of `Settings`."""

    #: The field's name.
    name: str
    shown: Shown
    #: What a value may be, in words that follow "must be".
    allowed: str
    #: The only values, where they can be listed.
    choices: tuple[str, ...]
    #: The default as a user would write it; nothing where there is none, or it depends.
    default: str | None

    @property
    def flag(self) -> str:
        """The flag of `pyshare serve`."""
        return "--" + self.name.replace("_", "-")

    @property
    def variables(self) -> tuple[str, ...]:
        """Its variables; the first that is set counts."""
        ours = VARIABLE_PREFIX + self.name.upper()
        return (ours,) if self.shown.stock is None else (ours, self.shown.stock)


def described(name: str, field: FieldInfo) -> Setting:
    """Return a setting as its field of `Settings` has it."""
    shown = next(item for item in field.metadata if isinstance(item, Shown))
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    if shown.allowed is not None:
        allowed = shown.allowed
    elif choices:
        allowed = choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"
    else:
        least = next(item.ge for item in field.metadata if isinstance(item, Ge))
        most = next(item.le for item in field.metadata if isinstance(item, Le))
        kind = "a whole number" if field.annotation is int else "a number"
        allowed = f"{kind} from {least} to {most}"
    default = None if field.default is None else _written(field.default)
    return Setting(name, shown, allowed, choices, default)


def _written(value: str | float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
