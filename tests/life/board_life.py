"""Lives a node's days inside MicroPython: derb.node and all below it, with the chip, the sensor and the way out played here.

    board_life.py, with PLAN as JSON on one line of standard input

Prints a line `F second hex` a frame that got through, `K second boot sequence kind` a reading that was kept, `W day files
blocks` a day that wrote flash, and at its end `E` with all counts. Outbox and segments are on a real littlefs, on flash in
RAM that counts its writes.
"""

import json
import struct
import sys

import fake_chip
from fake_chip import Now, machine, time

OUTBOX = "/flash/outbox"
NODE = b"\x24\x0a\xc4\xa1\xb2\xc3"
KEY = bytes(range(32))
UNIX_S = 1798758000
START_MS = {"wifi": 1560, "fixed": 660, "espnow": 20}  # until the link is open; glenn20's figures
STAY = "batches bay container health keepsake load outbox queue_record report rest settle trip"
EXCHANGE_MS = {"wifi": 284, "espnow": 120}
FAILED_MS = {"wifi": 15000, "espnow": 300}
PING_MS = 70


class Counts:
    wakes = sends = dhcp = subscribes = failed = awake_ms = 0


class Radio:
    """The way out, with the gateway behind it: what is sent gets its receipt at once, when the link is not broken."""

    window = 8

    def __init__(self, life, means):
        self._life = life
        self._means = means
        self._receipts = []

    def open(self, deadline):
        from derb.links import LinkError

        life = self._life
        kind = life.link
        if life.outages.broken(time.time()):
            Counts.failed += 1
            Now.ms += min(FAILED_MS[kind], deadline.left())
            raise LinkError("no gateway")
        Counts.sends += 1
        if kind == "wifi":
            Counts.subscribes += not self._means.remembered.session
            if self._means.remembered.lease is None:
                Counts.dhcp += 1
                self._means.remembered.keep_lease(("10.0.0.2", "255.255.255.0", "10.0.0.1", "10.0.0.1"))
            else:
                kind = "fixed"
        Now.ms += START_MS[kind]

    def send(self, packed):
        print("F", time.time(), packed.hex())

    def took(self, boot, last, count):
        self._receipts.append((boot, last - count + 1, last))

    def receive(self, deadline):
        from derb import frame, reading

        if not self._receipts:
            return None
        Now.ms += EXCHANGE_MS[self._life.link]
        out = bytearray(b"\x30" + struct.pack("<I", UNIX_S + time.time()) + b"\x00")
        reading.put_varint(out, len(self._receipts))
        for boot, first, last in self._receipts:
            reading.put_varint(out, boot)
            reading.put_varint(out, last)
            reading.put_varint(out, last - first)
        self._receipts = []
        self._means.remembered.session = 1
        return bytes(out + frame.tag(KEY, b"derb1d", NODE, out))

    def waiting(self):
        return []

    def rssi_dbm(self):
        return -60

    def extend(self, ms):
        pass

    def close(self):
        pass


class Ranger:
    """Pings take their time."""

    def __init__(self, container):
        self._container = container

    def pings(self, count):
        Now.ms += PING_MS * count
        return self._container.pings(count)


class Life:
    def __init__(self, plan):
        from fakes_lfs import Board, Meter
        from street import Bay, Bin, Outages

        self.config = plan["config"]
        self.kind = self.config["kind"]
        self.link = self.config.get("link", "wifi")
        self.days = plan["days"]
        self.outages = Outages(plan.get("outages", []))
        if self.kind == "parking":
            self.around = Bay(self.days, plan["changes"], plan["passers"], plan["seed"])
        else:
            self.around = Bin(plan["full_days"], plan["seed"])
        self.around.now_s = time.time
        self.meter = Meter()
        self.nvs = Board(blocks=64).on(self.meter)
        self.nvs.set_blob("cfg", json.dumps(self.config).encode())
        self.nvs.set_blob("key", KEY)
        self.nvs.commit()
        self.meter.writes = 0
        self.radio = None
        self._day = 0
        self._written = (0, 0)

    def hand_in(self):
        """Put the sensor, the flash, the console and the way out in their places. What is loaded here stays loaded."""
        from derb import queue, sense
        from derb.links import ways
        from derb.node import Node
        from derb.segments import Segments

        for name in STAY.split():
            __import__("derb." + name)

        def segments(node):
            if node.segments is None:
                node.segments = Segments(OUTBOX, node.storage.ready)
            return node.segments

        def radio(means):
            self.radio = Radio(self, means)
            return self.radio

        def log(node, *words):
            if words[0] == "sent":
                self.radio.took(words[1], words[2], words[3])
            elif words[0] == "kept":
                print("K", time.time(), words[1], words[2], words[3])

        queue.segments = segments
        sense.make = self.make_sensing
        ways._MAKERS["wifi"] = ways._MAKERS["espnow"] = radio
        Node.log = log
        return Node

    def make_sensing(self, node):
        saved = node.kept.sensing or None
        if self.kind == "parking":
            from derb.bay import Bay
            from derb.keepsake import Keepsake

            keep = lambda kept: Keepsake(node.nvs, kept)  # noqa: E731
            nap = machine.lightsleep
            return Bay(self.around, node.config, saved, nap, keep, node.kept.rssi_dbm or None)
        from derb.container import Container

        return Container(Ranger(self.around), self.around.temp_c100, node.config, saved)

    def run(self):
        node_class = self.hand_in()
        from derb.crumbs import Crumbs
        from derb.memory import Memory
        from derb.storage import Storage

        machine.reset_cause = lambda: machine.PWRON_RESET
        node = None
        while Now.ms < self.days * 86400000:
            began_ms = Now.ms
            memory = Memory(machine.RTC())
            crumbs = Crumbs(memory)
            node = node_class(memory, crumbs, Storage(True), self.nvs)
            sleep_ms = node.wake()
            crumbs.leave()
            machine.reset_cause = lambda: machine.DEEPSLEEP_RESET
            Counts.wakes += 1
            Counts.awake_ms += Now.ms - began_ms
            self._sleep(node, sleep_ms)
            self._note_writes(node)
        return node

    def _note_writes(self, node):
        day = Now.ms // 86400000
        if day == self._day:
            return
        written = (node.kept.flash_writes, self.meter.writes)
        if written != self._written:
            print("W", self._day, written[0] - self._written[0], written[1] - self._written[1])
        self._day, self._written = day, written

    def _sleep(self, node, sleep_ms):
        until_ms = Now.ms + sleep_ms
        if self.kind == "parking":
            move_s = self.around.next_move_s(Now.ms // 1000)
            if node.watches and move_s is not None:
                until_ms = min(until_ms, max(Now.ms, move_s * 1000))
        Now.ms = until_ms


def main():
    machine.unique_id = lambda: NODE
    machine.wake_reason = lambda: 0
    fake_chip.esp32.NVS = None
    life = Life(json.loads(sys.stdin.readline()))
    node = life.run()
    counts = {
        "wakes": Counts.wakes,
        "awake_ms": Counts.awake_ms - Now.light_ms,
        "light_sleep_ms": Now.light_ms,
        "connections": Counts.sends,
        "dhcp": Counts.dhcp,
        "subscribes": Counts.subscribes,
        "failed": Counts.failed,
        "file_writes": node.kept.flash_writes,
        "block_writes": life.meter.writes,
        "samples": getattr(life.around, "samples", 0),
        "pings": getattr(life.around, "asked", 0),
        "shed": node.outbox.shed,
        "waiting": len(node.outbox),
    }
    print("E", json.dumps(counts))


main()
