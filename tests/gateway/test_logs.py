"""Log lines for people and for machines."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest
from derb_gateway.config import LogSettings
from derb_gateway.logs import JsonLines, TextLines, set_up_logging


@pytest.fixture(autouse=True)
def _root_logger_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    level, library = root.level, logging.getLogger("mqtt").level
    monkeypatch.setattr(root, "handlers", [])
    yield
    root.setLevel(level)
    logging.getLogger("mqtt").setLevel(library)


def record(**extra: object) -> logging.LogRecord:
    made = logging.getLogger("derb").makeRecord(
        "derb", logging.WARNING, "f", 1, "sink is %s", ("away",), None
    )
    vars(made).update(extra)
    return made


def test_a_machine_gets_one_object_a_line() -> None:
    line = json.loads(JsonLines().format(record(sink="city", why=ValueError("x"))))
    assert line["at"].endswith("Z")
    assert (line["level"], line["message"], line["sink"], line["why"]) == (
        "warning",
        "sink is away",
        "city",
        "x",
    )


def test_an_exception_stays_in_its_line() -> None:
    made = record()
    try:
        raise KeyError("k")
    except KeyError:
        made.exc_info = sys.exc_info()
    assert "KeyError" in json.loads(JsonLines().format(made))["exception"]


def test_a_person_gets_text() -> None:
    assert TextLines().format(record(sink="city")).endswith("WARNING sink is away sink=city")


@pytest.mark.parametrize(("settings", "kind"), [({"format": "text"}, TextLines), ({}, JsonLines)])
def test_the_form_suits_who_reads_it(settings: dict[str, str], kind: type) -> None:
    set_up_logging(LogSettings.model_validate(settings))
    assert isinstance(logging.getLogger().handlers[0].formatter, kind)
