import dataclasses
import errno
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from derb_tools.cli import build_app
from derb_tools.errors import RecordingError, ToolError
from derb_tools.street import truth_path
from derb_tools.street.level_score import LevelFigures
from derb_tools.street.parking_score import ParkingFigures
from typer.testing import CliRunner


def run(*arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    app: typer.Typer = build_app(arguments[0])
    result = CliRunner().invoke(app, list(arguments), input=stdin)
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(("kind", "name"), [("parking", "street_hell"), ("level", "unplugged")])
def test_list_names_every_scenario(kind: str, name: str) -> None:
    code, out, _ = run("simulate", kind, "--list")
    assert code == 0
    assert any(line.startswith(name + " ") for line in out.splitlines())


def test_simulate_writes_the_trace_and_its_truth_and_score_reads_them(tmp_path: Path) -> None:
    trace, said = tmp_path / "t.csv", tmp_path / "said.jsonl"
    code, _, err = run("simulate", "parking", "--days", "0.2", "--seed", "4", "--out", str(trace))
    assert code == 0, err
    said.write_text('{"t_ms":0,"state":"free","confidence":50}\n')
    code, out, err = run("score", str(trace), "--replayed", str(said), "--references")
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["detector"] for line in lines] == ["derb", "fixed_threshold", "adaptive_baseline"]
    assert all("balanced_accuracy_pct" in line for line in lines)


def test_score_takes_what_replay_printed_from_stdin(tmp_path: Path) -> None:
    trace = tmp_path / "t.csv"
    run("simulate", "level", "--days", "1", "--out", str(trace))
    rows = trace.read_text().splitlines()[1:]
    answers = [{"t_ms": int(row.split(",")[0]), "status": "no_echo", "level_pct": None} for row in rows]
    code, out, err = run(
        "score", str(trace), "--replayed", "-", stdin="\n".join(json.dumps(answer) for answer in answers)
    )
    assert code == 0, err
    assert json.loads(out)["ok_pct"] == 0.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("parking", "--scenario", "nowhere", "--out", "x.csv"),
            "--scenario: there is no 'nowhere'; there are: nominal_perp",
        ),
        (("parking", "--scenario", "street_hel", "--out", "x.csv"), 'did you mean "street_hell"?'),
        (("parking", "--days", "400", "--period-s", "0.05", "--out", "x.csv"), "take 5 days or fewer"),
        (("level", "--out", "."), "--out: . is a folder"),
        (("parking",), "--out TRACE.csv"),
        (("level", "--out", "/no/such/folder/x.csv"), "--out: there is no folder"),
        (
            ("parking", "--chip", "nothing", "--out", "x.csv"),
            "--chip: there is no 'NOTHING'; there are: RM3100",
        ),
    ],
)
def test_misuse_exits_with_2_says_what_there_is_and_writes_nothing(
    arguments: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run("simulate", *arguments)
    assert code == 2, err
    assert words in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["parking", "level"])
def test_a_recording_goes_to_stdout_or_into_a_pipe_alone(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ("simulate", kind, "--days", "0.03", "--out")
    code, out, err = run(*asked, "-")
    assert code == 0, err
    assert "no truth" in err
    assert not list(tmp_path.iterdir())
    assert run(*asked, "x.csv")[0] == 0
    assert (tmp_path / "x.csv").read_text() == out
    os.mkfifo("pipe")
    reader = subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE, text=True)
    assert run(*asked, "pipe")[0] == 0
    assert reader.communicate(timeout=10)[0] == out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipe", "x.csv", "x.truth.csv"]


