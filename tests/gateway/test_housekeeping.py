"""The store within its budget: what goes, in which order, and what never goes."""

import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from derb_gateway import schema
from derb_gateway.alarms import standing
from derb_gateway.config import StoreSettings
from derb_gateway.housekeeping import Housekeeping
from derb_gateway.progress import Progress
from derb_gateway.readings import ALARM, ANSWER, HEALTH, LEVEL, PARKING
from derb_gateway.shedding import used_bytes
from derb_gateway.status import status
from derb_gateway.store import NewReading, Store
from derb_gateway.wear import Wear
from derb_gateway.writer import Writer
from gateway.kit import NOW_MS, eventually, running

BUDGET = 1_048_576
BODIES = {LEVEL: '{"status":"ok","distance_mm":1234,"of a usual length":"0123456789012345"}'}
BODY = '{"state":"occupied","confidence":95,"previous_state_s":60,"of a usual":"length"}'
NODES = [f"{i:012x}" for i in range(20)]


class Rig:
    def __init__(self, folder: Path) -> None:
        self.settings = StoreSettings(path=folder / "derb.sqlite3", budget_bytes=BUDGET, keep_readings=100)
        self.store = Store(self.settings.path)
        self.first_id = self.store.last_id()
        self.writer = Writer(self.store, lambda: None)
        self.io = folder / "io"
        self.housekeeping = Housekeeping(
            self.settings, lambda: ["fast", "slow"], self.writer, Progress(0), Wear(self.io)
        )
        self.seq = dict.fromkeys(NODES, 0)

    async def fill(self, *kinds: int, count: int) -> None:
        rows = []
        for i in range(count):
            node = NODES[i % len(NODES)]
            self.seq[node] += 1
            kind = kinds[i % len(kinds)]
            rows.append(
                NewReading(node, 1, self.seq[node], kind, BODIES.get(kind, BODY), i, 0, False, NOW_MS, True)
            )
        await self.writer.do(lambda store: store.insert(rows))

    async def forwarded(self, sink: str, readings: int) -> None:
        await self.writer.do(lambda store: store.save_cursor(sink, self.first_id + readings, None))

    def kept(self, kind: int) -> int:
        return int(
            self.store.db.execute("SELECT count(*) FROM reading WHERE kind = ?", (kind,)).fetchone()[0]
        )

    def alarms(self) -> list[str]:
        return [alarm.name for alarm in standing(self.store.db)]


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.writer.close()
    rig.store.close()


async def test_below_the_budget_only_what_all_sinks_have_goes(rig: Rig) -> None:
    await rig.fill(PARKING, LEVEL, HEALTH, count=1_000)
    await rig.forwarded("fast", 900)
    await rig.forwarded("slow", 300)
    await rig.housekeeping.tidy()
    assert sum(rig.kept(kind) for kind in (PARKING, LEVEL, HEALTH)) == 700
    assert rig.alarms() == []


async def test_what_all_sinks_have_goes_before_anything_is_lost(rig: Rig) -> None:
    rig.housekeeping.settings = rig.settings.model_copy(update={"keep_readings": 100_000})
    await rig.fill(PARKING, LEVEL, count=9_000)
    for sink in ("fast", "slow"):
        await rig.forwarded(sink, 6_000)
    assert used_bytes(rig.store.db) > BUDGET
    await rig.housekeeping.tidy()
    assert rig.kept(PARKING) + rig.kept(LEVEL) == 4_000
    assert not [name for name in rig.store.counters() if name.startswith("shed.")]
    assert rig.alarms() == []


async def test_superseded_states_go_first_then_the_oldest_levels(rig: Rig) -> None:
    await rig.fill(HEALTH, LEVEL, PARKING, count=9_000)
    await rig.housekeeping.tidy()
    shed = rig.store.counters()
    assert shed["shed.health"] == 3_000 - len(NODES), "each node's newest stays"
    assert 0 < shed["shed.level"] < 3_000
    assert rig.kept(LEVEL) == 3_000 - shed["shed.level"]
    oldest = rig.store.db.execute("SELECT min(id) FROM reading WHERE kind = ?", (LEVEL,)).fetchone()[0]
    newest_gone = rig.first_id + 3 * shed["shed.level"]
    assert oldest > newest_gone - 3
    assert rig.kept(PARKING) == 3_000
    assert used_bytes(rig.store.db) <= BUDGET
    assert rig.alarms() == ["readings_shed"]


