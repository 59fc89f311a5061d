"""What the settings mean for each part, and where clients are pointed."""

import os
import socket
from typing import Literal

import pytest

from pyshare.actors.stock import StockLimits
from pyshare.limits import channel_limits, connection_limits, store_limits
from pyshare.net.addresses import authority
from pyshare.server import addresses, environment_proxy, open_sockets
from pyshare.settings import Settings


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "127.0.0.1:8888"),
        ("0.0.0.0", "127.0.0.1:8888"),
        ("::", "[::1]:8888"),
        ("fe80::1", "[fe80::1]:8888"),
    ],
)
def test_a_client_is_pointed_to_an_address_that_it_can_connect_to(host: str, expected: str) -> None:
    assert authority(host, 8888) == expected


@pytest.mark.parametrize(
    ("page", "codespace"),
    [("on", "tmp-<uuid4>"), ("off", "{token}")],
)
async def test_a_client_is_pointed_to_a_codespace_that_it_may_open(page: Literal["on", "off"], codespace: str) -> None:
    settings = Settings(port=0, http_port=0, page=page)
    async with open_sockets(settings) as sockets:
        assert addresses(settings, sockets).client.endswith(f"/codespace/{codespace}/")


@pytest.mark.parametrize(("host", "told"), [("0.0.0.0", True), ("127.0.0.1", False)])
async def test_where_others_reach_the_page_they_are_told_another_address_than_this_machine_alone_knows(
    host: str, told: bool
) -> None:
    settings = Settings(port=0, http_port=0, http_host=host)
    async with open_sockets(settings) as sockets:
        where = addresses(settings, sockets)
    port = where.http.rpartition(":")[2]
    assert where.page == f"http://127.0.0.1:{port}/"
    assert where.page_for_others == (f"http://{socket.gethostname()}:{port}/" if told else None)


def test_what_clients_are_told_is_what_they_are_held_to() -> None:
    settings = Settings(message_bytes=2048, text_units=10, clients=3, pushes_per_second=4, history_updates=5)
    channel = channel_limits(settings)
    assert channel.told.message_bytes == connection_limits(settings).message_bytes == 2048
    assert channel.told.text_units == channel.document.text_units == 10
    assert channel.told.clients == channel.clients == 3
    assert channel.told.pushes_per_second == connection_limits(settings).pushes_per_second == 4
    assert channel.told.history_updates == channel.document.history_updates == store_limits(settings).log_updates == 5
    assert channel.told.presence_ms == channel.presence_seconds * 1000


def test_texts_of_any_length_are_stored_with_every_edit_where_an_api_saves_them() -> None:
    with_api = channel_limits(Settings(text_units=300_000, api_base_url="http://127.0.0.1/"))
    assert with_api.log.text_with_append_units == 300_000
    assert channel_limits(Settings(text_units=300_000)).log.text_with_append_units == 65_536


def test_a_codespace_is_touched_three_times_in_its_life() -> None:
    limits = channel_limits(Settings(codespace_expire_seconds=1200, tmp_codespace_expire_seconds=6))
    assert limits.heartbeat_seconds == 2
    assert channel_limits(Settings()).heartbeat_seconds == 15


def test_a_stock_editor_that_waits_for_its_admission_may_have_loaded_its_text_before() -> None:
    settings = Settings(authentication_seconds=90)
    assert channel_limits(settings).stock.loading_seconds >= 90 + StockLimits().loading_seconds


@pytest.mark.parametrize(
    ("url", "variables", "proxy"),
    [
        ("http://api.example/", {}, None),
        ("http://api.example/", {"http_proxy": "http://user:secret@proxy.example:3128"}, "proxy.example:3128"),
        ("https://api.example/", {"http_proxy": "http://proxy.example:3128"}, None),
        ("https://api.example/", {"all_proxy": "http://proxy.example:3128"}, "proxy.example:3128"),
        ("http://api.example/", {"http_proxy": "http://proxy.example:3128", "no_proxy": "api.example"}, None),
        ("http://127.0.0.1:8000/", {"http_proxy": "http://proxy.example:3128", "no_proxy": "127.0.0.1"}, None),
    ],
)
def test_the_proxy_of_the_environment_is_named_that_the_api_is_asked_through(
    url: str, variables: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment_proxy(url) == proxy
