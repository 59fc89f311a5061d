"""The command line: arguments to settings, errors to sentences, the server to an exit code.

Everything that a user can get wrong ends here as one line on standard error and exit code 2. What only
`pyshare serve` needs is imported only for it, so that help and errors are there at once.
"""

import argparse
import difflib
import logging
import os
import re
import sys
import textwrap
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Final, NoReturn
from urllib.parse import urlsplit

from typing_extensions import override

from pyshare import __version__
from pyshare.core.errors import ConfigurationError, PyshareError, leaves
from pyshare.settings import SETTINGS, Setting, Settings, settings_from, unknown_variables

#: Exit code after Ctrl-C that came before the server could take it as a request to drain: 128 + SIGINT.
EXIT_INTERRUPTED: Final = 130

_COMMANDS: Final = ("serve", "token", "top")
#: What `pyshare serve --workers` runs; not for people.
_WORKER: Final = "worker"

_HELP: Final = """\
usage: pyshare serve [flags]
       pyshare token [codespace] [flags]
       pyshare top [address...] [flags]
       pyshare serve --help | pyshare token --help | pyshare top --help
       pyshare --help | --version

pyshare keeps one text the same on every screen that has it open: the real-time
server behind a shared code editor.

commands:
  serve       start the server; it runs until Ctrl-C or SIGTERM, then drains and exits 0
  token       print a token for a codespace, as the page's links have it
  top         show what servers are doing, live

flags:
  --help      show this
  --version   show the version

examples:
  pyshare serve
  pyshare serve --port 9000 --api-base-url http://127.0.0.1:8000/
  PYSHARE_PORT=9000 pyshare serve
  pyshare token --mode view_only --expires-in 2h class-7

Open http://127.0.0.1:8889/ in a browser, or point a client at ws://127.0.0.1:8888/codespace/{token}/
"""

_TOKEN_DESCRIPTION: Final = (
    "Print a token for a codespace, a new one unless it is named. It is good at every server with the same secret: "
    "open http://127.0.0.1:8889/#TOKEN in a browser, or point a client at ws://127.0.0.1:8888/codespace/TOKEN/."
)
_TOP_DESCRIPTION: Final = (
    "Show what servers are doing, live in a terminal: who is connected, edits and deliveries a second, how long "
    "commits take, who lags, why connections were closed. q ends it."
)
#: The settings that a token depends on.
_TOKEN_SETTINGS: Final = ("secret", "data_folder")
#: The settings that say where a server of this machine tells its metrics.
_TOP_SETTINGS: Final = ("http_host", "http_port")
#: Seconds of the units in which times are given.
_UNITS: Final[Mapping[str, int]] = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}

_SERVE_DESCRIPTION: Final = (
    "Start the server. Each setting can be given as a flag or as an environment variable: a flag counts "
    "first, then a PYSHARE_ variable, then the stock server's variable where one is named, then the default."
)


class CommandError(ConfigurationError):
    """The command line cannot be understood; the message says where and, if it is near, what was meant."""


class _Parser(argparse.ArgumentParser):
    """argparse, with errors raised instead of printed, and flags given in full only."""

    def __init__(self, command: str, usage: str, description: str) -> None:
        super().__init__(
            prog=f"pyshare {command}",
            usage=usage,
            description=description,
            add_help=False,
            allow_abbrev=False,
            formatter_class=_HelpFormatter,
        )

    @override
    def error(self, message: str) -> NoReturn:
        sentence = message.removeprefix("argument ").replace(": expected one argument", " needs a value")
        raise CommandError(f"{sentence}; see {self.prog} --help")

    def add_setting(self, group: argparse._ArgumentGroup, setting: Setting) -> None:
        """Take a setting as a flag."""
        group.add_argument(
            setting.flag,
            dest=setting.name,
            metavar=_metavar_of(setting),
            default=argparse.SUPPRESS,
            help=_help_of(setting),
        )

    def add_help_flag(self) -> None:
        """Take a wish for help."""
        self.add_argument_group("Help").add_argument("-h", "--help", action="store_true", help="show this")

    def read(self, arguments: Sequence[str]) -> dict[str, object] | None:
        """Return what was given; None if help was asked for, which is printed.

        Raises:
            CommandError: if something is not known.
        """
        found, unknown = self.parse_known_args(arguments)
        given: dict[str, object] = vars(found)
        if given.pop("help"):
            _print(self.format_help())
            return None
        if unknown:
            flag, _, _ = unknown[0].partition("=")
            if flag.startswith("-"):
                flags = [each for action in self._actions for each in action.option_strings]
                _refuse(flag, flags, "flag", self.prog)
            raise CommandError(f"unexpected argument {unknown[0]!r}; see {self.prog} --help")
        return given


