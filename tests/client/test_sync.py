"""The client for programs without trio: calls that block, several steps as one, time limits, and ends of every kind."""

import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator

import pytest

import pyshare.client
from pyshare.client import (
    Change,
    CodespaceClosed,
    ConnectError,
    EditsUnconfirmed,
    State,
    TextChanged,
    Update,
    sync,
)
from pyshare.client.link import ClientLimits
from tests.client.test_codespace import others
from tests.client.world import URL, World


@pytest.fixture
def world() -> World:
    """Return a server with a text; it is touched in the client's thread only."""
    return World("one\n")


@pytest.fixture
def codespace(world: World) -> Iterator[sync.Codespace]:
    """Hold a client of the server."""
    with sync.connect(URL, name="bot", open_connection=world.open) as codespace:
        yield codespace


def test_a_program_without_trio_reads_and_edits(world: World, codespace: sync.Codespace) -> None:
    assert (codespace.text, codespace.length, codespace.name, codespace.mode) == ("one\n", 4, "bot", "edit")
    codespace.append("\U0001f600\n")
    codespace.insert(0, "zero\n")
    codespace.delete(5, 8)
    codespace.replace(5, 6, "1\n")
    codespace.edit([Change(0, 1, "Z"), Change(1, 2, "E")])
    codespace.set_text(codespace.text + "two\n")
    codespace.wait_confirmed(timeout=5)
    assert codespace.text == codespace.committed_text == "ZEro\n1\n\U0001f600\ntwo\n"
    assert (codespace.version, codespace.unconfirmed, codespace.storage, codespace.storage_reason, codespace.ended) == (
        world.server.document.version,
        0,
        "ok",
        "",
        "",
    )
    assert codespace.state is State.CONNECTED
    assert codespace.limits.text_units == 65_536
    assert (dict(codespace.peers), dict(codespace.selections)) == ({}, {})
    assert len(codespace.session) == 16
    assert codespace.id


def test_positions_and_selections_move_with_the_text(codespace: sync.Codespace) -> None:
    codespace.select([(1, 3)])
    mark = codespace.mark(3, behind=True)
    codespace.insert(0, "xy")
    assert codespace.selected == ((3, 5),)
    assert mark.pos == 5


def test_several_steps_are_one_for_all_others(world: World, codespace: sync.Codespace) -> None:
    def shout(here: pyshare.client.Codespace) -> str:
        here.set_text(here.text.upper())
        return here.text

    assert codespace.do(shout) == "ONE\n"


def test_events_and_updates_are_read_one_after_the_other_and_without_waiting(
    world: World, codespace: sync.Codespace
) -> None:
    events, updates = codespace.events(), codespace.updates(since=codespace.version)
    codespace.do(lambda _: others(world, Change(0, 0, "a")))
    expected = TextChanged((Change(0, 0, "a"),), 1, "others")
    assert next(events) == expected
    assert next(iter(updates)) == Update(1, "others", 1, (Change(0, 0, "a"),))
    with pytest.raises(TimeoutError, match=r"not within 0\.01 seconds"):
        events.read(timeout=0.01)
    codespace.append("b")
    assert [type(event) for event in events.read_nowait()] == [TextChanged]
    assert updates.read(timeout=5).own


def test_waiting_ends_with_what_is_waited_for_or_at_the_limit(world: World, codespace: sync.Codespace) -> None:
    codespace.do(lambda _: others(world, Change(0, 0, "a")))
    codespace.wait_text("aone\n", timeout=5)
    codespace.wait_text(lambda text: text.startswith("a"), timeout=5)
    codespace.wait_version(1, timeout=5)
    codespace.wait_quiet(0, timeout=5)
    codespace.rename("grader", timeout=5)
    codespace.reconnect(timeout=5)
    codespace.wait_connected(timeout=5)
    codespace.save(5)
    assert [dial.arrival.name for dial in world.dials] == ["bot", "grader", "grader"]
    with pytest.raises(TimeoutError):
        codespace.wait_text("never", timeout=0.01)


