"""Recordings as CSV: a wrong cell is named by file, line and column; a missing one is a missing sample."""

from pathlib import Path

import pytest
from derb_tools.errors import RecordingError
from derb_tools.trace_csv import LINE_MAX_CHARACTERS, Row, parse_number, read_rows


def rows(path: Path, content: str | bytes) -> list[Row]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_rows(path, ("t_ms", "x"), ("note",)))


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "trace.csv"


def cells(path: Path, content: str | bytes) -> list[dict[str, str]]:
    return [row.cells for row in rows(path, content)]


@pytest.mark.parametrize(
    "content",
    [
        "t_ms,x\n1,2\n",
        "t_ms,x\r\n1,2\r\n",
        "\ufefft_ms,x\n1,2",
        '"t_ms","x"\n"1","2"\n',
        "\n\nt_ms,x\n\n1,2\n\n\n",
        " t_ms , x \n 1 , 2 \n",
        "t_ms,x\n1,2,,\n",
        "x,ignored,t_ms\n2,whatever,1\n",
        "t_ms,x\n,\n1,2\n   \n",
        "# a remark, with a comma\nt_ms,x\n#1,2,3\n1,2\n",
    ],
    ids=[
        "plain",
        "crlf",
        "bom",
        "quoted",
        "blank_lines",
        "blanks",
        "commas_at_the_end",
        "order",
        "empty_rows",
        "remarks",
    ],
)
def test_every_ordinary_way_to_write_a_csv_reads_the_same(trace: Path, content: str) -> None:
    assert cells(trace, content) == [{"t_ms": "1", "x": "2"}]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "trace.csv is empty"),
        ("\n \n", "trace.csv is empty"),
        ("t_ms,y\n", "line 1: no column x; found 't_ms', 'y'"),
        ("1,2\n3,4\n", "no column t_ms, x"),
        ("t_ms;x\n1;2\n", "separated by commas"),
        ("t_ms\tx\n1\t2\n", "separated by commas"),
        ("t_ms,x,x\n1,2,3\n", "column x is there twice"),
        ("# a remark\nt_ms,y\n", "line 2: no column x"),
        ("t_ms,x\n1\n", "line 2: 1 columns where the header has 2"),
        ("t_ms,x\n1,2\n1,2,3\n", "line 3: 3 columns where the header has 2"),
        (b"t_ms,x\n1,\xff\xfe\n", "not a text file in UTF-8"),
        (bytes(range(256)) * 10, "trace.csv"),
        (b"\x7fELF\0\0\0\0", "NUL"),
        ("t_ms,x\n1,2\0\n", "line 2 holds a NUL character"),
        ('t_ms,x\n1,"2\n', "not CSV"),
        ("a" * (LINE_MAX_CHARACTERS + 1), "line 1 has 65536 characters or more"),
    ],
)
def test_what_is_no_recording_is_refused_with_its_place(
    trace: Path, content: str | bytes, words: str
) -> None:
    with pytest.raises(RecordingError) as refused:
        rows(trace, content)
    assert words in str(refused.value)
    assert str(trace) in str(refused.value)


def test_a_missing_file_and_a_folder_are_refused_in_words(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(RecordingError, match="cannot read"):
            list(read_rows(path, ("t_ms",), ()))


@pytest.mark.parametrize(
    ("cell", "number"),
    [("12", 12), ("-12", -12), ("+7", 7), ("1.5", 1.5), ("-.5", -0.5), ("2e3", 2000.0), ("3.", 3.0)],
)
def test_numbers_are_read(cell: str, number: float) -> None:
    assert parse_number(cell) == number


@pytest.mark.parametrize("cell", ["", "NaN", "nan", "NA", "null", "None", "-nan"])
def test_a_cell_without_a_value_is_missing(cell: str) -> None:
    assert parse_number(cell) is None


@pytest.mark.parametrize(
    "cell", ["x", "1x", "1_000", "0x10", "inf", "--1", "1,5", "٣", "9" * 5000, "1e", "."]
)
def test_what_is_no_finite_number_is_given_back(cell: str) -> None:
    assert parse_number(cell) == cell


def test_a_recording_comes_from_stdin_as_well(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace.write_text("\ufefft_ms,x\n1,2\n")
    with trace.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert [row.cells for row in read_rows(Path("-"), ("t_ms",), ())] == [{"t_ms": "1"}]
        assert not stdin.closed
        with pytest.raises(RecordingError, match="stdin is empty"):
            list(read_rows(Path("-"), ("t_ms",), ()))


@pytest.mark.parametrize("cell", ["9" * 30, "-" + "9" * 30, "1e300"])
def test_a_huge_number_is_one_out_of_range(trace: Path, cell: str) -> None:
    (row,) = rows(trace, f"t_ms,x\n1,{cell}\n")
    with pytest.raises(RecordingError, match="is not between 0 and 10"):
        row.integer("x", 0, 10)


def test_a_wrong_cell_is_named_by_line_and_column(trace: Path) -> None:
    (row,) = rows(trace, "t_ms,x\n\n1,12a\n")
    with pytest.raises(RecordingError, match=r"line 3, column x: '12a' is not a number"):
        row.integer("x", 0, 10)


def test_a_number_out_of_range_is_named_with_its_limits(trace: Path) -> None:
    (row,) = rows(trace, "t_ms,x\n1,11\n")
    with pytest.raises(RecordingError, match=r"line 2, column x: '11' is not between 0 and 10"):
        row.integer("x", 0, 10)


def test_a_column_that_is_not_there_has_no_value(trace: Path) -> None:
    (row,) = rows(trace, "t_ms,x\n1,2\n")
    assert row.integer("note", 0, 10) is None


def test_decimals_are_rounded(trace: Path) -> None:
    (row,) = rows(trace, "t_ms,x\n1,2.6\n")
    assert row.integer("x", 0, 10) == 3


def test_rows_come_one_at_a_time(trace: Path) -> None:
    trace.write_text("t_ms,x\n1,2\nbroken\n")
    reading = read_rows(trace, ("t_ms", "x"), ())
    assert next(reading).cells["x"] == "2"
    with pytest.raises(RecordingError):
        next(reading)
