"""Tests of `pyshare.logs`."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from typing_extensions import override

from pyshare.logs import QUIET_LOGGERS, configure_logs
from pyshare.settings import LogFormat, LogLevel

logger = logging.getLogger("pyshare.tests.logs")


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    @override
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in QUIET_LOGGERS}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, quiet_level in levels.items():
        logging.getLogger(name).setLevel(quiet_level)


def logged(
    log_format: LogFormat = "json", level: LogLevel = "info", *, stream: io.StringIO | None = None
) -> io.StringIO:
    target = io.StringIO() if stream is None else stream
    configure_logs(log_format, level, stream=target)
    return target


def fail() -> None:
    secret = "a text of a user"
    raise ValueError(f"broken after {len(secret)}")


def test_a_json_line_has_time_level_logger_event_and_extras() -> None:
    stream = logged()
    logger.info("client joined", extra={"codespace": "tmp-1", "clients": 2})
    line = json.loads(stream.getvalue())
    time = datetime.fromisoformat(line.pop("timestamp"))
    assert abs(datetime.now(UTC) - time).total_seconds() < 60
    assert line == {
        "level": "info",
        "logger": "pyshare.tests.logs",
        "event": "client joined",
        "codespace": "tmp-1",
        "clients": 2,
    }


def test_an_event_is_one_json_line_whatever_is_in_it() -> None:
    stream = logged()
    logger.info("two\nlines %s", "\ud800", extra={"value": object(), "text": "a\r\n\u2028b"})
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().isascii()
    line = json.loads(stream.getvalue())
    assert (line["event"], line["text"]) == ("two\nlines \ud800", "a\r\n\u2028b")


def test_an_exception_is_a_field_of_its_json_line() -> None:
    stream = logged()
    try:
        fail()
    except ValueError:
        logger.exception("channel failed")
    line = json.loads(stream.getvalue())
    assert (line["level"], line["event"]) == ("error", "channel failed")
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: broken after 16")
    assert "exc_info" not in line


def test_on_a_terminal_an_exception_shows_no_values_of_variables() -> None:
    stream = logged("console", stream=Terminal())
    try:
        fail()
    except ValueError:
        logger.exception("channel failed")
    assert "ValueError: broken after 16" in stream.getvalue()
    assert "a text of a user" not in stream.getvalue()


@pytest.mark.parametrize(
    ("log_format", "stream", "is_json"),
    [
        ("auto", io.StringIO(), True),
        ("auto", Terminal(), False),
        ("json", Terminal(), True),
        ("console", io.StringIO(), False),
    ],
)
def test_auto_is_for_people_on_a_terminal_only(log_format: LogFormat, stream: io.StringIO, is_json: bool) -> None:
    logged(log_format, stream=stream)
    logger.info("event", extra={"port": 8888})
    assert stream.getvalue().startswith("{") is is_json
    assert "event" in stream.getvalue()
    assert "8888" in stream.getvalue()


def test_colours_are_for_terminals_whose_user_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for stream in (logged("console", stream=Terminal()), logged("console")):
        logged("console", stream=stream)
        logger.info("event")
        assert ("\x1b[" in stream.getvalue()) is stream.isatty()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = logged("console", stream=Terminal())
    logger.info("event")
    assert "\x1b[" not in plain.getvalue()


def test_what_is_below_the_level_is_not_logged() -> None:
    stream = logged(level="warning")
    logger.info("quiet")
    logger.warning("loud")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


@pytest.mark.parametrize("name", QUIET_LOGGERS)
def test_libraries_log_warnings_only_even_when_all_is_logged(name: str) -> None:
    stream = logged(level="debug")
    logging.getLogger(name).info("a frame")
    logger.debug("ours")
    logging.getLogger(name).warning("a fault")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["ours", "a fault"]


def test_configured_again_each_event_is_still_logged_once() -> None:
    first, second = logged(), logged()
    logger.info("event")
    assert first.getvalue() == ""
    assert second.getvalue().count("event") == 2, "the key and the value"


def test_without_a_stream_the_log_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("auto", "info")
    logger.info("event")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert json.loads(captured.err)["event"] == "event"
