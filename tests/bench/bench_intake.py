"""Intake beside the plainest loops that are still honest: signed frames at QoS 1 that a real Mosquitto holds for each of them.

What is measured is how fast they are taken: they were published before, so that no sender sets the pace.

`gateway`: verified, decoded, committed with sync, receipts published, acknowledged. `bare`: `async for` over
aiomqtt's messages, each acknowledged by hand, nothing verified, nothing kept. `paho`: a paho callback that only acknowledges.
`gathered`: the gateway with frames of 24 hourly levels each, counted in readings. `filled`: as `gateway`, into the store that
these have left, where the index of a thousand nodes' readings is a thousand pages wide.
Medians of three runs, in turn; `by_bare` and `by_paho` are the gateway's rate by theirs.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import aiomqtt
from derb_gateway.clock import Clock
from derb_gateway.config import BrokerSettings
from derb_gateway.intake import Intake
from derb_gateway.mqtt_intake import MqttIntake
from derb_gateway.progress import Progress
from derb_gateway.readings import LEVEL, PARKING, Level, Parking, Reading, Uplink
from derb_gateway.registry import Registry
from derb_gateway.store import Store
from derb_gateway.writer import Writer
from derb_tools.wire import encode_uplink
from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

sys.path.insert(0, str(Path(__file__).parent.parent))
from gateway.kit import Mosquitto

MESSAGES = 20_000
NODES = 1_000
RUNS = 3
WINDOW = 500
KEPT_S = 600
DAY = 24
KEYS = {f"de4b{i:08x}": i.to_bytes(4, "big") * 8 for i in range(NODES)}


def frames(boot: int) -> list[tuple[str, bytes]]:
    """Each node's readings 0, 1, 2 ... one a frame, node after node."""
    return [
        (
            node,
            encode_uplink(
                node, key, Uplink(PARKING, boot, False, (Reading(i, 0, Parking("free", 100, None)),))
            ),
        )
        for i in range(MESSAGES // NODES)
        for node, key in KEYS.items()
    ]


def gathered_frames(boot: int) -> list[tuple[str, bytes]]:
    """Each node's levels of an hour each, 24 in a frame, node after node."""
    return [
        (node, encode_uplink(node, key, Uplink(LEVEL, boot, False, day(i))))
        for i in range(MESSAGES // NODES // 4)
        for node, key in KEYS.items()
    ]


def day(number: int) -> tuple[Reading, ...]:
    """The levels of a day, newest first."""
    return tuple(
        Reading(number * DAY + hour, 3600 * (DAY - 1 - hour), Level("ok", 1_500 - 10 * hour))
        for hour in reversed(range(DAY))
    )


async def blast(port: int, batch: list[tuple[str, bytes]]) -> None:
    """Publish as fast as the broker takes them, from a process of its own."""
    lines = "".join(f"{node} {frame.hex()}\n" for node, frame in batch)
    sender = await asyncio.create_subprocess_exec(
        sys.executable, __file__, "blast", str(port), stdin=asyncio.subprocess.PIPE
    )
    await sender.communicate(lines.encode())


def session(port: int, client_id: str, *, keep: bool) -> None:
    """Begin a session in which the broker gathers frames while nobody is there, or end it."""
    client = paho_client(client_id)
    done = threading.Event()
    client.on_connect = lambda client, *_: client.subscribe("d/+/u", 1)
    client.on_subscribe = lambda *_: done.set()
    client.connect("127.0.0.1", port, clean_start=True, properties=wish(KEPT_S if keep else 0))
    client.loop_start()
    done.wait(10)
    client.disconnect()
    client.loop_stop()


def paho_client(client_id: str) -> Client:
    return Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTv5, manual_ack=True)


def wish(expiry_s: int) -> Properties:
    properties = Properties(PacketTypes.CONNECT)
    properties.ReceiveMaximum = WINDOW
    properties.SessionExpiryInterval = expiry_s
    return properties


async def held(port: int, client_id: str, batch: list[tuple[str, bytes]]) -> None:
    """Have the broker hold all frames for a client."""
    await asyncio.to_thread(session, port, client_id, keep=True)
    await blast(port, batch)


async def gateway_run(
    path: Path, settings: BrokerSettings, batch: list[tuple[str, bytes]], readings: int
) -> dict[str, float]:
    """Return figures, a reading, of one run of the gateway's intake into a store; `batch` holds so many `readings`."""
    await held(settings.port, "bench-gateway", batch)
    store = Store(path)
    intake = Intake(Registry(dict(KEYS)))
    writer, progress = Writer(store, intake.forget), Progress(store.last_id())
    street, stop = MqttIntake(settings, "bench-gateway", Clock(), writer, intake, progress), asyncio.Event()
    goal, commits = progress.last_id + readings, writer.commits
    task = asyncio.create_task(street.run(stop))
    before = progress.last_id
    while progress.last_id == before:
        await progress.change()
    began_s, began_id, cpu_s = time.perf_counter(), progress.last_id, time.process_time()
    while progress.last_id < goal:
        await progress.change()
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    count = goal - began_id
    stop.set()
    await task
    commits = writer.commits - commits
    writer.close()
    store.close()
    await asyncio.to_thread(session, settings.port, "bench-gateway", keep=False)
    return {"rate": count / took_s, "cpu_us": 1e6 * cpu_s / count, "per_commit": readings / commits}


async def bare_run(settings: BrokerSettings, boot: int) -> dict[str, float]:
    """Return figures of one run of the bare loop."""
    await held(settings.port, "bench-bare", frames(boot))
    client = aiomqtt.Client(
        settings.host,
        settings.port,
        identifier="bench-bare",
        protocol=aiomqtt.ProtocolVersion.V5,
        clean_start=False,
        properties=wish(KEPT_S),
    )
    client._client.manual_ack_set(True)
    async with client:
        count, began_s, cpu_s = 0, 0.0, 0.0
        async for message in client.messages:
            client._client.ack(message.mid, message.qos)
            count += 1
            if count == 1:
                began_s, cpu_s = time.perf_counter(), time.process_time()
            if count == MESSAGES:
                break
        took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    await asyncio.to_thread(session, settings.port, "bench-bare", keep=False)
    return {"rate": count / took_s, "cpu_us": 1e6 * cpu_s / count}


def paho_run(port: int) -> dict[str, float]:
    """Return figures of one run of the callback, in this thread."""
    client = paho_client("bench-paho")
    marks: list[tuple[float, float]] = []
    count = 0

    def took(client: Client, _: object, message: MQTTMessage) -> None:
        nonlocal count
        client.ack(message.mid, message.qos)
        count += 1
        if count in (1, MESSAGES):
            marks.append((time.perf_counter(), time.process_time()))

    client.on_message = took
    client.connect("127.0.0.1", port, clean_start=False, properties=wish(KEPT_S))
    while count < MESSAGES:
        client.loop(1.0)
    client.disconnect()
    session(port, "bench-paho", keep=False)
    (began_s, began_cpu_s), (ended_s, ended_cpu_s) = marks
    return {"rate": count / (ended_s - began_s), "cpu_us": 1e6 * (ended_cpu_s - began_cpu_s) / count}


async def beside_paho(settings: BrokerSettings, boot: int) -> dict[str, float]:
    """Return figures of one run of the callback."""
    await held(settings.port, "bench-paho", frames(boot))
    return await asyncio.to_thread(paho_run, settings.port)


def send(port: int) -> None:
    """The sender's process: everything on stdin, QoS 1, many in flight."""
    batch = [line.split() for line in sys.stdin]
    client = Client(CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for node, raw in batch:
        last = client.publish(f"d/{node}/u", bytes.fromhex(raw), 1)
    last.wait_for_publish(60)
    client.disconnect()
    client.loop_stop()


async def main() -> None:
    """Run both in turn and print medians."""
    runs: dict[str, list[dict[str, float]]] = {
        name: [] for name in ("gateway", "bare", "paho", "gathered", "filled")
    }
    with tempfile.TemporaryDirectory() as folder:
        empty, full = Path(folder) / "empty.sqlite3", Path(folder) / "full.sqlite3"
        broker = Mosquitto(Path(folder) / "broker", receive_maximum=WINDOW, max_queued_messages=2 * MESSAGES)
        broker.start()
        try:
            for run in range(RUNS):
                single = frames(run + 1)
                runs["gateway"].append(await gateway_run(empty, broker.settings, single, len(single)))
                runs["bare"].append(await bare_run(broker.settings, run + 1))
                runs["paho"].append(await beside_paho(broker.settings, run + 1))
            for run in range(RUNS):
                days = gathered_frames(run + 1)
                runs["gathered"].append(await gateway_run(full, broker.settings, days, len(days) * DAY))
            for run in range(RUNS):
                single = frames(RUNS + run + 1)
                runs["filled"].append(await gateway_run(full, broker.settings, single, len(single)))
        finally:
            broker.stop()
    for name, results in runs.items():
        what = "reading" if name == "gathered" else "message"
        units = {"rate": f"{what}s/s", "cpu_us": f"us/{what}", "per_commit": f"{what}s/commit"}
        for figure in results[0]:
            values = sorted(result[figure] for result in results)
            line = {
                "bench": "intake",
                "figure": f"{name}_{figure}",
                "value": round(statistics.median(values), 1),
            }
            line |= {"unit": units[figure], "runs": [round(value, 1) for value in values]}
            print(json.dumps(line))
    for name in ("bare", "paho"):
        ratio = statistics.median(
            ours["rate"] / theirs["rate"] for ours, theirs in zip(runs["gateway"], runs[name], strict=True)
        )
        print(
            json.dumps({"bench": "intake", "figure": f"by_{name}", "value": round(ratio, 2), "unit": "times"})
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["blast"]:
        send(int(sys.argv[2]))
    else:
        asyncio.run(main())
