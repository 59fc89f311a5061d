"""Tokens that a server signs: what they are good for, and what is done with others."""

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshare.core.errors import CloseCode, ConnectionRefused
from pyshare.net.tokens import SECRET_LENGTH, Grant, Signer

SECRET = "s" * SECRET_LENGTH
NOW = 1_800_000_000


def signer(secret: str = SECRET, now: float = NOW) -> Signer:
    return Signer(secret, now=lambda: now)


def refusal(token: str, by: Signer | None = None) -> CloseCode:
    with pytest.raises(ConnectionRefused) as caught:
        (by or signer()).read(token)
    return caught.value.closing.code


@given(
    st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}", fullmatch=True),
    st.sampled_from(("edit", "view_only")),
    st.none() | st.integers(NOW + 1, 2**40),
    st.booleans(),
)
def test_a_token_is_good_for_what_was_signed_and_fits_an_address(
    codespace: str, mode: str, expires: int | None, create: bool
) -> None:
    grant = Grant(codespace, "edit" if mode == "edit" else "view_only", expires, create)
    token = signer().sign(grant)
    assert signer().read(token) == grant
    assert len(token) <= 512


@pytest.mark.parametrize("codespace", ["", ".x", "a b", "a/b", "é", "x" * 129, "a\n"])
def test_what_cannot_be_an_id_is_not_signed(codespace: str) -> None:
    with pytest.raises(ValueError, match="is no id of a codespace"):
        signer().sign(Grant(codespace, "edit"))


def test_a_token_ends_at_its_second() -> None:
    token = signer().sign(Grant("x", "edit", NOW + 10))
    assert signer(now=NOW + 9.9).read(token)
    assert refusal(token, signer(now=NOW + 10)) == CloseCode.GONE


def test_a_token_signed_with_another_secret_is_refused() -> None:
    assert refusal(Signer("t" * SECRET_LENGTH).sign(Grant("x", "edit"))) == CloseCode.NOT_AUTHENTICATED


def test_an_expired_token_of_another_secret_is_not_called_expired() -> None:
    foreign = Signer("t" * SECRET_LENGTH, now=lambda: NOW).sign(Grant("x", "edit", NOW - 1))
    assert refusal(foreign) == CloseCode.NOT_AUTHENTICATED


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "x", "mode": "admin"},
        {"sub": "x"},
        {"mode": "edit"},
        {"sub": "a b", "mode": "edit"},
        {"sub": "x", "mode": "edit", "exp": "tomorrow"},
        {"sub": "x", "mode": "edit", "create": "yes"},
    ],
)
def test_a_token_with_claims_that_make_no_sense_is_refused(claims: dict[str, object]) -> None:
    token = jwt.encode({"iss": "pyshare", **claims}, SECRET, algorithm="HS256")
    assert refusal(token) == CloseCode.NOT_AUTHENTICATED


def test_a_token_without_a_signature_is_refused() -> None:
    token = jwt.encode({"iss": "pyshare", "sub": "x", "mode": "edit"}, "", algorithm="none")
    assert refusal(token) == CloseCode.NOT_AUTHENTICATED


def test_a_token_that_was_changed_is_refused() -> None:
    head, body, signature = signer().sign(Grant("x", "view_only")).split(".")
    other = signer().sign(Grant("x", "edit")).split(".")[1]
    assert refusal(f"{head}.{other}.{signature}") == CloseCode.NOT_AUTHENTICATED
    assert refusal(f"{head}.{body}.") == CloseCode.NOT_AUTHENTICATED


@pytest.mark.parametrize("token", ["", "c2VjcmV0", "a.b.c", "tmp-1", jwt.encode({"iss": "api"}, SECRET)])
def test_what_no_pyshare_has_signed_is_left_to_others(token: str) -> None:
    assert signer().read(token) is None


def test_a_short_secret_is_no_secret() -> None:
    with pytest.raises(ValueError, match="at least 32"):
        Signer("short")