@pytest.mark.parametrize(
    ("kind", "writer"),
    [("parking", "_truth_lines"), ("level", "level_truth_lines")],
    ids=["parking", "level"],
)
def test_interrupted_while_it_writes_it_leaves_the_old_recording_whole(
    kind: str, writer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "t.csv"
    asked = ("simulate", kind, "--days", "0.03", "--out", str(trace))
    assert run(*asked)[0] == 0
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}

    def cut(*_: object) -> Iterator[str]:
        yield "# half"
        raise KeyboardInterrupt

    module = "trace" if kind == "parking" else "level"
    monkeypatch.setattr(f"derb_tools.street.{module}.{writer}", cut)
    assert run(*asked, "--seed", "2")[0] != 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_a_full_disk_is_told_with_the_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("derb_tools.whole_file.os.fsync", full)
    trace = tmp_path / "t.csv"
    result = CliRunner().invoke(
        build_app("simulate"), ["simulate", "level", "--days", "0.03", "--out", str(trace)]
    )
    assert isinstance(result.exception, OSError)
    assert result.exception.filename in (str(trace), str(truth_path(trace)))
    assert not list(tmp_path.iterdir())


def test_a_truth_or_an_answer_that_is_no_text_is_named(tmp_path: Path) -> None:
    trace, odd = tmp_path / "street.csv", tmp_path / "odd"
    odd.write_bytes(bytes(range(256)))
    assert run("simulate", "level", "--days", "0.1", "--out", str(trace))[0] == 0
    for arguments in (["--replayed", str(odd)], [str(odd)]):
        result = CliRunner().invoke(build_app("score"), ["score", str(trace), *arguments])
        assert isinstance(result.exception, RecordingError)
        assert f"{odd} is not a text file in UTF-8" in str(result.exception)


def test_a_score_says_which_file_is_missing(tmp_path: Path) -> None:
    trace = tmp_path / "mine.csv"
    for words in (
        f"cannot read {trace}: no such file",
        f"there is no {tmp_path / 'mine.truth.csv'}: name the truth",
    ):
        result = CliRunner().invoke(build_app("score"), ["score", str(trace)])
        assert isinstance(result.exception, ToolError)
        assert words in str(result.exception)
        trace.write_text("t_ms,x_nt,y_nt,z_nt,temp_c100\n")


def test_a_score_says_what_of_the_recording_was_skipped(tmp_path: Path) -> None:
    trace = tmp_path / "mine.csv"
    rows = [f"{n * 1000},{'nan' if n == 7 else 22000},0,35000,2000" for n in range(9)]
    trace.write_text("t_ms,x_nt,y_nt,z_nt,temp_c100\n" + "\n".join(rows) + "\n")
    truth_path(trace).write_text("t_ms,state\n0,free\n9000,end\n")
    code, out, err = run("score", str(trace))
    assert code == 0
    assert json.loads(out)["balanced_accuracy_pct"] == 100.0
    assert "1 of 9 samples skipped: 1 without a value (first in line 9)" in err


def test_a_truth_of_another_time_is_refused_and_one_that_lasts_longer_is_told(tmp_path: Path) -> None:
    trace = tmp_path / "mine.csv"
    rows = "".join(f"{n * 1000},22000,0,35000,2000\n" for n in range(30))
    trace.write_text(f"t_ms,x_nt,y_nt,z_nt,temp_c100\n{rows}")
    for begin, end in ((30_000, 90_000), (-90_000, -1)):
        truth_path(trace).write_text(f"t_ms,state\n{begin},free\n{end},end\n")
        result = CliRunner().invoke(build_app("score"), ["score", str(trace)])
        assert isinstance(result.exception, RecordingError)
        assert f"of t_ms 0 to 29000, the truth of {begin} to {end}: not of one time" in str(result.exception)
    truth_path(trace).write_text("t_ms,state\n0,free\n629000,end\n")
    code, _, err = run("score", str(trace))
    assert code == 0
    assert "the recording lacks 10 min of its truth" in err


def test_a_full_device_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        build_app("simulate"), ["simulate", "level", "--days", "9", "--out", "/dev/full"]
    )
    assert isinstance(result.exception, OSError)
    assert (result.exception.errno, result.exception.filename) == (errno.ENOSPC, "/dev/full")


@pytest.mark.parametrize("figures", [ParkingFigures, LevelFigures])
def test_the_help_tells_every_figure_of_a_score(figures: type[ParkingFigures | LevelFigures]) -> None:
    _, told, _ = run("score", "--help")
    words = set(re.findall(r"\w+", told))
    assert {each.name.removeprefix("strong_") for each in dataclasses.fields(figures)} <= words
