"""A codespace in Redis as pyshare 0.1.0 has written it: each later version reads it and goes on, and so may go back."""

from collections.abc import Iterator
from functools import partial

import pytest
import trio

from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.units import from_units
from pyshare.store.folding import folded
from pyshare.store.interface import Appended, StoreLimits
from pyshare.store.redis import RedisStore
from tests.redis import RedisServer, running_redis

#: Recorded from a server of 0.1.0; not to be made again with a newer one.
HASH = {
    "code": "print('h\u00e9llo')\n# \U0001f40d\n",
    "epoch": "laOiPiYjEQ32o5czvcF2QoCQ0JdgWrWh5nufjypWJrk",
    "version": "3",
    "code_version": "2",
    "log_bytes": "283",
    "log_bytes_of": "3",
}
SEQS = {"ada": "2 3", "ben": "1 2"}
LOG = {
    "1-0": '["ada",1,[[0,"print(\'h\u00e9llo\')",""]]]',
    "2-0": '["ben",1,[15,[0,"# \U0001f40d",""]]]',
    "3-0": '["ada",2,[[5,"show"],15]]',
}
TEXT = "show('h\u00e9llo')\n# \U0001f40d\n"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with running_redis("redis-server") as server:
        for key, fields in (("class-7", HASH), ("{class-7}:seqs", SEQS)):
            for name, value in fields.items():
                server.client.hset(key, name, value)
        for entry, update in LOG.items():
            server.client.xadd("{class-7}:log", {"u": update}, id=entry)
        yield server


async def test_what_the_first_version_has_written_is_read_and_continued_in_the_same_form(server: RedisServer) -> None:
    store = RedisStore(server.url, StoreLimits())
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(store.run))
        found = await store.load("class-7", create=False)
        assert found is not None
        assert from_units((await folded(found)).text) == TEXT
        assert (found.epoch, found.version, found.last_seqs) == (HASH["epoch"], 3, {"ben": 1, "ada": 2})
        update = Update("ben", 2, ChangeSet.of([Change(0, 0, "# ")], len(TEXT) + 1))
        assert await store.append("class-7", found.epoch, expected=3, updates=[update], text=None) == Appended(4)
        nursery.cancel_scope.cancel()
    # An older version finds what it knows, and nothing that it does not.
    names = [bytes(name).decode() for name in server.client.hkeys("class-7") if isinstance(name, bytes)]
    assert names
    assert set(names) <= set(HASH)
    assert server.client.hmget("class-7", "epoch", "version", "code_version") == [HASH["epoch"].encode(), b"4", b"2"]
    assert server.client.hgetall("{class-7}:seqs") == {b"ada": b"2 3", b"ben": b"2 4"}
    assert server.client.xrange("{class-7}:log", "4-0", "4-0") == [(b"4-0", {b"u": b'["ben",2,[[0,"# "],19]]'})]
