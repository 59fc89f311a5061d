"""Codespaces over HTTP: made, linked to, read; and every way to ask for them wrongly."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial

import httpx
import jwt
import pytest
import trio
from trio.testing import MockClock

from pyshare.actors.supervisor import Mailbox
from pyshare.core.changeset import Change, ChangeSet
from pyshare.core.document import Update
from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.core.names import public_name
from pyshare.net.addresses import AddressBuckets
from pyshare.net.application import build_app
from pyshare.net.auth import Admission, Authenticator, Creators
from pyshare.net.codespaces import Codespaces, CodespacesLimits
from pyshare.net.creations import CreationLimits, Creations
from pyshare.net.edits import Edits
from pyshare.net.origins import Origins
from pyshare.net.tokens import Grant, Signer
from pyshare.store.faults import Faults
from pyshare.store.interface import Snapshot, StoreLimits
from pyshare.store.memory import MemoryStore

NOW = 1_800_000_000
TMP = "tmp-9b2d8c7e-1f3a-4c5d-8e6f-0a1b2c3d4e5f"
SIGNER = Signer("s" * 32, now=lambda: NOW)


@dataclass(frozen=True)
class Made:
    """What one is answered who has a codespace made."""

    codespace: str
    edit: str
    view_only: str
    #: When the links end.
    expires: int | None


class World:
    """The endpoints on a store in memory, and whoever asks them."""

    def __init__(self, client: httpx.AsyncClient, store: MemoryStore, faults: Faults) -> None:
        self.client = client
        self.store = store
        self.faults = faults

    async def make(self, **body: object) -> Made:
        """Make a codespace."""
        answer = await self.client.post("/codespaces", json=body)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        assert made["edit"]["expires"] == made["view_only"]["expires"]
        return Made(made["codespace"], made["edit"]["token"], made["view_only"]["token"], made["edit"]["expires"])

    async def link(self, token: str, **body: object) -> httpx.Response:
        """Ask for a link."""
        return await self.client.post(f"/codespaces/{token}/links", json=body)

    async def text(self, token: str, **headers: str) -> httpx.Response:
        """Ask for the text."""
        return await self.client.get(f"/codespaces/{token}/text", headers=headers)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with trio.open_nursery() as nursery:
        faults = Faults()
        store = MemoryStore(StoreLimits(), faults=faults)
        await nursery.start(partial(store.run))
        async with asking(store, Authenticator(None, SIGNER).admit) as client:
            yield World(client, store, faults)
        nursery.cancel_scope.cancel()


def no_channel(codespace: str, *, create: bool) -> AbstractAsyncContextManager[Mailbox]:
    raise AssertionError("no edit reaches a channel here")


def asking(
    store: MemoryStore,
    admit: Callable[[str, str], Awaitable[Admission]],
    *,
    creations: CreationLimits | None = None,
    api_link_seconds: int = 3600,
    address: str = "192.0.2.1",
    edits: Edits | None = None,
    signer: Signer = SIGNER,
) -> httpx.AsyncClient:
    limits = CodespacesLimits(text_units=100, authentication_seconds=3, api_link_seconds=api_link_seconds)
    creations = creations or CreationLimits(codespaces_per_minute=8, codespaces_per_minute_per_address=6)
    edits = edits or Edits(no_channel, AddressBuckets(1, burst=1), seconds=8)
    routes = Codespaces(store, admit, signer, edits=edits, creations=Creations(creations), limits=limits).routes

    async def ready() -> str | None:
        await trio.lowlevel.checkpoint()
        return None

    app = build_app(ready, routes, allowed_origins=creations.origins.allowed)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 1))
    return httpx.AsyncClient(transport=transport, base_url="http://pyshare")


def reason(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"error", "reason"}
    return answer.status_code, answer.json()["reason"]


async def test_a_new_codespace_has_its_text_and_a_link_of_each_kind(world: World) -> None:
    made = await world.make(text="a\r\nb\rc 😀")
    assert SIGNER.read(made.edit) == Grant(made.codespace, "edit")
    assert SIGNER.read(made.view_only) == Grant(made.codespace, "view_only")
    for token in (made.edit, made.view_only):
        assert (await world.text(token)).text == "a\nb\nc 😀"


async def test_without_a_body_a_codespace_is_empty(world: World) -> None:
    answer = await world.client.post("/codespaces", headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    assert (await world.text(answer.json()["edit"]["token"])).text == ""


async def test_no_two_codespaces_are_one(world: World) -> None:
    assert (await world.make()).codespace != (await world.make()).codespace


async def test_links_of_a_codespace_that_expires_expire_then(world: World) -> None:
    made = await world.make(expires_in=60)
    assert made.expires == NOW + 60
    grant = SIGNER.read(made.view_only)
    assert grant
    assert grant.expires == NOW + 60


async def test_a_link_to_a_codespace_that_is_gone_does_not_make_another(world: World) -> None:
    made = await world.make(text="x")
    assert await world.store.delete(made.codespace)
    assert (await world.text(made.edit)).status_code == 404


async def test_a_link_can_be_narrower_and_shorter(world: World) -> None:
    made = await world.make()
    answer = await world.link(made.edit, mode="view_only", expires_in=5)
    assert answer.status_code == 201
    assert answer.json()["expires"] == NOW + 5
    assert SIGNER.read(answer.json()["token"]) == Grant(made.codespace, "view_only", NOW + 5)


async def test_a_link_for_looking_is_what_one_gets_without_asking_for_more(world: World) -> None:
    made = await world.make()
    assert (await world.link(made.edit)).json()["mode"] == "view_only"


async def test_a_link_cannot_be_wider(world: World) -> None:
    made = await world.make()
    status, sentence = reason(await world.link(made.view_only, mode="edit"))
    assert status == 403
    assert sentence.startswith("mode: ")


async def test_a_link_cannot_work_longer_than_what_it_is_made_from(world: World) -> None:
    made = await world.make(expires_in=60)
    for wanted in (None, 3600):
        assert (await world.link(made.edit, expires_in=wanted)).json()["expires"] == NOW + 60


async def test_links_are_made_from_temporary_ids_too_and_those_for_editing_make_it(world: World) -> None:
    for mode, create in (("edit", True), ("view_only", False)):
        token = (await world.link(TMP, mode=mode)).json()["token"]
        grant = SIGNER.read(token)
        assert grant
        assert (grant.codespace, grant.create) == (TMP, create)


async def test_a_text_that_has_not_changed_is_not_sent_again(world: World) -> None:
    made = await world.make(text="x")
    first = await world.text(made.edit)
    assert first.headers["content-type"] == "text/plain; charset=utf-8"
    assert first.headers["x-content-type-options"] == "nosniff"
    again = await world.text(made.edit, **{"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.text) == (304, "")
    assert (await world.text(made.edit, **{"If-None-Match": '"other"'})).status_code == 200


async def test_a_text_that_has_not_changed_is_not_read(world: World) -> None:
    made = await world.make(text="x")
    tag = (await world.text(made.edit)).headers["etag"]
    asked: list[str] = []

    def note(operation: str, codespace: str) -> float:
        asked.append(operation)
        return 0

    world.faults.call_delay = note
    assert (await world.text(made.edit, **{"If-None-Match": tag})).status_code == 304
    assert asked == ["look"]


async def test_a_text_behind_its_log_is_answered_as_it_is_now(world: World) -> None:
    made = await world.make(text="x")
    epoch = (await world.store.load(made.codespace, create=False) or Snapshot("", "", 0, 0)).epoch
    update = Update("a", 1, ChangeSet.of([Change(1, 1, "y")], 1))
    await world.store.append(made.codespace, epoch, expected=1, updates=[update], text=None)
    answer = await world.text(made.edit)
    assert (answer.text, answer.headers["etag"]) == ("xy", f'"{epoch}-2"')


async def test_no_more_texts_are_read_at_once_than_the_limit(world: World, autojump_clock: MockClock) -> None:
    made = await world.make(text="x")
    starts: list[float] = []

    def note(operation: str, codespace: str) -> float:
        if operation != "read_text":
            return 0
        starts.append(trio.current_time())
        return 1

    world.faults.call_delay = note
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(world.text, made.edit)
    assert len(starts) == 20
    assert max(Counter(starts).values()) == CodespacesLimits().texts_at_once


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        ({"text": 1}, 422, "text: "),
        ({"txet": "x"}, 422, "txet: "),
        ({"expires_in": 0}, 422, "expires_in: "),
        ({"expires_in": "1"}, 422, "expires_in: "),
        ({"expires_in": 10**12}, 422, "expires_in: "),
        ({"text": "x" * 101}, 422, "text: 101 UTF-16 code units; a text has at most 100"),
        ({"text": "😀" * 51}, 422, "text: 102 UTF-16 code units"),
        ({"text": "\ud800"}, 400, "body: "),
        ([], 422, "body: "),
        ("{", 400, "body: "),
    ],
)
async def test_what_is_wrong_with_a_body_is_named(world: World, body: object, status: int, named: str) -> None:
    content = body if isinstance(body, str) else json.dumps(body)
    answer = await world.client.post("/codespaces", content=content, headers={"Content-Type": "application/json"})
    assert reason(answer)[0] == status
    assert reason(answer)[1].startswith(named)


@pytest.mark.parametrize("path", ["/codespaces", f"/codespaces/{TMP}/links"])
@pytest.mark.parametrize("content", [b"", b"{}"])
@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_what_a_form_of_any_page_could_send_is_not_taken(
    world: World, path: str, content: bytes, kind: str | None
) -> None:
    answer = await world.client.post(path, content=content, headers={"Content-Type": kind} if kind else {})
    assert reason(answer) == (415, "Content-Type: must be application/json, also without a body")


async def test_a_link_works_for_all_of_its_seconds(world: World) -> None:
    signer = Signer("s" * 32, now=lambda: NOW + 0.9)
    async with asking(world.store, Authenticator(None, signer).admit, signer=signer) as client:
        answer = await client.post("/codespaces", json={"expires_in": 2})
    assert answer.json()["edit"]["expires"] == NOW + 3


FOREIGN: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_a_page_of_another_origin_makes_neither_codespaces_nor_links(
    world: World, headers: dict[str, str]
) -> None:
    for path in ("/codespaces", f"/codespaces/{TMP}/links"):
        status, sentence = reason(await world.client.post(path, json={}, headers=headers))
        assert status == 403
        assert "--allowed-origins" in sentence


async def test_the_own_page_and_an_allowed_one_make_codespaces_and_read_the_answers(world: World) -> None:
    own = await world.client.post("/codespaces", json={}, headers={"Origin": "http://pyshare"})
    assert own.status_code == 201
    assert "access-control-allow-origin" not in own.headers
    limits = CreationLimits(origins=Origins.parse("https://editor.example"))
    async with asking(world.store, Authenticator(None, SIGNER).admit, creations=limits) as client:
        origin = {"Origin": "https://editor.example", "Sec-Fetch-Site": "cross-site"}
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        before = await client.options("/codespaces", headers={**origin, **asked})
        assert before.status_code == 200
        made = await client.post("/codespaces", json={}, headers=origin)
        assert made.status_code == 201
        for each in (before, made):
            assert each.headers["access-control-allow-origin"] == "https://editor.example"
        refused = await client.post("/codespaces", json={}, headers={"Origin": "https://evil.example"})
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(("method", "path"), [("GET", "/codespaces"), ("POST", "/codespaces/x/text")])
async def test_another_method_is_not_allowed(world: World, method: str, path: str) -> None:
    assert reason(await world.client.request(method, path))[0] == 405


@pytest.mark.parametrize(
    ("token", "status"),
    [
        ("nonsense", 401),
        ("a.b.c", 401),
        ("x" * 600, 401),
        (SIGNER.sign(Grant("x", "edit", NOW)), 410),
        (SIGNER.sign(Grant("x", "edit")), 404),
        (Signer("t" * 32).sign(Grant("x", "edit")), 401),
    ],
)
async def test_a_token_that_is_good_for_nothing_is_answered_why(world: World, token: str, status: int) -> None:
    assert reason(await world.text(token))[0] == status


async def test_more_codespaces_than_are_allowed_have_to_wait(world: World, autojump_clock: MockClock) -> None:
    for _ in range(6):
        await world.make()
    answer = await world.client.post("/codespaces", json={})
    assert reason(answer) == (429, "more than 6 new codespaces in a minute from your address; try again later")
    await trio.sleep(int(answer.headers["retry-after"]))
    await world.make()


@pytest.mark.parametrize("creators", ["links", "nobody"])
async def test_where_strangers_may_not_make_codespaces_a_request_makes_none(world: World, creators: Creators) -> None:
    admit = Authenticator(None, SIGNER, creators=creators).admit
    async with asking(world.store, admit, creations=CreationLimits(creators=creators)) as client:
        assert reason(await client.post("/codespaces", json={}))[0] == 403
        link = (await client.post(f"/codespaces/{TMP}/links", json={"mode": "edit"})).json()["token"]
        assert SIGNER.read(link) == Grant(TMP, "edit", create=False)


@pytest.mark.parametrize(("asked", "ends"), [(None, 3600), (60, 60), (86_400, 3600)])
async def test_a_link_from_a_token_of_the_api_works_for_a_short_time_only(
    world: World, asked: int | None, ends: int
) -> None:
    async with asking(world.store, api_admits) as client:
        answer = await client.post("/codespaces/token/links", json={"mode": "edit", "expires_in": asked})
        assert answer.json()["expires"] == NOW + ends
        admit = Authenticator(None, SIGNER).admit
    async with asking(world.store, admit) as client:
        again = await client.post(f"/codespaces/{answer.json()['token']}/links", json={"expires_in": 86_400})
        assert again.json()["expires"] == NOW + ends, "a link of a link works no longer"


async def test_where_no_link_may_outlive_a_token_of_the_api_there_is_none(world: World) -> None:
    async with asking(world.store, api_admits, api_link_seconds=0) as client:
        answer = await client.post("/codespaces/token/links", json={})
        assert reason(answer) == (403, "this server makes no links from tokens of its API")


async def api_admits(token: str, line: str) -> Admission:
    await trio.lowlevel.checkpoint()
    assert line == "192.0.2.1"
    return Admission("class-7", "edit", create=False, by="api")


@pytest.mark.parametrize("mode", ["edit", "view_only"])
async def test_nobody_reads_the_key_of_a_temporary_codespace_out_of_a_link(world: World, mode: str) -> None:
    answer = await world.link(TMP, mode=mode, expires_in=60)
    readable = jwt.decode(answer.json()["token"], options={"verify_signature": False})
    assert readable["sub"] == public_name(TMP)
    for text in (str(readable), answer.text, str(answer.headers)):
        assert TMP not in text
        assert TMP.removeprefix("tmp-") not in text
    grant = SIGNER.read(answer.json()["token"])
    assert grant is not None
    assert grant.codespace == TMP


async def test_a_store_that_is_away_is_not_the_callers_fault(world: World) -> None:
    made = await world.make()
    world.faults.down = True
    for answer in (await world.text(made.edit), await world.client.post("/codespaces", json={})):
        assert reason(answer) == (503, "the store does not answer; try again later"), "hosts are named in the log only"
        assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("code", "status"), [(CloseCode.TRY_LATER, 503), (CloseCode.OUR_FAULT, 502), (CloseCode.NO_SUCH_CODESPACE, 404)]
)
async def test_what_the_api_cannot_say_is_answered_so(world: World, code: CloseCode, status: int) -> None:
    async def admit(token: str, line: str) -> Admission:
        await trio.lowlevel.checkpoint()
        raise ConnectionRefused(Closing(code, "as it is"))

    async with asking(world.store, admit) as client:
        assert reason(await client.get("/codespaces/x/text")) == (status, "as it is")


async def test_an_api_that_takes_long_is_not_waited_for(world: World, autojump_clock: MockClock) -> None:
    async def admit(token: str, line: str) -> Admission:
        await trio.sleep_forever()
        raise AssertionError

    async with asking(world.store, admit) as client:
        start = trio.current_time()
        assert reason(await client.get("/codespaces/x/text"))[0] == 503
        assert trio.current_time() - start == 3


async def test_a_list_of_codespaces_is_not_had_here_and_the_answer_says_what_is(world: World) -> None:
    answer = await world.client.get("/codespaces")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["reason"] == "GET is not allowed here; use POST"


@pytest.mark.parametrize("rest", ["", "/python/text", "/text/", "/python"])
async def test_what_is_copied_from_the_pages_address_with_the_language_is_answered_with_the_way(
    world: World, rest: str
) -> None:
    made = await world.make()
    answer = await world.client.get(f"/codespaces/{made.edit}{rest}")
    assert answer.status_code == 404
    assert "/codespaces/TOKEN/text" in answer.json()["reason"]
    assert "before the slash" in answer.json()["reason"]
