from pathlib import Path

import pytest
from derb_tools.errors import RecordingError
from derb_tools.street import parking_trace, read_truth, trace, truth_path, write_trace
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


HEAD = "# parking\nt_ms,state,excluded,vehicle,note\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("t_ms,state\n", "a last row whose state is 'end'"),
        (HEAD + "0,free,0,,\n", "a last row whose state is 'end'"),
        (HEAD + "9,end,1,,\n", "a row a state"),
        (HEAD + "0,free,0,,\n9,e", "line 4: 2 columns"),
        (HEAD + "0,vacant,0,,\n9,end,1,,\n", "line 3, column state: 'vacant' is none of free, occupied"),
        (HEAD + "0,free,yes,,\n9,end,1,,\n", "line 3, column excluded"),
        (HEAD + "noon,free,0,,\n9,end,1,,\n", "line 3, column t_ms: 'noon' is not a number"),
        (HEAD + f"{10**20},free,0,,\n9,end,1,,\n", "line 3, column t_ms"),
        (HEAD + ",free,0,,\n9,end,1,,\n", "line 3, column t_ms: there is no time"),
        (
            HEAD + "5,free,0,,\n4,occupied,0,,\n9,end,1,,\n",
            "line 4, column t_ms: time goes back, from 5 to 4",
        ),
        (HEAD + "5,free,0,,\n5,end,1,,\n", "line 4, column t_ms: the truth ends where it begins"),
        (HEAD + "5,free,0,,\n4,end,1,,\n", "line 4, column t_ms: time goes back, from 5 to 4"),
    ],
)
def test_what_is_no_truth_is_named_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.truth.csv"
    path.write_text(text)
    with pytest.raises(RecordingError) as refused:
        read_truth(path)
    assert words in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_truth_made_by_hand_needs_times_and_states_only(tmp_path: Path) -> None:
    path = tmp_path / "x.truth.csv"
    path.write_text("\ufeffstate,t_ms\r\nfree,0\r\noccupied,60000\r\nend,90000\r\n", newline="")
    truth = read_truth(path)
    assert (truth.t_ms.tolist(), truth.state.tolist(), truth.end_ms) == ([0, 60_000], [0, 1], 90_000)
    assert not truth.excluded.any()


def test_the_references_read_what_replay_reads(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    truth = parking_trace("nominal_perp", 1, 0.01).truth
    path.write_text(
        "\ufefft_ms,x_nt,y_nt,z_nt,temp_c100,rssi_dbm,restart\n"
        "0,1,2,3,4,,\n1000,nan,2,3,4,-70,cold\n2000,1e3,2,3.4,4,-71,\n"
    )
    trace = read_trace(path, truth)
    assert trace.t_ms.tolist() == [0, 2000]
    assert trace.field_nt.tolist() == [[1, 2, 3], [1000, 2, 3]]
    assert trace.rssi_dbm is None
    assert trace.restart is not None
    assert trace.restart.tolist() == ["", "cold"]  # it came before the next sample that is there


def test_a_trace_is_written_in_pieces_and_reads_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = parking_trace("lossy_reboots", 1, 0.02, rssi=True)
    write_trace(recorded, tmp_path / "whole.csv")
    monkeypatch.setattr(trace, "ROWS_AT_ONCE", 7)
    write_trace(recorded, tmp_path / "pieces.csv")
    whole = (tmp_path / "whole.csv").read_text()
    assert (tmp_path / "pieces.csv").read_text() == whole
    assert whole.count("\n") == len(recorded.t_ms) + 1
