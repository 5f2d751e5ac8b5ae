"""Log lines: text for a person at a terminal, one JSON object a line for a machine. Floods are summed up, secrets starred."""

import atexit
import json
import logging
import sys
from functools import partial
from typing import Any

from derb_gateway.clock import iso_utc
from derb_gateway.config import LogSettings
from derb_gateway.log_flood import FloodGate
from derb_gateway.redaction import is_secret, redacted

_OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_QUIET = ("mqtt", "uvicorn.error", "httpx", "httpcore")  # libraries'; what matters of them is raised


def set_up_logging(settings: LogSettings) -> None:
    """Send all logs to stderr in the form that suits who reads it."""
    handler = logging.StreamHandler(sys.stderr)
    text = settings.format == "text" or (settings.format == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextLines() if text else JsonLines())
    gate = FloodGate(partial(_write, handler))
    handler.addFilter(gate)
    atexit.register(gate.sum_up, all_of_them=True)
    logging.basicConfig(handlers=[handler], force=True)
    set_level(settings)
    for library in _QUIET:
        logging.getLogger(library).setLevel(logging.ERROR)


def _write(handler: logging.Handler, record: logging.LogRecord) -> None:
    handler.acquire()
    try:
        handler.emit(record)
    finally:
        handler.release()


def set_level(settings: LogSettings) -> None:
    """Say from now on what is of this level or above."""
    logging.getLogger().setLevel(settings.level.upper())


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """Return what was given as `extra=`, without secrets."""
    return {name: _sayable(name, value) for name, value in vars(record).items() if name not in _OWN}


def _sayable(name: str, value: Any) -> Any:
    if is_secret(name):
        return "***"
    if (
        isinstance(value, int | float | bool | None) or name == "raw"
    ):  # a frame in hex is no key, however long
        return value
    if isinstance(value, list | tuple):
        return [_sayable(name, each) for each in value]
    if isinstance(value, dict):
        return {str(inside): _sayable(str(inside), each) for inside, each in value.items()}
    return redacted(str(value))


class TextLines(logging.Formatter):
    """12:00:00 WARNING message key=value"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and a traceback behind it if there is one."""
        return redacted(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        """Return the line with its extras behind it."""
        line = super().formatMessage(record)
        return " ".join([line, *(f"{name}={_in_line(value)}" for name, value in extras(record).items())])


def _in_line(value: Any) -> str:
    """Return a value in one line: what came from the street must not look like a line of ours."""
    text = str(value)
    return text if text.isprintable() else repr(text)


class JsonLines(logging.Formatter):
    """{"at": ..., "level": ..., "logger": ..., "message": ..., and what was given as extra}"""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object on one line."""
        line: dict[str, Any] = {
            "at": iso_utc(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
            **extras(record),
        }
        if record.exc_info:
            line["exception"] = redacted(self.formatException(record.exc_info))
        return json.dumps(line, default=str)
