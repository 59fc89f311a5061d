"""Tests of `pyshare.cli`."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import trio

from pyshare import __version__
from pyshare.cli import main
from pyshare.core import sections
from pyshare.core.errors import ConfigurationError
from pyshare.folder import keep_secret
from pyshare.logs import QUIET_LOGGERS
from pyshare.net.tokens import Signer
from pyshare.server import Addresses
from pyshare.settings import SETTINGS, Settings
from pyshare.store.interface import StoreUnavailable

WHERE = Addresses(
    client="ws://127.0.0.1:8888/codespace/tmp-<uuid4>/",
    page="http://127.0.0.1:8889/",
    page_for_others=None,
    http="127.0.0.1:8889",
    metrics="127.0.0.1:9889",
)


class FakeServer(ModuleType):
    """Stands for `pyshare.server`: notes the settings and fails if it was told to."""

    def __init__(self) -> None:
        super().__init__("pyshare.server")
        self.Addresses = Addresses
        self.failure: BaseException | None = None
        self.served: list[Settings] = []

    async def serve(self, settings: Settings, *, on_ready: Callable[[Addresses], None]) -> None:
        await trio.lowlevel.checkpoint()
        self.served.append(settings)
        if self.failure is not None:
            raise self.failure
        on_ready(WHERE)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    fake = FakeServer()
    monkeypatch.setitem(sys.modules, "pyshare.server", fake)
    for setting in SETTINGS:
        for variable in setting.variables:
            monkeypatch.delenv(variable, raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in QUIET_LOGGERS}
    yield fake
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, quiet_level in levels.items():
        logging.getLogger(name).setLevel(quiet_level)


def error_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Run the command, which must fail as a user's error does, and return its one line without the prefix."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    line, newline, rest = captured.err.partition("\n")
    assert (newline, rest) == ("\n", "")
    prefix, _, message = line.partition("pyshare: ")
    assert prefix == ""
    return message


def test_version_is_the_packages_and_says_how_it_was_built(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    built = "plain Python" if (sections.__file__ or "").endswith(".py") else "compiled"
    assert capsys.readouterr().out == f"pyshare {__version__} ({built})\n"


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"]])
def test_help_names_the_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    assert "pyshare serve --help" in capsys.readouterr().out


def test_help_of_serve_has_every_flag_group_variable_and_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    assert main(["serve", "--help"]) == 0
    text = capsys.readouterr().out
    for setting in SETTINGS:
        default = setting.shown.default or setting.default
        default = "no default" if default is None else f"default {default}"
        # A long one is more than one line.
        words = " ".join(text.split())
        assert f"{default}; {' or '.join(setting.variables)} " in words
        assert f"  {setting.flag} {'|'.join(setting.choices) or setting.shown.unit}" in text
        assert f"\n{setting.shown.group}:\n" in text


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_help_of_serve_fits_the_terminal(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["serve", "--help"]) == 0
    widest = max(len(line) for line in capsys.readouterr().out.splitlines())
    assert widest <= max(int(columns), 70)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no command; pyshare serve starts the server, pyshare --help tells more"),
        (["sevre"], "there is no command 'sevre'; did you mean serve?"),
        (["xyz"], "there is no command 'xyz'; see pyshare --help"),
        (["--verson"], "there is no flag '--verson'; did you mean --version?"),
        (["--port", "1"], "--port is a flag of pyshare serve and comes after that"),
        (["--port=1"], "--port is a flag of pyshare serve and comes after that"),
        (["serve", "--prot", "1"], "there is no flag '--prot'; did you mean --port?"),
        (["serve", "--prot=1"], "there is no flag '--prot'; did you mean --port?"),
        (["serve", "--por", "1"], "there is no flag '--por'; did you mean --port?"),
        (["serve", "--port"], "--port needs a value; see pyshare serve --help"),
        (["serve", "--version"], "the version is not a flag of a command; use pyshare --version"),
        (["serve", "now"], "unexpected argument 'now'; see pyshare serve --help"),
        (["serve", "--port", "x"], "--port x: must be a whole number from 0 to 65535"),
        (["serve", "--port", "1\n2"], "--port 1 2: must be a whole number from 0 to 65535"),
    ],
)
def test_a_wrong_command_line_is_one_line_that_helps(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], server: FakeServer
) -> None:
    assert error_of(arguments, capsys) == message
    assert server.served == []


def test_the_command_of_workers_says_that_it_is_not_for_people(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"hello\n")))
    assert error_of(["worker"], capsys) == "worker is no command for people; pyshare serve --workers runs it"


def test_what_may_pass_has_another_exit_code_than_what_the_user_has_to_put_right(
    server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.failure = ExceptionGroup("", [StoreUnavailable("Redis is not there")])
    assert main(["serve"]) == 69
    assert capsys.readouterr().err == "pyshare: Redis is not there\n"


def test_serve_is_given_the_settings(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYSHARE_CLIENTS", "7")
    assert main(["serve", "--port", "0", "--host=::1"]) == 0
    assert server.served == [Settings(port=0, host="::1", clients=7)]


def test_serve_tells_where_to_point_a_client(server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve"]) == 0
    assert capsys.readouterr().out == (
        "pyshare serves; open http://127.0.0.1:8889/ in a browser, "
        "or point a client to ws://127.0.0.1:8888/codespace/tmp-<uuid4>/\n"
    )


def test_an_unknown_variable_is_a_warning_in_the_log(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYSHARE_PROT", "7")
    assert main(["serve", "--log-format", "json"]) == 0
    warning = json.loads(capsys.readouterr().err)
    assert warning["level"] == "warning"
    assert warning["event"] == "PYSHARE_PROT is not a setting and is ignored; did you mean PYSHARE_PORT?"
    assert len(server.served) == 1


def taken() -> ConfigurationError:
    return ConfigurationError("port 8888 is taken")


@pytest.mark.parametrize(
    "failure",
    [
        taken(),
        ExceptionGroup("one", [taken()]),
        ExceptionGroup("two, the same", [taken(), ExceptionGroup("inner", [taken()])]),
    ],
)
def test_what_the_user_can_put_right_is_one_line(
    failure: Exception, server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.failure = failure
    assert error_of(["serve"], capsys) == "port 8888 is taken"


@pytest.mark.parametrize(
    "failure",
    [
        ValueError("ours"),
        ExceptionGroup("mixed", [taken(), ValueError("ours")]),
        BaseExceptionGroup("interrupted as well", [taken(), KeyboardInterrupt()]),
    ],
)
def test_what_is_not_the_users_fault_keeps_its_traceback(failure: BaseException, server: FakeServer) -> None:
    server.failure = failure
    with pytest.raises(type(failure)) as caught:
        main(["serve"])
    assert caught.value is failure


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), BaseExceptionGroup("group", [KeyboardInterrupt()])])
def test_an_interruption_before_the_server_takes_signals_is_quiet(
    failure: BaseException, server: FakeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.failure = failure
    assert main(["serve"]) == 128 + signal.SIGINT
    assert capsys.readouterr().err == ""


def test_help_that_nobody_reads_to_the_end_is_quiet() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [
        sys.executable,
        "-c",
        "import sys; from pyshare.cli import main; sys.exit(main())",
        "serve",
        "--help",
    ]
    with os.fdopen(writing, "wb") as nobody:
        done = subprocess.run(command, stdout=nobody, stderr=subprocess.PIPE, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_help_and_errors_do_not_wait_for_what_only_the_server_needs() -> None:
    program = (
        "import sys; from pyshare.cli import main; "
        "main(['serve', '--port', 'x']); main(['serve', '--help']); "
        "sys.exit(any(name in sys.modules for name in ('trio', 'httpx', 'structlog', 'pyshare.server')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0


# pyshare token


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Have no settings in the environment, and a home without anything in it."""
    for setting in SETTINGS:
        for variable in setting.variables:
            monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.mark.parametrize("flags", [[], ["--data-folder", "FOLDER"]], ids=["default", "given"])
