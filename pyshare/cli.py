"""The command line: the commands, errors to sentences, the server to an exit code.

Everything that a user can get wrong ends here as one line on standard error and exit code 2. What only
one command needs is imported only for it, so that help and errors are there at once.
"""

import logging
import os
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final, NoReturn
from urllib.parse import urlsplit

from pyshare import __version__
from pyshare.arguments import (
    TOKEN_SETTINGS,
    CommandError,
    codespaces_parser,
    refuse_word,
    serve_parser,
    token_parser,
    top_parser,
)
from pyshare.build import build
from pyshare.core.errors import ConfigurationError, EditsLeft, PyshareError, leaves
from pyshare.given import settings_from, unknown_variables
from pyshare.settings import SETTINGS, Settings

#: Exit code after Ctrl-C that came before the server could take it as a request to drain: 128 + SIGINT.
EXIT_INTERRUPTED: Final = 130

_COMMANDS: Final = ("serve", "token", "top", "codespaces")

#: What `pyshare serve --workers` runs; not for people.
_WORKER: Final = "worker"

_HELP: Final = """\
usage: pyshare serve [flags]
       pyshare token [codespace] [flags]
       pyshare top [address...] [flags]
       pyshare codespaces [address...] [flags]
       pyshare serve --help, and so for each command
       pyshare --help | --version

pyshare keeps one text the same on every screen that has it open: the real-time
server behind a shared code editor.

commands:
  serve       start the server; it runs until Ctrl-C or SIGTERM, then drains and exits 0
  token       print a token for a codespace, as the page's links have it
  top         show what servers are doing, live
  codespaces  list the codespaces that are open, and who is in each

flags:
  --help      show this
  --version   show the version, and whether it is compiled or plain Python

examples:
  pyshare serve
  pyshare serve --port 9000 --api-base-url http://127.0.0.1:8000/
  PYSHARE_PORT=9000 pyshare serve
  pyshare token --mode view_only --expires-in 2h class-7

Open http://127.0.0.1:8889/ in a browser, or point a client at ws://127.0.0.1:8888/codespace/{token}/
"""

#: The settings that say where a server of this machine tells its metrics.
_TOP_SETTINGS: Final = ("http_port", "metrics_host", "metrics_port")


def _top(given: Mapping[str, object], environment: Mapping[str, str]) -> int:
    """Show what servers are doing."""
    from pyshare.top.watch import watch  # noqa: PLC0415

    every = given["every"]
    assert isinstance(every, float)
    urls = _watched(given, environment, "top")
    return _until_ended(partial(watch, urls, every_seconds=every, once=given["once"] is True))


def _codespaces(given: Mapping[str, object], environment: Mapping[str, str]) -> int:
    """List the codespaces that are open."""
    from pyshare.net.tokens import Signer  # noqa: PLC0415
    from pyshare.top.codespaces import list_codespaces  # noqa: PLC0415

    secret, _ = _secret(given, environment)
    urls = _watched(given, environment, "codespaces")
    operators_pass = Signer(secret).sign_pass()
    return _until_ended(partial(list_codespaces, urls, operators_pass, as_json=given["json"] is True))


def _watched(given: Mapping[str, object], environment: Mapping[str, str], command: str) -> list[str]:
    """Return the addresses of the servers that a command asks: those that were given, or the one of this machine."""
    from pyshare.net.addresses import authority  # noqa: PLC0415

    addresses = given["address"]
    assert isinstance(addresses, list)
    for address in addresses:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise CommandError(f"{address}: must be an http:// or https:// address; see pyshare {command} --help")
    settings = _settings_of(_TOP_SETTINGS, {}, environment)
    return addresses or [f"http://{authority(settings.metrics_host, settings.metrics_at)}"]


def _settings_of(names: Sequence[str], given: Mapping[str, object], environment: Mapping[str, str]) -> Settings:
    """Return these settings as they were given; what else a server is told may be wrong here."""
    variables = {each for setting in SETTINGS if setting.name in names for each in setting.variables}
    chosen = {name: value for name, value in environment.items() if name in variables}
    return settings_from({name: value for name, value in _strings(given).items() if name in names}, chosen)


