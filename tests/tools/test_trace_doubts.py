"""A recording in other units is replayed, and its replay says what is odd about it; an ordinary one says nothing."""

from itertools import pairwise
from pathlib import Path

import pytest
from derb_tools.street.level import level_trace, write_level_trace
from derb_tools.street.parking import parking_trace
from derb_tools.street.scenarios import SCENARIOS
from derb_tools.street.trace import write_trace
from derb_tools.trace_doubts import LEVEL, PARKING, Doubts, Usual
from derb_tools.trace_samples import Tally, level_samples, parking_samples

HEAD = "t_ms,x_nt,y_nt,z_nt,temp_c100\n"


def parking_notes(path: Path, *, unit_nt: float = 1, unit_c100: float = 1, unit_ms: float = 1) -> list[str]:
    rows = [
        f"{round((n * 1000 + n % 7) * unit_ms)},{22000 * unit_nt},{-3000 * unit_nt},{(35000 + n % 5) * unit_nt},"
        f"{(2050 + n % 9) * unit_c100}\n"
        for n in range(60)
    ]
    path.write_text(HEAD + "".join(rows))
    tally = Tally()
    assert list(parking_samples(path, tally))
    return tally.notes()


@pytest.mark.parametrize(
    ("units", "words"),
    [
        ({"unit_nt": 0.001}, "never above 35 nT on any axis"),
        ({"unit_nt": 0.01}, "are x_nt, y_nt, z_nt in nanotesla?"),
        ({"unit_c100": 0.01}, "never beyond 0.21 C: is temp_c100 in 1/100 C?"),
        ({"unit_ms": 0.001}, "samples come every 1.0 ms on average: is t_ms in milliseconds?"),
        ({"unit_ms": 1000}, "samples come every 1,0"),
    ],
)
def test_a_recording_in_other_units_is_doubted(tmp_path: Path, units: dict[str, float], words: str) -> None:
    notes = parking_notes(tmp_path / "t.csv", **units)
    assert len(notes) == 1
    assert words in notes[0]


def test_a_gap_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    times = [*range(0, 60_000, 1000), *range(90_000_000, 90_060_000, 1000)]
    path.write_text(HEAD + "".join(f"{t_ms},22000,-3000,35000,2000\n" for t_ms in times))
    tally = Tally()
    list(parking_samples(path, tally))
    assert tally.notes() == ["nothing for 25.0 h before line 62: what is said of that time is a guess"]


def test_a_container_in_degrees_is_doubted(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("t_ms,echo_us,temp_c100\n" + "".join(f"{n * 1800_000},7000;7001,21\n" for n in range(20)))
    tally = Tally()
    list(level_samples(path, tally))
    assert tally.notes() == ["the temperature is never beyond 0.21 C: is temp_c100 in 1/100 C?"]


@pytest.mark.parametrize("name", ["nominal_perp", "fast_10hz", "slow_30s", "irregular_times", "street_hell"])
def test_no_simulated_bay_is_doubted(tmp_path: Path, name: str) -> None:
    assert name in SCENARIOS
    write_trace(parking_trace(name, 3, 0.05), tmp_path / "t.csv")
    tally = Tally()
    list(parking_samples(tmp_path / "t.csv", tally))
    assert tally.notes() == []


@pytest.mark.parametrize("name", ["nominal", "cold", "every_5_min", "unplugged"])
def test_no_simulated_container_is_doubted(tmp_path: Path, name: str) -> None:
    write_level_trace(level_trace(name, 3, 2), tmp_path / "e.csv")
    tally = Tally()
    list(level_samples(tmp_path / "e.csv", tally))
    assert tally.notes() == []


@pytest.mark.parametrize(("usual", "step_ms"), [(PARKING, 1), (LEVEL, 1)])
def test_few_samples_and_no_thermometer_are_no_reason(usual: Usual, step_ms: int) -> None:
    doubts = Doubts(usual)
    for before, after in pairwise(range(0, 9 * step_ms, step_ms)):
        doubts.saw(2, after - before, 0, (1, 2, 3))
    assert list(doubts.told()) == []