def test_a_token_is_not_signed_with_a_secret_that_no_server_has(
    quiet: Path, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = quiet / "elsewhere" if flags else quiet / "home" / "pyshare"
    assert main(["token", *(each.replace("FOLDER", str(folder)) for each in flags), "class-7"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"there is no secret in {folder}" in said.err
    assert "--data-folder" in said.err
    assert "PYSHARE_SECRET" in said.err
    assert list(quiet.iterdir()) == []


def test_a_token_tells_the_folder_whose_secret_signed_it(quiet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = keep_secret(quiet / "data")
    assert main(["token", "--data-folder", str(quiet / "data"), "class-7"]) == 0
    said = capsys.readouterr()
    assert f"signed with the secret in {quiet / 'data'}" in said.err
    grant = Signer(secret).read(said.out.strip())
    assert grant is not None
    assert grant.codespace == "class-7"
    assert secret not in said.err


def test_a_token_tells_the_setting_whose_secret_signed_it(
    quiet: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_secret(quiet / "home" / "pyshare")
    monkeypatch.setenv("PYSHARE_SECRET", "v" * 32)
    assert main(["token"]) == 0
    assert "signed with PYSHARE_SECRET;" in capsys.readouterr().err
    assert main(["token", "--secret", "f" * 32]) == 0
    assert "signed with --secret;" in capsys.readouterr().err
