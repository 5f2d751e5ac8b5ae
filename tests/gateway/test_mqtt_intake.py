"""Taking, committing, confirming and acknowledging through a real broker."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest
import pytest_asyncio
from derb_gateway.clock import Clock
from derb_gateway.downlink import Range
from derb_gateway.errors import StoreError
from derb_gateway.intake import Intake
from derb_gateway.mqtt_intake import MqttIntake
from derb_gateway.progress import Progress
from derb_gateway.reconnect import State
from derb_gateway.registry import Registry
from derb_gateway.store import Store
from derb_gateway.writer import Writer
from derb_tools.downlink import Downlink, decode_downlink
from gateway.kit import KEY, NODE, OTHER, OTHER_KEY, Mosquitto, eventually, frame, registry

SETTINGS = {"fence_s": 0.2, "retry_base_s": 0.05, "retry_max_s": 0.2, "receive_maximum": 20, "timeout_s": 3.0}


class Gateway:
    """The street's side only, in this process; its life can be ended politely or not."""

    def __init__(self, path: Path, broker: Mosquitto, clock: Clock | None = None) -> None:
        self.path = path
        self.store = Store(path)
        self.intake = Intake(registry())
        self.writer = Writer(self.store, self.intake.forget)
        self.progress = Progress(self.store.last_id())
        self.street = MqttIntake(
            broker.settings, "derb-test", clock or Clock(), self.writer, self.intake, self.progress
        )
        self.stop = asyncio.Event()
        self.task = asyncio.create_task(self.street.run(self.stop))

    async def up(self) -> "Gateway":
        await eventually(lambda: self.street.connection.state is State.UP)
        return self

    async def settled(self) -> "Gateway":
        await eventually(lambda: self.street._fence.settled)
        return self

    async def end(self, *, politely: bool = True) -> None:
        if politely:
            self.stop.set()
            await asyncio.wait_for(self.task, 10)
        else:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        self.writer.close()
        self.store.close()

    def ask(self, query: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.path) as db:
            rows = db.execute(query).fetchall()
        db.close()
        return rows

    def sequences(self) -> list[object]:
        return [seq for (seq,) in self.ask("SELECT seq FROM reading ORDER BY id")]

    def errors(self) -> list[object]:
        return [error for (error,) in self.ask("SELECT error_ms FROM reading ORDER BY id")]

    def counter(self, name: str) -> int:
        return int(str(dict(self.ask("SELECT name, value FROM counter")).get(name, 0)))  # type: ignore[arg-type]


