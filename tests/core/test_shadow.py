"""A stock editor and its shadow: whatever is typed and delayed, both come to one text with all that was typed."""

from collections import deque
from functools import partial
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.difference import changed_part
from pyshare.core.repair import whole_pairs
from pyshare.core.shadow import Shadow
from pyshare.core.units import has_lone_surrogate, splits_pair, to_units
from pyshare.core.view import View
from pyshare.core.work import Work


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
        # The text that the editor is to hold.
        self.aim = text
        self.shadow = Shadow(len(text), {len(each): ends_in_common(each, text) for each in others})
        self.to_editor: deque[ChangeSet] = deque()
        self.to_server: deque[ChangeSet] = deque()
        # The time, which goes on when the editor rests.
        self.now = 0.0

    def corrects(self, *, quiet: bool = False) -> None:
        parts = self.shadow.parts(View(self.aim), quiet=quiet)
        if parts is not None:
            assert all(len(list(each.changes())) == 1 for each in parts), "one change a frame"
            self.shadow.sent(parts, self.now)
            self.to_editor.extend(parts)

    def others_make(self, *changes: Change) -> None:
        """Others change the text."""
        made = ChangeSet.of(changes, len(self.aim))
        self.aim = made.apply(self.aim)
        self.shadow.follow(made)
        self.corrects()

    def makes(self, *changes: Change) -> None:
        """The editor makes an edit."""
        self.to_server.append(self.editor.make(*changes))

    def editor_handles(self) -> None:
        if self.to_editor:
            self.editor.handle(self.to_editor.popleft())

    def server_handles(self) -> None:
        if self.to_server:
            aim = View(self.aim)
            allow = partial(whole_pairs, text=aim)
            made = self.shadow.receive(self.to_server.popleft(), self.now, aim=aim, allow=allow)
            self.aim = made.apply(self.aim)
            assert not has_lone_surrogate(self.aim)
            self.corrects()

    def rests(self) -> None:
        """Everything arrives, and the editor is quiet."""
        while self.to_editor or self.to_server:
            self.server_handles()
            self.editor_handles()
        self.now += 1
        self.corrects(quiet=True)
        while self.to_editor:
            self.editor_handles()
        assert self.shadow.in_step
        assert self.editor.text == self.aim


def ends_in_common(one: str, two: str) -> tuple[int, int]:
    """Return the units at the beginning, and at the end, that two texts share."""
    start, end, _ = changed_part(one, two)
    return start, len(one) - end


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


@pytest.mark.parametrize("handled", [False, True])
@pytest.mark.parametrize("filler", ["", "long text " * 1000])
def test_a_doubt_about_a_short_part_is_settled_at_once_and_one_about_a_long_part_when_the_editor_is_quiet(
    handled: bool, filler: str
) -> None:
    line = Line(f"abc{filler}def")
    line.others_make(Change(1, 2, "B"), Change(4 + len(filler), 5 + len(filler), "E"))
    while handled and line.to_editor:
        line.editor_handles()
    line.makes(Change(len(line.aim), len(line.aim), "x"))
    line.server_handles()
    assert line.shadow.in_step == (not filler)
    line.others_make(Change(0, 0, "more "))
    line.rests()
    assert line.editor.text == f"more aBc{filler}dEfx"


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
    assert line.shadow.on_the_way <= 4096
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
                line.others_make(changes_of(line.aim, others))
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
    line = Line(aim, held, (held,))
    line.corrects(quiet=True)
    (correction,) = line.to_editor
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


@pytest.mark.parametrize("count", [20, 60, 100, 112, 150, 1000])
def test_an_editor_of_a_long_text_that_types_before_it_handles_anything_is_healed(count: int) -> None:
    line = Line("a" * 150_000)
    for _ in range(count):
        line.others_make(Change(0, 0, "x"))
    line.makes(Change(5, 5, "y"))
    line.server_handles()
    line.rests()
    assert line.editor.text.count("x") == count
    assert line.editor.text.count("y") == 1


@pytest.mark.parametrize("behind", range(0, 60, 7))
def test_an_editor_whose_edit_nothing_explains_is_healed_wherever_it_stands(behind: int) -> None:
    line = Line("text of some length")
    for index in range(60):
        line.others_make(Change(index % 7, index % 7, "x" * (1 + index % 3)))
    for _ in range(60 - behind):
        line.editor_handles()
    # A paste that the front end cannot send, and a key after it.
    line.editor.make(Change(3, 3, "pasted\n" * 40))
    line.makes(Change(0, 0, "y"))
    line.server_handles()
    line.rests()
    assert line.editor.text.count("y") == 1
    assert "pasted" not in line.editor.text


