"""Bytes on the wire of real runs: firmware in MicroPython, a real Mosquitto between, and the same readings in other formats.

The other formats carry what a frame carries, its 8-byte tag too, in the shortest keys that still say what is what.
"""

import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import paho.mqtt.client as paho

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from derb_gateway.frame import decode_uplink
from derb_gateway.readings import KIND_NAMES, Uplink
from derb_tools.board import HcSr04

from tests.e2e.rig import Rig, filling_container, planned

TAG_BYTES = 8
PROMISED = {"parking event": 16, "24 hourly levels": 64}


def readings_of(uplink: Uplink) -> list[dict[str, Any]]:
    """One flat record a reading, as an application would write it down."""
    return [{"q": each.sequence, "a": each.age_s, **each.body.to_json()} for each in uplink.readings]


def compact_json(uplink: Uplink, tag: bytes) -> bytes:
    content = {"k": KIND_NAMES[uplink.kind], "b": uplink.boot, "r": readings_of(uplink), "t": tag.hex()}
    return json.dumps(content, separators=(",", ":")).encode()


def compact_cbor(uplink: Uplink, tag: bytes) -> bytes:
    return bytes(cbor2.dumps({"k": uplink.kind, "b": uplink.boot, "r": readings_of(uplink), "t": tag}))


def senml_cbor(uplink: Uplink, tag: bytes) -> bytes:
    """RFC 8428, section 6: integer labels; times are relative to now."""
    records: list[dict[int, Any]] = []
    for each in uplink.readings:
        for name, value in each.body.to_json().items():
            label = 3 if isinstance(value, str) else 2
            if value is not None:
                records.append({0: name, label: value, 6: -each.age_s})
    records[0].update({-2: f"{uplink.boot}:{uplink.sequence}:"})
    records.append({0: "tag", 8: tag})
    return bytes(cbor2.dumps(records))


FORMATS: dict[str, Callable[[Uplink, bytes], bytes]] = {
    "compact JSON": compact_json,
    "CBOR": compact_cbor,
    "SenML+CBOR": senml_cbor,
}


async def frames_of_real_runs(folder: Path) -> list[tuple[str, bytes, Uplink]]:
    """Let a bay and a container live, and return their frames as a tap at the broker saw them."""
    hourly = {"wake_s": 3600, "report_every": 24, "hold": 23, "health_every_s": 604800, "awake_ms": 15000}
    slow = HcSr04(filling_container(folder / "slow.echo", period_ms=3_600_000, rise_mm=11), trig=25, echo=26)
    bay, container = (
        planned(folder, 1, "parking"),
        replace(planned(folder, 2, "level", **hourly), parts=[slow]),
    )
    nodes = [bay, container]
    keys = {node.id: node.key for node in nodes}
    taken: list[tuple[str, bytes]] = []
    async with Rig(folder, nodes) as rig:
        tap = paho.Client(paho.CallbackAPIVersion.VERSION2)
        tap.on_message = lambda _client, _data, message: taken.append((message.topic, message.payload))
        tap.connect("127.0.0.1", rig.ports.street)
        tap.subscribe("d/+/u", 1)
        tap.loop_start()
        await asyncio.to_thread(lambda: [rig.wake(bay.id) for _ in range(40)])
        await asyncio.to_thread(lambda: [rig.wake(container.id) for _ in range(98)])
        await rig.drain()
        tap.loop_stop()
        tap.disconnect()
        if rig.crashes:
            raise SystemExit(rig.crashes[0])
    frames = []
    for topic, frame in taken:
        node = topic.split("/")[1]
        frames.append((node, frame, decode_uplink(node, keys[node], frame)))
    return frames


def group_of(uplink: Uplink) -> str | None:
    count = len(uplink.readings)
    if KIND_NAMES[uplink.kind] == "parking" and count == 1:
        return "parking event"
    if KIND_NAMES[uplink.kind] == "level" and count == 24:
        return "24 hourly levels"
    return None


def say(figure: str, value: float, **more: object) -> None:
    print(
        json.dumps({"bench": "wire", "figure": figure, "value": value, "unit": "bytes", **more}), flush=True
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        frames = asyncio.run(frames_of_real_runs(Path(folder)))
    groups: dict[str, list[tuple[bytes, Uplink]]] = {}
    for _, frame, uplink in frames:
        if name := group_of(uplink):
            groups.setdefault(name, []).append((frame, uplink))
    for name, members in sorted(groups.items()):
        sizes = [len(frame) for frame, _ in members]
        say(
            f"{name}, Derb",
            statistics.median(sizes),
            largest=max(sizes),
            promised=PROMISED.get(name),
            frames=len(sizes),
        )
        for kind, encode in FORMATS.items():
            others = [len(encode(uplink, frame[-TAG_BYTES:])) for frame, uplink in members]
            ratio = round(statistics.median(others) / statistics.median(sizes), 1)
            say(f"{name}, {kind}", statistics.median(others), times_larger=ratio)
    say("largest frame of all", max(len(frame) for _, frame, _ in frames), promised=240, frames=len(frames))


if __name__ == "__main__":
    main()
