"""The command line's flags and words of each command, and their help."""

import argparse
import difflib
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final, NoReturn

from typing_extensions import override

from pyshare.core.errors import ConfigurationError
from pyshare.fields import Setting
from pyshare.settings import SETTINGS

_SERVE_DESCRIPTION: Final = (
    "Start the server. Each setting can be given as a flag or as an environment variable: a flag counts "
    "first, then a PYSHARE_ variable, then the stock server's variable where one is named, then the default."
)
_TOKEN_DESCRIPTION: Final = (
    "Print a token for a codespace, a new one unless it is named. It is good at every server with the same secret: "
    "open http://127.0.0.1:8889/#TOKEN in a browser, or point a client at ws://127.0.0.1:8888/codespace/TOKEN/. "
    "The secret is the server's: the one in its data folder, or the one that it was given. For a systemd unit that is "
    "sudo pyshare token --data-folder /var/lib/pyshare, for a container docker exec NAME pyshare token."
)
_TOP_DESCRIPTION: Final = (
    "Show what servers are doing, live in a terminal: connections, codespaces, clients, edits and deliveries a second, "
    "how long commits take, who lags, why connections were closed. q ends it."
)
_CODESPACES_DESCRIPTION: Final = (
    "List the codespaces that servers have open: their people with names, modes and addresses, characters, edits, "
    "time since the server opened them, and time since the last edit. Texts are not shown, nor the ids of temporary "
    "codespaces, which are keys. It needs the server's secret, as pyshare token does: for a systemd unit that is "
    "sudo pyshare codespaces --data-folder /var/lib/pyshare, for a container docker exec NAME pyshare codespaces."
)
#: The settings that a token depends on.
TOKEN_SETTINGS: Final = ("secret", "data_folder")
#: Seconds of the units in which times are given.
_UNITS: Final[Mapping[str, int]] = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


class CommandError(ConfigurationError):
    """The command line cannot be understood; the message says where and, if it is near, what was meant."""


class Parser(argparse.ArgumentParser):
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

    def read(self, arguments: Sequence[str], show: Callable[[str], object]) -> dict[str, object] | None:
        """Return what was given; None if help was asked for, which is handed to `show`.

        Raises:
            CommandError: if something is not known.
        """
        found, unknown = self.parse_known_args(arguments)
        given: dict[str, object] = vars(found)
        if given.pop("help"):
            show(self.format_help())
            return None
        if unknown:
            flag, _, _ = unknown[0].partition("=")
            if flag in {"-V", "--version"}:
                raise CommandError("the version is not a flag of a command; use pyshare --version")
            if flag.startswith("-"):
                flags = [each for action in self._actions for each in action.option_strings]
                refuse_word(flag, flags, "flag", self.prog)
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


def serve_parser() -> Parser:
    """Return what `pyshare serve` takes: a flag for every setting."""
    parser = Parser("serve", "pyshare serve [flags]", _SERVE_DESCRIPTION)
    for title, settings in groupby(SETTINGS, key=lambda setting: setting.shown.group):
        group = parser.add_argument_group(title)
        for setting in settings:
            parser.add_setting(group, setting)
    parser.add_help_flag()
    return parser


def token_parser() -> Parser:
    """Return what `pyshare token` takes."""
    parser = Parser("token", "pyshare token [codespace] [flags]", _TOKEN_DESCRIPTION)
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
        help="good for a codespace that exists only\nwithout it, the first who joins to edit makes it, empty",
    )
    _add_secret(parser, "What it is signed with")
    parser.add_help_flag()
    return parser


def _add_secret(parser: Parser, title: str) -> None:
    group = parser.add_argument_group(title)
    for setting in SETTINGS:
        if setting.name in TOKEN_SETTINGS:
            parser.add_setting(group, setting)


def _add_addresses(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "address",
        nargs="*",
        help="addresses of servers' metrics\n"
        "default http://127.0.0.1:9889, or where PYSHARE_METRICS_HOST and _PORT, or PYSHARE_HTTP_PORT, say",
    )


def codespaces_parser() -> Parser:
    """Return what `pyshare codespaces` takes."""
    parser = Parser("codespaces", "pyshare codespaces [address...] [flags]", _CODESPACES_DESCRIPTION)
    group = parser.add_argument_group("What is shown")
    _add_addresses(group)
    group.add_argument("--json", action="store_true", help="print it as JSON, for programs")
    _add_secret(parser, "The secret of the server")
    parser.add_help_flag()
    return parser


def top_parser() -> Parser:
    """Return what `pyshare top` takes."""
    parser = Parser("top", "pyshare top [address...] [flags]", _TOP_DESCRIPTION)
    group = parser.add_argument_group("What is shown")
    _add_addresses(group)
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


def _seconds(text: str) -> int:
    """Return the seconds of a time that a user has given."""
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if found is None or int(found[1]) == 0:
        raise CommandError(f"--expires-in {text}: must be a time such as 90s, 45m, 2h or 7d")
    return int(found[1]) * _UNITS[found[2]]


def refuse_word(argument: str, known: Iterable[str], kind: str, command: str) -> NoReturn:
    """Refuse a word that nobody knows, with the nearest that is known, or the command whose help has them all.

    Raises:
        CommandError: always.
    """
    near = difflib.get_close_matches(argument, list(known), n=1)
    hint = f"did you mean {near[0]}?" if near else f"see {command} --help"
    raise CommandError(f"there is no {kind} {argument!r}; {hint}")
