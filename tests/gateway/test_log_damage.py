"""Bits that flip in the log, or a log that is cut: the store starts, keeps whatever can be read, and says so.

The log holds what was committed last, so this is where nodes hold receipts for readings that stand nowhere else.
"""

import random
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from campaign import how_much, size
from derb_gateway import log_tail
from derb_gateway.alarms import standing
from derb_gateway.beside import clear_alarms
from derb_gateway.errors import StoreError
from derb_gateway.store import KnownChange, NewReading, Store
from gateway.kit import NODE, NOW_MS

COMMITS, A_COMMIT = 40, 5
FRAME = 24 + 4096
ROWS_A_PAGE = 52
BODY = '{"state":"free","confidence":95,"previous_state_s":60}'
SEEDS, SAMPLE = 300, 12


class Original(NamedTuple):
    path: Path
    readings: dict[int, int]


def commit(store: Store, first: int) -> None:
    store.db.execute("BEGIN")
    held = store.known(NODE, 1)
    before = held.intervals()
    rows = [
        NewReading(NODE, 1, seq, 1, BODY, NOW_MS, 0, False, NOW_MS, True)
        for seq in range(first, first + A_COMMIT)
    ]
    store.insert(rows)
    held.add(first, first + A_COMMIT - 1)
    store.save_known([KnownChange(NODE, 1, before, held.intervals())])
    store.db.execute("COMMIT")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    """A store of which everything is in the log, as a SIGKILL leaves it; ids by sequence number."""
    folder = tmp_path_factory.mktemp("original")
    store = Store(folder / "live.sqlite3")
    store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for first in range(0, COMMITS * A_COMMIT, A_COMMIT):
        commit(store, first)
    path = folder / "derb.sqlite3"
    for suffix in ("", "-wal"):
        shutil.copy(f"{store.path}{suffix}", f"{path}{suffix}")
    readings = dict(store.db.execute("SELECT seq, id FROM reading"))
    store.close()
    return Original(path, readings)


def copy_of(original: Original, tmp_path: Path) -> tuple[Path, bytearray]:
    path = tmp_path / "derb.sqlite3"
    for suffix in ("", "-wal"):
        shutil.copy(f"{original.path}{suffix}", f"{path}{suffix}")
    return path, bytearray(log_tail.log_path(path).read_bytes())


def opened(path: Path) -> tuple[Store, dict[int, int]]:
    store = Store(path)
    there = dict(store.db.execute("SELECT seq, id FROM reading"))
    assert all(seq in store.known(NODE, 1) for seq in there), (
        "what stands here is known, or it would come twice"
    )
    return store, there


def test_a_sound_log_has_no_tail(original: Original, tmp_path: Path) -> None:
    path, _ = copy_of(original, tmp_path)
    assert log_tail.tail(path) is None
    store, there = opened(path)
    assert there == original.readings
    assert store.renewal is None
    store.close()


def test_what_earlier_rounds_left_in_the_log_is_no_tail(original: Original, tmp_path: Path) -> None:
    store = Store(tmp_path / "live.sqlite3")
    for first in range(0, 100, A_COMMIT):
        commit(store, first)
    store.db.execute("PRAGMA wal_checkpoint(RESTART)")
    commit(store, 100)
    assert log_tail.log_path(store.path).stat().st_size > 20 * FRAME
    assert log_tail.tail(store.path) is None
    store.close()


@pytest.mark.parametrize("at", [0, 10, 17, 26, 32 + 2, 32 + 9, 32 + 17, 32 + 24 + 100])
def test_a_bit_at_the_logs_beginning_hides_none_of_what_comes_behind(
    original: Original, tmp_path: Path, at: int
) -> None:
    path, log = copy_of(original, tmp_path)
    log[at] ^= 4
    log_tail.log_path(path).write_bytes(log)
    store, there = opened(path)
    assert there == original.readings
    assert "store_damaged" in [alarm.name for alarm in standing(store.db)]
    store.close()


def test_what_a_power_cut_left_unfinished_is_no_damage_and_what_can_be_read_of_it_is_kept(
    original: Original, tmp_path: Path
) -> None:
    path, log = copy_of(original, tmp_path)
    log[-10:] = bytes(10)
    log_tail.log_path(path).write_bytes(log)
    store, there = opened(path)
    assert there.items() <= original.readings.items()
    assert len(there) >= len(original.readings) - A_COMMIT
    assert store.renewal is None
    assert standing(store.db) == []
    store.close()


@pytest.mark.parametrize("damage", ["bits", "noise", "cut"])
def test_a_campaign(
    original: Original, tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tried, kept, told, hit = size(SEEDS, SAMPLE), 0, 0, 0
    ends = [number for number, frame in enumerate(log_tail.frames(original.path)) if frame.ends]
    last_commit = 32 + (ends[-2] + 1) * FRAME
    for seed in range(tried):
        chance = random.Random(f"{damage} {seed}")
        folder = tmp_path / str(seed)
        folder.mkdir()
        path, log = copy_of(original, folder)
        at = chance.randrange(len(log))
        if damage == "bits":
            log[at] ^= 1 << chance.randrange(8)
        elif damage == "noise":
            at = chance.randrange(len(log) - 64)
            log[at : at + 64] = chance.randbytes(64)
        else:
            del log[at:]
        log_tail.log_path(path).write_bytes(log)
        store, there = opened(path)
        alarms = {alarm.name for alarm in standing(store.db)}
        if damage != "cut":  # of what was cut off nothing is there to be read, and nothing tells that it was
            hit += at < last_commit
            told += "store_damaged" in alarms
            assert "store_damaged" in alarms or at >= last_commit, at
            assert len(there) >= len(original.readings) - 2 * A_COMMIT, (seed, at, len(there))
        assert len(there.items() - original.readings.items()) <= 1, "only in the page that was hit"
        kept += len(there)
        commit(store, COMMITS * A_COMMIT)
        store.close()
        Store(path).close()
        shutil.rmtree(folder)
    with capsys.disabled():
        whole = tried * len(original.readings)
        print(
            f"\n  {damage} in the log, {how_much(tried, SEEDS)}: {kept} of {whole} readings kept, {told} alarms"
        )
    assert damage == "cut" or told >= hit > 0


@pytest.mark.parametrize("torn", [True, False])
def test_a_command_beside_the_gateway_costs_nothing_that_stands_behind_the_damage(
    original: Original, tmp_path: Path, torn: bool
) -> None:
    """The last to close a store writes its log into it: a command must not be the one that forgets."""
    path, log = copy_of(original, tmp_path)
    at = len(log) - 2000 if torn else 32 + FRAME + 100
    log[at] ^= 1
    log_tail.log_path(path).write_bytes(log)
    if torn:
        clear_alarms(path)
    else:
        with pytest.raises(StoreError, match="start the gateway"):
            clear_alarms(path)
    store, there = opened(path)
    assert len(there) >= len(original.readings) - A_COMMIT
    assert (store.renewal is None) == torn
    store.close()
