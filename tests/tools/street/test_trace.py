from pathlib import Path

import pytest
from derb_tools.street import parking_trace, read_truth, truth_path, write_trace
from derb_tools.street.trace_file import read_trace


def test_the_csv_has_the_columns_that_replay_reads(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    trace = parking_trace("lossy_reboots", 1, 0.5, rssi=True)
    write_trace(trace, path)
    header, *rows = path.read_text().splitlines()
    assert header == "t_ms,x_nt,y_nt,z_nt,temp_c100,rssi_dbm,restart"
    assert len(rows) == len(trace.t_ms)
    cells = [row.split(",") for row in rows]
    assert all(len(row) == 7 for row in cells)
    assert all(int(value) == int(value) for row in cells for value in row[:6])
    assert {row[6] for row in cells} <= {"", "cold", "warm"}
    assert any(row[6] for row in cells)


def test_columns_that_a_street_has_not_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    write_trace(parking_trace("nominal_perp", 1, 0.01), path)
    assert path.read_text().splitlines()[0] == "t_ms,x_nt,y_nt,z_nt,temp_c100"


def test_truth_lies_beside_the_trace_and_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    trace = parking_trace("brief_stops", 2, 0.5, rssi=True)
    write_trace(trace, path)
    assert truth_path(path) == tmp_path / "trace.truth.csv"
    truth = read_truth(truth_path(path))
    for name in ("t_ms", "state", "excluded", "vehicle", "note"):
        assert getattr(truth, name).tolist() == getattr(trace.truth, name).tolist()
    assert truth.end_ms == trace.truth.end_ms
    again = read_trace(path, truth)
    assert (again.field_nt == trace.field_nt).all()
    assert (again.t_ms == trace.t_ms).all()


@pytest.mark.parametrize("text", ["", "t_ms,state\n", "t_ms,state,excluded,vehicle,note\n0,free,0,,\n"])
def test_what_is_no_truth_file_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.truth.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"x\.truth\.csv"):
        read_truth(path)
