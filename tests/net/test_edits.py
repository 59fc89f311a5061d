"""Edits over HTTP: committed like any push, moved behind others or refused, and every way to ask for them wrongly."""

import json
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pyshare.actors.supervisor import open_lease
from pyshare.core.protocol import UpdatesFrame
from pyshare.net.addresses import AddressBuckets
from pyshare.net.auth import Authenticator
from pyshare.net.edits import Edits
from pyshare.store.faults import Faults
from pyshare.store.interface import StoreLimits
from pyshare.store.memory import MemoryStore
from tests.actors import world as actors
from tests.net.test_codespaces import SIGNER, TMP, Made, asking, reason


class World:
    """A codespace with two instances, whoever edits it over HTTP, and people who have it open."""

    def __init__(self, inner: actors.World, clients: dict[str, httpx.AsyncClient], faults: Faults, made: Made) -> None:
        self.inner = inner
        self.clients = clients
        self.faults = faults
        self.made = made

    async def edits(
        self, token: str = "", *, instance: str = "one", headers: dict[str, str] | None = None, **body: object
    ) -> httpx.Response:
        """Ask for an edit."""
        path = f"/codespaces/{token or self.made.edit}/text"
        return await self.clients[instance].patch(path, json=body, headers=headers)

    async def reads(self) -> tuple[str, str]:
        """Return the committed text and its ETag."""
        answer = await self.clients["one"].get(f"/codespaces/{self.made.view_only}/text")
        return answer.text, answer.headers["etag"]

    def joins(self, name: str, instance: str = "one") -> actors.Client:
        """Have somebody open the codespace."""
        return self.inner.client(name, codespace=self.made.codespace, instance=instance)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    faults = Faults()
    store = MemoryStore(StoreLimits(), faults=faults)
    async with actors.open_world(store, instances=("one", "two")) as inner:
        work = AddressBuckets(50_000, burst=100_000)
        clients = {
            instance: asking(
                store,
                Authenticator(None, SIGNER).admit,
                edits=Edits(partial(open_lease, inner._mailboxes[instance]), work, seconds=8),
            )
            for instance in ("one", "two")
        }
        answer = await clients["one"].post("/codespaces", json={"text": "one\n😀\n"})
        made = answer.json()
        links = made["edit"]["token"], made["view_only"]["token"]
        yield World(inner, clients, faults, Made(made["codespace"], *links, None))
        for client in clients.values():
            await client.aclose()


async def test_a_text_is_appended_to_without_knowing_it(world: World) -> None:
    answer = await world.edits(append="two\r\n")
    assert (answer.status_code, answer.json()) == (200, {"version": 2})
    assert await world.reads() == ("one\n😀\ntwo\n", answer.headers["etag"])


async def test_changes_with_a_base_are_moved_behind_what_others_have_committed_since(world: World) -> None:
    _, tag = await world.reads()
    await world.edits(append="end\n")
    await world.edits(base=tag, changes=[{"from": 0, "insert": "zero\n"}])
    # Positions count UTF-16 units, as everywhere in the protocol.
    answer = await world.edits(base=tag.strip('"'), changes=[{"from": 0, "to": 3, "insert": "1"}, {"from": 6, "to": 7}])
    assert (answer.status_code, answer.json()) == (200, {"version": 4})
    assert await world.reads() == ("zero\n1\n😀end\n", answer.headers["etag"])


async def test_an_edit_with_if_match_is_committed_if_nothing_else_was_and_refused_if_something_was(
    world: World,
) -> None:
    _, tag = await world.reads()
    answer = await world.edits(headers={"If-Match": tag}, changes=[{"from": 0, "to": 3}], append="!")
    assert answer.status_code == 200
    again = await world.edits(headers={"If-Match": tag}, append="!")
    assert reason(again) == (412, "the text has changed since; read it again")
    assert await world.reads() == ("\n😀\n!", answer.headers["etag"])
    assert (await world.edits(headers={"If-Match": "*"}, append="!")).status_code == 200