async def test_no_parking_event_alarm_or_answer_ever_goes_before_it_is_forwarded(rig: Rig) -> None:
    await rig.fill(PARKING, ALARM, ANSWER, count=12_000)
    for _ in range(3):
        await rig.housekeeping.tidy()
    assert [rig.kept(kind) for kind in (PARKING, ALARM, ANSWER)] == [4_000] * 3
    assert rig.alarms() == ["store_over_budget"]
    assert standing(rig.store.db)[0].times == 1
    for sink in ("fast", "slow"):
        await rig.forwarded(sink, 12_000)
    await rig.housekeeping.tidy()
    assert used_bytes(rig.store.db) < BUDGET
    await rig.fill(PARKING, count=12_000)
    await rig.housekeeping.tidy()
    assert standing(rig.store.db)[0].times == 2, "it came again"


async def test_the_file_stays_near_its_budget_through_a_long_outage(rig: Rig) -> None:
    for _ in range(30):
        await rig.fill(LEVEL, LEVEL, LEVEL, PARKING, HEALTH, count=1_000)
        await rig.housekeeping.tidy()
    assert rig.kept(PARKING) == 6_000
    assert rig.store.counters()["shed.level"] > 10_000
    assert rig.settings.path.stat().st_size < BUDGET * 1.4
    seen = status(rig.settings.path)
    assert seen["store"]["used_bytes"] == used_bytes(rig.store.db)
    assert seen["alarms"][0]["alarm"] == "readings_shed"


async def test_what_could_not_be_shed_is_found_again(rig: Rig) -> None:
    await rig.fill(LEVEL, count=12_000)
    housekeeping = rig.housekeeping
    housekeeping._shedding.next()
    housekeeping._shedding.begin_anew()
    await housekeeping.tidy()
    assert used_bytes(rig.store.db) <= BUDGET
    assert rig.store.db.execute("SELECT min(id) FROM reading").fetchone()[0] > rig.first_id + 2_000


async def test_wear_is_what_the_kernel_counted(rig: Rig) -> None:
    await rig.writer.do(lambda store: store.count({"readings_stored": 100}))
    await rig.housekeeping.note_wear()
    assert status(rig.settings.path)["store"]["disk_written_bytes"] == 0
    for written, total in ((4096, 4096), (40960, 40960), (40960, 40960)):
        rig.io.write_text(
            f"rchar: 1\nwchar: 9\nread_bytes: 0\nwrite_bytes: {written}\ncancelled_write_bytes: 5\n"
        )
        await rig.housekeeping.note_wear()
        seen = status(rig.settings.path)["store"]
        assert seen["disk_written_bytes"] == total
        assert seen["disk_written_bytes_a_reading"] == round(total / 100)


async def test_a_large_file_is_looked_through_while_the_gateway_works(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.fill(PARKING, count=5_000)
    rig.store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    await rig.forwarded("fast", 5)
    with rig.settings.path.open("r+b") as file:
        file.seek(40 * 4096)
        file.write(bytes(4096))
    monkeypatch.setattr(schema, "_CHECKED_AT_START_BYTES", 1)
    async with running(rig.housekeeping.run()):
        await eventually(lambda: rig.store.renewal is not None and rig.store.is_open)
        await eventually(lambda: "store_damaged" in rig.alarms())
    assert rig.store.renewal is not None
    assert rig.store.renewal.salvaged


async def test_a_file_that_cannot_be_looked_through_stops_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def bad_disk(_path: Path) -> bool:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(schema, "is_large", bad_disk)
    async with running(rig.housekeeping.run()) as task:
        await eventually(lambda: "store not read as a whole" in caplog.messages)
        assert not task.done()
