"""`derb replay parking` over recordings that nobody should make: a clear error or `unknown`, never a crash."""

import json
from pathlib import Path

import pytest
from tools.command import run_derb

HEAD = "t_ms,x_nt,y_nt,z_nt,temp_c100\n"
GOOD = "0,22000,-3000,35000,2000\n"
DAY_MS = 86_400_000
FULL_NT = 10_000_000


def replayed(trace: Path, text: str) -> tuple[int, list[dict[str, object]], str]:
    trace.write_text(text)
    finished = run_derb("replay", "parking", trace)
    assert "Traceback" not in finished.stderr
    return finished.returncode, [json.loads(line) for line in finished.stdout.splitlines()], finished.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (HEAD, "has no samples"),
        (HEAD.replace("z_nt", "z") + GOOD, "no column z_nt"),
        (HEAD + "0,nan,nan,nan,nan\n", "has no samples; 1 of 1 samples skipped"),
        (HEAD + GOOD + "-1,22000,-3000,35000,2000\n", "line 3, column t_ms: time goes back, from 0 to -1"),
        (HEAD + GOOD + "1000,1000000000,0,0,2000\n", "line 3, column x_nt: '1000000000' is not between"),
        (HEAD + GOOD + "1000,inf,0,0,2000\n", "line 3, column x_nt: 'inf' is not a number"),
        (HEAD + GOOD + "1000,22000,-30", "line 3: 3 columns where the header has 5"),
    ],
)
def test_what_cannot_be_is_an_error_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    code, _, told = replayed(tmp_path / "trace.csv", text)
    assert code == 1
    assert words in told


def noisy(n: int, t_ms: int, extra: str = "") -> str:
    return f"{t_ms},{22000 + n * 7919 % 301},{-3000 + n * 104729 % 301},{35000 + n % 97},2000{extra}"


@pytest.mark.parametrize(
    ("rows", "last"),
    [
        ([f"{n * 1000},22000,-3000,35000,2000" for n in range(900)], "unknown"),
        ([f"{n * 1000},{FULL_NT * (-1) ** n},{-FULL_NT * (-1) ** n},0,{n % 2 * 20000}" for n in range(300)], "unknown"),
        ([f"{n * 1000},1600000,1600000,1600000,2000" for n in range(300)], "unknown"),
        ([noisy(n, n * 9 * DAY_MS) for n in range(60)], None),
        ([noisy(n, n) for n in range(600)], "free"),
        ([noisy(n, (2 * n - 1) * 9 * 10**12) for n in range(2)], None),
        ([noisy(n, n * 1000).removesuffix("2000") + ("nan" if n % 3 else "2000") for n in range(300)], None),
        ([noisy(n, n * 1000, ",cold" if n % 2 else ",warm") for n in range(300)], None),
    ],
    ids=["stuck", "swings", "full scale", "gaps", "a millisecond apart", "ends of time", "holes", "restarts"],
)  # fmt: skip
def test_what_is_odd_gets_a_state(tmp_path: Path, rows: list[str], last: str | None) -> None:
    head = HEAD if rows[0].count(",") == 4 else HEAD.replace("\n", ",restart\n")
    code, results, told = replayed(tmp_path / "trace.csv", head + "\n".join(rows) + "\n")
    assert code == 0, told
    assert results
    assert all(result["state"] in ("free", "occupied", "unknown") for result in results)
    assert all(type(each["confidence"]) is int and 0 <= each["confidence"] <= 100 for each in results)
    if last:
        assert results[-1]["state"] == last
