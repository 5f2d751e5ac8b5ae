"""What `derb replay` printed, read back: what it would not have printed is named by its line."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from derb_tools.errors import RecordingError
from derb_tools.street.answers import LEVEL, PARKING, read_answers

FREE = '{"t_ms":0,"state":"free","confidence":88}'
OK = '{"t_ms":0,"status":"ok","distance_mm":800,"level_pct":47.4}'
Word = tuple[str, Sequence[str]]


def test_answers_of_both_kinds_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "said.jsonl"
    path.write_text(f"\n{FREE}\r\n\n{FREE}", newline="")
    assert [answer["state"] for answer in read_answers(str(path), PARKING)] == ["free", "free"]
    monkeypatch.setattr(sys, "stdin", io.StringIO(OK + "\n"))
    assert read_answers("-", LEVEL)[0]["distance_mm"] == 800


@pytest.mark.parametrize(
    ("word", "line", "words"),
    [
        (PARKING, "x", "not JSON"),
        (PARKING, "[" * 100_000, "not JSON"),
        (PARKING, "[1]", "not a JSON object"),
        (PARKING, '{"state":"free"}', "t_ms is no time"),
        (PARKING, '{"t_ms":"1","state":"free"}', "t_ms is no time"),
        (PARKING, '{"t_ms":null,"state":"free"}', "t_ms is no time"),
        (PARKING, '{"t_ms":true,"state":"free"}', "t_ms is no time"),
        (PARKING, '{"t_ms":1.5,"state":"free"}', "t_ms is no time"),
        (PARKING, f'{{"t_ms":{10**20},"state":"free"}}', "t_ms is no time"),
        (PARKING, '{"t_ms":Infinity,"state":"free"}', "not JSON"),
        (PARKING, '{"t_ms":1,"state":["free"]}', "state is none of free, occupied, unknown"),
        (PARKING, OK, "there is no state"),
        (LEVEL, FREE, "there is no status"),
        (LEVEL, OK.replace("ok", "fine"), "status is none of ok, too_close"),
        (LEVEL, OK.replace("800", '"800"'), "distance_mm is no number"),
        (LEVEL, OK.replace("47.4", "1e999"), "level_pct is no number"),
        (LEVEL, OK.replace("47.4", "NaN"), "not JSON"),
    ],
)
def test_what_replay_would_not_say_is_named_by_its_line(
    tmp_path: Path, word: Word, line: str, words: str
) -> None:
    path = tmp_path / "said.jsonl"
    path.write_text((FREE if word is PARKING else OK) + "\n" + line + "\n")
    with pytest.raises(RecordingError) as refused:
        read_answers(str(path), word)
    assert str(refused.value).startswith(f"{path}, line 2: {words}")


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_no_answers_are_no_score(tmp_path: Path, text: str) -> None:
    (tmp_path / "said.jsonl").write_text(text)
    with pytest.raises(RecordingError, match=r"has no answers: did `derb replay` fail\?"):
        read_answers(str(tmp_path / "said.jsonl"), PARKING)