class _HelpFormatter(argparse.HelpFormatter):
    """Help in which every line of an entry stays a line of its own."""

    @override
    def _split_lines(self, text: str, width: int) -> list[str]:
        return [part for line in text.splitlines() for part in textwrap.wrap(line, width)]


def _help_of(setting: Setting) -> str:
    default = setting.shown.default or setting.default
    default = "no default" if default is None else f"default {default}"
    # argparse takes a percent sign for the start of a field.
    return f"{setting.shown.meaning}\n{default}; {' or '.join(setting.variables)}".replace("%", "%%")


def _metavar_of(setting: Setting) -> str:
    return "|".join(setting.choices) if setting.choices else setting.shown.unit


def _serve_parser() -> _Parser:
    parser = _Parser("serve", "pyshare serve [flags]", _SERVE_DESCRIPTION)
    for title, settings in groupby(SETTINGS, key=lambda setting: setting.shown.group):
        group = parser.add_argument_group(title)
        for setting in settings:
            parser.add_setting(group, setting)
    parser.add_help_flag()
    return parser


def _token_parser() -> _Parser:
    parser = _Parser("token", "pyshare token [codespace] [flags]", _TOKEN_DESCRIPTION)
    group = parser.add_argument_group("What it is for")
    group.add_argument(
        "codespace", nargs="?", help="the codespace's id: letters, digits, - _ and .\nif not given, a new one"
    )
    group.add_argument(
        "--mode",
        metavar="edit|view_only",
        choices=("edit", "view_only"),
        default="edit",
        help="what its bearer may do\ndefault edit",
    )
    group.add_argument(
        "--expires-in",
        metavar="TIME",
        type=_seconds,
        help="how long it works, as 90, 90s, 45m, 2h or 7d\nif not given, as long as the codespace",
    )
    group.add_argument(
        "--existing",
        action="store_true",
        help="only for a codespace that there is: else one who may edit makes it by joining, with no text in it",
    )
    signing = parser.add_argument_group("What it is signed with")
    for setting in SETTINGS:
        if setting.name in _TOKEN_SETTINGS:
            parser.add_setting(signing, setting)
    parser.add_help_flag()
    return parser


def _top_parser() -> _Parser:
    parser = _Parser("top", "pyshare top [address...] [flags]", _TOP_DESCRIPTION)
    group = parser.add_argument_group("What is shown")
    group.add_argument(
        "address",
        nargs="*",
        help="HTTP addresses of servers\ndefault http://127.0.0.1:8889, or where PYSHARE_HTTP_HOST and _PORT say",
    )
    group.add_argument(
        "--every",
        metavar="SECONDS",
        type=_interval,
        default=2.0,
        help="seconds from one look to the next, from 0.1 to 3600\ndefault 2",
    )
    group.add_argument(
        "--once", action="store_true", help="print one look and end, as is done where there is no terminal"
    )
    parser.add_help_flag()
    return parser


def _interval(text: str) -> float:
    """Return the seconds that a user has given."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0.1 <= seconds <= 3600:
        raise CommandError(f"--every {text}: must be a number from 0.1 to 3600")
    return seconds


def _top(given: Mapping[str, object], environment: Mapping[str, str]) -> int:
    """Show what servers are doing."""
    from pyshare.server import authority  # noqa: PLC0415
    from pyshare.top.watch import watch  # noqa: PLC0415

    addresses = given["address"]
    assert isinstance(addresses, list)
    for address in addresses:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CommandError(f"{address}: must be an http:// or https:// address; see pyshare top --help")
    every = given["every"]
    assert isinstance(every, float)
    names = {each for setting in SETTINGS if setting.name in _TOP_SETTINGS for each in setting.variables}
    settings = settings_from({}, {name: value for name, value in environment.items() if name in names})
    here = f"http://{authority(settings.http_host, settings.http_port)}"
    return _until_ended(partial(watch, addresses or [here], every_seconds=every, once=given["once"] is True))


def _seconds(text: str) -> int:
    """Return the seconds of a time that a user has given."""
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if found is None or int(found[1]) == 0:
        raise CommandError(f"--expires-in {text}: must be a time such as 90s, 45m, 2h or 7d")
    return int(found[1]) * _UNITS[found[2]]


def _refuse(argument: str, known: Iterable[str], kind: str, command: str) -> NoReturn:
    near = difflib.get_close_matches(argument, list(known), n=1)
    hint = f"did you mean {near[0]}?" if near else f"see {command} --help"
    raise CommandError(f"there is no {kind} {argument!r}; {hint}")


def _refuse_command(command: str) -> NoReturn:
    flag, _, _ = command.partition("=")
    if flag in {setting.flag for setting in SETTINGS}:
        raise CommandError(f"{flag} is a flag of pyshare serve and comes after that")
    kind = "flag" if flag.startswith("-") else "command"
    _refuse(command, [*_COMMANDS, "--help", "--version"], kind, "pyshare")


def _print(text: str) -> int:
    """Print `text`; be quiet if nobody reads it to the end, as `pyshare --help | head -1` does not."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # The interpreter flushes once more when it ends, and would complain then.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    return 0


