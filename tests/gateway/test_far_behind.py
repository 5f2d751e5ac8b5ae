"""More than can be taken at once is waiting: who is told what, and when. No broker, no clock."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from derb_gateway import mqtt_intake
from derb_gateway.config import BrokerSettings
from derb_gateway.downlink import Range
from derb_gateway.inbox import Delivery
from derb_gateway.intake import Intake
from derb_gateway.mqtt_intake import MqttIntake
from derb_gateway.progress import Progress
from derb_gateway.store import Store
from derb_gateway.writer import Writer
from derb_tools.downlink import decode_downlink
from gateway.kit import KEY, NODE, StillClock, arrival, frame, registry

MESSAGES = 400
BATCH = 20


class Paper:
    """A connection that notes what is handed to it, in order."""

    open = True

    def __init__(self, clock: StillClock, a_batch_takes_s: float) -> None:
        self.receipts: list[Range] = []
        self.acknowledged: list[int] = []
        self.acknowledged_at_receipt: list[int] = []
        self._clock = clock
        self._a_batch_takes_s = a_batch_takes_s

    def publish_all(self, messages: Iterable[tuple[str, bytes]], *, retain: bool) -> bool:
        for _, raw in messages:
            assert retain
            self.receipts += decode_downlink(NODE, KEY, raw).ranges
            self.acknowledged_at_receipt.append(len(self.acknowledged))
        return True

    def acknowledge(self, mids: Iterable[int]) -> bool:
        self.acknowledged += mids
        self._clock.pass_s(self._a_batch_takes_s)
        return True

    async def publish(self, topic: str, payload: bytes, timeout_s: float) -> int:
        return 0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "derb.sqlite3")
    yield store
    store.close()


async def taken(store: Store, monkeypatch: pytest.MonkeyPatch, a_batch_takes_s: float) -> Paper:
    """Take what waits, batch by batch, on a connection of paper."""
    monkeypatch.setattr(mqtt_intake, "_BATCH", BATCH)
    clock, intake = StillClock(), Intake(registry())
    writer = Writer(store, intake.forget)
    street = MqttIntake(BrokerSettings(), "gw", clock, writer, intake, Progress(store.last_id()))
    link = Paper(clock, a_batch_takes_s)
    for i in range(MESSAGES):
        street._inbox.put(Delivery(link, i + 1, 1, arrival(frame(i)), came_s=clock.monotonic_s()))  # type: ignore[arg-type]
    street._inbox.close()
    await asyncio.wait_for(street._pump(), 60)
    writer.close()
    assert link.acknowledged == list(range(1, MESSAGES + 1))
    assert link.receipts[-1] == Range(1, 0, MESSAGES - 1)
    return link


async def test_a_node_is_told_of_many_batches_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    link = await taken(store, monkeypatch, a_batch_takes_s=0.0)
    assert [run.last for run in link.receipts] == [299 + BATCH * i for i in range(1, 6)], (
        "the last hundred, one a batch"
    )


async def test_but_no_receipt_waits_for_long(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    link = await taken(store, monkeypatch, a_batch_takes_s=0.1)
    assert [run.last for run in link.receipts[:3]] == [79, 159, 239], "four batches, 0.3 s"


async def test_a_receipt_comes_before_its_acknowledgement_unless_it_waits(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = await taken(store, monkeypatch, a_batch_takes_s=1.0)
    assert link.acknowledged_at_receipt == [run.last + 1 - BATCH for run in link.receipts]
