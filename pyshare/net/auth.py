"""Admission to a codespace: what a token is good for, and which way of trying it says so.

A token is tried in one order of ways, and the first that knows it decides. A
failure that is not the token's never says that the token is bad: the client is
asked to come back. Tokens are secrets; no log line and no task's name has one.
"""

import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import trio

from pyshare.core.errors import CloseCode, Closing, ConfigurationError, ConnectionRefused
from pyshare.core.names import is_key
from pyshare.net.token_api import Admission, ApiLimits, TokenApi
from pyshare.net.tokens import Creators, Signer

__all__ = ["Admission", "ApiLimits", "Authenticator", "Creators", "open_authenticator"]

#: What any token looks like: the API's are URL-safe base64, signed ones have dots too.
_TOKEN = re.compile(r"[A-Za-z0-9_.=-]{1,512}")

_NOT_A_TOKEN = Closing(CloseCode.NOT_AUTHENTICATED, "invalid token; open the codespace again")
_NO_API = Closing(CloseCode.NOT_AUTHENTICATED, "unknown token; this server expects tmp-<uuid4>, or a link of its own")


class Authenticator:
    """Says what a token is good for. `open_authenticator` makes one."""

    def __init__(
        self,
        api: TokenApi | None,
        signer: Signer | None = None,
        *,
        make_missing: bool = True,
        creators: Creators = "anyone",
    ) -> None:
        self._api = api
        self._signer = signer
        # Whether a codespace is made that the store has not and the API, if there is one, may have.
        self._make_missing = make_missing
        self._creators = creators

    async def admit(self, token: str, line: str = "") -> Admission:
        """Return what `token` is good for. Cancelled, it is forgotten; others who ask the same are not.

        `line` is the address that asks: of those that wait for the API, each address has its turn.

        Raises:
            ConnectionRefused: 4401, 4404 or 4410 if it is good for nothing, 1011 or 1013 if that is not known.
        """
        if not _TOKEN.fullmatch(token):
            raise ConnectionRefused(_NOT_A_TOKEN)
        admission = self._by_id(token) or self._by_signature(token)
        if admission is not None:
            return admission
        if "." in token:
            # Signed by somebody, and none of the API's.
            raise ConnectionRefused(_NOT_A_TOKEN)
        if self._api is None:
            raise ConnectionRefused(_NO_API)
        return await self._api.ask(token, line)

    def _by_id(self, token: str) -> Admission | None:
        """Admit to a temporary codespace, whose id is its token; with an API, only the API makes them."""
        if not is_key(token):
            return None
        create = self._api is None and self._creators == "anyone"
        return Admission(token.lower(), "edit", create=create, by="id")

    def _by_signature(self, token: str) -> Admission | None:
        """Admit to what a token of ours names."""
        grant = self._signer.read(token) if self._signer else None
        if grant is None:
            return None
        create = grant.create and self._make_missing and self._creators != "nobody"
        return Admission(grant.codespace, grant.mode, create=create, expires=grant.expires)


def _check_address(api_base_url: str) -> None:
    try:
        url = httpx.URL(api_base_url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"API_BASE_URL is no address: {error}") from None
    if url.scheme not in {"http", "https"} or not url.host:
        raise ConfigurationError("API_BASE_URL should be like https://example.org/api/")


@asynccontextmanager
async def open_authenticator(
    api_base_url: str | None,
    *,
    make_missing: bool,
    signer: Signer | None = None,
    creators: Creators = "anyone",
    limits: ApiLimits | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[Authenticator]:
    """Serve an authenticator until the context is left; questions under way end with it, unanswered.

    `make_missing` says whether codespaces are made that the API knows and the
    store does not. Without `api_base_url` there are temporary codespaces, and
    those that links name, which `signer` reads. `creators` says who makes
    them. `transport` stands in for the network.

    Raises:
        ConfigurationError: if `api_base_url` is no address of an API.
    """
    if api_base_url is None:
        yield Authenticator(None, signer, creators=creators)
        return
    _check_address(api_base_url)
    limits = limits or ApiLimits()
    # Its lines tell of each request with the address, and that holds the token.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    connections = httpx.Limits(max_connections=limits.concurrent, max_keepalive_connections=limits.concurrent)
    # The time limit of a request is the scope round it.
    async with (
        httpx.AsyncClient(transport=transport, limits=connections, timeout=None) as client,
        trio.open_nursery() as nursery,
    ):
        api = TokenApi(client, nursery, api_base_url, make_missing=make_missing, limits=limits)
        yield Authenticator(api, signer, make_missing=make_missing, creators=creators)
        nursery.cancel_scope.cancel()