def test_any_thread_may_call(codespace: sync.Codespace) -> None:
    threads = [threading.Thread(target=codespace.append, args=("x",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codespace.text == "one\nxxxxxxxx"


def test_what_was_typed_last_is_saved_when_it_is_closed_and_its_text_can_still_be_read(world: World) -> None:
    codespace = sync.connect(URL, open_connection=world.open)
    codespace.append("two\n")
    codespace.close()
    codespace.close()
    assert world.server.document.text == codespace.text == "one\ntwo\n"
    with pytest.raises(CodespaceClosed, match="this client has left the codespace"):
        codespace.append("three\n")
    with pytest.raises(CodespaceClosed, match="this client has left the codespace"):
        codespace.wait_text("never")


def test_edits_that_are_not_saved_in_time_are_an_error_of_the_body(world: World) -> None:
    world.holds_pushes = True
    with (
        pytest.raises(EditsUnconfirmed) as caught,
        sync.connect(URL, open_connection=world.open, save_seconds=0.01) as codespace,
    ):
        codespace.append("two\n")
    assert caught.value.text == "one\ntwo\n"


def test_a_body_that_raises_leaves_at_once_with_what_it_raised(world: World) -> None:
    def body(codespace: sync.Codespace) -> None:
        codespace.append("two\n")
        raise KeyError("mine")

    world.holds_pushes = True
    codespace = sync.connect(URL, open_connection=world.open)
    with pytest.raises(KeyError, match="mine"), codespace:
        body(codespace)
    assert world.connection.goodbye


def test_one_that_waits_is_told_when_another_thread_closes(world: World, codespace: sync.Codespace) -> None:
    told: list[CodespaceClosed] = []
    events = codespace.events()

    def follow() -> None:
        try:
            next(events)
        except CodespaceClosed as closed:
            told.append(closed)

    thread = threading.Thread(target=follow)
    thread.start()
    codespace.close()
    thread.join()
    assert len(told) == 1


def test_a_server_that_is_not_there_is_the_error_of_connect(world: World) -> None:
    world.fails(9)
    with pytest.raises(ConnectError, match="out of order"):
        sync.connect(URL, open_connection=world.open, limits=ClientLimits(first_connect_seconds=0))


def test_a_wrong_argument_is_named(world: World) -> None:
    with pytest.raises(ValueError, match="a name of 65 characters"):
        sync.connect(URL, name="x" * 65, open_connection=world.open)


def of_a_program(source: str) -> str:
    """Run a program in a process of its own, where nothing else has used asyncio or trio, and return what it prints."""
    command = [sys.executable, "-c", textwrap.dedent(source)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_codespace_that_nobody_has_closed_is_closed_when_the_program_ends() -> None:
    assert (
        of_a_program(
            """
        import atexit
        from pyshare.client import sync
        from tests.client.world import URL, World

        world = World("one")
        atexit.register(lambda: print(world.server.document.text))
        codespace = sync.connect(URL, open_connection=world.open)
        codespace.append(" two")
        """
        )
        == "one two\n"
    )


def test_the_trio_client_says_under_asyncio_what_to_use() -> None:
    assert (
        of_a_program(
            """
        import asyncio
        from pyshare.client import TrioNeeded, connect
        from tests.client.world import URL

        async def follow():
            async with connect(URL):
                print("trio does not run")

        try:
            asyncio.run(follow())
        except TrioNeeded as error:
            print("use pyshare.client.sync, in asyncio by asyncio.to_thread" in str(error))
        """
        )
        == "True\n"
    )


def test_asyncio_uses_the_client_by_threads() -> None:
    assert (
        of_a_program(
            """
        import asyncio
        from pyshare.client import sync
        from tests.client.world import URL, World

        world = World("one\\n")

        def append(line):
            with sync.connect(URL, open_connection=world.open) as codespace:
                codespace.append(line)
                return codespace.text

        async def main():
            return await asyncio.to_thread(append, "two\\n")

        print(asyncio.run(main()), end="")
        """
        )
        == "one\ntwo\n"
    )


def test_every_call_of_the_trio_client_is_there_but_those_that_make_no_sense() -> None:
    def public(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    left_out = {"retry_at", "drop_connection"}
    assert public(sync.Codespace) == public(pyshare.client.Codespace) - left_out | {"do", "close"}
