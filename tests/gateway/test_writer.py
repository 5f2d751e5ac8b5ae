"""The writer: one thread, one transaction for all that wait, and no failure for the innocent."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from derb_gateway import schema
from derb_gateway.alarms import standing
from derb_gateway.errors import StoreError
from derb_gateway.store import Store
from derb_gateway.writer import Writer


class Rig:
    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        self.rollbacks = 0
        self.writer = Writer(self.store, self.rolled_back)

    def rolled_back(self) -> None:
        self.rollbacks += 1

    async def together(self, *jobs: object) -> list[object]:
        """Hand in jobs while the thread is busy, so that they share a commit."""
        free = threading.Event()
        busy = asyncio.ensure_future(self.writer.do(lambda _: free.wait(10)))
        await asyncio.sleep(0.01)
        waiting = [asyncio.ensure_future(self.writer.do(job)) for job in jobs]  # type: ignore[arg-type, var-annotated]
        await asyncio.sleep(0)
        free.set()
        await busy
        return await asyncio.gather(*waiting, return_exceptions=True)


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path / "derb.sqlite3")
    yield rig
    rig.writer.close()
    rig.store.close()


def count(store: Store, name: str) -> str:
    store.count({name: 1})
    return name


async def test_jobs_that_wait_together_share_one_sync(rig: Rig) -> None:
    results = await rig.together(*[lambda store, i=i: count(store, f"n{i}") for i in range(20)])
    assert results == [f"n{i}" for i in range(20)]
    assert rig.writer.commits == 2  # the one that kept it busy, and all the others
    assert len(rig.store.counters()) == 20


async def test_what_a_failed_job_wrote_is_void_and_the_others_are_not(rig: Rig) -> None:
    def wrong(store: Store) -> None:
        store.count({"wrong": 1})
        raise KeyError("bug")

    first, failed, last = await rig.together(lambda s: count(s, "a"), wrong, lambda s: count(s, "b"))
    assert (first, last) == ("a", "b")
    assert isinstance(failed, KeyError)
    assert dict(rig.store.counters()) == {"a": 1, "b": 1}
    assert rig.rollbacks == 2  # of them together, and of the wrong one alone


async def test_a_disk_that_refuses_is_worth_another_try(rig: Rig) -> None:
    def full(_store: Store) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(StoreError, match="disk is full"):
        await rig.writer.do(full)
    assert await rig.writer.do(lambda store: count(store, "after")) == "after"


class OneBadRollback:
    """A database whose disk fails once, when what was written is to be taken back."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._is_bad = True

    def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
        if sql == "ROLLBACK" and self._is_bad:
            self._is_bad = False
            raise sqlite3.OperationalError("disk I/O error")
        return self._db.execute(sql, *rest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


async def test_what_cannot_even_be_taken_back_is_void_and_taken_back_later(rig: Rig) -> None:
    def full(store: Store) -> None:
        store.count({"lost": 1})
        raise sqlite3.OperationalError("database or disk is full")

    rig.store.db = OneBadRollback(rig.store.db)  # type: ignore[assignment]
    with pytest.raises(StoreError, match="disk is full"):
        await rig.writer.do(full)
    assert rig.rollbacks == 1, "nobody remembers what is not on the disk"
    assert await rig.writer.do_stubbornly(lambda store: count(store, "after")) == "after"
    assert dict(rig.store.counters()) == {"after": 1}


async def test_whatever_goes_wrong_with_the_database_is_worth_another_try(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(rig.writer, "_together", fails)
    with pytest.raises(StoreError, match="I/O"):
        await rig.writer.do(lambda store: count(store, "lost"))


class DeadDatabase:
    """A database whose disk was pulled: nothing of it can be read or written through what is open."""

    in_transaction, total_changes = False, 0

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def execute(self, *_: Any) -> sqlite3.Cursor:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
        raise error

    def close(self) -> None:
        self._db.close()


async def test_a_disk_that_was_taken_away_and_put_back_is_found_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derb_gateway.writer._OPEN_ANEW_S", 0.0)
    await rig.writer.do(lambda store: count(store, "before"))
    rig.store.db = DeadDatabase(rig.store.db)  # type: ignore[assignment]
    for _ in range(2):
        with pytest.raises(StoreError, match="I/O"):
            await rig.writer.do(lambda store: count(store, "lost"))
    away = rig.store.path.rename(rig.store.path.with_suffix(".away"))
    with pytest.raises(StoreError, match="not there now"):
        await rig.writer.do(lambda store: count(store, "lost"))
    assert not rig.store.path.exists(), "no new store hides the one that comes back"
    away.rename(rig.store.path)
    assert await rig.writer.do(lambda store: count(store, "after")) == "after"
    assert dict(rig.store.counters()) == {"before": 1, "after": 1}


async def test_a_disk_that_fails_for_a_moment_is_not_let_go(rig: Rig) -> None:
    db = rig.store.db
    rig.store.db = DeadDatabase(db)  # type: ignore[assignment]
    for _ in range(2):
        with pytest.raises(StoreError, match="I/O"):
            await rig.writer.do(lambda store: count(store, "lost"))
    rig.store.db = db
    assert await rig.writer.do(lambda store: count(store, "after")) == "after"


def damaged(_store: Store) -> None:
    error = sqlite3.DatabaseError("database disk image is malformed")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    raise error


async def test_a_disk_that_takes_nothing_is_said_until_it_does_and_remembered(rig: Rig) -> None:
    for pragma, why in (("query_only = 1", "readonly"), ("max_page_count = 1", "full")):
        rig.store.db.execute(f"PRAGMA {pragma}")
        for _ in range(3):
            with pytest.raises(StoreError, match=why):
                await rig.writer.do(lambda store: store.count({f"n{i}": 1 << 40 for i in range(2000)}))
        assert rig.writer.refusing is not None
        rig.store.db.execute("PRAGMA query_only = 0")
        rig.store.db.execute("PRAGMA max_page_count = 1000000")
        await rig.writer.do(lambda store: count(store, "after"))
        assert rig.writer.refusing is None
        assert [alarm.name for alarm in standing(rig.store.db)] == ["disk_refused"]
    assert dict(rig.store.counters()) == {"after": 2}
    assert rig.store.renewal is None


async def test_damage_while_running_sets_the_file_aside(rig: Rig) -> None:
    await rig.writer.do(lambda store: count(store, "before"))
    rig.store.db.execute(
        "UPDATE sqlite_sequence SET seq = 1 << 52"
    )  # as if the clock had been set back since
    last_id = rig.store.last_id()
    with pytest.raises(StoreError):
        await rig.writer.do(damaged)
    assert rig.store.renewal is not None
    assert rig.store.last_id() >= last_id
    await rig.writer.do(lambda store: count(store, "after"))
    assert dict(rig.store.counters()) == {"before": 1, "after": 1}
    assert rig.rollbacks == 1
    assert [alarm.name for alarm in standing(rig.store.db)] == ["disk_refused", "store_damaged"]


@pytest.mark.parametrize("step", ["connect", "set_aside"])
async def test_a_file_that_cannot_be_replaced_at_once_is_replaced_later(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    def full(*_: object) -> None:
        raise schema.Damaged("disk full") if step == "connect" else OSError(28, "No space left on device")

    last_id = rig.store.last_id()
    with monkeypatch.context() as patched:
        patched.setattr(schema, step, full)
        if step == "set_aside":  # what quick_check does not find
            patched.setattr(schema, "connect", full)
        for job in (damaged, lambda store: count(store, "lost")):
            with pytest.raises(StoreError):
                await rig.writer.do(job)
    assert await rig.writer.do(lambda store: count(store, "after")) == "after"
    assert dict(rig.store.counters()) == {"after": 1}
    assert rig.store.last_id() >= last_id
    assert "damaged store not replaced" in caplog.messages
