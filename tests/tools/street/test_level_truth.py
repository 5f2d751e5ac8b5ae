"""The truth of a container, read back; a damaged one is named by line and column."""

from pathlib import Path

import pytest
from derb_tools.errors import RecordingError
from derb_tools.street.level import level_trace, write_level_trace
from derb_tools.street.level_truth import HEADER, is_level_truth, read_level_truth
from derb_tools.street.trace import truth_path

FIRST = "# level empty_mm=1250 full_mm=300\n"


def test_it_reads_back_whatever_wrote_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "echoes.csv"
    trace = level_trace("level_hell", 1, 3.0)
    write_level_trace(trace, path)
    truth = truth_path(path)
    text = truth.read_text()
    for written in (text, "\ufeff" + text.replace("\n", "\r\n")):
        truth.write_text(written, newline="")
        assert is_level_truth(truth)
        again = read_level_truth(truth)
        assert (again.empty_mm, again.full_mm) == (trace.empty_mm, trace.full_mm)
        for name in ("t_ms", "collected", "fault", "accepted"):
            assert getattr(again, name).tolist() == getattr(trace.truth, name).tolist()
        assert again.surface_mm == pytest.approx(trace.truth.surface_mm, abs=0.051)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"# level full_mm=300\n{HEADER}\n", "line 1"),
        (f"# level empty_mm=x full_mm=300\n{HEADER}\n", "line 1"),
        (f"# level empty_mm=300 full_mm=300\n{HEADER}\n", "line 1"),
        (f"# level empty_mm=99999 full_mm=300\n{HEADER}\n", "line 1"),
        (FIRST, "is empty"),
        (FIRST + "t_ms,surface_mm\n", "line 2: no column fill_pct"),
        (FIRST + HEADER + "\n", "has no readings"),
        (FIRST + HEADER + "\n0,800.0,50", "line 3: 3 columns"),
        (FIRST + HEADER + f"\n{10**20},800.0,50.0,,0.0,,ok\n", "line 3, column t_ms"),
        (FIRST + HEADER + "\n0,deep,50.0,,0.0,,ok\n", "line 3, column surface_mm: 'deep' is not a number"),
        (FIRST + HEADER + "\n0,800.0,,,0.0,,ok\n", "line 3, column fill_pct: there is no number"),
        (FIRST + HEADER + "\n0,800.0,1e300,,0.0,,ok\n", "line 3, column fill_pct"),
        (FIRST + HEADER + "\n0,800.0,50.0,yes,0.0,,ok\n", "column collected: 'yes' is none of partial, full"),
        (FIRST + HEADER + "\n0,800.0,50.0,,0.0,,OK\n", "line 3, column accepted: 'OK' is none of ok, "),
        (FIRST + HEADER + "\n0,800.0,50.0,,0.0,,ok|\n", "line 3, column accepted: '' is none of ok, "),
        (
            FIRST + HEADER + 2 * "\n0,800.0,50.0,,0.0,,ok",
            "line 4, column t_ms: time does not go on, from 0 to 0",
        ),
    ],
)
def test_what_is_no_truth_is_named_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.truth.csv"
    path.write_text(text)
    with pytest.raises(RecordingError) as refused:
        read_level_truth(path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("where", [0, 300])
def test_what_is_no_text_is_no_truth(tmp_path: Path, where: int) -> None:
    path = tmp_path / "x.truth.csv"
    text = bytearray((FIRST + HEADER + "\n" + "0,800.0,50.0,,0.0,,ok\n" * 20).encode())
    text[where] = 0xFF
    path.write_bytes(text)
    with pytest.raises(RecordingError, match=r"x\.truth\.csv is not a text file in UTF-8"):
        read_level_truth(path)
