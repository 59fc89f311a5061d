"""The roster: which codespaces are open, and the people in each, told to those who know the server's secret.

It stands beside the metrics, at an address that only the machine itself
reaches by default. It needs an operator's pass besides, since it has names
and addresses of people. Texts and keys are not in it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus

import trio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pyshare.actors.counts import ChannelStatistics
from pyshare.actors.supervisor import SupervisorStatistics
from pyshare.core.names import public_name
from pyshare.net.answers import answer
from pyshare.net.metrics import Siblings
from pyshare.net.tokens import Signer

PATH = "/codespaces"
_BEARER = "Bearer "

_NO_SECRET = "this server has no secret, so nobody can show that they may see this; start it with --secret"
_NOT_KNOWN = "a pass is needed, signed with this server's secret in the last minute; use pyshare codespaces"


class Roster:
    """The endpoint of one process; `read` is asked for its channels each time."""

    def __init__(
        self, read: Callable[[], SupervisorStatistics], signer: Signer | None, siblings: Siblings | None = None
    ) -> None:
        self._read = read
        # Knows passes; without it nobody is told anything.
        self._signer = signer
        self._siblings = siblings

    @property
    def routes(self) -> list[Route]:
        """Where an operator asks: with several workers, the answer is that of all."""
        return [Route(PATH, self._of_all if self._siblings else self._own, methods=["GET"])]

    @property
    def own_routes(self) -> list[Route]:
        """Where this worker is asked by the others."""
        return [Route(PATH, self._own, methods=["GET"])]

    async def _own(self, request: Request) -> JSONResponse:  # noqa: ASYNC124 - Starlette has threads for others
        self._check(request)
        return answer(HTTPStatus.OK, {"codespaces": list(_rows(self._read().channels, trio.current_time()))})

    async def _of_all(self, request: Request) -> JSONResponse:
        assert self._siblings is not None
        self._check(request)
        texts = await self._siblings.ask_all(PATH, {"Authorization": request.headers["authorization"]})
        return answer(
            HTTPStatus.OK, {"codespaces": [row for text in texts.values() for row in json.loads(text)["codespaces"]]}
        )

    def _check(self, request: Request) -> None:
        """Let through those who have a pass.

        Raises:
            HTTPException: 401 without a pass, 403 where there can be none.
        """
        if self._signer is None:
            raise HTTPException(HTTPStatus.FORBIDDEN, _NO_SECRET)
        given = request.headers.get("authorization", "")
        if not given.startswith(_BEARER) or not self._signer.takes_pass(given.removeprefix(_BEARER)):
            raise HTTPException(HTTPStatus.UNAUTHORIZED, _NOT_KNOWN, {"WWW-Authenticate": "Bearer"})


def _rows(channels: Mapping[str, ChannelStatistics], now: float) -> Iterator[Mapping[str, object]]:
    """Return what is told of each codespace: no text, and of a temporary one no key."""
    for codespace, channel in channels.items():
        yield {
            "codespace": public_name(codespace),
            "units": channel.units,
            "version": channel.version,
            "open_seconds": round(now - channel.began),
            "quiet_seconds": None if channel.edited is None else round(now - channel.edited),
            "people": [
                {"name": each.peer.name, "mode": each.peer.mode, "client": each.peer.id, "remote": each.remote}
                for each in channel.guests
            ],
        }
