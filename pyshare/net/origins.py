"""Origins of web pages: whether a request comes from a page that is not the server's own.

A browser sends requests of every page that somebody opens, to servers in an
intranet or on the same machine too. It names the page's origin, which the page
cannot change. Other clients name none.

A page of another origin may use a token that it has: the token is the right.
It may not make codespaces, which needs no token.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

#: Values of `Sec-Fetch-Site` for requests of the server's own page, and of nobody's page.
_OWN_SITES = frozenset({"same-origin", "none"})
_DEFAULT_PORTS: Mapping[str, int] = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins whose pages count as the server's own, beside that of the server itself."""

    allowed: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the origins in a list with commas between.

        Raises:
            ValueError: if one is not an origin, as `https://example.org`.
        """
        return cls(frozenset(_checked(word.strip()) for word in text.split(",")))

    def is_foreign(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request comes from a page of another origin; `headers` has lower-case names."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and origin.lower() in self.allowed:
            return False
        if site is not None:
            return site not in _OWN_SITES
        # Older browsers leave it to the server. A proxy with TLS hides the scheme, so the scheme is not compared.
        host = headers.get("host", "").lower()
        return origin is not None and (not host or origin.lower().partition("://")[2] != host)


def _checked(origin: str) -> str:
    parts = urlsplit(origin.lower())
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        raise ValueError("not an origin")
    if parts.path or parts.query or parts.fragment or any(each.isspace() for each in origin):
        raise ValueError("not an origin")
    # Browsers leave the default port out.
    default = parts.port == _DEFAULT_PORTS[parts.scheme]
    return f"{parts.scheme}://{parts.netloc.rpartition(':')[0] if default else parts.netloc}"
