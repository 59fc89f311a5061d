"""Origins of pages: the server's own, allowed ones, and all others."""

import pytest

from pyshare.net.origins import Origins

HOST = "pad.example:8889"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://pad.example:8889"},
        {"origin": "https://PAD.example:8889", "sec-fetch-site": "same-origin"},
        {"origin": "https://behind-a-proxy-that-changes-host.example", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "same-origin"},
        {"origin": "https://editor.example", "sec-fetch-site": "cross-site"},
        {"origin": "http://10.0.0.1:3000"},
    ],
)
def test_the_own_page_an_allowed_page_and_a_client_that_is_no_browser_are_not_foreign(headers: dict[str, str]) -> None:
    origins = Origins.parse("https://Editor.example:443, http://10.0.0.1:3000")
    assert not origins.is_foreign({"host": HOST, **headers})


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://pad.example"},
        {"origin": "http://pad.example:8889.evil.example"},
        {"origin": "http://pad.example:8889@evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "https://editor.example", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "", "host": ""},
        {"origin": "http://pad.example:8889", "sec-fetch-site": "cross-site"},
    ],
)
def test_any_other_page_is_foreign(headers: dict[str, str]) -> None:
    assert Origins().is_foreign({"host": HOST, **headers})


@pytest.mark.parametrize("text", ["", "*", "pad.example", "ftp://x", "http://", "http://x/", "http://x/y", "http://x,"])
def test_a_list_with_something_else_in_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        Origins.parse(text)
