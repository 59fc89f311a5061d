"""A stock editor and its shadow: whatever is typed and delayed, both come to one text with all that was typed."""

from collections import deque
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.shadow import Shadow
from pyshare.core.units import splits_pair, to_units


class StockEditor:
    """The stock front end, as SharePython has it: makes its own edits, and those it is sent if the length is right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.dropped = 0

    def make(self, *changes: Change) -> ChangeSet:
        """Make an edit of its own and return what it sends."""
        edit = ChangeSet.of(changes, len(self.text))
        self.text = edit.apply(self.text)
        return edit

    def handle(self, changes: ChangeSet) -> None:
        """Handle an edit that it is sent."""
        if changes.length == len(self.text):
            self.text = changes.apply(self.text)
        else:
            self.dropped += 1


class Line:
    """A stock editor and its shadow, with what is on its way between them."""

    def __init__(self, text: str, held: str | None = None, others: tuple[str, ...] = ()) -> None:
        self.editor = StockEditor(text if held is None else held)
        self.shadow = Shadow(text, others)
        self.to_editor: deque[ChangeSet] = deque()
        self.to_server: deque[ChangeSet] = deque()

    def corrects(self, *, quiet: bool = False) -> None:
        self.to_editor.extend(self.shadow.corrections(quiet=quiet))

    def others_make(self, *changes: Change) -> None:
        """Others change the text."""
        made = ChangeSet.of(changes, len(self.shadow.aim))
        if self.shadow.follow(made, made.apply(self.shadow.aim)):
            self.to_editor.append(made)
        self.corrects()

    def makes(self, *changes: Change) -> None:
        """The editor makes an edit."""
        self.to_server.append(self.editor.make(*changes))

    def editor_handles(self) -> None:
        if self.to_editor:
            self.editor.handle(self.to_editor.popleft())

    def server_handles(self) -> None:
        if self.to_server:
            self.shadow.receive(self.to_server.popleft())
            self.corrects()

    def rests(self) -> None:
        """Everything arrives, and the editor is quiet."""
        while self.to_editor or self.to_server:
            self.server_handles()
            self.editor_handles()
        self.corrects(quiet=True)
        while self.to_editor:
            self.editor_handles()
        assert self.shadow.in_step
        assert self.editor.text == self.shadow.aim


def test_what_others_make_reaches_an_editor_that_is_in_step() -> None:
    line = Line("text")
    line.others_make(Change(0, 0, "some "))
    line.others_make(Change(9, 9, "!"))
    assert len(line.to_editor) == 2
    line.rests()
    assert line.editor.text == "some text!"
    assert line.editor.dropped == 0


def test_what_an_editor_makes_is_placed_where_it_was_made() -> None:
    line = Line("one three")
    line.others_make(Change(0, 0, "zero "))
    line.makes(Change(4, 4, "two "))
    line.rests()
    assert line.editor.text == "zero one two three"


def test_what_an_editor_drops_is_sent_again_in_terms_of_what_it_holds() -> None:
    line = Line("text")
    line.others_make(Change(0, 0, "A"))
    line.makes(Change(4, 4, "x"))
    line.editor_handles()
    assert line.editor.dropped == 1
    line.server_handles()
    line.rests()
    assert line.editor.text == "Atextx"


def test_an_edit_is_known_to_be_made_before_or_behind_what_was_sent_by_its_length() -> None:
    for handled in range(4):
        line = Line("....")
        for letter in "abc":
            line.others_make(Change(0, 0, letter))
        for _ in range(handled):
            line.editor_handles()
        line.makes(Change(0, 0, "x"))
        line.rests()
        assert sorted(line.editor.text) == sorted("....abcx")


def test_a_doubt_is_settled_when_the_editor_is_quiet_and_nothing_is_sent_before() -> None:
    for handled in (False, True):
        line = Line("abc")
        line.others_make(Change(1, 2, "B"))
        if handled:
            line.editor_handles()
        line.makes(Change(3, 3, "x"))
        line.server_handles()
        assert not line.shadow.in_step
        line.others_make(Change(0, 0, "more "))
        line.rests()
        assert line.editor.text == "more aBcx"


def test_an_editor_that_loaded_an_older_text_is_brought_to_the_newest() -> None:
    for held in ("old", "older", "new text"):
        line = Line("new text", held, ("old", "older"))
        line.rests()
        assert line.editor.text == "new text"


def test_an_editor_that_holds_what_it_cannot_is_brought_back_and_what_it_typed_is_kept() -> None:
    line = Line("text", "something else altogether")
    line.makes(Change(25, 25, " typed"))
    line.rests()
    assert "typed" in line.editor.text
    assert line.editor.text.startswith("text")


def test_an_editor_that_is_silent_for_long_is_remembered_within_bounds() -> None:
    line = Line("")
    for index in range(2000):
        line.others_make(Change(index, index, "x"))
        line.editor_handles()
    assert len(line.shadow._sent) <= 512
    line.makes(Change(0, 0, "y"))
    line.rests()
    assert line.editor.text == "y" + "x" * 2000


def play(random: Random, steps: int, *, inserts_only: bool) -> tuple[Line, list[str], list[str]]:
    """Do things at random, each letter typed once by the editor or by others; return what either typed."""
    line = Line(to_units("start \U0001f600 text"))
    letters = iter(map(chr, range(0x4E00, 0x9FFF)))
    own: list[str] = []
    others: list[str] = []

    def changes_of(text: str, typed: list[str]) -> Change:
        start = random.randrange(len(text) + 1)
        start -= splits_pair(text, start)
        end = start
        if not inserts_only and random.random() < 0.3:
            end = min(len(text), start + random.randrange(4))
            end -= splits_pair(text, end)
            end = max(start, end)
            # What is counted is not deleted.
            if any(letter >= "\u4e00" for letter in text[start:end] if letter < "\ud800"):
                end = start
        letter = next(letters) if random.random() < 0.8 or end == start else ""
        typed.extend(letter)
        return Change(start, end, letter + random.choice(("", "", to_units("\U0001f680"))) if letter else "")

    for _ in range(steps):
        match random.randrange(5):
            case 0:
                line.others_make(changes_of(line.shadow.aim, others))
            case 1:
                line.makes(changes_of(line.editor.text, own))
            case 2:
                line.editor_handles()
            case 3:
                line.server_handles()
            case _:
                for _ in range(random.randrange(6)):
                    line.server_handles()
                    line.editor_handles()
    return line, own, others


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 60), st.booleans())
def test_whatever_is_typed_and_delayed_the_editor_comes_to_the_text_and_nothing_typed_is_lost_or_doubled(
    random: Random, steps: int, inserts_only: bool
) -> None:
    line, own, others = play(random, steps, inserts_only=inserts_only)
    line.rests()
    counted = [letter for letter in line.editor.text if "\u4e00" <= letter <= "\u9fff"]
    if inserts_only:
        assert sorted(counted) == sorted(own + others)
    else:
        assert len(counted) == len(set(counted)), "nothing is doubled"
        assert set(counted) <= set(own + others)


@pytest.mark.parametrize("pause", [3, 10])
def test_an_editor_that_types_without_pause_is_healed_as_soon_as_it_pauses(pause: int, seed: int) -> None:
    random = Random(seed)
    line = Line("")
    for step in range(200):
        line.makes(Change(len(line.editor.text), len(line.editor.text), "o"))
        line.others_make(Change(0, 0, "x"))
        if step % pause == 0:
            for _ in range(random.randrange(10)):
                line.server_handles()
                line.editor_handles()
    line.rests()
    assert sorted(line.editor.text) == sorted("o" * 200 + "x" * 200)


@pytest.mark.parametrize(("one", "other"), [("\U0001f600", "\U0001f601"), ("\U0001f600", "\U0001fa00")])
def test_a_doubt_about_half_a_character_is_settled_by_the_whole_one(one: str, other: str) -> None:
    aim, held = to_units(f"a{one}b"), to_units(f"a{other}b")
    shadow = Shadow(aim, (held,))
    (correction,) = shadow.corrections(quiet=True)
    assert [(each.from_a, each.to_a) for each in correction.changes()] == [(1, 3)]
    assert correction.apply(held) == correction.apply(aim) == aim


def test_what_was_dropped_long_ago_is_forgotten_as_dropped() -> None:
    line = Line("text")
    line.others_make(Change(0, 0, "A"))
    line.makes(Change(4, 4, "x"))
    line.server_handles()
    for index in range(1000):
        line.others_make(Change(0, 0, str(index % 10)))
        line.editor_handles()
    line.rests()
    assert line.editor.text.endswith("Atextx")


def test_following_an_editor_costs_no_more_than_its_bound_however_long_the_text_and_alike_the_edits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    length = 400_000
    copied = [0]
    apply = ChangeSet.apply

    def counting(changes: ChangeSet, text: str) -> str:
        copied[0] += len(text)
        return apply(changes, text)

    monkeypatch.setattr(ChangeSet, "apply", counting)
    shadow = Shadow("a" * length)
    aim = shadow.aim
    for turn in range(3):
        for number in range(300):
            # Of one length all of them: any may have been handled when the editor types.
            changes = ChangeSet.of([Change(number, number + 1, "bcd"[turn])], length)
            aim = apply(changes, aim)
            before = copied[0]
            if not shadow.follow(changes, aim):
                shadow.corrections(quiet=True)
            assert copied[0] - before < 8 * 16_777_216
        before = copied[0]
        shadow.receive(ChangeSet.of([Change(0, 1, "x")], length))
        shadow.corrections(quiet=True)
        aim = shadow.aim
        assert copied[0] - before < 8 * 16_777_216
        assert shadow.work_units < 8 * 16_777_216