def _run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    if not arguments:
        raise CommandError("no command; pyshare serve starts the server, pyshare --help tells more")
    command, *rest = arguments
    if command in {"-h", "--help", "help"}:
        return _print(_HELP)
    if command in {"-V", "--version"}:
        return _print(f"pyshare {__version__}\n")
    if command == _WORKER:
        return _work(sys.stdin.buffer.readline())
    if command not in _COMMANDS:
        _refuse_command(command)
    if command == "token":
        given = _token_parser().read(rest)
        return 0 if given is None else _sign(given, environment)
    if command == "top":
        given = _top_parser().read(rest)
        return 0 if given is None else _top(given, environment)
    given = _serve_parser().read(rest)
    if given is None:
        return 0
    return _serve(settings_from(_strings(given), environment), unknown_variables(environment))


def _strings(given: Mapping[str, object]) -> dict[str, str]:
    return {name: value for name, value in given.items() if isinstance(value, str)}


def _sign(given: Mapping[str, object], environment: Mapping[str, str]) -> int:
    """Print a token for what was given."""
    from pyshare.folder import data_folder, keep_secret  # noqa: PLC0415
    from pyshare.net.tokens import Grant, Signer  # noqa: PLC0415

    # What else the server is told has no part in it, and may be wrong here.
    names = {each for setting in SETTINGS if setting.name in _TOKEN_SETTINGS for each in setting.variables}
    chosen = {name: value for name, value in environment.items() if name in names}
    settings = settings_from({k: v for k, v in _strings(given).items() if k in _TOKEN_SETTINGS}, chosen)
    signer = Signer(settings.secret or keep_secret(data_folder(settings)))
    seconds = given["expires_in"]
    grant = Grant(
        str(given["codespace"] or uuid.uuid4()),
        "view_only" if given["mode"] == "view_only" else "edit",
        int(signer.now()) + seconds if isinstance(seconds, int) else None,
        create=given["mode"] == "edit" and not given["existing"],
    )
    try:
        return _print(f"{signer.sign(grant)}\n")
    except ValueError as error:
        raise CommandError(str(error)) from None


def _serve(settings: Settings, warnings: Sequence[str]) -> int:
    """Run the server until it has drained, and return the exit code."""
    # These take several times as long to import as all that help and errors need.
    from pyshare.logs import configure_logs  # noqa: PLC0415
    from pyshare.server import Addresses, serve  # noqa: PLC0415

    configure_logs(settings.log_format, settings.log_level)
    for sentence in warnings:
        logging.getLogger(__name__).warning(sentence)

    def tell(where: Addresses) -> None:
        page = f"open {where.page} in a browser, or " if where.page else ""
        sys.stdout.write(f"pyshare serves; {page}point a client to {where.client}\n")
        sys.stdout.flush()

    if settings.workers > 1:
        from pyshare.workers import serve_workers  # noqa: PLC0415

        return _until_ended(partial(serve_workers, settings, on_ready=tell))
    return _until_ended(partial(serve, settings, on_ready=tell))


def _work(line: bytes) -> int:
    """Be a worker whose job is in `line`."""
    from pyshare.logs import configure_logs  # noqa: PLC0415
    from pyshare.workers import read_job, serve_as_worker  # noqa: PLC0415

    try:
        job = read_job(line)
    except ValueError:
        raise CommandError(f"{_WORKER} is no command for people; pyshare serve --workers runs it") from None
    configure_logs(job.settings.log_format, job.settings.log_level, worker=job.number)
    return _until_ended(partial(serve_as_worker, job))


def _until_ended(serve: Callable[[], Awaitable[None]]) -> int:
    """Run a server until it has drained, and return the exit code."""
    import trio  # noqa: PLC0415

    try:
        trio.run(serve, restrict_keyboard_interrupt_to_checkpoints=True)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BaseExceptionGroup as group:
        if group.split(KeyboardInterrupt)[1] is None:
            return EXIT_INTERRUPTED
        # Only where nothing but what a person can put right went wrong is a sentence enough.
        errors, others = group.split(PyshareError)
        if errors is None or others is not None:
            raise
        sentences = "; ".join(dict.fromkeys(map(str, leaves(errors))))
        kind = ConfigurationError if errors.split(ConfigurationError)[0] else PyshareError
        raise kind(sentences) from group
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` give, those of the process unless given, and return its exit code."""
    try:
        return _run(sys.argv[1:] if arguments is None else arguments, os.environ)
    except PyshareError as error:
        sys.stderr.write(f"pyshare: {' '.join(str(error).split())}\n")
        return error.exit_code
