"""Write relay.json anew: run it only when docs/protocol.md gained something, and read the difference.

A third reading of the page, on its own: neither the relay's half nor the gateway's is used.
"""

import binascii
import json
import struct
from pathlib import Path

NODE = "240ac4a1b2c3"
RELAY = "240ac4fffff1"
FRAME = bytes.fromhex("2103110040017f00112233445566")


def cobs(content):
    """Consistent overhead byte stuffing, byte by byte."""
    out, block = b"", b""
    for i, byte in enumerate(content):
        if byte:
            block += bytes([byte])
        if byte == 0 or len(block) == 254:
            out += bytes([len(block) + 1]) + block
            block = b""
            if byte and i == len(content) - 1:
                return out
    return out + bytes([len(block) + 1]) + block


def line(content):
    return b"\0" + cobs(content + struct.pack("<I", binascii.crc32(content))) + b"\0"


def good(name, direction, content, **meaning):
    return {
        "name": name,
        "direction": direction,
        "line": line(content).hex(),
        "content": content.hex(),
        "meaning": meaning,
    }


def bad(name, direction, raw):
    return {"name": name, "direction": direction, "line": raw.hex(), "content": None, "meaning": None}


def odd(name, direction, content):
    return {
        "name": name,
        "direction": direction,
        "line": line(content).hex(),
        "content": content.hex(),
        "meaning": None,
    }


def self_description(start, uptime_s, version, channel, room, chip, counters, protocol=1):
    head = bytes([1, protocol]) + bytes.fromhex(RELAY)
    head += struct.pack("<IIIBHB", start, uptime_s, version, channel, room, len(chip))
    return head + chip + b"".join(struct.pack("<I", n) for n in counters)


def uplink(number, held_ms, rssi_dbm, packet):
    return struct.pack("<BBIb", 2, number, held_ms, rssi_dbm) + bytes.fromhex(NODE) + packet


def downlink(number, hold_s, frame):
    return struct.pack("<BBH", 0x82, number, hold_s) + bytes.fromhex(NODE) + frame


def vectors():
    up, down = "to_gateway", "to_relay"
    chip = b"Generic ESP32 module with ESP32"
    counters = list(range(1, 17))
    yield good(
        "self-description",
        up,
        self_description(0x01020304, 3661, 100, 6, 256, chip, counters),
        message="self",
        relay=RELAY,
        start=0x01020304,
        uptime_s=3661,
        firmware_version=100,
        channel=6,
        room_bytes=256,
        chip=chip.decode(),
        counters=counters,
    )
    yield good(
        "self-description of newer firmware",
        up,
        self_description(0, 0, 20000, 13, 1024, b"", [*counters, 4294967295]),
        message="self",
        relay=RELAY,
        start=0,
        uptime_s=0,
        firmware_version=20000,
        channel=13,
        room_bytes=1024,
        chip="",
        counters=counters,
    )
    yield good(
        "uplink",
        up,
        uplink(7, 12, -61, FRAME),
        message="uplink",
        number=7,
        held_ms=12,
        rssi_dbm=-61,
        node=NODE,
        packet=FRAME.hex(),
    )
    yield good(
        "uplink held for a day, longest packet, no zero byte in it",
        up,
        uplink(255, 86400000, -128, b"\x21" * 250),
        message="uplink",
        number=255,
        held_ms=86400000,
        rssi_dbm=-128,
        node=NODE,
        packet=(b"\x21" * 250).hex(),
    )
    yield good(
        "uplink all zero but the first byte",
        up,
        uplink(0, 0, 0, b"\x21" + bytes(239)),
        message="uplink",
        number=0,
        held_ms=0,
        rssi_dbm=0,
        node=NODE,
        packet=(b"\x21" + bytes(239)).hex(),
    )
    for result, name in enumerate(("sent", "unheard", "held", "no room", "radio failed")):
        yield good(
            f"done: {name}",
            up,
            bytes([3, 200 + result, result]),
            message="done",
            number=200 + result,
            result=result,
        )
    yield good("ask", down, bytes([0x81, 0]), message="ask", channel=0)
    yield good("ask, and go to channel 11", down, bytes([0x81, 11]), message="ask", channel=11)
    yield good(
        "downlink, not to be held",
        down,
        downlink(1, 0, FRAME),
        message="downlink",
        number=1,
        hold_s=0,
        node=NODE,
        frame=FRAME.hex(),
    )
    yield good(
        "downlink, longest frame, to be held",
        down,
        downlink(254, 3600, b"\x20" + b"\xff" * 239),
        message="downlink",
        number=254,
        hold_s=3600,
        node=NODE,
        frame=(b"\x20" + b"\xff" * 239).hex(),
    )
    yield good("taken", down, bytes([0x83, 7]), message="taken", numbers=[7])
    yield good("taken, eight, over the wrap", down, bytes([0x83, 252, 253, 254, 255, 0, 1, 2, 3]),
               message="taken", numbers=[252, 253, 254, 255, 0, 1, 2, 3])  # fmt: skip
    whole = line(bytes([0x81, 11]))
    for direction in (up, down):
        yield bad("a bit flipped", direction, whole[:2] + bytes([whole[2] ^ 4]) + whole[3:])
        yield bad("cut off", direction, whole[:-2] + b"\0")
        yield bad("a count that points beyond the end", direction, b"\0\x09\x81\x0b\0")
        yield bad("nothing but a CRC", direction, line(b""))
        yield bad("words of a board that starts", direction, b"\0ets Jul 29 2019 12:21:46\r\n\0")
        yield bad("too long", direction, line(b"\x21" * 330))
        yield odd("an unknown message", direction, bytes([0x7F, 1, 2]))
    yield odd(
        "a self-description of another protocol", up, self_description(1, 1, 1, 1, 256, b"x", [1], protocol=2)
    )
    yield odd(
        "a self-description cut off in its chip",
        up,
        self_description(1, 1, 1, 1, 256, b"", [])[:-1] + b"\x09",
    )
    yield odd("half a counter", up, self_description(1, 1, 1, 1, 256, b"x", [1])[:-1])
    yield odd("an uplink without a packet", up, uplink(1, 1, -1, b""))
    yield odd("an uplink with 251 bytes", up, uplink(1, 1, -1, bytes(251)))
    yield odd("an unknown result", up, bytes([3, 1, 9]))
    yield odd("a result too long", up, bytes([3, 1, 0, 0]))
    yield odd("ask for channel 14", down, bytes([0x81, 14]))
    yield odd("ask without a channel", down, bytes([0x81]))
    yield odd("a frame of 12 bytes", down, downlink(1, 0, bytes(12)))
    yield odd("a frame of 241 bytes", down, downlink(1, 0, bytes(241)))
    yield odd("taken, nothing", down, bytes([0x83]))


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(vector) for vector in vectors())
    Path(__file__).with_name("relay.json").write_text(f"[\n{lines}\n]\n")
