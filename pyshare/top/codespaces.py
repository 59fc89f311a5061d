"""Ask servers once which codespaces are open and who is in each, and print that for a person or as JSON."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import httpx
import trio
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pyshare.core.errors import ConfigurationError, PyshareError

#: Seconds in which a server must have answered.
_ANSWER_SECONDS = 5.0
#: Characters of a line where no terminal says how many it has.
_WIDTH = 160


@dataclass(frozen=True, slots=True)
class Person:
    """One who is in a codespace."""

    name: str
    mode: str
    #: The id that the log has, too.
    client: str
    remote: str


@dataclass(frozen=True, slots=True)
class Open:
    """A codespace that a server has open."""

    codespace: str
    #: UTF-16 code units of the text.
    units: int
    #: Edits since it was made.
    version: int
    #: Seconds since the server has opened it, and since the last edit; None if there was none since then.
    open_seconds: int
    quiet_seconds: int | None
    people: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class _Answer:
    """The answer of one server."""

    codespaces: tuple[Open, ...]


_ANSWER = TypeAdapter(_Answer)


async def list_codespaces(urls: Sequence[str], operators_pass: str, *, as_json: bool) -> None:
    """Print the codespaces that servers have open.

    Raises:
        PyshareError: if one does not answer.
        ConfigurationError: if one does not take the pass, or has no such list.
    """
    async with httpx.AsyncClient(timeout=None, trust_env=False) as client:
        answers = [await _ask(client, url.rstrip("/"), operators_pass) for url in urls]
    found = merged([each for some in answers for each in some])
    if as_json:
        sys.stdout.write(json.dumps(_ANSWER.dump_python(_Answer(tuple(found)))) + "\n")
        return
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    console.print(table_of(found))
    people = sum(len(each.people) for each in found)
    console.print(f"open codespaces: {len(found)}, people: {people}", style="dim")


async def _ask(client: httpx.AsyncClient, url: str, operators_pass: str) -> Sequence[Open]:
    try:
        with trio.fail_after(_ANSWER_SECONDS):
            response = await client.get(f"{url}/codespaces", headers={"Authorization": f"Bearer {operators_pass}"})
    except (httpx.HTTPError, trio.TooSlowError):
        raise PyshareError(f"{url} does not answer; give the address of the server's --metrics-port") from None
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        raise ConfigurationError(
            f"{url} has another secret, or another time: give the --data-folder of that server, or its PYSHARE_SECRET"
        )
    if response.status_code in {HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE}:
        raise PyshareError(f"{url}: {response.json()['reason']}")
    try:
        return _ANSWER.validate_json(response.content).codespaces
    except ValidationError:
        raise ConfigurationError(f"{url} lists no codespaces; give the address of its --metrics-port") from None


def merged(found: Sequence[Open]) -> list[Open]:
    """Return each codespace once, those with most people first: one that several servers have open is one."""
    together: dict[str, Open] = {}
    for each in found:
        other = together.get(each.codespace)
        together[each.codespace] = each if other is None else _both(other, each)
    return sorted(together.values(), key=lambda each: (-len(each.people), each.codespace))


def _both(one: Open, other: Open) -> Open:
    newer = max(one, other, key=lambda each: each.version)
    quiet = [each.quiet_seconds for each in (one, other) if each.quiet_seconds is not None]
    return Open(
        one.codespace,
        newer.units,
        newer.version,
        max(one.open_seconds, other.open_seconds),
        min(quiet, default=None),
        one.people + other.people,
    )


def table_of(found: Sequence[Open]) -> Table:
    """Return a table with a line for each codespace, and below it one for each person in it."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name, justify in zip(
        ("codespace", "people", "characters", "edits", "open for", "last edit"), "lrrrrr", strict=True
    ):
        table.add_column(name, justify="left" if justify == "l" else "right", overflow="fold")
    table.add_column("mode")
    table.add_column("address")
    table.add_column("client")
    for each in found:
        quiet = "-" if each.quiet_seconds is None else f"{shown_age(each.quiet_seconds)} ago"
        counts = (str(len(each.people)), str(each.units), str(each.version))
        table.add_row(Text(each.codespace), *counts, shown_age(each.open_seconds), quiet)
        for cells in _lines(each.people):
            table.add_row(*cells)
    return table


def _lines(people: Sequence[Person]) -> Iterator[tuple[str | Text, ...]]:
    for person in people:
        # Names are what people have typed: shown as they are, never as markup.
        name = Text(f"  {person.name or '(no name)'}")
        yield (name, "", "", "", "", "", person.mode, Text(person.remote), Text(person.client))


def shown_age(seconds: int) -> str:
    """Return a time in its largest whole unit, as 45 s, 12 min, 3 h or 2 d."""
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name}"
    return f"{max(seconds, 0)} s"
