"""What `derb replay` printed, read back: JSON lines whose times, states and numbers are checked once, here."""

import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from derb_tools.errors import RecordingError
from derb_tools.trace_csv import shown
from derb_tools.trace_samples import T_MAX_MS

Answer = dict[str, Any]
STATES = ("free", "occupied", "unknown")
STATUSES = ("ok", "too_close", "too_far", "no_echo", "unstable")
PARKING, LEVEL = ("state", STATES), ("status", STATUSES)
"""The word of an answer of each kind: where it stands and what it may be."""
NUMBERS = ("distance_mm", "level_pct")


def read_answers(replayed: str, word: tuple[str, Sequence[str]]) -> list[Answer]:
    """The answers in a file, in stdin if it is "-". Raises RecordingError naming the line, OSError."""
    where = "stdin" if replayed == "-" else replayed
    try:
        text = sys.stdin.read() if replayed == "-" else Path(replayed).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise RecordingError(f"{where} is not a text file in UTF-8: {error.reason}") from error
    answers = list(_answers(where, text.split("\n"), *word))
    if not answers:
        raise RecordingError(f"{where} has no answers: did `derb replay` fail?")
    return answers


def _answers(where: str, lines: Iterable[str], column: str, words: Sequence[str]) -> Iterator[Answer]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            answer = json.loads(line, parse_constant=_no_number)
            _check(answer, column, words)
        except (ValueError, RecursionError) as error:
            what = str(error) if isinstance(error, _Wrong) else "not JSON"
            raise RecordingError(f"{where}, line {number}: {what}") from None
        yield answer


class _Wrong(ValueError):
    """JSON, but no answer; the words say why."""


def _check(answer: object, column: str, words: Sequence[str]) -> None:
    if not isinstance(answer, dict):
        raise _Wrong("not a JSON object")
    t_ms = answer.get("t_ms")
    if type(t_ms) is not int or abs(t_ms) > T_MAX_MS:
        raise _Wrong("t_ms is no time in milliseconds")
    if column not in answer:
        raise _Wrong(f"there is no {column}")
    if answer[column] not in words:
        raise _Wrong(f"{column} is none of {', '.join(words)}: {shown(str(answer[column]))}")
    for name in NUMBERS:
        value = answer.get(name)
        if value is not None and (type(value) not in (int, float) or not math.isfinite(value)):
            raise _Wrong(f"{name} is no number")


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)
