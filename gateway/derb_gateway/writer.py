"""The one thread that writes: jobs that wait together share one transaction and one sync."""

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from derb_gateway import schema
from derb_gateway.alarms import DISK_REFUSED, raise_alarm
from derb_gateway.backoff import FullJitter
from derb_gateway.errors import StoreError
from derb_gateway.store import Store

log = logging.getLogger(__name__)

T = TypeVar("T")
_JOBS_A_COMMIT = 64
_DISK_RETRY = (0.2, 10.0)
_OPEN_ANEW_S = 10.0


class _Job(NamedTuple):
    work: Callable[[Store], Any]
    promise: "Future[Any]"


class Writer:
    """Runs jobs in order; a job's promise is kept once what it wrote is on the disk."""

    def __init__(
        self,
        store: Store,
        on_rollback: Callable[[], None],
        on_commit: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Both are called in the writer's thread: `on_rollback` whenever what was written is void, `on_commit` with
        the seconds from the beginning of a transaction until it was on the disk."""
        self._store = store
        self._on_rollback = on_rollback
        self._on_commit = on_commit
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self.commits = 0
        self.refusing: str | None = None  # why the disk took nothing the last time
        self._failing_since_s: float | None = None
        self.replacing_since_s: float | None = None  # time.monotonic() while a damaged file is replaced
        self._thread.start()

    async def do(self, work: Callable[[Store], T]) -> T:
        """Return what `work` returns, once its writes are synced; StoreError if the disk refuses them."""
        promise: Future[T] = Future()
        self._jobs.put(_Job(work, promise))
        return await asyncio.shield(asyncio.wrap_future(promise))

    async def do_stubbornly(self, work: Callable[[Store], T], on_try: Callable[[], None] = lambda: None) -> T:
        """As `do`, until the disk takes it: what has no receipt is safe in the street. A disk that refuses is no stall of ours,
        so `on_try` is told of each attempt."""
        jitter = FullJitter(*_DISK_RETRY)
        while True:
            on_try()
            try:
                return await self.do(work)
            except StoreError as error:
                log.error("disk refused a batch", extra={"why": str(error)})  # noqa: TRY400 - its text says it all
                await asyncio.sleep(jitter.next_s())

    def close(self) -> None:
        """Finish all jobs and end the thread."""
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            jobs = [job, *self._waiting()]
            try:
                self._together(jobs)
            except Exception as error:  # noqa: BLE001 - told to whoever waits
                for each in jobs:
                    if not each.promise.done():
                        each.promise.set_exception(_translated(error))

    def _waiting(self) -> list[_Job]:
        jobs: list[_Job] = []
        while len(jobs) < _JOBS_A_COMMIT - 1:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            jobs.append(job)
        return jobs

    def _together(self, jobs: list[_Job]) -> None:
        """Run jobs in one transaction; if one fails, each in its own, so that only that one fails."""
        try:
            results = self._transaction(jobs)
        except Exception as error:
            self._roll_back(error)
            if len(jobs) == 1:
                raise _translated(error) from error
            for job in jobs:
                self._alone(job)
        else:
            for job, result in zip(jobs, results, strict=True):
                job.promise.set_result(result)

    def _alone(self, job: _Job) -> None:
        try:
            self._together([job])
        except Exception as error:  # noqa: BLE001 - told to whoever waits
            job.promise.set_exception(error)

    def _transaction(self, jobs: list[_Job]) -> list[Any]:
        self._store.ensure_open()
        began_s, changes = time.perf_counter(), self._store.db.total_changes
        self._store.db.execute("BEGIN IMMEDIATE")
        results = [job.work(self._store) for job in jobs]
        if self.refusing is not None:
            raise_alarm(self._store.db, DISK_REFUSED, self.refusing, time.time_ns() // 1_000_000)
        self._store.db.execute("COMMIT")
        self.refusing = self._failing_since_s = None
        self.commits += 1
        if self._store.db.total_changes != changes:  # one that wrote nothing is not synced either
            self._on_commit(time.perf_counter() - began_s)
        return results

    def _roll_back(self, error: Exception) -> None:
        self._on_rollback()
        if self._store.is_open and self._store.db.in_transaction:
            with suppress(sqlite3.Error):  # then the next BEGIN fails, and it is rolled back after that
                self._store.db.execute("ROLLBACK")
        if isinstance(error, sqlite3.Error | StoreError):
            self.refusing = str(error)
        if isinstance(error, sqlite3.Error) and schema.is_damage(error):
            self._replace(error)
        elif isinstance(error, sqlite3.Error) and schema.is_fault_of_disk(error):
            self._let_go_of_file()

    def _let_go_of_file(self) -> None:
        """Open the file anew now and then: what is open may never work again, though the disk does."""
        now_s = time.monotonic()
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        elif now_s - self._failing_since_s >= _OPEN_ANEW_S:
            self._failing_since_s = now_s
            log.warning("store is opened anew", extra={"path": str(self._store.path), "why": self.refusing})
            self._store.let_go_of_file()

    def _replace(self, damage: sqlite3.Error) -> None:
        """Set a damaged file aside; if that fails, every later transaction tries to open a new one first."""
        log.error("store damaged", extra={"path": str(self._store.path), "why": str(damage)})
        self.replacing_since_s = time.monotonic()
        try:
            self._store.replace_damaged()
        except StoreError as error:
            log.error("damaged store not replaced", extra={"why": str(error)})  # noqa: TRY400 - its text says it all
        finally:
            self.replacing_since_s = None


def _translated(error: Exception) -> Exception:
    return StoreError(f"the store did not take it: {error}") if isinstance(error, sqlite3.Error) else error