async def test_of_two_edits_at_once_with_one_if_match_one_is_committed(world: World, autojump_clock: MockClock) -> None:
    _, tag = await world.reads()
    world.faults.call_delay = lambda operation, codespace: 0.01
    answers: list[httpx.Response] = []

    async def edit(instance: str, text: str) -> None:
        answers.append(await world.edits(instance=instance, headers={"If-Match": tag}, append=text))

    async with trio.open_nursery() as nursery:
        for text in ("a", "b", "c"):
            nursery.start_soon(edit, "one", text)
            nursery.start_soon(edit, "two", text)
    assert sorted(answer.status_code for answer in answers) == [200] + 5 * [412]
    assert len((await world.reads())[0]) == len("one\n😀\n") + 1


async def test_an_edit_of_a_text_that_the_asked_server_has_not_heard_of_waits_until_it_has(
    world: World, autojump_clock: MockClock
) -> None:
    bob = world.joins("bob", instance="two")
    await world.inner.passes(1)
    # The next answer of the store, or the next question to it, tells.
    world.faults.drop_event = lambda codespace, event: True
    await world.edits(append="!")
    _, tag = await world.reads()
    assert bob.editor.version == 1
    answer = await world.edits(instance="two", headers={"If-Match": tag}, append="?")
    assert (answer.status_code, answer.json()) == (200, {"version": 3})


async def test_people_who_have_the_text_open_see_the_edit_and_nobody_comes_or_goes(
    world: World, autojump_clock: MockClock
) -> None:
    ann, bob = world.joins("ann"), world.joins("bob", instance="two")
    await world.inner.passes(1)
    frames = [len(client.editor.frames) for client in (ann, bob)]
    await world.edits(append="!")
    await world.inner.passes(1)
    assert ann.text == bob.text == "one\n\ud83d\ude00\n!"
    news = [client.editor.frames[count:] for client, count in zip((ann, bob), frames, strict=True)]
    assert [[type(frame) for frame in each] for each in news] == [[UpdatesFrame], [UpdatesFrame]]


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        ({"changes": [{"from": 0}]}, {}, 428, "the positions of changes need a text: send its ETag as If-Match, or"),
        ({"base": "x-1", "append": "x"}, {"If-Match": '"x-1"'}, 422, "base: not beside If-Match"),
        ({"base": "nonsense"}, {}, 422, "base: should be one ETag, as GET of the text answers it"),
        ({"append": "x"}, {"If-Match": '"a-1", "b-2"'}, 422, "If-Match: should be one ETag"),
        ({"base": "x-1", "append": "x"}, {}, 409, "the text has changed since; read it again"),
        ({"append": "x"}, {"If-Match": '"x-1"'}, 412, "the text has changed since; read it again"),
        ({"base": "TAG", "changes": [{"from": 3, "to": 2}]}, {}, 422, "changes[0]: from 3 to 2 goes backwards"),
        ({"base": "TAG", "changes": [{"from": 0, "to": 2}, {"from": 1}]}, {}, 422, "changes[1]: begins at 1, before"),
        ({"base": "TAG", "changes": [{"from": 9}]}, {}, 422, "a change from 9 to 9 in a text of 7"),
        ({"base": "TAG", "changes": [{"from": 5, "insert": "x"}]}, {}, 422, "the change at 5 to 5 splits a surrogate"),
        ({"base": "TAG", "changes": 1025 * [{"from": 0}]}, {}, 422, "changes: "),
        ({"base": "TAG", "changes": [{"from": -1}]}, {}, 422, "changes[0].from: "),
        ({"base": "TAG", "changes": [{"from": "0"}]}, {}, 422, "changes[0].from: "),
        ({"base": "TAG", "changes": [{"insert": "x"}]}, {}, 422, "changes[0].from: "),
        ({"append": 1}, {}, 422, "append: "),
        ({"text": "x"}, {}, 422, "text: "),
        ({"append": "x" * 524_288}, {}, 413, "the text would have 524295 units; the limit is 524288"),
        ({"append": "x"}, {"Content-Type": "text/plain"}, 415, "Content-Type: must be application/json"),
        ({"append": "x"}, {"Origin": "https://evil.example"}, 403, ""),
    ],
)
async def test_what_is_wrong_with_an_edit_is_said_and_nothing_is_changed(
    world: World, body: dict[str, object], headers: dict[str, str], status: int, said: str
) -> None:
    text, tag = await world.reads()
    content = json.dumps({key: tag if value == "TAG" else value for key, value in body.items()})
    answer = await world.clients["one"].patch(
        f"/codespaces/{world.made.edit}/text", content=content, headers={"Content-Type": "application/json", **headers}
    )
    assert reason(answer)[0] == status, answer.text
    assert reason(answer)[1].startswith(said), answer.text
    assert await world.reads() == (text, tag)


