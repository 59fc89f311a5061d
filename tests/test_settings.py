"""Tests of `pyshare.settings`."""

import pytest
from pydantic import ValidationError

from pyshare.fields import Setting
from pyshare.given import SettingsError, settings_from, unknown_variables
from pyshare.settings import SETTINGS, Settings

NUMBERS = [setting for setting in SETTINGS if " from " in setting.allowed]
CHOICES = [setting for setting in SETTINGS if setting.choices]


def refusal(flags: dict[str, str], environment: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        settings_from(flags, environment or {})
    return str(caught.value)


def named(setting: Setting) -> str:
    return setting.name


def test_nothing_given_means_every_default() -> None:
    assert settings_from({}, {}) == Settings()


def test_a_setting_cannot_be_changed_later() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]


def test_a_flag_counts_before_our_variable_that_before_the_stock_one_and_that_before_the_default() -> None:
    environment = {"PYSHARE_PORT": "2", "PORT": "3"}
    assert settings_from({"port": "1"}, environment).port == 1
    assert settings_from({}, environment).port == 2
    assert settings_from({}, {"PORT": "3"}).port == 3
    assert settings_from({}, {}).port == 8888


def test_the_stock_servers_variables_work() -> None:
    settings = settings_from(
        {},
        {
            "PORT": "9000",
            "API_BASE_URL": "http://api.test/",
            "CODESPACE_EXPIRE_UPDATE": "5",
            "TMP_CODESPACE_EXPIRE_UPDATE": "6",
        },
    )
    assert settings == Settings(
        port=9000,
        api_base_url="http://api.test/",
        codespace_expire_seconds=5,
        tmp_codespace_expire_seconds=6,
    )


def test_an_empty_variable_counts_as_not_set() -> None:
    assert settings_from({}, {"PYSHARE_PORT": "", "PORT": "3", "API_BASE_URL": ""}).port == 3


def test_variables_that_are_no_settings_are_left_alone() -> None:
    assert settings_from({}, {"HOME": "/", "HOST": "elsewhere", "PYSHARE_PROT": "1"}) == Settings()


@pytest.mark.parametrize("setting", SETTINGS, ids=named)
def test_every_default_can_be_given_as_a_flag(setting: Setting) -> None:
    if setting.default is not None:
        assert settings_from({setting.name: setting.default}, {}) == Settings()


@pytest.mark.parametrize("setting", NUMBERS, ids=named)
@pytest.mark.parametrize("value", ["-1", "many", "1e30", "nan", "inf", "1 2"])
def test_a_number_that_is_not_allowed_is_refused_with_what_is(setting: Setting, value: str) -> None:
    assert refusal({setting.name: value}) == f"{setting.flag} {value}: must be {setting.allowed}"


@pytest.mark.parametrize("setting", NUMBERS, ids=named)
def test_the_bounds_that_a_refusal_names_are_the_first_and_last_allowed(setting: Setting) -> None:
    least, _, most = setting.allowed.rpartition(" from ")[2].partition(" to ")
    for bound in (least, most):
        try:
            settings_from({setting.name: bound}, {})
        except SettingsError as error:
            # One that contradicts another setting is allowed by itself.
            assert setting.allowed not in str(error)  # noqa: PT017
    assert setting.allowed in refusal({setting.name: str(float(most) + 1).removesuffix(".0")})


@pytest.mark.parametrize("setting", CHOICES, ids=named)
def test_a_choice_that_does_not_exist_is_refused_with_those_that_do(setting: Setting) -> None:
    message = refusal({setting.name: "other"})
    assert message.startswith(f"{setting.flag} other: must be ")
    for choice in setting.choices:
        assert choice in message


def test_a_refusal_names_the_variable_when_that_was_used() -> None:
    assert refusal({}, {"PORT": "x"}) == "PORT=x: must be a whole number from 0 to 65535"
    assert refusal({}, {"PYSHARE_PORT": "x"}) == "PYSHARE_PORT=x: must be a whole number from 0 to 65535"


