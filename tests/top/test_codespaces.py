"""The list of open codespaces, as an operator reads it."""

import io

import pytest
from rich.console import Console

from pyshare.top.codespaces import Open, Person, merged, shown_age, table_of

ADA = Person("Ada", "edit", "nsluHdkfcIMTkD9C", "192.0.2.4:59896")
BEN = Person("[red]Ben", "view_only", "N9QfGalfW8AYKS4s", "192.0.2.5:59897")


def printed(*found: Open) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=160).print(table_of(found))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_codespace_is_a_line_and_each_person_in_it_another_with_the_name_as_it_was_typed() -> None:
    heading, lesson, ada, ben = printed(Open("class-7", 1500, 42, 7300, 61, (ADA, BEN)))
    assert heading.split("  ")[0] == "codespace"
    assert lesson.split() == ["class-7", "2", "1500", "42", "2", "h", "1", "min", "ago"]
    assert ada.split() == ["Ada", "edit", "192.0.2.4:59896", "nsluHdkfcIMTkD9C"]
    assert ben.split() == ["[red]Ben", "view_only", "192.0.2.5:59897", "N9QfGalfW8AYKS4s"]


def test_a_codespace_that_two_servers_have_open_is_one_with_the_people_of_both() -> None:
    busy = Open("b", 1, 1, 1, None, (ADA,))
    here, there = Open("a", 10, 5, 100, None, (ADA,)), Open("a", 12, 6, 50, 3, (BEN,))
    assert merged([busy, here, there]) == [Open("a", 12, 6, 100, 3, (ADA, BEN)), busy]


def test_those_with_most_people_come_first() -> None:
    found = [Open(name, 0, 0, 0, None, people) for name, people in [("a", ()), ("c", (ADA,)), ("b", (ADA,))]]
    assert [each.codespace for each in merged(found)] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-1, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (200_000, "2 d")]
)
def test_an_age_is_shown_in_its_largest_whole_unit(seconds: int, shown: str) -> None:
    assert shown_age(seconds) == shown
