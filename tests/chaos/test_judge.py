"""The judge of chaos finds each kind of harm."""

from collections.abc import Callable
from random import Random

import pytest

from tests.chaos.__main__ import main
from tests.chaos.faults import GENTLE, KEEPING, LOSING
from tests.chaos.judge import Typed, judge
from tests.chaos.people import letters_of
from tests.chaos.play import Report, draw

ONE, TWO = letters_of(0), letters_of(1)
#: A text with fillers, and two people who have typed it: nothing is wrong.
TEXT = f"{ONE[:3]}-{TWO[:2]}\U0001f600{ONE[3]}\n"
PEOPLE = [Typed("alice", (ONE[:3], ONE[3])), Typed("bob", (TWO[:2],))]


def found(text: str, people: list[Typed] | None = None) -> str:
    """Return what the judge finds wrong where all places show one text."""
    return "; ".join(judge({"screen": text, "Redis": text}, people or PEOPLE))


def test_a_right_text_is_right() -> None:
    assert found(TEXT) == ""


@pytest.mark.parametrize("letter", [*ONE[:4], *TWO[:2]])
def test_a_letter_that_is_lost_is_found(letter: str) -> None:
    assert "lost 1 of" in found(TEXT.replace(letter, ""))


@pytest.mark.parametrize("letter", [*ONE[:4], *TWO[:2]])
def test_a_letter_that_is_doubled_is_found(letter: str) -> None:
    assert "more than once 1 of" in found(f"{TEXT}{letter}")


def test_a_letter_that_was_told_to_be_lost_may_be_there_once_or_not_but_not_twice() -> None:
    people = [Typed("alice", (ONE[:3], ONE[3]), maybe=ONE[1]), PEOPLE[1]]
    assert found(TEXT, people) == ""
    assert found(TEXT.replace(ONE[1], ""), people) == ""
    assert "more than once" in found(f"{TEXT}{ONE[1]}", people)


def test_letters_of_a_word_in_another_order_are_found() -> None:
    assert "alice: typed" in found(TEXT.replace(ONE[:2], ONE[1::-1]))


def test_the_order_of_somebody_whose_order_does_not_count_is_not_judged_but_what_is_lost_is() -> None:
    people = [Typed("alice", (ONE[:3], ONE[3]), ordered=False), PEOPLE[1]]
    assert found(TEXT.replace(ONE[:2], ONE[1::-1]), people) == ""
    assert "lost" in found(TEXT.replace(ONE[0], ""), people)


def test_words_may_stand_in_any_order_and_with_others_letters_between() -> None:
    assert found(f"{ONE[3]}{ONE[0]}{TWO[0]}{ONE[1]}{TWO[1]}{ONE[2]}") == ""


def test_a_letter_that_nobody_has_typed_is_found() -> None:
    assert "nobody has typed" in found(f"{TEXT}{TWO[2]}")


def test_a_place_with_another_text_is_named() -> None:
    wrong = judge({"screen": TEXT, "page": TEXT, "Redis": TEXT[:-1]}, PEOPLE)
    assert len(wrong) == 1
    assert "others: Redis" in wrong[0]


def test_a_text_that_is_empty_has_lost_everything() -> None:
    assert found("").count("lost") == 2


def test_each_fault_has_a_list_and_only_those_that_keep_data_and_servers_are_gentle() -> None:
    assert set(GENTLE) < set(KEEPING)
    assert not set(LOSING) & set(KEEPING)
    assert {name for name in KEEPING if name.startswith("server")} == set(KEEPING) - set(GENTLE)


def test_the_help_names_the_minutes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["chaos", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert "--minutes" in capsys.readouterr().out


@pytest.mark.parametrize(("wrong", "code"), [([], 0), (["alice: lost 1 of 4 letters"], 1)])
def test_the_command_exits_with_1_if_something_is_wrong(
    wrong: list[str], code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(
        seconds: float, servers: int, seed: int, program: str, tell: Callable[[str], None], report: Report
    ) -> None:
        assert (seconds, servers, seed) == (120, 2, 7)
        report.wrong += wrong
        report.faults["flushall"] += 3

    monkeypatch.setattr("tests.chaos.__main__.play", play)
    monkeypatch.setattr("sys.argv", ["chaos", "--minutes", "2", "--servers", "2", "--seed", "7"])
    assert main() == code
    told = capsys.readouterr().out
    assert "--seed 7" in told
    assert all(each in told for each in ["flushall", *wrong])


def test_the_faults_of_a_round_follow_from_the_seed_and_no_server_is_stopped_where_data_are_lost(seed: int) -> None:
    losing = 0
    for number in range(200):
        drawn = draw(Random(seed + number))
        assert drawn == draw(Random(seed + number))
        names = {name for _, name, _ in drawn}
        if names & set(LOSING):
            losing += 1
            assert names - set(LOSING) <= set(GENTLE)
    assert losing
