import json
from pathlib import Path

import pytest
import typer
from derb_tools.cli import build_app
from derb_tools.errors import RecordingError
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
            "--scenario: 'nowhere' is none of: nominal_perp",
        ),
        (("parking",), "--out TRACE.csv"),
        (("level", "--out", "/no/such/folder/x.csv"), "--out: there is no folder"),
        (("parking", "--chip", "nothing", "--out", "x.csv"), "--chip: 'NOTHING' is none of: RM3100"),
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


def test_a_truth_or_an_answer_that_is_no_text_is_named(tmp_path: Path) -> None:
    trace, odd = tmp_path / "street.csv", tmp_path / "odd"
    odd.write_bytes(bytes(range(256)))
    assert run("simulate", "level", "--days", "0.1", "--out", str(trace))[0] == 0
    for arguments in (["--replayed", str(odd)], [str(odd)]):
        result = CliRunner().invoke(build_app("score"), ["score", str(trace), *arguments])
        assert isinstance(result.exception, RecordingError)
        assert f"{odd} is not a text file in UTF-8" in str(result.exception)
