"""Write frames.json anew: run it only when docs/protocol.md gained something, and read the difference.

The vectors come from a third reading of docs/protocol.md, written here on its own: neither the node's half nor the
gateway's is used.
"""

import hashlib
import hmac
import json
import struct
from pathlib import Path

KEY = bytes(range(32))
KEY2 = hashlib.sha256(b"another node").digest()
NODE = bytes.fromhex("240ac4a1b2c3")
NODE2 = bytes.fromhex("7cdfa1000001")


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n % 128 + 128])
        n //= 128
    return out + bytes([n])


def svarint(n):
    return varint(2 * n if n >= 0 else -2 * n - 1)


def sign(label, node, key, content):
    return content + hmac.new(key, label + node + content, "sha256").digest()[:8]


def parking(state, c, d):
    return bytes([state << 6 | c, d])


def level(value):
    return struct.pack("<H", value)


def health(*fields):
    return b"".join(varint(n) + svarint(v) for n, v in fields)


def alarm(code, value):
    return bytes([code]) + svarint(value)


KINDS = {1: "parking", 2: "level", 3: "health", 4: "alarm", 5: "answer"}
STATES = {0: "unknown", 1: "free", 2: "occupied"}
STATUS = {8188: "unstable", 8189: "too_close", 8190: "too_far", 8191: "no_echo"}
FIELDS = {
    1: "battery_mv", 2: "rssi_dbm", 3: "temp_c100", 4: "reset_cause", 5: "awake_ms", 6: "queued", 7: "shed",
    8: "send_failures", 9: "heap_free", 10: "flash_writes", 11: "firmware_version", 12: "config_version",
    13: "parking_state", 14: "sensor_fault", 15: "battery_load_mv", 16: "sense_ms", 17: "connect_ms", 18: "exchange_ms",
    19: "connections_failed", 20: "resets_watchdog", 21: "resets_hard", 22: "resets_soft", 23: "downlinks_refused",
    24: "orders_stale", 25: "config_refused", 26: "slot", 27: "update_version", 28: "update_state", 29: "update_kb_left",
    30: "safe_level", 31: "wakes_failed", 32: "failed_phase", 33: "failed_cause",
}  # fmt: skip
ALARMS = {
    1: "full", 2: "collected", 3: "fire", 4: "tilt", 5: "sensor_fault", 6: "readings_shed", 7: "config_refused",
    8: "config_returned", 9: "update_returned",
}  # fmt: skip
RESULTS = {1: "done", 2: "started", 3: "failed", 4: "expired", 5: "refused"}


