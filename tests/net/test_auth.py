"""Who may join a codespace: tokens, and an API that answers as a test says."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import pytest
import trio
from trio.testing import MockClock

from pyshare.core.errors import CloseCode, ConfigurationError, ConnectionRefused
from pyshare.net.auth import Admission, ApiLimits, Authenticator, Creators, open_authenticator
from pyshare.net.tokens import Grant, Signer

TMP = "tmp-9b2d8c7e-1f3a-4c5d-8e6f-0a1b2c3d4e5f"
UUID = "0d2b6f0e-7a51-4a3e-9c0c-6d3c6f1f7a10"
TOKEN = "c2VjcmV0LXRva2Vu="
ADDRESS = "https://api.example/v1/"
KNOWN = httpx.Response(200, json={"uuid": UUID, "mode": "edit"})


@dataclass
class Api:
    """An API that gives these answers in turn, the last one for good, each after so many seconds."""

    answers: list[httpx.Response | Exception]
    seconds: float = 0
    #: When and what it was asked, and for how many answers the caller no longer waited.
    asked: list[tuple[float, httpx.URL]] = field(default_factory=list)
    abandoned: int = 0
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((trio.current_time(), request.url))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await trio.sleep(self.seconds)
        except trio.Cancelled:
            self.abandoned += 1
            raise
        finally:
            self.at_once -= 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


async def with_api(
    api: Api,
    use: Callable[[Authenticator], Awaitable[None]],
    *,
    make_missing: bool = False,
    signer: Signer | None = None,
    limits: ApiLimits | None = None,
) -> None:
    transport = httpx.MockTransport(api)
    async with open_authenticator(
        ADDRESS, make_missing=make_missing, signer=signer, limits=limits, transport=transport
    ) as them:
        await use(them)


async def refusal(authenticator: Authenticator, token: str = TOKEN) -> tuple[int, str]:
    with pytest.raises(ConnectionRefused) as caught:
        await authenticator.admit(token)
    return caught.value.closing.code, caught.value.closing.reason


# Without the API.


async def test_a_temporary_codespace_is_its_own_key_and_made_by_whoever_comes_first() -> None:
    async with open_authenticator(None, make_missing=False) as authenticator:
        assert await authenticator.admit(TMP) == Admission(TMP, "edit", create=True, by="id")


async def test_a_temporary_codespace_has_one_id_however_it_is_written() -> None:
    async with open_authenticator(None, make_missing=False) as authenticator:
        assert (await authenticator.admit(TMP.upper())).codespace == TMP


@pytest.mark.parametrize(
    "token",
    [
        "tmp-",
        "tmp-9b2d8c7e-1f3a-1c5d-8e6f-0a1b2c3d4e5f",
        "tmp-9b2d8c7e-1f3a-4c5d-7e6f-0a1b2c3d4e5f",
        "tmp-9b2d8c7e1f3a4c5d8e6f0a1b2c3d4e5f",
        UUID,
        TMP + "0",
        TOKEN,
    ],
)
async def test_without_an_api_nothing_else_is_a_token(token: str) -> None:
    async with open_authenticator(None, make_missing=True) as authenticator:
        code, reason = await refusal(authenticator, token)

    assert code == CloseCode.NOT_AUTHENTICATED
    assert "tmp-<uuid4>" in reason


@pytest.mark.parametrize("address", ["", "api.example", "ftp://api.example/", "http://", "http://x:y/"])
async def test_an_address_that_is_none_is_a_mistake_of_the_setting(address: str) -> None:
    with pytest.raises(ConfigurationError, match="API_BASE_URL"):
        async with open_authenticator(address, make_missing=True):
            pass


# What the API says.


async def test_the_api_is_asked_as_the_stock_server_asks_it() -> None:
    api = Api([KNOWN])

    async def use(authenticator: Authenticator) -> None:
        assert await authenticator.admit(TOKEN) == Admission(UUID, "edit", create=False, by="api")

    await with_api(api, use)

    path = b"/v1/codespace/c2VjcmV0LXRva2Vu%3D/?fields=uuid,mode"
    assert [url.raw_path for _, url in api.asked] == [path]


async def test_what_the_api_knows_and_the_store_does_not_is_made_if_so_configured() -> None:
    async def use(authenticator: Authenticator) -> None:
        assert (await authenticator.admit(TOKEN)).create

    await with_api(Api([KNOWN]), use, make_missing=True)


async def test_with_an_api_a_temporary_codespace_is_not_asked_for_and_not_made() -> None:
    api = Api([KNOWN])

    async def use(authenticator: Authenticator) -> None:
        assert await authenticator.admit(TMP) == Admission(TMP, "edit", create=False, by="id")

    await with_api(api, use, make_missing=True)

    assert api.asked == []


@pytest.mark.parametrize("token", ["", "a b", "a/b", "ä", "x" * 513, "a.b", "a\n"])
async def test_what_cannot_be_a_token_is_refused_without_asking(token: str) -> None:
    api = Api([KNOWN])

    async def use(authenticator: Authenticator) -> None:
        assert (await refusal(authenticator, token))[0] == CloseCode.NOT_AUTHENTICATED

    await with_api(api, use)

    assert api.asked == []


ANSWERS: Mapping[str, tuple[httpx.Response, CloseCode, str]] = {
    "401": (httpx.Response(401, json={"detail": "Expired."}), CloseCode.NOT_AUTHENTICATED, "Expired."),
    "403 with a long detail": (
        httpx.Response(403, json={"detail": "ä" * 200}),
        CloseCode.NOT_AUTHENTICATED,
        "ä" * 60 + "...",
    ),
    "401 without a detail": (httpx.Response(401, text="no"), CloseCode.NOT_AUTHENTICATED, "invalid token"),
    "404": (httpx.Response(404, json={"detail": "Not found."}), CloseCode.NO_SUCH_CODESPACE, "no such"),
    "a redirect": (httpx.Response(302, headers={"Location": "/"}), CloseCode.OUR_FAULT, "API"),
    "400": (httpx.Response(400), CloseCode.OUR_FAULT, "API"),
    "no JSON": (httpx.Response(200, text="hello"), CloseCode.OUR_FAULT, "API"),
    "no mode": (httpx.Response(200, json={"uuid": UUID}), CloseCode.OUR_FAULT, "API"),
    "another mode": (httpx.Response(200, json={"uuid": UUID, "mode": "own"}), CloseCode.OUR_FAULT, "API"),
    "no uuid": (httpx.Response(200, json={"uuid": "../x", "mode": "edit"}), CloseCode.OUR_FAULT, "API"),
    "too much": (httpx.Response(200, content=b" " * 100_000), CloseCode.OUR_FAULT, "API"),
}


@pytest.mark.parametrize(("answer", "code", "reason"), ANSWERS.values(), ids=ANSWERS)
async def test_an_answer_leads_to_its_close_code(answer: httpx.Response, code: CloseCode, reason: str) -> None:
    api = Api([answer])

    async def use(authenticator: Authenticator) -> None:
        found = await refusal(authenticator)
        assert found[0] == code
        assert reason in found[1]

    await with_api(api, use)

    assert len(api.asked) == 1


async def test_view_only_is_admitted_as_such_and_unknown_fields_do_not_matter() -> None:
    answer = httpx.Response(200, json={"uuid": UUID.upper(), "mode": "view_only", "more": 1})

    async def use(authenticator: Authenticator) -> None:
        assert await authenticator.admit(TOKEN) == Admission(UUID, "view_only", create=False, by="api")

    await with_api(Api([answer]), use)


# When it does not answer.

LIMITS = ApiLimits(request_seconds=5, requests=4, first_retry_seconds=1, last_retry_seconds=2)


async def test_a_failing_api_is_asked_again_with_growing_pauses_then_the_client_comes_back(
    autojump_clock: MockClock,
) -> None:
    api = Api([httpx.Response(503)])

    async def use(authenticator: Authenticator) -> None:
        assert (await refusal(authenticator))[0] == CloseCode.TRY_LATER

    await with_api(api, use, limits=LIMITS)

    assert [time for time, _ in api.asked] == [0, 1, 3, 5]
    assert trio.current_time() == 5


@pytest.mark.parametrize("failure", [httpx.Response(500), httpx.ConnectError("no"), httpx.ReadError("cut")])
async def test_one_failure_is_not_seen_by_the_client(
    failure: httpx.Response | Exception, autojump_clock: MockClock
) -> None:
    async def use(authenticator: Authenticator) -> None:
        assert (await authenticator.admit(TOKEN)).codespace == UUID

    await with_api(Api([failure, KNOWN]), use, limits=LIMITS)


async def test_an_api_that_is_too_slow_is_not_waited_for(autojump_clock: MockClock) -> None:
    api = Api([KNOWN], seconds=6)

    async def use(authenticator: Authenticator) -> None:
        assert (await refusal(authenticator))[0] == CloseCode.TRY_LATER

    await with_api(api, use, limits=LIMITS)

    assert api.abandoned == 4
    assert trio.current_time() == 4 * 5 + 1 + 2 + 2


async def test_a_throttling_api_is_left_alone_by_all_for_as_long_as_it_says(
    autojump_clock: MockClock,
) -> None:
    throttled = httpx.Response(429, headers={"Retry-After": "7"})
    api = Api([throttled, KNOWN])

    async def use(authenticator: Authenticator) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(authenticator.admit, "one")
            await trio.sleep(1)
            nursery.start_soon(authenticator.admit, "two")

    await with_api(api, use, limits=LIMITS)

    assert [time for time, _ in api.asked] == [0, 7, 7]


async def test_an_api_that_throttles_for_too_long_has_the_client_come_back(autojump_clock: MockClock) -> None:
    api = Api([httpx.Response(429, headers={"Retry-After": "3600"})])

    async def use(authenticator: Authenticator) -> None:
        assert (await refusal(authenticator))[0] == CloseCode.TRY_LATER

    await with_api(api, use, limits=LIMITS)

    assert trio.current_time() == 0


@pytest.mark.parametrize("header", [None, "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "-1"])
async def test_throttling_without_seconds_is_taken_as_a_failure(header: str | None, autojump_clock: MockClock) -> None:
    throttled = httpx.Response(429, headers={} if header is None else {"Retry-After": header})

    async def use(authenticator: Authenticator) -> None:
        assert (await authenticator.admit(TOKEN)).codespace == UUID

    await with_api(Api([throttled, KNOWN]), use, limits=LIMITS)

    assert trio.current_time() == 1


# Many who ask.


async def test_the_same_question_is_asked_once_for_all_who_ask_at_the_same_time(
    autojump_clock: MockClock,
) -> None:
    api = Api([KNOWN], seconds=1)

    async def use(authenticator: Authenticator) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(80):
                nursery.start_soon(authenticator.admit, TOKEN)

    await with_api(api, use)

    assert [time for time, _ in api.asked] == [0]


async def test_a_class_that_arrives_over_eight_seconds_with_one_token_makes_one_question(
    autojump_clock: MockClock,
) -> None:
    api = Api([KNOWN], seconds=1)
    admitted: list[Admission] = []

    async def use(authenticator: Authenticator) -> None:
        async def arrive(seconds: float) -> None:
            await trio.sleep(seconds)
            admitted.append(await authenticator.admit(TOKEN))

        async with trio.open_nursery() as nursery:
            for number in range(80):
                nursery.start_soon(arrive, number / 10)

    await with_api(api, use)

    assert len(admitted) == 80
    assert len(api.asked) == 1


async def test_a_token_that_was_taken_back_opens_nothing_after_the_seconds_for_which_it_was_known(
    autojump_clock: MockClock,
) -> None:
    api = Api([KNOWN, httpx.Response(403, json={"detail": "taken back"})])

    async def use(authenticator: Authenticator) -> None:
        await authenticator.admit(TOKEN)
        await trio.sleep(9.9)
        await authenticator.admit(TOKEN)
        await trio.sleep(0.1)
        assert await refusal(authenticator) == (CloseCode.NOT_AUTHENTICATED, "taken back")

    await with_api(api, use, limits=ApiLimits(good_seconds=10))

    assert [time for time, _ in api.asked] == [0, 10]


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_bad_token_is_not_asked_about_again_for_some_seconds(status: int, autojump_clock: MockClock) -> None:
    api = Api([httpx.Response(status), KNOWN])

    async def use(authenticator: Authenticator) -> None:
        first = await refusal(authenticator)
        await trio.sleep(4.9)
        assert await refusal(authenticator) == first
        await trio.sleep(0.1)
        assert (await authenticator.admit(TOKEN)).codespace == UUID

    await with_api(api, use, limits=ApiLimits(bad_seconds=5))

    assert [time for time, _ in api.asked] == [0, 5]


async def test_a_failure_of_the_api_is_not_remembered_of_the_token(autojump_clock: MockClock) -> None:
    async def use(authenticator: Authenticator) -> None:
        assert (await refusal(authenticator))[0] == CloseCode.OUR_FAULT
        assert (await authenticator.admit(TOKEN)).codespace == UUID

    await with_api(Api([httpx.Response(400), KNOWN]), use)


async def test_no_more_tokens_are_remembered_than_the_limit_and_bad_ones_do_not_have_good_ones_forgotten(
    autojump_clock: MockClock,
) -> None:
    api = Api([KNOWN, KNOWN, KNOWN, *(httpx.Response(404) for _ in range(10)), KNOWN])

    async def use(authenticator: Authenticator) -> None:
        for token in ("one", "two", "three"):
            await authenticator.admit(token)
        for number in range(10):
            await refusal(authenticator, f"made-up-{number}")
        for token in ("two", "three"):
            await authenticator.admit(token)
        assert len(api.asked) == 13
        await authenticator.admit("one")

    await with_api(api, use, limits=ApiLimits(remembered=2))

    assert len(api.asked) == 14


async def test_with_no_seconds_to_remember_the_api_is_asked_each_time(autojump_clock: MockClock) -> None:
    api = Api([KNOWN])

    async def use(authenticator: Authenticator) -> None:
        for _ in range(3):
            await authenticator.admit(TOKEN)

    await with_api(api, use, limits=ApiLimits(good_seconds=0))

    assert len(api.asked) == 3


def made_up(authenticator: Authenticator, nursery: trio.Nursery, count: int) -> None:
    """Have one address ask about many tokens at once."""

    async def ask(number: int) -> None:
        with suppress(ConnectionRefused):
            await authenticator.admit(f"made-up-{number}", "192.0.2.1")

    for number in range(count):
        nursery.start_soon(ask, number)


async def test_an_address_with_hundreds_of_made_up_tokens_holds_no_other(autojump_clock: MockClock) -> None:
    api = Api([KNOWN], seconds=1)
    waited: list[float] = []

    async def use(authenticator: Authenticator) -> None:
        async with trio.open_nursery() as nursery:
            made_up(authenticator, nursery, 800)
            await trio.sleep(0.5)
            for number in range(20):
                await authenticator.admit(f"good-{number}", f"198.51.100.{number}")
                waited.append(trio.current_time())
            nursery.cancel_scope.cancel()

    await with_api(api, use)

    # For each: a request that is under way, and its own.
    assert waited == [pytest.approx(2 + 2 * number) for number in range(20)]


async def test_one_who_asks_what_a_long_line_asks_too_does_not_wait_behind_it(autojump_clock: MockClock) -> None:
    api = Api([KNOWN], seconds=1)

    async def use(authenticator: Authenticator) -> None:
        async with trio.open_nursery() as nursery:
            made_up(authenticator, nursery, 800)
            await trio.sleep(0.5)
            # Chance decides which are asked first; one of those has its answer sooner.
            asked = {part for _, url in api.asked for part in url.path.split("/")}
            waiting = next(token for number in range(800) if (token := f"made-up-{number}") not in asked)
            await authenticator.admit(waiting, "198.51.100.1")
            assert trio.current_time() == 2
            nursery.cancel_scope.cancel()

    await with_api(api, use)


async def test_after_a_throttle_that_others_have_earned_each_address_has_its_turn(autojump_clock: MockClock) -> None:
    throttled = httpx.Response(429, headers={"Retry-After": "7"})
    api = Api([throttled, throttled, KNOWN], seconds=1)

    async def use(authenticator: Authenticator) -> None:
        async with trio.open_nursery() as nursery:
            made_up(authenticator, nursery, 800)
            await trio.sleep(0.5)
            await authenticator.admit(TOKEN, "198.51.100.1")
            assert trio.current_time() == 9
            nursery.cancel_scope.cancel()

    await with_api(api, use, limits=ApiLimits(concurrent=2))

    assert [time for time, _ in api.asked] == [0, 0, 8, 8, 9, 9]


async def test_when_too_many_wait_those_of_the_longest_line_are_told_to_come_back(autojump_clock: MockClock) -> None:
    refused: list[tuple[int, str]] = []
    admitted: list[str] = []

    async def use(authenticator: Authenticator) -> None:
        async def ask(token: str, line: str) -> None:
            try:
                await authenticator.admit(token, line)
            except ConnectionRefused as error:
                refused.append((error.closing.code, token))
            else:
                admitted.append(token)

        async with trio.open_nursery() as nursery:
            for number in range(7):
                nursery.start_soon(ask, f"made-up-{number}", "192.0.2.1")
            await trio.sleep(0.5)
            for number in range(3):
                nursery.start_soon(ask, f"good-{number}", f"198.51.100.{number}")

    await with_api(Api([KNOWN], seconds=1), use, limits=ApiLimits(concurrent=2, waiting=5))

    assert len(refused) == 3
    assert all(code == CloseCode.TRY_LATER and token.startswith("made-up") for code, token in refused)
    assert {"good-0", "good-1", "good-2"} <= set(admitted)


async def test_one_caller_that_gives_up_does_not_fail_the_others(autojump_clock: MockClock) -> None:
    api = Api([KNOWN], seconds=2)
    admitted: list[Admission] = []

    async def use(authenticator: Authenticator) -> None:
        async def stay() -> None:
            admitted.append(await authenticator.admit(TOKEN))

        async with trio.open_nursery() as nursery:
            with trio.move_on_after(1):
                nursery.start_soon(stay)
                await authenticator.admit(TOKEN)

    await with_api(api, use)

    assert [admission.codespace for admission in admitted] == [UUID]
    assert len(api.asked) == 1


async def test_a_question_nobody_waits_for_is_dropped_and_asked_anew_when_somebody_does(
    autojump_clock: MockClock,
) -> None:
    api = Api([KNOWN], seconds=2)

    async def use(authenticator: Authenticator) -> None:
        with trio.move_on_after(1):
            await authenticator.admit(TOKEN)
        assert (await authenticator.admit(TOKEN)).codespace == UUID

    await with_api(api, use)

    assert api.abandoned == 1
    assert [time for time, _ in api.asked] == [0, 1]


async def test_no_more_questions_are_asked_at_once_than_the_limit(autojump_clock: MockClock) -> None:
    api = Api([KNOWN], seconds=1)

    async def use(authenticator: Authenticator) -> None:
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(authenticator.admit, f"token{number}")

    await with_api(api, use, limits=ApiLimits(concurrent=3))

    assert api.most_at_once == 3
    assert trio.current_time() == 4


async def test_no_token_is_logged_whatever_happens(caplog: pytest.LogCaptureFixture, autojump_clock: MockClock) -> None:
    caplog.set_level(logging.DEBUG)
    quoting = httpx.Response(200, text=f'"{TOKEN}"')
    api = Api([httpx.ConnectError(f"no {TOKEN}"), httpx.Response(500), quoting])

    async def use(authenticator: Authenticator) -> None:
        await refusal(authenticator)
        await authenticator.admit(TMP)

    await with_api(api, use)

    logged = " ".join(str(record.__dict__) for record in caplog.records)
    assert "ConnectError" in logged
    assert "secret" not in logged
    assert TOKEN.rstrip("=") not in logged


# Tokens of our own.

SIGNER = Signer("s" * 32, now=lambda: 1000)


async def test_a_token_of_ours_admits_to_what_it_names_without_the_api() -> None:
    api = Api([KNOWN])

    async def use(authenticator: Authenticator) -> None:
        token = SIGNER.sign(Grant("class-7", "view_only", 2000))
        assert await authenticator.admit(token) == Admission("class-7", "view_only", create=False, expires=2000)

    await with_api(api, use, signer=SIGNER)
    assert api.asked == []


@pytest.mark.parametrize("make_missing", [True, False])
async def test_where_only_the_api_makes_codespaces_a_token_of_ours_does_not(make_missing: bool) -> None:
    async def use(authenticator: Authenticator) -> None:
        token = SIGNER.sign(Grant("class-7", "edit", create=True))
        assert (await authenticator.admit(token)).create is make_missing

    await with_api(Api([KNOWN]), use, make_missing=make_missing, signer=SIGNER)


async def test_without_a_secret_our_tokens_are_nobodys() -> None:
    async with open_authenticator(None, make_missing=False) as authenticator:
        code, _ = await refusal(authenticator, SIGNER.sign(Grant("x", "edit")))
    assert code == CloseCode.NOT_AUTHENTICATED


@pytest.mark.parametrize(
    ("creators", "by_id", "by_link"), [("anyone", True, True), ("links", False, True), ("nobody", False, False)]
)
async def test_who_makes_codespaces_is_who_may(creators: Creators, by_id: bool, by_link: bool) -> None:
    async with open_authenticator(None, make_missing=True, signer=SIGNER, creators=creators) as authenticator:
        assert (await authenticator.admit(TMP)).create is by_id
        assert (await authenticator.admit(SIGNER.sign(Grant("x", "edit", create=True)))).create is by_link


async def test_without_an_api_a_token_of_ours_makes_its_codespace_if_it_says_so() -> None:
    async with open_authenticator(None, make_missing=False, signer=SIGNER) as authenticator:
        assert (await authenticator.admit(SIGNER.sign(Grant("x", "edit", create=True)))).create
        assert not (await authenticator.admit(SIGNER.sign(Grant("x", "edit")))).create