def test_all_wrong_settings_are_named_at_once() -> None:
    message = refusal({"host": "a b"}, {"PORT": "x"})
    assert message == "--host a b: must be a host name or an IP address; " + refusal({}, {"PORT": "x"})


def test_an_empty_flag_is_refused() -> None:
    assert refusal({"host": ""}) == "--host '': must be a host name or an IP address"
    assert refusal({"port": ""}) == "--port '': must be a whole number from 0 to 65535"


@pytest.mark.parametrize("url", ["http://api.test", "https://api.test:8000/v1", "http://[::1]:8000"])
def test_a_missing_final_slash_of_the_api_is_added(url: str) -> None:
    assert settings_from({"api_base_url": url}, {}).api_base_url == f"{url}/"
    assert settings_from({"api_base_url": f"{url}/"}, {}).api_base_url == f"{url}/"


@pytest.mark.parametrize(
    "url",
    [
        "api.test",
        "ftp://api.test/",
        "http://",
        "http:///path",
        "http://api.test/?a=b",
        "http://api.test/#a",
        "http://a b/",
        "http://[::1",
        "http://api.test:99999/",
    ],
)
def test_what_is_no_base_address_of_an_api_is_refused(url: str) -> None:
    expected = f"--api-base-url {url}: must be an http:// or https:// address without a query"
    assert refusal({"api_base_url": url}) == expected


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"silence_seconds": "20"},
            "--silence-seconds 20: must be more than --ping-seconds 20 (its default): ",
        ),
        (
            {"ping_seconds": "70"},
            "--silence-seconds 60 (its default): must be more than --ping-seconds 70: ",
        ),
        (
            {"drain_seconds": "2"},
            "--drain-seconds 2: must be at least --close-seconds 3 (its default): ",
        ),
        (
            {"history_bytes": "2048", "message_bytes": "4096"},
            "--history-bytes 2048: must be at least --message-bytes 4096: ",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_both(flags: dict[str, str], message: str) -> None:
    assert refusal(flags).startswith(message)


def test_a_contradiction_is_refused_in_code_too() -> None:
    with pytest.raises(ValidationError, match="silence_seconds must be more than ping_seconds"):
        Settings(silence_seconds=1.0)


def test_an_unknown_variable_of_ours_is_named_with_the_nearest_known_one() -> None:
    assert unknown_variables({"PYSHARE_PROT": "1", "PYSHARE_PORT": "1", "PORT": "1", "OTHER": "1"}) == [
        "PYSHARE_PROT is not a setting and is ignored; did you mean PYSHARE_PORT?"
    ]
    assert unknown_variables({"PYSHARE_XYZ": "1"}) == [
        "PYSHARE_XYZ is not a setting and is ignored; pyshare serve --help lists them all"
    ]


def test_the_variables_of_the_tests_are_no_reason_to_warn() -> None:
    assert unknown_variables({"PYSHARE_TEST_REQUIRE": "1"}) == []


def test_no_two_settings_share_a_flag_or_a_variable() -> None:
    flags = [setting.flag for setting in SETTINGS]
    variables = [variable for setting in SETTINGS for variable in setting.variables]
    assert len(set(flags)) == len(flags)
    assert len(set(variables)) == len(variables)


def test_the_settings_of_a_group_stand_together() -> None:
    groups = [setting.shown.group for setting in SETTINGS]
    assert groups == sorted(groups, key=groups.index)


# Redis


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({}, None),
        ({"REDIS_HOST": "redis"}, "redis://redis:6379/0"),
        ({"REDIS_HOST": "redis", "REDIS_PORT": "1", "REDIS_PASS": "a/b@c"}, "redis://:a%2Fb%40c@redis:1/0"),
        ({"REDIS_HOST": "::1"}, "redis://[::1]:6379/0"),
        ({"PYSHARE_REDIS_URL": "rediss://h:1/2", "REDIS_HOST": "redis"}, "rediss://h:1/2"),
        ({"PYSHARE_REDIS_URL": "redis://user@h:1/2", "REDIS_PASS": "p"}, "redis://user:p@h:1/2"),
        ({"PYSHARE_REDIS_URL": "redis://:own@h", "REDIS_PASS": "p"}, "redis://:own@h"),
        ({"PYSHARE_REDIS_URL": "unix:///run/redis.sock?db=1", "REDIS_PASS": "p"}, "unix://:p@/run/redis.sock?db=1"),
    ],
)
def test_redis_is_named_by_url_or_by_host(environment: dict[str, str], address: str | None) -> None:
    assert settings_from({}, environment).redis_address == address


