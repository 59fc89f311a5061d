"""The command line: arguments to settings, errors to sentences, the server to an exit code.

Everything that a user can get wrong ends here as one line on standard error and exit code 2. What only
`pyshare serve` needs is imported only for it, so that help and errors are there at once.
"""

import argparse
import difflib
import logging
import os
import sys
import textwrap
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Final, NoReturn

from typing_extensions import override

from pyshare import __version__
from pyshare.core.errors import ConfigurationError, PyshareError, leaves
from pyshare.settings import SETTINGS, Setting, Settings, settings_from, unknown_variables

#: Exit code after Ctrl-C that came before the server could take it as a request to drain: 128 + SIGINT.
EXIT_INTERRUPTED: Final = 130

_COMMANDS: Final = ("serve",)
#: What `pyshare serve --workers` runs; not for people.
_WORKER: Final = "worker"

_HELP: Final = """\
usage: pyshare serve [flags]
       pyshare serve --help
       pyshare --help | --version

pyshare keeps one text the same on every screen that has it open: the real-time
server behind a shared code editor.

commands:
  serve       start the server; it runs until Ctrl-C or SIGTERM, then drains and exits 0

flags:
  --help      show this
  --version   show the version

examples:
  pyshare serve
  pyshare serve --port 9000 --api-base-url http://127.0.0.1:8000/
  PYSHARE_PORT=9000 pyshare serve

Point a client at ws://127.0.0.1:8888/codespace/tmp-<uuid4>/
"""

_SERVE_DESCRIPTION: Final = (
    "Start the server. Each setting can be given as a flag or as an environment variable: a flag counts "
    "first, then a PYSHARE_ variable, then the stock server's variable where one is named, then the default."
)


class CommandError(ConfigurationError):
    """The command line cannot be understood; the message says where and, if it is near, what was meant."""


class _Parser(argparse.ArgumentParser):
    """argparse, with errors raised instead of printed."""

    @override
    def error(self, message: str) -> NoReturn:
        sentence = message.removeprefix("argument ").replace(": expected one argument", " needs a value")
        raise CommandError(f"{sentence}; see pyshare serve --help")


class _HelpFormatter(argparse.HelpFormatter):
    """Help in which every line of an entry stays a line of its own."""

    @override
    def _split_lines(self, text: str, width: int) -> list[str]:
        return [part for line in text.splitlines() for part in textwrap.wrap(line, width)]


def _help_of(setting: Setting) -> str:
    default = "no default" if setting.default is None else f"default {setting.default}"
    # argparse takes a percent sign for the start of a field.
    return f"{setting.shown.meaning}\n{default}; {' or '.join(setting.variables)}".replace("%", "%%")


def _metavar_of(setting: Setting) -> str:
    return "|".join(setting.choices) if setting.choices else setting.shown.unit


def _serve_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="pyshare serve",
        usage="pyshare serve [flags]",
        description=_SERVE_DESCRIPTION,
        add_help=False,
        allow_abbrev=False,
        formatter_class=_HelpFormatter,
    )
    for title, settings in groupby(SETTINGS, key=lambda setting: setting.shown.group):
        group = parser.add_argument_group(title)
        for setting in settings:
            group.add_argument(
                setting.flag,
                dest=setting.name,
                metavar=_metavar_of(setting),
                default=argparse.SUPPRESS,
                help=_help_of(setting),
            )
    parser.add_argument_group("Help").add_argument("-h", "--help", action="store_true", help="show this")
    return parser


def _refuse(argument: str, known: Iterable[str], kind: str) -> NoReturn:
    near = difflib.get_close_matches(argument, list(known), n=1)
    hint = f"did you mean {near[0]}?" if near else "see pyshare serve --help"
    raise CommandError(f"there is no {kind} {argument!r}; {hint}")


def _refuse_command(command: str) -> NoReturn:
    flag, _, _ = command.partition("=")
    if flag in {setting.flag for setting in SETTINGS}:
        raise CommandError(f"{flag} is a flag of pyshare serve and comes after that")
    _refuse(command, [*_COMMANDS, "--help", "--version"], "flag" if flag.startswith("-") else "command")


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
    parser = _serve_parser()
    found, unknown = parser.parse_known_args(rest)
    flags: dict[str, str] = vars(found)
    if flags.pop("help"):
        return _print(parser.format_help())
    if unknown:
        flag, _, _ = unknown[0].partition("=")
        if flag.startswith("-"):
            _refuse(flag, [setting.flag for setting in SETTINGS], "flag")
        raise CommandError(f"unexpected argument {unknown[0]!r}; see pyshare serve --help")
    return _serve(settings_from(flags, environment), unknown_variables(environment))


def _serve(settings: Settings, warnings: Sequence[str]) -> int:
    """Run the server until it has drained, and return the exit code."""
    # These take several times as long to import as all that help and errors need.
    from pyshare.logs import configure_logs  # noqa: PLC0415
    from pyshare.server import serve  # noqa: PLC0415

    configure_logs(settings.log_format, settings.log_level)
    for sentence in warnings:
        logging.getLogger(__name__).warning(sentence)

    def tell(url: str) -> None:
        sys.stdout.write(f"pyshare serves; point a client to {url}\n")
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
