"""`derb replay level` over recordings that nobody should make: a clear error or a status, never a crash."""

import json
from pathlib import Path

import pytest
from tools.command import run_derb

HEAD = "t_ms,echo_us,temp_c100\n"
GOOD = "0,5000;5005;4995;5000;5002,2000\n"
DAY_MS = 86_400_000
STATUSES = {"ok", "too_close", "too_far", "no_echo", "unstable"}


def replayed(trace: Path, text: str) -> tuple[int, list[dict[str, object]], str]:
    trace.write_text(text)
    finished = run_derb("replay", "level", trace, "--empty-mm", "1500", "--full-mm", "250")
    return finished.returncode, [json.loads(line) for line in finished.stdout.splitlines()], finished.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        (HEAD, "no samples"),
        ("t_ms,temp_c100\n0,2000\n", "echo_us"),
        (HEAD + "0,nan,2000\n", "no samples"),
        (HEAD + GOOD + "-5,5000,2000\n", "time goes back"),
        (HEAD + GOOD + "1,99999999999999999999,2000\n", "line 3"),
        (HEAD + GOOD + "1,five,2000\n", "line 3"),
        (HEAD + GOOD + "1,inf,2000\n", "line 3"),
        (HEAD + GOOD + "1,-3,2000\n", "line 3"),
        (HEAD + GOOD + f"1,{';'.join(['5000'] * 10_000)},2000\n", "10000 pings"),
        (HEAD + GOOD + "1,5000,9999999\n", "temp_c100"),
    ],
)
def test_what_cannot_be_is_an_error_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    code, _, told = replayed(tmp_path / "trace.csv", text)
    assert code == 1
    assert words in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "rows",
    [
        [f"{n * 1_800_000},5000;5000;5000;5000;5000,2000" for n in range(300)],  # stuck
        [f"{n * 9 * DAY_MS},5000;5001;5002;5003;5004,2000" for n in range(50)],  # gaps of days
        [
            f"{n * 1000},nan;5000;;5001;5002;5003,nan" if n % 2 else f"{n * 1000},5000;5001,2000"
            for n in range(40)
        ],
        [
            f"{n},{0 if n % 2 else 60000};1;-1;-2;59999,2000" for n in range(200)
        ],  # absurd, a millisecond apart
        [
            f"{n * 600_000},{(n * 7919) % 65536};{(n * 104729) % 65536};-2;-1;3,{n * 37 % 6000}"
            for n in range(300)
        ],
        [
            "-9000000000000,5000;5000;5000,2000",
            "9000000000000,5000;5000;5000,2000",
        ],  # as far apart as time goes
    ],
    ids=["stuck", "gaps", "holes", "absurd", "random", "ends of time"],
)
def test_what_is_odd_gets_a_status_each(tmp_path: Path, rows: list[str]) -> None:
    code, results, told = replayed(tmp_path / "trace.csv", HEAD + "\n".join(rows) + "\n")
    assert code == 0, told
    assert "Traceback" not in told
    assert results
    for result in results:
        assert result["status"] in STATUSES
        assert (
            (result["status"] == "ok")
            == (result["distance_mm"] is not None)
            == (result["level_pct"] is not None)
        )


def test_ten_thousand_readings_in_a_row_are_answered_each(tmp_path: Path) -> None:
    rows = "".join(f"{n * 60_000},{5000 + n % 7};{5001 + n % 5};5003;5002;5000,2000\n" for n in range(10_000))
    code, results, _ = replayed(tmp_path / "trace.csv", HEAD + rows)
    assert code == 0
    assert len(results) == 10_000
    assert {result["status"] for result in results} == {"ok"}
