"""Programs from outside that some tests need: without them those tests are skipped, or fail where told to.

A test that needs a program asks `require` first. On a bare machine it is then skipped with a notice that
names the program, and the summary of the run lists what was missing. Where the variable
`PYSHARE_TEST_REQUIRE` is 1, as in CI, a missing program fails the test, so that nothing is left out unseen.
"""

import os
from typing import Final

import pytest

REQUIRE_VARIABLE: Final = "PYSHARE_TEST_REQUIRE"

#: How the reason of every skip made here begins, by which the summary of a run tells them from other skips.
SKIP_PREFIX: Final = "needs "


def require(program: str, found: bool, hint: str) -> None:
    """Skip the running test unless `found`; fail it instead where every test must run.

    Args:
        program: The program's name, as a person would look for it.
        found: Whether it is there, as the caller has looked for it.
        hint: How to get it.
    """
    __tracebackhide__ = True
    if found:
        return
    notice = f"{SKIP_PREFIX}{program}, which was not found: {hint}"
    if os.environ.get(REQUIRE_VARIABLE) == "1":
        pytest.fail(notice, pytrace=False)
    pytest.skip(notice)
