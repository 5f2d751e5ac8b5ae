"""Log lines: text for a person at a terminal, one JSON object a line for a machine."""

import json
import logging
import sys
from typing import Any

from derb_gateway.clock import iso_utc
from derb_gateway.config import LogSettings

_OWN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up_logging(settings: LogSettings) -> None:
    """Send all logs to stderr in the form that suits who reads it."""
    handler = logging.StreamHandler(sys.stderr)
    text = settings.format == "text" or (settings.format == "auto" and sys.stderr.isatty())
    handler.setFormatter(TextLines() if text else JsonLines())
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)
    logging.getLogger("mqtt").setLevel(logging.ERROR)  # aiomqtt's; what matters is raised


def extras(record: logging.LogRecord) -> dict[str, Any]:
    """Return what was given as `extra=`."""
    return {name: value for name, value in vars(record).items() if name not in _OWN}


class TextLines(logging.Formatter):
    """12:00:00 WARNING message key=value"""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        """Return the line with its extras behind it."""
        line = super().formatMessage(record)
        return " ".join([line, *(f"{name}={value}" for name, value in extras(record).items())])


class JsonLines(logging.Formatter):
    """{"at": ..., "level": ..., "logger": ..., "message": ..., and what was given as extra}"""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line of JSON."""
        line: dict[str, Any] = {
            "at": iso_utc(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **extras(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