def duration(d):
    if d == 255:
        return None
    return d if d < 16 else (16 + d % 16) << (d // 16 - 1)


def meaning(kind, item):
    """What a decoder says of one reading, as (JSON, payload)."""
    if kind == 1:
        state, c, d = item
        return {
            "state": STATES[state],
            "confidence": (100 * c + 31) // 63,
            "previous_state_s": duration(d),
        }, parking(*item)
    if kind == 2:
        if item in STATUS:
            return {"status": STATUS[item], "distance_mm": None}, level(item)
        return {"status": "ok", "distance_mm": item}, level(item)
    if kind == 3:
        return {"fields": {FIELDS.get(n, str(n)): v for n, v in item}}, health(*item)
    if kind == 5:
        command, result, value = item
        said = {"command": command, "result": RESULTS.get(result, str(result)), "value": value}
        return said, varint(command) + bytes([result]) + svarint(value)
    code, value = item
    return {"alarm": ALARMS.get(code, str(code)), "value": value}, alarm(code, value)


def uplink(name, kind, boot, last, age, items, gaps=(), bound=False, node=NODE, key=KEY, interval=None):
    """`items` newest first; `gaps[i]` seconds between item i and the older item i + 1."""
    head = bytes([1 << 5 | bound << 4 | kind]) + varint(boot) + varint(last) + varint(age)
    body = meaning(kind, items[0])[1]
    if kind == 2 and len(items) > 1:
        body += varint(interval)
    for gap, item in zip(gaps, items[1:], strict=True):
        payload = meaning(kind, item)[1]
        if kind == 2:
            off = gap - interval
            code = min(2 * off if off >= 0 else -2 * off - 1, 7)
            body += struct.pack("<H", struct.unpack("<H", payload)[0] | code << 13) + (
                svarint(off) if code == 7 else b""
            )
        else:
            body += varint(gap) + payload
    frame = sign(b"derb1u", node, key, head + body)
    decoded, readings, t = [], [], 1_000_000 - age
    for i, item in enumerate(items):
        said, payload = meaning(kind, item)
        decoded.append({"seq": last - i, "age_s": 1_000_000 - t, **said})
        readings.insert(0, [last - i, t, payload.hex()])
        t -= gaps[i] if i < len(gaps) else 0
    return {
        "name": name, "direction": "up", "node": node.hex(), "key": key.hex(), "frame": frame.hex(), "kind": kind, "boot": boot,
        "age_is_bound": bound, "now_s": 1_000_000, "readings": readings,
        "decoded": {"kind": KINDS[kind], "boot": boot, "age_is_bound": bound, "readings": decoded},
    }  # fmt: skip


def refused(name, reason, content, node=NODE, key=KEY, raw=False, direction="up"):
    label = b"derb1u" if direction == "up" else b"derb1d"
    frame = content if raw else sign(label, node, key, content)
    return {
        "name": name,
        "direction": direction,
        "node": node.hex(),
        "key": KEY.hex(),
        "frame": frame.hex(),
        "refused": reason,
    }


def downlink(name, unix_s, synced, version, ranges, sections=(), node=NODE, key=KEY):
    content = (
        bytes([1 << 5 | synced << 4]) + struct.pack("<I", unix_s) + varint(version) + varint(len(ranges))
    )
    for boot, first, last in ranges:
        content += varint(boot) + varint(last) + varint(last - first)
    for kind, value in sections:
        content += bytes([kind, len(value)]) + value
    frame = sign(b"derb1d", node, key, content)
    return {
        "name": name, "direction": "down", "node": node.hex(), "key": key.hex(), "frame": frame.hex(),
        "decoded": {"unix_s": unix_s, "synchronised": synced, "config_version": version, "ranges": [list(r) for r in ranges],
                    "sections": [[kind, value.hex()] for kind, value in sections]},
    }  # fmt: skip


def head(kind, boot=1, last=5, age=0, version=1):
    return bytes([version << 5 | kind]) + varint(boot) + varint(last) + varint(age)


def vectors():
    hours = [3600] * 23
    yield uplink("first parking event", 1, 1, 0, 0, [(2, 63, 255)])
    yield uplink("parking free after 52 minutes", 1, 3, 17, 2, [(1, 58, 0x79)])
    yield uplink("parking unknown, other node", 1, 200, 300, 90, [(0, 0, 0)], node=NODE2, key=KEY2)
    yield uplink("largest one-byte numbers", 1, 127, 127, 127, [(2, 1, 15)])
    yield uplink("smallest two-byte numbers", 1, 128, 128, 128, [(2, 31, 16)])
    yield uplink("largest numbers", 1, 0xFFFFFFFF, 16383, 500000, [(1, 62, 254)])
    yield uplink("three parking events", 1, 2, 40, 5, [(2, 60, 100), (1, 50, 120), (2, 61, 80)], [1200, 0])
    yield uplink(
        "parking after a loss of power", 1, 4, 2, 30, [(1, 40, 200), (2, 63, 17)], [90000], bound=True
    )
    yield uplink("one level", 2, 1, 0, 1, [812])
    yield uplink("level at its ends", 2, 1, 1, 1, [8185, 0], [3600], interval=3600)
    yield uplink("all level statuses", 2, 1, 9, 0, [8188, 8189, 8190, 8191], [60, 60, 60], interval=60)
    yield uplink(
        "24 hourly levels", 2, 16383, 16383, 100, [700 + 13 * i for i in range(24)], hours, interval=3600
    )
    yield uplink(
        "levels with jitter",
        2,
        5,
        50,
        3,
        [400, 410, 420, 430, 440, 450, 460, 470],
        [3600, 3599, 3601, 3598, 3602, 3597, 3603],
        interval=3600,
    )
    yield uplink(
        "levels with a missing hour", 2, 5, 60, 3, [400, 410, 420, 1300], [3600, 7200, 3600], interval=3600
    )
    yield uplink(
        "level with an early reading", 2, 5, 61, 3, [400, 410, 411, 412], [3600, 3592, 3604], interval=3600
    )
    yield uplink(
        "health",
        3,
        7,
        1234,
        0,
        [
            [
                (1, 3581),
                (2, -71),
                (4, 4),
                (5, 312),
                (6, 0),
                (7, 0),
                (8, 0),
                (9, 91234),
                (10, 12),
                (11, 100),
                (13, 2),
                (14, 0),
            ]
        ],
    )
    yield uplink("health with a field of the future", 3, 7, 1235, 0, [[(1, 3580), (300, -1)]])
    yield uplink("full", 4, 1, 77, 4, [(1, 251)])
    yield uplink(
        "collected, then fire, then an alarm of the future",
        4,
        1,
        79,
        4,
        [(99, -5), (3, 7150), (2, 1180)],
        [10, 3600],
    )
    yield uplink(
        "all health fields", 3, 7, 1236, 0, [[(n, n * 100 if n != 2 else -88) for n in range(1, 30)]]
    )
    yield uplink("configuration and update returned", 4, 1, 80, 4, [(9, 203), (8, 17), (7, 18)], [10, 30])
    yield uplink("a command is done", 5, 3, 20, 0, [(3648000, 1, 0)])
    yield uplink(
        "answers, the newest of the future",
        5,
        3,
        23,
        1,
        [(3648003, 77, -9), (3648002, 4, 0), (3648001, 3, 2)],
        [0, 60],
    )
    yield refused("empty", "too_short", b"", raw=True)
    yield refused("12 bytes", "too_short", bytes(12), raw=True)
    yield refused("241 bytes", "too_long", head(1) + parking(1, 1, 1) * 114 + bytes(1))
    yield refused("version 2", "bad_version", head(1, version=2) + parking(1, 1, 1))
    yield refused("version 0", "bad_version", head(1, version=0) + parking(1, 1, 1))
    yield refused("another key", "bad_tag", head(1) + parking(1, 1, 1), key=KEY2)
    yield refused(
        "another node's frame", "bad_tag", sign(b"derb1u", NODE2, KEY, head(1) + parking(1, 1, 1)), raw=True
    )
    yield refused(
        "a downlink played back", "bad_tag", sign(b"derb1d", NODE, KEY, head(1) + parking(1, 1, 1)), raw=True
    )
    yield refused(
        "a bit changed",
        "bad_tag",
        bytes([sign(b"derb1u", NODE, KEY, head(1) + parking(1, 1, 1))[0]])
        + sign(b"derb1u", NODE, KEY, head(1, boot=3) + parking(1, 1, 1))[1:-1]
        + b"\0",
        raw=True,
    )
    yield refused("kind 0 upwards", "malformed", head(0) + parking(1, 1, 1))
    yield refused("a kind of the future", "malformed", head(9) + parking(1, 1, 1))
    yield refused("boot 0", "malformed", head(1, boot=0) + parking(1, 1, 1))
    yield refused("a sequence number above 16,383", "malformed", head(1, last=16384) + parking(1, 1, 1))
    yield refused("parking state 3", "malformed", head(1) + parking(3, 1, 1))
    yield refused("half a parking record", "malformed", head(1) + parking(1, 1, 1)[:1])
    yield refused("a gap and nothing after", "malformed", head(1) + parking(1, 1, 1) + varint(60))
    yield refused(
        "more readings than sequence numbers",
        "malformed",
        head(1, last=0) + parking(1, 1, 1) + varint(60) + parking(2, 1, 1),
    )
    yield refused(
        "a number not in its shortest form", "malformed", bytes([0x21, 0x81, 0x00, 5, 0]) + parking(1, 1, 1)
    )
    yield refused(
        "a number of six bytes",
        "malformed",
        bytes([0x21, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 5, 0]) + parking(1, 1, 1),
    )
    yield refused(
        "a number above 2^32 - 1",
        "malformed",
        bytes([0x21, 0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 5, 0]) + parking(1, 1, 1),
    )
    yield refused("a reserved distance", "malformed", head(2) + level(8186))
    yield refused("a first level with a difference", "malformed", head(2) + level(800 | 1 << 13))
    yield refused("an interval and nothing after", "malformed", head(2) + level(800) + varint(3600))
    yield refused(
        "levels in the wrong order of time",
        "malformed",
        head(2) + level(800) + varint(1) + level(800 | 3 << 13),
    )
    yield refused("health fields out of order", "malformed", head(3) + health((2, -70), (1, 3600)))
    yield refused("a health field twice", "malformed", head(3) + health((1, 3600), (1, 3600)))
    yield refused("an answer without a result", "malformed", head(5) + varint(300))
    yield refused("an answer without a value", "malformed", head(5) + varint(300) + bytes([1]))
    yield refused("a health field without value", "malformed", head(3) + varint(1) + varint(2) + varint(2))
    yield downlink("receipt", 1795000000, True, 0, [(3, 0, 17)])
    yield downlink("nothing yet, clock not synchronised", 1795000000, False, 0, [])
    yield downlink("eight ranges", 0xFFFFFFFF, True, 70000, [(i, i, i * 200) for i in range(1, 9)])
    yield downlink(
        "sections of the future",
        1795000001,
        True,
        12,
        [(3, 17, 17)],
        [(1, b"\x01\x02"), (250, b""), (2, bytes(40))],
    )
    yield downlink("other node", 1795000002, True, 0, [(200, 0, 300), (1, 5, 5)], node=NODE2, key=KEY2)
    yield refused(
        "nine ranges",
        "malformed",
        bytes([0x20]) + bytes(4) + varint(0) + varint(9) + bytes([1, 1, 0]) * 9,
        direction="down",
    )
    yield refused(
        "a range below zero",
        "malformed",
        bytes([0x20]) + bytes(4) + varint(0) + varint(1) + bytes([1, 1, 2]),
        direction="down",
    )
    yield refused(
        "a section cut off",
        "malformed",
        bytes([0x20]) + bytes(4) + varint(0) + varint(0) + bytes([1, 9, 0]),
        direction="down",
    )
    yield refused(
        "an uplink played back",
        "bad_tag",
        sign(b"derb1u", NODE, KEY, bytes([0x20]) + bytes(6)),
        raw=True,
        direction="down",
    )


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(vector) for vector in vectors())
    Path(__file__).with_name("frames.json").write_text(f"[\n{lines}\n]\n")
