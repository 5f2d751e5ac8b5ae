"""Parquet for those who carry files by hand: each reading once, a file whole or not there."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from derb_gateway import sink_settings
from derb_gateway.errors import SinkRetry
from derb_gateway.sinks import parquet_file
from derb_gateway.sinks.base import Batch
from derb_gateway.sinks.file_sink import FileSink, Place
from derb_gateway.store import StoredReading
from derb_gateway.upstream import COLUMNS, upstream_reading
from gateway.kit import NODE, NOW_MS, OTHER, registry
from pyarrow import parquet

BODIES = {
    1: '{"state":"free","confidence":95,"previous_state_s":null}',
    2: '{"status":"ok","distance_mm":875}',
    3: '{"fields":{"battery_mv":3600}}',
    4: '{"alarm":"fire","value":-3}',
    5: '{"command":7,"result":"done","value":0}',
}


def reading(seq: int, kind: int = 1) -> dict[str, Any]:
    node = OTHER if kind == 2 else NODE
    row = StoredReading(seq, node, 1, seq, kind, BODIES[kind], NOW_MS + seq, 0, False, NOW_MS + 5, True)
    return upstream_reading(row, registry())


def batch(*sequences: int) -> Batch:
    return Batch(sequences[0], sequences[-1], [reading(seq) for seq in sequences])


def sink(folder: Path, **more: Any) -> FileSink:
    return FileSink(folder, rotate_bytes=500, pack=parquet_file.pack, **more)


def sequences(folder: Path) -> list[int]:
    found: list[int] = []
    for path in sorted(folder.glob("readings-*")):
        if path.suffix == ".parquet":
            found += parquet.read_table(path).column("seq").to_pylist()
        else:
            found += [json.loads(line)["seq"] for line in path.read_text().splitlines()]
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name.removeprefix("readings-00000") for path in folder.iterdir())


def test_every_kind_comes_back_as_it_was(tmp_path: Path) -> None:
    ndjson = tmp_path / "readings-000001.ndjson"
    given = [reading(seq, kind) for seq, kind in enumerate(BODIES, 1)]
    ndjson.write_text("".join(json.dumps(each) + "\n" for each in given))
    table = parquet.read_table(parquet_file.pack(ndjson))
    assert tuple(table.column_names) == COLUMNS
    for row, was in zip(table.to_pylist(), given, strict=True):
        assert row.pop("observed_at") == datetime.fromisoformat(str(was.pop("observed_at")))
        assert row.pop("received_at") == datetime.fromtimestamp((NOW_MS + 5) / 1000, UTC)
        fields, was_fields = row.pop("fields"), was.pop("fields", None)
        assert was_fields == (fields and json.loads(fields))
        assert {name: value for name, value in row.items() if value is not None} == {
            name: value
            for name, value in was.items()
            if name not in ("observed_at", "received_at") and value is not None
        }
    assert names(tmp_path) == ["1.parquet"]


async def test_a_full_file_becomes_parquet_and_the_newest_stays_ndjson(tmp_path: Path) -> None:
    files = sink(tmp_path)
    state = await files.open(None)
    for seq in range(0, 10, 2):
        state = await files.deliver(batch(seq, seq + 1), state)
    assert sequences(tmp_path) == list(range(10))
    assert names(tmp_path) == [*(f"{number}.parquet" for number in range(1, 5)), "5.ndjson"]


async def test_a_kill_at_any_moment_of_packing_costs_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sink(tmp_path)
    committed = await files.deliver(batch(0, 1), await files.open(None))

    def power_cut(*_: object) -> None:
        raise KeyboardInterrupt

    for step in ("rename", "unlink"):
        with monkeypatch.context() as patched:
            patched.setattr(Path, step, power_cut)
            with pytest.raises(KeyboardInterrupt):
                files._append(*arguments(committed, batch(2, 3)))
        files = sink(tmp_path)
        assert await files.open(committed) == committed
    await files.deliver(batch(2, 3), committed)
    files = sink(tmp_path)
    again = await files.deliver(batch(2, 3), await files.open(committed))  # the cursor was not saved
    await files.deliver(batch(4, 5), again)
    assert sequences(tmp_path) == list(range(6))


def arguments(state: str | None, given: Batch) -> tuple[Place, set[str], bytes]:
    lines = "".join(json.dumps(each) + "\n" for each in given.readings).encode()
    return Place(*json.loads(str(state))), {str(each["key"]) for each in given.readings}, lines


async def test_an_older_store_leaves_finished_files_alone(tmp_path: Path) -> None:
    files = sink(tmp_path)
    opened = await files.open(None)
    half = await files.deliver(batch(0), opened)
    full = await files.deliver(batch(1), half)
    await files.deliver(batch(2), full)
    before = (tmp_path / "readings-000001.parquet").read_bytes()
    restored = sink(tmp_path)
    await restored.deliver(batch(1), await restored.open(half))
    assert (tmp_path / "readings-000001.parquet").read_bytes() == before
    assert sequences(tmp_path) == [0, 1, 2, 1], "what an older store does not know comes again, under its key"


async def test_the_oldest_go_in_either_form(tmp_path: Path) -> None:
    files = sink(tmp_path, keep_files=2)
    state = await files.open(None)
    for seq in range(0, 12, 2):
        state = await files.deliver(batch(seq, seq + 1), state)
    assert names(tmp_path) == ["5.parquet", "6.ndjson"]


async def test_no_room_for_packing_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = sink(tmp_path)
    state = await files.deliver(batch(0, 1), await files.open(None))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(SinkRetry, match="No space left"):
            await files.deliver(batch(2, 3), state)
    await files.deliver(batch(2, 3), state)
    assert sequences(tmp_path) == [0, 1, 2, 3]


def test_a_damaged_line_costs_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ndjson = tmp_path / "readings-000001.ndjson"
    good = json.dumps(reading(1))
    ndjson.write_text(f'{good}\n{{"key": \n[]\n{{}}\n{good.replace(": 95", ": []")}\n{good}\n')
    assert parquet.read_table(parquet_file.pack(ndjson)).num_rows == 2
    assert caplog.messages == ["line damaged, left out"] * 4


def test_without_pyarrow_the_configuration_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink_settings, "find_spec", lambda _: None)
    table = {"type": "file", "name": "files", "directory": "x"}
    sink_settings.FileSinkSettings.model_validate(table)
    with pytest.raises(ValueError, match=r"pip install 'derb\[parquet\]'"):
        sink_settings.FileSinkSettings.model_validate({**table, "format": "parquet"})