@pytest.mark.parametrize(
    "url",
    [
        "http://h",
        "redis://",
        "unix://",
        "redis://h:0",
        "redis://h:x",
        "h:6379",
        "redis://a b",
        "redis://h/x",
        "redis://h/1/2",
    ],
)
def test_what_is_no_address_of_redis_is_refused(url: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings_from({"redis_url": url}, {})
    assert str(error.value).startswith(f"--redis-url {url}: must be a redis://, rediss:// or unix:// address")


def test_a_secret_is_not_repeated_by_an_error() -> None:
    with pytest.raises(SettingsError) as error:
        settings_from({}, {"PYSHARE_REDIS_URL": "http://:secret@host"})
    assert str(error.value).startswith("PYSHARE_REDIS_URL=http://:***@host: must be ")
    assert "secret" not in str(error.value)


def test_workers_cannot_share_what_is_in_one_process() -> None:
    with pytest.raises(SettingsError) as error:
        settings_from({"workers": "2", "store": "memory"}, {})
    assert str(error.value) == ("--workers 2: must be 1 with --store memory: each worker would have texts of its own")


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"REDIS_PASS": "p"}, "REDIS_PASS=***: of which Redis? give --redis-host or --redis-url too"),
        ({"REDIS_PORT": "1"}, "REDIS_PORT=1: of which Redis? give --redis-host or --redis-url too"),
        (
            {"PYSHARE_PORT": "9000", "PYSHARE_HTTP_PORT": "9000"},
            "PYSHARE_HTTP_PORT=9000: must be another than PYSHARE_PORT=9000: each has its own listener",
        ),
    ],
)
def test_settings_that_make_no_sense_without_or_with_another_are_refused(
    environment: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError) as error:
        settings_from({}, environment)
    assert str(error.value) == message


@pytest.mark.parametrize("proxies", ["none", "127.0.0.1", "10.0.0.0/8, 2001:db8::/32"])
def test_proxies_are_addresses_and_networks_or_none(proxies: str) -> None:
    assert settings_from({"trusted_proxies": proxies}, {}).trusted_proxies == proxies


@pytest.mark.parametrize("proxies", ["haproxy", "10.0.0.1/8", "127.0.0.1;::1", ","])
def test_anything_else_is_no_list_of_proxies(proxies: str) -> None:
    assert "must be addresses and networks with commas between, or none" in refusal({"trusted_proxies": proxies})


@pytest.mark.parametrize(("http_port", "port"), [(8889, 9889), (8891, 9891), (65000, 64000), (0, 0)])
def test_metrics_have_a_port_as_far_from_that_of_http_for_each_server_of_a_machine(http_port: int, port: int) -> None:
    assert Settings(http_port=http_port).metrics_at == port


def test_metrics_have_the_port_that_is_given_and_share_it_with_nothing() -> None:
    assert Settings(metrics_port=9000).metrics_at == 9000
    assert Settings(metrics_port=0).metrics_at == 0
    for port in ("8888", "8889"):
        assert f"--metrics-port {port}: must be another than" in refusal({"metrics_port": port})
