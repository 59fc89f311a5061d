"""Change sets and rebasing agree with the real CodeMirror in every recorded case."""

import json
from pathlib import Path
from typing import Final, cast

import pytest

from tests.core.vectors import ANSWERS, Case, assert_agrees

_FILE: Final = Path(__file__).parent.parent / "codemirror" / "vectors.json"


@pytest.fixture(scope="module")
def vectors() -> list[Case]:
    return cast("list[Case]", json.loads(_FILE.read_text(encoding="ascii")))


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_recorded_case_is_answered_as_by_codemirror(kind: str, vectors: list[Case]) -> None:
    # The array's first case stands on the file's second line.
    cases = [(line, case) for line, case in enumerate(vectors, 2) if case["kind"] == kind]
    assert cases
    for line, case in cases:
        assert_agrees(f"{_FILE.name}:{line}", case)


def test_every_recorded_case_is_of_a_kind_that_is_replayed(vectors: list[Case]) -> None:
    assert {case["kind"] for case in vectors} == set(ANSWERS)


@pytest.mark.parametrize(("pushes", "text"), [(2, "aRX"), (1, "aXR")])
def test_a_deletion_and_an_insertion_place_a_tie_by_whether_they_are_one_push(
    pushes: int, text: str, vectors: list[Case]
) -> None:
    others: list[Case] = [{"sender": "b", "changes": [1, [1]]}, {"sender": "b", "changes": [1, [0, "R"]]}]
    over = [others] if pushes == 1 else [[update] for update in others]
    own = [[1, [0, "X"], 1]]
    rebased = [case for case in vectors if case.get("over") == over and case["push"] == own]
    edited = [case for case in vectors if case.get("frames") == over and case["unconfirmed"] == own]
    assert [case["text"] for case in rebased + edited] == [text, text]
