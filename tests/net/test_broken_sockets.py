"""A client's socket that breaks just before one of its writes, each in turn: an ordinary leave."""

from contextlib import suppress

import pytest
import trio
from trio.testing import MockClock

from pyshare.actors.messages import Drained, Join, Leave
from pyshare.core.errors import CloseCode, Closing
from pyshare.core.framing import text_frame
from pyshare.net.outlet import SocketOutlet
from tests.net.scripted import World, let_in, raw_frame, serving

BYE = Closing(CloseCode.GONE, "deleted")
#: More writes than the conversation below has.
MOST_WRITES = 64


class Breaking:
    """Breaks the peer's end of a connection just before the write of one number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
        # The connection, and the writes until it breaks.
        self.world: World | None = None
        self.left = number
        # Every write of an outlet passes here.
        send = SocketOutlet._send

        def breaking_send(outlet: SocketOutlet, data: bytes | memoryview) -> int:
            if self.left == 0 and self.world is not None:
                self.world.client.stream.socket.close()
            self.left -= 1
            return send(outlet, data)

        monkeypatch.setattr(SocketOutlet, "_send", breaking_send)


async def converse(world: World) -> None:
    """Have the outlet written to in every way that there is."""
    client = world.client
    await let_in(client)
    join = await world.next(Join)
    # By the channel: whole, then more than the socket takes at once, then while it is full.
    assert join.outlet.write_nowait(text_frame(b"welcome"))
    assert join.outlet.write_nowait(text_frame(b"x" * 40_000))
    join.outlet.write_nowait(text_frame(b"later"))
    # By the connection and by trio-websocket: a refusal and a pong, which wait for room; and a ping.
    await client.say('{"type":"push","seq":3,"version":0,"updates":[[[0,"\\ud800"]]]}')
    await client.send(raw_frame(0x9, b"are you there"))
    assert await client.message() == "welcome"
    await client.message()
    await world.next(Drained)
    join.outlet.write_nowait(text_frame(b"later"))
    await trio.sleep(25)
    # The end, behind a write that was taken in part.
    join.outlet.write_nowait(text_frame(b"y" * 40_000))
    join.outlet.close_nowait(BYE)
    await world.next(Leave)
    await client.closing()


async def test_a_socket_that_breaks_at_any_write_is_an_ordinary_leave(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    for number in range(MOST_WRITES):
        breaking = Breaking(monkeypatch, number)
        # What a connection raises would come out of here.
        async with serving() as world:
            breaking.world = world
            with suppress(AssertionError, trio.BrokenResourceError, trio.ClosedResourceError):
                with trio.move_on_after(500):
                    await converse(world)
            world.client.stream.socket.close()
            await world.ended.wait()
        monkeypatch.undo()
        if breaking.left >= 0:
            break

    assert 10 < number < MOST_WRITES - 1, "writes in the whole conversation"