def _secret(given: Mapping[str, object], environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the secret of the server, and where it is.

    Raises:
        ConfigurationError: if there is none.
    """
    from pyshare.folder import data_folder, read_secret  # noqa: PLC0415

    settings = _settings_of(TOKEN_SETTINGS, given, environment)
    if settings.secret is not None:
        return settings.secret, "--secret" if "secret" in given else "PYSHARE_SECRET"
    folder = data_folder(settings)
    return read_secret(folder), f"the secret in {folder}"


def _refuse_command(command: str) -> NoReturn:
    flag, _, _ = command.partition("=")
    if flag in {setting.flag for setting in SETTINGS}:
        raise CommandError(f"{flag} is a flag of pyshare serve and comes after that")
    kind = "flag" if flag.startswith("-") else "command"
    refuse_word(command, [*_COMMANDS, "--help", "--version"], kind, "pyshare")


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
        return _print(f"pyshare {__version__} ({build()})\n")
    if command == _WORKER:
        return _work(sys.stdin.buffer.readline())
    if command not in _COMMANDS:
        _refuse_command(command)
    if command == "token":
        given = token_parser().read(rest, _print)
        return 0 if given is None else _sign(given, environment)
    if command == "top":
        given = top_parser().read(rest, _print)
        return 0 if given is None else _top(given, environment)
    if command == "codespaces":
        given = codespaces_parser().read(rest, _print)
        return 0 if given is None else _codespaces(given, environment)
    given = serve_parser().read(rest, _print)
    if given is None:
        return 0
    return _serve(settings_from(_strings(given), environment), unknown_variables(environment))


def _strings(given: Mapping[str, object]) -> dict[str, str]:
    return {name: value for name, value in given.items() if isinstance(value, str)}


def _sign(given: Mapping[str, object], environment: Mapping[str, str]) -> int:
    """Print a token for what was given, and on standard error what it is signed with."""
    from pyshare.net.tokens import Grant, Signer  # noqa: PLC0415

    secret, place = _secret(given, environment)
    signer = Signer(secret)
    seconds = given["expires_in"]
    grant = Grant(
        str(given["codespace"] or uuid.uuid4()),
        "view_only" if given["mode"] == "view_only" else "edit",
        int(signer.now()) + seconds if isinstance(seconds, int) else None,
        create=given["mode"] == "edit" and not given["existing"],
    )
    try:
        token = signer.sign(grant)
    except ValueError as error:
        raise CommandError(str(error)) from None
    sys.stderr.write(f"pyshare: signed with {place}; it is good at servers that use the same\n")
    return _print(f"{token}\n")


def _serve(settings: Settings, warnings: Sequence[str]) -> int:
    """Run the server until it has drained, and return the exit code."""
    # These take several times as long to import as all that help and errors need.
    from pyshare.logs import configure_logs  # noqa: PLC0415
    from pyshare.server import Addresses, serve  # noqa: PLC0415

    configure_logs(settings.log_format, settings.log_level)
    for sentence in warnings:
        logging.getLogger(__name__).warning(sentence)

    def tell(where: Addresses) -> None:
        others = f" (on other machines {where.page_for_others})" if where.page_for_others else ""
        page = f"open {where.page} in a browser{others}, or " if where.page else ""
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
        kind = next((each for each in (ConfigurationError, EditsLeft) if errors.split(each)[0]), PyshareError)
        raise kind(sentences) from group
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` give, those of the process unless given, and return its exit code."""
    try:
        return _run(sys.argv[1:] if arguments is None else arguments, os.environ)
    except EditsLeft as error:
        # The log has said it.
        return error.exit_code
    except PyshareError as error:
        sys.stderr.write(f"pyshare: {' '.join(str(error).split())}\n")
        return error.exit_code
