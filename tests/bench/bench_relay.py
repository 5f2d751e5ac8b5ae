"""How many frames a second the two ends of a relay's line make and read, and a whole simulated relay passes on.

The relay's end runs in MicroPython on this machine, not on an ESP32.
"""

import json
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from derb_gateway import relay_messages as messages
from derb_gateway.relay_framing import Splitter, encode
from derb_tools.interpreters import board_command

from tests.e2e.relay_rig import Crowd, RelayRig, relay_id

ROOT = Path(__file__).parents[2]
COUNT = 20_000
READINGS, NODES, RATE = 8, 200, 400
CHUNK = 4096
SIZES = (24, 240)
ON_BOARD = """
import time
from relay import framing, messages
node = bytes(6)
for size in (24, 240):
    packet = bytes([33 + i % 90 if i % 8 else 0 for i in range(1, size + 1)])
    start = time.ticks_us()
    for i in range(4000):
        coded = framing.encode(messages.uplink(i % 256, 0, -60, node, packet))
    made = time.ticks_diff(time.ticks_us(), start)
    line = framing.encode(b"\\x82\\x01\\x00\\x00" + node + packet)
    splitter = framing.Splitter()
    start = time.ticks_us()
    for i in range(4000):
        for content in splitter.feed(line):
            messages.read(content)
    read = time.ticks_diff(time.ticks_us(), start)
    print(size, 4000 * 1000000 // made, 4000 * 1000000 // read)
"""


def say(figure: str, value: float, **more: object) -> None:
    line = {"bench": "relay", "figure": figure, "value": round(value), "unit": "frames/s", **more}
    print(json.dumps(line), flush=True)


def rate(count: int, work: Callable[[], None]) -> float:
    began_s = time.perf_counter()
    work()
    return count / (time.perf_counter() - began_s)


def gateways_end(size: int) -> None:
    chance = random.Random(1)
    node = "240ac4a1b2c3"
    head = struct.Struct("<BBIb6s")
    frames = [bytes([0x21]) + chance.randbytes(size - 1) for _ in range(200)]
    uplinks = [head.pack(2, i, 0, -60, bytes.fromhex(node)) + each for i, each in enumerate(frames)]
    line = b"".join(map(encode, uplinks)) * (COUNT // len(uplinks))

    def read() -> None:
        splitter, found = Splitter(), 0
        for at in range(0, len(line), CHUNK):
            for content in splitter.feed(line[at : at + CHUNK]):
                messages.read(content)
                found += 1
        if found != COUNT:
            raise SystemExit(f"{found} of {COUNT} frames read")

    def write() -> None:
        for i in range(COUNT):
            encode(messages.downlink(i % 256, node, frames[i % 200]))

    say(f"gateway reads uplinks of {size} bytes", rate(COUNT, read), frames=COUNT)
    say(f"gateway writes downlinks of {size} bytes", rate(COUNT, write), frames=COUNT)


def relays_end() -> None:
    command = board_command(ON_BOARD, [ROOT / "firmware"])
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line in said.splitlines():
        size, made, read = map(int, line.split())
        say(f"relay's code makes uplinks of {size} bytes", made, where="MicroPython on this machine")
        say(f"relay's code reads downlinks of {size} bytes", read, where="MicroPython on this machine")


def whole() -> None:
    nodes = [f"240ac5{number:06x}" for number in range(NODES)]
    with tempfile.TemporaryDirectory() as folder, RelayRig(Path(folder), nodes) as rig:
        rig.wait_for_log("relay connected")
        crowd = Crowd(rig.air.port, nodes, relay_id(0))
        began_s = time.monotonic()
        crowd.start(READINGS, RATE)
        crowd.settle(60)
        took_s = time.monotonic() - began_s
        if crowd.waiting:
            raise SystemExit(f"{crowd.waiting} readings got no receipt")
        say(
            "simulated relay and gateway, from the air to the receipt",
            crowd.made / took_s,
            offered_per_s=RATE,
            readings=crowd.made,
            frames=len(crowd.frames),
            nodes=NODES,
        )


def main() -> None:
    for size in SIZES:
        gateways_end(size)
    relays_end()
    whole()


if __name__ == "__main__":
    main()
