"""NDJSON files: each reading exactly once, whatever is cut off in between."""

import asyncio
import json
from pathlib import Path

import pytest
from derb_gateway.errors import SinkRetry
from derb_gateway.sinks.base import Batch
from derb_gateway.sinks.file_sink import FileSink


def batch(*ids: int) -> Batch:
    return Batch(ids[0], ids[-1], [{"key": i} for i in ids])


def keys(folder: Path) -> list[int]:
    lines = [line for path in sorted(folder.glob("*.ndjson")) for line in path.read_text().splitlines()]
    return [json.loads(line)["key"] for line in lines]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.ndjson"))


async def test_what_was_written_but_not_committed_is_written_over(tmp_path: Path) -> None:
    sink = FileSink(tmp_path, rotate_bytes=10_000)
    committed = await sink.deliver(batch(1, 2), await sink.open(None))
    await sink.deliver(batch(3, 4), committed)  # and then the power went before the cursor was saved
    with (tmp_path / "readings-000001.ndjson").open("a") as file:
        file.write('{"key": 5, "st')
    again = FileSink(tmp_path, rotate_bytes=10_000)
    state = await again.open(committed)
    await again.deliver(batch(3, 4, 5), state)
    assert keys(tmp_path) == [1, 2, 3, 4, 5]
    assert len(names(tmp_path)) == 1


async def test_a_second_attempt_takes_the_place_of_the_first(tmp_path: Path) -> None:
    sink = FileSink(tmp_path, rotate_bytes=10_000)
    state = await sink.open(None)
    await sink.deliver(batch(1, 2), state)
    await sink.deliver(batch(1, 2, 3), state)
    assert keys(tmp_path) == [1, 2, 3]
    assert len(names(tmp_path)) == 1


async def test_files_rotate_and_the_oldest_go(tmp_path: Path) -> None:
    sink = FileSink(tmp_path, rotate_bytes=20, keep_files=2)
    state = await sink.open(None)
    for i in range(1, 9):
        state = await sink.deliver(batch(i), state)
    assert names(tmp_path) == ["readings-000003.ndjson", "readings-000004.ndjson"]
    assert keys(tmp_path) == [5, 6, 7, 8]


async def test_a_file_that_was_begun_and_not_committed_is_written_over(tmp_path: Path) -> None:
    sink = FileSink(tmp_path, rotate_bytes=10)
    committed = await sink.deliver(batch(1), await sink.open(None))
    await sink.deliver(batch(2), committed)
    again = FileSink(tmp_path, rotate_bytes=10)
    await again.deliver(batch(2), await again.open(committed))
    assert keys(tmp_path) == [1, 2]
    assert len(names(tmp_path)) == 2


@pytest.mark.parametrize("rotate_bytes", [10, 30, 10_000])
async def test_an_older_store_deletes_nothing_that_was_forwarded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, rotate_bytes: int
) -> None:
    sink = FileSink(tmp_path, rotate_bytes=rotate_bytes)
    backup = state = await sink.deliver(batch(1, 2), await sink.open(None))
    for i in (3, 4, 5):
        state = await sink.deliver(batch(i), state)
    restored = FileSink(tmp_path, rotate_bytes=rotate_bytes)
    state = await restored.deliver(batch(6), await restored.open(backup))
    await restored.deliver(batch(7), state)
    assert keys(tmp_path) == [1, 2, 3, 4, 5, 6, 7]
    assert "forwarded files changed" in caplog.messages


async def test_a_file_that_is_taken_away_while_running_leaves_no_hole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = FileSink(tmp_path, rotate_bytes=10_000)
    state = await sink.deliver(batch(1, 2), await sink.open(None))
    (tmp_path / "readings-000001.ndjson").unlink()
    state = await sink.deliver(batch(3), state)
    await sink.deliver(batch(4), state)
    assert keys(tmp_path) == [3, 4]
    assert names(tmp_path) == ["readings-000002.ndjson"]
    assert caplog.messages.count("forwarded files changed") == 1


async def test_a_new_store_leaves_an_older_one_s_files_alone(tmp_path: Path) -> None:
    sink = FileSink(tmp_path, rotate_bytes=10_000)
    await sink.deliver(batch(1, 2), await sink.open(None))
    sink = FileSink(tmp_path, rotate_bytes=10_000)
    await sink.deliver(batch(3), await sink.open(None))
    assert keys(tmp_path) == [1, 2, 3]
    assert len(names(tmp_path)) == 2


async def test_a_file_that_somebody_shortened_is_left_and_a_new_one_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = FileSink(tmp_path, rotate_bytes=10_000)
    state = await sink.deliver(batch(1, 2), await sink.open(None))
    (tmp_path / "readings-000001.ndjson").write_text("")
    state = await sink.open(state)
    await sink.deliver(batch(3), state)
    assert keys(tmp_path) == [3]
    assert "forwarded files changed" in caplog.messages


async def test_a_folder_that_cannot_be_written_is_worth_another_try(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file where the folder should be")
    sink = FileSink(tmp_path / "out", rotate_bytes=10)
    with pytest.raises(SinkRetry):
        await sink.open(None)
    with pytest.raises(SinkRetry):
        await sink.deliver(batch(1), None)


async def test_two_gateways_in_one_folder_lose_and_double_nothing(tmp_path: Path) -> None:
    async def forward(first: int) -> None:
        sink = FileSink(tmp_path, rotate_bytes=100)
        state = await sink.open(None)
        for i in range(first, 100, 2):
            while True:
                try:
                    state = await sink.deliver(batch(i), state)
                except SinkRetry:
                    continue
                break

    await asyncio.gather(forward(0), forward(1))
    assert sorted(keys(tmp_path)) == list(range(100))


async def test_a_full_file_behind_which_another_gateway_has_written_is_left_as_it_is(tmp_path: Path) -> None:
    packed: list[Path] = []

    def pack(path: Path) -> Path:
        packed.append(path)
        return path

    sink = FileSink(tmp_path, rotate_bytes=10, pack=pack)
    state = await sink.deliver(batch(1), await sink.open(None))
    with (tmp_path / "readings-000001.ndjson").open("a") as file:
        file.write('{"key": 77}\n')
    state = await sink.deliver(batch(2), state)
    assert keys(tmp_path) == [1, 77, 2]
    assert packed == []
    await sink.deliver(batch(3), state)
    assert packed == [tmp_path / "readings-000002.ndjson"]
