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


def test_a_line_from_the_street_cannot_pass_for_one_of_ours() -> None:
    line = TextLines().format(record(topic="d/x/u\n12:00:00 INFO    all is well"))
    assert "\n" not in line
    assert json.loads(JsonLines().format(record(topic="a\nb")))["topic"] == "a\nb"


def test_no_secret_is_said_in_either_form() -> None:
    made = record(password="pa55word", why="https://city:pa55word@host", keys={"node_key": "pa55word"})
    try:
        raise ValueError("bearer pa55word")
    except ValueError:
        made.exc_info = sys.exc_info()
    for form in (TextLines(), JsonLines()):
        line = form.format(made)
        assert "pa55word" not in line
        assert "ValueError" in line


def test_raw_frames_and_numbers_stay_as_they_are() -> None:
    line = json.loads(JsonLines().format(record(raw="ab" * 32, number=7, sequences=[1, 2], key="n:1:2")))
    assert (line["raw"], line["number"], line["sequences"], line["key"]) == ("ab" * 32, 7, [1, 2], "n:1:2")


def test_a_flood_is_summed_up_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging(LogSettings())
    for n in range(500):
        logging.getLogger("derb").warning("sink is away", extra={"attempt": n})
    (handler,) = logging.getLogger().handlers
    handler.filters[0].sum_up(all_of_them=True)  # type: ignore[union-attr]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert len(lines) == 21
    assert (lines[-1]["left_out"], lines[-1]["attempt"]) == (480, 499)
