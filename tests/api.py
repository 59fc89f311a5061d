"""A double of SharePython's API, for tests and for trying things by hand: tokens, loading, saving, throttling.

    python -m tests.api --redis-url redis://127.0.0.1:6379/0 --port 8000
    pyshare serve --api-base-url http://127.0.0.1:8000/ --redis-url redis://127.0.0.1:6379/0

    curl -X POST http://127.0.0.1:8000/codespace/ -d '{"name": "mine", "code": "print()"}'
    curl -X POST http://127.0.0.1:8000/codespace/UUID/token/ -d '{"mode": "edit", "seconds": 120}'
    curl 'http://127.0.0.1:8000/codespace/TOKEN/?fields=uuid,mode'
    curl -X PATCH http://127.0.0.1:8000/codespace/save_changes/UUID/
    curl http://127.0.0.1:8000/saved/UUID/
    curl -X DELETE http://127.0.0.1:8000/codespace/UUID/

It answers as the real one does, and keeps in this process what that has in Postgres. An empty object makes a
temporary codespace, as there. What is under /saved/ and how tokens are made is the double's own.
"""

import argparse
import json
import secrets
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import redis
import trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pyshare.net.http import serve_http
from pyshare.net.listener import open_listeners


@dataclass
class Token:
    """What a token is good for, and until when."""

    codespace: str
    mode: str
    until: float


class Api:
    """The API, on a Redis server that it shares with pyshare."""

    def __init__(
        self,
        redis_url: str,
        *,
        expire_seconds: int = 1200,
        requests_a_minute: int = 60,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis.Redis.from_url(redis_url)
        self._expire_seconds = expire_seconds
        self._requests_a_minute = requests_a_minute
        self._now = now
        # What is saved of each codespace: its name and code.
        self.saved: dict[str, dict[str, str]] = {}
        self._tokens: dict[str, Token] = {}
        # When it was asked about a token in the last minute; all callers are one, as servers behind one address are.
        self._asked: deque[float] = deque()
        # How often it was asked and answered, and answered that it was asked too often.
        self.answered = 0
        self.throttled = 0

    @property
    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route("/codespace/", self._make, methods=["POST"]),
                Route("/codespace/save_changes/{codespace}/", self._save, methods=["PATCH"]),
                Route("/codespace/{codespace}/token/", self._make_token, methods=["POST"]),
                Route("/codespace/{token}/", self._tell, methods=["GET"]),
                Route("/codespace/{codespace}/", self._delete, methods=["DELETE"]),
                Route("/saved/{codespace}/", self._tell_saved, methods=["GET"]),
            ]
        )

    def make(self, *, name: str = "", code: str = "") -> str:
        """Make a codespace that is kept, and return its id."""
        codespace = str(uuid.uuid4())
        self.saved[codespace] = {"name": name, "code": code}
        return codespace

    def token(self, codespace: str, mode: str = "edit", *, seconds: float = 120) -> str:
        """Return a new token for a codespace."""
        token = secrets.token_urlsafe(90)
        self._tokens[token] = Token(codespace, mode, self._now() + seconds)
        return token

    async def save(self, codespace: str) -> None:
        """Keep what Redis has, as "Save" in the front end does."""
        found = await trio.to_thread.run_sync(self._redis.hmget, codespace, ["name", "code"])
        name, code = (each.decode() if isinstance(each, bytes) else "" for each in found)
        self.saved[codespace] = {"name": name, "code": code}

    async def delete(self, codespace: str) -> None:
        """Delete a codespace, in Redis too."""
        self.saved.pop(codespace, None)
        await trio.to_thread.run_sync(self._redis.delete, codespace)

    async def _load(self, codespace: str) -> None:
        """Put a codespace into Redis, if it is not there yet."""

        def load() -> None:
            if not self._redis.exists(codespace):
                for name, value in self.saved[codespace].items():
                    self._redis.hset(codespace, name, value)
                self._redis.expire(codespace, self._expire_seconds)

        await trio.to_thread.run_sync(load)

    async def _make(self, request: Request) -> Response:
        body = await _object(request)
        if body:
            codespace = self.make(name=str(body.get("name", "")), code=str(body.get("code", "")))
            return JSONResponse({"uuid": codespace}, HTTPStatus.CREATED)
        codespace = f"tmp-{uuid.uuid4()}"

        def make() -> None:
            self._redis.hset(codespace, "code", "")
            self._redis.hset(codespace, "uuid", codespace)
            self._redis.expire(codespace, self._expire_seconds)

        await trio.to_thread.run_sync(make)
        return JSONResponse({"uuid": codespace}, HTTPStatus.CREATED)

    async def _make_token(self, request: Request) -> Response:
        codespace = request.path_params["codespace"]
        if codespace not in self.saved:
            return _not_found()
        body = await _object(request)
        token = self.token(codespace, str(body.get("mode", "edit")), seconds=float(str(body.get("seconds", 120))))
        return JSONResponse({"token": token}, HTTPStatus.CREATED)

    async def _tell(self, request: Request) -> Response:
        wait = self._throttle()
        if wait is not None:
            detail = f"Request was throttled. Expected available in {wait} seconds."
            return JSONResponse({"detail": detail}, HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(wait)})
        token = self._tokens.get(request.path_params["token"])
        if token is None:
            return JSONResponse({"detail": "Invalid token."}, HTTPStatus.UNAUTHORIZED)
        if token.until <= self._now():
            return JSONResponse({"detail": "The token has expired."}, HTTPStatus.FORBIDDEN)
        if token.codespace not in self.saved:
            return _not_found()
        await self._load(token.codespace)
        return JSONResponse({"uuid": token.codespace, "mode": token.mode})

    async def _save(self, request: Request) -> Response:
        codespace = request.path_params["codespace"]
        if codespace not in self.saved:
            return _not_found()
        await self.save(codespace)
        return JSONResponse({})

    async def _delete(self, request: Request) -> Response:
        codespace = request.path_params["codespace"]
        if codespace not in self.saved:
            return _not_found()
        await self.delete(codespace)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def _tell_saved(self, request: Request) -> Response:
        saved = self.saved.get(request.path_params["codespace"])
        return JSONResponse(saved) if saved else _not_found()

    def _throttle(self) -> int | None:
        """Return in how many seconds to ask again, if it is too often now, as Django REST framework does."""
        now = self._now()
        while self._asked and self._asked[0] <= now - 60:
            self._asked.popleft()
        if len(self._asked) >= self._requests_a_minute:
            self.throttled += 1
            return max(1, round(self._asked[0] + 60 - now + 0.5))
        self._asked.append(now)
        self.answered += 1
        return None


