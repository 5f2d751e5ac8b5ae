"""The quarantine: what was refused, as it came, within bounds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from derb_gateway.quarantine import Quarantine, Refusal
from derb_gateway.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "derb.sqlite3")
    yield store
    store.close()


def refusal(raw: bytes, topic: str = "d/x/u", at_ms: int = 1) -> Refusal:
    return Refusal(topic, "bad_tag", "why", raw, len(raw), at_ms)


def rows(store: Store) -> list[tuple[bytes, int, int]]:
    return list(store.db.execute("SELECT raw, count, last_ms FROM quarantine ORDER BY id"))


def test_the_same_thing_again_only_counts(store: Store) -> None:
    quarantine = Quarantine(store.db, 10, 1000)
    for at_ms in (1, 2, 3):
        quarantine.add(refusal(b"abc", at_ms=at_ms))
    quarantine.add(refusal(b"abc", topic="d/y/u"))
    assert rows(store) == [(b"abc", 3, 3), (b"abc", 1, 1)]


def test_rows_are_capped_and_the_longest_unseen_goes_first(store: Store) -> None:
    quarantine = Quarantine(store.db, 20, 10_000)
    for i in range(100):
        quarantine.add(refusal(bytes([i]), at_ms=i))
        quarantine.add(refusal(b"often", at_ms=i))
    kept = [raw for raw, _, _ in rows(store)]
    assert len(kept) <= 20
    assert b"often" in kept
    assert bytes([99]) in kept


def test_bytes_are_capped_also_after_a_restart(store: Store) -> None:
    quarantine = Quarantine(store.db, 1000, 2000)
    for i in range(10):
        quarantine.add(refusal(bytes([i]) * 300, at_ms=i))
    assert Quarantine(store.db, 1000, 2000).bytes == quarantine.bytes <= 2000


def test_a_megabyte_is_not_kept_whole(store: Store) -> None:
    Quarantine(store.db, 10, 10_000).add(Refusal("t" * 1000, "too_long", "", b"x" * 2000, 1_000_000, 1))
    row = store.db.execute("SELECT length(raw), length, length(topic) FROM quarantine").fetchone()
    assert row == (512, 1_000_000, 128)
