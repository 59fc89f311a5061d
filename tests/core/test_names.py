"""Names of codespaces: which ids are keys, and what may be shown of them."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyshare.core.names import CODESPACE_ID, fingerprint, is_key, is_public_key_name, public_name

TMP = "tmp-9b2d8c7e-1f3a-4c5d-8e6f-0a1b2c3d4e5f"


@given(st.uuids(version=4))
def test_a_temporary_id_is_a_key_and_its_public_name_contains_nothing_of_it(uuid: object) -> None:
    key = f"tmp-{uuid}"
    name = public_name(key)
    assert is_key(key)
    assert is_public_key_name(name)
    assert name == f"tmp~{sha256(key.encode()).hexdigest()[:16]}"
    assert not any(part in name for part in str(uuid).split("-") if len(part) > 4)


def test_a_key_has_one_public_name_however_it_is_written() -> None:
    assert public_name(TMP.upper()) == public_name(TMP)


@pytest.mark.parametrize(
    "codespace",
    ["class-7", "tmp-a", TMP[4:], TMP + "0", TMP.replace("4c5d", "1c5d"), TMP.replace("8e6f", "7e6f"), TMP + "\n"],
)
def test_an_id_that_is_not_a_key_is_its_own_name(codespace: str) -> None:
    assert not is_key(codespace)
    assert public_name(codespace) == codespace


def test_no_id_of_a_codespace_looks_like_the_public_name_of_a_key() -> None:
    assert not CODESPACE_ID.fullmatch(public_name(TMP))


def test_a_codespace_is_known_again_by_a_mark_from_which_neither_key_nor_id_follows() -> None:
    assert fingerprint(TMP) == fingerprint(TMP.upper()) != fingerprint("class-7")
    assert not any(part in fingerprint(TMP) for part in (*TMP.split("-"), public_name(TMP)[4:]) if len(part) > 4)
    assert len(fingerprint("class-7")) == 32
