"""The table of close codes, and reasons that fit a close frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshare.core.errors import (
    CLOSE_CODES,
    REASON_BYTES,
    CloseCode,
    Closing,
    ConfigurationError,
    ConnectionRefused,
    Fault,
    PushRefused,
    PyshareError,
    RefusalCode,
    leaves,
    shortened,
)

anything = st.text(st.characters(), max_size=200)


def test_every_close_code_has_a_row_in_the_table() -> None:
    assert list(CLOSE_CODES) == list(CloseCode)


def test_every_close_code_is_one_that_an_endpoint_may_send() -> None:
    # RFC 6455, section 7.4: 1004 to 1006 and 1015 are never sent, and 4000 to 4999 are for private use.
    sendable = {1000, 1001, 1002, 1003, *range(1007, 1015)}
    assert all(code in sendable or 4000 <= code <= 4999 for code in CloseCode)


def test_no_client_comes_back_by_itself_with_what_the_server_refuses_for_good() -> None:
    for code, row in CLOSE_CODES.items():
        if row.fault is Fault.SERVER:
            assert row.come_back, f"{code!r} is the server's fault, the client can do nothing but try again"
    stays_away = {code for code, row in CLOSE_CODES.items() if not row.come_back}
    assert stays_away == {1000, 1003, 1007, 1009, 4400, 4401, 4403, 4404, 4410}


def test_a_short_reason_is_kept_as_it_is() -> None:
    assert Closing(CloseCode.DONE, "session taken over").reason == "session taken over"
    assert shortened("x" * REASON_BYTES) == "x" * REASON_BYTES


def test_a_long_reason_is_cut_and_says_so() -> None:
    assert Closing(CloseCode.DONE, "x" * 124).reason == "x" * 120 + "..."


def test_a_reason_is_cut_between_characters() -> None:
    assert shortened("aé", 3) == "aé"
    assert shortened("ééé", 5) == "é..."
    assert shortened("\U0001f600" * 31, REASON_BYTES) == "\U0001f600" * 30 + "..."
    assert shortened("aaa\U0001f600", 6) == "aaa..."


@given(anything)
def test_a_reason_fits_a_close_frame_whatever_is_in_it(text: str) -> None:
    reason = Closing(CloseCode.NOT_UNDERSTOOD, text).reason
    assert len(reason.encode()) <= REASON_BYTES
    kept = reason if len(text.encode("utf-8", "replace")) <= REASON_BYTES else reason.removesuffix("...")
    assert text.encode("utf-8", "replace").decode().startswith(kept)


@given(anything, st.integers(min_value=3, max_value=50))
def test_a_text_is_shortened_to_any_limit_that_has_room_for_the_dots(text: str, limit: int) -> None:
    assert len(shortened(text, limit).encode()) <= limit


def test_what_refuses_a_connection_carries_its_closing_and_reads_well() -> None:
    error = ConnectionRefused(Closing(CloseCode.GONE, "the codespace has expired"))
    assert error.closing == Closing(CloseCode.GONE, "the codespace has expired")
    assert str(error) == "4410 the codespace has expired"


def test_what_refuses_a_push_carries_its_code_and_reads_well() -> None:
    error = PushRefused(RefusalCode.TOO_OLD, "version 1 is older than the history")
    assert (error.code, error.reason) == (RefusalCode.TOO_OLD, "version 1 is older than the history")
    assert str(error) == "too_old: version 1 is older than the history"


@pytest.mark.parametrize("kind", [ConfigurationError, ConnectionRefused, PushRefused])
def test_all_that_a_user_or_peer_can_do_something_about_has_one_base(kind: type[Exception]) -> None:
    assert issubclass(kind, PyshareError)


def test_a_group_of_errors_is_taken_apart_to_its_leaves() -> None:
    one, two, three = ValueError(), KeyError(), TypeError()
    group = ExceptionGroup("", [one, ExceptionGroup("", [two, three])])
    assert list(leaves(group)) == [one, two, three]
    assert list(leaves(one)) == [one]
