"""`derb gateway quarantine`: what a sink refused, seen and handled by an operator."""

import json
from pathlib import Path

import pytest
from derb_gateway.cli import app
from derb_gateway.sinks.refused import RefusedBook, refused_path
from derb_gateway.store import StoredReading
from gateway.kit import NODE, NOW_MS
from typer.testing import CliRunner


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text('site = "casa"\nregistry = "registry.toml"\n[store]\npath = "derb.sqlite3"\n')
    return path


@pytest.fixture
def book(config: Path) -> RefusedBook:
    book = RefusedBook(refused_path(config.parent / "derb.sqlite3"))
    for sink, seq in (("city", 1), ("city", 2), ("other", 1)):
        row = StoredReading(seq, NODE, 1, seq, 4, '{"alarm": "full"}', NOW_MS, 0, False, NOW_MS, True)
        book.keep(sink, row, "no such bay", NOW_MS)
    return book


def run(config: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["quarantine", *arguments, "--config", str(config)])
    return result.exit_code, result.output


def test_nothing_is_kept(config: Path) -> None:
    assert run(config, "list") == (0, "")
    assert run(config, "replay", "--all") == (0, "0 will be tried again\n")
    assert not refused_path(config.parent / "derb.sqlite3").exists()


@pytest.mark.usefixtures("book")
def test_list_and_show(config: Path) -> None:
    code, text = run(config, "list", "--sink", "city")
    rows = [json.loads(line) for line in text.splitlines()]
    assert code == 0
    assert [(row["id"], row["key"], row["why"]) for row in rows] == [
        (1, f"{NODE}:1:1", "no such bay"),
        (2, f"{NODE}:1:2", "no such bay"),
    ]
    code, text = run(config, "show", "2")
    assert json.loads(text)["reading"]["body"] == {"alarm": "full"}
    assert run(config, "show", "99") == (1, "there is no 99\n")


def test_replay_and_drop(config: Path, book: RefusedBook) -> None:
    assert run(config, "replay", "1") == (0, "1 will be tried again\n")
    assert [row.wanted for row in book.listed()] == [True, False, False]
    assert run(config, "drop", "--sink", "city") == (0, "2 dropped\n")
    assert run(config, "drop", "--all") == (0, "1 dropped\n")


@pytest.mark.parametrize("arguments", [(), ("--sink", "city", "--all"), ("1", "--all")])
def test_it_must_be_said_which(config: Path, book: RefusedBook, arguments: tuple[str, ...]) -> None:
    for command in ("replay", "drop"):
        assert run(config, command, *arguments)[0] == 2
    assert len(book.listed()) == 3
