"""A backlog drained to a real nats-server while the street goes on, beside nats-py's own asynchronous publishing.

`store_open`: until the store with the backlog is open. `drain`: from the store, in batches of 1,000, each acknowledged by
JetStream and committed; a live reading is committed every 5 ms meanwhile, and timed from its commit until the sink has it
(`live_p99`). `bare`: the same JSON published by `publish_async`, 1,000 at a time, nothing read, nothing kept. `mapping`: rows
into the upstream format only.

    bench_sinks.py [READINGS]     300,000 unless told; the store is filled first, which is not timed
"""

import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import nats
from derb_gateway.progress import Progress
from derb_gateway.registry import Bay, Registry
from derb_gateway.sink_settings import NatsSinkSettings
from derb_gateway.sinks.base import Batch
from derb_gateway.sinks.forwarder import Forwarder
from derb_gateway.sinks.nats_sink import NatsSink
from derb_gateway.sinks.pieces import piece
from derb_gateway.store import NewReading, Store, StoredReading
from derb_gateway.writer import Writer
from nats.js.api import StreamConfig

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parents[2] / "tools" / "setup")]
from gateway.sinks.test_nats_sink import NatsServer  # noqa: E402 - the tests are no package

NODES = 1_000
BATCH = 1_000
FILLED_AT_ONCE = 5_000  # few, so that filling does not hide how much memory the drain takes
LIVE_EVERY_S = 0.005
NOW_MS = 1_795_000_000_000
BODY = '{"state":"free","confidence":95,"previous_state_s":60}'
LIVE = "ff" * 6


def row(number: int, node: str | None = None) -> NewReading:
    name = node or f"{number % NODES:012x}"
    return NewReading(
        name, 1, number // NODES if node is None else number, 1, BODY, NOW_MS, 0, False, NOW_MS, True
    )


def registry() -> Registry:
    bays = {f"{i:012x}": Bay(id=f"bay-{i}", zone="maarif", lat=33.58, lon=-7.62) for i in range(NODES)}
    return Registry({}, bays)


class Timed(NatsSink):
    """Notes when each live reading was taken."""

    def __init__(self, settings: NatsSinkSettings) -> None:
        super().__init__(settings, "casa")
        self.taken_s: dict[int, float] = {}

    async def deliver(self, batch: Batch, state: str | None) -> str | None:
        state = await super().deliver(batch, state)
        now_s = time.perf_counter()
        self.taken_s.update((r["seq"], now_s) for r in batch.readings if r["node"] == LIVE)
        return state


def settings(server: NatsServer) -> NatsSinkSettings:
    values = {
        "type": "nats",
        "name": "city",
        "servers": [f"nats://127.0.0.1:{server.port}"],
        "stream": "DERB",
    }
    return NatsSinkSettings.model_validate(values)


def filled(path: Path, count: int) -> None:
    store = Store(path)
    for first in range(0, count, FILLED_AT_ONCE):
        store.db.execute("BEGIN")
        store.insert(row(i) for i in range(first, min(first + FILLED_AT_ONCE, count)))
        store.db.execute("COMMIT")
    store.close()


async def drain(folder: Path, server: NatsServer, count: int) -> dict[str, float]:
    filled(folder / "derb.sqlite3", count)
    start_s = time.perf_counter()
    store = Store(folder / "derb.sqlite3")
    open_ms = 1000 * (time.perf_counter() - start_s)
    writer, progress, places = Writer(store, lambda: None), Progress(store.last_id()), registry()
    sink = Timed(settings(server))
    forwarder = Forwarder(
        "city",
        sink,
        settings(server),
        (0.5, 30.0),
        path=store.path,
        writer=writer,
        progress=progress,
        registry=lambda: places,
    )
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu_s, start_s = time.process_time(), time.perf_counter()
    task = asyncio.create_task(forwarder.run())
    committed_s = await street(writer, progress, lambda: forwarder.cursor < store.last_id() - 2 * BATCH)
    took_s = time.perf_counter() - start_s
    cpu_s = time.process_time() - cpu_s
    forwarder.drain()
    await task
    waits_ms = sorted(1000 * (sink.taken_s[seq] - at_s) for seq, at_s in committed_s.items())
    writer.close()
    store.close()
    return {
        "store_open": open_ms,
        "drain_rate": (count + len(waits_ms)) / took_s,
        "drain_cpu": 1e6 * cpu_s / (count + len(waits_ms)),
        "live_p50": statistics.median(waits_ms),
        "live_p99": waits_ms[int(0.99 * (len(waits_ms) - 1))],
        "memory_growth": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024,
    }


async def street(writer: Writer, progress: Progress, going_on: "object") -> dict[int, float]:
    """Commit a live reading now and then; when each was on the disk."""
    committed_s: dict[int, float] = {}
    while going_on():  # type: ignore[operator]
        new = row(len(committed_s), LIVE)
        last_id = await writer.do(lambda store, new=new: (store.insert([new]), store.last_id())[1])
        committed_s[new.seq] = time.perf_counter()
        progress.reached(last_id)
        await asyncio.sleep(LIVE_EVERY_S)
    return committed_s


async def bare(server: NatsServer, count: int) -> dict[str, float]:
    stored = [StoredReading(i, *row(i)) for i in range(count)]
    places, start_s = registry(), time.perf_counter()
    upstream = [
        reading
        for i in range(0, count, BATCH)
        for reading in piece("live", 0, stored[i : i + BATCH], places).upstream
    ]
    mapping_s = time.perf_counter() - start_s
    client = await nats.connect(f"nats://127.0.0.1:{server.port}")
    stream = client.jetstream(publish_async_max_pending=BATCH)
    await stream.add_stream(StreamConfig(name="BARE", subjects=["bare.>"]))
    start_s = time.perf_counter()
    for first in range(0, count, BATCH):
        acks = [
            await stream.publish_async(
                "bare.x", json.dumps(reading).encode(), headers={"Nats-Msg-Id": reading["key"]}
            )
            for reading in upstream[first : first + BATCH]
        ]
        await asyncio.gather(*acks)
    took_s = time.perf_counter() - start_s
    await client.close()
    return {"bare_rate": count / took_s, "mapping_rate": count / mapping_s}


UNITS = {"rate": "readings/s", "cpu": "us/reading", "p50": "ms", "p99": "ms", "growth": "MB", "open": "ms"}


async def main(count: int) -> None:
    """Drain, then the yardstick, on one server."""
    with tempfile.TemporaryDirectory() as folder:
        server = NatsServer(Path(folder) / "nats")
        server.start()
        try:
            figures = await drain(Path(folder), server, count) | await bare(server, min(count, 100_000))
        finally:
            server.stop()
    for figure, value in figures.items():
        unit = UNITS[figure.rpartition("_")[2]]
        line = {"bench": "sinks", "figure": figure, "value": round(value, 1), "unit": unit, "backlog": count}
        print(json.dumps(line))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000))
