"""The log: one line an event on standard error, readable on a terminal and JSON elsewhere.

Modules log with `logging.getLogger(__name__)` and put what belongs to an event into `extra`; here is only how
it looks.
"""

import logging
import os
import sys
from typing import Final, TextIO, assert_never

import structlog

from pyshare.settings import LogFormat, LogLevel

#: Libraries that log each frame or request at levels where we log what a person wants to know.
QUIET_LOGGERS: Final = ("trio-websocket", "httpx", "httpcore", "hypercorn")


def configure_logs(
    log_format: LogFormat, level: LogLevel, *, worker: int | None = None, stream: TextIO | None = None
) -> None:
    """Send every log record of the process from `level` up to `stream`.

    As JSON a record is one line with the fields `timestamp` (ISO 8601, UTC), `level`, `logger` and `event`,
    those of `extra`, and `exception` with the traceback where there is one; on a terminal a traceback has
    lines of its own. Called again, it replaces what it has set up before.

    Args:
        log_format: `auto` is `console` where `stream` is a terminal, else `json`.
        level: The least severity that is logged; the libraries in `QUIET_LOGGERS` log warnings at least.
        worker: The number of this process among several that log to one place; each record has it then.
        stream: Standard error unless given; never closed here.
    """
    target = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                *([] if worker is None else [_worker_adder(worker)]),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(log_format, target),
            ],
        )
    )
    severity = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(handlers=[handler], level=severity, force=True)
    for name in QUIET_LOGGERS:
        logging.getLogger(name).setLevel(max(severity, logging.WARNING))


def _worker_adder(worker: int) -> structlog.typing.Processor:
    def add(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["worker"] = worker
        return event

    return add


def _renderers(log_format: LogFormat, target: TextIO) -> list[structlog.typing.Processor]:
    terminal = target.isatty()
    match log_format:
        case "auto":
            return _renderers("console" if terminal else "json", target)
        case "console":
            # Where rich is installed, structlog's own choice prints local variables: texts and tokens.
            return [
                structlog.dev.ConsoleRenderer(
                    colors=terminal and not os.environ.get("NO_COLOR"),
                    exception_formatter=structlog.dev.plain_traceback,
                )
            ]
        case "json":
            return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        case _:
            assert_never(log_format)