class Street:
    """Nodes on one connection: publishes frames, collects downlinks."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client
        self.downlinks: list[tuple[str, bytes]] = []

    async def send(self, raw: bytes, node: str = NODE) -> None:
        await self.client.publish(f"d/{node}/u", raw, 1)

    def receipts(self, node: str = NODE, key: bytes = KEY) -> list[Downlink]:
        return [decode_downlink(node, key, raw) for topic, raw in self.downlinks if topic == f"d/{node}/d"]

    async def receipt(self, wanted: Range, node: str = NODE, key: bytes = KEY) -> Downlink:
        await eventually(lambda: any(wanted in receipt.ranges for receipt in self.receipts(node, key)))
        return next(receipt for receipt in self.receipts(node, key) if wanted in receipt.ranges)


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    broker = Mosquitto(tmp_path / "broker", **SETTINGS)
    broker.start()
    yield broker
    broker.stop()


@pytest_asyncio.fixture
async def street(broker: Mosquitto) -> AsyncIterator[Street]:
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        street = Street(client)
        await client.subscribe("d/+/d")

        async def listen() -> None:
            async for message in client.messages:
                street.downlinks.append((message.topic.value, bytes(message.payload)))

        listening = asyncio.create_task(listen())
        yield street
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "derb.sqlite3"


async def test_a_gateway_of_several_hears_a_node_once_it_is_in_its_registry(
    broker: Mosquitto, street: Street, path: Path
) -> None:
    await (await Gateway(path, broker).settled()).end()  # a session that heard everybody is still there
    broker.settings = broker.settings.model_copy(update={"only_registered": True})
    gateway = Gateway(path, broker)
    both, gateway.intake.registry = gateway.intake.registry, Registry({OTHER: OTHER_KEY})
    await gateway.settled()
    await street.send(frame(0))
    await street.send(frame(1, node=OTHER, key=OTHER_KEY), OTHER)
    await street.receipt(Range(1, 1, 1), OTHER, OTHER_KEY)
    assert gateway.counter("frames") == 1
    gateway.intake.registry = both
    while not street.receipts():  # it looks at its registry now and then
        await street.send(frame(2))
        await asyncio.sleep(0.1)
    assert gateway.sequences() == [1, 2]
    await gateway.end()


async def test_a_receipt_comes_after_the_commit_and_is_retained(
    broker: Mosquitto, street: Street, path: Path
) -> None:
    gateway = await Gateway(path, broker).settled()
    await street.send(frame(0, 1, 2))
    receipt = await street.receipt(Range(1, 0, 2))
    assert gateway.sequences() == [0, 1, 2]
    assert abs(receipt.unix_s - Clock().wall_ms() / 1000) < 5
    assert gateway.errors() == [0, 0, 0]
    async with aiomqtt.Client("127.0.0.1", broker.port) as late:
        await late.subscribe(f"d/{NODE}/d")
        message = await anext(aiter(late.messages))
        assert message.retain
        assert decode_downlink(NODE, KEY, bytes(message.payload)).ranges == (Range(1, 0, 2),)
    await gateway.end()


async def test_junk_strangers_and_a_megabyte_do_not_hold_up_the_next(
    broker: Mosquitto, street: Street, path: Path
) -> None:
    gateway = await Gateway(path, broker).settled()
    for i in range(60):  # three times the window: if one were not acknowledged, nothing would come any more
        await street.send([b"", b"x" * 13, b"!" * 250][i % 3])
    await street.send(b"x" * 1_000_000)
    await street.send(frame(0), node="0" * 12)
    await street.send(frame(0, key=OTHER_KEY))
    await street.send(frame(9))
    await street.receipt(Range(1, 9, 9))
    assert gateway.counter("refused.too_long") == 21
    assert gateway.counter("refused.too_short") == 20
    assert gateway.counter("refused.bad_version") == 20
    assert gateway.counter("refused.unknown_node") == 1
    assert gateway.counter("refused.bad_tag") == 1
    await gateway.end()


async def test_a_repeat_is_counted_and_gets_its_receipt(
    broker: Mosquitto, street: Street, path: Path
) -> None:
    gateway = await Gateway(path, broker).settled()
    for _ in range(3):
        await street.send(frame(0))
    await eventually(lambda: gateway.counter("refused.repeat") == 2)
    await street.receipt(Range(1, 0, 0))
    assert gateway.sequences() == [0]
    await gateway.end()


async def test_what_came_while_we_were_away_is_kept_and_its_time_is_bounded(
    broker: Mosquitto, street: Street, path: Path
) -> None:
    gateway = await Gateway(path, broker).settled()
    await street.send(frame(0))
    await street.receipt(Range(1, 0, 0))
    await gateway.end()
    await street.send(frame(1))
    await asyncio.sleep(1.3)
    gateway = await Gateway(path, broker).settled()
    await street.receipt(Range(1, 0, 1))
    await street.send(frame(2))
    await street.receipt(Range(1, 0, 2))
    exact, held, live = gateway.errors()
    assert (exact, live) == (0, 0)
    assert isinstance(held, int)
    assert 1_300 <= held < 10_000
    await gateway.end()


async def test_a_held_time_is_made_exact_by_the_node_s_next_attempt(
    broker: Mosquitto, street: Street, path: Path
) -> None:
    await (await Gateway(path, broker).settled()).end()
    await street.send(frame(0))
    await asyncio.sleep(1.3)
    gateway = await Gateway(path, broker).settled()
    await street.receipt(Range(1, 0, 0))
    assert gateway.errors() != [0]
    await street.send(frame(0, age_s=1))
    await eventually(lambda: gateway.errors() == [0])
    await gateway.end()


async def test_a_session_without_a_last_moment_has_no_bound(
    broker: Mosquitto, street: Street, path: Path
) -> None:
    await (await Gateway(path, broker).settled()).end()
    for part in path.parent.glob("derb.sqlite3*"):
        part.unlink()
    await street.send(frame(0))
    gateway = await Gateway(path, broker).settled()
    await street.receipt(Range(1, 0, 0))
    assert gateway.errors() == [None]
    await gateway.end()


async def test_the_broker_may_die_at_any_time(broker: Mosquitto, path: Path) -> None:
    gateway = await Gateway(path, broker).settled()
    for round_ in range(3):
        failures = gateway.street.connection.failures
        broker.stop(kill=True)
        await eventually(lambda n=failures: gateway.street.connection.failures > n)  # type: ignore[misc]
        broker.start()
        await gateway.up()
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.publish(f"d/{NODE}/u", frame(round_), 1)
            await eventually(lambda round_=round_: gateway.sequences()[-1:] == [round_])
    assert gateway.street.connection.failures >= 3
    await gateway.end()


async def test_nothing_is_acknowledged_that_is_not_committed(
    broker: Mosquitto, street: Street, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await Gateway(path, broker).settled()

    async def never(_work: object) -> object:
        raise StoreError("disk full")

    monkeypatch.setattr(gateway.writer, "do", never)
    for sequence in range(5):
        await street.send(frame(sequence))
    await asyncio.sleep(0.5)
    assert street.receipts() == []
    await gateway.end(politely=False)
    gateway = await Gateway(path, broker).settled()
    await eventually(lambda: gateway.sequences() == [0, 1, 2, 3, 4])
    await street.receipt(Range(1, 0, 4))
    await gateway.end()


async def test_a_disk_that_recovers_costs_nothing(
    broker: Mosquitto, street: Street, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await Gateway(path, broker).settled()
    really = gateway.writer.do
    failures = iter(range(3))

    async def shaky(work: object) -> object:
        if next(failures, None) is not None:
            raise StoreError("disk full")
        return await really(work)  # type: ignore[arg-type]

    monkeypatch.setattr(gateway.writer, "do", shaky)
    await street.send(frame(0))
    await street.receipt(Range(1, 0, 0))
    await gateway.end()


async def test_a_polite_end_keeps_confirms_and_acknowledges_what_came(
    broker: Mosquitto, street: Street, path: Path
) -> None:
    gateway = await Gateway(path, broker).settled()
    sending = [asyncio.create_task(street.send(frame(sequence))) for sequence in range(200)]
    await eventually(lambda: len(gateway.sequences()) > 20)
    await gateway.end()
    await asyncio.gather(*sending)
    kept = set(kept_sequences(path))
    confirmed = {
        n for receipt in street.receipts() for r in receipt.ranges for n in range(r.first, r.last + 1)
    }
    assert confirmed <= kept
    gateway = await Gateway(path, broker).settled()
    await eventually(lambda: len(gateway.sequences()) == 200)
    assert gateway.counter("readings_known") == 0  # all that was kept had been acknowledged
    await gateway.end()


def kept_sequences(path: Path) -> list[int]:
    with sqlite3.connect(path) as db:
        rows = [seq for (seq,) in db.execute("SELECT seq FROM reading")]
    db.close()
    return rows


async def test_two_nodes_in_one_batch_get_a_receipt_each(
    broker: Mosquitto, street: Street, path: Path
) -> None:
    gateway = await Gateway(path, broker).settled()
    await asyncio.gather(street.send(frame(4)), street.send(frame(7, node=OTHER, key=OTHER_KEY), node=OTHER))
    await street.receipt(Range(1, 4, 4))
    await street.receipt(Range(1, 7, 7), OTHER, OTHER_KEY)
    await gateway.end()


async def test_a_broker_that_breaks_right_after_the_subscription_is_not_hammered(
    tmp_path: Path, path: Path
) -> None:
    connections = 0

    async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        subscriptions = 0
        try:
            while subscriptions < 2:
                kind, length = await reader.readexactly(2)
                body = await reader.readexactly(length)
                if kind >> 4 == 1:
                    writer.write(b"\x20\x03\0\0\0")
                elif kind >> 4 == 8:
                    subscriptions += 1
                    writer.write(b"\x90\x04" + body[:2] + b"\0\x01")
            await writer.drain()
        except asyncio.IncompleteReadError:
            pass  # the gateway has left
        finally:
            writer.close()

    server = await asyncio.start_server(breaks, "127.0.0.1", 0)
    settings = {**SETTINGS, "retry_base_s": 0.01, "retry_max_s": 60.0}
    broker = Mosquitto(tmp_path / "broker", **settings, port=server.sockets[0].getsockname()[1])
    async with server:
        gateway = Gateway(path, broker)
        await asyncio.sleep(2)
        assert 2 < connections < 30
        await gateway.end()
