"""Arguments of a wrong type, as programs without a type checker give them: each is named, and does nothing."""

import pydoc
import re
from collections.abc import Callable
from typing import TypeVar, cast

import pytest

from pyshare.client import Change, Codespace, PeerSelected, connect, sync
from tests.client.world import URL, World

_Kind = TypeVar("_Kind")


class Number:
    """A whole number of another library, as those of NumPy are."""

    def __index__(self) -> int:
        return 1


def given(value: object, kind: type[_Kind]) -> _Kind:
    """Return a value where a type checker wants another one."""
    return cast(_Kind, value)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda it: it.edit([(0, 1, "x")]), "changes[0] should be a Change, not tuple"),
        (lambda it: it.edit(Change(0, 0, "x")), "changes should be a list of Change, not Change"),
        (lambda it: it.edit("x"), "changes should be a list of Change, not str"),
        (lambda it: it.edit([Change(0, 1), "x"]), "changes[1] should be a Change, not str"),
        (lambda it: it.insert(0, 5), "changes[0].insert should be a str, not int"),
        (lambda it: it.insert("0", "x"), "changes[0].start should be a whole number, not str"),
        (lambda it: it.insert(0.0, "x"), "changes[0].start should be a whole number, not float"),
        (lambda it: it.delete(0, None), "changes[0].end should be a whole number, not NoneType"),
        (lambda it: it.append(None), "changes[0].insert should be a str, not NoneType"),
        (lambda it: it.set_text(b"x"), "text should be a str, not bytes"),
        (lambda it: it.select(5), "ranges should be a list of (anchor, head), not int"),
        (lambda it: it.select([5]), "ranges[0] should be (anchor, head), not 5"),
        (lambda it: it.select([(0, 1, 2)]), "ranges[0] should be (anchor, head), not (0, 1, 2)"),
        (lambda it: it.select([(0, "1")]), "ranges[0][1] should be a whole number, not str"),
        (lambda it: it.mark(0.0), "pos should be a whole number, not float"),
    ],
)
async def test_a_wrong_type_is_named_and_nothing_is_changed(call: Callable[[Codespace], object], said: str) -> None:
    async with World("abc").client() as codespace:
        with pytest.raises(TypeError, match=f"^{re.escape(said)}$"):
            call(codespace)
        assert (codespace.text, codespace.unconfirmed, codespace.selected) == ("abc", 0, ())


async def test_whole_numbers_of_other_libraries_are_positions() -> None:
    async with World("abc").client() as codespace:
        codespace.insert(given(Number(), int), "x")
        codespace.select([(given(Number(), int), 2)])
        assert (codespace.text, codespace.selected) == ("axbc", ((1, 2),))
        await codespace.wait_confirmed()


async def test_an_address_and_a_name_of_a_wrong_type_are_named() -> None:
    with pytest.raises(TypeError, match=r"^url should be a str, not NoneType$"):
        await connect(given(None, str)).__aenter__()
    with pytest.raises(TypeError, match=r"^name should be a str, not int$"):
        await connect(URL, name=given(5, str)).__aenter__()


def test_help_shows_types_as_programs_write_them() -> None:
    for each in (Codespace, sync.Codespace, PeerSelected):
        text = pydoc.plain(pydoc.render_doc(each))
        assert "Annotated" not in text
        assert each is PeerSelected or "Sequence[tuple[int, int]]" in text
