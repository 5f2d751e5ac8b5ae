"""What recordings say: samples in order of time, missing ones counted, restarts never lost."""

from pathlib import Path

import pytest
from derb_tools.errors import RecordingError
from derb_tools.trace_samples import (
    STEP_MAX_MS,
    LevelSample,
    ParkingSample,
    Tally,
    level_samples,
    parking_samples,
)

HEADER = "t_ms,x_nt,y_nt,z_nt,temp_c100,rssi_dbm,restart\n"


def parking(tmp_path: Path, *lines: str, header: str = HEADER) -> tuple[list[ParkingSample], Tally]:
    path = tmp_path / "parking.csv"
    path.write_text(header + "".join(line + "\n" for line in lines))
    tally = Tally()
    return list(parking_samples(path, tally)), tally


def level(tmp_path: Path, *lines: str) -> tuple[list[LevelSample], Tally]:
    path = tmp_path / "level.csv"
    path.write_text("t_ms,echo_us,temp_c100\n" + "".join(line + "\n" for line in lines))
    tally = Tally()
    return list(level_samples(path, tally)), tally


def test_a_parking_sample_is_read_whole(tmp_path: Path) -> None:
    samples, tally = parking(tmp_path, "0,1,-2,3,2150,-71,", "1000,4,5,6,2151,,warm")
    assert samples == [
        ParkingSample(0, 0, "", (1, -2, 3), 2150, -71),
        ParkingSample(1000, 1000, "warm", (4, 5, 6), 2151, None),
    ]
    assert tally.summary() is None


def test_optional_columns_may_be_absent(tmp_path: Path) -> None:
    samples, _ = parking(tmp_path, "0,1,2,3,4", header="t_ms,x_nt,y_nt,z_nt,temp_c100\n")
    assert samples == [ParkingSample(0, 0, "", (1, 2, 3), 4, None)]


def test_irregular_times_and_gaps_of_days_are_normal(tmp_path: Path) -> None:
    day_ms = 86_400_000
    times = (0, 137, day_ms, 40 * day_ms)
    samples, _ = parking(tmp_path, *(f"{t_ms},1,2,3,4,," for t_ms in times))
    assert [sample.step_ms for sample in samples] == [0, 137, day_ms - 137, STEP_MAX_MS]


def test_time_that_goes_back_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"line 3, column t_ms: time goes back, from 1000 to 999"):
        parking(tmp_path, "1000,1,2,3,4,,", "999,1,2,3,4,,")


def test_samples_without_a_value_or_with_a_repeated_time_are_skipped_and_counted(tmp_path: Path) -> None:
    samples, tally = parking(tmp_path, "0,1,2,3,4,,", "1000,,2,3,4,,", "2000,1,NaN,3,4,,", "0,9,9,9,9,,")
    assert [sample.t_ms for sample in samples] == [0]
    assert tally.summary() == (
        "3 of 4 samples skipped: 2 without a value (first in line 3), "
        "1 with the time of the sample before (first in line 5)"
    )


def test_a_restart_happens_even_where_its_sample_is_missing(tmp_path: Path) -> None:
    samples, _ = parking(tmp_path, "0,1,2,3,4,,", "1000,,,,,,cold", "2000,1,2,3,4,,")
    assert [(sample.restart, sample.field_nt) for sample in samples] == [
        ("", (1, 2, 3)),
        ("cold", None),
        ("", (1, 2, 3)),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0,10000001,2,3,4,,", "column x_nt: '10000001' is not between"),
        ("0,1,2,-99999999999,4,,", "column z_nt"),
        ("0,1,2,3,99999,,", "column temp_c100"),
        ("0,1,2,3,4,900,", "column rssi_dbm"),
        ("0,1,2,3,4,,hot", "column restart: 'hot' is neither cold, warm nor empty"),
        ("noon,1,2,3,4,,", "column t_ms: 'noon' is not a number"),
        ("inf,1,2,3,4,,", "column t_ms: 'inf' is not a number"),
    ],
)
def test_values_that_cannot_be_are_errors(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(RecordingError) as refused:
        parking(tmp_path, line)
    assert words in str(refused.value)


def test_the_full_scale_of_any_magnetometer_is_a_value(tmp_path: Path) -> None:
    samples, _ = parking(tmp_path, "0,1600000,-1600000,0,4,,")
    assert samples[0].field_nt == (1_600_000, -1_600_000, 0)


@pytest.mark.parametrize("lines", [(), ("0,,,,,,",)])
def test_a_recording_without_samples_is_an_error(tmp_path: Path, lines: tuple[str, ...]) -> None:
    with pytest.raises(RecordingError, match="has no samples"):
        parking(tmp_path, *lines)


def test_the_pings_of_a_level_reading_are_split(tmp_path: Path) -> None:
    samples, tally = level(tmp_path, "0,5000;-1;-2,2000", '60000," 5000 ; 5001;",-500')
    assert samples == [LevelSample(0, (5000, -1, -2), 2000), LevelSample(60000, (5000, 5001), -500)]
    assert tally.samples == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0,5000;-3,2000", "column echo_us: '-3' is not between -2 and"),
        ("0,5000;abc,2000", "column echo_us: 'abc' is not a number"),
        ("0,99999999,2000", "column echo_us"),
        ("0," + ";".join(["1"] * 256) + ",2000", "256 pings"),
    ],
)
def test_pings_that_cannot_be_are_errors(tmp_path: Path, line: str, words: str) -> None:
    with pytest.raises(RecordingError) as refused:
        level(tmp_path, line)
    assert words in str(refused.value)


def test_a_level_reading_without_pings_or_temperature_is_skipped(tmp_path: Path) -> None:
    samples, tally = level(tmp_path, "0,,2000", "1,5000,", "2,nan;nan,2000", "3,5000,2000")
    assert [sample.t_ms for sample in samples] == [3]
    assert tally.skipped.total() == 3