def test_an_editor_in_doubt_that_types_after_others_have_changed_very_many_places_is_healed() -> None:
    line = Line("text " * 400)
    # A paste that the front end cannot send, and a key after it.
    line.editor.make(Change(3, 3, "pasted"))
    line.makes(Change(0, 0, "y"))
    line.server_handles()
    line.shadow.follow(everywhere := ChangeSet.of([Change(at, at, ",") for at in range(0, 2000, 5)], len(line.aim)))
    line.aim = everywhere.apply(line.aim)
    line.makes(Change(0, 0, "z"))
    line.server_handles()
    line.rests()
    assert line.editor.text.count("y") == line.editor.text.count("z") == 1
    assert line.editor.text.count(",") == 400


def test_what_was_sent_long_ago_has_arrived() -> None:
    line = Line("text")
    line.others_make(Change(0, 0, "A"))
    line.others_make(Change(0, 0, "B"))
    while line.to_editor:
        line.editor_handles()
    line.now += 31
    line.others_make(Change(0, 0, "C"))
    assert line.shadow.on_the_way == 1
    line.makes(Change(2, 2, "x"))
    line.rests()
    assert line.editor.text == "CBAxtext"


@pytest.mark.parametrize("seconds", [1, 15, 29, 45])
def test_frames_that_arrive_one_by_one_are_forgotten_under_an_editor_whose_place_among_them_is_not_known(
    seconds: int,
) -> None:
    text = "one"
    shadow = Shadow(len(text))

    def foreign_key(now: float) -> None:
        nonlocal text
        shadow.follow(ChangeSet.of([Change(0, 0, "a")], len(text)))
        text = "a" + text
        parts = shadow.parts(View(text), quiet=True)
        assert parts is not None
        shadow.sent(parts, now)

    for now in range(30):
        foreign_key(now)
    # The editor may have handled any number of frames when its text had this length.
    shadow.lose(17, 29.5)
    foreign_key(31)
    key = ChangeSet.of([Change(0, 0, "z")], len(text))
    assert shadow.receive(key, 31.0 + seconds, aim=View(text)).apply(text) == "z" + text
    assert shadow.in_step
    assert shadow.on_the_way <= 33


def test_an_editor_in_doubt_for_long_is_healed_of_whatever_happened_meanwhile() -> None:
    line = Line("." * 20_000)
    line.others_make(Change(1, 2, "B"), Change(15_000, 15_001, "E"))
    line.makes(Change(10_000, 10_000, "x"))
    line.server_handles()
    assert not line.shadow.in_step
    for place in range(300):
        line.others_make(Change(50 * place, 50 * place, "o"))
    line.rests()
    assert line.editor.text.count("o") == 300
    assert line.editor.text.count("x") == 1


def test_an_edit_that_is_not_taken_is_taken_back_in_the_editor_when_it_is_quiet() -> None:
    line = Line("some text")
    line.editor.make(Change(4, 4, " long"))
    line.shadow.lose(len(line.editor.text), line.now)
    line.corrects()
    line.rests()
    assert line.editor.text == "some text"


@pytest.mark.parametrize("length", [10**15, 2**53 - 1])
def test_a_length_that_an_editor_cannot_have_costs_no_memory(length: int) -> None:
    shadow = Shadow(4)
    made = shadow.receive(ChangeSet.of([Change(length - 1, length, "x")], length), 0, aim=View("text"))
    assert made.apply("text") == "textx"
    frames = shadow.parts(View("textx"), quiet=True)
    assert frames
    frame = frames[0]
    assert (frame.length, frame.new_length) == (length, 5)


def test_an_editor_of_an_empty_text_is_followed() -> None:
    line = Line("x")
    line.others_make(Change(0, 1, ""))
    line.makes(Change(0, 1, ""))
    line.rests()
    assert line.editor.text == ""


def test_following_an_editor_takes_no_more_steps_in_a_long_text_than_in_a_short_one() -> None:
    steps = []
    for length in (100, 400_000):
        aim = "a" * length
        shadow = Shadow(length)
        work = Work()
        for number in range(60):
            changes = ChangeSet.of([Change(number, number, "b")], len(aim))
            aim = changes.apply(aim)
            shadow.follow(changes)
            shadow.sent(shadow.parts(View(aim), quiet=True) or [], number / 40)
            edit = ChangeSet.of([Change(0, 0, "x")], length + 2 * number)
            aim = shadow.receive(edit, number / 40, aim=View(aim), work=work).apply(aim)
            shadow.sent(shadow.parts(View(aim), quiet=True) or [], number / 40)
        steps.append(work.spent)
    assert steps[1] <= steps[0]
