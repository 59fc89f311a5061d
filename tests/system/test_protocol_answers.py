"""The answers of docs/protocol.md to authors of clients, as a server gives them."""

import json

import trio

from pyshare.core.arrival import format_session
from tests.net.scripted import Client
from tests.system.server import RunningServer, running

PATIENCE_SECONDS = 30


class Author:
    """A client by somebody who has read the page, with a session of its own."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self._path = "/" + server.codespace().partition("://")[2].partition("/")[2]
        self._session = format_session(b"an author's own.")
        self._client: Client | None = None

    async def join(self, more: str = "") -> dict[str, object]:
        """Connect, again perhaps; return the welcome."""
        if self._client is not None:
            await self._client.stream.aclose()
        self._client = Client(await trio.open_tcp_stream(*self._server.host_and_port))
        await self._client.open(f"?session={self._session}{more}", path=self._path)
        return await self.hear("welcome")

    async def say(self, frame: dict[str, object]) -> None:
        """Send a frame."""
        assert self._client is not None
        await self._client.say(json.dumps(frame))

    async def push(self, seq: int, version: int, changes: list[object]) -> dict[str, object]:
        """Push an update; return the answer: the updates that have it, or the refusal."""
        await self.say({"type": "push", "seq": seq, "version": version, "updates": [changes]})
        return await self.hear("updates", "refused")

    async def hear(self, *types: str) -> dict[str, object]:
        """Return the next frame of these types."""
        assert self._client is not None
        while True:
            frame: dict[str, object] = json.loads(await self._client.message())
            if frame["type"] in types:
                return frame

    async def leave(self) -> None:
        """Go away."""
        assert self._client is not None
        await self._client.stream.aclose()


async def test_the_pages_answers_about_numbers_refusals_and_selections_hold() -> None:
    with trio.fail_after(PATIENCE_SECONDS):
        async with running("--text-units", "10") as server:
            author = Author(server)
            epoch = (await author.join())["epoch"]

            # Numbers grow; they may have gaps, and begin anywhere.
            assert (await author.push(7, 0, [[0, "ab"]]))["version"] == 1
            assert (await author.push(9, 1, [2, [0, "c"]]))["version"] == 2
            # A lower one is refused, and the connection goes on.
            refused = await author.push(8, 2, [3, [0, "x"]])
            assert (refused["seq"], refused["code"]) == (8, "seq")

            # A refused push uses up its number, and the next one is taken on the same connection.
            refused = await author.push(10, 2, [3, [0, "much too long"]])
            assert (refused["seq"], refused["code"]) == (10, "too_long")
            assert (await author.push(11, 2, [3, [0, "d"]]))["version"] == 3

            # `acked` is the last one that is committed.
            refused = await author.push(12, 3, [4, [0, "much too long"]])
            assert refused["code"] == "too_long"
            welcome = await author.join(f"&epoch={epoch}&version=3")
            assert welcome["acked"] == 11
            assert welcome["updates"] == []

            # A push that is sent again is committed once, in silence.
            await author.say({"type": "push", "seq": 11, "version": 2, "updates": [[3, [0, "d"]]]})
            assert (await author.push(13, 3, [4, [0, "e"]]))["version"] == 4
            assert (await author.join())["text"] == "abcde"

            # A selection beyond the text is passed over in silence.
            await author.say({"type": "select", "version": 4, "ranges": [[99, 99]]})
            assert (await author.push(14, 4, [5, [0, "f"]]))["version"] == 5
            await author.leave()