async def test_an_edit_that_changes_nothing_makes_no_version(world: World) -> None:
    text, tag = await world.reads()
    answer = await world.edits()
    assert (answer.json(), answer.headers["etag"]) == ({"version": 1}, tag)
    assert await world.reads() == (text, tag)


async def test_a_link_for_looking_and_a_codespace_that_is_not_there_have_no_edits(world: World) -> None:
    answer = await world.edits(world.made.view_only, append="x")
    assert reason(answer) == (403, "mode: this token is for looking only; an edit needs another link")
    assert reason(await world.edits(TMP, append="x"))[0] == 404
    assert reason(await world.edits("nonsense", append="x"))[0] == 401


async def test_a_body_above_the_limit_is_not_taken(world: World) -> None:
    answer = await world.edits(append="x" * 1_048_576)
    assert reason(answer) == (413, "an edit has at most 1048576 bytes; send it in parts")


async def test_an_address_that_causes_too_much_work_waits(world: World, autojump_clock: MockClock) -> None:
    while (answer := await world.edits(append="")).status_code == 200:
        pass
    assert reason(answer) == (429, "edits from your address take too much work; wait a moment")
    await trio.sleep(int(answer.headers["retry-after"]))
    assert (await world.edits(append="y")).status_code == 200


async def test_edits_are_not_taken_while_none_can_be_saved(world: World, autojump_clock: MockClock) -> None:
    ann = world.joins("ann")
    await world.inner.passes(1)
    world.faults.down = True
    ann.types("x")
    await world.inner.passes(1)
    answer = await world.edits(append="y")
    world.faults.down = False
    assert answer.status_code == 503
    assert reason(answer)[1].endswith("; try again later")
    assert answer.headers["retry-after"] == "1"


async def test_an_edit_that_takes_too_long_is_answered_that_nobody_knows(
    world: World, autojump_clock: MockClock
) -> None:
    world.faults.call_delay = lambda operation, codespace: 9 if operation == "append" else 0
    answer = await world.edits(append="y")
    assert reason(answer) == (503, "it is not known whether the edit was saved; read the text before you try again")


async def test_edits_under_way_are_committed_and_new_ones_refused_when_the_server_stops(
    world: World, autojump_clock: MockClock
) -> None:
    world.faults.call_delay = lambda operation, codespace: 0.5 if operation == "append" else 0
    answers: list[httpx.Response] = []

    async def edit(text: str) -> None:
        answers.append(await world.edits(append=text))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(edit, "a")
        await wait_all_tasks_blocked()
        nursery.start_soon(world.inner.supervisors["one"].drain)
        await wait_all_tasks_blocked()
        nursery.start_soon(edit, "b")
    assert sorted(answer.status_code for answer in answers) == [200, 503]
    assert (await world.reads())[0] == "one\n😀\na"
