"""Write orders.json anew: run it only when docs/protocol.md gained something, and read the difference.

Sections 1 and 2 of a downlink, asks and chunks, from a third reading of the page: neither the node's half nor the gateway's is
used. `refused` says by whom: what a node must not take, and what a gateway must not.
"""

import json
import struct
from pathlib import Path

from make import KEY, KEY2, NODE, NODE2, sign, svarint, varint

WAKE_S, PINGS, BROKER, PORT, LOG = 1, 3, 13, 14, 15
NAMES = {WAKE_S: "wake_s", PINGS: "pings", BROKER: "broker", PORT: "port", LOG: "log"}
COMMANDS = ("identify", "self_test", "recalibrate", "stay_awake", "diagnostics", "reboot", "update")
HEAD = bytes([1 << 5 | 15])


def field(number, value):
    coded = bytes([len(value.encode())]) + value.encode() if isinstance(value, str) else svarint(value)
    return bytes([number]) + coded


def configuration(name, version, **fields):
    numbers = {name: number for number, name in NAMES.items()}
    settings = sorted((numbers[each], value) for each, value in fields.items())
    body = varint(version) + b"".join(field(number, value) for number, value in settings)
    return {"name": name, "section": 1, "body": body.hex(), "version": version, "settings": fields}


def command(name, ident, what, deadline_s, argument=0):
    body = (
        varint(ident) + bytes([COMMANDS.index(what) + 1]) + struct.pack("<I", deadline_s) + varint(argument)
    )
    return {"name": name, "section": 2, "body": body.hex(), "id": ident, "code": COMMANDS.index(what) + 1,
            "command": what, "deadline_s": deadline_s, "argument": argument}  # fmt: skip


def refused_section(name, section, body):
    return {"name": name, "section": section, "body": body.hex(), "refused": "node"}


def ask(name, version, file, offset, count, node=NODE, key=KEY):
    content = HEAD + varint(version) + varint(file) + varint(offset) + bytes([count])
    frame = sign(b"derb1u", node, key, content + bytes(max(0, 5 - len(content))))
    return {"name": name, "node": node.hex(), "key": key.hex(), "ask": frame.hex(),
            "version": version, "file": file, "offset": offset, "count": count}  # fmt: skip


def chunk(name, version, file, offset, content, node=NODE, key=KEY):
    frame = sign(b"derb1d", node, key, HEAD + varint(version) + varint(file) + varint(offset) + content)
    return {"name": name, "node": node.hex(), "key": key.hex(), "chunk": frame.hex(),
            "version": version, "file": file, "offset": offset, "content": content.hex()}  # fmt: skip


def refused_frame(name, by, frame):
    return {
        "name": name,
        "node": NODE.hex(),
        "key": KEY.hex(),
        "ask" if by == "gateway" else "chunk": frame.hex(),
        "refused": by,
    }


def vectors():
    yield configuration("one number", 1, wake_s=600)
    yield configuration("nothing but as provisioned", 2)
    yield configuration(
        "numbers and a text", 300, wake_s=5, pings=30, broker="broker.derb.example", port=65535
    )
    yield configuration("the largest version", 0xFFFFFFFF, log=1)
    yield configuration("a text beyond ASCII", 7, broker="درب.example")
    yield refused_section("an unknown field", 1, varint(1) + field(99, 5))
    yield refused_section("field 0", 1, varint(1) + field(0, 5))
    yield refused_section("a field twice", 1, varint(1) + field(WAKE_S, 600) + field(WAKE_S, 600))
    yield refused_section("a number cut off", 1, varint(1) + bytes([WAKE_S, 0x80]))
    yield refused_section("a field without a value", 1, varint(1) + bytes([WAKE_S]))
    yield refused_section("a text cut off", 1, varint(1) + bytes([BROKER, 9]) + b"short")
    yield refused_section("a text without its length", 1, varint(1) + bytes([BROKER]))
    yield refused_section("a text that is not UTF-8", 1, varint(1) + bytes([BROKER, 2, 0xFF, 0xFE]))
    yield refused_section("no version", 1, b"")
    for number, what in enumerate(COMMANDS):
        yield command(what, 3648000 + number, what, 1795000060, 200 if what == "update" else number)
    yield command("the largest id, deadline and argument", (1 << 31) - 1, "update", 0xFFFFFFFF, 0xFFFFFFFF)
    yield refused_section("an id of 2^31", 2, varint(1 << 31) + bytes([6]) + bytes(4) + varint(0))
    yield refused_section("a command cut off", 2, varint(5) + bytes([6, 1, 2]))
    yield refused_section("a command without its argument", 2, varint(5) + bytes([6]) + bytes(4))
    yield refused_section(
        "a command and something after", 2, varint(5) + bytes([6]) + bytes(4) + varint(0) + b"\0"
    )
    yield ask("for nothing but a downlink", 0, 0, 0, 0)
    yield ask("for the head", 200, 0, 0, 6)
    yield ask("for the middle of a file", 200, 17, 1152, 2)
    yield ask("largest numbers", 0xFFFFFFFF, 255, 0xFFFFFFFF, 6)
    yield ask("of another node", 200, 1, 0, 1, node=NODE2, key=KEY2)
    whole = HEAD + varint(200) + varint(1) + varint(0)
    yield refused_frame("seven chunks at once", "gateway", sign(b"derb1u", NODE, KEY, whole + bytes([7])))
    yield refused_frame(
        "an ask with something after", "gateway", sign(b"derb1u", NODE, KEY, whole + bytes([1, 0, 1]))
    )
    yield refused_frame(
        "an ask cut off", "gateway", sign(b"derb1u", NODE, KEY, HEAD + bytes([0x80, 0x80, 0x80, 0x80]))
    )
    yield refused_frame("another node's ask", "gateway", sign(b"derb1u", NODE2, KEY2, whole + bytes([1])))
    yield refused_frame(
        "a chunk played back as an ask", "gateway", sign(b"derb1d", NODE, KEY, whole + bytes([1]))
    )
    yield chunk("a whole chunk", 200, 1, 192, bytes(range(192)))
    yield chunk("the end of a file", 200, 1, 384, b"end")
    yield chunk("there is none", 200, 99, 0, b"")
    yield chunk("for another node", 201, 0, 0, b"head", node=NODE2, key=KEY2)
    yield refused_frame("another node's chunk", "node", sign(b"derb1d", NODE2, KEY2, whole + b"content"))
    yield refused_frame(
        "an ask played back as a chunk", "node", sign(b"derb1u", NODE, KEY, whole + b"content")
    )
    yield refused_frame(
        "a chunk of version 2", "node", sign(b"derb1d", NODE, KEY, bytes([2 << 5 | 15]) + whole[1:])
    )
    yield refused_frame(
        "a chunk with a number cut off", "node", sign(b"derb1d", NODE, KEY, HEAD + bytes([1, 1, 0x80]))
    )
    yield refused_frame(
        "a chunk of 241 bytes", "node", sign(b"derb1d", NODE, KEY, whole + bytes(233 - len(whole)))
    )


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(vector) for vector in vectors())
    Path(__file__).with_name("orders.json").write_text(f"[\n{lines}\n]\n")
