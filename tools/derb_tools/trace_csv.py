"""Recordings as CSV: rows of checked numbers, read one at a time, never the whole file.

A cell without a value is a missing sample, because sensors do miss some; a cell with a wrong value is an
error that names file, line and column, because nobody notices a silently bent recording.
"""

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from derb_tools.errors import RecordingError

LINE_MAX_CHARACTERS = 65_536
CELL_SHOWN_CHARACTERS = 40
WITHOUT_VALUE = {"", "nan", "na", "n/a", "null", "none", "-nan"}
_INTEGER = re.compile(r"[+-]?[0-9]{1,300}")
_DECIMAL = re.compile(r"[+-]?([0-9]{1,300}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a recording: its cells by column name, and where it stands."""

    path: Path
    line: int
    cells: dict[str, str]

    def integer(self, column: str, low: int, high: int) -> int | None:
        """The cell as a whole number, rounded; None where it has no value. Raises RecordingError."""
        value = self.number(column, low, high)
        return None if value is None else round(value)

    def number(self, column: str, low: int, high: int) -> int | float | None:
        """The cell as a number; None where it has no value. Raises RecordingError."""
        value = parse_number(self.cells.get(column, ""))
        if value is None:
            return None
        if isinstance(value, str):
            raise self.error(column, f"{shown(value)} is not a number")
        if not low <= value <= high:
            raise self.error(column, f"{shown(self.cells[column])} is not between {low} and {high}")
        return value

    def error(self, column: str, what: str) -> RecordingError:
        return RecordingError(f"{self.path}, line {self.line}, column {column}: {what}")


def read_rows(path: Path, required: Sequence[str], optional: Sequence[str]) -> Iterator[Row]:
    """The rows of a CSV file with a header, `-` being stdin; columns not asked for and lines that begin with # are left out.

    Raises RecordingError.
    """
    source: Path | int = path
    if str(path) == "-":
        source, path = sys.stdin.fileno(), Path("stdin")
    try:
        # utf-8-sig: spreadsheets write a byte order mark.
        with open(source, encoding="utf-8-sig", newline="", closefd=source is path) as file:
            yield from _read_open(path, file, required, optional)
    except UnicodeDecodeError as error:
        raise RecordingError(
            f"{path} is not a text file in UTF-8: {error.reason} (0x{error.object[error.start]:02x}); save it as CSV in UTF-8"
        ) from None
    except OSError as error:
        raise RecordingError(f"cannot read {path}: {error.strerror or error}") from error


def parse_number(cell: str) -> int | float | str | None:
    """The number in a cell; None where it has no value; the cell itself where it is no finite number."""
    if _INTEGER.fullmatch(cell):
        return int(cell)
    if cell.lower() in WITHOUT_VALUE:
        return None
    return float(cell) if _DECIMAL.fullmatch(cell) else cell


def shown(cell: str) -> str:
    """The cell, short and printable, for an error."""
    return repr(cell if len(cell) <= CELL_SHOWN_CHARACTERS else cell[:CELL_SHOWN_CHARACTERS] + "...")


def _read_open(path: Path, file: TextIO, required: Sequence[str], optional: Sequence[str]) -> Iterator[Row]:
    reader = csv.reader(_lines(path, file), strict=True)
    position_of_column: dict[str, int] | None = None
    width = 0
    try:
        for cells in reader:
            if not "".join(cells).strip():
                continue
            if position_of_column is None:
                position_of_column = _header(path, reader.line_num, cells, required, optional)
                width = len(cells)
                continue
            _check_width(path, reader.line_num, cells, width)
            chosen = {name: cells[at].strip() for name, at in position_of_column.items()}
            yield Row(path, reader.line_num, chosen)
    except csv.Error as error:
        raise RecordingError(f"{path}, line {reader.line_num}: not CSV: {error}") from None
    if position_of_column is None:
        raise RecordingError(f"{path} is empty")


def _lines(path: Path, file: TextIO) -> Iterator[str]:
    """The file's lines; one without an end in sight is no text, and must not fill the memory."""
    number = 0
    while line := file.readline(LINE_MAX_CHARACTERS):
        number += 1
        if len(line) == LINE_MAX_CHARACTERS:
            raise RecordingError(
                f"{path}, line {number} has {LINE_MAX_CHARACTERS} characters or more: not a recording"
            )
        if "\0" in line:
            raise RecordingError(f"{path}, line {number} holds a NUL character: not a text file")
        # A remark stays a line, so that the others keep their numbers.
        yield "\n" if line.startswith("#") else line


def _header(
    path: Path, line: int, cells: list[str], required: Sequence[str], optional: Sequence[str]
) -> dict[str, int]:
    """Where each wanted column stands. Raises RecordingError for one that is missing or there twice."""
    names = [cell.strip() for cell in cells]
    if absent := [name for name in required if name not in names]:
        hint = ""
        if len(names) == 1 and any(separator in names[0] for separator in ";\t"):
            hint = "; columns must be separated by commas"
        found = ", ".join(shown(name) for name in names[:10])
        raise RecordingError(f"{path}, line {line}: no column {', '.join(absent)}; found {found}{hint}")
    wanted = [name for name in (*required, *optional) if name in names]
    if twice := [name for name in wanted if names.count(name) > 1]:
        raise RecordingError(f"{path}, line {line}: column {twice[0]} is there twice")
    return {name: names.index(name) for name in wanted}


def _check_width(path: Path, line: int, cells: list[str], width: int) -> None:
    """A short or long row has slipped columns, or was cut off; empty cells at the end do no harm."""
    if len(cells) < width or any(cell.strip() for cell in cells[width:]):
        raise RecordingError(f"{path}, line {line}: {len(cells)} columns where the header has {width}")