async def _object(request: Request) -> dict[str, object]:
    body: object = json.loads(await request.body() or b"{}")
    return {str(name): value for name, value in body.items()} if isinstance(body, dict) else {}


def _not_found() -> Response:
    return JSONResponse({"detail": "Not found."}, HTTPStatus.NOT_FOUND)


@asynccontextmanager
async def open_api(api: Api, port: int = 0) -> AsyncIterator[str]:
    """Serve the API until the context is left; gives its address."""
    async with trio.open_nursery() as nursery:
        listeners = await open_listeners("127.0.0.1", port)
        address = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}/"
        await nursery.start(partial(serve_http, listeners, api.app))
        yield address
        nursery.cancel_scope.cancel()


async def serve(api: Api, port: int) -> None:
    """Serve until interrupted."""
    async with open_api(api, port) as address:
        print(f"the API's double is at {address}", flush=True)  # noqa: T201 - a person waits for it
        await trio.sleep_forever()


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--redis-url", required=True, help="the Redis that pyshare uses")
    parser.add_argument("--port", type=int, default=8000, help="where to listen (default: 8000)")
    parser.add_argument("--expire-seconds", type=int, default=1200, help="life of a codespace in Redis (default: 1200)")
    parser.add_argument("--requests-a-minute", type=int, default=60, help="before it throttles (default: 60)")
    arguments = parser.parse_args()
    api = Api(
        arguments.redis_url,
        expire_seconds=arguments.expire_seconds,
        requests_a_minute=arguments.requests_a_minute,
    )
    trio.run(serve, api, arguments.port)


if __name__ == "__main__":
    main()
