"""A view of a text after changes reads as that text does."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.units import splits_pair, to_units
from pyshare.core.view import View

TEXT = to_units("some \U0001f600 text")


@st.composite
def change_sets(draw: st.DrawFn, length: int) -> ChangeSet:
    """Draw a change set of a text of `length`."""
    changes = []
    pos = 0
    while pos <= length and draw(st.booleans()):
        start = draw(st.integers(pos, length))
        end = draw(st.integers(start, length))
        changes.append(Change(start, end, draw(st.sampled_from(["", "a", "bcd", "\U0001f680"]))))
        pos = end + 1
    return ChangeSet.of(changes, length)


@settings(deadline=None)
@given(st.data())
def test_every_part_of_a_view_is_that_part_of_the_text(data: st.DataObject) -> None:
    view, text = View(TEXT), TEXT
    for _ in range(data.draw(st.integers(0, 3))):
        changes = data.draw(change_sets(len(text)))
        view, text = view.after(changes), changes.apply(text)
    assert len(view) == len(text)
    for start in range(len(text) + 1):
        assert view.splits_pair(start) == splits_pair(text, start)
        for end in range(start, len(text) + 1):
            assert view.read(start, end) == text[start:end]


def test_an_empty_text_has_an_empty_view() -> None:
    assert View("", ChangeSet.empty_of(0)).read(0, 0) == ""
