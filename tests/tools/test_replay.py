"""`derb replay`: the real firmware over a recording, and the promised lines."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from derb_tools.errors import RecordingError
from derb_tools.replay import replay_level, replay_parking
from derb_tools.trace_samples import LevelSample, ParkingSample
from tools.command import run_derb

EMPTY_BAY_NT = (22_000, -3_000, 35_000)
UNDER_A_CAR_NT = (30_000, -3_000, 27_000)


def visit() -> Iterator[ParkingSample]:
    """Five minutes empty, five with a car, five empty; a sample a second."""
    for second in range(900):
        x, y, z = UNDER_A_CAR_NT if 300 <= second < 600 else EMPTY_BAY_NT
        noise = (second * 7919) % 200 - 100
        yield ParkingSample(second * 1000, 1000 if second else 0, "", (x + noise, y, z - noise), 2000, None)


def write_visit(path: Path) -> Path:
    lines = ["t_ms,x_nt,y_nt,z_nt,temp_c100\n"]
    for sample in visit():
        assert sample.field_nt is not None
        lines.append(f"{sample.t_ms},{','.join(map(str, sample.field_nt))},{sample.temp_c100}\n")
    path.write_text("".join(lines))
    return path


def test_a_car_that_came_and_went_is_seen_by_the_firmware() -> None:
    results = list(replay_parking(visit()))
    assert results[0]["t_ms"] == 0
    occupied = next(result for result in results if result["state"] == "occupied")
    assert 300_000 <= int(str(occupied["t_ms"])) < 360_000
    assert results[-1]["state"] == "free"
    assert 600_000 <= int(str(results[-1]["t_ms"])) < 660_000


def test_micropython_and_cpython_say_the_same() -> None:
    assert list(replay_parking(visit(), "unix")) == list(replay_parking(visit(), "cpython"))


def test_a_line_comes_at_the_start_and_at_each_change_of_state_only() -> None:
    states = [result["state"] for result in replay_parking(visit())]
    assert all(before != after for before, after in pairwise(states))


def test_a_warm_restart_changes_nothing_and_a_cold_one_keeps_what_flash_kept() -> None:
    def restarted(how: str, at: int) -> list[dict[str, object]]:
        samples = list(visit())[:500]
        x = samples[at]
        samples[at] = ParkingSample(x.t_ms, x.step_ms, how, x.field_nt, x.temp_c100, None)
        return list(replay_parking(samples))

    whole = list(replay_parking(list(visit())[:500]))
    assert restarted("warm", 450) == whole
    assert restarted("cold", 450)[-1]["state"] == whole[-1]["state"] == "occupied"


def test_level_readings_are_said_one_by_one() -> None:
    samples = [
        LevelSample(0, (5000, 5005, 4995, 5000), 2000),
        LevelSample(60_000, (-1, -1, -1, -1), 2000),
    ]
    ok, silent = replay_level(samples, 1500, 250)
    assert (ok["t_ms"], ok["status"]) == (0, "ok")
    assert 850 <= int(str(ok["distance_mm"])) <= 870
    assert 50 <= float(str(ok["level_pct"])) <= 53
    assert silent == {"t_ms": 60_000, "status": "no_echo", "distance_mm": None, "level_pct": None}


def test_an_emptying_is_said_at_the_reading_that_shows_it() -> None:
    full, empty = (5000,) * 5, (8500,) * 5
    samples = [LevelSample(t * 60_000, full if t < 4 else empty, 2000) for t in range(8)]
    results = list(replay_level(samples, 1500, 250))
    assert [result["t_ms"] for result in results if result.get("collected")] == [300_000]
    assert all("collected" not in result for result in results if result["t_ms"] != 300_000)


def test_a_table_of_the_container_says_its_level() -> None:
    samples = [LevelSample(0, (5000,) * 5, 2000)]
    (result,) = replay_level(samples, 1500, 250, points=[(250, 900), (858, 300), (1500, 0)])
    assert result["level_pct"] == 30.0


def test_an_error_in_the_recording_reaches_the_caller_after_what_was_good() -> None:
    def broken() -> Iterator[ParkingSample]:
        yield from list(visit())[:5]
        raise RecordingError("line 6")

    results = replay_parking(broken())
    assert next(results)["t_ms"] == 0
    with pytest.raises(RecordingError, match="line 6"):
        list(results)


def test_the_command_prints_the_promised_lines(tmp_path: Path) -> None:
    finished = run_derb("replay", "parking", write_visit(tmp_path / "visit.csv"))
    assert (finished.returncode, finished.stderr) == (0, "")
    results = [json.loads(line) for line in finished.stdout.splitlines()]
    assert all(list(result) == ["t_ms", "state", "confidence"] for result in results)
    assert results == list(replay_parking(visit()))


def test_the_level_command_prints_the_promised_lines(tmp_path: Path) -> None:
    trace = tmp_path / "level.csv"
    trace.write_text("t_ms,echo_us,temp_c100\n0,5000;5005;4995;5000,2000\n1,,2000\n")
    finished = run_derb("replay", "level", trace, "--empty-mm", "1500", "--full-mm", "250")
    (result,) = [json.loads(line) for line in finished.stdout.splitlines()]
    assert list(result) == ["t_ms", "status", "distance_mm", "level_pct"]
    assert "1 of 2 samples skipped" in finished.stderr
    assert finished.returncode == 0


def test_a_bad_recording_exits_1_and_names_the_place(tmp_path: Path) -> None:
    trace = tmp_path / "bad.csv"
    trace.write_text("t_ms,x_nt,y_nt,z_nt,temp_c100\n0,1,2,x,4\n")
    finished = run_derb("replay", "parking", trace)
    assert finished.returncode == 1
    assert finished.stderr == f"derb: {trace}, line 2, column z_nt: 'x' is not a number\n"
    assert finished.stdout == ""


@pytest.mark.parametrize(
    "table", ["250:90", "250:30,900:90", "250:90;900:1", "250:nan,900:0", "250:101,900:0"]
)
def test_a_table_that_cannot_be_exits_2(tmp_path: Path, table: str) -> None:
    trace = tmp_path / "level.csv"
    trace.write_text("t_ms,echo_us,temp_c100\n0,5000,2000\n")
    finished = run_derb("replay", "level", trace, "--empty-mm", "1500", "--full-mm", "250", "--table", table)
    assert finished.returncode == 2
    assert "--table" in finished.stderr


def test_limits_that_cannot_be_exit_2(tmp_path: Path) -> None:
    trace = tmp_path / "level.csv"
    trace.write_text("t_ms,echo_us,temp_c100\n0,5000,2000\n")
    finished = run_derb("replay", "level", trace, "--empty-mm", "250", "--full-mm", "1500")
    assert finished.returncode == 2
    assert "--full-mm" in finished.stderr
