"""Readings taken out of a store by time, place, node and kind, whether a gateway runs or not."""

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
from derb_gateway import export
from derb_gateway.cli import app
from derb_gateway.readings import PLACE
from derb_gateway.store import NewReading, Store
from derb_gateway.upstream import COLUMNS
from gateway.kit import KEY, NODE, NOW_MS, OTHER, OTHER_KEY
from typer.testing import CliRunner

REGISTRY = f"""
[[node]]
id = "{NODE}"
key = "{KEY.hex()}"
bay = "maarif-001"
[[node]]
id = "{OTHER}"
key = "{OTHER_KEY.hex()}"
container = "c-1"
[[bay]]
id = "maarif-001"
zone = "maarif"
lat = 33.58
lon = -7.62
[[container]]
id = "c-1"
zone = "maarif"
lat = 33.58
lon = -7.62
empty_mm = 1500
full_mm = 250
"""
BODIES = {
    1: '{"state":"free","confidence":95,"previous_state_s":60}',
    2: '{"status":"ok","distance_mm":875}',
    3: '{"fields":{"battery_mv":3600}}',
}
HOUR_MS = 3_600_000


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text('site = "casa"\nregistry = "registry.toml"\n[store]\npath = "derb.sqlite3"\n')
    (tmp_path / "registry.toml").write_text(REGISTRY)
    store = Store(tmp_path / "derb.sqlite3")
    for seq in range(10):
        store.insert([new(NODE, seq, 1), new(OTHER, seq, 2)])
    store.insert([new(NODE, 10, 3)])
    store.close()
    return path


def new(node: str, seq: int, kind: int) -> NewReading:
    at_ms = NOW_MS + seq * HOUR_MS
    return NewReading(node, 1, seq, kind, BODIES[kind], at_ms, 0, False, at_ms, True)


def run(config: Path, *arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["export", *arguments, "--config", str(config)])
    return result.exit_code, result.stdout, result.stderr


def exported(config: Path, *arguments: str) -> list[dict[str, object]]:
    code, out, err = run(config, *arguments)
    assert (code, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


def test_all_comes_as_a_sink_gets_it_in_the_order_of_the_store(config: Path) -> None:
    readings = exported(config)
    assert len(readings) == 21
    assert [r["seq"] for r in readings if r["node"] == NODE] == list(range(11))
    assert readings[0]["bay"] == "maarif-001"
    assert readings[1]["level_pct"] == 50.0


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["--node", NODE], 11),
        (["--node", "24:0A:C4:A1:B2:C3"], 11),
        (["--bay", "maarif-001"], 11),
        (["--container", "c-1", "--bay", "maarif-001"], 21),
        (["--kind", "level"], 10),
        (["--kind", "level", "--kind", "health"], 11),
        (["--bay", "maarif-001", "--kind", "level"], 0),
        (["--since", "1970-01-01"], 21),
        (["--until", "1970-01-01"], 0),
        (["--node", OTHER, "--since", "2026-11-18T14:40:00Z"], 6),
        (["--node", OTHER, "--since", "2026-11-18T15:40:00+01:00", "--until", "2026-11-18T15:40"], 1),
    ],
)
def test_only_what_is_asked_for(config: Path, arguments: list[str], count: int) -> None:
    assert len(exported(config, *arguments)) == count


def test_a_bay_is_all_nodes_that_it_had_and_what_the_gateway_said_of_it(config: Path) -> None:
    registry = config.parent / "registry.toml"
    other = "7cdfa1000002"
    replaced = f'replaced_by = "{other}"\nreplaced_at = 2026-11-18T13:00:00Z\n'
    node = f'[[node]]\nid = "{other}"\nkey = "{"ab" * 32}"\nbay = "maarif-001"\n'
    bay = 'bay = "maarif-001"\n'
    registry.write_text(registry.read_text().replace(bay, bay + replaced, 1) + node)
    store = Store(config.parent / "derb.sqlite3")
    body = '{"bay":"maarif-001","zone":"maarif","state":"closed","why":null}'
    store.insert([NewReading("bay:maarif-001", 1, 7, PLACE, body, NOW_MS, 0, False, NOW_MS, True)])
    store.insert([NewReading(other, 1, 0, 1, BODIES[1], NOW_MS + 9 * HOUR_MS, 0, False, NOW_MS, True)])
    store.close()
    found = exported(config, "--bay", "maarif-001")
    assert {each["node"] for each in found} == {NODE, other, "bay:maarif-001"}
    assert len(found) == 13


def test_csv_has_a_column_for_each_field_of_each_kind(config: Path) -> None:
    code, out, _ = run(config, "--format", "csv")
    assert code == 0
    rows = list(csv.DictReader(StringIO(out)))
    assert len(rows) == 21
    assert (rows[0]["state"], rows[0]["distance_mm"]) == ("free", "")
    assert (rows[1]["container"], rows[1]["level_pct"]) == ("c-1", "50.0")
    assert json.loads(rows[-1]["fields"]) == {"battery_mv": 3600}
    known = {name for reading in exported(config) for name in reading}
    assert known <= set(COLUMNS), "a new field needs a column"


def test_a_file_gets_its_name_when_it_is_whole(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = config.parent / "all.ndjson"
    assert run(config, "--out", str(out)) == (0, "", "")
    assert len(out.read_text().splitlines()) == 21

    def cut(*_: object) -> None:
        raise OSError(28, "No space left on device", str(out))

    monkeypatch.setattr("derb_gateway.export_cli.ndjson", cut)
    assert run(config, "--out", str(out)) == (1, "", f"{out}: No space left on device\n")
    assert len(out.read_text().splitlines()) == 21
    assert list(out.parent.glob("*.part")) == []


def test_it_reads_a_few_at_a_time_and_a_writer_may_prune_between(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_ROWS_AT_ONCE", 4)
    path = config.parent / "derb.sqlite3"
    store = Store(path)
    found = export.rows(path, export.Wanted())
    first = next(found)
    store.db.execute("DELETE FROM reading WHERE id BETWEEN ? AND ?", (first.id + 4, first.id + 9))
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert store.db.execute("PRAGMA wal_checkpoint").fetchone()[0] == 0, "nobody holds the log"
    assert len(list(found)) == 21 - 1 - 6
    store.close()


def test_a_damaged_reading_is_left_out(config: Path) -> None:
    store = Store(config.parent / "derb.sqlite3")
    store.db.execute('UPDATE reading SET body = \'{"state":"fred"}\' WHERE node = ? AND seq = 3', (NODE,))
    store.close()
    assert len(exported(config)) == 20


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--node", "x"], "not 12 hex digits"),
        (["--bay", "nowhere"], "no node at a bay or container 'nowhere'"),
        (["--kind", "noise"], "parking, level"),
        (["--since", "yesterday"], "write 2026-11-28"),
    ],
)
def test_misuse_is_told(config: Path, arguments: list[str], told: str) -> None:
    code, out, err = run(config, *arguments)
    assert (code, out) == (2, "")
    assert told in err


def test_another_file_may_be_read(config: Path) -> None:
    code, _, err = run(config, "--from", str(config.parent / "none.sqlite3"))
    assert (code, "cannot be read" in err) == (1, True)
    assert len(exported(config, "--from", str(config.parent / "derb.sqlite3"))) == 21
